/** docs/types.md: who catches what, row by row. Each row is tested by whom it names. */
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Cause, Exit } from "effect"
import { assert, describe, it } from "vitest"
import { TaskDefect } from "../../src/user/Task.ts"
import { runProgram } from "../examples/system.ts"
import { misuses, type Program } from "./misuses.ts"

const root = join(import.meta.dirname, "../..")
const read = (file: string): string => readFileSync(join(root, file), "utf8")

interface Row {
  readonly misuse: string
  /** C, L, R, K, or nobody. */
  readonly who: ReadonlyArray<string>
  readonly shows: string
}

const rows: ReadonlyArray<Row> = read("docs/types.md")
  .split("\n")
  .flatMap((line) => {
    const [, misuse, who, shows] = /^\| (.+?) \| (.+?) \|(.*)\|$/.exec(line) ?? []
    if (misuse === undefined || who === undefined || shows === undefined) return []
    if (/^(?:misuse|mark|---|\*\*[CLRK]\*\*$)/.test(misuse)) return []
    return [{ misuse, who: who.match(/\bnobody\b|[CLRK](?=\W|$)/g) ?? [], shows }]
  })

const golden = globSync("type-tests/**/*.refusals.ts", { cwd: root })
  .flatMap((file) => Array.from(read(file).matchAll(/\/\/! (?:TS\d+\|?)+ (.+)$/gm), ([, said]) => said!))
  .join("\n")
const lint = `${read("tests/lint.test.ts")}\n${read("tests/architecture.test.ts")}`

/** What the compiler says of rows that quote no sentence. */
const compiled: Readonly<Record<string, RegExp>> = {
  "a helper that demands less than it uses": /Signal needs right 'write'; this Notification capability holds 'read'/,
  "a way to cache that there is not": /'"uncached"' is not assignable to/,
  "a copy of what was lent, an object made of lent memory, a pool made by a lent control":
    /what was lent ends with its loan/,
  "an operation that a protocol has not, a wrong request, reply or error": /'files' has no operation 'state'/,
  "giving capabilities without the right to grant": /needs right 'write\+grant'; this Endpoint capability holds/,
  "an endpoint of another protocol": /needs an endpoint of 'log', got one of 'net'/,
  "a handler with a path that does not answer, or that answers another call":
    /'void' is not assignable to type 'Replied</,
  "a capability of another kind, with too few rights, missing, or one too many": /takes no capability 'other'/
}

/** The quoted sentences of a row, with what they leave out. */
const quoted = (shows: string): ReadonlyArray<RegExp> =>
  Array.from(shows.matchAll(/``(.+?)``(?!`)|`((?:⛔ |operation )[^`]+)`/g), ([, long, short]) =>
    (long ?? short)!.replace(/^⛔ /, "").trim()
  ).map(
    (sentence) =>
      new RegExp(
        sentence
          .split("…")
          .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"))
          .join(".*")
      )
  )

/** What went wrong: the tags of errors, the messages of defects. */
const wrong = (cause: Cause.Cause<unknown>): string =>
  cause.reasons
    .map((reason) => {
      if (!Cause.isFailReason(reason)) return Cause.pretty(cause)
      const { error } = reason
      return typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : String(error)
    })
    .join(", ")

/** How a program ends on the kernel, in words. */
const endOf = (program: Program): string => {
  try {
    const { ends, notes } = runProgram(program, { memoryBytes: 2 ** 25, limit: 10 ** 8 })
    const said = [...ends].flatMap(([task, exit]) =>
      Exit.isSuccess(exit) ? (task === "root" ? [`${exit.value}`] : []) : [`task '${task}' ${wrong(exit.cause)}`]
    )
    return [...said, ...notes].join("\n")
  } catch (cause) {
    if (cause instanceof TaskDefect) return cause.message
    throw cause
  }
}

describe("docs/types.md", () => {
  it("has rows, and each names somebody", () => {
    assert.isAtLeast(rows.length, 50)
    for (const { misuse, who } of rows) assert.isNotEmpty(who, misuse)
  })

  const byCompiler = rows.filter(({ who }) => who.includes("C"))
  it.each(byCompiler)("the compiler sees: $misuse", ({ misuse, shows }) => {
    const said = [...quoted(shows), ...(compiled[misuse] === undefined ? [] : [compiled[misuse]])]
    assert.isNotEmpty(said, "a sentence is quoted, or known here")
    for (const sentence of said) assert.match(golden, sentence)
  })

  const byLinter = rows.filter(({ who }) => who.includes("L"))
  it.each(byLinter)("the linter sees: $misuse", ({ shows }) => {
    const rules = Array.from(shows.matchAll(/\*([A-Z][^*]+)\*|`(no\w+)`/g), ([, sentence, rule]) => (sentence ?? rule)!)
    assert.isNotEmpty(rules)
    for (const rule of rules) assert.include(lint, rule)
  })

  const atRunTime = rows.filter(({ who }) => who.includes("R") || who.includes("K"))
  it.each(atRunTime)("the program or the kernel sees: $misuse", { timeout: 60_000 }, ({ misuse }) => {
    const [program, ends] = misuses[misuse] ?? []
    assert.isDefined(program, "it is done in misuses.ts")
    const end = endOf(program!)
    if (typeof ends === "string") assert.strictEqual(end, ends)
    else assert.match(end, ends!)
  })

  it("has a row for each misuse that is tested", () => {
    assert.deepStrictEqual(
      Object.keys(misuses).filter((misuse) => !atRunTime.some((row) => row.misuse === misuse)),
      []
    )
  })
})
