/** Cases run on the real processor, by native.c. */
import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync } from "node:fs"
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

let program: string | undefined

/** @throws if there is no C compiler, or the program ends badly. */
export const runNative = (cases: ReadonlyArray<Case>, data: Uint8Array): Native => {
  const bytes = new Uint8Array(cases.length * caseAt.bytes)
  const view = new DataView(bytes.buffer)
  for (const [n, test] of cases.entries()) putCase(view, n * caseAt.bytes, test)
  const { selectors, outcomes, starts } = runNativeBytes(bytes, data)
  return { selectors, outcomes: starts.map((start) => outcomeIn(outcomes, start, changesAt(outcomes, start))) }
}

export interface NativeBytes {
  readonly selectors: ReadonlyArray<number>
  readonly outcomes: DataView
  /** Where each outcome begins. */
  readonly starts: ReadonlyArray<number>
}

/** The same of cases as bytes. Outcomes are normalised. */
export const runNativeBytes = (cases: Uint8Array, data: Uint8Array): NativeBytes => {
  program ??= compile()
  const header = new Uint8Array(8 + data.length)
  new DataView(header.buffer).setBigUint64(0, gsBase, true)
  header.set(data, 8)
  const input = Buffer.concat([header, cases])
  const { status, signal, stdout } = spawnSync(program, { input, maxBuffer: 2 ** 30 })
  if (status !== 0) throw new Error(`the native program ended with ${status ?? signal}`)
  const outcomes = new DataView(stdout.buffer, stdout.byteOffset, stdout.byteLength)
  const selectors = Array.from({ length: 6 }, (_, i) => outcomes.getUint16(2 * i, true))
  const starts: Array<number> = []
  for (let start = 12; start < stdout.length; ) {
    starts.push(start)
    normalise(outcomes, start)
    start = endOfRuns(outcomes, start)
  }
  const count = cases.length / caseAt.bytes
  if (starts.length !== count) throw new Error(`${count} cases had ${starts.length} outcomes`)
  return { selectors, outcomes, starts }
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

const compile = (): string => {
  const path = join(mkdtempSync(join(tmpdir(), "skyscope-")), "native")
  execFileSync("gcc", ["-O2", "-o", path, join(import.meta.dirname, "native.c")])
  return path
}
