/** The package as somebody installs it: a program outside the project is judged by its declarations, and runs. */
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"

const root = join(import.meta.dirname, "..")
const folder = mkdtempSync(join(tmpdir(), "skyscope-package-"))
const modules = join(folder, "node_modules")
afterAll(() => rmSync(folder, { recursive: true }))

const node = (...typed: ReadonlyArray<string>) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, typed, { cwd: folder, encoding: "utf8" })
  return { status, stdout, stderr }
}

const program = (signalled: string) => `
import { Effect } from "effect"
import { Cap_Copy, create, print, rootTask, Signal, startConsole } from "skyscope"

export default rootTask(
  Effect.gen(function* () {
    const bell = yield* create("Notification")
    const hears = yield* Cap_Copy(bell, ["read"])
    yield* Signal(${signalled})
    yield* print(yield* startConsole, "Installed.\\n")
    return hears
  })
)
`

describe("the package", () => {
  beforeAll(() => {
    mkdirSync(modules)
    const { status, stdout } = node(join(root, "scripts", "package.ts"), join(modules, "skyscope"))
    assert.deepStrictEqual([status, stdout], [0, ""])
    // What else its manifest asks for.
    const { dependencies } = JSON.parse(readFileSync(join(modules, "skyscope", "package.json"), "utf8"))
    for (const name of Object.keys(dependencies)) symlinkSync(join(root, "node_modules", name), join(modules, name))
    const compilerOptions = { strict: true, target: "ES2024", module: "NodeNext", noEmit: true, types: [] }
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }))
    writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }))
    writeFileSync(join(folder, "good.ts"), program("bell"))
    writeFileSync(join(folder, "bad.ts"), program("hears"))
  }, 120_000)

  it("has declarations that refuse what the sources refuse, and nothing else", { timeout: 120_000 }, () => {
    const { stdout } = node(join(root, "node_modules", "typescript", "bin", "tsc"), "--pretty", "false")
    assert.deepStrictEqual(
      stdout.match(/^\w+\.ts.*/gm)?.map((line) => line.replace(/\(.*?\)/, "")),
      [
        `bad.ts: error TS2345: Argument of type 'Cap<"Notification", "read", never>' is not assignable to parameter of type '"⛔ Signal needs right 'write'; this Notification capability holds 'read'"'.`
      ]
    )
  })

  it("runs programs", { timeout: 60_000 }, () => {
    const ran = node(join(modules, "skyscope", "bin", "skyscope.js"), "run", "good.ts")
    assert.deepStrictEqual(ran, { status: 0, stdout: "Installed.\n", stderr: "" })
  })
})
