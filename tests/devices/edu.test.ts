import { assert, describe, it } from "vitest"
import { Edu } from "../../src/devices/edu.ts"
import { PciBus, slot } from "../../src/devices/pciBus.ts"
import { Time } from "./time.ts"

const range = 0xf000_0000

const anEdu = () => {
  const time = new Time()
  const memory = new Uint8Array(0x1_0000)
  const state = { interrupt: false, messages: 0 }
  const bus = new PciBus(
    {
      read: (_, address, bytes) => {
        if (address + bytes.length > memory.length) return false
        bytes.set(memory.subarray(address, address + bytes.length))
        return true
      },
      write: (_, address, bytes) => {
        if (address + bytes.length > memory.length) return false
        memory.set(bytes, address)
        return true
      },
      message: () => ++state.messages > 0
    },
    (_, isAsserted) => {
      state.interrupt = isAsserted
    }
  )
  const { fn } = new Edu(time)
  bus.attach(slot(1), fn)
  fn.writeConfig(0x10, 32, range)
  fn.writeConfig(4, 16, 6)
  const get = (offset: number) => bus.memory.read(range + offset, 32)
  const put = (offset: number, value: number) => bus.memory.write(range + offset, 32, value)
  const move = (source: number, destination: number, count: number, command: number) => {
    put(0x80, source)
    put(0x88, destination)
    put(0x90, count)
    put(0x98, command)
  }
  return { time, memory, state, fn, get, put, move }
}

describe("edu", () => {
  it("identifies itself, and inverts what is written", () => {
    const { get, put } = anEdu()
    assert.strictEqual(get(0), 0x0100_00ed)
    put(4, 0x1234_5678)
    assert.strictEqual(get(4), 0xedcb_a987)
  })

  it.each([
    [0, 1],
    [5, 120],
    [13, 1_932_053_504],
    [0xffff_ffff, 0]
  ])("computes the factorial of %i, in 32 bits", (of, product) => {
    const { time, state, get, put } = anEdu()
    put(0x20, 0x80)
    put(8, of)
    assert.strictEqual(get(0x20), 0x81)
    time.pass(10_000)
    assert.strictEqual(get(0x20), 0x80)
    assert.strictEqual(get(8), product)
    assert.strictEqual(get(0x24), 1)
    assert.isTrue(state.interrupt)
    put(0x64, 1)
    assert.isFalse(state.interrupt)
  })

  it("moves memory to its buffer and back", () => {
    const { time, memory, state, get, move } = anEdu()
    memory.set([1, 2, 3, 4], 0x1000)
    move(0x1000, 0x4_0010, 4, 1)
    assert.strictEqual(get(0x98), 1)
    time.pass(10_000)
    assert.strictEqual(get(0x98), 0)
    move(0x4_0010, 0x2000, 4, 7)
    time.pass(10_000)
    assert.deepStrictEqual([...memory.subarray(0x2000, 0x2004)], [1, 2, 3, 4])
    assert.strictEqual(get(0x24), 0x100)
    assert.isTrue(state.interrupt)
  })

  it("moves nothing outside its buffer or outside memory", () => {
    const { time, memory, move, get } = anEdu()
    for (const [source, destination, count] of [
      [0x4_0ffe, 0x2000, 4],
      [0x3_ffff, 0x2000, 1],
      [0x4_0000, 0x2000, 0xffff_ffff],
      [0x4_0000, 0xffff_0000, 4]
    ] as const) {
      move(source, destination, count, 3)
      time.pass(10_000)
      assert.strictEqual(get(0x98) & 1, 0)
    }
    assert.isTrue(memory.every((byte) => byte === 0))
  })

  it("interrupts by message if that is enabled", () => {
    const { state, fn, put } = anEdu()
    fn.writeConfig(fn.readConfig(0x34, 8) + 2, 16, 1)
    put(0x60, 8)
    assert.strictEqual(state.messages, 1)
    assert.isFalse(state.interrupt)
  })
})
