import { assert, describe, it } from "vitest"
import { I8042 } from "../../src/devices/i8042.ts"

const [data, control] = [0, 4]

const aController = () => {
  const state = { irq: false, a20: true, resets: 0 }
  const chip = new I8042({
    irq: (level) => {
      state.irq = level
    },
    a20: (isOn) => {
      state.a20 = isOn
    },
    reset: () => {
      state.resets++
    }
  })
  const command = (code: number, ...bytes: number[]) => {
    chip.write(control, 8, code)
    for (const byte of bytes) chip.write(data, 8, byte)
  }
  const read = () => {
    const bytes: number[] = []
    while (chip.read(control) & 1) bytes.push(chip.read(data))
    return bytes
  }
  return { chip, state, command, read }
}

describe("the controller", () => {
  it("passes its tests", () => {
    const { command, read } = aController()
    command(0xaa)
    assert.deepStrictEqual(read(), [0x55])
    command(0xab)
    assert.deepStrictEqual(read(), [0])
  })

  it("says in its status that the last byte was a command, and that a byte waits", () => {
    const { chip, command } = aController()
    command(0xaa)
    assert.strictEqual(chip.read(control), 0x1d)
    chip.read(data)
    assert.strictEqual(chip.read(control), 0x1c)
    chip.write(data, 8, 0xee)
    assert.strictEqual(chip.read(control), 0x15)
  })

  it("keeps its command byte and memory", () => {
    const { command, read } = aController()
    command(0x60, 0x05)
    command(0x20)
    assert.deepStrictEqual(read(), [0x05])
    command(0x7f, 0xab)
    command(0x3f)
    assert.deepStrictEqual(read(), [0xab])
  })

  it("resets the processor by a pulse, or by its output port", () => {
    const { state, command } = aController()
    command(0xff)
    assert.strictEqual(state.resets, 0)
    command(0xfe)
    assert.strictEqual(state.resets, 1)
    command(0xd1, 0xfe)
    assert.strictEqual(state.resets, 2)
  })

  it("switches address line 20", () => {
    const { state, command, read } = aController()
    command(0xd1, 0xcd)
    assert.isFalse(state.a20)
    command(0xdf)
    assert.isTrue(state.a20)
    command(0xdd)
    assert.isFalse(state.a20)
    command(0xd0)
    assert.strictEqual(read()[0]! & 2, 0)
  })

  it("has no auxiliary device", () => {
    const { command, read } = aController()
    command(0xa9)
    assert.notDeepEqual(read(), [0])
    command(0xd3, 0x5a)
    command(0xd4, 0xff)
    assert.deepStrictEqual(read(), [])
  })
})

describe("the keyboard", () => {
  it("makes an edge of IRQ 1 for each byte", () => {
    const levels: boolean[] = []
    const chip = new I8042({ irq: (level) => levels.push(level), a20: () => undefined, reset: () => undefined })
    chip.press([0x1c, 0x32])
    levels.length = 0
    chip.read(data)
    assert.deepStrictEqual(levels, [false, true])
  })

  it("acknowledges what it is asked", () => {
    const { chip, read } = aController()
    for (const [asked, answer] of [
      [[0xff], [0xfa, 0xaa]],
      [[0xee], [0xee]],
      [
        [0xed, 2],
        [0xfa, 0xfa]
      ],
      [
        [0xf3, 0x20],
        [0xfa, 0xfa]
      ],
      [[0xf4], [0xfa]],
      [[0x01], [0xfe]]
    ]) {
      for (const byte of asked!) chip.write(data, 8, byte)
      assert.deepStrictEqual(read(), answer)
    }
  })

  it("identifies itself, untranslated", () => {
    const { chip, command, read } = aController()
    command(0x60, 0x01)
    chip.write(data, 8, 0xf2)
    assert.deepStrictEqual(read(), [0xfa, 0xab, 0x83])
    chip.write(data, 8, 0xf0)
    chip.write(data, 8, 0)
    assert.deepStrictEqual(read(), [0xfa, 0xfa, 2])
  })

  it("raises IRQ 1 for each byte until it is read", () => {
    const { chip, state } = aController()
    chip.press([0x1c, 0x32])
    assert.isTrue(state.irq)
    assert.strictEqual(chip.read(data), 0x1e)
    assert.isTrue(state.irq)
    assert.strictEqual(chip.read(data), 0x30)
    assert.isFalse(state.irq)
  })

  it("has its codes translated to set 1, a break code as one byte", () => {
    const { chip, read } = aController()
    chip.press([0x1c, 0xf0, 0x1c, 0xe0, 0x75, 0xe0, 0xf0, 0x75, 0x83])
    assert.deepStrictEqual(read(), [0x1e, 0x9e, 0xe0, 0x48, 0xe0, 0xc8, 0x41])
  })

  it("is silent while disabled by the controller, and sends afterwards", () => {
    const { chip, command, read } = aController()
    command(0xad)
    chip.press([0x1c])
    assert.deepStrictEqual(read(), [])
    command(0xae)
    assert.deepStrictEqual(read(), [0x1e])
  })

  it("forgets keys while it does not scan", () => {
    const { chip, read } = aController()
    chip.write(data, 8, 0xf5)
    chip.press([0x1c])
    assert.deepStrictEqual(read(), [0xfa])
  })

  it("loses what its buffer cannot hold", () => {
    const { chip, read } = aController()
    chip.press(Array.from({ length: 40 }, () => 0x1c))
    assert.strictEqual(read().length, 16)
  })

  it("does not interrupt if the command byte says so", () => {
    const { chip, state, command } = aController()
    command(0x60, 0x04)
    chip.press([0x1c])
    assert.isFalse(state.irq)
  })
})
