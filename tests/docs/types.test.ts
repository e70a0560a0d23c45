/** docs/types.md: that each sentence in it is one that the compiler says, in a refusal that is tested. */
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"

const root = join(import.meta.dirname, "..", "..")
const said = globSync("type-tests/**/*.refusals.ts", { cwd: root }).flatMap((file) =>
  Array.from(readFileSync(join(root, file), "utf8").matchAll(/\/\/! TS\S+ (.+)$/gm), ([, sentence]) => sentence!)
)

const quoted = Array.from(
  readFileSync(join(root, "docs/types.md"), "utf8").matchAll(/``⛔ (.+?)``(?!`)|`⛔ (.+?)`(?!`)/g),
  ([, double, single]) => (double ?? single)!
)

/** Whether a sentence has these pieces, in this order; what is between them was left out. */
const has = (sentence: string, pieces: ReadonlyArray<string>): boolean => {
  let at = 0
  for (const piece of pieces) {
    const found = sentence.indexOf(piece, at)
    if (found < 0) return false
    at = found + piece.length
  }
  return true
}

describe("the sentences of docs/types.md", () => {
  it("are there", () => {
    assert.isAbove(quoted.length, 30)
  })

  it.each(quoted)("⛔ %s", (sentence) => {
    const pieces = sentence.split("…").map((piece) => piece.trim())
    assert.isTrue(said.some((whole) => has(whole, pieces)))
  })
})
