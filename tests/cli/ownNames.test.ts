import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { withOwnNames } from "../../src/cli/ownNames.ts"

const sources = join(import.meta.dirname, "..", "..", "src")
const modules = globSync("**/*.ts", { cwd: sources }).map((path) => readFileSync(join(sources, path), "utf8"))

/** What a module has under which names, by the text that is loaded. */
const load = async (source: string): Promise<Record<string, unknown>> => ({
  ...((await import(`data:text/javascript,${encodeURIComponent(source)}`)) as Record<string, unknown>)
})

describe("a module with own names", () => {
  it("exports what it exports, under the same names", async () => {
    const source = "export const a = 1\nexport const b = () => a + 1\nexport class C {\n  d = b()\n}\n"
    const { a, b, C } = await load(withOwnNames(source))
    expect([a, (b as () => number)(), new (C as new () => { d: number })().d]).toEqual([1, 2, 2])
  })

  it("has constants for what it imports from modules of ours, and for the parts of a namespace", () => {
    expect(withOwnNames('import { a, type B, c as d } from "./e.ts"\nimport * as F from "../f.ts"\n')).toBe(
      'import { a as $a, c as $d } from "./e.ts"; const a = $a, d = $d;\nimport * as $F from "../f.ts"; const F = { ...$F };\n\n'
    )
  })

  it("leaves packages, types and later text alone", () => {
    const source = [
      'import { Effect } from "effect"',
      'import type { A } from "./a.ts"',
      'import { type B } from "./b.ts"',
      "const text = `",
      'import { c } from "./c.ts"',
      "`",
      ""
    ].join("\n")
    expect(withOwnNames(source)).toBe(`${source}\n`)
  })

  it("has every line of ours where it was, every import before everything else, and no export that it changes", () => {
    for (const source of modules) {
      const own = withOwnNames(source)
      expect(own.split("\n").length - source.split("\n").length).toBe(1)
      expect(own).not.toMatch(/^import (?!type )[^"$]*? from "\.[^"]*"/m)
      expect(own).not.toMatch(/^export (let|var|default)/m)
    }
  })
})
