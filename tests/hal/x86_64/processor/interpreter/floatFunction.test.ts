import { assert, describe, it } from "vitest"
import { floatFunction, floatFunctionType } from "../../../../../src/hal/x86_64/processor/interpreter/floatFunction.ts"
import { nativeFloat, nativeInputs } from "../../../../../src/hal/x86_64/processor/nativeFloat.ts"
import { at } from "../../../../../src/hal/x86_64/processor/State.ts"
import {
  callVectorFunction,
  inputAt,
  resultAt,
  setVectorAt,
  type VectorFunction,
  vectorAt,
  vectorFunctionNames
} from "../../../../../src/hal/x86_64/processor/vectorFunctions.ts"
import { Code } from "../../../../../src/hal/x86_64/wasm/Code.ts"
import { Module } from "../../../../../src/hal/x86_64/wasm/Module.ts"
import { interestingMxcsr, interestingVector } from "../../native/floats.ts"
import { Random } from "../../native/Random.ts"

const names = vectorFunctionNames.filter((name) => nativeFloat(name) !== undefined)
const OSXMMEXCPT = 1 << 10
/** Where the inputs are. */
const inputs = 0x8000

/** What a function makes of its inputs, natively where it may; and whether the definition was asked. */
class Twins {
  private readonly view: DataView
  private readonly functions: Record<string, () => number>
  private asked = 0

  constructor(parts: 1 | 2) {
    const memory = new WebAssembly.Memory({ initial: 1 })
    this.view = new DataView(memory.buffer)
    const module = new Module()
    module.importMemory("machine", "memory")
    module.importFunction("vectors", "call", { parameters: ["i32", "i32"], results: ["i32"] })
    for (const name of names) {
      const { code, locals } = floatFunction(name, parts, 0)
      const index = module.addFunction(floatFunctionType(name, parts), locals, code)
      const call = new Code()
      for (let n = 0; n < nativeInputs(name) * parts; n++) call.i32(0).loadVector(inputs + 16 * n)
      module.exportFunction(name, module.addFunction({ parameters: [], results: ["i32"] }, [], call.call(index)))
    }
    const call = (number: number, count: number) => {
      this.asked++
      return Number(callVectorFunction(this.view, number, count))
    }
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.bytes()), {
      machine: { memory },
      vectors: { call }
    })
    this.functions = exports as Record<string, () => number>
  }

  native(name: VectorFunction, mxcsr: number, values: ReadonlyArray<bigint>) {
    this.asked = 0
    this.begin(mxcsr)
    values.forEach((value, n) => {
      setVectorAt(this.view, inputs + 16 * n, value)
    })
    const done = this.functions[name]!() !== 0
    return { ...this.end(done, values.length / nativeInputs(name)), asked: this.asked }
  }
  defined(name: VectorFunction, mxcsr: number, values: ReadonlyArray<bigint>) {
    this.begin(mxcsr)
    const count = nativeInputs(name)
    values.forEach((value, n) => {
      setVectorAt(this.view, inputAt(Math.floor(n / count), n % count), value)
    })
    const done = callVectorFunction(this.view, vectorFunctionNames.indexOf(name), values.length / count)
    return this.end(done, values.length / count)
  }

  private begin(mxcsr: number) {
    this.view.setBigUint64(at.mxcsr, BigInt(mxcsr), true)
    this.view.setInt32(at.cr4, OSXMMEXCPT, true)
  }
  private end(done: boolean, parts: number) {
    const results = Array.from({ length: done ? parts : 0 }, (_, part) => vectorAt(this.view, resultAt(part)))
    return { done, results, mxcsr: this.view.getInt32(at.mxcsr, true) }
  }
}

/** Numbers that programs compute with, as doubles or as singles. */
const usualVector = (random: Random, isSingle: boolean): bigint => {
  const view = new DataView(new ArrayBuffer(16))
  const number = () => (random.oneIn(3) ? random.below(100) - 50 : (random.bits() - 2 ** 31) / 7)
  for (let n = 0; n < 16; n += isSingle ? 4 : 8)
    if (isSingle) view.setFloat32(n, number(), true)
    else view.setFloat64(n, number(), true)
  return vectorAt(view, 0)
}

// biome-ignore format: a list
const usual = [
  "f64.add", "f64x2.mul", "f32x4.div", "f32.sub", "f64.ucomi", "f32x4.max", "f64.fmadd", "f64x2.fnmsub", "f32x4.fmaddsub"
] as const

const [masked, inexact] = [0x1f80, 0x1fa0]

describe.each([1, 2] as const)("a function of vectors of %i parts", (parts) => {
  const twins = new Twins(parts)

  it("gives in native arithmetic what the definition gives, flags and exceptions too", () => {
    const random = new Random(parts)
    for (const name of names)
      for (let n = 0; n < 150; n++) {
        const mxcsr = random.oneIn(2) ? interestingMxcsr(random) : random.of([masked, inexact])
        const value = () => (random.oneIn(3) ? usualVector(random, name.startsWith("f32")) : interestingVector(random))
        const values = Array.from({ length: nativeInputs(name) * parts }, value)
        if (random.oneIn(8)) values[1] = values[0]!
        const { asked: _, ...found } = twins.native(name, mxcsr, values)
        assert.deepEqual(
          found,
          twins.defined(name, mxcsr, values),
          `${name} ${values.map((each) => each.toString(16))}`
        )
      }
  })

  it("does not ask the definition about usual numbers, once a result was inexact", () => {
    const random = new Random(parts)
    for (const name of usual) {
      const isSingle = name.startsWith("f32")
      let asked = 0
      for (let n = 0; n < 100; n++)
        asked += twins.native(
          name,
          inexact,
          Array.from({ length: nativeInputs(name) * parts }, () => usualVector(random, isSingle))
        ).asked
      // A quotient by 0, in one of 50 lanes.
      assert.isBelow(asked, name.endsWith("div") ? 30 : 1, name)
    }
  })

  it("asks about whole numbers neither, as long as they are exact", () => {
    const view = new DataView(new ArrayBuffer(16))
    const whole = (value: number) => {
      for (const n of [0, 8]) view.setFloat64(n, value, true)
      return vectorAt(view, 0)
    }
    for (const name of ["f64.add", "f64x2.mul", "f64.div", "f64x2.sqrt"] as const) {
      const found = twins.native(
        name,
        masked,
        Array.from({ length: 2 * parts }, () => whole(144))
      )
      assert.deepEqual([found.asked, found.mxcsr], [0, masked], name)
    }
  })
})
