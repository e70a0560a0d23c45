import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "vitest"
import { skyscopeHeader } from "../../scripts/cHeader.ts"

it("the header of the C programs says what the tables say", () => {
  const file = join(import.meta.dirname, "../../examples/pingpong/skyscope.h")
  assert.strictEqual(readFileSync(file, "utf8"), skyscopeHeader())
})
