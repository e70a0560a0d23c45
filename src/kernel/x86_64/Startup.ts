/**
 * Startup: the processor's own registers, as the kernel wants them from the first instruction of a program on.
 */
import type { Region } from "../../hal/Boot.ts"
import type { ProcessorService } from "../../hal/Processor.ts"
import { linkedHigh, linkedLow, windowHigh } from "../../types/x86_64/KernelSpace.ts"
import { SystemRegister } from "../../types/x86_64/SystemRegister.ts"
import { Selector, starHigh } from "./Descriptors.ts"
import { Offset, Size } from "./Image.ts"
import { Vector } from "./Vectors.ts"

const { IA32_EFER, CR0, CR3, CR4 } = SystemRegister

/** SDM vol. 3A, "Control Registers". */
const Cr0 = { MP: 1 << 1, EM: 1 << 2, TS: 1 << 3, NE: 1 << 5, WP: 1 << 16 } as const
// biome-ignore format: a table
const Cr4 = {
  MCE: 1 << 6, PGE: 1 << 7, OSFXSR: 1 << 9, OSXMMEXCPT: 1 << 10, UMIP: 1 << 11, FSGSBASE: 1 << 16, PCIDE: 1 << 17,
  OSXSAVE: 1 << 18,
  SMEP: 1 << 20, SMAP: 1 << 21
} as const
const Efer = { SCE: 1 << 0, NXE: 1 << 11 } as const

/** SDM vol. 1, "XSAVE-Supported Features and State-Component Bitmaps": x87 and SSE state, which is all that `Fpu` switches. */
const switchedState = 0b11

/**
 * What SYSCALL clears in RFLAGS: AC, which would open user pages to the kernel, NT, which IRET would refuse, IOPL, DF,
 * IF and TF.
 */
const syscallClears = 0x4_7700

/** The default page attribute table, but for write-combining at its entry 4 (SDM vol. 3A, "IA32_PAT MSR"). */
const pat = { low: 0x0007_0406, high: 0x0007_0401 } as const

/** SDM vol. 3A, "Extended XAPIC (x2APIC)": the base where it always is, the APIC on, in x2APIC mode. */
const apicBase = 0xfee0_0000 | (1 << 11) | (1 << 10)
const bootProcessor = 1 << 8
const Lvt = { masked: 1 << 16, tscDeadline: 0b10 << 17 } as const
const apicEnabled = 1 << 8

/** The kernel's own tables are in force, with `root` the first, and every protection that they ask for. */
export const protect = (processor: ProcessorService, image: Region, root: number): void => {
  const set = (register: number, low: number, high = 0) => processor.setSystem(register, low, high)
  const change = (register: number, on: number, off = 0) =>
    set(register, (processor.systemLow(register) & ~off) | on, processor.systemHigh(register))

  // LTR marks the descriptor busy. That is the last write to the GDT, while the loader's page tables still allow it.
  set(SystemRegister.GDTR_BASE, image.start + Offset.gdt, windowHigh)
  set(SystemRegister.GDTR_LIMIT, Size.gdt - 1)
  set(SystemRegister.TR, Selector.task)

  change(IA32_EFER, Efer.SCE | Efer.NXE)
  set(SystemRegister.IA32_PAT, pat.low, pat.high)
  set(CR3, root | 0, Math.floor(root / 2 ** 32))
  change(
    CR4,
    Object.values(Cr4).reduce((all, bit) => all | bit, 0)
  )
  set(SystemRegister.XCR0, switchedState)
  // The floating-point unit is available to nobody who has not asked for it.
  change(CR0, Cr0.WP | Cr0.NE | Cr0.MP | Cr0.TS, Cr0.EM)
  set(SystemRegister.GDTR_BASE, linkedLow + Offset.gdt, linkedHigh)
}

/** SYSCALL leads to the kernel, and RDTSCP has nothing to say of the processor. */
export const syscallEntry = ({ setSystem }: ProcessorService): void => {
  setSystem(SystemRegister.IA32_STAR, 0, starHigh)
  setSystem(SystemRegister.IA32_LSTAR, linkedLow + Offset.syscall, linkedHigh)
  setSystem(SystemRegister.IA32_FMASK, syscallClears, 0)
  setSystem(SystemRegister.IA32_TSC_AUX, 0, 0)
}

/** Where the processor goes: on SYSCALL, on interrupts and on what its local timer raises. */
export const direct = (processor: ProcessorService): void => {
  const set = (register: number, low: number, high = 0) => processor.setSystem(register, low, high)
  set(SystemRegister.IDTR_BASE, linkedLow + Offset.idt, linkedHigh)
  set(SystemRegister.IDTR_LIMIT, Size.idt - 1)
  syscallEntry(processor)

  const isBootProcessor = processor.systemLow(SystemRegister.IA32_APIC_BASE) & bootProcessor
  set(SystemRegister.IA32_APIC_BASE, apicBase | isBootProcessor)
  // "Software disabled, the mask bits of all LVT entries are set; attempts to reset them are ignored": enabling comes
  // first.
  set(SystemRegister.X2APIC_SPURIOUS, apicEnabled | Vector.spurious)
  set(SystemRegister.X2APIC_TPR, 0)
  set(SystemRegister.X2APIC_LVT_LINT0, Lvt.masked)
  set(SystemRegister.X2APIC_LVT_LINT1, Lvt.masked)
  set(SystemRegister.X2APIC_LVT_ERROR, Lvt.masked)
  set(SystemRegister.X2APIC_LVT_TIMER, Lvt.tscDeadline | Vector.timer)
}
