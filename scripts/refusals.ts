/**
 * What must not compile, and what the compiler says of it: in TypeScript itself, and in the older one that tsd brings.
 *
 *     node scripts/refusals.ts [FOLDER] [REPORT]
 *
 *     signal(holdsWrite)
 *     signal(holdsRead) //! TS2345 ⛔ Signal needs right 'write'; this Notification capability holds read
 *
 * In the folder's **.refusals.ts, a line that ends like the second is refused with that code and that sentence, once; nothing
 * else is refused. Where compilers differ in the code, both stand there (TS2345|TS2741). The nearest line above that is not refused is its twin: both differ in one place only, so that it
 * is this difference that is refused.
 */
import { spawn } from "node:child_process"
import { globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"

const root = join(import.meta.dirname, "..")
const [folder = "type-tests", report = "reports/refusals.json"] = process.argv.slice(2)
const tests = resolve(root, folder)

const compilers = {
  "TypeScript 7": "node_modules/typescript/bin/tsc",
  "TypeScript of tsd": "node_modules/@tsd/typescript/typescript/bin/tsc"
}

/** Where a line is: file:number. */
type Place = string

interface Refusal {
  readonly at: Place
  readonly text: string
  readonly twin: string | undefined
  readonly codes: ReadonlyArray<string>
  readonly sentence: string
}

const refusalsOf = (file: string): ReadonlyArray<Refusal> => {
  let twin: string | undefined
  return readFileSync(file, "utf8")
    .split("\n")
    .flatMap((line, index) => {
      const [, text, codes, sentence] = /^(.*?)\s*\/\/! (TS\d+(?:\|TS\d+)*) (.+)$/.exec(line) ?? []
      if (text === undefined || codes === undefined || sentence === undefined) {
        if (line.trim() !== "" && !line.trim().startsWith("//")) twin = line
        return []
      }
      return [{ at: `${relative(tests, file)}:${index + 1}`, text, twin, codes: codes.split("|"), sentence }]
    })
}

interface Diagnostic {
  readonly code: string
  readonly message: string
}

/** All that a compiler says, by line. */
const compile = (tsc: string): Promise<Map<Place, ReadonlyArray<Diagnostic>>> =>
  new Promise((resolve) => {
    const compiler = spawn(
      process.execPath,
      [join(root, tsc), "-p", tests, "--pretty", "false", "--noErrorTruncation"],
      {
        cwd: tests
      }
    )
    let said = ""
    compiler.stdout.setEncoding("utf8").on("data", (text: string) => {
      said += text
    })
    compiler.on("close", () => resolve(diagnosticsIn(said)))
  })

const diagnosticsIn = (said: string): Map<Place, ReadonlyArray<Diagnostic>> => {
  const found = said.split(/\n(?=\S)/).flatMap((text) => {
    const [, file, line, code, message] = /^(.+?)\((\d+),\d+\): error (TS\d+): ([\s\S]*)$/.exec(text) ?? []
    if (file !== undefined && code !== undefined && message !== undefined)
      return [{ at: `${file}:${line}`, code, message }]
    return text.trim() === "" ? [] : [{ at: "the compiler", code: "", message: text }]
  })
  return Map.groupBy(found, ({ at }) => at)
}

/** The words of a line: it does not matter whether it is the last of a list. */
const words = (line: string): ReadonlyArray<string> => line.replace(/,$/, "").match(/[\w$]+|"[^"]*"|\S/g) ?? []

/** Whether one line is the other with some words put in, or with one word in the place of some. */
const differInOnePlace = (a: string, b: string): boolean => {
  const [x, y] = [words(a), words(b)]
  const shorter = Math.min(x.length, y.length)
  let before = 0
  while (before < shorter && x[before] === y[before]) before++
  let after = 0
  while (after < shorter - before && x[x.length - 1 - after] === y[y.length - 1 - after]) after++
  const [fewer, more] = [shorter - before - after, Math.max(x.length, y.length) - before - after]
  return more > 0 && fewer <= 1
}

/** A sentence is all of a string type that the compiler prints; anything else is part of what it says. */
const says = ({ message }: Diagnostic, sentence: string): boolean =>
  message.includes(sentence.startsWith("⛔") ? `'"${sentence}"'` : sentence)

const complaint = (refusal: Refusal, said: ReadonlyArray<Diagnostic>): string | undefined => {
  const [only] = said
  if (refusal.twin === undefined || !differInOnePlace(refusal.text, refusal.twin)) {
    return `${refusal.at}: the line that is accepted above it differs in more than one place, or in none`
  }
  if (only !== undefined && said.length === 1 && refusal.codes.includes(only.code) && says(only, refusal.sentence))
    return undefined
  const heard = said.map(({ code, message }) => `    ${code} ${message}`).join("\n") || "    nothing"
  return `${refusal.at}: expected\n    ${refusal.codes.join("|")} ${refusal.sentence}\n  but the compiler says\n${heard}`
}

const refusals = globSync("**/*.refusals.ts", { cwd: tests })
  .sort()
  .flatMap((file) => refusalsOf(join(tests, file)))

const judged = await Promise.all(
  Object.entries(compilers).map(async ([compiler, tsc]) => {
    const said = await compile(tsc)
    const complaints = refusals.flatMap((refusal) => complaint(refusal, said.get(refusal.at) ?? []) ?? [])
    const expected = new Set(refusals.map(({ at }) => at))
    const unexpected = [...said]
      .filter(([at]) => !expected.has(at))
      .map(([at, diagnostics]) => `${at}: ${diagnostics.map(({ code, message }) => `${code} ${message}`).join("\n")}`)
    for (const text of [...complaints, ...unexpected]) console.error(`${compiler}: ${text}`)
    return { passed: refusals.length - complaints.length, failed: complaints.length + unexpected.length }
  })
)

const passed = judged.reduce((sum, each) => sum + each.passed, 0)
const failed = judged.reduce((sum, each) => sum + each.failed, 0)
const written = resolve(root, report)
mkdirSync(dirname(written), { recursive: true })
writeFileSync(written, JSON.stringify({ passed, failed }))
console.log(`${refusals.length} refusals in ${judged.length} compilers: ${passed} as written, ${failed} not`)
process.exitCode = failed === 0 && passed > 0 ? 0 : 1
