/** What must not compile, through the declarations of the package as it is built: the same lines, codes and sentences. */
import { spawnSync } from "node:child_process"
import { cpSync, globSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")
const scratch = join(root, "dist", "packaged")
const tests = join(scratch, "type-tests")
const node = (...typed: ReadonlyArray<string>) => spawnSync(process.execPath, typed, { cwd: root, stdio: "inherit" })

rmSync(scratch, { recursive: true, force: true })
if (node("scripts/package.ts", join(scratch, "skyscope")).status !== 0) process.exit(1)

// The tests name modules of the sources; in the package each has its declarations under the same name.
const isTest = (path: string): boolean => !path.endsWith(".test-d.ts")
cpSync(join(root, "type-tests"), tests, { recursive: true, filter: isTest })
for (const file of globSync("**/*.refusals.ts", { cwd: tests })) {
  const text = readFileSync(join(tests, file), "utf8")
  writeFileSync(join(tests, file), text.replaceAll(/"\.\.\/\.\.\/src\/(.+)\.ts"/g, '"../../skyscope/lib/$1.js"'))
}

process.exitCode = node("scripts/refusals.ts", tests, "reports/packaged.json").status ?? 1
