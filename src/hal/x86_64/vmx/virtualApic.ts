/**
 * The virtual APIC: what a guest has of a local APIC without leaving for each access. SDM vol. 3C, "APIC Virtualization and Virtual Interrupts":
 * its registers are on a page of the machine's memory, the virtual-APIC page; RVI and SVI are the guest interrupt status.
 */
import { ExitReason } from "../../../types/x86_64/ExitReason.ts"
import { PinBased, Primary, Secondary } from "../../../types/x86_64/VmxControls.ts"
import type { PageGuard } from "../memory/Mmu.ts"
import { at } from "../processor/State.ts"
import type { Core } from "../system/Core.ts"
import { vector } from "../system/registers.ts"
import { place } from "./Vmcs.ts"

/** Offsets in the virtual-APIC page. "Virtualized APIC Registers". */
// biome-ignore format: a table
export const VirtualRegister = {
  VTPR: 0x080, VPPR: 0x0a0, VEOI: 0x0b0, VISR: 0x100, VIRR: 0x200, VICR_LO: 0x300, VICR_HI: 0x310, SELF_IPI: 0x3f0
} as const

const read = (core: Core, register: number): number => core.mmu.memory.load32(core.vmx.virtualApic + register)
const write = (core: Core, register: number, value: number): void =>
  core.mmu.memory.store32(core.vmx.virtualApic + register, value)

/** Bit x of VISR and VIRR: bit x & 1FH of the doubleword at (x & E0H) >> 1. */
const wordOf = (array: number, of: number): number => array | ((of & 0xe0) >> 1)
const setBit = (core: Core, array: number, of: number): void =>
  write(core, wordOf(array, of), read(core, wordOf(array, of)) | (1 << (of & 31)))
const clearBit = (core: Core, array: number, of: number): void =>
  write(core, wordOf(array, of), read(core, wordOf(array, of)) & ~(1 << (of & 31)))
/** The highest vector in it, or 0. */
const highest = (core: Core, array: number): number => {
  for (let word = 7; word >= 0; word--) {
    const bits = read(core, array | (word << 4))
    if (bits !== 0) return word * 32 + 31 - Math.clz32(bits)
  }
  return 0
}

const delivers = (core: Core): boolean => core.vmx.hasSecondary(Secondary.VIRTUAL_INTERRUPT_DELIVERY)

// ---- "TPR Virtualization" to "Self-IPI Virtualization"

const virtualizePpr = (core: Core): void => {
  const { vmx } = core
  const tpr = read(core, VirtualRegister.VTPR) & 0xff
  write(core, VirtualRegister.VPPR, tpr >>> 4 >= vmx.svi >>> 4 ? tpr : vmx.svi & 0xf0)
}

/** "Evaluation of Pending Virtual Interrupts". */
const evaluate = (core: Core): void => {
  const { vmx } = core
  vmx.isVirtualInterruptPending =
    (vmx.primary & Primary.INTERRUPT_WINDOW_EXITING) === 0 &&
    vmx.rvi >>> 4 > (read(core, VirtualRegister.VPPR) & 0xff) >>> 4
}

const isBelowThreshold = (core: Core): boolean =>
  (read(core, VirtualRegister.VTPR) & 0xff) >>> 4 < (core.vmx.vmcs.low(place.TPR_THRESHOLD) & 15)

/** Trap-like: the guest is left when the instruction is done. */
const leaveAfter = (core: Core, reason: number, qualification = 0): void => {
  core.vmx.afterInstruction = reason
  core.vmx.afterQualification = qualification
}

const virtualizeTpr = (core: Core): void => {
  if (!delivers(core)) {
    if (isBelowThreshold(core)) leaveAfter(core, ExitReason.TPR_BELOW_THRESHOLD)
    return
  }
  virtualizePpr(core)
  evaluate(core)
}

const virtualizeEoi = (core: Core): void => {
  const { vmx } = core
  const served = vmx.svi
  clearBit(core, VirtualRegister.VISR, served)
  vmx.svi = highest(core, VirtualRegister.VISR)
  virtualizePpr(core)
  if (exitsOnEoi(core, served)) leaveAfter(core, ExitReason.VIRTUALIZED_EOI, served)
  else evaluate(core)
}

const eoiBitmaps = [
  place.EOI_EXIT_BITMAP_0,
  place.EOI_EXIT_BITMAP_1,
  place.EOI_EXIT_BITMAP_2,
  place.EOI_EXIT_BITMAP_3
] as const
const exitsOnEoi = (core: Core, of: number): boolean => {
  const bitmap = eoiBitmaps[of >>> 6]!
  const half = of & 32 ? core.vmx.vmcs.high(bitmap) : core.vmx.vmcs.low(bitmap)
  return ((half >>> (of & 31)) & 1) !== 0
}

const virtualizeSelfIpi = (core: Core, of: number): void => {
  const { vmx } = core
  setBit(core, VirtualRegister.VIRR, of)
  vmx.rvi = Math.max(vmx.rvi, of)
  evaluate(core)
}

// ---- VM entry

/** What VM entry does with it: "a VM exit occurs immediately" below the threshold; else what is pending is recognized. */
export const enterVirtualApic = (core: Core): void => {
  const { vmx } = core
  if (!(vmx.primary & Primary.USE_TPR_SHADOW)) return
  if (delivers(core)) {
    virtualizePpr(core)
    evaluate(core)
  } else if (vmx.hasSecondary(Secondary.VIRTUALIZE_APIC_ACCESSES) && isBelowThreshold(core))
    leaveAfter(core, ExitReason.TPR_BELOW_THRESHOLD)
}

/**
 * "Virtual-Interrupt Delivery": the vector for which the processor goes to the guest's handler, taken from the virtual APIC. It is pending
 * (`isVirtualInterruptPending`), and interrupts are open.
 */
export const takeVirtualInterrupt = (core: Core): number => {
  const { vmx } = core
  const taken = vmx.rvi
  setBit(core, VirtualRegister.VISR, taken)
  vmx.svi = taken
  write(core, VirtualRegister.VPPR, taken & 0xf0)
  clearBit(core, VirtualRegister.VIRR, taken)
  vmx.rvi = highest(core, VirtualRegister.VIRR)
  vmx.isVirtualInterruptPending = false
  return taken
}

/** "Posted-Interrupt Processing": an external interrupt with the notification vector. The descriptor: 256 requests, and bit 256, ON. */
export const processPosted = (core: Core, notified: number): boolean => {
  const { vmx } = core
  const { vmcs } = vmx
  if (!(vmx.pinBased & PinBased.PROCESS_POSTED_INTERRUPTS)) return false
  if (notified !== vmcs.low(place.POSTED_INTERRUPT_NOTIFICATION)) return false
  const { memory } = core.mmu
  const descriptor = vmcs.address(place.POSTED_INTERRUPT_DESCRIPTOR)
  memory.store32(descriptor + 32, memory.load32(descriptor + 32) & ~1)
  core.apic.endOfInterrupt()
  for (let word = 0; word < 8; word++) {
    const requests = memory.load32(descriptor + word * 4)
    if (requests === 0) continue
    memory.store32(descriptor + word * 4, 0)
    const array = VirtualRegister.VIRR | (word << 4)
    write(core, array, read(core, array) | requests)
  }
  vmx.rvi = Math.max(vmx.rvi, highest(core, VirtualRegister.VIRR))
  evaluate(core)
  return true
}

// ---- CR8: "Virtualizing CR8-Based TPR Accesses"

export const readVirtualTpr = (core: Core): number => (read(core, VirtualRegister.VTPR) & 0xff) >>> 4

export const writeVirtualTpr = (core: Core, lo: number, hi: number): void => {
  if (hi !== 0 || lo & ~15) core.raise(vector.GP)
  write(core, VirtualRegister.VTPR, lo << 4)
  virtualizeTpr(core)
}

// ---- MSRs: "Virtualizing MSR-Based APIC Accesses"

const isX2Apic = (index: number): boolean => index >>> 8 === 8
const offsetOf = (index: number): number => (index & 0xff) << 4
const msrOf = (register: number): number => 0x800 | (register >>> 4)

/** The value of a register that the guest reads without leaving; undefined if RDMSR does what it does elsewhere. */
export const readVirtualMsr = (core: Core, index: number): readonly [lo: number, hi: number] | undefined => {
  const { vmx } = core
  if (!vmx.hasSecondary(Secondary.VIRTUALIZE_X2APIC_MODE) || !isX2Apic(index)) return undefined
  if (index !== msrOf(VirtualRegister.VTPR) && !vmx.hasSecondary(Secondary.APIC_REGISTER_VIRTUALIZATION))
    return undefined
  return [read(core, offsetOf(index)), read(core, offsetOf(index) + 4)]
}

/** Whether the write was the virtual APIC's. */
export const writeVirtualMsr = (core: Core, index: number, lo: number, hi: number): boolean => {
  if (!core.vmx.hasSecondary(Secondary.VIRTUALIZE_X2APIC_MODE)) return false
  switch (index) {
    case msrOf(VirtualRegister.VTPR):
      if (hi !== 0 || lo & ~0xff) core.raise(vector.GP)
      write(core, VirtualRegister.VTPR, lo)
      virtualizeTpr(core)
      return true
    case msrOf(VirtualRegister.VEOI):
      if (!delivers(core)) return false
      if (hi !== 0 || lo !== 0) core.raise(vector.GP)
      virtualizeEoi(core)
      return true
    case msrOf(VirtualRegister.SELF_IPI):
      if (!delivers(core)) return false
      if (hi !== 0 || lo & ~0xff) core.raise(vector.GP)
      write(core, VirtualRegister.SELF_IPI, lo)
      if (lo >>> 4 === 0) leaveAfter(core, ExitReason.APIC_WRITE, VirtualRegister.SELF_IPI)
      else virtualizeSelfIpi(core, lo)
      return true
    default:
      return false
  }
}

// ---- memory: "Virtualizing Memory-Mapped APIC Accesses"

const eights = (first: number): readonly number[] => Array.from({ length: 8 }, (_, n) => first + (n << 4))

/** Registers that APIC-register virtualization lets the guest write, and read. */
// biome-ignore format: in the manual's order
const writable: ReadonlySet<number> = new Set([
  0x020, 0x080, 0x0b0, 0x0d0, 0x0e0, 0x0f0, 0x280, 0x300, 0x310, 0x320, 0x330, 0x340, 0x350, 0x360, 0x370, 0x380, 0x3e0
])
const readable: ReadonlySet<number> = new Set([
  ...writable,
  0x030,
  ...eights(0x100),
  ...eights(0x180),
  ...eights(0x200)
])
const withoutRegisters: ReadonlySet<number> = new Set([VirtualRegister.VTPR])
const withDelivery: ReadonlySet<number> = new Set([VirtualRegister.VTPR, VirtualRegister.VEOI, VirtualRegister.VICR_LO])

const isVirtualized = (core: Core, registers: ReadonlySet<number>, offset: number, bytes: number): boolean => {
  const { vmx } = core
  // "At most 32 bits", within the first four bytes of a register; and without a TPR shadow, nothing.
  if (bytes > 4 || (offset & 15) + bytes > 4 || !(vmx.primary & Primary.USE_TPR_SHADOW)) return false
  const those = vmx.hasSecondary(Secondary.APIC_REGISTER_VIRTUALIZATION)
    ? registers
    : delivers(core)
      ? withDelivery
      : withoutRegisters
  return those.has(offset & ~15)
}

/** The APIC-access page, for accesses to it: what is virtualized is an access to the virtual-APIC page, and all else leaves the guest. */
export const apicAccessPage = (core: Core): PageGuard => ({
  place: (offset, bytes, isWrite) => {
    if (!isVirtualized(core, isWrite ? writable : readable, offset, bytes)) return undefined
    return core.vmx.virtualApic + offset
  },
  written: (offset) => {
    core.vmx.apicWritten = offset & ~15
    core.i32[at.attention >> 2] = 1
  }
})

/** "APIC-Write Emulation", after the operation that wrote. */
export const emulateApicWrite = (core: Core): void => {
  const { vmx } = core
  const offset = vmx.apicWritten
  vmx.apicWritten = -1
  switch (offset) {
    case VirtualRegister.VTPR:
      write(core, offset, read(core, offset) & 0xff)
      virtualizeTpr(core)
      return
    case VirtualRegister.VEOI:
      if (!delivers(core)) break
      write(core, offset, 0)
      virtualizeEoi(core)
      return
    case VirtualRegister.VICR_LO:
      if (!delivers(core) || !isSelfIpi(read(core, offset))) break
      virtualizeSelfIpi(core, read(core, offset) & 0xff)
      return
    case VirtualRegister.VICR_HI:
      write(core, offset, read(core, offset) & (0xff << 24))
      return
  }
  leaveAfter(core, ExitReason.APIC_WRITE, offset)
}

/**
 * Reserved bits 31:20, 17:16 and 13 are 0, delivery status (bit 12) is 0, the destination shorthand is self, the trigger mode is edge, the
 * delivery mode fixed, and the vector's upper half not 0.
 */
const isSelfIpi = (value: number): boolean =>
  (value & 0xfff3_2000) === 0 &&
  (value & (1 << 12)) === 0 &&
  ((value >>> 18) & 3) === 1 &&
  (value & (1 << 15)) === 0 &&
  ((value >>> 8) & 7) === 0 &&
  (value & 0xf0) !== 0
