import { Schema } from "effect"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import * as Codec from "../../src/user/Codec.ts"

const bits = (value: number): bigint => new BigUint64Array(Float64Array.of(value).buffer)[0]!

describe("a codec", () => {
  it.each([
    ["nothing", Schema.Void, undefined, []],
    ["null", Schema.Null, null, []],
    ["a literal", Schema.Literal("yes"), "yes", []],
    ["a truth value", Schema.Boolean, true, [1n]],
    ["a whole number", Schema.Int, -2, [2n ** 64n - 2n]],
    ["a number", Schema.Number, 0.5, [bits(0.5)]],
    ["64 bits", Schema.BigInt, 2n ** 64n - 1n, [2n ** 64n - 1n]],
    ["a string", Schema.String, "abc", [3n, 0x636261n]],
    ["a string of more than a word", Schema.String, "ä23456789", [10n, 0x3736_3534_3332_a4c3n, 0x3938n]],
    ["a structure", Schema.Struct({ a: Schema.Int, b: Schema.Boolean }), { a: 7, b: false }, [7n, 0n]],
    ["an optional part that is there", Schema.Struct({ a: Schema.optionalKey(Schema.Int) }), { a: 7 }, [1n, 7n]],
    ["an optional part that is not", Schema.Struct({ a: Schema.optionalKey(Schema.Int) }), {}, [0n]],
    ["a tuple", Schema.Tuple([Schema.Int, Schema.Boolean]), [7, true], [7n, 1n]],
    ["an array", Schema.Array(Schema.Int), [7, 8], [2n, 7n, 8n]],
    ["one of several", Schema.Union([Schema.Boolean, Schema.Int]), 7, [1n, 7n]],
    ["one of several words", Schema.Literals(["red", "green"]), "green", [1n]]
  ] as const)("says %s in its words", (_name, schema, value, words) => {
    const codec = Codec.make(schema as Schema.Codec<unknown, unknown>)
    assert.deepStrictEqual(codec.encode(value), [...words])
    assert.deepStrictEqual(codec.decode(words), { value })
  })

  it("sends what a schema encodes to", () => {
    const codec = Codec.make(Schema.FiniteFromString)
    assert.deepStrictEqual(codec.encode(42), [2n, 0x3234n])
    assert.deepStrictEqual(codec.decode([2n, 0x3234n]), { value: 42 })
  })

  it("says what has no form of its own as JSON", () => {
    const codec = Codec.make(Schema.Record(Schema.String, Schema.Int))
    const words = codec.encode({ a: 1 })
    assert.strictEqual(words[0], BigInt('{"a":1}'.length))
    assert.deepStrictEqual(codec.decode(words), { value: { a: 1 } })
  })

  const anything = Schema.Struct({
    name: Schema.String,
    size: Schema.Int,
    ratio: Schema.Number,
    badge: Schema.optionalKey(Schema.BigInt),
    tags: Schema.Array(Schema.Literals(["old", "new"])),
    owner: Schema.Union([Schema.Null, Schema.Struct({ id: Schema.Int, admin: Schema.Boolean })])
  })
  const value = fc.record(
    {
      name: fc.string({ unit: "binary" }),
      size: fc.maxSafeInteger(),
      ratio: fc.double(),
      badge: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      tags: fc.array(fc.constantFrom("old" as const, "new" as const)),
      owner: fc.option(fc.record({ id: fc.integer(), admin: fc.boolean() }, { noNullPrototype: true }))
    },
    { requiredKeys: ["name", "size", "ratio", "tags", "owner"], noNullPrototype: true }
  )

  it("reads what it wrote", () => {
    const codec = Codec.make(anything)
    fc.assert(fc.property(value, (value) => assert.deepStrictEqual(codec.decode(codec.encode(value)), { value })))
  })

  it("reads any words, as a value of the schema or as none", () => {
    const codec = Codec.make(anything)
    const word = fc.oneof(fc.bigInt({ min: 0n, max: 5n }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }))
    fc.assert(
      fc.property(fc.array(word), (words) => {
        const read = codec.decode(words)
        if (read !== undefined) assert.isTrue(Schema.is(anything)(read.value))
      })
    )
  })

  it.each([
    ["a word too few", Schema.Int, []],
    ["a word too many", Schema.Int, [1n, 2n]],
    ["a truth value of 2", Schema.Boolean, [2n]],
    ["a whole number beyond 2^53", Schema.Int, [2n ** 60n]],
    ["a string longer than the message", Schema.String, [9n, 0n]],
    ["a string of bytes that are no UTF-8", Schema.String, [1n, 0xffn]],
    ["more items than there are words", Schema.Array(Schema.Int), [2n ** 40n]],
    ["none of several", Schema.Union([Schema.Boolean, Schema.Int]), [2n, 0n]],
    ["a number that the schema does not allow", Schema.Int.check(Schema.isGreaterThan(5)), [5n]]
  ] as const)("reads nothing in %s", (_name, schema, words) => {
    assert.isUndefined(Codec.make(schema as Schema.Codec<unknown, unknown>).decode(words))
  })

  it("writes no number that is larger than a word", () => {
    assert.throws(() => Codec.make(Schema.BigInt).encode(2n ** 64n), /a word holds 64 bits/)
  })
})
