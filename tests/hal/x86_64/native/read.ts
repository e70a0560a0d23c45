/** Cases run by a reading. */

import { explicit, ruleNumber } from "../../../../src/hal/x86_64/processor/flags.ts"
import { makePlain } from "../../../../src/hal/x86_64/processor/plain.ts"
import type { MakeReading, Reading } from "../../../../src/hal/x86_64/processor/Reading.ts"
import { at, cause, modeNumber, segment } from "../../../../src/hal/x86_64/processor/State.ts"
import { CR0 } from "../../../../src/hal/x86_64/system/registers.ts"
import { type Case, gsBase, place, userMode } from "./cases.ts"
import { Flat } from "./Flat.ts"
import type { Outcome } from "./outcome.ts"
import {
  caseAt,
  completed,
  copyWords,
  outcomeAt,
  outcomeIn,
  putCase,
  putRest,
  putWord,
  type States,
  statesOf
} from "./states.ts"
import { allState, vectorsAllowed } from "./vectors.ts"
import { putX87State, takeX87State } from "./x87.ts"

const status = 0x8d5
/** CR4.FSGSBASE: RDGSBASE is allowed. */
const FSGSBASE = 0x1_0000n

/** What runs cases as bytes: states.ts. */
export interface Runner {
  /** What lies in memory before each case. */
  readonly setData: (data: Uint8Array) => void
  /** What runs from here on. Unless it `usesX87`, the FPU is left out of cases and outcomes. */
  readonly setCode: (code: Uint8Array, usesX87: boolean) => void
  /** Runs the case at `start`, of which the instruction is the one that was set; its outcome becomes the one at `into`. */
  readonly run: (cases: States, start: number, outcomes: States, into: number) => void
  /** The data pages that can be written. */
  readonly memory: Uint8Array
  /** The last case may have changed them. */
  readonly hasWritten: boolean
}

/** The bytes of the data pages that are not what they were: offset and byte. */
export const changesOf = ({ memory }: Runner, original: Uint8Array): ReadonlyMap<number, number> => {
  const found = new Map<number, number>()
  if (Buffer.compare(memory, original.subarray(0, memory.length)) === 0) return found
  for (let i = 0; i < memory.length; i++) if (memory[i] !== original[i]) found.set(i, memory[i]!)
  return found
}

/** A reading with memory of its own. */
export class FlatRunner implements Runner {
  readonly memory: Uint8Array
  private readonly flat = new Flat()
  private readonly bytes = new Uint8Array(this.flat.memory.buffer)
  private readonly i32 = new Int32Array(this.flat.memory.buffer)
  /** What lies in memory before each case: all that is mapped, from `memory` on. */
  private readonly original = new Uint8Array(place.readable + place.codeBytes)
  private readonly mapped: Uint8Array
  private readonly codePage: number
  private readonly reading: Reading
  private readonly isPlain: boolean
  private usesX87 = true

  constructor(make: MakeReading, selectors: ReadonlyArray<number>) {
    const { flat } = this
    const { view } = flat
    const first = flat.map(place.data, place.writable, { writable: true, executable: false })
    flat.map(place.data + place.writable, place.readable - place.writable, { writable: false, executable: false })
    this.codePage = flat.map(place.code, place.codeBytes, { writable: true, executable: true }) >>> 12
    this.memory = this.bytes.subarray(first, first + place.writable)
    this.mapped = this.bytes.subarray(first, first + this.original.length)
    this.reading = make({ memory: flat.memory, access: flat })
    flat.codeWritten = (page) => this.reading.codeWritten(page)
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

  get hasWritten(): boolean {
    return this.flat.isWritten
  }

  setData(data: Uint8Array): void {
    this.original.set(data.subarray(0, place.readable))
    this.restore()
  }

  setCode(code: Uint8Array, usesX87: boolean): void {
    this.usesX87 = usesX87
    if (!this.flat.isWritten && Buffer.compare(this.mapped, this.original) !== 0)
      throw new Error("memory is written by accesses alone")
    this.original.fill(0xcc, place.readable)
    this.original.set(code, place.readable + place.start - place.code)
    this.restore()
  }

  run(cases: States, start: number, outcomes: States, into: number): void {
    const { i32, flat } = this
    const [{ words }, from] = [cases, start >> 2]
    if (flat.isWritten) this.restore()
    copyWords(words, from + (caseAt.registers >> 2), i32, at.general >> 2, 32)
    copyWords(words, from + (caseAt.vectors >> 2), i32, at.vectors >> 2, 128)
    if (this.usesX87) putX87State(i32, words, from + (caseAt.x87 >> 2))
    const rflags = words[from + (caseAt.rflags >> 2)]!
    copyWords(words, from + (caseAt.mxcsr >> 2), i32, at.mxcsr >> 2, 2)
    i32[at.rip >> 2] = place.start
    i32[(at.rip >> 2) + 1] = 0
    i32[at.flagRule >> 2] = explicitly
    i32[at.flagInput >> 2] = rflags & status
    i32[(at.flagInput >> 2) + 1] = 0
    i32[at.rflags >> 2] = rflags & ~status
    i32[(at.rflags >> 2) + 1] = 0
    i32[at.countdown >> 2] = 100_000
    this.go()
    this.put(outcomes.words, into)
  }

  /** Memory as it is before a case, code among it: a case may have written to it. */
  private restore(): void {
    const isCodeAsBefore =
      Buffer.compare(this.mapped.subarray(place.readable), this.original.subarray(place.readable)) === 0
    this.mapped.set(this.original)
    if (!isCodeAsBefore) this.reading.codeWritten(this.codePage)
    this.flat.isWritten = false
  }

  /** On to the INT3 that stands wherever the instruction can end, as native.c does; or to a fetch that faults. */
  private go(): void {
    const { i32 } = this
    const goesOn = () => {
      i32[at.attention >> 2] = 0
      return i32[at.cause >> 2] === cause.countdown && i32[at.countdown >> 2]! > 0
    }
    if (this.isPlain) {
      do this.reading.step()
      while (goesOn() && i32[at.rip >> 2] === place.start)
      return
    }
    do this.reading.run()
    while (goesOn())
    if (i32[at.cause >> 2] === cause.countdown) throw new Error("an instruction does not end")
  }

  private put(to: Int32Array, start: number): void {
    const { i32 } = this
    const into = start >> 2
    const ended = i32[at.cause >> 2]
    const rip = (ended === cause.system ? at.stoppedAt : at.rip) >> 2
    const isRaised = ended === cause.fault && i32[rip] === place.start && i32[rip + 1] === 0
    copyWords(i32, at.general >> 2, to, into + (outcomeAt.registers >> 2), 32)
    copyWords(i32, at.vectors >> 2, to, into + (outcomeAt.vectors >> 2), 128)
    if (this.usesX87) takeX87State(i32, to, into + (outcomeAt.x87 >> 2))
    copyWords(i32, rip, to, into + (outcomeAt.rip >> 2), 2)
    copyWords(i32, at.mxcsr >> 2, to, into + (outcomeAt.mxcsr >> 2), 2)
    copyWords(i32, at.faultAddress >> 2, to, into + (outcomeAt.cr2 >> 2), 2)
    putWord(to, into + (outcomeAt.rflags >> 2), this.reading.status() | i32[at.rflags >> 2]!)
    putWord(to, into + (outcomeAt.vector >> 2), isRaised ? i32[at.vector >> 2]! : completed)
    putWord(to, into + (outcomeAt.error >> 2), isRaised ? i32[at.errorCode >> 2]! : 0)
    putRest(to, start)
  }
}

const explicitly = ruleNumber(explicit, 8)

/** What runs a case, and then the next. */
export const readerOf = (runner: Runner, data: Uint8Array): ((test: Case) => Outcome) => {
  runner.setData(data)
  const test = statesOf(caseAt.bytes)
  return (given) => {
    const outcome = statesOf(outcomeAt.bytes)
    putCase(test.view, 0, given)
    runner.setCode(given.code, true)
    runner.run(test, 0, outcome, 0)
    return outcomeIn(outcome.view, 0, changesOf(runner, data))
  }
}
