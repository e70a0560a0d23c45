/** scripts/refusals.ts: that it tells what is refused as written from what is not. */

import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "vitest"

const script = join(import.meta.dirname, "../scripts/refusals.ts")

const program = `
declare const takes: (text: "⛔ no" | "yes") => void
declare const needs: <T>(value: T extends number ? T : "⛔ needs a number") => void
`

/** What the script counts and says of a file with these lines. */
const judge = (...lines: ReadonlyArray<string>) => {
  const folder = mkdtempSync(join(tmpdir(), "skyscope-refusals-"))
  try {
    const options = { strict: true, noEmit: true, lib: ["ES2022"], types: [], moduleDetection: "force" }
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, include: ["."] }))
    writeFileSync(join(folder, "a.refusals.ts"), `${program}\n${lines.join("\n")}\n`)
    const report = join(folder, "report.json")
    const { status, stderr } = spawnSync(process.execPath, [script, folder, report], { encoding: "utf8" })
    return { status, stderr, count: JSON.parse(readFileSync(report, "utf8")) }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

describe("the refusals", () => {
  it("are as written when both compilers say so of their lines", () => {
    const { status, stderr, count } = judge("needs(1)", 'needs("1") //! TS2345 ⛔ needs a number')
    assert.deepStrictEqual([status, stderr, count], [0, "", { passed: 2, failed: 0 }])
  })

  it.each([
    ["another sentence", "needs(1)", 'needs("1") //! TS2345 ⛔ needs a'],
    ["another code", "needs(1)", 'needs("1") //! TS2322 ⛔ needs a number'],
    ["nothing", "needs(1)", "needs(2) //! TS2345 ⛔ needs a number"],
    ["two things", "needs(1)", 'needs("1"); needs("1") //! TS2345 ⛔ needs a number'],
    ["a sentence that is only part of a type", 'takes("yes")', 'takes("no") //! TS2345 ⛔ no']
  ])("are not when a compiler says %s", (_, twin, refusal) => {
    const { status, stderr, count } = judge(twin, refusal)
    assert.deepStrictEqual([status, count], [1, { passed: 0, failed: 2 }])
    assert.include(stderr, "a.refusals.ts:6")
  })

  it("are not when something else is refused", () => {
    const { status, stderr, count } = judge('needs("2")', "needs(1)", 'needs("1") //! TS2345 ⛔ needs a number')
    assert.deepStrictEqual([status, count], [1, { passed: 2, failed: 2 }])
    assert.include(stderr, "a.refusals.ts:5")
  })

  it("are not when the twin differs in more than one place, or in none", () => {
    const { count, stderr } = judge(
      "needs(1)",
      'takes("1") //! TS2345 Argument of type',
      "",
      'needs("1") //! TS2345 ⛔ needs a number'
    )
    assert.deepStrictEqual(count, { passed: 2, failed: 2 })
    assert.include(stderr, "differs in more than one place")
  })

  it("are not when there are none", () => {
    const { status, count } = judge("needs(1)")
    assert.deepStrictEqual([status, count], [1, { passed: 0, failed: 0 }])
  })
})
