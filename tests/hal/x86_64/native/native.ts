/** Cases run on the real processor, by native.c. */
import { execFileSync, spawn } from "node:child_process"
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Case, gsBase, place } from "./cases.ts"
import type { Outcome } from "./outcome.ts"
import { caseAt, normalise, outcomeAt, outcomeIn, putCase, type States, statesOf } from "./states.ts"

/** There is a processor to compare with. */
export const isNative = process.platform === "linux" && process.arch === "x64"

export interface Native {
  readonly selectors: ReadonlyArray<number>
  readonly outcomes: ReadonlyArray<Outcome>
}

/** Cases as bytes (states.ts), and what lies in memory before each. */
export interface Round {
  readonly cases: States
  readonly data: Uint8Array
}

export interface NativeStates {
  readonly selectors: ReadonlyArray<number>
  readonly outcomes: States
  /** Where each outcome begins, in bytes, round by round. */
  readonly starts: ReadonlyArray<Int32Array>
}

/** With `toInt3`, instructions that go on to the next go to an INT3 as well. @throws if there is no C compiler, or the program ends badly. */
export const runNative = (cases: ReadonlyArray<Case>, data: Uint8Array, toInt3 = false): Native => {
  const states = statesOf(cases.length * caseAt.bytes)
  for (const [n, test] of cases.entries()) {
    putCase(states.view, n * caseAt.bytes, test)
    if (toInt3) states.view.setBigUint64(n * caseAt.bytes + caseAt.length, 0n, true)
  }
  const { selectors, outcomes, starts } = runNativeStates([{ cases: states, data }])
  return { selectors, outcomes: Array.from(starts[0]!, (start) => outcomeFrom(outcomes, start)) }
}

/** Room for outcomes, which is used again. */
export interface Room {
  states: States
}
export const roomForOutcomes = (): Room => ({ states: statesOf(0) })

/** The same of cases as bytes. Outcomes are normalised; they are in `room`, until that is used for others. */
export const runNativeStates = (rounds: ReadonlyArray<Round>, room = roomForOutcomes()): NativeStates => {
  program ??= begin()
  const end = program(rounds, room)
  const outcomes = room.states
  const selectors = Array.from({ length: 6 }, (_, i) => outcomes.view.getUint16(2 * i, true))
  let start = selectorBytes
  const starts = rounds.map(({ cases }) => {
    const places = new Int32Array(cases.bytes.length / caseAt.bytes)
    for (let n = 0; n < places.length; n++) {
      places[n] = start
      normalise(outcomes.words, start)
      start = endOf(outcomes, start)
    }
    return places
  })
  if (start !== end) throw new Error("the native program said something else")
  return { selectors, outcomes, starts }
}

/** The outcome at this place, to be looked at. */
export const outcomeFrom = (outcomes: States, start: number): Outcome =>
  outcomeIn(outcomes.view, start, changesAt(outcomes, start))

// ---- changes of memory

/** Runs of changed bytes follow an outcome: offset, length (16 bits each), bytes. */
const forRuns = (
  { bytes }: States,
  start: number,
  count: number,
  each: (offset: number, length: number, from: number) => void
): number => {
  let from = start + outcomeAt.bytes
  for (let run = count; run > 0; run--) {
    const [offset, length] = [bytes[from]! | (bytes[from + 1]! << 8), bytes[from + 2]! | (bytes[from + 3]! << 8)]
    each(offset, length, from + 4)
    from += 4 + length
  }
  return from
}
export const runsAt = ({ words }: States, start: number): number => words[(start + outcomeAt.runs) >> 2]!
const nothing = (): void => {}
/** Outcomes begin at whole words. */
const endOf = (outcomes: States, start: number): number => {
  const count = runsAt(outcomes, start)
  return count === 0 ? start + outcomeAt.bytes : (forRuns(outcomes, start, count, nothing) + 7) & ~7
}

/** Makes the changes of memory to `memory`. */
export const change = (memory: Uint8Array, outcomes: States, start: number): void => {
  forRuns(outcomes, start, runsAt(outcomes, start), (offset, length, from) => {
    for (let i = 0; i < length; i++) memory[offset + i] = outcomes.bytes[from + i]!
  })
}

const changesAt = (outcomes: States, start: number): ReadonlyMap<number, number> => {
  const changes = new Map<number, number>()
  forRuns(outcomes, start, runsAt(outcomes, start), (offset, length, from) => {
    for (let i = 0; i < length; i++) changes.set(offset + i, outcomes.bytes[from + i]!)
  })
  return changes
}

// ---- the program

const selectorBytes = 16
/** native.c has the same. */
const endings: Readonly<Record<number, string>> = {
  2: "the cases end too early",
  3: "a case does not end",
  4: "addresses are taken",
  5: "the processor has no AVX",
  6: "there is no room"
}

/** Puts the outcomes of rounds where there is room. How many bytes they have. */
type Program = (rounds: ReadonlyArray<Round>, room: Room) => number
let program: Program | undefined

/**
 * The program, which waits for cases as long as this one runs. Cases and outcomes go through files: pipes would cost as much as all cases. Pipes
 * with names say when: they can be waited for without giving way to anything else.
 */
const begin = (): Program => {
  const folder = mkdtempSync(join(tmpdir(), "skyscope-"))
  const [native, asks, answers, cases, outcomes] = ["native", "asks", "answers", "cases", "outcomes"].map((name) =>
    join(folder, name)
  ) as [string, string, string, string, string]
  execFileSync("gcc", ["-O2", "-o", native, join(import.meta.dirname, "native.c")])
  execFileSync("mkfifo", [asks, answers])
  const [casesFile, outcomesFile] = [openSync(cases, "w+"), openSync(outcomes, "w+")]
  const child = spawn(native, [asks, answers, cases, outcomes], { stdio: ["ignore", "ignore", "inherit"] })
  if (child.pid === undefined) throw new Error(`${native} cannot be run`)
  child.unref()
  const [asking, answering] = [openSync(asks, "w"), openSync(answers, "r")]
  // Both have all of it open: nothing stays, however this process ends.
  rmSync(folder, { recursive: true })
  return (rounds, room) => {
    let written = 0
    const write = (bytes: Uint8Array) => {
      written += writeSync(casesFile, bytes, 0, bytes.length, written)
    }
    for (const { cases, data } of rounds) {
      write(new Uint8Array(new BigUint64Array([BigInt(cases.bytes.length / caseAt.bytes), gsBase]).buffer))
      write(data.subarray(0, place.readable))
      write(cases.bytes)
    }
    writeSync(asking, new BigUint64Array([BigInt(written)]))
    const answer = new BigUint64Array(2)
    const isThere = readSync(answering, answer) === answer.byteLength
    if (!isThere || answer[0] !== 0n) {
      program = undefined
      closeSync(asking)
      throw new Error(`the native program: ${isThere ? endings[Number(answer[0])] : "it ended"}`)
    }
    const length = Number(answer[1])
    if (room.states.bytes.length < length) room.states = statesOf(length)
    readSync(outcomesFile, room.states.bytes, 0, length, 0)
    return length
  }
}
