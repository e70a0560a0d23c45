/**
 * The 16550A UART: registers, FIFOs, interrupt identification, as a state machine without a wire.
 *
 * Texas Instruments, "PC16550D Universal Asynchronous Receiver/Transmitter With FIFOs", table "Register Summary".
 * Characters leave at once and take no time.
 */
import type { Target, Wire } from "./Wires.ts"

/** Where a register is: its offset, and what selects it where two share one. */
// biome-ignore format: a register, a line
export const registers = {
  RBR: 0, // read, DLAB = 0: receiver buffer
  THR: 0, // write, DLAB = 0: transmitter holding
  DLL: 0, // DLAB = 1: divisor latch, low
  IER: 1, // DLAB = 0: interrupt enable
  DLM: 1, // DLAB = 1: divisor latch, high
  IIR: 2, // read: interrupt identification
  FCR: 2, // write: FIFO control
  LCR: 3, // line control
  MCR: 4, // modem control
  LSR: 5, // line status
  MSR: 6, // modem status
  SCR: 7  // scratch
} as const

// biome-ignore format: a table
export const bits = {
  IER: { receivedData: 1, transmitterEmpty: 2, lineStatus: 4, modemStatus: 8 },
  FCR: { enable: 1, clearReceiver: 2, clearTransmitter: 4 },
  LCR: { DLAB: 0x80 },
  MCR: { DTR: 1, RTS: 2, OUT1: 4, OUT2: 8, loop: 0x10 },
  LSR: { dataReady: 1, overrun: 2, holdingEmpty: 0x20, transmitterEmpty: 0x40 },
  MSR: { CTS: 0x10, DSR: 0x20, RI: 0x40, DCD: 0x80 }
} as const

/** Interrupt identification, the most urgent first. Table "Interrupt Control Functions". */
const identification = {
  modemStatus: 0,
  lineStatus: 6,
  receivedData: 4,
  transmitterEmpty: 2,
  none: 1,
  fifos: 0xc0
} as const

const fifoDepth = 16

export interface Wires {
  /** A character leaves. */
  readonly transmit: (byte: number) => void
  /** A character that has arrived, if any: asked for when software looks. */
  readonly receive: () => number | undefined
  /** The level of INTR, when it changes. */
  readonly interrupt: Wire
}

/** Its registers have 8 bits: accesses are of one of them. */
export class Uart16550 implements Target {
  private readonly wires: Wires
  private IER = 0
  private FCR = 0
  private LCR = 0
  private MCR = 0
  private SCR = 0
  private divisor = 0
  private overrun = false
  /** Bits 3 to 0 of MSR: which of its inputs have changed since it was read; of RI, that it has become inactive. */
  private changes = 0
  /** The transmitter has become empty, and nobody has been told. */
  private emptied = false
  private readonly received: number[] = []
  private level = false

  constructor(wires: Wires) {
    this.wires = wires
  }

  /** MR, "master reset": no interrupt is enabled, the FIFOs are empty. */
  reset(): void {
    this.IER = 0
    this.FCR = 0
    this.LCR = 0
    this.MCR = 0
    this.overrun = false
    this.changes = 0
    this.emptied = false
    this.received.length = 0
    this.signal()
  }

  read = (offset: number): number => {
    const value = this.readRegister(offset)
    this.signal()
    return value
  }

  write = (offset: number, _width: number, value: number): void => {
    this.writeRegister(offset, value)
    this.signal()
  }

  /** Something has arrived at the other end of the line. */
  look(): void {
    this.take()
    this.signal()
  }

  private get DLAB(): boolean {
    return (this.LCR & bits.LCR.DLAB) !== 0
  }

  private readRegister(offset: number): number {
    this.take()
    switch (offset) {
      case registers.RBR:
        return this.DLAB ? this.divisor & 0xff : (this.received.shift() ?? 0)
      case registers.IER:
        return this.DLAB ? this.divisor >>> 8 : this.IER
      case registers.IIR: {
        const identified = this.identify()
        // "Reading the IIR register (if source of interrupt) resets the transmitter holding register empty interrupt."
        if (identified === identification.transmitterEmpty) this.emptied = false
        return identified | (this.FCR & bits.FCR.enable ? identification.fifos : 0)
      }
      case registers.LCR:
        return this.LCR
      case registers.MCR:
        return this.MCR
      case registers.LSR: {
        const value =
          bits.LSR.holdingEmpty |
          bits.LSR.transmitterEmpty |
          (this.received.length > 0 ? bits.LSR.dataReady : 0) |
          (this.overrun ? bits.LSR.overrun : 0)
        this.overrun = false
        return value
      }
      case registers.MSR: {
        const value = this.modemInputs() | this.changes
        this.changes = 0
        return value
      }
      default:
        return this.SCR
    }
  }

  private writeRegister(offset: number, value: number): void {
    switch (offset) {
      case registers.THR:
        if (this.DLAB) this.divisor = (this.divisor & 0xff00) | value
        else this.send(value)
        return
      case registers.IER:
        if (this.DLAB) this.divisor = (this.divisor & 0xff) | (value << 8)
        else {
          // Enabling the interrupt of an empty transmitter raises it.
          if (value & ~this.IER & bits.IER.transmitterEmpty) this.emptied = true
          this.IER = value & 0x0f
        }
        return
      case registers.FCR:
        if ((value ^ this.FCR) & bits.FCR.enable || value & bits.FCR.clearReceiver) this.received.length = 0
        this.FCR = value & 0xc9
        return
      case registers.LCR:
        this.LCR = value
        return
      case registers.MCR:
        this.control(value & 0x1f)
        return
      case registers.SCR:
        this.SCR = value
        return
      // LSR and MSR are read only.
    }
  }

  private send(value: number): void {
    // "Writing into the transmitter holding register" resets its interrupt: that it is empty again is another one, with an edge of its own.
    this.emptied = false
    this.signal()
    this.emptied = true
    if (this.MCR & bits.MCR.loop) this.accept(value)
    else this.wires.transmit(value)
  }

  /** What has arrived goes into the FIFO as long as it has room; the rest waits at the other end of the line. */
  private take(): void {
    const depth = this.FCR & bits.FCR.enable ? fifoDepth : 1
    while (this.received.length < depth && !(this.MCR & bits.MCR.loop)) {
      const byte = this.wires.receive()
      if (byte === undefined) return
      this.received.push(byte)
    }
  }

  private accept(value: number): void {
    const depth = this.FCR & bits.FCR.enable ? fifoDepth : 1
    if (this.received.length === depth) this.overrun = true
    else this.received.push(value)
  }

  /**
   * "Loop: the four modem control outputs are internally connected to the four modem control inputs." Else the other
   * end is there and ready.
   */
  private modemInputs(): number {
    if (!(this.MCR & bits.MCR.loop)) return bits.MSR.CTS | bits.MSR.DSR | bits.MSR.DCD
    const { MCR } = this
    return (
      (MCR & bits.MCR.RTS ? bits.MSR.CTS : 0) |
      (MCR & bits.MCR.DTR ? bits.MSR.DSR : 0) |
      (MCR & bits.MCR.OUT1 ? bits.MSR.RI : 0) |
      (MCR & bits.MCR.OUT2 ? bits.MSR.DCD : 0)
    )
  }

  /** "Modem status register": "delta" bits, and "trailing edge of ring indicator". */
  private control(MCR: number): void {
    const before = this.modemInputs()
    this.MCR = MCR
    const now = this.modemInputs()
    const { CTS, DSR, RI, DCD } = bits.MSR
    this.changes |= (((before ^ now) & (CTS | DSR | DCD)) | (before & ~now & RI)) >>> 4
  }

  private identify(): number {
    if (this.overrun && this.IER & bits.IER.lineStatus) return identification.lineStatus
    if (this.received.length > 0 && this.IER & bits.IER.receivedData) return identification.receivedData
    if (this.emptied && this.IER & bits.IER.transmitterEmpty) return identification.transmitterEmpty
    if (this.changes !== 0 && this.IER & bits.IER.modemStatus) return identification.modemStatus
    return identification.none
  }

  private signal(): void {
    const level = this.identify() !== identification.none
    if (level === this.level) return
    this.level = level
    this.wires.interrupt(level)
  }
}
