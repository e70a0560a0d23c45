/**
 * VirtualizationStartup: the processor may run guests from here on, if it can. SDM vol. 3C, "Enabling and Entering VMX
 * Operation".
 */
import { Halt } from "../../hal/Gates.ts"
import type { MemoryService } from "../../hal/Memory.ts"
import type { ProcessorService } from "../../hal/Processor.ts"
import type { VirtualizationService } from "../../hal/Virtualization.ts"
import { SystemRegister } from "../../types/x86_64/SystemRegister.ts"
import { msrBitmap, virtualizationPage } from "./ArchData.ts"
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
  fillMsrBitmap(memory, msrBitmap(archData))
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
  SystemRegister.IA32_KERNEL_GS_BASE
]

/** The bitmap's four parts: reads and writes of the registers from 0, and of those from C000_0000H. */
const partBytes = 0x400
const highRegisters = 0xc000_0000

const fillMsrBitmap = (memory: MemoryService, bitmap: number): void => {
  for (let at = 0; at < 4 * partBytes; at += 4) memory.store32(bitmap + at, -1)
  for (const register of ofTheGuest) {
    const [part, index] = register >= highRegisters ? [1, register - highRegisters] : [0, register]
    for (const access of [part, part + 2]) {
      const at = bitmap + access * partBytes + (index >>> 3)
      memory.store8(at, memory.load8(at) & ~(1 << (index & 7)))
    }
  }
}
