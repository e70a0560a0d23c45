/**
 * A guest's processor at its beginning: fields of the control structure, by name.
 *
 * SDM vol. 3C, "Guest-State Area", "Checks on the Guest State Area"; access rights: table "Format of Access Rights".
 */
import { type VmcsField as Field, VmcsField, type VmcsFieldName } from "../types/x86_64/VmcsField.ts"
import { EntryControl } from "../types/x86_64/VmxControls.ts"

export type Fields = { readonly [N in VmcsFieldName]?: bigint }

/** The fields as they are written: encoding and value. */
export const entries = (fields: Fields): ReadonlyArray<readonly [Field, bigint]> =>
  Object.entries(fields).map(([name, value]) => [VmcsField[name as VmcsFieldName], value] as const)

// biome-ignore format: a table
const CR0 = { PE: 1n << 0n, ET: 1n << 4n, NE: 1n << 5n, NW: 1n << 29n, CD: 1n << 30n, PG: 1n << 31n } as const
const CR4 = { PAE: 1n << 5n, VMXE: 1n << 13n, OSXSAVE: 1n << 18n } as const
export const EFER = { SCE: 1n << 0n, LME: 1n << 8n, LMA: 1n << 10n, NXE: 1n << 11n } as const

/** Bits of which the guest sees what it wrote, and the processor keeps what virtual-machine extensions need. */
export const shadowed = { CR0: CR0.NE, CR4: CR4.VMXE | CR4.OSXSAVE } as const
/** "VMX-Fixed Bits in CR0", "in CR4". */
export const needed = { CR0: CR0.NE, CR4: CR4.VMXE } as const
export const bit = { CR0, CR4 } as const

const unusable = 0x1_0000n
/** Present, code or data, accessed; G, D/B or L as it is named. */
const rights = {
  code64: 0xa09bn,
  code32: 0xc09bn,
  code16: 0x9bn,
  data: 0xc093n,
  data16: 0x93n,
  busyTask: 0x8bn,
  table: 0x82n
} as const

type Segment = "ES" | "CS" | "SS" | "DS" | "FS" | "GS" | "LDTR" | "TR"

const segment = (name: Segment, selector: bigint, base: bigint, limit: bigint, access: bigint): Fields => ({
  [`GUEST_${name}_SELECTOR`]: selector,
  [`GUEST_${name}_BASE`]: base,
  [`GUEST_${name}_LIMIT`]: limit,
  [`GUEST_${name}_ACCESS_RIGHTS`]: access
})

const dataSegments = ["SS", "DS", "ES", "FS", "GS"] as const

/** What all beginnings have in common. */
const common: Fields = {
  ...segment("LDTR", 0n, 0n, 0xffffn, unusable),
  ...segment("TR", 0n, 0n, 0xffffn, rights.busyTask),
  GUEST_GDTR_BASE: 0n,
  GUEST_GDTR_LIMIT: 0xffffn,
  GUEST_IDTR_BASE: 0n,
  GUEST_IDTR_LIMIT: 0xffffn,
  GUEST_RSP: 0n,
  GUEST_RFLAGS: 2n,
  GUEST_DR7: 0x400n,
  GUEST_INTERRUPTIBILITY_STATE: 0n,
  GUEST_ACTIVITY_STATE: 0n,
  GUEST_PENDING_DEBUG_EXCEPTIONS: 0n,
  GUEST_IA32_SYSENTER_CS: 0n,
  GUEST_IA32_SYSENTER_ESP: 0n,
  GUEST_IA32_SYSENTER_EIP: 0n,
  GUEST_IA32_PAT: 0x0007_0406_0007_0406n,
  CR0_GUEST_HOST_MASK: shadowed.CR0,
  CR4_GUEST_HOST_MASK: shadowed.CR4,
  ENTRY_EXCEPTION_ERROR_CODE: 0n
}

const control = (cr0: bigint, cr3: bigint, cr4: bigint, efer: bigint): Fields => ({
  GUEST_CR0: cr0 | needed.CR0,
  CR0_READ_SHADOW: cr0,
  GUEST_CR3: cr3,
  GUEST_CR4: cr4 | needed.CR4,
  CR4_READ_SHADOW: cr4,
  GUEST_IA32_EFER: efer
})

/** 64-bit mode with flat segments and these page tables: what the 64-bit boot protocol of Linux begins with. */
export const longMode = (pml4: number): Fields => ({
  ...common,
  ...control(CR0.PE | CR0.ET | CR0.PG, BigInt(pml4), CR4.PAE, EFER.LME | EFER.LMA),
  ...segment("CS", 0x10n, 0n, 0xffff_ffffn, rights.code64),
  ...Object.assign({}, ...dataSegments.map((name) => segment(name, 0x18n, 0n, 0xffff_ffffn, rights.data))),
  ENTRY_CONTROLS: BigInt(EntryControl.IA32E_MODE_GUEST)
})

/** Protected mode with flat segments of 32 bits and no paging: what a PVH or Multiboot kernel begins with. */
export const protectedMode: Fields = {
  ...common,
  ...control(CR0.PE | CR0.ET, 0n, 0n, 0n),
  ...segment("CS", 0x10n, 0n, 0xffff_ffffn, rights.code32),
  ...Object.assign({}, ...dataSegments.map((name) => segment(name, 0x18n, 0n, 0xffff_ffffn, rights.data))),
  ENTRY_CONTROLS: 0n
}

/** Real-address mode at page `vector` of memory: what a startup IPI begins with. SDM vol. 3A, "Typical AP Initialization Sequence". */
export const startUp = (vector: number): Fields => ({
  ...common,
  ...control(CR0.ET | CR0.NW | CR0.CD, 0n, 0n, 0n),
  ...segment("CS", BigInt(vector << 8), BigInt(vector << 12), 0xffffn, rights.code16),
  ...Object.assign({}, ...dataSegments.map((name) => segment(name, 0n, 0n, 0xffffn, rights.data16))),
  ENTRY_CONTROLS: 0n
})
