import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Schema } from "effect"
import { assert, describe, it } from "vitest"
import * as Capability from "../../src/types/Capability.ts"
import { capOf, protocol } from "../../src/types/Protocol.ts"

class Files extends protocol("files", {
  share: { request: Schema.String, reply: Schema.Void, sends: { buffer: capOf("Frame", ["read"]) } }
}) {}

describe("a capability", () => {
  it("is where the kernel put it", () => {
    const frame = Capability.capUnsafe<"Frame", "read">("Frame", 17n)
    assert.strictEqual(Capability.cptrOf(frame), 17n)
    assert.strictEqual(Capability.kindOf(frame), "Frame")
  })

  it("is spent once it was consumed, by whatever name it is known", () => {
    const frame = Capability.capUnsafe<"Frame", "read">("Frame", 17n)
    const alias = frame
    assert.isFalse(Capability.isSpent(alias))
    Capability.consume(frame)
    assert.isTrue(Capability.isSpent(alias))
  })

  it("is none of the things that only look like one", () => {
    const frame = Capability.capUnsafe<"Frame", "read">("Frame", 17n)
    assert.isTrue(Capability.isCap(frame))
    for (const none of [undefined, null, 17n, {}, { ...frame }, Object.create(frame)]) {
      assert.isFalse(Capability.isCap(none))
    }
  })

  it("of an endpoint knows what is spoken there, and so does what is derived from it", () => {
    const files = Capability.endpointUnsafe<Files, "write">(18n, Files)
    const derived = Capability.derivedUnsafe<typeof files, "write">(files, 19n)
    assert.strictEqual(files.protocol.name, "files")
    assert.deepStrictEqual(files.protocol.operations.share.sends, { buffer: { kind: "Frame", rights: ["read"] } })
    assert.strictEqual(derived.protocol, files.protocol)
    assert.strictEqual(Capability.cptrOf(derived), 19n)
  })

  it("is made by nobody but the calls of src/user", () => {
    const root = join(import.meta.dirname, "../..")
    const makers = globSync("{src,examples,bench}/**/*.ts", { cwd: root }).filter((file) =>
      /import[^}]*\b\w+Unsafe\b[^}]*\}\s*from "[^"]*\/Capability\.ts"/.test(readFileSync(join(root, file), "utf8"))
    )
    assert.isNotEmpty(makers)
    for (const file of makers) assert.match(file, /^src\/user\//)
  })
})
