import fc from "fast-check"
import { assert, beforeEach, describe, it } from "vitest"
import { KernelData } from "../../src/kernel/KernelData.ts"
import * as Refill from "../../src/kernel/Refill.ts"
import { World } from "./fixture.ts"

let world: World
let context: number

beforeEach(() => {
  world = new World(4)
  context = world.object("SchedContext", 8).at
})

const micro = 1000
const budget = 1000 * micro
const period = 10_000 * micro

const at = (now: number) => KernelData.now.store(world.memory, world.state.data, now)
const refills = () => Refill.all(world.state, context).map(({ time, amount }) => [time, amount])
const create = (room: number) => Refill.create(world.state, context, room, budget, period)

describe("refills", () => {
  it("begin as the whole budget, from now on", () => {
    at(5)
    create(4)

    assert.deepStrictEqual(refills(), [[5, budget]])
  })

  it("are as many as the memory of the scheduling context has room for", () => {
    assert.strictEqual(Refill.capacityOf(7), 2)
    assert.strictEqual(Refill.capacityOf(8), 10)
  })

  it("partly used: the rest stays, and what was used comes back a period after it was begun with", () => {
    create(4)
    Refill.charge(world.state, context, 300 * micro)

    assert.deepStrictEqual(refills(), [
      [300 * micro, 700 * micro],
      [period, 300 * micro]
    ])
  })

  it("used in parts without a pause, come back as one", () => {
    create(4)
    for (let part = 0; part < 5; part++) Refill.charge(world.state, context, 100 * micro)

    assert.deepStrictEqual(refills(), [
      [500 * micro, 500 * micro],
      [period, 500 * micro]
    ])
  })

  it("used up, come back together", () => {
    create(4)
    Refill.charge(world.state, context, budget)

    assert.deepStrictEqual(refills(), [[period, budget]])
  })

  it("used beyond what there is, come back later by as much", () => {
    create(4)
    Refill.charge(world.state, context, budget + 50 * micro)

    assert.deepStrictEqual(refills(), [
      [period + 50 * micro, budget - 50 * micro],
      [2 * period, 50 * micro]
    ])
  })

  it("without room for another: the last one waits for it", () => {
    create(2)
    Refill.charge(world.state, context, 300 * micro)
    at(2000 * micro)
    Refill.unblock(world.state, context)
    Refill.charge(world.state, context, 300 * micro)

    const [, second] = refills()
    assert.deepStrictEqual(second, [2000 * micro + period - 300 * micro, 600 * micro])
  })

  it("too little to be worth a turn is added to the next", () => {
    create(4)
    Refill.charge(world.state, context, budget - 10 * micro)

    assert.deepStrictEqual(refills(), [[period - 10 * micro, budget]])
  })

  it("that could all be used now are one", () => {
    create(4)
    Refill.charge(world.state, context, 300 * micro)
    at(2 * period)
    Refill.unblock(world.state, context)

    assert.deepStrictEqual(refills(), [[2 * period, budget]])
  })

  it("that lie ahead are left alone", () => {
    create(4)
    Refill.charge(world.state, context, budget)
    at(period / 2)
    Refill.unblock(world.state, context)

    assert.deepStrictEqual(refills(), [[period, budget]])
  })

  it("of a round robin turn are what is left of it and what was used of it", () => {
    Refill.create(world.state, context, 2, budget, 0)
    Refill.useTurn(world.state, context, 300 * micro)
    assert.deepStrictEqual(refills(), [
      [0, 700 * micro],
      [0, 300 * micro]
    ])
    Refill.renewTurn(world.state, context)

    assert.deepStrictEqual(refills(), [
      [0, budget],
      [0, 0]
    ])
  })

  it("of a new budget are no more than either in a period", () => {
    create(4)
    Refill.charge(world.state, context, 300 * micro)
    at(300 * micro)
    Refill.update(world.state, context, 4, 2 * budget, period)

    assert.deepStrictEqual(refills(), [
      [300 * micro, 700 * micro],
      [300 * micro + period, 1300 * micro]
    ])
  })
})

describe("whatever a thread does with its budget", () => {
  const use = fc.record({
    runs: fc.integer({ min: 1, max: 1200 * micro }),
    waits: fc.integer({ min: 0, max: 3 * period })
  })

  it("it is kept: its parts add up to it, in their order, the first worth a turn; and no period sees more", () => {
    fc.assert(
      fc.property(fc.array(use, { maxLength: 40 }), fc.integer({ min: 2, max: 10 }), (uses, room) => {
        at(0)
        create(room)
        let now = 0
        const used: Array<{ from: number; to: number }> = []
        for (const { runs, waits } of uses) {
          now = Math.max(now + waits, Refill.headTime(world.state, context))
          at(now)
          Refill.unblock(world.state, context)
          // The timer ends a turn when the head is used up.
          const turn = Math.min(runs, Refill.headAmount(world.state, context))
          used.push({ from: now, to: now + turn })
          now += turn
          at(now)
          Refill.charge(world.state, context, turn)

          const list = Refill.all(world.state, context)
          assert.strictEqual(
            list.reduce((sum, { amount }) => sum + amount, 0),
            budget
          )
          assert.isTrue(list.every(({ time }, index) => index === 0 || list[index - 1]!.time <= time))
          assert.isAtLeast(list[0]!.amount, Refill.minBudget)
        }
        for (const { from } of used) {
          const end = from + period
          const sum = used.reduce((all, one) => all + Math.max(0, Math.min(one.to, end) - Math.max(one.from, from)), 0)
          assert.isAtMost(sum, budget)
        }
      }),
      { numRuns: 200 }
    )
  })
})
