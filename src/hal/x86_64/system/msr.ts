/**
 * Model-specific registers. SDM vol. 4, "Architectural MSRs". A number that is in no table is #GP.
 */
import { archCapabilities } from "../../../types/x86_64/ArchCapabilities.ts"
import { isCanonical, widest } from "../memory/Access.ts"
import {
  defType,
  fixedRanges,
  isMtrrType,
  isPatType,
  type MemoryTypeRegisters,
  memoryTypes,
  valid,
  variableRanges
} from "../memory/memoryTypes.ts"
import { physicalBits } from "../memory/PhysicalMemory.ts"
import { at } from "../processor/State.ts"
import { capabilityMsrs } from "../vmx/capabilities.ts"
import type { Core } from "./Core.ts"
import { CR0, EFER, system, vector, writableCr4 } from "./registers.ts"

/**
 * What a write to a register may be. All but `mask` are checks on the whole of it; bits outside `mask` that are 1 are
 * #GP.
 */
type Writable =
  | "canonical"
  | "any"
  | "pat"
  /** Only 0. */
  | "nothing"
  /** It is not written. */
  | "never"
  | { readonly mask: readonly [hi: number, lo: number] }
  | ((lo: number, hi: number) => boolean)

interface Row {
  readonly number: number
  readonly name: string
  readonly reset: readonly [hi: number, lo: number]
  readonly write: Writable
  /** What a write does, if it is more than to put the value there. */
  readonly effect?: (core: Core, lo: number, hi: number) => void
}

const zero = [0, 0] as const

/** Of IA32_DEBUGCTL, "single-step on branches"; branches are not recorded. */
export const BTF = 1 << 1

/** IA32_EFER.LMA is the processor's; LME changes only while paging is off. */
const writeEfer = (core: Core, lo: number): void => {
  const old = core.low(msrAt.IA32_EFER)
  if (lo & ~old & EFER.NXE && !hasExecuteDisable(core)) core.raise(vector.GP)
  if ((lo ^ old) & EFER.LME && core.low(at.cr0) & CR0.PG) core.raise(vector.GP)
  core.set(msrAt.IA32_EFER, (lo & ~EFER.LMA) | (old & EFER.LMA), 0)
  if ((lo ^ old) & EFER.NXE) core.rulesChanged(lo)
}

/** The lock, and VMX outside SMX operation. "If the lock bit is set, WRMSR to this MSR causes a general-protection exception." */
const featureControl = 0x5
const writeFeatureControl = (core: Core, lo: number, hi: number): void => {
  if (core.low(msrAt.IA32_FEATURE_CONTROL) & 1) core.raise(vector.GP)
  core.set(msrAt.IA32_FEATURE_CONTROL, lo, hi)
}

/** The TSC runs at 1 GHz: 10 times the bus clock of 100 MHz. */
const ratio = 10
const machineCheckBanks = 4
const immunities = [Number(archCapabilities >> 32n), Number(BigInt.asIntN(32, archCapabilities))] as const
const physicalHigh = 2 ** (physicalBits - 32) - 1

/**
 * IA32_MISC_ENABLE. That there is no branch trace and are no precise events is fixed; MONITOR, the highest leaf of CPUID and NX follow what is written; the
 * rest (fast strings, thermal control, performance monitoring, SpeedStep, xTPR messages) is kept, and says nothing here.
 */
const miscEnable = {
  kept: 0x0081_0089,
  fixed: (1 << 11) | (1 << 12),
  limitCpuid: 1 << 22,
  monitor: 1 << 18,
  xdDisable: 1 << 2,
  reset: 0x4_1801
} as const
const writePkrs = (core: Core, lo: number): void => {
  core.set(msrAt.IA32_PKRS, lo, 0)
  core.keysChanged()
}
const writeMiscEnable = (core: Core, lo: number, hi: number): void =>
  core.set(msrAt.IA32_MISC_ENABLE, lo | miscEnable.fixed, hi)

/** "ENABLE MONITOR FSM": without it, CPUID does not say MONITOR. */
export const hasMonitor = (core: Core): boolean => (core.low(msrAt.IA32_MISC_ENABLE) & miscEnable.monitor) !== 0

/** "Limit CPUID Maxval": for software that is confused by more leaves. */
export const limitsCpuid = (core: Core): boolean => (core.low(msrAt.IA32_MISC_ENABLE) & miscEnable.limitCpuid) !== 0

/** "XD Bit Disable": CPUID does not say Execute Disable, and IA32_EFER.NXE is reserved. */
export const hasExecuteDisable = (core: Core): boolean =>
  (core.high(msrAt.IA32_MISC_ENABLE) & miscEnable.xdDisable) === 0

const isDefType = (lo: number, hi: number): boolean => hi === 0 && (lo & ~0xcff) === 0 && isMtrrType(lo & 0xff)
const isRangeBase = (lo: number, hi: number): boolean =>
  (hi & ~physicalHigh) === 0 && (lo & 0xf00) === 0 && isMtrrType(lo & 0xff)
const isFixedRange = (lo: number, hi: number): boolean => everyByte(lo, isMtrrType) && everyByte(hi, isMtrrType)
/** IA32_MTRR_FIX64K_00000, FIX16K_80000 and A0000, FIX4K_C0000 to F8000. */
const fixedNumbers = [0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f] as const

// biome-ignore format: a register, a line
const named = [
  { number: 0x003a,      name: "IA32_FEATURE_CONTROL", reset: zero,                        write: { mask: [0, featureControl] }, effect: writeFeatureControl },
  { number: 0x0017,      name: "IA32_PLATFORM_ID",    reset: zero,                        write: "never" },
  { number: 0x0048,      name: "IA32_SPEC_CTRL",      reset: zero,                        write: { mask: [0, 0x407] } },
  { number: 0x00ce,      name: "MSR_PLATFORM_INFO",   reset: [0, ratio << 8],             write: "never" },
  { number: 0x00fe,      name: "IA32_MTRRCAP",        reset: [0, 0x500 | variableRanges], write: "never" },
  { number: 0x010a,      name: "IA32_ARCH_CAPABILITIES", reset: immunities,               write: "never" },
  { number: 0x0179,      name: "IA32_MCG_CAP",        reset: [0, machineCheckBanks],      write: "never" },
  { number: 0x017a,      name: "IA32_MCG_STATUS",     reset: zero,                        write: { mask: [0, 0b111] } },
  { number: 0x0198,      name: "IA32_PERF_STATUS",    reset: [0, ratio << 8],             write: "never" },
  { number: 0x02ff,      name: "IA32_MTRR_DEF_TYPE",  reset: zero,                        write: isDefType },
  { number: 0x008b,      name: "IA32_BIOS_SIGN_ID",   reset: zero,                        write: "nothing" },
  { number: 0x0174,      name: "IA32_SYSENTER_CS",    reset: zero,                        write: "any" },
  { number: 0x0175,      name: "IA32_SYSENTER_ESP",   reset: zero,                        write: "canonical" },
  { number: 0x0176,      name: "IA32_SYSENTER_EIP",   reset: zero,                        write: "canonical" },
  { number: 0x01a0,      name: "IA32_MISC_ENABLE",    reset: [0, miscEnable.reset],       write: { mask: [miscEnable.xdDisable, miscEnable.kept | miscEnable.fixed | miscEnable.monitor | miscEnable.limitCpuid] }, effect: writeMiscEnable },
  { number: 0x01d9,      name: "IA32_DEBUGCTL",       reset: zero,                        write: { mask: [0, BTF] } },
  { number: 0x01fc,      name: "MSR_POWER_CTL",       reset: zero,                        write: { mask: [0, 1 << 1] } },
  { number: 0x0277,      name: "IA32_PAT",            reset: [0x0007_0406, 0x0007_0406],  write: "pat" },
  { number: 0x06e1,      name: "IA32_PKRS",           reset: zero,                        write: { mask: [0, -1] }, effect: writePkrs },
  { number: 0x0da0,      name: "IA32_XSS",            reset: zero,                        write: "nothing" },
  { number: 0xc000_0080, name: "IA32_EFER",           reset: zero,                        write: { mask: [0, EFER.SCE | EFER.LME | EFER.LMA | EFER.NXE] }, effect: writeEfer },
  { number: 0xc000_0081, name: "IA32_STAR",           reset: zero,                        write: "any" },
  { number: 0xc000_0082, name: "IA32_LSTAR",          reset: zero,                        write: "canonical" },
  { number: 0xc000_0083, name: "IA32_CSTAR",          reset: zero,                        write: "canonical" },
  { number: 0xc000_0084, name: "IA32_FMASK",          reset: zero,                        write: { mask: [0, -1] } },
  { number: 0xc000_0102, name: "IA32_KERNEL_GS_BASE", reset: zero,                        write: "canonical" },
] as const satisfies readonly Row[]

type Name = (typeof named)[number]["name"]

/**
 * IA32_MTRR_PHYSBASEn and PHYSMASKn; the registers of the fixed ranges; and the machine-check banks, in which nothing is ever reported:
 * a status can be cleared; in address and miscellaneous information software may leave what it likes, as QEMU's processors let it.
 */
// biome-ignore format: a register, a line
const rows: readonly Row[] = [
  ...named,
  ...Array.from({ length: variableRanges }, (_, n): readonly Row[] => [
    { number: 0x200 + 2 * n, name: `IA32_MTRR_PHYSBASE${n}`, reset: zero, write: isRangeBase },
    { number: 0x201 + 2 * n, name: `IA32_MTRR_PHYSMASK${n}`, reset: zero, write: { mask: [physicalHigh, 0xffff_f800 | 0] } }
  ]).flat(),
  ...fixedNumbers.map((number, n): Row => ({ number, name: `IA32_MTRR_FIX${n}`, reset: zero, write: isFixedRange })),
  ...Array.from({ length: machineCheckBanks }, (_, n): readonly Row[] => [
    { number: 0x400 + 4 * n, name: `IA32_MC${n}_CTL`,    reset: zero, write: "any" },
    { number: 0x401 + 4 * n, name: `IA32_MC${n}_STATUS`, reset: zero, write: "nothing" },
    { number: 0x402 + 4 * n, name: `IA32_MC${n}_ADDR`,   reset: zero, write: "any" },
    { number: 0x403 + 4 * n, name: `IA32_MC${n}_MISC`,   reset: zero, write: "any" }
  ]).flat()
]

/** Where each is in the state block. */
export const msrAt = Object.fromEntries(rows.map(({ name }, n) => [name, system.msrs + n * 8])) as Readonly<
  Record<Name, number>
>
const placeOf = ({ name }: Row): number => msrAt[name as Name]

const byNumber: ReadonlyMap<number, Row> = new Map(rows.map((row) => [row.number, row]))

export const resetMsrs = (core: Core): void => {
  for (const row of rows) core.set(placeOf(row), row.reset[1], row.reset[0])
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
    core.checkWidest(hi)
    core.set(offset, lo, hi)
  }
})

/** It is written, and does what it says at once: here nothing, for there is nothing to forget. IA32_PRED_CMD, IA32_FLUSH_CMD. */
const command = (bits: number): Special => ({
  read: (core) => core.raise(vector.GP),
  write: (core, lo, hi) => {
    if (hi !== 0 || lo & ~bits) core.raise(vector.GP)
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
  [0x0000_003b, { read: (core) => [core.low(system.tscOffset), core.high(system.tscOffset)], write: (core, lo, hi) => adjustTsc(core, lo, hi) }],
  [0x0000_0049, command(1)],
  [0x0000_010b, command(1)],
  [0x0000_06e0, { read: (core) => core.apic.readDeadline(), write: (core, lo, hi) => core.apic.writeDeadline(lo, hi) }],
  [0xc000_0100, base(at.fsBase)],
  [0xc000_0101, base(at.gsBase)],
  [0xc000_0103, { read: (core) => [core.low(at.tscAux), 0], write: (core, lo, hi) => (hi === 0 ? core.set(at.tscAux, lo, 0) : core.raise(vector.GP)) }]
])

/** SDM vol. 3D, "VMX Capability Reporting Facility": read-only. */
const capabilities = capabilityMsrs(writableCr4)

export const isPat = (half: number): boolean => everyByte(half, isPatType)

const everyByte = (half: number, holds: (byte: number) => boolean): boolean =>
  holds(half & 255) && holds((half >>> 8) & 255) && holds((half >>> 16) & 255) && holds(half >>> 24)

/** What says which type memory has. */
export const memoryTypeRegisters = (core: Core): MemoryTypeRegisters => {
  const halves = (offset: number) => [core.low(offset), core.high(offset)] as const
  const byRow = (number: number) => halves(placeOf(byNumber.get(number)!))
  return {
    pat: halves(msrAt.IA32_PAT),
    defType: halves(msrAt.IA32_MTRR_DEF_TYPE),
    fixed: (n) => byRow(fixedNumbers[n]!),
    variable: (n) => ({ base: byRow(0x200 + 2 * n), mask: byRow(0x201 + 2 * n) })
  }
}

/** As firmware leaves them: RAM is write-back, what is above it is not cached; and so below 1 MiB, but for the BIOS. */
export const setMemoryTypes = (core: Core): void => {
  const set = (number: number, lo: number, hi: number) => core.set(placeOf(byNumber.get(number)!), lo, hi)
  const all = (type: number) => type * 0x0101_0101
  const { UC, WP, WB } = memoryTypes
  for (const [n, number] of fixedNumbers.entries()) {
    const { start } = fixedRanges[n]!
    const type = all(start < 0xa_0000 ? WB : start < 0xc_0000 ? UC : WP)
    set(number, type, type)
  }
  // From 3 to 4 GiB.
  set(0x200, 0xc000_0000 | UC, 0)
  set(0x201, 0xc000_0000 | valid, physicalHigh)
  core.set(msrAt.IA32_MTRR_DEF_TYPE, defType.E | defType.FE | WB, 0)
}

/** Where in the state block a register is that reads as it is there; undefined if it is none of those. */
export const placeOfMsr = (number: number): number | undefined => {
  const row = byNumber.get(number)
  return row === undefined || specials.has(number) ? undefined : placeOf(row)
}

/** A register, found once. */
export const msrAccess = (number: number): Special => {
  const row = byNumber.get(number)
  return row === undefined || specials.has(number)
    ? {
        read: (core) => readMsr(core, number),
        write: (core, lo, hi) => writeMsr(core, number, lo, hi)
      }
    : { read: (core) => readRow(core, row), write: (core, lo, hi) => writeRow(core, row, lo, hi) }
}

/** @throws `raised` #GP(0) if there is no such register. */
export const readMsr = (core: Core, number: number): readonly [lo: number, hi: number] => {
  const special = specials.get(number)
  if (special) return special.read(core)
  const row = byNumber.get(number)
  if (row) return readRow(core, row)
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

const readRow = (core: Core, { name }: Row): readonly [lo: number, hi: number] => {
  const place = msrAt[name as Name]
  return [core.low(place), core.high(place)]
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
      return isCanonical(hi, widest)
    case "pat":
      return isPat(lo) && isPat(hi)
    case "never":
      return false
    default:
      if (typeof write === "function") return write(lo, hi)
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
  adjustTsc(core, difference | 0, (hi - Math.floor(now / two32) - (difference < 0 ? 1 : 0)) | 0)
}

/** IA32_TSC_ADJUST. */
const adjustTsc = (core: Core, lo: number, hi: number): void => {
  core.set(system.tscOffset, lo, hi)
  core.apic.tscChanged()
}
