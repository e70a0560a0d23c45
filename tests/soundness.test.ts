/** A small part of the soundness campaign: root tasks and plans by chance, judged by the compiler, and done on the kernel. */
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { assert, describe, it } from "vitest"

const script = join(import.meta.dirname, "../scripts/soundness.ts")
const campaign = (...typed: ReadonlyArray<string>) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...typed], { encoding: "utf8" })
  return { status, stdout, stderr }
}

describe("what compiles", () => {
  it.each(["tasks", "plans"])("is not refused what the types promise: %s", { timeout: 300_000 }, (what) => {
    const { status, stdout, stderr } = campaign(what, "60", "5")
    const [, compile, broken] = /^(\d+) of 60 .* compile: (\d+) /m.exec(stdout) ?? []
    assert.isAtLeast(Number(compile), 25, stdout)
    assert.strictEqual(broken, "0", stderr)
    assert.strictEqual(status, 0)
  })

  it("is judged in the campaigns that there are", () => {
    const { status, stderr } = campaign("poems")
    assert.deepStrictEqual([status, stderr], [2, "there is no campaign 'poems': there are tasks, plans\n"])
  })
})
