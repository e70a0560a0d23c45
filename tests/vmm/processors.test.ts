/** Guests with several processors. */
import { assert, describe, it } from "@effect/vitest"
import { begin, exitWith, flat, out, put, real, send, store, until, word } from "./code.ts"
import { run } from "./machine.ts"

const handler = 0xa000
const [counter, second] = [0x9000, 0x9010]

/** The others' local APICs are in x2APIC mode. */
const [x2Apic, stack] = [real.x2Apic(), real.stack]
/** Vector 40H counts, and is ended. */
const counts = real.counts(second)
const vectors = [...put(handler, counts), ...store(4 * 0x40, handler)]

const ending = (result: ReturnType<typeof run>) => {
  assert.deepStrictEqual(result.notes, [])
  return result.reports[0]?.ending
}
const exit = (value: number) => ({ _tag: "Exit", status: 2 * value + 1 }) as const

describe("a guest with several processors", { timeout: 120_000 }, () => {
  it("starts them with INIT and a startup IPI, and waits for them with PAUSE", () => {
    const code = [...begin([...real.count(counter), ...real.halt]), ...until(counter, 3), ...exitWith(counter)]
    assert.deepStrictEqual(ending(run({ guests: [{ ...flat(...code), processors: 4 }] })), exit(3))
  })

  it.each([
    ["halts", real.halt],
    ["runs", real.spin]
  ])("interrupts one that %s, each time", (_what, then) => {
    const ready = [...stack, ...x2Apic, ...real.count(counter), ...then]
    const times = [1, 2, 3, 4, 5].flatMap((n) => [...send(0x4040, 1), ...until(second, n)])
    const code = [...vectors, ...begin(ready), ...until(counter, 1), ...times, ...exitWith(second)]
    assert.deepStrictEqual(ending(run({ guests: [{ ...flat(...code), processors: 2 }] })), exit(5))
  })

  it("has a timer in each", () => {
    // Divide by 1; one-shot, vector 40H; 100 000 ns.
    const timer = [...real.msr(0x83e, 0xb), ...real.msr(0x832, 0x40), ...real.msr(0x838, 100_000)]
    const code = [...vectors, ...begin([...stack, ...x2Apic, ...timer, ...real.halt]), ...until(second, 1)]
    assert.deepStrictEqual(ending(run({ guests: [{ ...flat(...code, ...exitWith(second)), processors: 2 }] })), exit(1))
  })

  it("gives a device's interrupt to the one that the IOAPIC names", () => {
    const ioApic = (index: number, value: number) => [...store(0xfec0_0000, index), ...store(0xfec0_0010, value)]
    // Pin 2 is the 8254's: mode 0, 256 ticks.
    const pit = [...out(0x43, 0x30), ...out(0x40, 0), ...out(0x40, 1)]
    const code = [
      ...[...vectors, ...begin([...stack, ...x2Apic, ...real.count(counter), ...real.halt]), ...until(counter, 1)],
      ...[...ioApic(0x15, 1 << 24), ...ioApic(0x14, 0x40), ...pit, ...until(second, 1), ...exitWith(second)]
    ]
    assert.deepStrictEqual(ending(run({ guests: [{ ...flat(...code), processors: 2 }] })), exit(1))
  })

  it("goes on while one of them does, and is stopped when all halt for ever", () => {
    const [cli, hlt] = [0xfa, 0xf4]
    const last = run({ guests: [{ ...flat(...begin([0x66, ...out(0xf4, 7), hlt]), cli, hlt), processors: 2 }] })
    assert.strictEqual(ending(last)?._tag, "Exit")
    const none = ending(run({ guests: [{ ...flat(...begin([cli, hlt]), cli, hlt), processors: 2 }] }))
    assert.strictEqual(none?._tag === "Stopped" && none.why, "it halts with interrupts off: nothing can wake it")
  })

  it("runs twice the same, to the bit", () => {
    const code = [...begin([...real.count(counter), ...real.halt]), ...until(counter, 2), ...exitWith(counter)]
    const [one, other] = [1, 2].map(() => run({ guests: [{ ...flat(...code), processors: 3 }] }))
    assert.deepStrictEqual(ending(one!), exit(2))
    assert.strictEqual(one!.instructions, other!.instructions)
    assert.strictEqual(one!.machine.memoryHash(), other!.machine.memoryHash())
  })
})

describe("guests beside one another", { timeout: 60_000 }, () => {
  it("have an IA32_TSC_AUX each, which RDTSCP reads however often others ran", () => {
    // MOV ECX, C0000103H; MOV EAX, value; XOR EDX, EDX; WRMSR; MOV ECX, 10 million; DEC ECX; JNZ; RDTSCP; MOV [9000H], ECX
    const guest = (value: number) =>
      flat(
        ...[0xb9, ...word(0xc000_0103), 0xb8, ...word(value), 0x31, 0xd2, 0x0f, 0x30],
        ...[0xb9, ...word(10_000_000), 0x49, 0x75, 0xfd],
        ...[0x0f, 0x01, 0xf9, 0x89, 0x0d, ...word(0x9000), ...exitWith(0x9000)]
      )
    const { reports } = run({ limit: 4e8, guests: [guest(11), guest(22)] })
    assert.deepStrictEqual(reports.map(({ name, ending }) => [name, ending]).toSorted(), [
      ["guest1", { _tag: "Exit", status: 23 }],
      ["guest2", { _tag: "Exit", status: 45 }]
    ])
  })
})
