/** Cases run on the real processor, by native.c. */
import { execFileSync, spawnSync } from "node:child_process"
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Case, gsBase } from "./cases.ts"
import type { Outcome } from "./outcome.ts"
import { caseAt, normalise, outcomeAt, outcomeIn, putCase } from "./states.ts"

/** There is a processor to compare with. */
export const isNative = process.platform === "linux" && process.arch === "x64"

export interface Native {
  readonly selectors: ReadonlyArray<number>
  readonly outcomes: ReadonlyArray<Outcome>
}

/** Cases as bytes (states.ts), and what lies in memory before each. */
export interface Round {
  readonly cases: Uint8Array
  readonly data: Uint8Array
}

export interface NativeBytes {
  readonly selectors: ReadonlyArray<number>
  readonly outcomes: DataView
  /** Where each outcome begins, round by round. */
  readonly starts: ReadonlyArray<ReadonlyArray<number>>
}

/** With `toInt3`, instructions that go on to the next go to an INT3 as well. @throws if there is no C compiler, or the program ends badly. */
export const runNative = (cases: ReadonlyArray<Case>, data: Uint8Array, toInt3 = false): Native => {
  const bytes = new Uint8Array(cases.length * caseAt.bytes)
  const view = new DataView(bytes.buffer)
  for (const [n, test] of cases.entries()) {
    putCase(view, n * caseAt.bytes, test)
    if (toInt3) view.setBigUint64(n * caseAt.bytes + caseAt.length, 0n, true)
  }
  const { selectors, outcomes, starts } = runNativeBytes([{ cases: bytes, data }])
  return { selectors, outcomes: starts[0]!.map((start) => outcomeIn(outcomes, start, changesAt(outcomes, start))) }
}

/** The same of cases as bytes. Outcomes are normalised. */
export const runNativeBytes = (rounds: ReadonlyArray<Round>): NativeBytes => {
  const bytes = run(rounds)
  const outcomes = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const selectors = Array.from({ length: 6 }, (_, i) => outcomes.getUint16(2 * i, true))
  let start = 12
  const starts = rounds.map(({ cases }) =>
    Array.from({ length: cases.length / caseAt.bytes }, () => {
      const here = start
      normalise(outcomes, here)
      start = endOfRuns(outcomes, here)
      return here
    })
  )
  if (start !== bytes.length) throw new Error("the native program said something else")
  return { selectors, outcomes, starts }
}

const endings: Readonly<Record<number, string>> = {
  2: "the cases end too early",
  3: "a case does not end",
  4: "addresses are taken",
  5: "the processor has no AVX"
}

/** Through files: pipes would cost as much as all cases. */
const run = (rounds: ReadonlyArray<Round>): Uint8Array => {
  folder ??= compile()
  const [input, output] = [openSync(join(folder, "cases"), "w+"), openSync(join(folder, "outcomes"), "w+")]
  for (const { cases, data } of rounds) {
    const header = new BigUint64Array([BigInt(cases.length / caseAt.bytes), gsBase])
    writeSync(input, Buffer.concat([new Uint8Array(header.buffer), data, cases]))
  }
  closeSync(input)
  const from = openSync(join(folder, "cases"), "r")
  const { status, signal } = spawnSync(join(folder, "native"), { stdio: [from, output, "inherit"] })
  closeSync(from)
  closeSync(output)
  if (status !== 0) throw new Error(`the native program: ${endings[status ?? 0] ?? status ?? signal}`)
  return readFileSync(join(folder, "outcomes"))
}

/** Runs of changed bytes follow an outcome: offset, length (16 bits each), bytes. */
const forRuns = (outcomes: DataView, start: number, each: (offset: number, length: number, from: number) => void) => {
  let from = start + outcomeAt.bytes
  for (let run = outcomes.getUint32(start + outcomeAt.runs, true); run > 0; run--) {
    const [offset, length] = [outcomes.getUint16(from, true), outcomes.getUint16(from + 2, true)]
    each(offset, length, from + 4)
    from += 4 + length
  }
  return from
}
const endOfRuns = (outcomes: DataView, start: number): number => forRuns(outcomes, start, () => {})

export const changesAt = (outcomes: DataView, start: number): ReadonlyMap<number, number> => {
  const changes = new Map<number, number>()
  forRuns(outcomes, start, (offset, length, from) => {
    for (let i = 0; i < length; i++) changes.set(offset + i, outcomes.getUint8(from + i))
  })
  return changes
}

/** Where the program is, and its files. */
let folder: string | undefined

const compile = (): string => {
  const made = mkdtempSync(join(tmpdir(), "skyscope-"))
  process.on("exit", () => rmSync(made, { recursive: true, force: true }))
  execFileSync("gcc", ["-O2", "-o", join(made, "native"), join(import.meta.dirname, "native.c")])
  return made
}
