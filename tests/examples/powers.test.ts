/** What becomes of a component that does what it may not, and of powers that the first task deletes (examples/powers.ts). */
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import powers from "../../examples/powers.ts"
import { runRootTask } from "./system.ts"

const file = join(import.meta.dirname, "..", "..", "examples", "powers.ts")

describe("a system whose first task gives up its powers", () => {
  const { output, notes, stop } = runRootTask(powers, file)
  const lines = output.split("\n")

  it("a component that faults is stopped, and its memory is used again while the others go on", () => {
    assert.deepStrictEqual(lines.slice(0, 2), [
      "The clumsy component is stopped; the steady one goes on.",
      "Its memory was taken back, and all 32768 bytes are used again."
    ])
    assert.lengthOf(notes, 1)
    assert.match(notes[0] ?? "", /^clumsy has no fault handler, and is stopped at .*: it used address 70000000H/)
  })

  it("after boot the root task has no power left that it deleted, and nobody can get it back", () => {
    assert.deepStrictEqual(lines.slice(2), [
      "Of the powers that boot gave, it had all, and has 0.",
      "It wants memory again, and is told: InvalidCapability.",
      ""
    ])
    assert.deepStrictEqual(stop, { _tag: "Idle" })
  })
})
