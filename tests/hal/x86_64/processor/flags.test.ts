import { assert, describe, it } from "vitest"
import { holds, image, ruleNumber, ruleOf, rules } from "../../../../src/hal/x86_64/processor/flags.ts"
import { conditions, type FlagRule, flagPositions, type Width } from "../../../../src/hal/x86_64/processor/Meaning.ts"
import { words } from "../../../../src/hal/x86_64/processor/words.ts"
import { Random } from "../native/Random.ts"

const widths: ReadonlyArray<Width> = [8, 16, 32, 64]

/** Inputs of which the two first are of the rule's width, and the last may be a carry, a count or the old flags. */
const inputsOf = (random: Random, width: Width): ReadonlyArray<bigint> => {
  const a = BigInt.asUintN(width, random.interesting())
  const b = random.oneIn(4) ? a : BigInt.asUintN(width, random.interesting())
  return [a, b, BigInt(random.below(2))]
}

describe.each(rules)("$name", (rule: FlagRule) => {
  it.each(widths)("of %i bits has shortcuts that say what its flags say", (width) => {
    const random = new Random(width)
    const slow: FlagRule = { name: rule.name, inputs: rule.inputs, flag: rule.flag }
    for (let i = 0; i < 300; i++) {
      const inputs = inputsOf(random, width)
      for (const condition of conditions)
        assert.equal(holds(words, condition, rule, width, inputs), holds(words, condition, slow, width, inputs))
    }
  })

  it("is found by its number", () => {
    for (const width of widths) assert.deepEqual(ruleOf(ruleNumber(rule, width)), { rule, width })
  })
})

describe("the image of the flags", () => {
  it("has each of them at its place in RFLAGS, and nothing else", () => {
    const [explicit] = rules
    const all = Object.values(flagPositions).reduce((mask, place) => mask | (1n << BigInt(place)), 0n)
    assert.equal(image(words, explicit!, 64, [-1n & ((1n << 64n) - 1n)]), all)
  })
})
