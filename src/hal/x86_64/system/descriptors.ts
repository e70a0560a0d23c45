/**
 * Descriptors: what a selector leads to, and how it gets into a segment register.
 *
 * SDM vol. 3A, "Segment Descriptors", "System Descriptor Types"; the checks are those of vol. 2A, "MOV", "LLDT", "LTR".
 */
import { isVirtual8086, type Mode, type Privilege } from "../processor/Meaning.ts"
import { at, segments } from "../processor/State.ts"
import { type Core, highOf, lowOf } from "./Core.ts"
import { CR4, system, vector } from "./registers.ts"

/** A descriptor's halves, and where it lies. */
export interface Descriptor {
  low: number
  high: number
  /** Where the base of its table is in the state block, and how far it is from that. */
  base: number
  offset: number
}

/** Bits of a descriptor's upper half. Figure "Segment Descriptor". */
// biome-ignore format: a table
export const bits = {
  accessed:   1 << 8,
  /** Of code: readable; of data: writable. Of a TSS: busy. */
  permits:    1 << 9,
  busy:       1 << 9,
  conforming: 1 << 10,
  code:       1 << 11,
  /** Code or data; 0: a system descriptor. */
  S:          1 << 12,
  P:          1 << 15,
  L:          1 << 21,
  D:          1 << 22,
  G:          1 << 23
} as const

export const dplOf = (high: number): Privilege => ((high >>> 13) & 3) as Privilege
export const rplOf = (selector: number): Privilege => (selector & 3) as Privilege
export const typeOf = (high: number): number => (high >>> 8) & 15
export const isCode = (high: number): boolean => (high & (bits.S | bits.code)) === (bits.S | bits.code)
export const isWritableData = (high: number): boolean =>
  (high & (bits.S | bits.code | bits.permits)) === (bits.S | bits.permits)
export const isReadable = (high: number): boolean =>
  (high & bits.S) !== 0 && (high & (bits.code | bits.permits)) !== bits.code
export const isConforming = (high: number): boolean =>
  (high & (bits.code | bits.conforming)) === (bits.code | bits.conforming)

/** Types of system descriptors in IA-32e mode. Table "System-Segment and Gate-Descriptor Types". */
export const systemType = {
  availableTss16: 1,
  ldt: 2,
  availableTss: 9,
  busyTss: 11,
  interruptGate: 14,
  trapGate: 15
} as const

const local = 4
export const isNull = (selector: number): boolean => (selector & ~3) === 0
export const code = (selector: number): number => selector & ~3

/** What `fetch` found last: it is good until the next. */
const found: Descriptor = { low: 0, high: 0, base: 0, offset: 0 }

/**
 * The descriptor at a selector that is not null. Outside its table: `fault` with the selector (#GP, or #TS where the
 * manual says so).
 */
export const fetch = (core: Core, selector: number, fault: number = vector.GP, external = 0): Descriptor => {
  const isLocal = (selector & local) !== 0
  if (isLocal && isUnusable(core, segments.ldtr)) core.raise(fault, code(selector) | external)
  const limit = isLocal ? core.segmentLimit(segments.ldtr) : core.low(system.gdtrLimit)
  const offset = selector & ~7
  if (offset + 7 > limit) core.raise(fault, code(selector) | external)
  const base = isLocal ? core.segmentBase(segments.ldtr) : system.gdtrBase
  return fetchAt(core, base, offset)
}

const fetchAt = (core: Core, base: number, offset: number): Descriptor => {
  const host = core.readTable(base, offset, 64)
  found.low = core.view.getInt32(host, true)
  found.high = core.view.getInt32(host + 4, true)
  found.base = base
  found.offset = offset
  return found
}

export const isUnusable = (core: Core, of: number): boolean => (core.segmentAccess(of) & unusable) !== 0
const unusable = 1 << 8

/** "Limit field": with G, in units of 4 KBytes. */
export const limitOf = (low: number, high: number): number => {
  const limit = (high & 0xf_0000) | (low & 0xffff)
  return (high & bits.G ? (limit << 12) | 0xfff : limit) >>> 0
}
export const baseOf = (low: number, high: number): number => (low >>> 16) | ((high & 0xff) << 16) | (high & 0xff00_0000)
export const accessOf = (high: number): number => (high >>> 8) & 0xf0ff

/** "Set by the processor when the segment is accessed": at the descriptor, when it is loaded. */
export const markAccessed = (core: Core, descriptor: Descriptor): void => {
  if (descriptor.high & bits.accessed) return
  descriptor.high |= bits.accessed
  writeHigh(core, descriptor)
}

const writeHigh = (core: Core, { high, base, offset }: Descriptor): void => {
  core.i32[at.bounce >> 2] = high
  core.writeTable(base, offset + 4, 32)
}

const setFrom = (core: Core, of: number, selector: number, { low, high }: Descriptor, baseHigh = 0): void =>
  core.setSegment(of, selector, accessOf(high), limitOf(low, high), baseOf(low, high), baseHigh)

/** A segment register, from a descriptor that was checked and marked. */
export const setData = (core: Core, of: number, selector: number, descriptor: Descriptor): void =>
  setFrom(core, of, selector, descriptor)

/** The busy flag of a TSS, in its descriptor in the GDT. */
export const setBusy = (core: Core, selector: number, isBusy: boolean): void => {
  const descriptor = fetch(core, code(selector))
  descriptor.high = isBusy ? descriptor.high | bits.busy : descriptor.high & ~bits.busy
  writeHigh(core, descriptor)
}

export const makeNull = (core: Core, of: number, selector: number): void =>
  core.setSegment(of, selector, unusable, 0, 0, 0)

/** MOV or POP to ES, SS, DS, FS, GS. */
export const loadData = (core: Core, of: number, selector: number): void => {
  if (!isProtected(core.mode)) loadReal(core, of, selector)
  else if (of === segments.ss) loadStack(core, selector, core.privilege)
  else if (isNull(selector)) makeNull(core, of, selector)
  else loadReadable(core, of, selector)
}

export const isProtected = (mode: Mode): boolean => mode.bits === 64 || mode.isProtected

/** "20.1.1 Physical Address in Real-Address Mode": the selector, times 16, is the base. Limit and rights stay as protected mode has left them. */
export const loadReal = (core: Core, of: number, selector: number): void => {
  const [access, limit] = isVirtual8086(core.mode)
    ? [0xf3, 0xffff]
    : isUnusable(core, of)
      ? [0x93, 0xffff]
      : [core.segmentAccess(of), core.segmentLimit(of)]
  core.setSegment(of, selector, access, limit, selector << 4, 0)
}

const loadReadable = (core: Core, of: number, selector: number): void => {
  const descriptor = fetch(core, selector)
  const { high } = descriptor
  if (!isReadable(high)) core.raise(vector.GP, code(selector))
  const requested = Math.max(selector & 3, core.privilege)
  if (!isConforming(high) && requested > dplOf(high)) core.raise(vector.GP, code(selector))
  if (!(high & bits.P)) core.raise(vector.NP, code(selector))
  markAccessed(core, descriptor)
  setFrom(core, of, selector, descriptor)
}

/** SS, for a processor that runs with `privilege`. A null selector is allowed in 64-bit mode, but not in ring 3. */
export const loadStack = (core: Core, selector: number, privilege: Privilege): void => {
  if (isNull(selector) && core.mode.bits !== 64) core.raise(vector.GP)
  setStack(core, selector, fetchStack(core, selector, privilege))
}

/** The same in two steps: nothing raises an exception after the first. Undefined if the selector is null. */
export const fetchStack = (core: Core, selector: number, privilege: Privilege): Descriptor | undefined => {
  if (isNull(selector)) {
    if (privilege === 3 || rplOf(selector) !== privilege) core.raise(vector.GP)
    return undefined
  }
  const descriptor = { ...fetch(core, selector) }
  const { high } = descriptor
  if (rplOf(selector) !== privilege || dplOf(high) !== privilege || !isWritableData(high))
    core.raise(vector.GP, code(selector))
  if (!(high & bits.P)) core.raise(vector.SS, code(selector))
  markAccessed(core, descriptor)
  return descriptor
}

export const setStack = (core: Core, selector: number, descriptor: Descriptor | undefined): void =>
  descriptor ? setFrom(core, segments.ss, selector, descriptor) : makeNull(core, segments.ss, selector)

/** A stack that an interrupt or a system call comes to: none in memory stands behind it. */
export const setNullStack = (core: Core, privilege: number): void => makeNull(core, segments.ss, privilege)

/** The code segment that an interrupt gate, IRET or a far transfer names: it is code. */
export const fetchCode = (core: Core, selector: number, external = 0): Descriptor => {
  if (isNull(selector)) core.raise(vector.GP, external)
  const descriptor = fetch(core, selector, vector.GP, external)
  if (!isCode(descriptor.high)) core.raise(vector.GP, code(selector) | external)
  return descriptor
}

export const checkPresent = (core: Core, high: number, selector: number, external = 0): void => {
  if (!(high & bits.P)) core.raise(vector.NP, code(selector) | external)
}

/** CS, from a descriptor that was checked and marked, for code that runs with `privilege`. */
export const setCode = (core: Core, selector: number, descriptor: Descriptor, privilege: Privilege): void => {
  setFrom(core, segments.cs, (selector & ~3) | privilege, descriptor)
  core.enterMode(core.codeSize(accessOf(descriptor.high)), privilege)
}

/** Code and stack of SYSCALL and SYSRET: fixed, whatever the descriptors at these selectors say. */
export const setFlat = (
  core: Core,
  codeSelector: number,
  stackSelector: number,
  privilege: Privilege,
  size: 32 | 64
): void => {
  const dpl = privilege << 5
  const flat = 0x8093 | dpl // G, P, S, data, writable, accessed
  core.putSegment(segments.cs, codeSelector, (size === 64 ? 0xa09b : 0xc09b) | dpl, 0xffff_ffff, 0, 0)
  core.putSegment(segments.ss, stackSelector, 0x4000 | flat, 0xffff_ffff, 0, 0)
  core.enterMode(size, privilege)
}

/** IRET and RET to an outer ring: "if DPL < CPL ... the segment selector becomes null". */
export const dropPrivileged = (core: Core): void => {
  for (const segment of [segments.es, segments.fs, segments.gs, segments.ds]) {
    const high = core.segmentAccess(segment) << 8
    if (isUnusable(core, segment) || isConforming(high) || dplOf(high) >= core.privilege) continue
    makeNull(core, segment, 0)
  }
}

/** LLDT. */
export const loadLocal = (core: Core, selector: number): void => {
  if (isNull(selector)) {
    makeNull(core, segments.ldtr, selector)
    return
  }
  const { high } = fetchSystem(core, selector)
  if (typeOf(high) !== systemType.ldt) core.raise(vector.GP, code(selector))
  checkPresent(core, high, selector)
  setFrom(core, segments.ldtr, selector, found, core.isLongActive ? upperBase(core, selector) : 0)
}

/** LTR: the TSS becomes busy, in its descriptor. */
export const loadTask = (core: Core, selector: number): void => {
  if (isNull(selector)) core.raise(vector.GP)
  const { high } = fetchSystem(core, selector)
  const isSmall = !core.isLongActive && typeOf(high) === systemType.availableTss16
  if (typeOf(high) !== systemType.availableTss && !isSmall) core.raise(vector.GP, code(selector))
  checkPresent(core, high, selector)
  const baseHigh = core.isLongActive ? upperBase(core, selector) : 0
  const descriptor = fetch(core, selector)
  descriptor.high |= bits.busy
  writeHigh(core, descriptor)
  setFrom(core, segments.tr, selector, descriptor, baseHigh)
}

const fetchSystem = (core: Core, selector: number): Descriptor => {
  if (selector & local) core.raise(vector.GP, code(selector))
  const descriptor = fetch(core, selector)
  if (descriptor.high & bits.S) core.raise(vector.GP, code(selector))
  return descriptor
}

/** The upper half of the base: system descriptors have 16 bytes in IA-32e mode. */
const upperBase = (core: Core, selector: number): number => {
  const lower = { ...found }
  const upper = fetch(core, (selector & ~7) + 8)
  if (upper.high & 0x1f00) core.raise(vector.GP, code(selector))
  const base = upper.low
  core.checkWidest(base)
  Object.assign(found, lower)
  return base
}

/** LGDT, LIDT: limit and base in memory. */
export const loadTableRegister = (
  core: Core,
  lo: number,
  hi: number,
  width: number,
  limitAt: number,
  baseAt: number
): void => {
  const [limit] = core.wordAt(core.read(lo, hi, 16), 16)
  const baseWidth = width === 64 ? 64 : 32
  const found = core.wordAt(core.read(lowOf(lo, 2), highOf(lo, hi, 2), baseWidth), baseWidth)
  const base = width === 16 ? ([found[0] & 0xff_ffff, 0] as const) : found
  core.checkWidest(base[1])
  core.set(baseAt, ...base)
  core.set(limitAt, limit, 0)
}

/** "User-mode instruction prevention": programs do not look at these. */
export const checkUmip = (core: Core): void => {
  if (core.privilege > 0 && core.low(at.cr4) & CR4.UMIP) core.raise(vector.GP)
}

/** SGDT, SIDT. CR4.UMIP keeps them from programs. */
export const storeTableRegister = (
  core: Core,
  lo: number,
  hi: number,
  width: number,
  limitAt: number,
  baseAt: number
): void => {
  checkUmip(core)
  core.copy(limitAt, at.bounce)
  core.write(lo, hi, 16)
  core.copy(baseAt, at.bounce)
  core.write(lowOf(lo, 2), highOf(lo, hi, 2), width === 64 ? 64 : 32)
}

/**
 * LAR, LSL, VERR, VERW: whether a selector leads to something that could be used so; then its descriptor. Never an
 * exception.
 */
export const look = (
  core: Core,
  selector: number,
  accepts: (high: number, isLongActive: boolean) => boolean
): Descriptor | undefined => {
  if (isNull(selector)) return undefined
  const isLocal = (selector & local) !== 0
  const limit = isLocal ? core.segmentLimit(segments.ldtr) : core.low(system.gdtrLimit)
  if ((isLocal && isUnusable(core, segments.ldtr)) || (selector & ~7) + 7 > limit) return undefined
  const descriptor = fetch(core, selector)
  const reaches = isConforming(descriptor.high) || Math.max(selector & 3, core.privilege) <= dplOf(descriptor.high)
  return reaches && accepts(descriptor.high, core.isLongActive) ? descriptor : undefined
}

export const accepts = {
  read: isReadable,
  write: isWritableData,
  /** Types with access rights to load: code, data, and system types. Those of 16 bits, and task gates, are none of IA-32e mode's. */
  rights: (high: number, isLongActive: boolean): boolean =>
    (high & bits.S) !== 0 || (isLongActive ? [2, 9, 11, 12] : [1, 2, 3, 4, 5, 9, 11, 12]).includes(typeOf(high)),
  limit: (high: number, isLongActive: boolean): boolean =>
    (high & bits.S) !== 0 || (isLongActive ? [2, 9, 11] : [1, 2, 3, 9, 11]).includes(typeOf(high))
} as const
