/** Every sentence that types can say is said by a compiler in a test, and there are many. */
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"

const root = join(import.meta.dirname, "../..")
const textsOf = (pattern: string): ReadonlyArray<readonly [file: string, text: string]> =>
  globSync(pattern, { cwd: root })
    .sort()
    .map((file) => [file, readFileSync(join(root, file), "utf8")] as const)

/** A sentence with its gaps, as it stands in the sources. */
interface Template {
  readonly file: string
  readonly text: string
}

const quoted = /`((?:[^`\\]|\\.)*)`|"((?:[^"\\]|\\.)*)"/g

const templates: ReadonlyArray<Template> = textsOf("src/{types,user}/**/*.ts").flatMap(([file, text]) => {
  const code = text.replace(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*/g, "")
  // Where a sentence is the type of a property, the mark is the property's name.
  const properties = Array.from(code.matchAll(/"⛔": `((?:[^`\\]|\\.)*)`/g), ([, said]) => said!)
  const sentences = Array.from(code.matchAll(quoted), ([, long, short]) => long ?? short!).filter((said) =>
    said.startsWith("⛔ ")
  )
  return [...properties, ...sentences].map((text) => ({ file, text: text.replaceAll("\\`", "`") }))
})

/** What stands between the gaps; a gap is between braces that may nest. */
const pieces = (text: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  let [piece, depth] = ["", 0]
  for (let at = 0; at < text.length; at++) {
    if (depth > 0) depth += text[at] === "{" ? 1 : text[at] === "}" ? -1 : 0
    else if (text.startsWith("${", at)) {
      found.push(piece)
      piece = ""
      depth = 1
      at++
    } else piece += text[at]
  }
  return [...found, piece]
}

/** Sentences that differ only in what fills their gaps are the same sentence, and so is one that is a property's name. */
const plain = (text: string): string => text.replace(/^⛔ /, "")
const patternOf = (text: string): string =>
  `${pieces(plain(text))
    .map((piece) => piece.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"))
    .join(".+")}$`

/** What the compilers say in tests. */
const said = textsOf("type-tests/**/*.refusals.ts").flatMap(([, text]) =>
  Array.from(text.matchAll(/\/\/! (?:TS\d+\|?)+ (.+)$/gm), ([, sentence]) => sentence!)
)

const patterns = [...new Set(templates.map(({ text }) => patternOf(text)))]

/** The pattern of a sentence: of those that fit, the one that says most itself. */
const patternSaid = (sentence: string): string | undefined =>
  patterns
    .filter((pattern) => new RegExp(`^(?:⛔ )?${pattern}`).test(sentence))
    .reduce<string | undefined>((best, one) => (best === undefined || one.length > best.length ? one : best), undefined)

/** What each call demands: `Need<C, "Signal", "Notification", "write">`. */
const demands = textsOf("src/user/*.ts").flatMap(([file, text]) =>
  Array.from(text.matchAll(/\bNeed<\w+, "(\w+)", "(\w+)"/g), ([, call, kind]) => ({ file, call: call!, kind: kind! }))
)

describe("the sentences of the types", () => {
  const seen = new Set(said.flatMap((sentence) => patternSaid(sentence) ?? []))

  it.each(templates.map(({ file, text }) => [text, file] as const))("says in a test: %s (%s)", (text) => {
    assert.isTrue(seen.has(patternOf(text)))
  })

  it.each(demands)("says in a test that $call needs a capability of kind $kind ($file)", ({ call, kind }) => {
    assert.isTrue(said.some((sentence) => sentence.startsWith(`⛔ ${call} needs `) && sentence.includes(kind)))
  })

  it("are at least 120 that differ", () => {
    assert.isAtLeast(new Set(said.filter((sentence) => sentence.startsWith("⛔"))).size, 120)
  })
})
