import { assert, describe, it } from "vitest"
import { Bytes, Code } from "../../../../src/hal/x86_64/wasm/Code.ts"
import { Module } from "../../../../src/hal/x86_64/wasm/Module.ts"

const written = (write: (bytes: Bytes) => void): ReadonlyArray<number> => {
  const bytes = new Bytes(1)
  write(bytes)
  return Array.from(bytes.written)
}

const instance = (
  module: Module,
  imports: WebAssembly.Imports = {}
): Record<string, (...inputs: Array<unknown>) => unknown> => {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.bytes()), imports)
  return exports as Record<string, (...inputs: Array<unknown>) => unknown>
}

describe("numbers", () => {
  it("are LEB128, as short as they can be", () => {
    assert.deepStrictEqual(
      written((b) => b.unsigned(127)),
      [0x7f]
    )
    assert.deepStrictEqual(
      written((b) => b.unsigned(624485)),
      [0xe5, 0x8e, 0x26]
    )
    assert.deepStrictEqual(
      written((b) => b.unsigned(2 ** 32 - 1)),
      [0xff, 0xff, 0xff, 0xff, 0x0f]
    )
    assert.deepStrictEqual(
      written((b) => b.signed(63)),
      [0x3f]
    )
    assert.deepStrictEqual(
      written((b) => b.signed(64)),
      [0xc0, 0x00]
    )
    assert.deepStrictEqual(
      written((b) => b.signed(-123456)),
      [0xc0, 0xbb, 0x78]
    )
    assert.deepStrictEqual(
      written((b) => b.signed64(-1n)),
      [0x7f]
    )
    assert.deepStrictEqual(
      written((b) => b.signed64(0x7fff_ffffn)),
      written((b) => b.signed(0x7fff_ffff))
    )
  })

  it("come back from the engine as they went in", () => {
    for (const value of [0n, 1n, -1n, 0x8000_0000n, -0x8000_0001n, 2n ** 63n - 1n, -(2n ** 63n)]) {
      const module = new Module()
      module.exportFunction(
        "value",
        module.addFunction({ parameters: [], results: ["i64"] }, [], new Code().i64(value))
      )
      assert.strictEqual(instance(module).value!(), value)
    }
  })
})

describe("a module", () => {
  it("counts its functions on from those it imports", () => {
    const module = new Module()
    const twice = module.importFunction("host", "twice", { parameters: ["i32"], results: ["i32"] })
    const type = { parameters: ["i32"], results: ["i32"] } as const
    const four = module.addFunction(
      type,
      ["i64", "i32"],
      new Code().get(0).call(twice).call(twice).tee(2).drop().get(2)
    )
    module.exportFunction("four", four)
    assert.strictEqual(instance(module, { host: { twice: (n: number) => 2 * n } }).four!(10), 40)
  })

  it("reads and writes a memory that it is given", () => {
    const module = new Module()
    module.importMemory("host", "memory")
    const code = new Code().i32(8).i32(8).load("i64.load", 8).i64(1n).numeric("i64.add").store("i64.store", 16)
    module.exportFunction("next", module.addFunction({ parameters: [], results: [] }, [], code))
    const memory = new WebAssembly.Memory({ initial: 1 })
    const words = new BigInt64Array(memory.buffer)
    words[2] = 41n
    instance(module, { host: { memory } }).next!()
    assert.strictEqual(words[3], 42n)
  })

  it("takes parts of code that were made before", () => {
    const module = new Module()
    const part = new Code().get(0).if("i32").i32(1).else().i32(2).end()
    const code = new Code(1).get(0).drop().append(part)
    module.exportFunction("choose", module.addFunction({ parameters: ["i32"], results: ["i32"] }, [], code))
    const { choose } = instance(module)
    assert.deepStrictEqual([choose!(1), choose!(0)], [1, 2])
  })
})
