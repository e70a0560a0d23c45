import { Effect, Exit } from "effect"
import { assert, describe, it } from "vitest"
import { type Cap, capUnsafe, cptrOf } from "../../src/types/Capability.ts"
import type { Kind, RightOf } from "../../src/types/Kind.ts"
import { kinds } from "../../src/types/Kind.ts"
import * as Rights from "../../src/types/Rights.ts"
import { BootInfo, type BootInfoService } from "../../src/user/BootInfo.ts"
import { Console, print } from "../../src/user/Console.ts"
import { distribution, show } from "../../src/user/Distribution.ts"
import { Poll, Signal } from "../../src/user/Ipc.ts"
import { IOPort_In8 } from "../../src/user/Ports.ts"
import { reply, serve } from "../../src/user/Server.ts"
import { addressOfSlot, Shared_Read, Shared_Write } from "../../src/user/Shared.ts"
import { Spawner } from "../../src/user/Spawn.ts"
import { defineSystem, startSystem, task } from "../../src/user/System.ts"
import { type Called, Kernel } from "./kernel.ts"

const cap = <K extends Kind>(kind: K, slot: bigint): Cap<K, RightOf<K>> => capUnsafe(kind, slot)

const spawner = Spawner.of({
  asidPool: cap("ASIDPool", 6n),
  schedControl: cap("SchedControl", 20n),
  authority: cap("TCB", 1n),
  addressSpace: cap("AddressSpace", 3n),
  gate: cap("Frame", 21n)
})

const bootInfo = BootInfo.of({ ioPortControl: cap("IOPortControl", 7n) } as BootInfoService)

/** A client prints and looks at a picture; a server answers it and paints; a driver reads a port and rings. */
const system = defineSystem({
  objects: {
    screen: Console,
    answers: "Reply",
    picture: "Page4K",
    irq: "Notification",
    com1: { ports: [0x3f8, 0x3ff] }
  },
  tasks: {
    client: {
      program: task({ console: Console, picture: "Frame" }, ({ console, picture }) =>
        Effect.andThen(print(console, "Hello"), Shared_Read(picture, 0, 8))
      ),
      priority: 100,
      time: { budget: 1000, period: 5000 },
      grants: {
        picture: { to: "picture", rights: ["read"] },
        console: { to: "screen", rights: ["write", "grantReply"], badge: 9n }
      }
    },
    server: {
      program: task(
        { console: Console, answers: "Reply", picture: "Frame", bell: "Notification" },
        ({ console, answers, picture, bell }) =>
          Effect.gen(function* () {
            yield* Poll(bell)
            yield* Shared_Write(picture, 0, new Uint8Array(8))
            yield* serve(console, answers, { write: (_, to) => reply(to, undefined) })
          })
      ),
      priority: 200,
      memory: 16,
      grants: {
        console: { to: "screen", rights: ["read"] },
        answers: { to: "answers", rights: ["send", "receive"] },
        picture: { to: "picture", rights: ["read", "write"] },
        bell: { to: "irq", rights: ["read"] }
      }
    },
    driver: {
      program: task({ com1: "IOPort", bell: "Notification" }, ({ com1, bell }) =>
        Effect.andThen(IOPort_In8(com1, 0x3f8), Signal(bell))
      ),
      priority: 250,
      grants: { com1: { to: "com1", rights: ["in"] }, bell: { to: "irq", rights: ["write"] } }
    }
  },
  isolated: []
})

const started = (kernel: Kernel) =>
  kernel.run(
    startSystem(system).pipe(Effect.provideService(Spawner, spawner), Effect.provideService(BootInfo, bootInfo))
  )

/** What a chain of copies leaves of the rights to a kind. */
const rightsOf = (kind: Kind, words: ReadonlyArray<Rights.RightsWord>): ReadonlyArray<string> =>
  Rights.toNames(
    kind,
    words.reduce((held, { bits }) => Rights.masked(held, bits), Rights.heldAll(kind))
  )

describe("a system", () => {
  it("gives each task, slot by slot, exactly what its distribution says", () => {
    const kernel = new Kernel()
    const exit = started(kernel)
    if (!Exit.isSuccess(exit)) throw new Error(`it starts: ${exit}`)
    for (const [name, { cnode }] of Object.entries(exit.value)) {
      const into = kernel.called.filter(({ method, on }) => method === "CNode_Copy" && on === cptrOf(cnode))
      const entries = distribution(system).filter(({ task }) => task === name)
      assert.deepStrictEqual(
        into.map(({ destIndex }) => Number(destIndex)),
        entries.map(({ slot }) => slot)
      )
      into.forEach((last, index) => {
        const { kind, rights, badge } = entries[index]!
        const chain = copiesTo(kernel.called, last)
        assert.deepStrictEqual(
          rightsOf(
            kind,
            chain.map(({ rights }) => rights as Rights.RightsWord)
          ),
          rights,
          name
        )
        assert.deepStrictEqual(chain.find(({ badge }) => badge !== undefined)?.badge, badge, name)
      })
    }
  })

  it("keeps no copy that was only made to be given on", () => {
    const kernel = new Kernel()
    started(kernel)
    // What is left is an object, or is mapped, or is the program's own part of a task.
    assert.strictEqual(kernel.kinds().filter((kind) => kind === "Endpoint").length, 1)
    assert.strictEqual(kernel.kinds().filter((kind) => kind === "Notification").length, 1)
    assert.strictEqual(kernel.kinds().filter((kind) => kind === "Reply").length, 1)
  })

  it("maps each frame for each task where its slot says, with the rights granted", () => {
    const kernel = new Kernel()
    started(kernel)
    const shared = kernel.calls("X86_Page_Map").filter(({ vaddr }) => Number(vaddr) >= addressOfSlot(0))
    assert.deepStrictEqual(
      shared.map(({ vaddr, rights }) => [vaddr, rightsOf("Frame", [rights as Rights.RightsWord])]),
      [
        [addressOfSlot(2), ["read"]],
        [addressOfSlot(3), ["write", "read"]]
      ]
    )
  })

  it("runs each task at its priority, within its budget", () => {
    const kernel = new Kernel()
    started(kernel)
    assert.deepStrictEqual(
      kernel.calls("TCB_SetPriority").map(({ priority }) => priority),
      [100, 200, 250]
    )
    assert.deepStrictEqual(
      kernel.calls("SchedControl_ConfigureFlags").map(({ budget, period }) => [budget, period]),
      [
        [1000, 5000],
        [5000, 5000],
        [5000, 5000]
      ]
    )
  })

  it("is shown as a table, a capability a line", () => {
    assert.deepStrictEqual(show(system).split("\n").slice(0, 5), [
      "task    slot  name     kind          object         rights",
      "client  1     console  Endpoint      screen         write+grantReply  badge 9",
      "client  2     picture  Frame         picture        read",
      "client  3     thread   TCB           client.thread  run",
      "client  4     table    CNode         client.table   take+put+delete"
    ])
  })

  it("has only kinds that there are", () => {
    for (const { kind } of distribution(system)) assert.include(kinds, kind)
  })
})

/** The copies that lead to one, the first of them first. */
const copiesTo = (called: ReadonlyArray<Called>, last: Called): ReadonlyArray<Called> => {
  const before = called.slice(0, called.indexOf(last))
  const source = before.findLast(
    ({ method, on, destIndex }) => /Copy|Mint|Retype/.test(method) && on === 2n && destIndex === last.srcIndex
  )
  return source === undefined ? [last] : [...copiesTo(called, source), last]
}
