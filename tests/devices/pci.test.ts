import { assert, describe, it } from "vitest"
import { memoryMap } from "../../src/devices/addresses.ts"
import { assignResources, ConfigPorts, PciBus, slot } from "../../src/devices/pciBus.ts"
import { PciFunction } from "../../src/devices/pciFunction.ts"
import type { Target } from "../../src/devices/Wires.ts"

const [COMMAND, STATUS, BAR0, BAR2, CAP_PTR, LINE] = [0x04, 0x06, 0x10, 0x18, 0x34, 0x3c]
const [io, memory, master, intxDisable] = [1, 2, 4, 0x400]

/** A target that says where it was read, and keeps what was written. */
const aTarget = () => {
  const writes: number[][] = []
  const target: Target = { read: (offset) => offset + 1, write: (...access) => writes.push(access) }
  return { target, writes }
}

const aBus = () => {
  const messages: number[][] = []
  const lines = new Map<number, boolean>()
  const dma: number[][] = []
  const bus = new PciBus(
    {
      read: (source, address) => dma.push([source, address]) > 0,
      write: (source, address) => dma.push([source, address]) > 0,
      message: (...message) => messages.push(message) > 0
    },
    (line, isAsserted) => lines.set(line, isAsserted)
  )
  const resets: number[] = []
  const ports = new ConfigPorts(bus, { read: () => 0x55, write: (_offset, _width, value) => resets.push(value) })
  return { bus, ports, messages, lines, dma, resets }
}

const aFunction = () => {
  const fn = new PciFunction({ vendor: 0x1234, device: 0x5678, classCode: 0x01_8000, revision: 3, interruptPin: 1 })
  const [registers, ports] = [aTarget(), aTarget()]
  fn.addRange(0, { kind: "memory64", bytes: 0x4000, target: registers.target })
  fn.addRange(2, { kind: "io", bytes: 0x20, target: ports.target })
  return { fn, registers, ports }
}

describe("functions that are confined", () => {
  it("reach memory and send messages if they are trusted, and else do not, though they are bus masters", () => {
    const { bus, dma, messages } = aBus()
    const functions = [1, 2].map((device) => {
      const { fn } = aFunction()
      bus.attach(slot(device), fn)
      fn.writeConfig(COMMAND, 16, memory | master)
      return fn
    })
    const reach = () => {
      dma.length = messages.length = 0
      const read = functions.map(({ dma }) => dma.read(0x5000, new Uint8Array(4)))
      const written = functions.map(({ dma }) => dma.write(0x6000, new Uint8Array(4)))
      const sent = functions.map(({ dma }) => dma.write(0xfee0_0000, new Uint8Array(4)))
      return { read, written, sent, dma: dma.map(([source]) => source), messages: messages.map(([source]) => source) }
    }
    const [one, two] = [slot(1), slot(2)]
    const all = [true, true]
    assert.deepStrictEqual(reach(), {
      read: all,
      written: all,
      sent: all,
      dma: [one, two, one, two],
      messages: [one, two]
    })
    bus.confine([two])
    const trusted = [false, true]
    assert.deepStrictEqual(reach(), {
      read: trusted,
      written: trusted,
      sent: trusted,
      dma: [two, two],
      messages: [two]
    })
    bus.confine([])
    assert.deepStrictEqual(reach().dma, [])
  })
})

describe("configuration space", () => {
  it("begins with what the function is", () => {
    const { fn } = aFunction()
    assert.strictEqual(fn.readConfig(0, 32), 0x5678_1234)
    assert.strictEqual(fn.readConfig(8, 32), 0x0180_0003)
    assert.strictEqual(fn.readConfig(0x3c, 16), 0x0100)
    fn.writeConfig(0, 32, 0)
    assert.strictEqual(fn.readConfig(0, 32), 0x5678_1234)
  })

  it("is 256 bytes; behind it are ones", () => {
    const { fn } = aFunction()
    assert.strictEqual(fn.readConfig(0x100, 32), 0xffff_ffff)
    fn.writeConfig(0x100, 32, 0)
  })

  it("says by base address registers of ones how large the ranges are", () => {
    const { fn } = aFunction()
    for (const [offset, size] of [
      [BAR0, 0xffff_c004],
      [BAR0 + 4, 0xffff_ffff],
      [BAR2, 0xffff_ffe1],
      [0x1c, 0]
    ] as const) {
      fn.writeConfig(offset, 32, 0xffff_ffff)
      assert.strictEqual(fn.readConfig(offset, 32), size)
    }
  })

  it("is written by bytes too", () => {
    const { fn } = aFunction()
    fn.writeConfig(COMMAND + 1, 8, 0xff)
    assert.strictEqual(fn.readConfig(COMMAND, 16), 0x0500)
  })

  it("is as at first after a reset", () => {
    const { fn } = aFunction()
    fn.writeConfig(COMMAND, 16, memory)
    fn.writeConfig(BAR0, 32, 0xf000_0000)
    fn.reset()
    assert.strictEqual(fn.readConfig(COMMAND, 16), 0)
    assert.strictEqual(fn.readConfig(BAR0, 32), 4)
  })

  it("lists capabilities", () => {
    const { fn } = aFunction()
    assert.strictEqual(fn.readConfig(STATUS, 16) & 0x10, 0)
    fn.addMsi(4)
    fn.addMsix(1 + 3, 2)
    const first = fn.readConfig(CAP_PTR, 8)
    const second = fn.readConfig(first + 1, 8)
    assert.deepStrictEqual(
      [fn.readConfig(first, 8), fn.readConfig(second, 8), fn.readConfig(second + 1, 8)],
      [5, 0x11, 0]
    )
    assert.strictEqual(fn.readConfig(STATUS, 16) & 0x10, 0x10)
  })
})

describe("configuration mechanism 1", () => {
  it("reaches a function's register by CONFIG_ADDRESS, in any byte lane", () => {
    const { bus, ports } = aBus()
    bus.attach(slot(3), aFunction().fn)
    ports.address.write(0, 32, 0x8000_1800)
    assert.strictEqual(ports.address.read(0, 32), 0x8000_1800)
    assert.strictEqual(ports.data.read(0, 32), 0x5678_1234)
    assert.strictEqual(ports.data.read(2, 16), 0x5678)
    assert.strictEqual(ports.data.read(3, 8), 0x56)
    ports.address.write(0, 32, 0x8000_1800 | LINE)
    ports.data.write(0, 8, 11)
    assert.strictEqual(ports.data.read(0, 16), 0x010b)
  })

  it("takes the byte from the address and from the port together", () => {
    const { bus, ports } = aBus()
    bus.attach(slot(3), aFunction().fn)
    ports.address.write(0, 32, 0x8000_1802)
    assert.strictEqual(ports.data.read(0, 16), 0x5678)
    assert.strictEqual(ports.data.read(1, 8), 0x56)
  })

  it("gives ones without its enable bit, without a function, and on another bus", () => {
    const { bus, ports } = aBus()
    bus.attach(slot(3), aFunction().fn)
    for (const address of [0x0000_1800, 0x8000_2000, 0x8001_1800]) {
      ports.address.write(0, 32, address)
      ports.data.write(0, 32, 0)
      assert.strictEqual(ports.data.read(0, 32), 0xffff_ffff)
    }
  })

  it("leaves the byte port CF9H to the reset control", () => {
    const { ports, resets } = aBus()
    ports.address.write(1, 8, 6)
    assert.deepStrictEqual(resets, [6])
    assert.strictEqual(ports.address.read(1, 8), 0x55)
    assert.strictEqual(ports.address.read(0, 32), 0)
  })
})

describe("ECAM", () => {
  it("has 4 KiB for each function", () => {
    const { bus } = aBus()
    bus.attach(slot(3, 1), aFunction().fn)
    assert.strictEqual(bus.ecam.read(0x1_9002, 16), 0x5678)
    assert.strictEqual(bus.ecam.read(0x1_9100, 32), 0xffff_ffff)
    assert.strictEqual(bus.ecam.read(0x11_9000, 32), 0xffff_ffff)
    bus.ecam.write(0x1_9000 + COMMAND, 16, memory)
    assert.strictEqual(bus.ecam.read(0x1_9000 + COMMAND, 16), memory)
  })

  it("is said by the host bridge to be where it is", () => {
    const { bus } = aBus()
    assert.strictEqual(bus.ecam.read(0, 32), 0x29c0_8086)
    assert.strictEqual(bus.ecam.read(0x60, 32), memoryMap.ecam.base + 1)
  })
})

describe("a range", () => {
  it("is answered where software put it, once decoding is on", () => {
    const { bus } = aBus()
    const { fn, registers, ports } = aFunction()
    bus.attach(slot(1), fn)
    fn.writeConfig(BAR0, 32, 0xf000_4000)
    fn.writeConfig(BAR2, 32, 0xc020)
    assert.strictEqual(bus.memory.read(0xf000_4010, 32), 0xffff_ffff)
    fn.writeConfig(COMMAND, 16, memory | io)
    assert.strictEqual(bus.memory.read(0xf000_4010, 32), 0x11)
    assert.strictEqual(bus.memory.read(0xf000_8000, 32), 0xffff_ffff)
    assert.strictEqual(bus.ports.read(0xc023, 8), 4)
    bus.memory.write(0xf000_4020, 16, 7)
    bus.ports.write(0xc020, 8, 9)
    assert.deepStrictEqual(registers.writes, [[0x20, 16, 7]])
    assert.deepStrictEqual(ports.writes, [[0, 8, 9]])
  })

  it("of 64 bits may lie above 4 GiB", () => {
    const { bus } = aBus()
    const { fn } = aFunction()
    bus.attach(slot(1), fn)
    fn.writeConfig(COMMAND, 16, memory)
    fn.writeConfig(BAR0 + 4, 32, 2)
    assert.strictEqual(bus.memory.read(2 * 2 ** 32 + 8, 32), 9)
  })

  it("is assigned by firmware, in its own alignment", () => {
    const { bus } = aBus()
    const [one, two] = [aFunction(), aFunction()]
    bus.attach(slot(1), one.fn)
    bus.attach(slot(2), two.fn)
    assignResources(bus)
    const base = memoryMap.pciHigh.base
    assert.deepStrictEqual(
      [one, two].map(({ fn }) => [
        fn.readConfig(BAR0, 32),
        fn.readConfig(BAR2, 32),
        fn.readConfig(COMMAND, 16),
        fn.readConfig(LINE, 8)
      ]),
      [
        [base + 4, 0xc001, 3, 11],
        [base + 0x4004, 0xc021, 3, 10]
      ]
    )
  })
})

describe("an interrupt pin", () => {
  it("is wired one line further for each device, and lines are shared", () => {
    const { bus, lines } = aBus()
    const [one, five] = [aFunction().fn, aFunction().fn]
    bus.attach(slot(1), one)
    bus.attach(slot(5), five)
    one.setInterrupt(true)
    five.setInterrupt(true)
    assert.isTrue(lines.get(1))
    assert.strictEqual(one.readConfig(STATUS, 16) & 8, 8)
    one.setInterrupt(false)
    assert.isTrue(lines.get(1))
    five.setInterrupt(false)
    assert.isFalse(lines.get(1))
  })

  it("is silent while it is disabled, or messages are used, but its status shows", () => {
    const { bus, lines } = aBus()
    const { fn } = aFunction()
    fn.addMsi(1)
    bus.attach(slot(0, 1), fn)
    fn.setInterrupt(true)
    fn.writeConfig(COMMAND, 16, intxDisable)
    assert.isFalse(lines.get(0))
    assert.strictEqual(fn.readConfig(STATUS, 16) & 8, 8)
    fn.writeConfig(COMMAND, 16, 0)
    assert.isTrue(lines.get(0))
    fn.writeConfig(fn.readConfig(CAP_PTR, 8) + 2, 16, 1)
    assert.isFalse(lines.get(0))
  })
})

describe("MSI", () => {
  const withMsi = () => {
    const machine = aBus()
    const { fn } = aFunction()
    fn.addMsi(4)
    machine.bus.attach(slot(2), fn)
    const at = fn.readConfig(CAP_PTR, 8)
    fn.writeConfig(COMMAND, 16, master)
    fn.writeConfig(at + 4, 32, 0xfee0_1000)
    fn.writeConfig(at + 0xc, 16, 0x4040)
    return { ...machine, fn, at }
  }

  it("writes its data, with the vector in as many low bits as software allowed", () => {
    const { fn, at, messages } = withMsi()
    fn.writeConfig(at + 2, 16, 1)
    fn.signal(3)
    fn.writeConfig(at + 2, 16, 0x21)
    fn.signal(3)
    assert.deepStrictEqual(messages, [
      [0x10, 0xfee0_1000, 0x4040],
      [0x10, 0xfee0_1000, 0x4043]
    ])
  })

  it("keeps a masked vector pending until it is unmasked", () => {
    const { fn, at, messages } = withMsi()
    fn.writeConfig(at + 2, 16, 0x21)
    fn.writeConfig(at + 0x10, 32, 2)
    fn.signal(1)
    assert.deepStrictEqual(messages, [])
    assert.strictEqual(fn.readConfig(at + 0x14, 32), 2)
    fn.writeConfig(at + 0x10, 32, 0)
    assert.deepStrictEqual(messages, [[0x10, 0xfee0_1000, 0x4041]])
    assert.strictEqual(fn.readConfig(at + 0x14, 32), 0)
  })

  it("needs bus mastering", () => {
    const { fn, at, messages } = withMsi()
    fn.writeConfig(COMMAND, 16, 0)
    fn.writeConfig(at + 2, 16, 1)
    fn.signal(0)
    assert.deepStrictEqual(messages, [])
  })
})

describe("MSI-X", () => {
  const table = 0xf000_0000
  const withMsix = () => {
    const machine = aBus()
    const { fn } = aFunction()
    fn.addMsix(3, 3)
    machine.bus.attach(slot(2), fn)
    const at = fn.readConfig(CAP_PTR, 8)
    fn.writeConfig(0x1c, 32, table)
    fn.writeConfig(COMMAND, 16, master | memory)
    const program = (vector: number, control: number) => {
      machine.bus.memory.write(table + vector * 16, 32, 0xfee0_0000)
      machine.bus.memory.write(table + vector * 16 + 8, 32, 0x50 + vector)
      machine.bus.memory.write(table + vector * 16 + 12, 32, control)
    }
    return { ...machine, fn, at, program }
  }

  it("says how many vectors it has and where its table is", () => {
    const { fn, at } = withMsix()
    assert.strictEqual(fn.readConfig(at + 2, 16), 2)
    assert.strictEqual(fn.readConfig(at + 4, 32), 3)
    assert.strictEqual(fn.readConfig(at + 8, 32), 0x803)
  })

  it("has an address and data for each vector, masked at first", () => {
    const { bus, fn, at, program, messages } = withMsix()
    assert.strictEqual(bus.memory.read(table + 12, 32), 1)
    program(1, 0)
    fn.writeConfig(at + 2, 16, 0x8000)
    fn.signal(1)
    fn.signal(0)
    fn.signal(7)
    assert.deepStrictEqual(messages, [[0x10, 0xfee0_0000, 0x51]])
    assert.strictEqual(bus.memory.read(table + 0x800, 32), 1)
  })

  it("sends what was pending when its vector, or the function, is unmasked", () => {
    const { bus, fn, at, program, messages } = withMsix()
    program(0, 1)
    program(2, 0)
    fn.writeConfig(at + 2, 16, 0xc000)
    fn.signal(0)
    fn.signal(2)
    assert.strictEqual(bus.memory.read(table + 0x800, 32), 5)
    fn.writeConfig(at + 2, 16, 0x8000)
    assert.deepStrictEqual(messages, [[0x10, 0xfee0_0000, 0x52]])
    bus.memory.write(table + 12, 32, 0)
    assert.deepStrictEqual(messages[1], [0x10, 0xfee0_0000, 0x50])
    assert.strictEqual(bus.memory.read(table + 0x800, 32), 0)
  })
})

describe("DMA", () => {
  it("needs bus mastering, and carries the function's number", () => {
    const { bus, dma } = aBus()
    const { fn } = aFunction()
    bus.attach(slot(4), fn)
    assert.isFalse(fn.dma.read(0x1000, new Uint8Array(4)))
    fn.writeConfig(COMMAND, 16, master)
    assert.isTrue(fn.dma.read(0x1000, new Uint8Array(4)))
    assert.isTrue(fn.dma.write(0x2000, new Uint8Array(4)))
    assert.deepStrictEqual(dma, [
      [0x20, 0x1000],
      [0x20, 0x2000]
    ])
  })

  it("to FEEx_xxxxH is an interrupt, if it is a doubleword", () => {
    const { bus, dma, messages } = aBus()
    const { fn } = aFunction()
    bus.attach(slot(4), fn)
    fn.writeConfig(COMMAND, 16, master)
    assert.isTrue(fn.dma.write(0xfee0_2000, Uint8Array.of(0x41, 0x40, 0, 0)))
    assert.isFalse(fn.dma.write(0xfee0_2000, new Uint8Array(8)))
    assert.deepStrictEqual(messages, [[0x20, 0xfee0_2000, 0x4041]])
    assert.deepStrictEqual(dma, [])
  })
})
