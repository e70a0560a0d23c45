/** Random programs for readings to agree on, and what is compared of them. */
import { contextBytes, layout } from "../../../../src/hal/x86_64/memory/layout.ts"
import type { MemoryBus } from "../../../../src/hal/x86_64/memory/PhysicalMemory.ts"
import { entry } from "../../../../src/hal/x86_64/memory/Tlb.ts"
import { forms } from "../../../../src/hal/x86_64/processor/instructions/index.ts"
import type { Mode } from "../../../../src/hal/x86_64/processor/Meaning.ts"
import { at, cause, registerNames } from "../../../../src/hal/x86_64/processor/State.ts"
import { Chance } from "./chance.ts"
import { encode } from "./encoding.ts"
import type { Guest, Page } from "./guest.ts"

const kernel: Mode = { bits: 64, privilege: 0 }

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

export interface Program {
  readonly start: bigint
  readonly bytes: Uint8Array
  readonly registers: ReadonlyArray<bigint>
  readonly status: bigint
  readonly privilege: Mode["privilege"]
  /** After so many instructions the readings are compared, each time. */
  readonly stretches: ReadonlyArray<number>
}

const straight = forms.filter((form) => form.long && !/^(j|loop|call|ret)/.test(form.name))
const jumps = forms.filter((form) => form.long && /^(j|loop|call|ret)/.test(form.name))

/** A register, by its number, becomes an address in the data, or now and then of the device. */
const pointerTo = (chance: Chance, register: number): ReadonlyArray<number> => {
  const bytes = new DataView(new ArrayBuffer(8))
  const { at: place } = chance.oneIn(12) ? device : data
  bytes.setBigUint64(0, place + BigInt(chance.below((dataPages - 1) * pageBytes)), true)
  return [0x48, 0xb8 | register, ...new Uint8Array(bytes.buffer)]
}

/** A loop: R15 counts it down, and pointers are renewed each time, so that it is not soon over. */
const loopOf = (chance: Chance): Uint8Array => {
  const body = [3, 6, 7].flatMap((register) => pointerTo(chance, register))
  body.push(...bytesOf(chance, 8))
  // DEC R15; JNZ to the beginning; HLT.
  body.push(0x49, 0xff, 0xcf, 0x0f, 0x85)
  const back = new DataView(new ArrayBuffer(4))
  back.setInt32(0, -(body.length + 4), true)
  return Uint8Array.from([...body, ...new Uint8Array(back.buffer), 0xf4])
}

const bytesOf = (chance: Chance, most: number): Uint8Array => {
  const bytes: Array<number> = []
  for (let left = 3 + chance.below(most); left > 0; left--) {
    const isJump = chance.oneIn(4)
    const instruction = encode(chance.of(isJump ? jumps : straight), kernel, chance) ?? Uint8Array.of(0x90)
    if (isJump && instruction.length >= 2) {
      // Not far: over an instruction or two, or back.
      const rel = instruction.length >= 5 ? instruction.length - 4 : instruction.length - 1
      instruction.fill(0, rel)
      instruction[rel] = chance.below(12)
      if (chance.oneIn(6)) instruction.fill(0xff, rel + 1).fill(256 - chance.below(24), rel, rel + 1)
    }
    bytes.push(...instruction)
  }
  return Uint8Array.from(bytes)
}

const registerOf = (chance: Chance, start: bigint): bigint => {
  switch (chance.below(10)) {
    case 0:
      return chance.word()
    case 1:
      return BigInt.asUintN(64, BigInt(chance.below(512) - 256))
    case 2:
      return start + BigInt(chance.below(48) - 8)
    case 3:
      return data.at + BigInt(pageBytes * (1 + chance.below(dataPages))) - BigInt(chance.below(20))
    case 4:
      return device.at + BigInt(chance.below(pageBytes + 8))
    default:
      return data.at + BigInt(chance.below(dataPages * pageBytes))
  }
}

export const programsOf = (seed: number, count: number, kind: "straight" | "loop"): ReadonlyArray<Program> => {
  const chance = new Chance(seed)
  return Array.from({ length: count }, (_, index) => {
    const bytes = kind === "loop" ? loopOf(chance) : bytesOf(chance, 8)
    const room = pageBytes - bytes.length
    const offset = chance.oneIn(4) ? pageBytes - 1 - chance.below(bytes.length) : chance.below(room)
    const start = code.at + BigInt(index * pageBytes + offset)
    return {
      start,
      bytes,
      registers: registerNames.map(() => registerOf(chance, start)),
      privilege: chance.oneIn(3) ? 3 : 0,
      status: BigInt(chance.of([0, 0x8d5, 0x1, 0x40, 0x880, 0x41])),
      stretches: Array.from({ length: 3 }, () => 1 + chance.below(chance.of(kind === "loop" ? [20, 200] : [3, 20])))
    }
  })
}

export const prepare = (guest: Guest, { start, registers, status, privilege }: Program) => {
  guest.setPrivilege(privilege)
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
