/**
 * pci-testdev: QEMU's PCI device for testing accesses. Each of its two ranges counts the writes of a test that software chooses.
 *
 * QEMU's documentation, "QEMU PCI test device".
 */
import { PciFunction } from "./pciFunction.ts"
import type { Target } from "./Wires.ts"

/** struct PCITestDevHdr: what a range begins with. */
// biome-ignore format: a table
const header = { test: 0, width: 1, offset: 4, data: 8, count: 12, name: 16 } as const

/** Of memory and of ports: the header is in the first half, what a test writes to is in the second. */
const halves = { memory: 0x800, io: 0x80 } as const

/** The tests of a range: each writes a byte at a place of its own. What is written must be `data` only in the last. */
const names = ["no-eventfd", "wildcard-eventfd", "datamatch-eventfd"] as const
const data = 0xfa
const byteWide = 1

export class PciTestDevice {
  readonly fn = new PciFunction({ vendor: 0x1b36, device: 0x0005, classCode: 0xff_0000 }, () => {
    for (const range of this.ranges) range.reset()
  })
  private readonly ranges = [new Tests(halves.memory), new Tests(halves.io)]

  constructor() {
    this.fn.addRange(0, { kind: "memory", bytes: 2 * halves.memory, target: this.ranges[0]! })
    this.fn.addRange(1, { kind: "io", bytes: 2 * halves.io, target: this.ranges[1]! })
  }
}

class Tests implements Target {
  private readonly half: number
  private chosen = 0
  private count = 0
  private bytes: Uint8Array

  constructor(half: number) {
    this.half = half
    this.bytes = this.headerOf(0)
  }

  reset(): void {
    this.choose(0)
  }

  read(offset: number, width: number): number {
    let value = 0
    for (let n = width / 8 - 1; n >= 0; n--) value = value * 256 + (this.bytes[offset + n] ?? 0)
    return value
  }

  write(offset: number, width: number, value: number): void {
    if (offset === header.test && width === 8) this.choose(value)
    else if (offset === this.half + this.chosen && width === 8 && (this.chosen < 2 || value === data)) {
      this.count++
      new DataView(this.bytes.buffer).setUint32(header.count, this.count, true)
    }
  }

  private choose(test: number): void {
    this.chosen = test
    this.count = 0
    this.bytes = this.headerOf(test)
  }

  /** A test that is not there has a width that none has. */
  private headerOf(test: number): Uint8Array {
    const name = names[test]
    const bytes = new Uint8Array(header.name + 32)
    if (name === undefined) return bytes
    const view = new DataView(bytes.buffer)
    bytes[header.width] = byteWide
    view.setUint32(header.offset, this.half + test, true)
    view.setUint32(header.data, data, true)
    bytes.set(new TextEncoder().encode(name), header.name)
    return bytes
  }
}
