import { assert, describe, it } from "vitest"
import { Pic } from "../../src/devices/pic.ts"

const aPic = (icw4 = 1) => {
  const state = { intr: false }
  const pic = new Pic((level) => {
    state.intr = level
  })
  const [master, slave] = pic.commands
  master.write(0, 8, 0x11)
  master.write(1, 8, 0x20)
  master.write(1, 8, 4)
  master.write(1, 8, icw4)
  slave.write(0, 8, 0x11)
  slave.write(1, 8, 0x28)
  slave.write(1, 8, 2)
  slave.write(1, 8, 1)
  return { pic, master, slave, intr: () => state.intr }
}

const raise = (pic: Pic, ...irqs: number[]) => {
  for (const irq of irqs) pic.setLine(irq, true)
}
const isrOf = (chip: Pic["edgeLevel"]) => {
  chip.write(0, 8, 0x0b)
  return chip.read(0, 8)
}
const irrOf = (chip: Pic["edgeLevel"]) => {
  chip.write(0, 8, 0x0a)
  return chip.read(0, 8)
}

describe("an 8259A", () => {
  it("gives the vector that ICW2 began, and serves the level until its EOI", () => {
    const { pic, master, intr } = aPic()
    raise(pic, 3)
    assert.isTrue(intr())
    assert.strictEqual(pic.acknowledge(), 0x23)
    assert.isFalse(intr())
    assert.strictEqual(isrOf(master), 8)
    assert.strictEqual(irrOf(master), 0)
    master.write(0, 8, 0x20)
    assert.strictEqual(isrOf(master), 0)
  })

  it("needs another edge for another interrupt", () => {
    const { pic, master, intr } = aPic()
    raise(pic, 3)
    pic.acknowledge()
    master.write(0, 8, 0x20)
    raise(pic, 3)
    assert.isFalse(intr())
    pic.setLine(3, false)
    raise(pic, 3)
    assert.isTrue(intr())
  })

  it("serves IRQ 0 before IRQ 7, and lets a higher level interrupt a lower", () => {
    const { pic, intr } = aPic()
    raise(pic, 7, 4)
    assert.strictEqual(pic.acknowledge(), 0x24)
    assert.isFalse(intr())
    raise(pic, 1)
    assert.isTrue(intr())
    assert.strictEqual(pic.acknowledge(), 0x21)
  })

  it("does not interrupt for masked levels, but keeps their requests", () => {
    const { pic, master, intr } = aPic()
    master.write(1, 8, 0x08)
    raise(pic, 3)
    assert.isFalse(intr())
    assert.strictEqual(irrOf(master), 8)
    master.write(1, 8, 0)
    assert.isTrue(intr())
    assert.strictEqual(master.read(1, 8), 0)
  })

  it("answers with IR7 when the request has gone, and serves nothing", () => {
    const { pic, master } = aPic()
    raise(pic, 3)
    pic.setLine(3, false)
    assert.strictEqual(pic.acknowledge(), 0x27)
    assert.strictEqual(isrOf(master), 0)
  })

  it("forgets masks, service and priorities at ICW1", () => {
    const { pic, master } = aPic()
    raise(pic, 3)
    pic.acknowledge()
    master.write(1, 8, 0xff)
    master.write(0, 8, 0x13)
    master.write(1, 8, 0x40)
    master.write(1, 8, 1)
    assert.strictEqual(master.read(1, 8), 0)
    assert.strictEqual(isrOf(master), 0)
    pic.setLine(3, false)
    raise(pic, 3)
    assert.strictEqual(pic.acknowledge(), 0x43)
  })
})

describe("the slave", () => {
  it("interrupts through the master's input 2", () => {
    const { pic, master, slave, intr } = aPic()
    raise(pic, 12)
    assert.isTrue(intr())
    assert.strictEqual(pic.acknowledge(), 0x2c)
    assert.strictEqual(isrOf(master), 4)
    assert.strictEqual(isrOf(slave), 0x10)
    slave.write(0, 8, 0x20)
    master.write(0, 8, 0x20)
    assert.strictEqual(isrOf(slave), 0)
  })

  it("answers with IRQ 15 when its request has gone while the master serves it", () => {
    const { pic, master, slave } = aPic()
    slave.write(1, 8, 0)
    raise(pic, 12)
    // The master has taken the cascade's request, but the slave has nothing left.
    slave.write(0, 8, 0x0c)
    slave.read(0, 8)
    assert.strictEqual(isrOf(slave), 0x10)
    assert.strictEqual(pic.acknowledge(), 0x27)
    assert.strictEqual(isrOf(master), 0)
  })

  it("in special fully nested mode interrupts its own lower level", () => {
    const { pic, intr } = aPic(0x11)
    raise(pic, 12)
    pic.acknowledge()
    raise(pic, 9)
    assert.isTrue(intr())
    assert.strictEqual(pic.acknowledge(), 0x29)
  })

  it("does not without that mode", () => {
    const { pic, intr } = aPic()
    raise(pic, 12)
    pic.acknowledge()
    raise(pic, 9)
    assert.isFalse(intr())
  })
})

describe("a slave with automatic EOI", () => {
  it("interrupts again for what it has left", () => {
    const { pic, master, slave, intr } = aPic()
    slave.write(0, 8, 0x11)
    slave.write(1, 8, 0x28)
    slave.write(1, 8, 2)
    slave.write(1, 8, 3)
    raise(pic, 9, 12)
    assert.strictEqual(pic.acknowledge(), 0x29)
    master.write(0, 8, 0x20)
    assert.isTrue(intr())
    assert.strictEqual(pic.acknowledge(), 0x2c)
  })
})

describe("rotation", () => {
  it("on a non-specific EOI makes the level just served the lowest", () => {
    const { pic, master } = aPic()
    raise(pic, 3)
    pic.acknowledge()
    master.write(0, 8, 0xa0)
    raise(pic, 1, 4)
    assert.strictEqual(pic.acknowledge(), 0x24)
  })

  it("on a specific EOI and by set priority makes the named level the lowest", () => {
    const { pic, master } = aPic()
    raise(pic, 5)
    pic.acknowledge()
    master.write(0, 8, 0xe5)
    assert.strictEqual(isrOf(master), 0)
    raise(pic, 0, 6)
    assert.strictEqual(pic.acknowledge(), 0x26)
    master.write(0, 8, 0x66)
    master.write(0, 8, 0xc7)
    assert.strictEqual(pic.acknowledge(), 0x20)
  })
})

describe("automatic EOI", () => {
  it("serves nothing after the acknowledgment", () => {
    const { pic, master } = aPic(3)
    raise(pic, 3)
    assert.strictEqual(pic.acknowledge(), 0x23)
    assert.strictEqual(isrOf(master), 0)
  })

  it("rotates if asked to", () => {
    const { pic, master } = aPic(3)
    master.write(0, 8, 0x80)
    raise(pic, 3)
    pic.acknowledge()
    raise(pic, 1, 4)
    assert.strictEqual(pic.acknowledge(), 0x24)
  })
})

describe("special mask mode", () => {
  it("lets lower levels in when the served level is masked, and keeps that level from a non-specific EOI", () => {
    const { pic, master, intr } = aPic()
    raise(pic, 3)
    pic.acknowledge()
    raise(pic, 5)
    assert.isFalse(intr())
    master.write(1, 8, 0x08)
    master.write(0, 8, 0x68)
    assert.isTrue(intr())
    assert.strictEqual(pic.acknowledge(), 0x25)
    master.write(0, 8, 0x20)
    assert.strictEqual(isrOf(master), 8)
    master.write(0, 8, 0x63)
    assert.strictEqual(isrOf(master), 0)
  })
})

describe("the poll command", () => {
  it("makes the next read an acknowledgment", () => {
    const { pic, master } = aPic()
    raise(pic, 6)
    master.write(0, 8, 0x0c)
    assert.strictEqual(master.read(0, 8), 0x86)
    assert.strictEqual(isrOf(master), 0x40)
    master.write(0, 8, 0x0c)
    assert.strictEqual(master.read(0, 8), 0)
  })
})

describe("the edge/level registers", () => {
  it("make a level interrupt as long as its line is high", () => {
    const { pic, master, slave, intr } = aPic()
    pic.edgeLevel.write(1, 8, 0x04)
    raise(pic, 10)
    assert.strictEqual(pic.acknowledge(), 0x2a)
    slave.write(0, 8, 0x20)
    master.write(0, 8, 0x20)
    assert.isTrue(intr())
    pic.setLine(10, false)
    assert.isFalse(intr())
  })

  it("leave the timer, keyboard, cascade, clock and coprocessor edge-triggered", () => {
    const { pic } = aPic()
    pic.edgeLevel.write(0, 8, 0xff)
    pic.edgeLevel.write(1, 8, 0xff)
    assert.strictEqual(pic.edgeLevel.read(0, 8), 0xf8)
    assert.strictEqual(pic.edgeLevel.read(1, 8), 0xde)
  })
})
