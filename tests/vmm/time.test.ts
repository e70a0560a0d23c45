import { assert, describe, it } from "@effect/vitest"
import { ExitReason } from "../../src/types/x86_64/ExitReason.ts"
import { greeting } from "../../src/vmm/guest/greeting.ts"
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
