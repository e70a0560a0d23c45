/** Random programs for readings to agree on, and what is compared of them. */
import { contextBytes, layout } from "../../../../src/hal/x86_64/memory/layout.ts"
import type { MemoryBus } from "../../../../src/hal/x86_64/memory/PhysicalMemory.ts"
import { entry } from "../../../../src/hal/x86_64/memory/Tlb.ts"
import type { Form } from "../../../../src/hal/x86_64/processor/Form.ts"
import { forms } from "../../../../src/hal/x86_64/processor/instructions/index.ts"
import type { Mode } from "../../../../src/hal/x86_64/processor/Meaning.ts"
import { at, cause, registerNames } from "../../../../src/hal/x86_64/processor/State.ts"
import { encode, little } from "../native/encode.ts"
import { interestingMxcsr, interestingVector } from "../native/floats.ts"
import { Random } from "../native/Random.ts"
import { setVectorState, type VectorState, vectorState, vectorsAllowed } from "../native/vectors.ts"
import type { Guest, Page } from "./guest.ts"

/** Each program has a page of code, and may write it; the page after it is another's, or not there. */
export const code = { at: 0x40_0000n, physical: 0x20_0000 }
export const data = { at: 0x80_0000n, physical: 0x18_0000 }
export const pageBytes = 0x1000
/** Two pages that can be written, one that cannot, and nothing after them. */
export const dataPages = 3

/** A page that a device answers. */
const device = { at: 0x90_0000n, physical: 0x4000_0000 }

/**
 * A device that answers with numbers of its own, remembers who asked when, and now and then wants attention: then less is left of the
 * countdown than before.
 */
export class Device implements MemoryBus {
  readonly log: Array<string> = []
  guest: Guest | undefined = undefined

  read(address: number, width: number): number {
    this.asked(`read ${width} at ${address.toString(16)}`)
    return Math.imul(this.log.length, 0x9e37_79b1) >>> (32 - Math.min(width, 32))
  }
  write(address: number, width: number, value: number) {
    this.asked(`write ${width} of ${(value >>> 0).toString(16)} at ${address.toString(16)}`)
  }

  private asked(what: string) {
    const { view, count } = this.guest!
    this.log.push(`${count}: ${what}`)
    if (this.log.length % 3 === 0) return
    view.setInt32(at.attention, 1, true)
    const left = view.getInt32(at.countdown, true)
    const less = Math.min(left, 1 + (this.log.length % 5))
    view.setBigInt64(at.deadline, view.getBigInt64(at.deadline, true) - BigInt(left - less), true)
    view.setInt32(at.countdown, less, true)
  }
}

export const pagesOf = (programs: number): ReadonlyArray<Page> => [
  { ...code, bytes: programs * pageBytes },
  { ...data, bytes: (dataPages - 1) * pageBytes },
  { ...device, bytes: pageBytes },
  {
    at: data.at + BigInt((dataPages - 1) * pageBytes),
    physical: data.physical + (dataPages - 1) * pageBytes,
    bytes: pageBytes,
    writable: false
  }
]

export interface Program extends VectorState {
  readonly start: bigint
  readonly bytes: Uint8Array
  readonly registers: ReadonlyArray<bigint>
  readonly status: bigint
  readonly privilege: Mode["privilege"]
  /** After so many instructions the readings are compared, each time. */
  readonly stretches: ReadonlyArray<number>
}

const valid = forms.filter((form) => form.long)
const jumps = valid.filter((form) => /^(j|loop|call|ret)/.test(form.name))
const straight = valid.filter((form) => !jumps.includes(form))

/** A register, by its number, becomes an address in the data, or now and then of the device. */
const pointerTo = (random: Random, register: number): ReadonlyArray<number> => {
  const bytes = new DataView(new ArrayBuffer(8))
  const { at: place } = random.oneIn(12) ? device : data
  bytes.setBigUint64(0, place + BigInt(random.below((dataPages - 1) * pageBytes)), true)
  return [0x48, 0xb8 | register, ...new Uint8Array(bytes.buffer)]
}

/** A loop: R15 counts it down, and pointers are renewed each time, so that it is not soon over. */
const loopOf = (random: Random, start: bigint): Uint8Array => {
  const body = [3, 5, 6, 7].flatMap((register) => pointerTo(random, register))
  body.push(...bytesOf(random, start))
  // DEC R15; JNZ to the beginning; HLT.
  body.push(0x49, 0xff, 0xcf, 0x0f, 0x85)
  const back = new DataView(new ArrayBuffer(4))
  back.setInt32(0, -(body.length + 4), true)
  return Uint8Array.from([...body, ...new Uint8Array(back.buffer), 0xf4])
}

/** Instructions with jumps among them, that are to lie around `start`. */
const bytesOf = (random: Random, start: bigint): Uint8Array => {
  const aim = { start: Number(start), data: (): number => Number(data.at) + random.below(dataPages * pageBytes) }
  const instruction = (): ReadonlyArray<number> => {
    const form = random.of(random.oneIn(4) ? jumps : straight)
    return nearby(form, Array.from(encode(form, random, aim)), random)
  }
  return Uint8Array.from(Array.from({ length: 3 + random.below(8) }, instruction).flat())
}

const displacementBytes: Readonly<Record<string, number>> = { cb: 1, cd: 4 }

/** A jump that does not go far: over an instruction or two, or back. */
const nearby = ({ opcode }: Form, bytes: ReadonlyArray<number>, random: Random): ReadonlyArray<number> => {
  const size = displacementBytes[opcode.slice(-2)]
  if (size === undefined) return bytes
  return [...bytes.slice(0, -size), ...little(random.oneIn(6) ? -random.below(24) : random.below(12), size)]
}

const registerOf = (random: Random, start: bigint): bigint => {
  switch (random.below(10)) {
    case 0:
      return random.word()
    case 1:
      return BigInt.asUintN(64, BigInt(random.below(512) - 256))
    case 2:
      return start + BigInt(random.below(48) - 8)
    case 3:
      return data.at + BigInt(pageBytes * (1 + random.below(dataPages))) - BigInt(random.below(20))
    case 4:
      return device.at + BigInt(random.below(pageBytes + 8))
    default:
      return data.at + BigInt(random.below(dataPages * pageBytes))
  }
}

export const programsOf = (seed: number, count: number, kind: "straight" | "loop"): ReadonlyArray<Program> => {
  const random = new Random(seed)
  return Array.from({ length: count }, (_, index) => {
    const page = code.at + BigInt(index * pageBytes)
    const bytes = kind === "loop" ? loopOf(random, page) : bytesOf(random, page)
    const room = pageBytes - bytes.length
    const offset = random.oneIn(4) ? pageBytes - 1 - random.below(bytes.length) : random.below(room)
    const start = page + BigInt(offset)
    return {
      start,
      bytes,
      registers: registerNames.map(() => registerOf(random, start)),
      privilege: random.oneIn(3) ? 3 : 0,
      status: BigInt(random.of([0, 0x8d5, 0x1, 0x40, 0x880, 0x41])),
      vectors: registerNames.map(() => interestingVector(random)),
      mxcsr: interestingMxcsr(random),
      stretches: Array.from({ length: 3 }, () => 1 + random.below(random.of(kind === "loop" ? [20, 200] : [3, 20])))
    }
  })
}

export const prepare = (guest: Guest, program: Program) => {
  const { start, registers, status, privilege } = program
  guest.setPrivilege(privilege)
  setVectorState(guest.view, program)
  guest.view.setBigUint64(at.cr4, vectorsAllowed, true)
  for (const [index, name] of registerNames.entries()) guest.set(name, registers[index]!)
  guest.view.setBigUint64(at.fsBase, data.at, true)
  guest.view.setBigUint64(at.gsBase, data.at + 0x800n, true)
  guest.view.setInt32(at.flagRule, 0, true)
  guest.view.setBigUint64(at.flagInput, status, true)
  guest.view.setBigUint64(at.rflags, 2n | (status & 1n ? 0x400n : 0n), true)
  guest.view.setBigInt64(at.deadline, 0n, true)
  guest.view.setInt32(at.countdown, 0, true)
  guest.rip = start
}

/** What a program can see, and what it was stopped for. */
export const stateOf = (guest: Guest, why: number): Record<string, unknown> => {
  const { view } = guest
  const word = (offset: number) => view.getBigUint64(offset, true).toString(16)
  return {
    ...Object.fromEntries(registerNames.map((name) => [name, guest.get(name).toString(16)])),
    rip: guest.rip.toString(16),
    ...vectorState(view),
    status: guest.reading.status().toString(16),
    rflags: word(at.rflags),
    bases: [word(at.fsBase), word(at.gsBase)],
    count: guest.count,
    why,
    ...(why === cause.fault && {
      vector: view.getInt32(at.vector, true),
      errorCode: view.getInt32(at.errorCode, true),
      ...(view.getInt32(at.vector, true) === 14 && { address: word(at.faultAddress) })
    }),
    ...(why === cause.system && { operation: word(at.detail), stoppedAt: word(at.stoppedAt) })
  }
}

/** Page tables, with their accessed and dirty bits, code and data. */
export const memoryOf = (guest: Guest, programs: number): ReadonlyArray<Uint8Array> => [
  guest.ram(0, 0x1_0000),
  guest.ram(data.physical, dataPages * pageBytes),
  guest.ram(code.physical, programs * pageBytes)
]

/** Tags and physical pages of all translations. Which pages are watched for code is not for programs to see. */
export const translationsOf = (guest: Guest): Int32Array => {
  const modes = 2
  const words = new Int32Array(guest.memory.buffer, layout.translations, (modes * contextBytes) / 4)
  return words.map((word, index) => (index % 4 === 0 && word !== -1 ? word & ~entry.code : index % 4 === 2 ? 0 : word))
}
