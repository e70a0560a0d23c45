/** What biome.json and lint/ refuse, each beside its twin that they accept. */

import { spawnSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { assert, describe, it } from "vitest"

interface Refusal {
  readonly rule: string
  readonly in: string
  readonly refused: string
  readonly accepted: string
}

const cast = "A cast makes no capability"
const chance = "Math.random is not part of a run"
const state = "A program keeps no state in a module"
const loan = "A detached fiber may outlive the loan"

// biome-ignore format: a table
const refusals: ReadonlyArray<Refusal> = [
  { rule: "lint/suspicious/noExplicitAny",             in: "src/kernel", refused: "export const a: any = 1",                         accepted: "export const a: unknown = 1" },
  { rule: "lint/suspicious/noExplicitAny",             in: "src/kernel", refused: "export const f = (a: string) => a as any",        accepted: "export const f = (a: string) => a as \"b\"" },
  { rule: "lint/suspicious/noEvolvingTypes",           in: "src/kernel", refused: "export let a\na = 1\na = 2",              accepted: "export let a: number\na = 1\na = 2" },
  { rule: "lint/suspicious/noEvolvingTypes",           in: "src/kernel", refused: "export const a = []",                             accepted: "export const a: Array<number> = []" },
  { rule: "lint/suspicious/noTsIgnore",                in: "src/kernel", refused: "// @ts-ignore\nexport const a = 1",               accepted: "// Ignore it.\nexport const a = 1" },
  { rule: "lint/style/useImportType",                  in: "src/kernel", refused: "import { A } from \"effect\"\n\nexport const a = (b: A) => b", accepted: "import type { A } from \"effect\"\n\nexport const a = (b: A) => b" },
  { rule: "lint/style/useExportType",                  in: "src/kernel", refused: "import type { A } from \"effect\"\n\nexport { A }", accepted: "import type { A } from \"effect\"\n\nexport type { A }" },
  { rule: "lint/correctness/noUnusedImports",          in: "src/kernel", refused: "import { A } from \"effect\"\n\nexport const a = 1", accepted: "import { A } from \"effect\"\n\nexport const a = A" },
  { rule: "lint/correctness/noUnusedVariables",        in: "src/kernel", refused: "const a = 1",                                     accepted: "export const a = 1" },
  { rule: "lint/correctness/noUnusedFunctionParameters", in: "src/kernel", refused: "export const f = (a: number) => 1",             accepted: "export const f = (_a: number) => 1" },
  { rule: "format",                                    in: "src/kernel", refused: "export const a = '1';",                           accepted: "export const a = \"1\"" },

  { rule: cast, in: "src/kernel",   refused: "export const f = (a: object) => a as Cap<\"Frame\", \"read\">", accepted: "export const f = (a: object) => a as Capacity<\"Frame\">" },
  { rule: cast, in: "src/user",     refused: "export const f = (a: object) => a as AnyCap",                   accepted: "export const f = (a: object) => a satisfies AnyCap" },
  { rule: cast, in: "src/user",     refused: "export const f = (a: object) => a as ReadonlyArray<Cap>",       accepted: "export const f = (a: object) => a as ReadonlyArray<string>" },
  { rule: cast, in: "src/user",     refused: "export const f = (a: object) => a as types.Cap",                accepted: "export const f = (a: object) => a as types.Kind" },
  { rule: cast, in: "src/user",     refused: "export const f = (a: object) => <Cap>a",                        accepted: "export const f = (a: object) => <Kind>a" },
  { rule: cast, in: "src/user",     refused: "export const f = (a: object) => <AnyCap>a",                     accepted: "export const f = (a: object): AnyCap => g<AnyCap>(a)" },
  { rule: cast, in: "examples",     refused: "export const f = (a: object) => a as Endpoint<Log, \"write\">",   accepted: "export const f = (a: object) => a as Endpoint" },
  { rule: cast, in: "src/user",     refused: "export const f = (a: object) => a as Derived<A, \"write\">",      accepted: "export const f = (a: object) => a as DerivedFrom" },
  { rule: cast, in: "src/hal",      refused: "export const f = (a: object) => a as unknown as number",        accepted: "export const f = (a: object) => a as unknown" },
  { rule: cast, in: "examples",     refused: "export const f = (a: object) => <number>(a as unknown)",        accepted: "export const f = (a: object) => g(a as unknown) as number" },
  { rule: cast, in: "tests/kernel", refused: "export const f = (a: object) => a as never",                    accepted: "export const f = (a: object): never => g(a)" },

  { rule: chance, in: "src/hal",  refused: "export const a = Math.random()",           accepted: "export const a = Math.max(1, 2)" },
  { rule: state,  in: "src/user", refused: "export let a = 1\na = 2",                  accepted: "export const a = 1" },
  { rule: state,  in: "examples", refused: "let a = 1\nexport const f = () => a++",    accepted: "export const f = () => {\n  let a = 1\n  return a++\n}" },

  { rule: loan, in: "examples", refused: "export const a = withRevocable(b, [], (lent) => Effect.forkDetach(f(lent)))", accepted: "export const a = withRevocable(b, [], (lent) => Effect.forkChild(f(lent)))" },
  { rule: loan, in: "src/user", refused: "export const a = withRevocable(b, [], () => f().pipe(Effect.forkDetach))", accepted: "export const a = f().pipe(Effect.forkDetach)" },

  { rule: "lint/style/noRestrictedGlobals", in: "src/user",   refused: "export const a = Date.now()",       accepted: "export const a = Clock.now()" },
  { rule: "lint/style/noRestrictedGlobals", in: "src/kernel", refused: "export const a = process.argv",     accepted: "export const a = machine.argv" },
  { rule: "lint/style/noRestrictedGlobals", in: "src/hal",    refused: "export const a = Buffer.alloc(1)",  accepted: "export const a = new Uint8Array(1)" },
  { rule: "lint/suspicious/noConsole",      in: "src/vmm",    refused: "console.log(1)",                    accepted: "serial.log(1)" }
]

const allowed = [
  {
    what: "src/types/Capability.ts makes capabilities",
    file: "src/types/Capability.ts",
    text: "export const f = (a: object) => a as unknown as Cap"
  },
  {
    what: "src/cli knows Node and the host's time",
    file: "src/cli/main.ts",
    text: "console.log(process.argv, Date.now(), Math.random())"
  }
]

const root = join(import.meta.dirname, "..")

/** What Biome says of each file in a project with our rules and these texts. */
const check = (texts: ReadonlyMap<string, string>): ReadonlyMap<string, ReadonlyArray<string>> => {
  const project = mkdtempSync(join(tmpdir(), "skyscope-lint-"))
  try {
    for (const path of ["biome.json", ".gitignore", "lint"]) {
      cpSync(join(root, path), join(project, path), { recursive: true })
    }
    for (const [file, text] of texts) {
      mkdirSync(dirname(join(project, file)), { recursive: true })
      writeFileSync(join(project, file), `${text}\n`)
    }
    const biome = join(root, "node_modules", ".bin", "biome")
    const options = ["check", "--reporter=json", "--max-diagnostics=none", "src", "examples", "tests"]
    const { stdout } = spawnSync(biome, options, { cwd: project, encoding: "utf8" })
    const { diagnostics }: { readonly diagnostics: ReadonlyArray<Diagnostic> } = JSON.parse(stdout)
    const byFile = Map.groupBy(diagnostics, ({ location }) => location.path)
    return new Map(Array.from(byFile, ([file, said]) => [file, said.map(ruleOf)]))
  } finally {
    rmSync(project, { recursive: true })
  }
}

interface Diagnostic {
  readonly category: string
  readonly message: string
  readonly location: { readonly path: string }
}

/** A rule of ours has no name, only its sentence. */
const ruleOf = ({ category, message }: Diagnostic): string =>
  category === "plugin" ? ([cast, chance, state, loan].find((rule) => message.startsWith(rule)) ?? message) : category

const fileOf = (refusal: Refusal, which: "refused" | "accepted"): string =>
  `${refusal.in}/${which}${refusals.indexOf(refusal)}.ts`

const said = check(
  new Map([
    ...refusals.map((refusal) => [fileOf(refusal, "refused"), refusal.refused] as const),
    ...refusals.map((refusal) => [fileOf(refusal, "accepted"), refusal.accepted] as const),
    ...allowed.map(({ file, text }) => [file, text] as const)
  ])
)

describe("the linter", () => {
  for (const refusal of refusals) {
    it(`in ${refusal.in} refuses ${refusal.refused.replaceAll("\n", " ↵ ")}`, () => {
      assert.deepStrictEqual(said.get(fileOf(refusal, "refused")), [refusal.rule])
      assert.isUndefined(said.get(fileOf(refusal, "accepted")), refusal.accepted)
    })
  }

  it.each(allowed)("knows that $what", ({ file }) => {
    assert.isUndefined(said.get(file))
  })
})
