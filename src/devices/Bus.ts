/**
 * Bus: which chip answers at which address, of memory outside RAM and of the IO ports.
 *
 * A chip hears offsets from where it is mapped, in accesses no wider than it understands and wholly its own: others
 * are taken apart, the lowest part first. Where nobody is, reads give ones and writes vanish.
 */
import { ones, type Target } from "./Wires.ts"

export type BusWidth = 8 | 16 | 32

/** A chip at an address. */
export interface Mapping {
  /** For reports. */
  readonly name: string
  readonly start: number
  readonly bytes: number
  readonly target: Target
  /** The widest access that it understands, in bits; 32 if not said. */
  readonly widest?: BusWidth
  /** How long it takes to answer, in nanoseconds; 0 if not said. */
  readonly takes?: number
}

const end = ({ start, bytes }: Mapping): number => start + bytes

/** Addresses of one kind, with at most one chip at each. */
class Space {
  private readonly mappings: Mapping[] = []
  private readonly wait: (time: number) => void

  constructor(wait: (time: number) => void) {
    this.wait = wait
  }

  /** @throws if another chip is there already: two would drive one wire. */
  add(mapping: Mapping): void {
    const other = this.mappings.find((one) => one.start < end(mapping) && mapping.start < end(one))
    if (other) {
      const where = Math.max(mapping.start, other.start).toString(16).toUpperCase()
      throw new Error(`${mapping.name} and ${other.name} both answer at ${where}H`)
    }
    this.mappings.push(mapping)
  }

  /** Who answers an access as it is; undefined if nobody, or only parts of it. */
  private whole(address: number, width: BusWidth): Mapping | undefined {
    for (const mapping of this.mappings) {
      const { start, widest = 32 } = mapping
      if (address >= start && address + width / 8 <= end(mapping) && width <= widest) return mapping
    }
    return undefined
  }

  /** Whose an address is. */
  nameAt(address: number): string | undefined {
    return this.mappings.find((mapping) => address >= mapping.start && address < end(mapping))?.name
  }

  read(address: number, width: BusWidth): number {
    const mapping = this.whole(address, width)
    if (mapping) {
      if (mapping.takes !== undefined) this.wait(mapping.takes)
      return mapping.target.read(address - mapping.start, width)
    }
    if (width === 8) return ones(8)
    const half = (width / 2) as BusWidth
    return this.read(address, half) + this.read(address + half / 8, half) * 2 ** half
  }

  write(address: number, width: BusWidth, value: number): void {
    const mapping = this.whole(address, width)
    if (mapping) {
      if (mapping.takes !== undefined) this.wait(mapping.takes)
      mapping.target.write(address - mapping.start, width, value)
    } else if (width > 8) {
      const half = (width / 2) as BusWidth
      this.write(address, half, value % 2 ** half)
      this.write(address + half / 8, half, Math.floor(value / 2 ** half))
    }
  }
}

/** What was accessed: who answered, if anybody did, and what was read or written. */
export interface BusAccess {
  readonly space: "memory" | "ports"
  readonly isWrite: boolean
  readonly address: number
  readonly width: BusWidth
  readonly value: number
  readonly name: string | undefined
}

export class Bus {
  private readonly memory: Space
  private readonly ports: Space
  /** Who wants to know of accesses. It makes no difference to them. */
  watch: ((access: BusAccess) => void) | undefined

  /** `wait`: so many nanoseconds pass, in which whoever makes the access waits. */
  constructor(wait: (time: number) => void = () => {}) {
    this.memory = new Space(wait)
    this.ports = new Space(wait)
  }

  addMemory(mapping: Mapping): void {
    this.memory.add(mapping)
  }

  addPorts(mapping: Mapping): void {
    this.ports.add(mapping)
  }

  /** Memory outside RAM; the address is aligned to the width. */
  read(address: number, width: BusWidth): number {
    const value = this.memory.read(address, width)
    this.watch?.({ space: "memory", isWrite: false, address, width, value, name: this.memory.nameAt(address) })
    return value
  }

  write(address: number, width: BusWidth, value: number): void {
    this.watch?.({ space: "memory", isWrite: true, address, width, value, name: this.memory.nameAt(address) })
    this.memory.write(address, width, value)
  }

  readPort(port: number, width: BusWidth): number {
    const value = this.ports.read(port, width)
    this.watch?.({ space: "ports", isWrite: false, address: port, width, value, name: this.ports.nameAt(port) })
    return value
  }

  writePort(port: number, width: BusWidth, value: number): void {
    this.watch?.({ space: "ports", isWrite: true, address: port, width, value, name: this.ports.nameAt(port) })
    this.ports.write(port, width, value)
  }
}
