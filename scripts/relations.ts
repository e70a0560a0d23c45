/** How types relate: the assertions of type-tests/**.test-d.ts, checked by tsd with the TypeScript that it brings. */
import { globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import tsd from "tsd"

const root = join(import.meta.dirname, "..")
const cwd = join(root, "type-tests")
const testFiles = globSync("**/*.test-d.ts", { cwd }).sort()

const assertions = testFiles.flatMap(
  (file) => readFileSync(join(cwd, file), "utf8").match(/^\s*expect\w+(?=[<(])/gm) ?? []
)

// tsd wants a file that it could be about, and reads none but the tests.
const diagnostics = await tsd.default({ cwd, typingsFile: "../src/types/Capability.ts", testFiles })
if (diagnostics.length > 0) console.error(tsd.formatter(diagnostics))

const failed = diagnostics.length
const passed = Math.max(0, assertions.length - failed)
mkdirSync(join(root, "reports"), { recursive: true })
writeFileSync(join(root, "reports/relations.json"), JSON.stringify({ passed, failed }))
console.log(`${assertions.length} relations: ${passed} as written, ${failed} not`)
process.exitCode = failed === 0 && passed > 0 ? 0 : 1
