/**
 * PCI bus 0 and its host bridge: how configuration, memory and port accesses find a function, and how its interrupt pins are wired.
 *
 * PCI Local Bus Specification 3.0, "Configuration Mechanism #1"; PCI Express Base Specification, "PCI Express Enhanced
 * Configuration Access Mechanism (ECAM)"; the host bridge is the Intel 82Q35's.
 */
import { memoryMap, pciIrqs, pciLine, pciPins, portMap } from "./addresses.ts"
import { BAR, header } from "./pciConfig.ts"
import { PciFunction, type Upstream } from "./pciFunction.ts"
import { mask, ro } from "./registers.ts"
import { ones, type Target } from "./Wires.ts"

/** A device and function number: 5 and 3 bits. */
export const slot = (device: number, fn = 0): number => (device << 3) | fn

export class PciBus {
  private readonly functions = new Map<number, PciFunction>()
  private readonly upstream: Upstream
  /** The functions that may reach memory and send messages, if they are bus masters. Undefined: all of them. */
  private trusted: ReadonlySet<number> | undefined
  private readonly output: (line: number, isAsserted: boolean) => void
  /** For each of the four interrupt lines, the functions that assert it. */
  private readonly asserted: readonly Set<number>[] = Array.from({ length: pciPins.count }, () => new Set())

  /** `output`: a line, 0 to 3, is asserted or not. At an IOAPIC pin that is a low level. */
  constructor(upstream: Upstream, output: (line: number, isAsserted: boolean) => void) {
    this.upstream = upstream
    this.output = output
    this.attach(slot(0), hostBridge())
  }

  /** @throws if there is a function already. */
  attach(at: number, added: PciFunction): void {
    if (this.functions.has(at)) throw new Error(`there is a PCI function at ${at >>> 3}.${at & 7}`)
    this.functions.set(at, added)
    const pin = added.identity.interruptPin ?? 0
    added.connect(at, this.upstreamOf(at), (isAsserted) => {
      if (pin > 0) this.drive(pciLine(at >>> 3, pin - 1), at, isAsserted)
    })
  }

  /** From now on functions but these reach nothing, whatever their command registers say: there is no IOMMU that could tell them apart. */
  confine(trusted: Iterable<number>): void {
    this.trusted = new Set(trusted)
  }

  private upstreamOf(at: number): Upstream {
    const { read, write, message } = this.upstream
    const mayReach = () => this.trusted?.has(at) !== false
    return {
      read: (...access) => mayReach() && read(...access),
      write: (...access) => mayReach() && write(...access),
      message: (...sent) => mayReach() && message(...sent)
    }
  }

  reset(): void {
    for (const each of this.functions.values()) each.reset()
  }

  /** All functions, by number. */
  entries(): IterableIterator<[number, PciFunction]> {
    return this.functions.entries()
  }

  private drive(line: number, at: number, isAsserted: boolean): void {
    if (isAsserted) this.asserted[line]!.add(at)
    else this.asserted[line]!.delete(at)
    this.output(line, this.asserted[line]!.size > 0)
  }

  // ---- configuration

  /** `bus` is the number on the wire: only bus 0 is there. Nobody answers: all ones. */
  readConfig(bus: number, at: number, offset: number, width: number): number {
    return (bus === 0 ? this.functions.get(at)?.readConfig(offset, width) : undefined) ?? ones(width)
  }

  writeConfig(bus: number, at: number, offset: number, width: number, value: number): void {
    if (bus === 0) this.functions.get(at)?.writeConfig(offset, width, value)
  }

  /** The ECAM window: 4 KiB for each function, 1 MiB for each bus. */
  readonly ecam: Target = {
    read: (offset, width) => this.readConfig(offset >>> 20, (offset >>> 12) & 0xff, offset & 0xfff, width),
    write: (offset, width, value) =>
      this.writeConfig(offset >>> 20, (offset >>> 12) & 0xff, offset & 0xfff, width, value)
  }

  // ---- memory and ports, by address

  readonly memory: Target = this.space("memory")
  readonly ports: Target = this.space("io")

  private space(kind: "memory" | "io"): Target {
    const find = (address: number) => {
      for (const each of this.functions.values()) {
        const found = each.decode(kind, address)
        if (found) return found
      }
      return undefined
    }
    return {
      read: (address, width) => {
        const found = find(address)
        return found ? found.target.read(found.offset, width) : ones(width)
      },
      write: (address, width, value) => {
        const found = find(address)
        found?.target.write(found.offset, width, value)
      }
    }
  }
}

/** The memory controller hub: it says where ECAM is (PCIEXBAR: 256 MiB, enabled). */
const hostBridge = (): PciFunction => {
  const bridge = new PciFunction({ vendor: 0x8086, device: 0x29c0, revision: 2, classCode: 0x06_0000 })
  // biome-ignore format: a table
  bridge.config.declare({
    PCIEXBAR: { offset: 0x60, reset: memoryMap.ecam.base + 1, fields: { BASE: ro(31, 28), LENGTH: ro(2, 1), ENABLE: ro(0) } }
  })
  return bridge
}

/**
 * Ports CF8H to CFFH. CONFIG_ADDRESS is written as a doubleword; the register is the OR of its low byte and of the low bits of the
 * port, as the boards of QEMU have it. Narrower accesses to its ports are not its own: CF9H is the reset control's.
 */
export class ConfigPorts {
  private readonly bus: PciBus
  private readonly resetControl: Target
  private latch = 0
  readonly address: Target
  readonly data: Target

  constructor(bus: PciBus, resetControl: Target) {
    this.bus = bus
    this.resetControl = resetControl
    this.address = { read: this.readAddress, write: this.writeAddress }
    this.data = { read: this.readData, write: this.writeData }
  }

  reset(): void {
    this.latch = 0
  }

  private readAddress = (offset: number, width: number): number => {
    if (width === 32) return this.latch
    return offset === 1 && width === 8 ? this.resetControl.read(0, 8) : ones(width)
  }

  private writeAddress = (offset: number, width: number, value: number): void => {
    if (width === 32) this.latch = value
    else if (offset === 1 && width === 8) this.resetControl.write(0, 8, value)
  }

  private isEnabled(): boolean {
    return this.latch >>> 31 === 1
  }

  private register(offset: number): number {
    return (this.latch | (offset & 3)) & 0xff
  }

  private readData = (offset: number, width: number): number =>
    this.isEnabled()
      ? this.bus.readConfig((this.latch >>> 16) & 0xff, (this.latch >>> 8) & 0xff, this.register(offset), width)
      : ones(width)

  private writeData = (offset: number, width: number, value: number): void => {
    if (!this.isEnabled()) return
    this.bus.writeConfig((this.latch >>> 16) & 0xff, (this.latch >>> 8) & 0xff, this.register(offset), width, value)
  }
}

/** What firmware leaves behind: base addresses assigned in the order of the functions, decoding on, interrupt lines filled in. */
export const assignResources = (bus: PciBus): void => {
  let memory: number = memoryMap.pciHigh.base
  let port: number = portMap.pci.base
  const { COMMAND, INTERRUPT_LINE } = header
  for (const [at, each] of bus.entries()) {
    let enabled = 0
    for (let n = 0; n < each.rangeCount; n++) {
      const range = each.rangeAt(n)
      if (range === undefined) continue
      const isPorts = range.kind === "io"
      const base = Math.ceil((isPorts ? port : memory) / range.bytes) * range.bytes
      if (isPorts) port = base + range.bytes
      else memory = base + range.bytes
      each.writeConfig(BAR + 4 * n, 32, base)
      enabled |= mask(isPorts ? COMMAND.fields.IO : COMMAND.fields.MEMORY)
    }
    if (memory > memoryMap.pciHigh.base + memoryMap.pciHigh.bytes)
      throw new Error("PCI devices want more memory than there is room for")
    each.writeConfig(COMMAND.offset, 16, enabled)
    const pin = each.identity.interruptPin ?? 0
    if (pin > 0) each.writeConfig(INTERRUPT_LINE.offset, 8, pciIrqs[pciLine(at >>> 3, pin - 1)]!)
  }
}
