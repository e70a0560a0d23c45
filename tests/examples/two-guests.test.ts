import { assert, describe, it } from "vitest"
import twoGuests, { system } from "../../examples/two-guests.ts"
import { distribution } from "../../src/user/Distribution.ts"
import { runRootTask } from "./system.ts"

const file = "examples/two-guests.ts"

describe("two-guests", { timeout: 60_000 }, () => {
  it("runs both to their end", () => {
    const { output, stop } = runRootTask(twoGuests, file, { memoryBytes: 64 * 2 ** 20 })
    for (const name of ["alice", "bob"]) {
      assert.include(output, `${name} | Hello from a guest of Skyscope`)
      assert.include(output, `${name} | It powers off.`)
    }
    assert.strictEqual(stop._tag, "Idle")
  })

  it("gives no monitor a device, a port, an interrupt, or what the other guest has", () => {
    const entries = distribution(system)
    for (const [name, other] of [
      ["alice", "bob"],
      ["bob", "alice"]
    ] as const) {
      const own = entries.filter(({ task }) => task === name)
      assert.isEmpty(own.filter(({ kind }) => kind === "IOPort" || kind === "IRQHandler"))
      assert.isEmpty(own.filter(({ object }) => object.startsWith(other)))
      // Of what both have, each only rings or asks.
      for (const { object, rights } of own.filter(({ object }) => !object.startsWith(name)))
        assert.notInclude(rights, "read", object)
    }
  })
})
