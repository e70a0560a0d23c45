import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ExitReason } from "../../src/types/x86_64/ExitReason.ts"
import { timeOf } from "../../src/user/FairShare.ts"
import { spawn } from "../../src/user/Spawn.ts"
import { done, Syscalls } from "../../src/user/Syscalls.ts"
import { greeting } from "../../src/vmm/guest/greeting.ts"
import { priorities } from "../../src/vmm/guests.ts"
import type { Wanted } from "../../src/vmm/manyGuests.ts"
import { Exits } from "../../src/vmm/VirtualCpu.ts"
import { run } from "./machine.ts"

/** mov ecx, 50000; dec ecx; jnz to before; vmcall; jmp to the beginning: 100 000 instructions, then a question, for ever. */
const spin = Uint8Array.of(0xb9, 0x50, 0xc3, 0, 0, 0x49, 0x75, 0xfd, 0x0f, 0x01, 0xc1, 0xeb, 0xf3)

const spinning = (time?: Wanted["time"], priority?: number) => ({
  payload: { _tag: "Flat", bytes: spin } as const,
  exits: new Exits(),
  ...(time && { time }),
  ...(priority !== undefined && { priority })
})
const turnsOf = ({ exits }: { readonly exits: Exits }): number => exits.byReason.get(ExitReason.VMCALL) ?? 0

/** From one of its questions to the next. */
const turnNanoseconds = 100_000

/** A task beside the guests that works whenever it may: the time that it had, as it sees the clock go on. */
const working = (time: Wanted["time"]) => {
  let had = 0
  const program = spawn({ name: "native", priority: priorities.monitor, ...(time && { time }) }, () =>
    Effect.gen(function* () {
      const { call } = yield* Syscalls
      let last = 0
      for (;;) {
        // There is no such capability: the kernel says so.
        yield* call({ syscall: "Call", capability: 0n, label: 0, words: [], caps: [], reply: 0n }, done)
        const now = yield* Effect.clockWith((clock) => Effect.succeed(Number(clock.currentTimeNanosUnsafe())))
        // It was interrupted for the turns of others, or not.
        if (now - last < shortest) had += now - last
        last = now
      }
    })
  )
  return { program, nanoseconds: () => had }
}
/** Nanoseconds: no turn is as short. */
const shortest = 500_000

/** Instructions that starting takes, at most. */
const start = 5e6

describe("guests that only compute", { timeout: 120_000 }, () => {
  it("with equal budgets get equal time, within 1 %", () => {
    const [a, b] = [spinning(), spinning()]
    const { notes } = run({ guests: [a, b], limit: start + 300e6 })
    assert.deepStrictEqual(notes, [])
    assert.isAbove(turnsOf(a), 1000)
    assert.closeTo(turnsOf(a) / turnsOf(b), 1, 0.01)
  })

  it("share as their budgets say, within 1 %", () => {
    const [a, b] = [spinning({ budget: 6000, period: 9000 }), spinning({ budget: 3000, period: 9000 })]
    run({ guests: [a, b], limit: start + 900e6 })
    assert.closeTo(turnsOf(a) / turnsOf(b), 2, 0.02)
  })

  it("get no more than their budgets, though nobody else wants the time", () => {
    const [alone, free] = [spinning({ budget: 1000, period: 10_000 }), spinning()]
    run({ guests: [alone], limit: start + 300e6 })
    run({ guests: [free], limit: start + 300e6 })
    assert.closeTo(turnsOf(alone) / turnsOf(free), 0.1, 0.01)
  })

  it("share with each other and with a task by their weights, within 2 %; what one does not want, the others have", () => {
    const weigh = (weight: number) => timeOf("turns", 1000 * weight, 10_000)
    const halting = { payload: { _tag: "Flat", bytes: Uint8Array.of(0xf4) } as const, time: weigh(4) }
    for (const others of [[], [halting]]) {
      const [a, b, task] = [spinning(weigh(2)), spinning(weigh(1)), working(weigh(3))]
      run({ guests: [a, b, ...others], beside: task.program, limit: start + 120e6 })
      assert.closeTo(turnsOf(a) / turnsOf(b), 2, 0.04)
      assert.closeTo(task.nanoseconds() / (turnsOf(b) * turnNanoseconds), 3, 0.06)
      assert.isAbove(turnsOf(a) + turnsOf(b), 500)
    }
  })

  it("keep none from its deadlines that has a budget at a higher priority", () => {
    const beside = spinning()
    const urgent = {
      name: "urgent",
      payload: { _tag: "Flat", bytes: greeting } as const,
      priority: 150,
      time: { budget: 2000, period: 4000 }
    }
    const { seen, reports } = run({ guests: [beside, urgent], limit: start + 100e6 })
    assert.deepStrictEqual(reports[0]?.ending, { _tag: "PowerOff" })
    const [, late] = /late by at most (\d+) ns/.exec(seen) ?? []
    assert.isBelow(Number(late), 10_000)
    assert.isAbove(turnsOf(beside), 200)
  })
})
