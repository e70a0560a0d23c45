import { Effect, Exit } from "effect"
import { assert, describe, it } from "vitest"
import { type Cap, capUnsafe, cptrOf, isCap, kindOf } from "../../src/types/Capability.ts"
import type { Kind, RightOf } from "../../src/types/Kind.ts"
import { illegalOperation } from "../../src/types/SyscallError.ts"
import { perform, plan } from "../../src/user/Plan.ts"
import { Spawner } from "../../src/user/Spawn.ts"
import { firstSlot, Kernel } from "./kernel.ts"

const cap = <K extends Kind>(kind: K, slot: bigint): Cap<K, RightOf<K>> => capUnsafe(kind, slot)

const spawner = Spawner.of({
  asidPool: cap("ASIDPool", 6n),
  schedControl: cap("SchedControl", 20n),
  authority: cap("TCB", 1n),
  addressSpace: cap("AddressSpace", 3n),
  gate: cap("Frame", 21n)
})

/** Do a plan on a kernel. @returns what is there at its end: kinds and slots, by name. */
const done = <S>(kernel: Kernel, steps: Parameters<typeof perform<S>>[0]) =>
  Exit.map(kernel.run(Effect.provideService(perform(steps), Spawner, spawner)), (caps) =>
    Object.fromEntries(
      Object.entries(caps).map(([name, held]) => [
        name,
        isCap(held) ? [kindOf(held), Number(cptrOf(held)) - firstSlot] : []
      ])
    )
  )

describe("a plan", () => {
  it("makes what it says, and leaves the capabilities by name", () => {
    const kernel = new Kernel()
    const exit = done(
      kernel,
      plan(16)
        .retype("memory", "Endpoint", "service")
        .retype("memory", ["CapTable", 4], "table")
        .copy("service", ["write"], "client")
    )
    assert.deepStrictEqual(
      exit,
      Exit.succeed({ memory: ["Untyped", 0], service: ["Endpoint", 1], table: ["CNode", 2], client: ["Endpoint", 3] })
    )
    const [memory, service, table] = kernel.calls("Untyped_Retype")
    assert.deepInclude(memory, { type: 0, sizeBits: 16 })
    assert.deepInclude(service, { on: BigInt(firstSlot), type: 2 })
    assert.deepInclude(table, { on: BigInt(firstSlot), type: 4, sizeBits: 4 })
    assert.deepInclude(kernel.calls("CNode_Copy")[0], {
      srcIndex: BigInt(firstSlot + 1),
      rights: { bits: 0b0001, derive: true }
    })
  })

  it("marks a minted copy", () => {
    const kernel = new Kernel()
    done(kernel, plan(16).retype("memory", "Notification", "bell").mint("bell", ["write"], { badge: 5n }, "rung"))
    assert.deepInclude(kernel.calls("CNode_Mint")[0], { badge: 5n })
  })

  it("leaves nothing of what it deleted, moved or revoked, and its slots to others", () => {
    const kernel = new Kernel()
    const exit = done(
      kernel,
      plan(16)
        .retype("memory", "Endpoint", "service")
        .copy("service", [], "child")
        .copy("child", [], "grandchild")
        .retype("memory", "Notification", "bell")
        .revoke("service")
        .delete("bell")
        .move("service", "moved")
    )
    assert.deepStrictEqual(Exit.map(exit, Object.keys), Exit.succeed(["memory", "moved"]))
    assert.deepStrictEqual(kernel.kinds(), ["Untyped", "Endpoint"])
  })

  it("knows whose child is who when one between them is gone", () => {
    const exit = done(
      new Kernel(),
      plan(16)
        .retype("memory", "Endpoint", "service")
        .copy("service", [], "child")
        .copy("child", [], "grandchild")
        .delete("child")
        .move("service", "moved")
        .revoke("moved")
    )
    assert.deepStrictEqual(Exit.map(exit, Object.keys), Exit.succeed(["memory", "moved"]))
  })

  it("gives address spaces their identifiers, and maps frames in them", () => {
    const kernel = new Kernel()
    done(
      kernel,
      plan(16)
        .retype("memory", "PML4", "space")
        .retype("memory", "Page4K", "buffer")
        .map("buffer", "space", "0x0040_0000", ["read"], "uncacheable")
        .unmap("buffer")
    )
    assert.deepInclude(kernel.calls("X86_ASIDPool_Assign")[0], { on: 6n, vspace: BigInt(firstSlot + 1) })
    assert.deepInclude(kernel.calls("X86_Page_Map")[0], {
      on: BigInt(firstSlot + 2),
      vaddr: 0x40_0000,
      attr: 3,
      vspace: BigInt(firstSlot + 1)
    })
    assert.deepInclude(kernel.calls("X86_Page_Unmap")[0], { on: BigInt(firstSlot + 2) })
  })

  it("is a value: a step makes another, and it can be done twice", () => {
    const first = plan(16).retype("memory", "Endpoint", "service")
    first.delete("service")
    for (const kernel of [new Kernel(), new Kernel()]) {
      assert.deepStrictEqual(Exit.map(done(kernel, first), Object.keys), Exit.succeed(["memory", "service"]))
    }
  })

  it("that the kernel refuses fails with the kernel's reason", () => {
    const kernel = new Kernel(({ method }) => (method === "CNode_Copy" ? illegalOperation : undefined))
    const exit = done(kernel, plan(16).retype("memory", "Endpoint", "service").copy("service", [], "child"))
    assert.deepStrictEqual(exit, Exit.fail({ ...illegalOperation, call: "CNode_Copy" }))
  })
})
