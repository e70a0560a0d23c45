import { assert, describe, it } from "vitest"
import { pitClock } from "../../src/devices/oscillator.ts"
import { Pit } from "../../src/devices/pit.ts"
import { Time } from "./time.ts"

const aPit = () => {
  const time = new Time()
  const changes: [tick: number, level: boolean][] = []
  let out: boolean | undefined
  const pit = new Pit(time, (level) => {
    if (level !== out) changes.push([pitClock.ticksAt(time.now()), level])
    out = level
  })
  const passToTick = (tick: number) => time.passTo(pitClock.timeOf(tick))
  const program = (counter: number, mode: number, count: number, bcd = 0) => {
    pit.ports.write(3, 8, (counter << 6) | 0x30 | (mode << 1) | bcd)
    pit.ports.write(counter, 8, count & 0xff)
    pit.ports.write(counter, 8, count >>> 8)
  }
  const count = (counter: number) => {
    pit.ports.write(3, 8, counter << 6)
    return pit.ports.read(counter, 8) | (pit.ports.read(counter, 8) << 8)
  }
  const status = (counter: number) => {
    pit.ports.write(3, 8, 0xe0 | (2 << counter))
    return pit.ports.read(counter, 8)
  }
  const gate = (level: boolean) => pit.control.write(0, 8, level ? 1 : 0)
  const out2 = () => (pit.control.read(0, 8) & 0x20) !== 0
  return { time, pit, changes, passToTick, program, count, status, gate, out2 }
}

/** OUT of counter 2 at each tick from the present one. */
const wave = ({ passToTick, out2 }: ReturnType<typeof aPit>, from: number, ticks: number) =>
  Array.from({ length: ticks }, (_, n) => {
    passToTick(from + n)
    return out2() ? "1" : "0"
  }).join("")

describe("mode 0, interrupt on terminal count", () => {
  it("is high N + 1 clocks after the count was written, and stays", () => {
    const { changes, passToTick, program } = aPit()
    program(0, 0, 4)
    passToTick(100_000)
    assert.deepStrictEqual(changes, [
      [0, false],
      [5, true]
    ])
  })

  it("counts on below zero from the highest count", () => {
    const { passToTick, program, count } = aPit()
    program(0, 0, 4)
    passToTick(3)
    assert.strictEqual(count(0), 2)
    passToTick(6)
    assert.strictEqual(count(0), 0xffff)
  })

  it("stands while the gate is low", () => {
    const pit = aPit()
    pit.program(2, 0, 4)
    pit.passToTick(10)
    assert.strictEqual(pit.count(2), 4)
    pit.gate(true)
    assert.strictEqual(wave(pit, 10, 6), "000011")
    pit.program(2, 0, 10)
    pit.passToTick(19)
    pit.gate(false)
    pit.passToTick(40)
    assert.strictEqual(pit.count(2), 7)
    pit.gate(true)
    assert.strictEqual(wave(pit, 40, 9), "000000011")
  })

  it("stops at the first byte of a new count", () => {
    const { pit, passToTick, program, status } = aPit()
    program(0, 0, 4)
    passToTick(10)
    assert.strictEqual(status(0) & 0x80, 0x80)
    pit.ports.write(0, 8, 1)
    assert.strictEqual(status(0) & 0xc0, 0)
  })
})

describe("mode 1, hardware retriggerable one-shot", () => {
  it("is low for N clocks after each trigger", () => {
    const pit = aPit()
    pit.program(2, 1, 3)
    assert.strictEqual(wave(pit, 0, 4), "1111")
    pit.gate(true)
    assert.strictEqual(wave(pit, 3, 6), "100011")
    pit.gate(false)
    pit.gate(true)
    assert.strictEqual(wave(pit, 9, 3), "000")
    pit.gate(false)
    pit.gate(true)
    assert.strictEqual(wave(pit, 12, 5), "00011")
  })

  it("takes a new count at the next trigger", () => {
    const pit = aPit()
    pit.program(2, 1, 3)
    pit.gate(true)
    pit.passToTick(2)
    pit.pit.ports.write(2, 8, 5)
    pit.pit.ports.write(2, 8, 0)
    assert.strictEqual(wave(pit, 2, 3), "001")
    assert.strictEqual(pit.status(2) & 0x40, 0x40)
    pit.gate(false)
    pit.gate(true)
    assert.strictEqual(wave(pit, 5, 6), "000001")
  })
})

describe("mode 2, rate generator", () => {
  it("is low for one clock in every N", () => {
    const { changes, passToTick, program } = aPit()
    program(0, 2, 4)
    passToTick(10)
    assert.deepStrictEqual(changes, [
      [0, true],
      [4, false],
      [5, true],
      [8, false],
      [9, true]
    ])
  })

  it("counts from N to 1", () => {
    const { passToTick, program, count } = aPit()
    program(0, 2, 3)
    const counts = [1, 2, 3, 4, 5].map((tick) => {
      passToTick(tick)
      return count(0)
    })
    assert.deepStrictEqual(counts, [3, 2, 1, 3, 2])
  })

  it("takes a new count at the end of its cycle", () => {
    const { pit, changes, passToTick, program } = aPit()
    program(0, 2, 10)
    passToTick(3)
    pit.ports.write(0, 8, 4)
    pit.ports.write(0, 8, 0)
    passToTick(20)
    assert.deepStrictEqual(changes, [
      [0, true],
      [10, false],
      [11, true],
      [14, false],
      [15, true],
      [18, false],
      [19, true]
    ])
  })

  it("has a count of 0 for 65536: 18.2 times a second", () => {
    const { changes, time, program } = aPit()
    program(0, 2, 0)
    time.passTo(1e9)
    assert.strictEqual(changes.filter(([, level]) => level).length, 19)
  })

  it("is high while the gate is low, and starts anew when it rises", () => {
    const pit = aPit()
    pit.gate(true)
    pit.program(2, 2, 4)
    assert.strictEqual(wave(pit, 0, 5), "11110")
    pit.gate(false)
    assert.strictEqual(wave(pit, 4, 6), "111111")
    pit.gate(true)
    assert.strictEqual(wave(pit, 9, 6), "111101")
  })
})

describe("mode 3, square wave", () => {
  it("is high for half of an even count", () => {
    const pit = aPit()
    pit.gate(true)
    pit.program(2, 3, 4)
    assert.strictEqual(wave(pit, 1, 8), "11001100")
  })

  it("is high for one clock more of an odd count", () => {
    const pit = aPit()
    pit.gate(true)
    pit.program(2, 3, 5)
    assert.strictEqual(wave(pit, 1, 10), "1110011100")
  })

  it("counts down by two", () => {
    const { passToTick, program, count } = aPit()
    program(0, 3, 6)
    const counts = [1, 2, 3, 4, 5, 6, 7].map((tick) => {
      passToTick(tick)
      return count(0)
    })
    assert.deepStrictEqual(counts, [6, 4, 2, 6, 4, 2, 6])
  })

  it("takes a new count at the end of the half-cycle", () => {
    const pit = aPit()
    pit.gate(true)
    pit.program(2, 3, 8)
    pit.passToTick(2)
    pit.pit.ports.write(2, 8, 4)
    pit.pit.ports.write(2, 8, 0)
    assert.strictEqual(wave(pit, 2, 10), "1110011001")
  })

  it("is mode 7 too", () => {
    const pit = aPit()
    pit.gate(true)
    pit.program(2, 7, 4)
    assert.strictEqual(wave(pit, 1, 4), "1100")
  })
})

describe("mode 4, software triggered strobe", () => {
  it("is low for one clock, N + 1 clocks after the count was written", () => {
    const { changes, passToTick, program } = aPit()
    program(0, 4, 3)
    passToTick(100)
    assert.deepStrictEqual(changes, [
      [0, true],
      [4, false],
      [5, true]
    ])
  })
})

describe("mode 5, hardware triggered strobe", () => {
  it("is low for one clock, N + 1 clocks after the trigger", () => {
    const pit = aPit()
    pit.program(2, 5, 3)
    assert.strictEqual(wave(pit, 0, 6), "111111")
    pit.gate(true)
    assert.strictEqual(wave(pit, 5, 7), "1111011")
  })
})

describe("reading", () => {
  it("a latched count gives the count of then", () => {
    const { pit, passToTick, program } = aPit()
    program(0, 2, 0x1000)
    passToTick(1)
    pit.ports.write(3, 8, 0)
    passToTick(0x200)
    pit.ports.write(3, 8, 0)
    assert.strictEqual(pit.ports.read(0, 8), 0x00)
    assert.strictEqual(pit.ports.read(0, 8), 0x10)
    assert.strictEqual(pit.ports.read(0, 8), 0x01)
  })

  it("back gives status first, then count, of every counter named", () => {
    const { pit, passToTick, program } = aPit()
    program(0, 2, 0x1234)
    program(1, 2, 0x12)
    passToTick(1)
    pit.ports.write(3, 8, 0xc6)
    assert.strictEqual(pit.ports.read(0, 8), 0x80 | 0x34)
    assert.strictEqual(pit.ports.read(1, 8), 0x80 | 0x34)
    assert.strictEqual(pit.ports.read(0, 8), 0x34)
    assert.strictEqual(pit.ports.read(0, 8), 0x12)
    assert.strictEqual(pit.ports.read(1, 8), 0x12)
  })

  it("says that a count is null until it is loaded", () => {
    const { passToTick, program, status } = aPit()
    program(0, 0, 5)
    assert.strictEqual(status(0) & 0x40, 0x40)
    passToTick(1)
    assert.strictEqual(status(0) & 0x40, 0)
  })

  it("one byte only, if the control word says so", () => {
    const { pit, passToTick } = aPit()
    pit.ports.write(3, 8, 0x14)
    pit.ports.write(0, 8, 200)
    passToTick(101)
    assert.strictEqual(pit.ports.read(0, 8), 100)
    assert.strictEqual(pit.ports.read(0, 8), 100)
  })

  it("port 43H gives ones", () => {
    assert.strictEqual(aPit().pit.ports.read(3, 8), 0xff)
  })
})

describe("BCD", () => {
  it("counts in four decades", () => {
    const { changes, passToTick, program, count } = aPit()
    program(0, 0, 0x1000, 1)
    passToTick(2)
    assert.strictEqual(count(0), 0x0999)
    passToTick(2000)
    assert.deepStrictEqual(changes, [
      [0, false],
      [1001, true]
    ])
    assert.strictEqual(count(0), 0x9001)
  })
})

describe("port 61H", () => {
  it("has the gate of counter 2, its output, and a bit that toggles", () => {
    const { pit, passToTick, program } = aPit()
    pit.control.write(0, 8, 0xff)
    program(2, 0, 20)
    assert.strictEqual(pit.control.read(0, 8), 0x0f)
    passToTick(18)
    assert.strictEqual(pit.control.read(0, 8), 0x1f)
    passToTick(21)
    assert.strictEqual(pit.control.read(0, 8), 0x3f)
  })
})
