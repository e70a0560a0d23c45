import { Effect, Layer } from "effect"
import { assert, describe, it } from "vitest"
import { Memory } from "../../src/hal/Memory.ts"
import { Time } from "../../src/hal/Time.ts"
import * as Boot from "../../src/kernel/Boot.ts"
import { Debug } from "../../src/kernel/Debug.ts"
import { Node } from "../../src/kernel/Derivation.ts"
import { check } from "../../src/kernel/invariants.ts"
import { Kernel, layer } from "../../src/kernel/Kernel.ts"
import { KernelData } from "../../src/kernel/KernelData.ts"
import * as Queue from "../../src/kernel/Queue.ts"
import { SchedContextFields } from "../../src/kernel/Refill.ts"
import { Tcb } from "../../src/kernel/Tcb.ts"
import { World } from "./fixture.ts"

describe("a kernel", () => {
  it("is made of what a machine offers, and an architecture", () => {
    const { memory, time, state } = new World()
    const services = Layer.mergeAll(
      Layer.succeed(Memory, memory),
      Layer.succeed(Time, time),
      Layer.succeed(Debug, state.debug)
    )
    const kernel = Effect.runSync(
      Effect.provide(
        Effect.gen(function* () {
          return yield* Kernel
        }),
        Layer.provide(layer(state.architecture, state.data), services)
      )
    )
    Boot.initialise(kernel.state)
    kernel.start()

    assert.deepStrictEqual(check(kernel.state, []), [])
  })

  it("keeps nothing beside the machine's memory: another one goes on with it", () => {
    const world = new World()
    const [alice, bob] = [world.actor("alice"), world.actor("bob")]
    const [endpoint, reply] = [world.object("Endpoint").slot, world.object("Reply").slot]
    world.start()
    world.syscall(bob, "Recv", { capability: endpoint, reply })
    world.syscall(alice, "Call", { capability: endpoint, words: [7] })

    const other = world.elsewhere()
    other.syscall(bob, "ReplyRecv", { capability: endpoint, reply, words: [8] })
    assert.deepInclude(other.found(alice), { words: [8] })
  })
})

describe("the check of the kernel's memory", () => {
  const broken = (breakIt: (world: World, thread: number, context: number) => void): ReadonlyArray<string> => {
    const world = new World()
    const alice = world.actor("alice")
    world.start()
    breakIt(world, alice.thread, alice.context)
    return check(world.state, [world.at(world.root)])
  }

  it("finds a list whose links do not agree", () => {
    const found = broken((world) => Node.next.store(world.memory, world.at(world.root), world.at(world.space)))

    assert.match(found.join("\n"), /is not before the one after it/)
  })

  it("finds a queue with a thread that does not wait", () => {
    const found = broken((world, thread) => Queue.insert(world.state, world.object("Endpoint").at, thread))

    assert.match(found.join("\n"), /idle and has a queue/)
  })

  it("finds a scheduling context that is another's", () => {
    const found = broken((world, _thread, context) => SchedContextFields.thread.store(world.memory, context, 0))

    assert.match(found.join("\n"), /do not name one another/)
  })

  it("finds refills that are not the budget", () => {
    const found = broken((world, _thread, context) => SchedContextFields.budget.store(world.memory, context, 1))

    assert.match(found.join("\n"), /are not its budget/)
  })

  it("finds a thread that believes it is ready", () => {
    const found = broken((world, thread) => Tcb.inReadyQueue.store(world.memory, thread, 1))

    assert.match(found.join("\n"), /believes that it is ready/)
  })

  it("finds a machine that waits though a thread could run", () => {
    const found = broken((world) => {
      world.actor("bob")
      KernelData.currentThread.store(world.memory, world.state.data, 0x1_1000)
    })

    assert.match(found.join("\n"), /nobody runs though somebody can/)
  })
})
