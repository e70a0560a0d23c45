import { Effect } from "effect"
import { assert, describe, it } from "vitest"
import { toCapdl } from "../../src/user/Capdl.ts"
import { Signal, Wait } from "../../src/user/Ipc.ts"
import { IOPort_In8 } from "../../src/user/Ports.ts"
import { Shared_Read } from "../../src/user/Shared.ts"
import { defineSystem, task } from "../../src/user/System.ts"

const system = defineSystem({
  objects: { bell: "Notification", wall: "LargePage", com1: { ports: [0x3f8, 0x3ff] } },
  tasks: {
    "night watch": {
      program: task({ bell: "Notification", wall: "Frame" }, ({ bell, wall }) =>
        Effect.andThen(Wait(bell), Shared_Read(wall, 0, 1))
      ),
      priority: 100,
      time: { budget: 1000, period: 4000 },
      memory: 14,
      grants: { bell: { to: "bell", rights: ["read"] }, wall: { to: "wall", rights: ["read"] } }
    },
    ringer: {
      program: task({ bell: "Notification" }, ({ bell }) => Signal(bell)),
      priority: 50,
      grants: { bell: { to: "bell", rights: ["write"], badge: 2n } }
    },
    driver: {
      program: task({ com1: "IOPort" }, ({ com1 }) => IOPort_In8(com1, 0x3f8)),
      priority: 50,
      grants: { com1: { to: "com1", rights: ["in"] } }
    }
  }
})

const blocks = (text: string) =>
  new Map(
    Array.from(text.matchAll(/^ {2}(\w+) \{\n([\s\S]*?)^ {2}\}/gm), ([, name, body]) => [
      name!,
      body!.trim().split(/\n\s*/)
    ])
  )

describe("a system in capDL", () => {
  const text = toCapdl(system)
  const caps = blocks(text)

  it("begins with the architecture, and has the objects of the system and of its tasks", () => {
    const [arch, , ...lines] = text.split("\n")
    assert.strictEqual(arch, "arch x86_64")
    for (const line of [
      "bell = notification",
      "wall = frame (2M)",
      "com1 = io_ports (ports: [1016..1023])",
      "gate = frame (4k, paddr: 0xfec80000)",
      "night_watch_thread = tcb (addr: 0xfec81000, ip: 0xfec80000, sp: 0x0, prio: 100, max_prio: 100, affinity: 0)",
      "night_watch_time = sc (period: 4000, budget: 1000, data: 0, 7 bits)",
      "night_watch_memory = ut (14 bits)",
      "ringer_table = cnode (8 bits)"
    ])
      assert.include(lines, `  ${line}`)
  })

  it("says what each task holds, with rights and badges", () => {
    assert.deepStrictEqual(caps.get("ringer_table"), [
      "0x1: bell (W, badge: 2)",
      "0x2: ringer_thread -- run",
      "0x3: ringer_table -- take, put, delete"
    ])
    assert.deepStrictEqual(caps.get("night_watch_table")?.slice(0, 2), ["0x1: bell (R)", "0x2: wall (R)"])
  })

  it("says what each thread runs with", () => {
    assert.deepStrictEqual(caps.get("ringer_thread"), [
      "cspace: ringer_table (guard: 0, guard_size: 56)",
      "vspace: ringer_space",
      "ipc_buffer_slot: ringer_buffer (RW)",
      "sc_slot: ringer_time"
    ])
  })

  it("says what is mapped where, table by table", () => {
    assert.deepStrictEqual(caps.get("night_watch_space"), ["0x0: night_watch_space_pdpt_0"])
    assert.deepStrictEqual(caps.get("night_watch_space_pdpt_0"), [
      "0x3: night_watch_space_pd_c0000000",
      "0x42: night_watch_space_pd_1080000000"
    ])
    assert.deepStrictEqual(caps.get("night_watch_space_pt_fec00000"), [
      "0x80: gate (RX)",
      "0x81: night_watch_buffer (RW)"
    ])
    assert.deepStrictEqual(caps.get("night_watch_space_pd_1080000000"), ["0x0: wall (R)"])
  })

  it("names only what it declares", () => {
    const declared = new Set(Array.from(text.matchAll(/^ {2}(\w+) = /gm), ([, name]) => name))
    for (const body of caps.values()) for (const line of body) assert.include([...declared], /: (\w+)/.exec(line)?.[1])
  })
})
