/**
 * ArchData: what this half of the kernel knows beside the objects, in memory of its own: the heads of the tables of
 * address spaces, what the processor runs, which interrupts come on which lines, which IO ports have been given out, and
 * which virtual processors have which numbers.
 */
import { layout, u32, u64 } from "../../types/Layout.ts"
import { ref } from "../Reference.ts"

// biome-ignore format: a figure
export const ArchData = layout(0x1000, {
  /** The page tables of nobody: the kernel's half alone. */
  kernelRoot: u64(0x00),
  /** The root in force, and the ASID that its translations carry. */
  root:       u64(0x08),
  asid:       u64(0x10),
  /** The thread that runs when the kernel is left; none if the processor waits. */
  running:    ref(0x18),
  /** Where the floating-point registers that the processor has will be saved; 0 if they are nobody's. */
  fpuOwner:   ref(0x1c),
  /** A program may use them: CR0.TS is clear. */
  fpuEnabled: u32(0x20),
  /** The virtual processor whose control structure is the current one; none if it is nobody's. */
  vcpu:       ref(0x24),
  /** The virtual processor whose system-call registers the processor has; none if they are the kernel's. */
  guest:      ref(0x28)
  // 0x40: the ASID pools
})

/**
 * The high bits of an ASID select its pool; the processor tags translations with 12 bits (SDM vol. 3A, "Process-Context
 * Identifiers").
 */
export const asidPools = 8
/** The physical address of a pool, 0 if there is none. */
export const poolEntry = (archData: number, index: number): number => archData + 0x40 + 8 * index

/** Where an interrupt that programs handle comes from: 32-bit words. */
export const sourceWord = (archData: number, interrupt: number): number => archData + 0x100 + 4 * interrupt

/** A bit for each IO port that a capability was made for: 32-bit words. */
export const portWord = (archData: number, port: number): number => archData + 0x1000 + 4 * (port >>> 5)

/** A virtual processor's number tags translations: VPID (SDM vol. 3C, "Virtual-Processor Identifiers"). 0 is nobody's. */
export const vpids = 1024
// biome-ignore format: a figure
export const Vpid = layout(8, {
  /** Which virtual processor has this number; none if it is free. */
  vcpu:       ref(0),
  /** How often it was given. */
  generation: u32(4)
})
export const vpidAt = (archData: number, number: number): number => archData + 0x3000 + 8 * number

/**
 * A page each: the tables of a guest that has no memory; which model-specific registers are not the guest's own, and which
 * are not if it has its x2APIC's from its virtual-APIC page.
 */
export const emptyGuest = (archData: number): number => archData + 0x5000
export const msrBitmap = (archData: number): number => archData + 0x6000
export const x2ApicBitmap = (archData: number): number => archData + 0x8000
/** The page that the processor keeps to itself while it may run guests. */
export const virtualizationPage = (archData: number): number => archData + 0x7000

export const archDataBytes = 0x9000
