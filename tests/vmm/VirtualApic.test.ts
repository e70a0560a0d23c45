/** Guests with a local APIC that the processor has for them. */
import { assert, describe, it } from "@effect/vitest"
import { ExitReason } from "../../src/types/x86_64/ExitReason.ts"
import { begin, count, exitWith, flat, out, put, real, store, until, whileBelow, word } from "./code.ts"
import { run } from "./machine.ts"

const limit = 2e8
const counter = 0x9000
const [handlerAt, idtAt, idtrAt] = [0xa000, 0x8000, 0x8f00]
const apic = 0xfee0_0000
const vector = 0x41

/** Interrupts of the vector lead to `handler`, which has IRET at its end. The local APIC is enabled, and the 8259A masked. */
const prepared = (handler: readonly number[]) => [
  ...[0xbc, ...word(0x7000), ...out(0x21, 0xff)],
  // The code segment, 10H, of the table at 0.
  ...[...store(0x10, 0x0000_ffff), ...store(0x14, 0x00cf_9b00)],
  ...[...store(idtAt + vector * 8, (0x10 << 16) | handlerAt), ...store(idtAt + vector * 8 + 4, 0x8e00)],
  ...[...put(idtrAt, [0xff, 0x07, ...word(idtAt)]), 0x0f, 0x01, 0x1d, ...word(idtrAt)],
  ...[...put(handlerAt, [...count(counter), ...handler, 0xcf]), ...store(apic + 0xf0, 0x1ff)]
]
/** MOV ECX, number; MOV EAX, value; XOR EDX, EDX; WRMSR */
const msr = (number: number, value: number) => [0xb9, ...word(number), 0xb8, ...word(value), 0x31, 0xd2, 0x0f, 0x30]
const endOfInterrupt = store(apic + 0xb0, 0)
const toItself = store(apic + 0x300, 0x4_0000 | vector)
/** Again until there were so many interrupts. CMP dword [counter], times; JB */
const again = (code: readonly number[], times: number) => {
  const all = [...code, 0x83, 0x3d, ...word(counter), times]
  return [...all, 0x0f, 0x82, ...word(2 ** 32 - all.length - 6)]
}
const sti = 0xfb

const guest = (...code: readonly number[]) => of(flat(...code))
const of = (one: Parameters<typeof run>[0]["guests"][number]) => {
  const result = run({ limit, guests: [one] })
  assert.deepStrictEqual(result.notes, [])
  const { ending, exits } = result.reports.find(({ name }) => name === "guest1")!
  return { ending, left: (reason: number) => exits.byReason.get(reason) ?? 0 }
}
const exit = (value: number) => ({ _tag: "Exit", status: 2 * value + 1 }) as const

describe("a guest's local APIC", { timeout: 60_000 }, () => {
  it("is written in memory, and ends interrupts, without an exit for each", () => {
    const { ending, left } = guest(
      ...prepared(endOfInterrupt),
      sti,
      ...again([...toItself, ...store(apic + 0x80, 0)], 100),
      ...exitWith(counter)
    )
    assert.deepStrictEqual(ending, exit(100))
    for (const reason of [ExitReason.APIC_ACCESS, ExitReason.EPT_VIOLATION, ExitReason.INTERRUPT_WINDOW])
      assert.strictEqual(left(reason), 0)
    // SVR.
    assert.strictEqual(left(ExitReason.APIC_WRITE), 1)
  })

  it("is written by WRMSR as an x2APIC, likewise", () => {
    const { ending, left } = guest(
      ...prepared(msr(0x80b, 0)),
      ...msr(0x1b, 0xfee0_0d00),
      sti,
      ...again(msr(0x83f, vector), 100),
      ...exitWith(counter)
    )
    assert.deepStrictEqual(ending, exit(100))
    // Into x2APIC mode.
    assert.strictEqual(left(ExitReason.WRMSR), 1)
    assert.strictEqual(left(ExitReason.APIC_WRITE), 1)
  })

  it("holds back what is of no higher priority than its task", () => {
    const before = 0x9010
    const { ending } = guest(
      ...prepared(endOfInterrupt),
      ...[sti, ...store(apic + 0x80, 0x50), ...toItself, 0x90, 0xa1, ...word(counter), 0xa3, ...word(before)],
      // MOV EAX, [counter]; SUB EAX, [before]; MOV [before], EAX
      ...[...store(apic + 0x80, 0), 0x90, 0xa1, ...word(counter), 0x2b, 0x05, ...word(before), 0xa3, ...word(before)],
      ...exitWith(before)
    )
    assert.deepStrictEqual(ending, exit(1))
  })

  it("tells the IOAPIC of the end of a level, which comes again while its line is high", () => {
    // At the fifth, the transmitter's interrupt is turned off: CMP dword [counter], 5; JB
    const off = out(0x3f9, 0)
    const atFifth = [0x83, 0x3d, ...word(counter), 5, 0x72, off.length, ...off]
    const { ending, left } = guest(
      ...prepared([...atFifth, ...endOfInterrupt]),
      // Pin 4, level-triggered: the serial port, whose transmitter is empty.
      ...[...store(0xfec0_0000, 0x18), ...store(0xfec0_0010, 0x8000 | vector)],
      ...[...store(0xfec0_0000, 0x19), ...store(0xfec0_0010, 0)],
      ...[sti, ...out(0x3fc, 8), ...out(0x3f9, 2), ...again([0xf3, 0x90], 5), 0xfa],
      ...[...store(0x9010, 7), ...exitWith(0x9010)]
    )
    assert.deepStrictEqual(ending, exit(7))
    assert.isAtLeast(left(ExitReason.VIRTUALIZED_EOI), 4)
  })

  it("is left for registers that it does not hold: what is written there takes effect, and the timer's count is read", () => {
    const value = 0x9010
    const { ending, left } = guest(
      ...prepared(endOfInterrupt),
      // Divide by 1; one shot, the vector; initial count; then until its interrupt has come.
      ...[...store(apic + 0x3e0, 0xb), ...store(apic + 0x320, vector), ...store(apic + 0x380, 50_000)],
      // MOV EAX, [current count]; CMP EAX, 50000; SETB: it has gone down.
      ...[0xa1, ...word(apic + 0x390), 0x3d, ...word(50_000), 0x0f, 0x92, 0x05, ...word(value)],
      ...[sti, ...again([0xf3, 0x90], 1), ...exitWith(value)]
    )
    assert.deepStrictEqual(ending, exit(1))
    assert.strictEqual(left(ExitReason.APIC_ACCESS), 1)
    assert.strictEqual(left(ExitReason.APIC_WRITE), 4)
  })

  it("is written by strings of what it does not hold", () => {
    // MOV ESI, [9010H]; MOV EDI, LVT CMCI; MOVSD; MOV EAX, [LVT CMCI]; MOV [9014H], EAX
    const [from, to, cmci] = [0x9010, 0x9014, apic + 0x2f0]
    const { ending, left } = guest(
      ...[...store(apic + 0xf0, 0x1ff), ...store(from, 0x1_0041), 0xbe, ...word(from), 0xbf, ...word(cmci), 0xa5],
      ...[0xa1, ...word(cmci), 0xa3, ...word(to), ...exitWith(to)]
    )
    assert.deepStrictEqual(ending, exit(0x1_0041))
    assert.strictEqual(left(ExitReason.APIC_ACCESS), 2)
  })
})

describe("where the registers of a local APIC were in memory", { timeout: 60_000 }, () => {
  const value = 0x9010
  const [enabled, elsewhere] = [0xfee0_0900, 0xfee1_0900]
  /** MOV EAX, [address]; MOV [9010H], EAX */
  const read = (address: number) => [0xa1, ...word(address), 0xa3, ...word(value)]

  it.each([
    ["is disabled", [0xfee0_0100]],
    ["is in x2APIC mode", [0xfee0_0d00]],
    ["has them elsewhere", [elsewhere]],
    ["was enabled, and is disabled again", [0xfee0_0100, enabled, 0xfee0_0100]]
  ])("nothing is while it %s: reads give ones, writes vanish", (_what, bases) => {
    // INC dword [9010H]: ones are 0 then.
    const { ending } = guest(
      ...[...store(apic + 0x80, 0x50), ...bases.flatMap((base) => msr(0x1b, base)), ...store(apic + 0x80, 0)],
      ...[...read(apic + 0x80), ...count(value), ...exitWith(value)]
    )
    assert.deepStrictEqual(ending, exit(0))
  })

  it("they are again when it is enabled again, and are reached without an exit", () => {
    const { ending, left } = guest(
      ...[...msr(0x1b, 0xfee0_0100), ...msr(0x1b, enabled), ...prepared(endOfInterrupt), sti],
      ...[...again([...toItself, ...store(apic + 0x80, 0)], 20), ...exitWith(counter)]
    )
    assert.deepStrictEqual(ending, exit(20))
    assert.strictEqual(left(ExitReason.EPT_VIOLATION), 0)
    assert.strictEqual(left(ExitReason.APIC_ACCESS), 0)
  })

  it("they are not, but in the other place, when it has them there, and are again when they come back", () => {
    const { ending } = guest(
      ...[...msr(0x1b, elsewhere), ...store(apic + 0x1_0080, 0x50), ...msr(0x1b, enabled)],
      ...[...read(apic + 0x80), ...exitWith(value)]
    )
    assert.deepStrictEqual(ending, exit(0x50))
  })

  it("they are after a reset", () => {
    // The second time it reads its TPR, and writes to where nothing was.
    const code = [...count(counter), ...whileBelow(counter, 2, [...msr(0x1b, 0xfee0_0d00), ...out(0xcf9, 6), 0xf4])]
    const { ending, left } = guest(...code, ...store(apic + 0x80, 0x50), ...read(apic + 0x80), ...exitWith(value))
    assert.deepStrictEqual(ending, exit(0x50))
    assert.strictEqual(left(ExitReason.EPT_VIOLATION), 0)
  })

  it("the others' are, when one processor of several has none: they are left for each access", () => {
    const { ending, left } = of({
      ...flat(
        ...[...begin([...real.x2Apic(), ...real.count(counter), ...real.halt]), ...until(counter, 1)],
        ...[...store(apic + 0x80, 0x50), ...read(apic + 0x80), ...exitWith(value)]
      ),
      processors: 2
    })
    assert.deepStrictEqual(ending, exit(0x50))
    assert.strictEqual(left(ExitReason.EPT_VIOLATION), 2)
  })
})
