/** docs/guide.md: what it shows is in the files that it names, prints what it says, and is refused as it says. */
import { spawnSync } from "node:child_process"
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"

const root = join(import.meta.dirname, "../..")
const read = (file: string): string => readFileSync(join(root, file), "utf8")
const guide = read("docs/guide.md")

/** The fenced blocks of the guide. */
const blocks = Array.from(guide.matchAll(/^```(\w*)\n([\s\S]*?)^```/gm), ([, language, text]) => ({
  language: language!,
  text: text!
}))

const steps = globSync("examples/guide/*.ts", { cwd: root }).sort()

describe("the guide", () => {
  it("has five steps, each a file that it links to", () => {
    assert.strictEqual(steps.length, 5)
    for (const step of steps) assert.include(guide, `[${step}](../${step})`)
  })

  const shown = blocks.filter(({ language, text }) => language === "ts" && !text.includes("~~~"))
  it.each(shown.map(({ text }) => [text.split("\n")[0]!.trim(), text] as const))(
    "shows what is in a file: %s",
    (_, text) => {
      assert.isTrue(steps.some((step) => read(step).includes(text)))
    }
  )

  const refused = blocks
    .flatMap(({ text }) => Array.from(text.matchAll(/^(.+)\n\/\/ +(~+) (.+)$/gm)))
    .map(([pair, code, marked, sentence]) => ({
      code: code!,
      at: pair.indexOf("~") - code!.length - 1,
      marked: marked!,
      sentence: sentence!
    }))
  const golden = new Set(
    Array.from(
      read("type-tests/guide/steps.refusals.ts").matchAll(/^ *(.+?),? \/\/! TS\d+ (.+)$/gm),
      ([, code, said]) => `${code} ${said!.replace(/^⛔ /, "")}`
    )
  )
  it.each(refused)("shows what is refused: $code", ({ code, sentence }) => {
    assert.isTrue(golden.has(`${code} ${sentence.replace(/^⛔ /, "")}`), sentence)
  })

  it("shows many refusals, each marked below what is wrong", () => {
    assert.isAtLeast(refused.length, 18)
    for (const { code, at, marked } of refused) {
      const wrong = code.slice(at, at + marked.length)
      assert.match(wrong, /^[\w"{[(]/, code)
      assert.strictEqual(wrong.length, marked.length, code)
    }
  })

  const runs = blocks.flatMap(({ text }) =>
    Array.from(
      text.matchAll(/^\$ npx skyscope (.+)\n((?:(?!\$ ).*\n)*)/gm),
      ([, typed, printed]) => [typed!, printed!] as const
    )
  )
  it.each(runs)("prints what it says: skyscope %s", { timeout: 60_000 }, (typed, printed) => {
    const { stdout } = spawnSync(process.execPath, [join(root, "bin/skyscope.js"), ...typed.split(" ")], {
      cwd: root,
      encoding: "utf8"
    })
    // Only a beginning is shown of what is long.
    const [beginning] = printed.split("…\n")
    assert.isTrue(stdout.replaceAll(/ +$/gm, "").startsWith(beginning!.trimEnd()), stdout)
  })
})
