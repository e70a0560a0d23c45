/**
 * Model-specific registers. SDM vol. 4, "Architectural MSRs". A number that is in no table is #GP.
 */
import { isCanonical } from "../memory/Access.ts"
import { physicalBits } from "../memory/PhysicalMemory.ts"
import { at } from "../processor/State.ts"
import { capabilityMsrs } from "../vmx/capabilities.ts"
import type { Core } from "./Core.ts"
import { CR0, EFER, system, vector, writableCr4 } from "./registers.ts"

/**
 * What a write to a register may be. All but `mask` are checks on the whole of it; bits outside `mask` that are 1 are
 * #GP.
 */
type Writable = "canonical" | "any" | "pat" | "nothing" | { readonly mask: readonly [hi: number, lo: number] }

interface Row {
  readonly number: number
  readonly name: string
  readonly reset: readonly [hi: number, lo: number]
  readonly write: Writable
  /** What else a write does. */
  readonly effect?: (core: Core, lo: number, hi: number) => void
}

const zero = [0, 0] as const

/** IA32_EFER.LMA is the processor's; LME changes only while paging is off. */
const writeEfer = (core: Core, lo: number): void => {
  const old = core.low(msrAt.IA32_EFER)
  if ((lo ^ old) & EFER.LME && core.low(at.cr0) & CR0.PG) core.raise(vector.GP)
  core.set(msrAt.IA32_EFER, (lo & ~EFER.LMA) | (old & EFER.LMA), 0)
  if ((lo ^ old) & EFER.NXE) core.rulesChanged(lo)
}

/** Locked, and VMX allowed outside SMX operation: as firmware leaves it. "If the lock bit is set, WRMSR to this MSR causes a general-protection exception." */
const featureControl = 0x5
const writeFeatureControl = (core: Core, lo: number, hi: number): void => {
  if (core.low(msrAt.IA32_FEATURE_CONTROL) & 1) core.raise(vector.GP)
  core.set(msrAt.IA32_FEATURE_CONTROL, lo, hi)
}

// biome-ignore format: a register, a line
const rows = [
  { number: 0x003a,      name: "IA32_FEATURE_CONTROL", reset: [0, featureControl],        write: { mask: [0, featureControl] }, effect: writeFeatureControl },
  { number: 0x008b,      name: "IA32_BIOS_SIGN_ID",   reset: zero,                        write: "nothing" },
  { number: 0x0174,      name: "IA32_SYSENTER_CS",    reset: zero,                        write: "any" },
  { number: 0x0175,      name: "IA32_SYSENTER_ESP",   reset: zero,                        write: "canonical" },
  { number: 0x0176,      name: "IA32_SYSENTER_EIP",   reset: zero,                        write: "canonical" },
  { number: 0x01a0,      name: "IA32_MISC_ENABLE",    reset: [0, 0x0000_0001],            write: { mask: [0, 0x0000_0001] } },
  { number: 0x0277,      name: "IA32_PAT",            reset: [0x0007_0406, 0x0007_0406],  write: "pat" },
  { number: 0xc000_0080, name: "IA32_EFER",           reset: zero,                        write: { mask: [0, EFER.SCE | EFER.LME | EFER.LMA | EFER.NXE] }, effect: writeEfer },
  { number: 0xc000_0081, name: "IA32_STAR",           reset: zero,                        write: "any" },
  { number: 0xc000_0082, name: "IA32_LSTAR",          reset: zero,                        write: "canonical" },
  { number: 0xc000_0083, name: "IA32_CSTAR",          reset: zero,                        write: "canonical" },
  { number: 0xc000_0084, name: "IA32_FMASK",          reset: zero,                        write: { mask: [0, -1] } },
  { number: 0xc000_0102, name: "IA32_KERNEL_GS_BASE", reset: zero,                        write: "canonical" },
  { number: 0xc000_0103, name: "IA32_TSC_AUX",        reset: zero,                        write: { mask: [0, -1] } }
] as const satisfies readonly Row[]

type Name = (typeof rows)[number]["name"]

/** Where each is in the state block. */
export const msrAt = Object.fromEntries(rows.map(({ name }, n) => [name, system.msrs + n * 8])) as Readonly<
  Record<Name, number>
>

const byNumber: ReadonlyMap<number, Row> = new Map(rows.map((row) => [row.number, row]))

export const resetMsrs = (core: Core): void => {
  for (const { name, reset } of rows) core.set(msrAt[name], reset[1], reset[0])
}

/**
 * Registers that are words of the state block by another name, or the local APIC's, or the time: with code of their
 * own.
 */
interface Special {
  readonly read: (core: Core) => readonly [lo: number, hi: number]
  readonly write: (core: Core, lo: number, hi: number) => void
}

const base = (offset: number): Special => ({
  read: (core) => [core.low(offset), core.high(offset)],
  write: (core, lo, hi) => {
    core.checkCanonical(hi)
    core.set(offset, lo, hi)
  }
})

/** What the local APIC does not accept is #GP. */
const accepted = (core: Core, isAccepted: boolean): void => {
  if (!isAccepted) core.raise(vector.GP)
}

// biome-ignore format: a register, a line
const specials: ReadonlyMap<number, Special> = new Map([
  [0x0000_0010, { read: (core) => readOwnTsc(core), write: (core, lo, hi) => writeTsc(core, lo, hi) }],
  [0x0000_001b, { read: (core) => core.apic.readBase(), write: (core, lo, hi) => accepted(core, core.apic.writeBase(lo, hi, 2 ** physicalBits)) }],
  [0x0000_003b, { read: (core) => [core.low(system.tscOffset), core.high(system.tscOffset)], write: (core, lo, hi) => core.set(system.tscOffset, lo, hi) }],
  [0x0000_06e0, { read: (core) => core.apic.readDeadline(), write: (core, lo, hi) => core.apic.writeDeadline(lo, hi) }],
  [0xc000_0100, base(at.fsBase)],
  [0xc000_0101, base(at.gsBase)]
])

/** SDM vol. 3D, "VMX Capability Reporting Facility": read-only. */
const capabilities = capabilityMsrs(writableCr4)

/** Each of its bytes is a memory type: 0, 1, 4, 5, 6 or 7. */
export const isPat = (half: number): boolean =>
  [0, 8, 16, 24].every((shift) => [0, 1, 4, 5, 6, 7].includes((half >>> shift) & 255))

/** @throws `raised` #GP(0) if there is no such register. */
export const readMsr = (core: Core, number: number): readonly [lo: number, hi: number] => {
  const special = specials.get(number)
  if (special) return special.read(core)
  const row = byNumber.get(number)
  if (row) return [core.low(msrAt[row.name as Name]), core.high(msrAt[row.name as Name])]
  return capabilities.get(number) ?? core.apic.readMsr(number) ?? core.raise(vector.GP)
}

/** @throws `raised` #GP(0) if there is no such register, or the value is not for it. */
export const writeMsr = (core: Core, number: number, lo: number, hi: number): void => {
  const special = specials.get(number)
  const row = byNumber.get(number)
  if (special) special.write(core, lo, hi)
  else if (row) writeRow(core, row, lo, hi)
  else accepted(core, core.apic.writeMsr(number, lo, hi))
}

const writeRow = (core: Core, row: Row, lo: number, hi: number): void => {
  if (!accepts(row.write, lo, hi)) core.raise(vector.GP)
  if (row.effect) row.effect(core, lo, hi)
  else core.set(msrAt[row.name as Name], lo, hi)
}

const accepts = (write: Writable, lo: number, hi: number): boolean => {
  switch (write) {
    case "any":
      return true
    case "nothing":
      return lo === 0 && hi === 0
    case "canonical":
      return isCanonical(hi)
    case "pat":
      return isPat(lo) && isPat(hi)
    default:
      return (hi & ~write.mask[0]) === 0 && (lo & ~write.mask[1]) === 0
  }
}

// ---- the time-stamp counter: the count, and what software added to it

const two32 = 2 ** 32

/** The time-stamp counter at a count. */
export const tscOf = (core: Core, count: number): readonly [lo: number, hi: number] => {
  const lo = (count >>> 0) + (core.low(system.tscOffset) >>> 0)
  const hi = Math.floor(count / two32) + core.high(system.tscOffset) + (lo >= two32 ? 1 : 0)
  return [lo | 0, hi | 0]
}

export const readTsc = (core: Core): readonly [lo: number, hi: number] => tscOf(core, core.clock.now())

/** The same as a guest reads it. */
export const readOwnTsc = (core: Core): readonly [lo: number, hi: number] =>
  core.vmx.isGuest ? core.vmx.guestTsc(...readTsc(core)) : readTsc(core)

const writeTsc = (core: Core, lo: number, hi: number): void => {
  const now = core.clock.now()
  const difference = (lo >>> 0) - (now % two32)
  core.set(system.tscOffset, difference | 0, (hi - Math.floor(now / two32) - (difference < 0 ? 1 : 0)) | 0)
}
