/** A kernel in C that tries all accesses and knows the manual's rules: access.c. */
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { Machine } from "../../../../src/hal/x86_64/Machine.ts"
import { makeInterpreter } from "../../../../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import { compile } from "../../../devices/boot/kernels/build.ts"

const memoryBytes = 16 * 2 ** 20

/** What is on or off, SMAP with RFLAGS.AC or without, and keys; the entries of absent, large and small pages; three kinds of access, by two. */
const modes = 8 * 3 * 3
const entries = 1 + 16 + 8 * (1 + 16)
const accesses = modes * entries * 6

describe("an access", () => {
  it("is made or refused as the manual says, with every combination of rights in every mode", () => {
    const image = compile(join(import.meta.dirname, "access.c"), "-m64", "-mno-red-zone")
    let said = ""
    const write = (byte: number) => {
      said += String.fromCharCode(byte)
    }
    const machine = new Machine({ memoryBytes, reading: makeInterpreter, console: { write } })
    assert.isUndefined(machine.loadKernel({ kernel: { name: "access", bytes: image }, commandLine: "" }))
    const stop = machine.run(100_000_000)
    assert.strictEqual(said, `accesses ${accesses.toString(16).toUpperCase()}\ndifferences 0\n`)
    assert.deepStrictEqual(stop, { _tag: "Exit", status: 1 })
  }, 60_000)
})
