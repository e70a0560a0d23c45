/**
 * VmcsAccess: which fields of its control structure a program may read and write, and what becomes of what it writes.
 *
 * Not in the table: what is the kernel's (the state to return to, tags, the addresses of its own structures) and what
 * would give a guest, or the processor, memory by its physical address.
 */
import * as SystemField from "../../types/x86_64/VmcsField.ts"
import { allowed, type Bits, backed, type Controls, guarded, protectionKeys } from "./Controls.ts"

const { VmcsField } = SystemField

/** The lower half of a field, as it may be of a virtual processor with a set of pages. The upper half, where there is one, is free. */
type Filter = (controls: Controls, low: number, pages: number) => number

/** Of a field that may be written. */
interface Write {
  readonly filter?: Filter
  /** Translations that the processor holds were made by what the field says. */
  readonly translates?: true
  /** Which of the x2APIC's registers are the guest's own follows from it. */
  readonly virtualizes?: true
}

const within =
  (of: (controls: Controls) => Bits): Filter =>
  (controls, low) =>
    allowed(of(controls), low)

const pin: Filter = (controls, low, pages) => backed(VmcsField.PIN_BASED_CONTROLS, allowed(controls.pin, low), pages)
export const primary: Filter = (controls, low, pages) =>
  guarded(backed(VmcsField.PRIMARY_CONTROLS, allowed(controls.primary, low), pages))
const secondary: Filter = (controls, low, pages) =>
  backed(VmcsField.SECONDARY_CONTROLS, allowed(controls.secondary, low), pages)

/** Bits 31 and 11:0 have a meaning. SDM vol. 3C, "Format of the VM-Entry Interruption-Information Field". */
export const injected = 0x8000_0fff | 0

/**
 * A guest is active, or waits for an interrupt. While it were shut down, or waited for a start-up IPI, interrupts would
 * not end its turn.
 */
const activity: Filter = (_, low) => (low === 0 ? 0 : 1)

const names = Object.entries(VmcsField)
const named = (pattern: RegExp): ReadonlyArray<number> =>
  names.filter(([name]) => pattern.test(name)).map(([, field]) => field)

const free: ReadonlyArray<number> = [
  ...named(/^GUEST_(ES|CS|SS|DS|FS|GS|LDTR|TR|GDTR|IDTR)_(SELECTOR|BASE|LIMIT|ACCESS_RIGHTS)$/),
  ...named(/^GUEST_IA32_SYSENTER_/),
  ...named(/^CR[034]_(READ_SHADOW|TARGET)/),
  ...named(/^EOI_EXIT_BITMAP_/),
  VmcsField.TPR_THRESHOLD,
  VmcsField.GUEST_RIP,
  VmcsField.GUEST_RSP,
  VmcsField.GUEST_RFLAGS,
  VmcsField.GUEST_DR7,
  VmcsField.GUEST_IA32_DEBUGCTL,
  VmcsField.GUEST_PENDING_DEBUG_EXCEPTIONS,
  VmcsField.GUEST_INTERRUPTIBILITY_STATE,
  VmcsField.GUEST_INTERRUPT_STATUS,
  VmcsField.CR0_GUEST_HOST_MASK,
  VmcsField.PREEMPTION_TIMER_VALUE,
  VmcsField.EXCEPTION_BITMAP,
  VmcsField.PAGE_FAULT_MASK,
  VmcsField.PAGE_FAULT_MATCH,
  VmcsField.ENTRY_EXCEPTION_ERROR_CODE,
  VmcsField.ENTRY_INSTRUCTION_LENGTH,
  VmcsField.TSC_OFFSET,
  VmcsField.TSC_MULTIPLIER,
  VmcsField.PLE_GAP,
  VmcsField.PLE_WINDOW
]

const writes: ReadonlyMap<number, Write> = new Map<number, Write>([
  ...free.map((field): [number, Write] => [field, {}]),
  ...named(/^GUEST_PDPTE_/).map((field): [number, Write] => [field, { translates: true }]),
  [VmcsField.GUEST_CR0, { filter: within(({ cr0 }) => cr0), translates: true }],
  [VmcsField.GUEST_CR3, { translates: true }],
  [VmcsField.GUEST_CR4, { filter: within(({ cr4 }) => cr4), translates: true }],
  [VmcsField.GUEST_IA32_EFER, { translates: true }],
  [VmcsField.GUEST_IA32_PAT, { translates: true }],
  // What a guest may not set, it does not set by itself.
  [VmcsField.CR4_GUEST_HOST_MASK, { filter: (_, low) => low | protectionKeys }],
  [VmcsField.GUEST_ACTIVITY_STATE, { filter: activity }],
  [VmcsField.PIN_BASED_CONTROLS, { filter: pin }],
  [VmcsField.PRIMARY_CONTROLS, { filter: primary }],
  [VmcsField.SECONDARY_CONTROLS, { filter: secondary, virtualizes: true }],
  [VmcsField.EXIT_CONTROLS, { filter: within(({ exit }) => exit) }],
  [VmcsField.ENTRY_CONTROLS, { filter: within(({ entry }) => entry) }],
  [VmcsField.ENTRY_INTERRUPTION_INFORMATION, { filter: (_, low) => low & injected }]
])

/** What the processor writes there when a guest's turn ends. */
const reported: ReadonlyArray<number> = [
  ...named(/^(EXIT_(REASON|QUALIFICATION|INTERRUPTION|INSTRUCTION)|IDT_VECTORING|IO_R)/),
  VmcsField.VM_INSTRUCTION_ERROR,
  VmcsField.GUEST_PHYSICAL_ADDRESS,
  VmcsField.GUEST_LINEAR_ADDRESS
]

const readable: ReadonlySet<number> = new Set([...writes.keys(), ...reported])

/** A program may read the field. */
export const mayRead = (field: number): boolean => readable.has(field)

/** What is to know of a field that a program may write; undefined of any other. */
export const writeOf = (field: number): Write | undefined => writes.get(field)

/** The width of a field in bits. SDM vol. 3C, "Structure of VMCS Component Encoding": bits 14:13. */
const widths = [16, 64, 32, 64] as const

/** The halves of what a program writes, as the field takes them. */
export const filtered = (
  controls: Controls,
  field: number,
  { filter }: Write,
  low: number,
  high: number,
  pages: number
): { readonly lo: number; readonly hi: number } => {
  const width = widths[(field >>> 13) & 3]!
  const lo = filter === undefined ? low : filter(controls, low, pages)
  return { lo: width === 16 ? lo & 0xffff : lo, hi: width === 64 ? high : 0 }
}
