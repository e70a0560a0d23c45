import { assert, describe, it } from "@effect/vitest"
import { bits, registers, Uart16550 } from "../../src/devices/uart16550.ts"

const { RBR, THR, DLL, IER, DLM, IIR, FCR, LCR, MCR, LSR, MSR, SCR } = registers

/** A UART, what it sent, what waits on its line, the level of its interrupt, and how often it rose. */
const aUart = (...waiting: number[]) => {
  const line = { sent: [] as number[], waiting, level: false, edges: 0 }
  const chip = new Uart16550({
    transmit: (byte) => line.sent.push(byte),
    receive: () => line.waiting.shift(),
    interrupt: (level) => {
      if (level && !line.level) line.edges++
      line.level = level
    }
  })
  const uart = {
    read: (register: number) => chip.read(register),
    write: (register: number, value: number) => chip.write(register, 8, value)
  }
  return { uart, line }
}

describe("the 16550", () => {
  it("sends what is written to THR, and is empty at once", () => {
    const { uart, line } = aUart()
    for (const byte of [0x48, 0x69]) uart.write(THR, byte)

    assert.deepStrictEqual(line.sent, [0x48, 0x69])
    assert.strictEqual(uart.read(LSR), bits.LSR.holdingEmpty | bits.LSR.transmitterEmpty)
  })

  it("has the divisor in the place of data and interrupt enable while DLAB is 1", () => {
    const { uart, line } = aUart()
    uart.write(LCR, 0x83)
    uart.write(DLL, 0x0c)
    uart.write(DLM, 0x01)
    assert.deepStrictEqual([uart.read(DLL), uart.read(DLM)], [0x0c, 0x01])
    uart.write(LCR, 0x03)
    assert.deepStrictEqual([uart.read(IER), line.sent], [0, []])
  })

  it("says when data is there, and gives it in order", () => {
    const { uart } = aUart(1, 2, 3)
    uart.write(FCR, bits.FCR.enable)
    assert.strictEqual(uart.read(LSR) & bits.LSR.dataReady, bits.LSR.dataReady)
    assert.deepStrictEqual([uart.read(RBR), uart.read(RBR), uart.read(RBR)], [1, 2, 3])
    assert.strictEqual(uart.read(LSR) & bits.LSR.dataReady, 0)
    assert.strictEqual(uart.read(RBR), 0)
  })

  it("holds one character without its FIFO, sixteen with it; the rest waits on the line", () => {
    const { uart, line } = aUart(...Array.from({ length: 20 }, (_, n) => n))
    uart.read(LSR)
    assert.strictEqual(line.waiting.length, 19)
    uart.write(FCR, bits.FCR.enable)
    uart.read(LSR)
    assert.strictEqual(line.waiting.length, 3)
  })

  it("is identified as a 16550A by its FIFO bits", () => {
    const { uart } = aUart()
    assert.strictEqual(uart.read(IIR), 0x01)
    uart.write(FCR, bits.FCR.enable)
    assert.strictEqual(uart.read(IIR), 0xc1)
  })

  it("interrupts when its transmitter is empty, until that is identified", () => {
    const { uart, line } = aUart()
    uart.write(IER, bits.IER.transmitterEmpty)
    assert.isTrue(line.level)
    assert.strictEqual(uart.read(IIR), 0x02)
    assert.isFalse(line.level)
    uart.write(THR, 0x41)
    assert.isTrue(line.level)
  })

  it("interrupts anew for every character that leaves, to whoever looks for edges", () => {
    const { uart, line } = aUart()
    uart.write(IER, bits.IER.transmitterEmpty)
    const before = line.edges
    for (const byte of [0x41, 0x42, 0x43]) uart.write(THR, byte)
    assert.strictEqual(line.edges - before, 3)
  })

  it("interrupts as long as there is data, which is more urgent", () => {
    const { uart, line } = aUart(7)
    uart.write(IER, bits.IER.receivedData | bits.IER.transmitterEmpty)
    assert.strictEqual(uart.read(IIR), 0x04)
    assert.strictEqual(uart.read(RBR), 7)
    assert.strictEqual(uart.read(IIR), 0x02)
    assert.isFalse(line.level)
  })

  it("in loop hears itself, and its modem outputs are its inputs", () => {
    const { uart, line } = aUart(9)
    uart.write(MCR, bits.MCR.loop | bits.MCR.RTS | bits.MCR.OUT2)
    uart.write(THR, 0x55)
    assert.strictEqual(uart.read(RBR), 0x55)
    assert.deepStrictEqual(line.sent, [])
    assert.strictEqual(uart.read(MSR) & 0xf0, bits.MSR.CTS | bits.MSR.DCD)
  })

  it("in loop notes which of its modem inputs have changed, and interrupts for that until it was read", () => {
    const { uart, line } = aUart()
    uart.write(MCR, bits.MCR.loop | bits.MCR.OUT1)
    uart.read(MSR)
    uart.write(IER, bits.IER.modemStatus)
    assert.isFalse(line.level)
    uart.write(MCR, bits.MCR.loop | bits.MCR.RTS)
    assert.isTrue(line.level)
    assert.strictEqual(uart.read(IIR), 0)
    // CTS has come, and the bell has stopped.
    assert.strictEqual(uart.read(MSR), bits.MSR.CTS | 0b0101)
    assert.isFalse(line.level)
    assert.strictEqual(uart.read(MSR), bits.MSR.CTS)
  })

  it("in loop loses what it has no room for, and says so once", () => {
    const { uart } = aUart()
    uart.write(MCR, bits.MCR.loop)
    uart.write(THR, 1)
    uart.write(THR, 2)
    assert.strictEqual(uart.read(LSR) & bits.LSR.overrun, bits.LSR.overrun)
    assert.strictEqual(uart.read(LSR) & bits.LSR.overrun, 0)
    assert.strictEqual(uart.read(RBR), 1)
  })

  it("has a scratch register", () => {
    const { uart } = aUart()
    uart.write(SCR, 0xa5)
    assert.strictEqual(uart.read(SCR), 0xa5)
  })
})
