import { assert, describe, it } from "vitest"
import { Emitter } from "../../../../src/hal/x86_64/processor/emit.ts"
import { Graph, type Truth, type Value } from "../../../../src/hal/x86_64/processor/Graph.ts"
import type { Values, Width } from "../../../../src/hal/x86_64/processor/Meaning.ts"
import { words } from "../../../../src/hal/x86_64/processor/words.ts"
import { Module } from "../../../../src/hal/x86_64/wasm/Module.ts"
import { Random } from "../native/Random.ts"

/** The operations that divide are promised a divisor: one that is odd. */
const divisions = ["divUnsigned", "remUnsigned"] as const
const twofold = ["add", "sub", "mul", "mulHighUnsigned", "mulHighSigned", "and", "or", "xor"] as const
const shifts = ["shl", "shr", "sar", "rotl", "rotr"] as const
const onefold = ["leadingZeros", "trailingZeros", "ones"] as const
const comparisons = ["equal", "below", "less"] as const
const connectives = ["both", "either", "differ"] as const
const widths: ReadonlyArray<Width> = [8, 16, 32, 64]
const telling = [0n, 1n, 2n, 31n, 63n, 0xffn, 0x80n, 0xffff_ffffn, 0x8000_0000n, 1n << 63n, (1n << 64n) - 1n]

/** The same expression of the same inputs by the same chance, of whatever values are. */
const expression = <V, B>(x: Exact<V, B>, inputs: ReadonlyArray<V>, random: Random): V => {
  const values = [...inputs, x.constant(random.of(telling)), x.constant(random.word())]
  const truths = [x.truth(random.oneIn(2)), x.equal(values[0]!, values[1]!)]
  const [value, truth] = [() => random.of(values), () => random.of(truths)]
  for (let left = 4 + random.below(16); left > 0; left--) {
    const one = random.below(12)
    if (one < 3) values.push(x[random.of(twofold)](value(), value()))
    else if (one === 3) values.push(x[random.of(shifts)](value(), x.and(value(), x.constant(63n))))
    else if (one === 4) values.push(x[random.of(divisions)](value(), x.or(value(), x.constant(1n))))
    else if (one === 5) values.push(x[random.of(onefold)](value()))
    else if (one === 6) values.push(x[random.of(["low", "signed"] as const)](value(), random.of(widths)))
    else if (one === 7) values.push(x.choose(truth(), value(), value()))
    else if (one === 8) values.push(x.number(truth()))
    else if (one === 9) truths.push(x[random.of(comparisons)](value(), value()))
    else if (one === 10) truths.push(random.oneIn(2) ? x.bit(value(), random.below(64)) : x.evenParity(value()))
    else truths.push(random.oneIn(2) ? x.not(truth()) : x[random.of(connectives)](truth(), truth()))
  }
  return x.xor(values.at(-1)!, x.number(truths.at(-1)!))
}
type Exact<V, B> = Omit<Values<V, B>, "apply">

const inputsOf = (random: Random): ReadonlyArray<bigint> =>
  Array.from({ length: 3 }, () => (random.oneIn(2) ? random.of(telling) : random.word()))

describe("an expression as WebAssembly", () => {
  it("is what it is as bigints, in no more bits than it says", () => {
    const seeds = Array.from({ length: 2000 }, (_, seed) => seed)
    const module = new Module()
    const results = seeds.map((seed) => {
      const graph = new Graph()
      const locals = [0, 1, 2].map((index) => graph.local(index))
      const result = expression<Value, Truth>(graph, locals, new Random(seed))
      const emitter = new Emitter(3)
      emitter.begin([result])
      emitter.value(result)
      const type = { parameters: ["i64", "i64", "i64"], results: ["i64"] } as const
      module.exportFunction(String(seed), module.addFunction(type, emitter.locals, emitter.code))
      return result
    })
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.bytes()))
    for (const seed of seeds) {
      const inputs = inputsOf(new Random(seed + 7))
      const expected = expression<bigint, boolean>(words, inputs, new Random(seed))
      const found = (exports[seed] as (...inputs: ReadonlyArray<bigint>) => bigint)(...inputs)
      assert.strictEqual(BigInt.asUintN(64, found), expected, `seed ${seed}`)
      assert.strictEqual(expected >> BigInt(results[seed]!.bits), 0n, `bits, seed ${seed}`)
    }
  })
})

describe("equal expressions", () => {
  const graph = new Graph()
  const [a, b] = [graph.local(0), graph.local(1)]

  it("are one node", () => {
    assert.strictEqual(graph.add(a, b), graph.add(a, b))
    assert.notStrictEqual(graph.sub(a, b), graph.sub(b, a))
    assert.strictEqual(graph.choose(graph.below(a, b), a, b), graph.choose(graph.below(a, b), a, b))
  })

  it("fold: steps of the stack pointer are one step", () => {
    const eight = graph.constant(8n)
    assert.strictEqual(graph.add(graph.sub(graph.sub(a, eight), eight), eight), graph.sub(a, eight))
  })

  it("leave out what narrow values do not need", () => {
    const byte = graph.low(a, 8)
    assert.strictEqual(graph.low(byte, 16), byte)
    assert.strictEqual(graph.signed(byte, 16), byte)
    assert.strictEqual(graph.not(graph.not(graph.below(a, b))), graph.below(a, b))
  })
})
