/**
 * A machine for the kernel's tests: memory that is an array, registers that are words. It
 * protects nothing by itself: what its tables allow is asked of `walk`.
 */
import type { Region } from "../../../src/hal/Boot.ts"
import type { InterruptLinesService } from "../../../src/hal/InterruptLines.ts"
import type { MemoryService } from "../../../src/hal/Memory.ts"
import type { PortsService } from "../../../src/hal/Ports.ts"
import type { ProcessorService } from "../../../src/hal/Processor.ts"
import type { TimeService } from "../../../src/hal/Time.ts"
import { noCurrent, type VirtualizationService } from "../../../src/hal/Virtualization.ts"
import { guestPaging, paging } from "../../../src/hal/x86_64/entries.ts"
import { SystemRegister } from "../../../src/types/x86_64/SystemRegister.ts"
import { VmcsField } from "../../../src/types/x86_64/VmcsField.ts"

/**
 * Memory from 0 up to `bytes.length`. Beyond it there is nothing, and an access is a mistake of the test or the kernel.
 */
export const memoryOf = (bytes: Uint8Array): MemoryService => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const aligned = (address: number, size: number) => {
    if (address % size !== 0) throw new Error(`${address.toString(16)} is no multiple of ${size}`)
    return address
  }
  return {
    load8: (address) => view.getUint8(address),
    load16: (address) => view.getUint16(aligned(address, 2), true),
    load32: (address) => view.getInt32(aligned(address, 4), true),
    store8: (address, value) => view.setUint8(address, value),
    store16: (address, value) => view.setUint16(aligned(address, 2), value, true),
    store32: (address, value) => view.setInt32(aligned(address, 4), value, true),
    loadWords: (address, words, index, count) => {
      for (let i = 0; i < count; i++) words[index + i] = view.getInt32(aligned(address, 4) + 4 * i, true)
    },
    storeWords: (address, words, index, count) => {
      for (let i = 0; i < count; i++) view.setInt32(aligned(address, 4) + 4 * i, words[index + i] ?? Number.NaN, true)
    },
    words: new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2),
    indexOf: (address) => (address < bytes.length ? address >>> 2 : -1),
    copy: (from, to, length) => bytes.copyWithin(to, from, from + length),
    zero: (address, length) => bytes.fill(0, address, address + length)
  }
}

export interface Mapped {
  readonly virtual: bigint
  readonly physical: number
  readonly bytes: number
  readonly write: boolean
  readonly execute: boolean
  readonly user: boolean
}

/**
 * Every page that the tables at `root` map (or only those of the user half), with what all entries on the way to it
 * allow.
 */
export const mappings = (memory: MemoryService, root: number, half: "both" | "user" = "both"): readonly Mapped[] => {
  const found: Mapped[] = []
  const visit = (
    table: number,
    level: number,
    base: bigint,
    above: { write: boolean; execute: boolean; user: boolean }
  ) => {
    const { shift } = paging.levels[level]!
    for (let index = 0; index < (level === 0 && half === "user" ? 256 : 512); index++) {
      const low = memory.load32(table + index * 8)
      const high = memory.load32(table + index * 8 + 4)
      if ((low & 1) === 0) continue
      const virtual = BigInt.asUintN(64, BigInt.asIntN(48, base + (BigInt(index) << BigInt(shift))))
      const allowed = {
        write: above.write && (low & 2) !== 0,
        user: above.user && (low & 4) !== 0,
        execute: above.execute && high >= 0
      }
      if (!paging.mapsPage(level, low)) visit(paging.address(level, low, high), level + 1, virtual, allowed)
      else found.push({ virtual, physical: pageAt(low, high, shift), bytes: 2 ** shift, ...allowed })
    }
  }
  visit(root, 0, 0n, { write: true, execute: true, user: true })
  return found
}

const pageLevel = paging.levels.length - 1

const pageAt = (low: number, high: number, shift: number) => {
  const address = paging.address(pageLevel, low, high)
  return Math.floor(address / 2 ** shift) * 2 ** shift
}

/** The page behind an address, if there is one. */
export const walk = (memory: MemoryService, root: number, virtual: bigint): Mapped | undefined =>
  mappings(memory, root).find((page) => virtual >= page.virtual && virtual < page.virtual + BigInt(page.bytes))

/** Everything that the processor was told, besides its registers. */
export interface ProcessorDouble extends ProcessorService {
  readonly system: Map<number, bigint>
  readonly invalidated: string[]
}

export const processor = (): ProcessorDouble => {
  const system = new Map<number, bigint>()
  const invalidated: string[] = []
  const name = (register: number) => {
    if (!Object.values<number>(SystemRegister).includes(register))
      throw new Error(`no register ${register.toString(16)}`)
    return register
  }
  return {
    registers: new Int32Array(64),
    system,
    invalidated,
    systemLow: (register) => Number(BigInt.asIntN(32, system.get(name(register)) ?? 0n)),
    systemHigh: (register) => Number(BigInt.asIntN(32, (system.get(name(register)) ?? 0n) >> 32n)),
    setSystem: (register, low, high) => {
      system.set(name(register), (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0))
    },
    invalidatePage: (tag, low, high) => {
      invalidated.push(`${tag}:${((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)).toString(16)}`)
    },
    invalidateSpace: (tag) => {
      invalidated.push(`${tag}`)
    },
    saveFloatingPoint: () => {},
    loadFloatingPoint: () => {}
  }
}

/** A processor that runs guests, as far as a kernel can tell without running one; and what it was told, in its words. */
export interface VirtualizationDouble extends VirtualizationService {
  readonly log: string[]
  /** The fields of each control structure, by its address. */
  readonly structures: Map<number, Map<number, bigint>>
}

const fields: ReadonlySet<number> = new Set(Object.values(VmcsField))
/** SDM vol. 3C, "Field Encoding in VMCS": bits 14:13 say how wide a field is. */
const fieldBits = (field: number) => [16, 64, 32, 64][(field >>> 13) & 3]!
const revision = 0x5ca1e

export const virtualization = (memory: MemoryService): VirtualizationDouble => {
  const log: string[] = []
  const structures = new Map<number, Map<number, bigint>>()
  let current = noCurrent
  const isStructure = (address: number) => address % 0x1000 === 0 && memory.load32(address) === revision
  const field = (number: number) => structures.get(current)?.get(number) ?? 0n
  return {
    log,
    structures,
    tables: guestPaging,
    begin: (page) => (isStructure(page) ? 0 : noCurrent),
    end: () => 0,
    clear: (structure) => {
      if (structure % 0x1000 !== 0) return 2
      log.push(`clear ${structure.toString(16)}`)
      structures.set(structure, structures.get(structure) ?? new Map())
      if (current === structure) current = noCurrent
      return 0
    },
    load: (structure) => {
      if (!isStructure(structure)) return 11
      current = structure
      return 0
    },
    current: () => current,
    fieldLow: (number) => Number(BigInt.asIntN(32, field(number))),
    fieldHigh: (number) => Number(BigInt.asIntN(32, field(number) >> 32n)),
    hasField: (number) => fields.has(number),
    setField: (number, low, high) => {
      if (current === noCurrent) return noCurrent
      if (!fields.has(number)) return 12
      const value = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)
      structures.get(current)?.set(number, BigInt.asUintN(fieldBits(number), value))
      return 0
    },
    invalidateGuestPhysical: (which, low, high) => {
      log.push(`guest physical ${which} ${((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)).toString(16)}`)
      return 0
    },
    invalidateGuest: (which, tag) => {
      log.push(`guest ${which} ${tag}`)
      return 0
    }
  }
}

/** What the capability registers say of a processor that runs guests and offers everything. */
export const offerGuests = ({ system }: ProcessorDouble): void => {
  const all = 0xffff_ffffn << 32n
  const { IA32_VMX_CR0_FIXED0, IA32_VMX_CR0_FIXED1, IA32_VMX_CR4_FIXED0, IA32_VMX_CR4_FIXED1 } = SystemRegister
  system.set(SystemRegister.IA32_FEATURE_CONTROL, 0b101n)
  system.set(SystemRegister.IA32_VMX_BASIC, BigInt(revision) | (1n << 55n))
  system.set(SystemRegister.IA32_VMX_TRUE_PINBASED_CTLS, all | 0x16n)
  system.set(SystemRegister.IA32_VMX_TRUE_PROCBASED_CTLS, all | 0x0400_6172n)
  system.set(SystemRegister.IA32_VMX_PROCBASED_CTLS2, all)
  system.set(SystemRegister.IA32_VMX_TRUE_EXIT_CTLS, all | 0x3_6dfbn)
  system.set(SystemRegister.IA32_VMX_TRUE_ENTRY_CTLS, all | 0x11fbn)
  system.set(IA32_VMX_CR0_FIXED0, 0x8000_0021n)
  system.set(IA32_VMX_CR0_FIXED1, 0xffff_ffffn)
  system.set(IA32_VMX_CR4_FIXED0, 0x2000n)
  system.set(IA32_VMX_CR4_FIXED1, 0x77_2fffn)
}

/** Time that passes only by charges. */
export interface TimeDouble extends TimeService {
  pending: boolean
  handled: number
}

export const time = (): TimeDouble => {
  let now = 0
  const double: TimeDouble = {
    pending: false,
    handled: 0,
    now: () => now,
    charge: (instructions) => {
      now += instructions
    },
    setDeadline: () => {},
    clearDeadline: () => {},
    interruptPending: () => double.pending,
    endOfInterrupt: () => {
      double.handled++
    }
  }
  return double
}

export interface PortsDouble extends PortsService {
  readonly log: string[]
  answer: number
}

export const ports = (): PortsDouble => {
  const double: PortsDouble = {
    log: [],
    answer: 0,
    read: (port, width) => {
      double.log.push(`in${width} ${port.toString(16)}`)
      return double.answer
    },
    write: (port, width, value) => {
      double.log.push(`out${width} ${port.toString(16)} ${value.toString(16)}`)
    }
  }
  return double
}

/** A controller of 24 pins; what it was told, in its words. */
export interface LinesDouble extends InterruptLinesService {
  readonly log: string[]
}

export const lines = (): LinesDouble => {
  const log: string[] = []
  return {
    log,
    pins: [24],
    route: (controller, pin, { vector, isLevel, isLow }) =>
      void log.push(`${controller}:${pin} is ${vector} ${isLevel ? "level" : "edge"} ${isLow ? "low" : "high"}`),
    mask: (controller, pin, masked) => void log.push(`${controller}:${pin} ${masked ? "off" : "on"}`)
  }
}

/** A PC with a little memory: its first 640 KiB, and what is above 1 MiB. */
export const pcMemory = (bytes: number): readonly Region[] => [
  { start: 0, end: 0xa_0000 },
  { start: 0x10_0000, end: bytes }
]
