/** An allocator, with a kernel of a few lines that only counts what its untyped memory holds. */
import { Effect, Exit } from "effect"
import { assert, describe, it } from "vitest"
import { ofNumber, sizeBits } from "../../src/types/ObjectType.ts"
import * as Allocator from "../../src/user/Allocator.ts"
import { type MessageCall, type Outcome, Syscalls } from "../../src/user/Syscalls.ts"
import { noMemory } from "./machine.ts"

interface Made {
  readonly from: bigint
  readonly type: number
  readonly address: number
  readonly slot: number
}

/** Untyped memory by its capability pointer, as a kernel retypes it. */
const kernel = (regions: ReadonlyArray<Allocator.Region>) => {
  const used = new Map<bigint, { address: number; end: number }>(
    regions.map(({ untyped, address, bits }) => [untyped, { address, end: address + 2 ** bits }])
  )
  const made: Array<Made> = []
  const retype = ({ capability, words }: MessageCall) => {
    const region = used.get(capability)!
    const [type = 0, given = 0, , , offset = 0, count = 0] = words.map(Number)
    const bits = sizeBits(ofNumber(type)!, given)
    const start = Math.ceil(region.address / 2 ** bits) * 2 ** bits
    if (start + count * 2 ** bits > region.end) return { label: 10, words: [BigInt(region.end - region.address)] }
    region.address = start + count * 2 ** bits
    for (let index = 0; index < count; index++) {
      const address = start + index * 2 ** bits
      made.push({ from: capability, type, address, slot: offset + index })
      if (type === 0) used.set(BigInt(offset + index), { address, end: address + 2 ** bits })
    }
    return { label: 0, words: [] }
  }
  const call = <A, E>(call: MessageCall, outcome: Outcome<A, E>) =>
    Effect.suspend(() => outcome({ badge: 0n, extraCaps: 0, unwrapped: 0, badges: [], ...retype(call) }))
  const unused = () => Effect.die("an allocator only makes objects")
  const syscalls = Syscalls.of({
    call,
    raw: unused,
    read: unused,
    write: unused,
    fork: unused,
    memory: noMemory,
    transact: unused,
    setIpcBuffer: unused
  })
  return {
    made,
    take: (untyped: bigint, bytes: number) => {
      used.get(untyped)!.address += bytes
    },
    run: <A, E>(effect: Effect.Effect<A, E, Syscalls>) =>
      Effect.runSyncExit(Effect.provideService(effect, Syscalls, syscalls))
  }
}

const slots = { cnode: 2n, depth: 64, start: 100, end: 200 }
const memory = (untyped: bigint, address: number, bits: number): Allocator.Region => ({
  untyped,
  address,
  bits,
  isDevice: false
})
const small = memory(10n, 0x1000, 12)
const large = memory(11n, 0x10_0000, 16)
const device: Allocator.Region = { untyped: 12n, address: 0x8000_0000, bits: 20, isDevice: true }

const failed = (error: Allocator.NotMade) => Exit.fail(error)

describe("an allocator", () => {
  it("makes objects in the smallest memory with room, and says in which slots they are", () => {
    const { run, made } = kernel([large, small])
    const allocator = Allocator.make(slots, [large, small])
    assert.deepStrictEqual(run(allocator.make("Endpoint", 0, 2)), Exit.succeed(100n))
    assert.deepStrictEqual(run(allocator.make("Page4K", 0, 1)), Exit.succeed(102n))
    assert.deepStrictEqual(
      made.map(({ from, address, slot }) => [from, address, slot]),
      [
        [10n, 0x1000, 100],
        [10n, 0x1010, 101],
        [11n, 0x10_0000, 102]
      ]
    )
  })

  it("says that there is no room, and keeps the slots", () => {
    const { run } = kernel([small])
    const allocator = Allocator.make(slots, [small])
    assert.deepStrictEqual(run(allocator.make("LargePage", 0, 1)), failed({ _tag: "OutOfMemory", bits: 21 }))
    assert.deepStrictEqual(run(allocator.make("Endpoint", 0, 1)), Exit.succeed(100n))
  })

  it("says that there are no slots", () => {
    const { run } = kernel([small])
    const allocator = Allocator.make({ ...slots, end: 101 }, [small])
    assert.deepStrictEqual(run(allocator.make("Endpoint", 0, 2)), failed({ _tag: "OutOfSlots" }))
  })

  it("looks elsewhere when the kernel says that somebody else took from its memory", () => {
    const { run, made, take } = kernel([small, large])
    const allocator = Allocator.make(slots, [small, large])
    take(10n, 0xff0)
    assert.deepStrictEqual(run(allocator.make("TCB", 0, 1)), Exit.succeed(100n))
    assert.deepStrictEqual(
      made.map(({ from }) => from),
      [11n]
    )
  })

  it("gives slots that were given back", () => {
    const { run } = kernel([small])
    const allocator = Allocator.make(slots, [small])
    run(allocator.slots(3))
    allocator.release(101n)
    assert.deepStrictEqual(run(allocator.slots(1)), Exit.succeed(101n))
    assert.deepStrictEqual(run(allocator.slots(1)), Exit.succeed(103n))
  })

  it("makes a frame of a device's memory where it is asked to, and the frames around it later", () => {
    const { run, made } = kernel([device, small])
    const allocator = Allocator.make(slots, [device, small])
    for (const address of [0x8000_5000, 0x8000_4000, 0x8000_5000]) run(allocator.makeAt(address, "Page4K"))
    assert.deepStrictEqual(
      made.filter(({ type }) => type !== 0).map(({ address }) => address),
      [0x8000_5000, 0x8000_4000]
    )
  })

  it("makes other objects never of a device's memory", () => {
    const { run } = kernel([device])
    const allocator = Allocator.make(slots, [device])
    assert.deepStrictEqual(run(allocator.make("Endpoint", 0, 1)), failed({ _tag: "OutOfMemory", bits: 4 }))
  })

  it("has one CNode for all that have no capabilities yet", () => {
    const { run, made } = kernel([small])
    const allocator = Allocator.make(slots, [small])
    assert.deepStrictEqual([run(allocator.nothing), run(allocator.nothing)], [Exit.succeed(100n), Exit.succeed(100n)])
    assert.strictEqual(made.length, 1)
  })
})
