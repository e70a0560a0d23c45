import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { build, module } from "../../../scripts/guest.ts"
import { greeting } from "../../../src/vmm/guest/greeting.ts"

describe("the guest that is built in", () => {
  it("is what its source says", () => {
    assert.deepStrictEqual(greeting, build())
    const file = join(import.meta.dirname, "..", "..", "..", "src", "vmm", "guest", "greeting.ts")
    assert.strictEqual(readFileSync(file, "utf8"), module(greeting))
  })
})
