/**
 * A PCI function: its configuration space, the addresses that it answers, and its way upstream.
 *
 * PCI Local Bus Specification 3.0, "Base Addresses", "Device Control", "Interrupt Pin".
 */
import { isMessageAddress } from "./interruptMessages.ts"
import { Msi, Msix } from "./msi.ts"
import { BAR, ConfigSpace, header, type Identity } from "./pciConfig.ts"
import { get, mask, ro, rw } from "./registers.ts"
import type { Dma, Target } from "./Wires.ts"

/** A range that the function answers; `bytes` is a power of two. A 64-bit one takes two registers. */
export interface Range {
  readonly kind: "io" | "memory" | "memory64"
  readonly bytes: number
  readonly target: Target
}

/** What is above a function. `source` is its bus, device and function: the requester ID. */
export interface Upstream {
  readonly read: (source: number, address: number, bytes: Uint8Array) => boolean
  readonly write: (source: number, address: number, bytes: Uint8Array) => boolean
  readonly message: (source: number, address: number, data: number) => boolean
}

/** The low bits of a base address register: what is not address. */
const kindBits = { io: 1, memory: 0, memory64: 4 } as const

/** Least sizes: "4 bytes of I/O space", 16 bytes of memory. */
const leastBytes = { io: 4, memory: 16, memory64: 16 } as const

export class PciFunction {
  readonly config: ConfigSpace
  readonly identity: Identity
  private readonly ranges: (Range | undefined)[] = []
  private msi: Msi | undefined
  private msix: Msix | undefined
  private source = 0
  private upstream: Upstream | undefined
  private line: (isAsserted: boolean) => void = () => undefined
  private hasInterrupt = false
  /** Registers of configuration space that are windows on something else. */
  private window: { readonly at: number; readonly target: Target } | undefined
  private readonly onReset: () => void

  /** `onReset`: the device's own part of a reset. */
  constructor(identity: Identity, onReset: () => void = () => undefined) {
    this.identity = identity
    this.config = new ConfigSpace(identity)
    this.onReset = onReset
  }

  /** The bus takes it. `line` is asserted or not: its interrupt pin. */
  connect(source: number, upstream: Upstream, line: (isAsserted: boolean) => void): void {
    this.source = source
    this.upstream = upstream
    this.line = line
  }

  reset(): void {
    this.config.reset()
    this.msix?.reset()
    this.setInterrupt(false)
    this.onReset()
  }

  // ---- what it is made of

  /** Base address register `n`, 0 to 5. */
  addRange(n: number, range: Range): void {
    if (range.bytes < leastBytes[range.kind] || !isPowerOfTwo(range.bytes))
      throw new Error(`no range has ${range.bytes} bytes`)
    this.ranges[n] = range
    const low = Math.log2(range.bytes)
    this.config.declare({
      BAR: { offset: BAR + 4 * n, reset: kindBits[range.kind], fields: { ADDRESS: rw(31, low), KIND: ro(3, 0) } }
    })
    if (range.kind === "memory64")
      this.config.declare({ UPPER: { offset: BAR + 4 * n + 4, fields: { ADDRESS: rw(31, 0) } } })
  }

  /** So many vectors: a power of two, to 32. */
  addMsi(vectors: number): void {
    this.msi = new Msi(this.config, Math.log2(vectors), this.send)
  }

  /** Table and pending bits are the whole of base address register `n`. */
  addMsix(n: number, vectors: number): void {
    const msix = new Msix(this.config, n, vectors, this.send)
    this.msix = msix
    this.addRange(n, { kind: "memory", bytes: Msix.bytes, target: msix })
  }

  /** The doubleword of configuration space at `at` is `target`'s. */
  addWindow(at: number, target: Target): void {
    this.window = { at, target }
  }

  rangeAt(n: number): Range | undefined {
    return this.ranges[n]
  }

  get rangeCount(): number {
    return this.ranges.length
  }

  // ---- configuration accesses

  readConfig(offset: number, width: number): number {
    if (this.window && offset >>> 2 === this.window.at >>> 2) return this.window.target.read(offset & 3, width)
    return this.config.read(offset, width)
  }

  writeConfig(offset: number, width: number, value: number): void {
    if (this.window && offset >>> 2 === this.window.at >>> 2) {
      this.window.target.write(offset & 3, width, value)
      return
    }
    this.config.write(offset, width, value)
    this.msi?.written()
    this.msix?.written()
    this.drive()
  }

  // ---- accesses to its ranges

  /** Who answers at an address of memory or of IO, and at what offset; undefined: not this function. */
  decode(space: "memory" | "io", address: number): { readonly target: Target; readonly offset: number } | undefined {
    const command = this.config.get(header.COMMAND.offset, 16)
    const isOn = get(space === "io" ? header.COMMAND.fields.IO : header.COMMAND.fields.MEMORY, command) === 1
    if (!isOn) return undefined
    for (const [n, range] of this.ranges.entries()) {
      if (range === undefined || (range.kind === "io") !== (space === "io")) continue
      const offset = address - this.base(n, range)
      if (offset >= 0 && offset < range.bytes) return { target: range.target, offset }
    }
    return undefined
  }

  private base(n: number, range: Range): number {
    const low = this.config.get(BAR + 4 * n, 32)
    if (range.kind === "io") return low & 0xfffc
    const high = range.kind === "memory64" ? this.config.get(BAR + 4 * n + 4, 32) : 0
    return high * 2 ** 32 + low - (low & 0xf)
  }

  // ---- upstream: memory and interrupts

  /** A function that may not be bus master reaches nothing. A write to FEEx_xxxxH is an interrupt. */
  readonly dma: Dma = {
    read: (address, bytes) => this.isMaster() && (this.upstream?.read(this.source, address, bytes) ?? false),
    write: (address, bytes) => {
      if (!this.isMaster() || this.upstream === undefined) return false
      if (!isMessageAddress(address)) return this.upstream.write(this.source, address, bytes)
      return bytes.length === 4 && this.upstream.message(this.source, address, wordOf(bytes))
    }
  }

  private send = (address: number, data: number): void => {
    if (this.isMaster()) this.upstream?.message(this.source, address, data)
  }

  hasMessages(): boolean {
    return this.msix?.isEnabled() || this.msi?.isEnabled() || false
  }

  /** One interrupt, by message. Only while `hasMessages`. */
  signal(vector: number): void {
    if (this.msix?.isEnabled()) this.msix.signal(vector)
    else if (this.msi?.isEnabled()) this.msi.signal(vector)
  }

  /** The interrupt pin's state, as the status register shows it. */
  setInterrupt(level: boolean): void {
    this.hasInterrupt = level
    this.drive()
  }

  /** A function that uses messages does not use its pin. */
  private drive(): void {
    const { STATUS, COMMAND } = header
    const status = this.config.get(STATUS.offset, 16) & ~mask(STATUS.fields.INTERRUPT)
    this.config.put(STATUS.offset, 16, status | (this.hasInterrupt ? mask(STATUS.fields.INTERRUPT) : 0))
    const isDisabled = get(COMMAND.fields.INTX_DISABLE, this.config.get(COMMAND.offset, 16)) === 1
    this.line(this.hasInterrupt && !isDisabled && !this.hasMessages())
  }

  private isMaster(): boolean {
    return get(header.COMMAND.fields.MASTER, this.config.get(header.COMMAND.offset, 16)) === 1
  }
}

const isPowerOfTwo = (value: number): boolean => Number.isInteger(Math.log2(value))

const wordOf = (bytes: Uint8Array): number =>
  (bytes[0]! | (bytes[1]! << 8) | (bytes[2]! << 16) | (bytes[3]! << 24)) >>> 0
