import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { check } from "../../src/kernel/invariants.ts"
import * as Scheduler from "../../src/kernel/Scheduler.ts"
import * as Methods from "../../src/types/Methods.ts"
import * as SchedContext from "../../src/types/methods/SchedContext.ts"
import * as TCB from "../../src/types/methods/TCB.ts"
import { type Syscall, syscalls } from "../../src/types/Syscall.ts"
import { type Actor, World } from "./fixture.ts"

/** A longer campaign: FUZZ_RUNS=100000 npx vitest run tests/kernel/invariants.test.ts */
const runs = Number(process.env.FUZZ_RUNS ?? 40)

const slots = 64
const kinds = ["Untyped", "TCB", "CNode", "SchedContext", "SchedControl"]
const methods = Methods.all.filter(({ kind }) => kinds.includes(kind))
const calls = (Object.keys(syscalls) as ReadonlyArray<Syscall>).filter((name) => !name.startsWith("Debug"))

const call = fc.record({
  what: fc.constant("call" as const),
  by: fc.nat({ max: 3 }),
  name: fc.constantFrom(...calls),
  /** Which endpoint, notification or reply; or any slot at all. */
  capability: fc.nat({ max: 200 }),
  reply: fc.nat({ max: 200 }),
  destination: fc.nat({ max: 200 }),
  words: fc.array(fc.nat(), { maxLength: 6 }),
  caps: fc.array(fc.nat({ max: slots }), { maxLength: 3 })
})

const invocation = fc.record({
  what: fc.constant("invocation" as const),
  by: fc.nat({ max: 3 }),
  method: fc.constantFrom(...methods),
  /** Which capability of its kind. */
  capability: fc.nat({ max: 200 }),
  words: fc.array(fc.oneof(fc.nat({ max: slots }), fc.nat(), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })), {
    minLength: 8,
    maxLength: 8
  }),
  caps: fc.array(fc.nat({ max: 200 }), { minLength: 3, maxLength: 3 }),
  /** Sometimes a message says what it should not. */
  isWild: fc.nat({ max: 15 })
})

const step = fc.oneof(
  { weight: 12, arbitrary: call },
  { weight: 20, arbitrary: invocation },
  { weight: 3, arbitrary: fc.record({ what: fc.constant("time" as const), passes: fc.nat({ max: 6_000_000 }) }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant("interrupt" as const), after: fc.nat({ max: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant("fault" as const) }) }
)
type Step = typeof step extends fc.Arbitrary<infer A> ? A : never
type Invocation = typeof invocation extends fc.Arbitrary<infer A> ? A : never

class Chaos {
  readonly world = new World(7)
  readonly actors: ReadonlyArray<Actor>
  readonly #nurse: Actor
  /** How many invocations were not refused. */
  done = 0

  constructor() {
    const { world } = this
    this.actors = [100, 100, 120, 80].map((priority, index) => world.actor(`actor ${index}`, { priority }))
    for (const actor of this.actors) world.receiveInto(actor, slots - 2)
    for (const type of ["Endpoint", "Endpoint", "Notification", "Notification", "Reply", "Reply"] as const)
      world.object(type)
    world.object("SchedContext", 8)
    world.object("TCB")
    world.untyped(13)
    world.untyped(10)
    world.object("CapTable", 3)
    this.#nurse = world.actor("nurse", { priority: 250 })
    world.start()
    // What she needs is where nobody else finds it.
    for (const [index, { slot, contextSlot, bufferSlot }] of [...this.actors, this.#nurse].entries()) {
      world.duplicate(slot, slots + 3 * index)
      world.duplicate(contextSlot, slots + 3 * index + 1)
      world.duplicate(bufferSlot, slots + 3 * index + 2)
    }
    world.duplicate(world.root, slots + 20)
    world.duplicate(world.space, slots + 21)
  }

  /** A thread that cannot run any more gets what it needs, as long as it is there. */
  #nurseBack(index: number): void {
    const { world } = this
    const [thread, context, frame] = [0, 1, 2].map((at) => slots + 3 * index + at) as [number, number, number]
    const ask = (capability: number, label: number, words: ReadonlyArray<number>, caps: ReadonlyArray<number>) =>
      Scheduler.isSchedulable(world.state, this.#nurse.thread) &&
      world.syscall(this.#nurse, "Call", { capability, label, words, caps })
    ask(thread, TCB.Configure.label, [0, 0, 0x400 * 4], [slots + 20, slots + 21, frame])
    ask(context, SchedContext.Bind.label, [], [thread])
    ask(thread, TCB.Resume.label, [], [])
  }

  play(step: Step): void {
    const { world } = this
    switch (step.what) {
      case "time":
        world.time.pass(step.passes)
        world.kernel.handleTimer()
        break
      case "interrupt":
        world.time.interruptAfter(step.after)
        break
      case "fault":
        if (world.running.startsWith("actor")) world.kernel.handleFault({ _tag: "UserException", number: 6, code: 0 })
        break
      case "call": {
        const [endpoint, reply] = [
          this.#oneOf(step.capability, "Endpoint", "Notification"),
          this.#oneOf(step.reply, "Reply")
        ]
        const destination = this.#oneOf(step.destination, "Endpoint", "Notification", "Reply")
        this.#ask(step.by, step.name, { ...step, capability: endpoint, reply, destination, label: 0 })
        break
      }
      case "invocation":
        this.#invoke(step)
    }
  }

  #invoke({ by, method, capability, words, caps, isWild }: Invocation): void {
    const fields = Object.keys(method.words)
    this.#ask(by, "Call", {
      capability: this.#oneOf(capability, isWild === 0 ? "TCB" : method.kind),
      label: method.label,
      words: isWild === 1 ? words : fields.map((name, index) => this.#meant(name, words[index] ?? 0)),
      caps: Object.values(method.caps).map(({ accepts }, index) => this.#oneOf(caps[index]!, ...Object.keys(accepts)))
    })
  }

  /** A word as the method means it, more or less. */
  #meant(name: string, word: number | bigint): number | bigint {
    const number = Number(BigInt(word) % 2n ** 31n)
    if (/depth/i.test(name)) return name === "nodeDepth" ? 0 : 64
    // Threads live longer if their capabilities are mostly left alone.
    if (/index|offset/i.test(name)) return number % 32 === 0 ? number % slots : 31 + (number % (slots - 31))
    switch (name) {
      case "type":
        return number % 7
      case "sizeBits":
        return [3, 4, 7, 8][number % 4]!
      case "numObjects":
        return (number % 3) + 1
      case "rights":
        return number % 2 === 0 ? 15n | (BigInt(number % 3) << 63n) : BigInt(number % 256)
      case "budget":
      case "period":
        return 20 + (number % 5000)
      case "priority":
      case "mcp":
        return 70 + (number % 80)
      case "extraRefills":
        return number % 4
      case "flags":
        return number % 16
      case "buffer":
        return number % 2 === 0 ? 0 : 0x400
      case "cspaceRootData":
      case "vspaceRootData":
        return 0
      default:
        return word
    }
  }

  /** A slot that holds one of these kinds; any slot if there is none, or now and then. */
  #oneOf(which: number, ...kinds: ReadonlyArray<string>): number {
    const found = Array.from({ length: slots }, (_, slot) => slot).filter(
      (slot) => slot !== this.#nurse.slot && kinds.includes(this.world.kindIn(slot) ?? "")
    )
    return which > 195 || found.length === 0 ? which % slots : found[which % found.length]!
  }

  #ask(by: number, name: Syscall, sent: Parameters<World["syscall"]>[2]): void {
    const { world } = this
    const actor = this.actors[by]!
    if (!Scheduler.isSchedulable(world.state, actor.thread)) this.#nurseBack(by)
    if (!Scheduler.isSchedulable(world.state, actor.thread)) return
    world.set(actor, 1, 0xfff000)
    world.syscall(actor, name, sent)
    if (name === "Call" && world.found(actor).label === 0) this.done++
  }
}

describe("whatever threads ask of the kernel", () => {
  it(
    "its memory stays consistent after every call, and nothing but an answer comes of it",
    () => {
      let done = 0
      fc.assert(
        fc.property(fc.array(step, { maxLength: 100, size: "max" }), (steps) => {
          const chaos = new Chaos()
          for (const step of steps) {
            chaos.play(step)
            assert.deepStrictEqual(check(chaos.world.state, [chaos.world.at(chaos.world.root)]), [])
          }
          done += chaos.done
        }),
        { numRuns: runs }
      )
      assert.isAbove(done, runs * 5, "much of what is asked can be done")
      if (process.env.FUZZ_RUNS) console.log(`${done} invocations were done`)
    },
    process.env.FUZZ_RUNS ? 0 : 60_000
  )
})
