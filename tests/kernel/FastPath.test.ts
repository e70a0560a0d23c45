import fc from "fast-check"
import { assert, describe, it } from "vitest"
import * as FastPath from "../../src/kernel/FastPath.ts"
import { check } from "../../src/kernel/invariants.ts"
import * as Refill from "../../src/kernel/Refill.ts"
import * as Scheduler from "../../src/kernel/Scheduler.ts"
import * as SchedContext from "../../src/types/methods/SchedContext.ts"
import * as TCB from "../../src/types/methods/TCB.ts"
import { syscalls } from "../../src/types/Syscall.ts"
import { type Actor, World } from "./fixture.ts"

/** A longer campaign: FUZZ_RUNS=100000 npx vitest run tests/kernel/FastPath.test.ts */
const runs = Number(process.env.FUZZ_RUNS ?? 60)

const people = fc.array(
  fc.record({
    priority: fc.constantFrom(90, 100, 100, 110),
    time: fc.constantFrom("turns", "turns", "turns", "period", "sporadic"),
    /** It begins by waiting for a call; then it may be without time of its own. */
    waits: fc.boolean(),
    passive: fc.boolean()
  }),
  { minLength: 4, maxLength: 4 }
)

const often = <A>(usual: A, ...others: ReadonlyArray<A>): fc.Arbitrary<A> =>
  fc.oneof({ weight: 20, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...others) })

const step = fc.record({
  /** Who makes the call, if it is not whose turn it is. */
  by: often(-1, 0, 1, 2, 3),
  name: fc.constantFrom("Call", "Call", "ReplyRecv", "ReplyRecv", "Recv", "NBSend", "Send", "NBRecv", "Yield"),
  endpoint: fc.constantFrom(0, 0, 0, 1),
  /** The right that the capability lacks, as a rights word leaves the others. */
  rights: often(15, 1, 2, 3, 7, 11, 13),
  reply: often(-1, 0, 1, 2, 3),
  words: fc.array(fc.nat(), { maxLength: 3 }),
  more: often(0, 3, 8),
  caps: often(0, 1),
  passes: often(0, 100_000, 4_900_000, 4_995_000, 20_000_000),
  label: often(0, 7, 2 ** 40)
} as const)

interface Step {
  readonly by: number
  readonly name: "Call" | "ReplyRecv" | "Recv" | "NBSend" | "Send" | "NBRecv" | "Yield"
  readonly endpoint: number
  readonly rights: number
  readonly reply: number
  readonly words: ReadonlyArray<number>
  readonly more: number
  readonly caps: number
  readonly passes: number
  readonly label: number
}
interface Person {
  readonly priority: number
  readonly time: string
  readonly waits: boolean
  readonly passive: boolean
}

/** Some threads with two endpoints, and a reply object each. */
class Town {
  readonly world: World
  readonly actors: ReadonlyArray<Actor>
  readonly #admin: Actor
  readonly #endpoints: ReadonlyArray<number>
  readonly #replies: ReadonlyArray<number>
  readonly #diminished = new Map<number, number>()
  readonly #fast: FastPath.FastPath | undefined
  /** How many calls went by the fast path. */
  quick = 0

  constructor(people: ReadonlyArray<Person>, paths: "fast and slow" | "slow") {
    const world = new World(10, "slow")
    this.world = world
    this.#fast = paths === "slow" ? undefined : FastPath.make(world.state)
    this.#admin = world.actor("admin", { priority: 10 })
    this.actors = people.map(({ priority }, index) => world.actor(`actor ${index}`, { priority }))
    for (const [index, { context }] of this.actors.entries()) {
      const { time } = people[index]!
      if (time !== "turns") Refill.create(world.state, context, 4, 1_000_000, 2_000_000)
      Refill.SchedContextFields.sporadic.store(world.memory, context, time === "sporadic" ? 1 : 0)
    }
    this.#endpoints = [0, 1].map(() => world.minted(world.object("Endpoint").slot, 7))
    this.#replies = people.map(() => world.object("Reply").slot)
    for (const endpoint of this.#endpoints)
      for (const rights of [1, 2, 3, 7, 11, 13])
        this.#diminished.set(16 * endpoint + rights, world.diminished(endpoint, rights))
    world.start()
    for (const [index, actor] of this.actors.entries()) {
      if (!people[index]!.waits) continue
      world.syscall(actor, "Recv", { capability: this.#endpoints[index % 2]!, reply: this.#replies[index]! })
      // It came there on time that it does not have any more.
      if (people[index]!.passive) world.invoke(this.#admin, actor.contextSlot, { label: SchedContext.Unbind.label })
    }
  }

  play(step: Step): void {
    const { world } = this
    world.time.pass(step.passes)
    const named = world.running
    const by = step.by < 0 ? this.actors.findIndex(({ name }) => name === named) : step.by
    const actor = this.actors[by]
    if (actor === undefined || !Scheduler.isSchedulable(world.state, actor.thread)) {
      this.#goOn(step.words.length)
      return
    }
    // A turn begins with time.
    world.kernel.handleTimer()
    if (world.running !== actor.name) return
    const endpoint = this.#endpoints[step.endpoint]!
    world.prepare(actor, {
      capability: this.#diminished.get(16 * endpoint + step.rights) ?? endpoint,
      reply: this.#replies[step.reply < 0 ? by : step.reply]!,
      label: step.label,
      words: [...step.words, ...new Array<number>(step.more).fill(step.more)],
      caps: new Array<number>(step.caps).fill(endpoint)
    })
    if (this.#fast?.(syscalls[step.name]) === true) this.quick++
    else world.kernel.handleSyscall(syscalls[step.name], -1)
  }

  /** Time passes; or, if everybody waits, one of them does not any more. */
  #goOn(which: number): void {
    const { world } = this
    if (world.running === "admin")
      world.invoke(this.#admin, this.actors[which % this.actors.length]!.slot, { label: TCB.Resume.label })
    else world.kernel.handleTimer()
  }
}

describe("the fast path", () => {
  it("does what the slow path does, in memory and in time", () => {
    let [calls, quick] = [0, 0]
    fc.assert(
      fc.property(people, fc.array(step, { minLength: 20, maxLength: 120 }), (people, steps) => {
        const [slow, fast] = [new Town(people, "slow"), new Town(people, "fast and slow")]
        for (const step of steps) {
          slow.play(step as Step)
          fast.play(step as Step)
          calls++
          assert.strictEqual(fast.world.time.now(), slow.world.time.now())
          assert.strictEqual(fast.world.time.deadline(), slow.world.time.deadline())
        }
        assert.isTrue(Buffer.compare(fast.world.bytes, slow.world.bytes) === 0, "memory differs")
        assert.deepStrictEqual(check(fast.world.state, [fast.world.at(fast.world.root)]), [])
        quick += fast.quick
      }),
      { numRuns: runs, seed: 1 }
    )
    assert.isAbove(quick, calls / 50, "the usual case was tried")
  })
})
