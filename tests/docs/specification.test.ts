/** docs/specification.md: each test that it names is there, and the figures about the trusted base are true. */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { kernelFiles, trustedParts } from "../../scripts/trustedBase.ts"

const root = join(import.meta.dirname, "..", "..")
const read = (file: string) => readFileSync(join(root, file), "utf8")
const document = read("docs/specification.md")

/** `file`: *sentence*, *sentence*. */
const named = [...document.matchAll(/`(tests\/[^`]+)`: ((?:\*[^*]+\*(?:, )?)+)/g)].map(([, file, sentences]) => ({
  file: file!,
  sentences: [...sentences!.matchAll(/\*([^*]+)\*/g)].map(([, sentence]) => sentence!)
}))

/** Lines of code of a file or a part, as the document says. */
const said = new Map(
  [...document.matchAll(/^\| `(src\/[^`]+)` \| (\d+) \|/gm)].map(([, name, lines]) => [name, Number(lines)])
)

/** Files change: a figure is true as long as it is about right. `node scripts/trustedBase.ts --write` sets it right. */
const isAbout = (figure: number, lines: number): boolean => Math.abs(figure - lines) <= Math.max(15, lines / 5)

describe("docs/specification.md", () => {
  it("names tests that there are", () => {
    assert.isAtLeast(named.length, 50)
    for (const { file, sentences } of named) {
      assert.isTrue(existsSync(join(root, file)), file)
      const text = read(file)
      for (const sentence of sentences) assert.isTrue(text.includes(sentence), `${file}: ${sentence}`)
    }
  })

  it("names files that there are", () => {
    for (const [, file] of document.matchAll(/`((?:src|scripts|examples|tests)\/[^`*]+?)`/g))
      assert.isTrue(existsSync(join(root, file!)), file)
  })

  it("lists every file of the kernel, with its length", () => {
    const files = kernelFiles()
    assert.deepStrictEqual(
      [...said.keys()].filter((name) => name?.startsWith("src/kernel/")),
      files.map(({ name }) => name)
    )
    for (const { name, lines } of files) assert.isTrue(isAbout(said.get(name)!, lines), `${name} has ${lines} lines`)
  })

  it("says how large what the kernel trusts of the machine is", () => {
    for (const { name, lines } of trustedParts())
      assert.isTrue(isAbout(said.get(name) ?? 0, lines), `${name} has ${lines} lines`)
  })
})
