import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { MapEPT } from "../../src/types/x86_64/methods/Frame.ts"
import { Allocator } from "../../src/user/Allocator.ts"
import type { MessageCall } from "../../src/user/Syscalls.ts"
import { greeting } from "../../src/vmm/guest/greeting.ts"
import { run } from "./machine.ts"

const MiB = 2 ** 20
const [release, lease] = [2, 3]

const word = (value: number) => [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24]
/** mov ebx, address; mov eax, number; vmcall. */
const ask = (number: number, address: number) => [0xbb, ...word(address), 0xb8, ...word(number), 0x0f, 0x01, 0xc1]
/** mov edx, F4H; out dx, eax: the guest ends, with twice the value and one more. */
const exit = [0xba, 0xf4, 0, 0, 0, 0xef]
const load = (address: number) => [0xa1, ...word(address)]
const store = (address: number) => [0xa3, ...word(address)]

const flat = (name: string, memoryBytes: number, ...code: ReadonlyArray<number>) => ({
  name,
  memoryBytes,
  payload: { _tag: "Flat", bytes: Uint8Array.from(code) } as const
})
const endings = ({ reports }: ReturnType<typeof run>) =>
  Object.fromEntries(reports.map(({ name, ending }) => [name, ending]))

describe("memory of guests", { timeout: 120_000 }, () => {
  it("that one gives up is gone for it, and zeros for who gets it", () => {
    const result = run({
      guests: [
        // It writes to its second block, gives it up, and reads there.
        flat("giver", 32 * MiB, 0xb8, ...word(7), ...store(16 * MiB), ...ask(release, 16 * MiB), ...load(16 * MiB)),
        // Both give up a block, and ask until they have it back: only one of the two can have what was the other's.
        flat(
          "taker",
          32 * MiB,
          0xb8,
          ...word(5),
          ...store(16 * MiB),
          ...ask(release, 16 * MiB),
          ...ask(lease, 16 * MiB),
          ...load(16 * MiB),
          ...exit
        )
      ]
    })
    assert.deepStrictEqual(result.notes, [])
    const { giver, taker } = endings(result)
    assert.deepStrictEqual(giver, { _tag: "Stopped", why: "its memory at 1000000H was taken from it" })
    assert.deepStrictEqual(taker, { _tag: "Exit", status: 1 })
  })

  it("is not had by asking for what is beyond its end, or is there already, or is no block", () => {
    for (const [number, address] of [
      [lease, 64 * MiB],
      [lease, 0],
      [release, 64 * MiB],
      [release, 4096],
      [99, 0]
    ] as const) {
      const result = run({ guests: [flat("asking", 32 * MiB, ...ask(number, address), 0x83, 0xe0, 0x3f, ...exit)] })
      assert.deepStrictEqual(endings(result).asking, { _tag: "Exit", status: number === 99 ? 127 : 1 })
    }
  })

  it("of one that has ended, however it did, another gets that has waited for it", () => {
    const result = run({
      guests: [
        { ...flat("crashes", 32 * MiB, 0x0f, 0x0b) },
        { ...flat("ends", 32 * MiB, 0xb8, ...word(3), ...exit) },
        { name: "waits", memoryBytes: 96 * MiB, payload: { _tag: "Flat", bytes: greeting } }
      ],
      machineBytes: 176 * MiB
    })
    assert.deepStrictEqual(result.notes, [])
    const { crashes, ends, waits } = endings(result)
    assert.strictEqual(crashes?._tag, "Stopped")
    assert.deepStrictEqual(ends, { _tag: "Exit", status: 7 })
    assert.deepStrictEqual(waits, { _tag: "PowerOff" })
    assert.strictEqual(result.reports.at(-1)?.name, "waits")
  })

  it("goes to and fro without end: what it takes in the landlord's capability space is given back", () => {
    // There is room for few times as many frames as there are. MOV ESI, 40; ...; DEC ESI; JNZ
    const turns = [...ask(release, 16 * MiB), ...ask(lease, 16 * MiB), 0x4e]
    const code = [0xbe, ...word(40), ...turns, 0x0f, 0x85, ...word(-turns.length - 6), ...store(16 * MiB), ...exit]
    const result = run({
      guests: [flat("swaps", 32 * MiB, ...code)],
      beside: Effect.flatMap(Allocator, ({ slots }) => slots(7600))
    })
    assert.deepStrictEqual(result.notes, [])
    assert.deepStrictEqual(endings(result).swaps, { _tag: "Exit", status: 3 })
  })

  it("that the kernel refuses to map is not had, and all others go on", () => {
    // The second time that a guest's second block is to be mapped.
    let times = 0
    const isRefused = ({ label, words }: MessageCall) =>
      label === MapEPT.label && words[0] === BigInt(16 * MiB) && ++times === 2
    const result = run({
      guests: [
        flat("loses", 32 * MiB, ...ask(release, 16 * MiB), ...ask(lease, 16 * MiB), ...exit),
        { name: "other", payload: { _tag: "Flat", bytes: greeting } }
      ],
      refuses: isRefused
    })
    assert.deepStrictEqual(result.notes, [])
    assert.deepStrictEqual(endings(result), { loses: { _tag: "Exit", status: 1 }, other: { _tag: "PowerOff" } })
    assert.match(result.logs.join(), /root: .*guest1 does not get its memory.*IllegalOperation.*X86_Page_MapEPT/)
  })
})
