/**
 * The tables that tell the processor of segments, the task and the ways into the kernel: GDT, TSS, IDT.
 *
 * SDM vol. 3A, "Segment Descriptors", "TSS Descriptor in 64-bit mode", "64-Bit Mode IDT", "Task Management in 64-bit
 * Mode". All three stand in read-only memory: descriptors are marked accessed from the start, so that loading one
 * writes nothing, and in 64-bit mode the processor never writes a TSS.
 */
import { isTrap, ownStack, vectors } from "./Vectors.ts"

/**
 * Selectors, in the order that SYSCALL and SYSRET want: the kernel's data behind its code, the user's code behind its
 * data.
 */
// biome-ignore format: a table
export const Selector = {
  kernelCode: 0x08,
  kernelData: 0x10,
  userData:   0x18 | 3,
  userCode:   0x20 | 3,
  task:       0x28
} as const

/**
 * IA32_STAR's upper half. SYSCALL loads CS from bits 47:32 and SS with 8 more; SYSRET to 64-bit code loads SS from bits
 * 63:48 plus 8 and CS plus 16 (SDM vol. 2B, "SYSCALL", "SYSRET").
 */
export const starHigh = ((Selector.kernelData | 3) << 16) | Selector.kernelCode

// biome-ignore format: a table
const gdt: readonly (readonly [high: number, low: number])[] = [
  [0x0000_0000, 0x0000_0000],
  [0x00af_9b00, 0x0000_ffff], // G L, P DPL 0 S, execute/read, accessed
  [0x00cf_9300, 0x0000_ffff], // G B, P DPL 0 S, read/write, accessed
  [0x00cf_f300, 0x0000_ffff], // G B, P DPL 3 S, read/write, accessed
  [0x00af_fb00, 0x0000_ffff]  // G L, P DPL 3 S, execute/read, accessed
]
const availableTss = 0x89 // P, 64-bit TSS (available)

export const tssBytes = 104
export const gdtBytes = gdt.length * 8 + 16
export const idtBytes = vectors * 16

export const writeGdt = (view: DataView, tss: bigint): void => {
  gdt.forEach(([high, low], index) => {
    view.setUint32(index * 8, low, true)
    view.setUint32(index * 8 + 4, high, true)
  })
  view.setUint16(Selector.task, tssBytes - 1, true)
  view.setUint16(Selector.task + 2, Number(tss & 0xffffn), true)
  view.setUint8(Selector.task + 4, Number((tss >> 16n) & 0xffn))
  view.setUint8(Selector.task + 5, availableTss)
  view.setUint8(Selector.task + 7, Number((tss >> 24n) & 0xffn))
  view.setUint32(Selector.task + 8, Number(tss >> 32n), true)
}

/**
 * `stack` is RSP0, for what comes from a program; `ownStacks` are IST 1 and up. No IO permission map: its base is the
 * TSS's end.
 */
export const writeTss = (view: DataView, stack: bigint, ownStacks: readonly bigint[]): void => {
  view.setBigUint64(4, stack, true)
  ownStacks.forEach((top, index) => {
    view.setBigUint64(36 + index * 8, top, true)
  })
  view.setUint16(102, tssBytes, true)
}

const interruptGate = 0x8e // P, DPL 0, 64-bit interrupt gate: IF is clear behind it
const programMayCall = 0x60 // DPL 3

export const writeIdt = (view: DataView, stubOf: (vector: number) => bigint): void => {
  for (let vector = 0; vector < vectors; vector++) {
    const at = vector * 16
    const stub = stubOf(vector)
    view.setUint16(at, Number(stub & 0xffffn), true)
    view.setUint16(at + 2, Selector.kernelCode, true)
    view.setUint8(at + 4, ownStack.indexOf(vector) + 1)
    view.setUint8(at + 5, isTrap(vector) ? interruptGate | programMayCall : interruptGate)
    view.setUint16(at + 6, Number((stub >> 16n) & 0xffffn), true)
    view.setUint32(at + 8, Number(stub >> 32n), true)
  }
}
