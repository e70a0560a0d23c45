/** Cases run by a reading. */

import { explicit, ruleNumber } from "../../../../src/hal/x86_64/processor/flags.ts"
import { makePlain } from "../../../../src/hal/x86_64/processor/plain.ts"
import type { MakeReading, Reading } from "../../../../src/hal/x86_64/processor/Reading.ts"
import { at, cause, modeNumber, segment } from "../../../../src/hal/x86_64/processor/State.ts"
import { CR0 } from "../../../../src/hal/x86_64/system/registers.ts"
import { type Case, gsBase, place, userMode } from "./cases.ts"
import { Flat } from "./Flat.ts"
import type { Outcome } from "./outcome.ts"
import { caseAt, completed, outcomeAt, outcomeIn, putCase, putRest } from "./states.ts"
import { allState, vectorsAllowed } from "./vectors.ts"
import { setX87State, x87State } from "./x87.ts"

const status = 0x8d5
/** CR4.FSGSBASE: RDGSBASE is allowed. */
const FSGSBASE = 0x1_0000n

/** What runs cases as bytes: states.ts. */
export interface Runner {
  /** What lies in memory before each case. */
  readonly setData: (data: Uint8Array) => void
  /** What runs from here on. Unless it `usesX87`, the FPU is left out of cases and outcomes. */
  readonly setCode: (code: Uint8Array, usesX87: boolean) => void
  /** Runs the case at `start`, of which the instruction is the one that was set; its outcome goes to `into`. */
  readonly run: (cases: Uint8Array, start: number, outcomes: Uint8Array, into: number) => void
  /** The data pages that can be written. */
  readonly memory: Uint8Array
}

/** The bytes of the data pages that are not what they were: offset and byte. */
export const changesOf = ({ memory }: Runner, original: Uint8Array): ReadonlyMap<number, number> => {
  const found = new Map<number, number>()
  if (Buffer.compare(memory, original.subarray(0, memory.length)) === 0) return found
  for (const [i, byte] of memory.entries()) if (byte !== original[i]) found.set(i, byte)
  return found
}

/** A reading with memory of its own. */
export class FlatRunner implements Runner {
  readonly memory: Uint8Array
  private readonly flat = new Flat()
  private readonly bytes = new Uint8Array(this.flat.memory.buffer)
  private original: Uint8Array = new Uint8Array(0)
  private readonly readOnly: number
  private readonly code: number
  private readonly wanted = new Uint8Array(place.codeBytes)
  private readonly reading: Reading
  private readonly isPlain: boolean
  private usesX87 = true

  constructor(make: MakeReading, selectors: ReadonlyArray<number>) {
    const { flat } = this
    const { view } = flat
    const written = flat.map(place.data, place.writable, { writable: true, executable: false })
    this.readOnly = flat.map(place.data + place.writable, place.readable - place.writable, {
      writable: false,
      executable: false
    })
    this.code = flat.map(place.code, place.codeBytes, { writable: true, executable: true })
    this.memory = this.bytes.subarray(written, written + place.writable)
    this.reading = make({ memory: flat.memory, access: flat })
    this.isPlain = make === makePlain
    view.setInt32(at.mode, modeNumber(userMode), true)
    view.setBigUint64(at.gsBase, gsBase, true)
    view.setBigUint64(at.cr4, FSGSBASE | vectorsAllowed, true)
    view.setBigUint64(at.cr0, BigInt(CR0.PE | CR0.MP | CR0.ET | CR0.NE | CR0.WP), true)
    view.setBigUint64(at.xcr0, allState, true)
    selectors.forEach((selector, i) => {
      view.setUint16(at.segment + i * segment.bytes + segment.selector, selector, true)
    })
  }

  setData(data: Uint8Array): void {
    this.original = data.subarray(0, place.writable)
    this.bytes.set(data.subarray(place.writable), this.readOnly)
  }

  setCode(code: Uint8Array, usesX87: boolean): void {
    this.usesX87 = usesX87
    this.wanted.fill(0xcc)
    this.wanted.set(code, place.start - place.code)
    this.putCode()
  }

  run(cases: Uint8Array, start: number, outcomes: Uint8Array, into: number): void {
    const { bytes, flat } = this
    const { view } = flat
    const from = new DataView(cases.buffer, cases.byteOffset + start, caseAt.bytes)
    this.memory.set(this.original)
    bytes.set(cases.subarray(start + caseAt.registers, start + caseAt.rflags), at.general)
    bytes.set(cases.subarray(start + caseAt.vectors, start + caseAt.x87), at.vectors)
    if (this.usesX87) setX87State(view, cases.subarray(start + caseAt.x87, start + caseAt.bytes))
    const rflags = from.getUint32(caseAt.rflags, true)
    view.setBigUint64(at.mxcsr, from.getBigUint64(caseAt.mxcsr, true), true)
    view.setBigUint64(at.rip, BigInt(place.start), true)
    view.setInt32(at.flagRule, ruleNumber(explicit, 8), true)
    view.setBigUint64(at.flagInput, BigInt(rflags & status), true)
    view.setBigUint64(at.rflags, BigInt(rflags & ~status), true)
    view.setInt32(at.countdown, 100_000, true)
    this.go()
    this.put(outcomes, into)
    // A case may have written to code, which is not the next one's.
    if (Buffer.compare(this.wanted, bytes.subarray(this.code, this.code + place.codeBytes)) !== 0) this.putCode()
  }

  private putCode(): void {
    this.bytes.set(this.wanted, this.code)
    this.reading.codeWritten(this.code >>> 12)
  }

  /** On to the INT3 that stands wherever the instruction can end, as native.c does; or to a fetch that faults. */
  private go(): void {
    const { view } = this.flat
    const goesOn = () => view.getInt32(at.cause, true) === cause.countdown && view.getInt32(at.countdown, true) > 0
    if (this.isPlain) {
      do this.reading.step()
      while (goesOn() && view.getUint32(at.rip, true) === place.start)
      return
    }
    do this.reading.run()
    while (goesOn())
    if (view.getInt32(at.cause, true) === cause.countdown) throw new Error("an instruction does not end")
  }

  private put(outcomes: Uint8Array, into: number): void {
    const { bytes, flat } = this
    const { view } = flat
    const to = new DataView(outcomes.buffer, outcomes.byteOffset + into, outcomeAt.bytes)
    const ended = view.getInt32(at.cause, true)
    const rip = view.getBigUint64(ended === cause.system ? at.stoppedAt : at.rip, true)
    const isRaised = ended === cause.fault && rip === BigInt(place.start)
    outcomes.set(bytes.subarray(at.general, at.general + 128), into + outcomeAt.registers)
    outcomes.set(bytes.subarray(at.vectors, at.vectors + 512), into + outcomeAt.vectors)
    if (this.usesX87) outcomes.set(x87State(view), into + outcomeAt.x87)
    to.setBigUint64(outcomeAt.rflags, BigInt(this.reading.status() | view.getInt32(at.rflags, true)), true)
    to.setBigUint64(outcomeAt.rip, rip, true)
    to.setBigUint64(outcomeAt.vector, BigInt(isRaised ? view.getInt32(at.vector, true) : completed), true)
    to.setBigUint64(outcomeAt.error, BigInt(isRaised ? view.getInt32(at.errorCode, true) : 0), true)
    to.setBigUint64(outcomeAt.cr2, isRaised ? view.getBigUint64(at.faultAddress, true) : 0n, true)
    to.setBigUint64(outcomeAt.mxcsr, BigInt(view.getInt32(at.mxcsr, true)), true)
    putRest(to, 0)
  }
}

/** What runs a case, and then the next. */
export const readerOf = (runner: Runner, data: Uint8Array): ((test: Case) => Outcome) => {
  runner.setData(data)
  const [test, outcome] = [new DataView(new ArrayBuffer(caseAt.bytes)), new DataView(new ArrayBuffer(outcomeAt.bytes))]
  return (given) => {
    putCase(test, 0, given)
    runner.setCode(given.code, true)
    runner.run(new Uint8Array(test.buffer), 0, new Uint8Array(outcome.buffer), 0)
    return outcomeIn(new DataView(outcome.buffer.slice(0)), 0, changesOf(runner, data))
  }
}
