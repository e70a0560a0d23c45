/**
 * Bus: which device answers at which address, of memory outside RAM and of the IO ports.
 *
 * A device is registered for a range with a window for each width that it understands. Where nobody is, reads give ones and writes vanish. A device hears
 * its own offsets. A wider access than a device understands is taken apart, lowest part first; a narrower one reads and writes ones beside it.
 */

export type BusWidth = 8 | 16 | 32

/** What a device is to the bus. Values are unsigned. */
export interface Device {
  readonly name: string
  /** The width of its registers, in bits. */
  readonly width: BusWidth
  readonly read: (offset: number) => number
  readonly write: (offset: number, value: number) => void
}

interface Range {
  readonly start: number
  /** The first address behind it. */
  readonly end: number
  readonly device: Device
}

const ones = (width: BusWidth): number => (width === 32 ? 0xffff_ffff : (1 << width) - 1)

/** Addresses of one kind, with at most one device at each. */
class Space {
  private readonly ranges: Range[] = []

  /** @throws if another device is there already: two wires drive one bus. */
  add(start: number, bytes: number, device: Device): void {
    const end = start + bytes
    const other = this.ranges.find((range) => range.start < end && start < range.end)
    if (other)
      throw new Error(
        `${device.name} and ${other.device.name} both answer at ${Math.max(start, other.start).toString(16)}H`
      )
    this.ranges.push({ start, end, device })
  }

  private at(address: number): Range | undefined {
    for (const range of this.ranges) if (address >= range.start && address < range.end) return range
    return undefined
  }

  read(address: number, width: BusWidth): number {
    const range = this.at(address)
    if (range === undefined) return width === 8 ? 0xff : this.readParts(address, width)
    const { device, start } = range
    if (device.width === width) return device.read(address - start) & ones(width)
    return device.width < width ? this.readParts(address, width) : this.readPart(range, address, width)
  }

  private readParts(address: number, width: BusWidth): number {
    const half = (width / 2) as BusWidth
    return this.read(address, half) + this.read(address + half / 8, half) * 2 ** half
  }

  private readPart({ device, start }: Range, address: number, width: BusWidth): number {
    const bytes = device.width / 8
    const offset = address - start
    const value = device.read(Math.floor(offset / bytes) * bytes)
    return (value >>> ((offset % bytes) * 8)) & ones(width)
  }

  write(address: number, width: BusWidth, value: number): void {
    const range = this.at(address)
    if (range !== undefined && range.device.width === width) range.device.write(address - range.start, value)
    // A part of a wider register is not written: no device here takes one.
    const understood = range === undefined ? 8 : range.device.width
    if (understood >= width) return
    const half = (width / 2) as BusWidth
    this.write(address, half, value % 2 ** half)
    this.write(address + half / 8, half, Math.floor(value / 2 ** half))
  }
}

export class Bus {
  private readonly memory = new Space()
  private readonly ports = new Space()

  addMemory(start: number, bytes: number, device: Device): void {
    this.memory.add(start, bytes, device)
  }

  addPorts(start: number, count: number, device: Device): void {
    this.ports.add(start, count, device)
  }

  /** Memory outside RAM; the address is aligned to the width. */
  read(address: number, width: number): number {
    return this.memory.read(address, width as BusWidth)
  }

  write(address: number, width: number, value: number): void {
    this.memory.write(address, width as BusWidth, value)
  }

  readPort(port: number, width: BusWidth): number {
    return this.ports.read(port, width)
  }

  writePort(port: number, width: BusWidth, value: number): void {
    this.ports.write(port, width, value)
  }
}
