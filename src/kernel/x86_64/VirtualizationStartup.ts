/**
 * VirtualizationStartup: the processor may run guests from here on, if it can. SDM vol. 3C, "Enabling and Entering VMX
 * Operation".
 */
import { Halt } from "../../hal/Gates.ts"
import type { MemoryService } from "../../hal/Memory.ts"
import type { ProcessorService } from "../../hal/Processor.ts"
import type { VirtualizationService } from "../../hal/Virtualization.ts"
import { SystemRegister } from "../../types/x86_64/SystemRegister.ts"
import { msrBitmap, virtualizationPage, x2ApicBitmap } from "./ArchData.ts"
import * as Controls from "./Controls.ts"
import type { Virtualization } from "./Machine.ts"

interface Needs {
  readonly memory: MemoryService
  readonly processor: ProcessorService
  readonly virtualization: VirtualizationService | undefined
}

const { CR4, IA32_FEATURE_CONTROL } = SystemRegister
const VMXE = 1 << 13
/** "IA32_FEATURE_CONTROL MSR": the lock, and what permits VMXON outside SMX operation. */
const Feature = { locked: 1 << 0, permitted: 1 << 2 } as const

/** Undefined: the processor runs no guests, or firmware forbids it, or it lacks something that the kernel needs for it. */
export const start = ({ memory, processor, virtualization }: Needs, archData: number): Virtualization | undefined => {
  if (virtualization === undefined || !isPermitted(processor)) return undefined
  const controls = Controls.read(processor)
  if (controls === undefined) return undefined
  // The capabilities that `Controls` reads are those of processors that have them in full: bit 55 of IA32_VMX_BASIC.
  processor.setSystem(CR4, processor.systemLow(CR4) | VMXE, processor.systemHigh(CR4))
  memory.store32(virtualizationPage(archData), controls.revision)
  const answer = virtualization.begin(virtualizationPage(archData))
  if (answer !== 0) throw new Halt(`the processor refuses to run guests (${answer})`)
  fillMsrBitmap(memory, msrBitmap(archData), ofTheGuest, ofTheGuest)
  fillMsrBitmap(memory, x2ApicBitmap(archData), [...ofTheGuest, ...x2ApicReads], [...ofTheGuest, ...x2ApicWrites])
  return { ...virtualization, controls }
}

const isPermitted = ({ systemLow, setSystem }: ProcessorService): boolean => {
  const control = systemLow(IA32_FEATURE_CONTROL)
  if ((control & Feature.locked) === 0) setSystem(IA32_FEATURE_CONTROL, control | Feature.locked | Feature.permitted, 0)
  else if ((control & Feature.permitted) === 0) return false
  return true
}

/**
 * Registers that a guest reads and writes itself: those that every entry and exit switches, or the kernel does. Any other
 * is an exit. SDM vol. 3C, "MSR-Bitmap Address".
 */
const ofTheGuest: ReadonlyArray<number> = [
  SystemRegister.IA32_SYSENTER_CS,
  SystemRegister.IA32_SYSENTER_ESP,
  SystemRegister.IA32_SYSENTER_EIP,
  SystemRegister.IA32_PAT,
  SystemRegister.IA32_EFER,
  SystemRegister.IA32_STAR,
  SystemRegister.IA32_LSTAR,
  SystemRegister.IA32_CSTAR,
  SystemRegister.IA32_FMASK,
  SystemRegister.IA32_FS_BASE,
  SystemRegister.IA32_GS_BASE,
  SystemRegister.IA32_KERNEL_GS_BASE,
  SystemRegister.IA32_TSC_AUX
]

const run = (first: number, last: number): ReadonlyArray<number> =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index)
const { X2APIC_TPR, X2APIC_EOI, X2APIC_SELF_IPI } = SystemRegister

/**
 * Registers of the x2APIC that hold on the virtual-APIC page what they are to: all but the timer's current count. SDM vol. 3C,
 * "Virtualizing MSR-Based APIC Accesses". They are in a guest's reach only while no access to them goes to the processor's own.
 */
const x2ApicReads = [
  ...[0x802, 0x803, X2APIC_TPR, 0x80a, 0x80d, 0x80f],
  ...run(0x810, 0x828),
  ...run(0x82f, 0x830),
  ...run(0x832, 0x838),
  0x83e
]
const x2ApicWrites = [X2APIC_TPR, X2APIC_EOI, X2APIC_SELF_IPI]

/** The bitmap's four parts: reads and writes of the registers from 0, and of those from C000_0000H. */
const partBytes = 0x400
const highRegisters = 0xc000_0000

const fillMsrBitmap = (
  memory: MemoryService,
  bitmap: number,
  reads: ReadonlyArray<number>,
  writes: ReadonlyArray<number>
): void => {
  for (let at = 0; at < 4 * partBytes; at += 4) memory.store32(bitmap + at, -1)
  for (const [access, registers] of [reads, writes].entries()) {
    for (const register of registers) {
      const [part, index] = register >= highRegisters ? [1, register - highRegisters] : [0, register]
      const at = bitmap + (2 * access + part) * partBytes + (index >>> 3)
      memory.store8(at, memory.load8(at) & ~(1 << (index & 7)))
    }
  }
}
