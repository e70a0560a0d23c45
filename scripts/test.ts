/**
 * The whole test run: every step in turn, and at the end one line that sums what the runners report.
 *
 *     npm test                  all steps
 *     npm test -- lint vitest   only these
 */

import { spawnSync } from "node:child_process"
import { mkdirSync, readFileSync, rmSync } from "node:fs"
import { delimiter, join } from "node:path"

interface Count {
  readonly passed: number
  readonly failed: number
}

interface Step {
  readonly name: string
  readonly command: string
  /** Reads the report that the command leaves in reports/<name>.json. */
  readonly count: (report: string) => Count
}

/** A check is no test: it counts only when it fails, as one. */
const unreported = (): Count => ({ passed: 0, failed: 0 })

const byVitest = (report: string): Count => {
  const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, "utf8"))
  return { passed: numPassedTests, failed: numFailedTests }
}

/** Our own scripts count as this does. */
const ours = (report: string): Count => JSON.parse(readFileSync(report, "utf8"))

// biome-ignore format: a table
const steps: ReadonlyArray<Step> = [
  { name: "lint",      command: "biome check --error-on-warnings",                                                     count: unreported },
  { name: "check",     command: "npm run --silent check",                                                              count: unreported },
  { name: "relations", command: "node scripts/relations.ts",                                                           count: ours       },
  { name: "refusals",  command: "node scripts/refusals.ts",                                                            count: ours       },
  { name: "packaged",  command: "node scripts/packaged.ts",                                                            count: ours       },
  { name: "vitest",    command: "vitest run --reporter=default --reporter=json --outputFile.json=reports/vitest.json", count: byVitest   }
]

const root = join(import.meta.dirname, "..")
const reports = join(root, "reports")

const run = ({ name, command, count }: Step): Count => {
  const report = join(reports, `${name}.json`)
  rmSync(report, { force: true })
  console.log(`\n▶ ${name}: ${command}`)
  const started = performance.now()
  const { status, signal } = spawnSync(command, {
    cwd: root,
    env: { ...process.env, PATH: [join(root, "node_modules", ".bin"), process.env.PATH].join(delimiter) },
    shell: true,
    stdio: ["ignore", "inherit", "inherit"]
  })
  const { passed, failed } = reported(() => count(report))
  const ended = status === 0 && failed === 0
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(`${ended ? "✔" : "✘"} ${name}: ${seconds} s${status === 0 ? "" : `, ended with ${signal ?? status}`}`)
  return { passed, failed: ended ? 0 : Math.max(1, failed) }
}

/** A runner that dies before it reports has failed, whatever it did before. */
const reported = (count: () => Count): Count => {
  try {
    return count()
  } catch (cause) {
    console.error(`no report: ${cause}`)
    return { passed: 0, failed: 1 }
  }
}

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !steps.some((step) => step.name === name))
if (unknown.length > 0) {
  console.error(`no such step: ${unknown.join(", ")}; there are ${steps.map((step) => step.name).join(", ")}`)
  process.exit(2)
}

mkdirSync(reports, { recursive: true })
const counts = steps.filter((step) => asked.length === 0 || asked.includes(step.name)).map(run)
const passed = counts.reduce((sum, count) => sum + count.passed, 0)
const failed = counts.reduce((sum, count) => sum + count.failed, 0)
console.log(`\n${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 && passed > 0 ? 0 : 1
