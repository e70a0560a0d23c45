/**
 * XSAVE, XSAVEOPT, XSAVEC, XSAVES, XRSTOR, XRSTORS, XGETBV, XSETBV: the state of the processor's extensions in memory. SDM vol. 1, "Managing State
 * Using the XSAVE Feature Set".
 */
import { fault, raised } from "../memory/Access.ts"
import { at, isLong, vectorBytes } from "../processor/State.ts"
import { type Core, highOf, lowOf } from "./Core.ts"
import { mxcsrMask } from "./fxsave.ts"
import { msrAt } from "./msr.ts"
import { CR0, CR4, initialMxcsr, vector } from "./registers.ts"
import { putImage, readAll, takeImage, writeAll } from "./x87/environment.ts"
import { isInStack } from "./x87/instruction.ts"
import { unitOf } from "./x87/operations.ts"

// ---- state components

/** Bits of XCR0, IA32_XSS and of all masks of components. */
export const component = { x87: 1 << 0, SSE: 1 << 1, AVX: 1 << 2, PKRU: 1 << 9 } as const

/** A component that is beyond the legacy region of 512 bytes. */
interface Extended {
  readonly bit: number
  /** Where it is in the standard format, in bytes. */
  readonly offset: number
  readonly bytes: number
  /** In the compacted format it begins at a multiple of 64 bytes. */
  readonly isAligned: boolean
  /** Where its words are in the state block, in the order in which they are in memory. */
  readonly at: number
  /** Outside of 64-bit mode only so many bytes of it are there. */
  readonly legacyBytes: number
}

// biome-ignore format: a component, a line
export const extendedComponents: ReadonlyArray<Extended> = [
  { bit: component.AVX, offset: 576, bytes: 256, isAligned: false, at: at.vectorsHigh, legacyBytes: 128 },
  { bit: component.PKRU, offset: 832, bytes: 8, isAligned: false, at: at.pkru, legacyBytes: 8 }
]

/** What XCR0 may hold: what user programs have. IA32_XSS may hold nothing yet. */
export const userComponents = component.x87 | component.SSE | extendedComponents.reduce((all, { bit }) => all | bit, 0)

const legacyBytes = 512
const headerBytes = 64
const firstExtended = legacyBytes + headerBytes
const place = { mxcsr: 24, vectors: 160, XSTATE_BV: 512, XCOMP_BV: 520 } as const

/** The size of an area in the standard format that has room for these components. */
export const standardBytes = (mask: number): number =>
  extendedComponents.reduce(
    (bytes, { bit, offset, bytes: own }) => (mask & bit ? Math.max(bytes, offset + own) : bytes),
    firstExtended
  )

/** Where each component that is in an area is, in the format that its XCOMP_BV asks for. */
const offsetsIn = (compacted: number | undefined): ReadonlyMap<Extended, number> => {
  const offsets = new Map<Extended, number>()
  let next = firstExtended
  for (const each of extendedComponents) {
    if (compacted === undefined) offsets.set(each, each.offset)
    else if (compacted & each.bit) {
      const offset = each.isAligned ? (next + 63) & ~63 : next
      offsets.set(each, offset)
      next = offset + each.bytes
    }
  }
  return offsets
}

/** The size of an area in the compacted format. */
export const compactedBytes = (mask: number): number =>
  Math.max(firstExtended, ...[...offsetsIn(mask)].map(([{ bytes }, offset]) => offset + bytes))

/** Outside of 64-bit mode, registers 8 to 15 are neither saved nor restored. */
const vectorsIn = (core: Core): number => (isLong(core.low(at.mode)) ? 16 : 8)
const bytesIn = (core: Core, { bytes, legacyBytes: fewer }: Extended): number =>
  isLong(core.low(at.mode)) ? bytes : fewer

// ---- XINUSE

const isZero = (core: Core, from: number, bytes: number): boolean => {
  for (let offset = from; offset < from + bytes; offset += 4) if (core.low(offset) !== 0) return false
  return true
}

/** "Initial configuration" of the FPU: as FNINIT leaves it, with registers that are 0. */
const isInitialX87 = (core: Core): boolean => {
  const image = new DataView(new ArrayBuffer(160))
  putImage(unitOf(core), image, true)
  if (image.getUint16(0, true) !== 0x37f) return false
  for (let offset = 2; offset < image.byteLength; offset++) if (image.getUint8(offset) !== 0) return false
  return true
}

/** The components that are not in their initial configuration: "Processor Tracking of XSAVE-Managed State". MXCSR does not count. */
const inUse = (core: Core): number =>
  extendedComponents.reduce(
    (all, { bit, at: from, bytes }) => (isZero(core, from, bytes) ? all : all | bit),
    (isInitialX87(core) ? 0 : component.x87) | (isZero(core, at.vectors, 16 * vectorBytes) ? 0 : component.SSE)
  )

// ---- XCR0

const requireOsxsave = (core: Core): void => {
  if (!(core.low(at.cr4) & CR4.OSXSAVE)) core.raise(vector.UD)
}

const [rax, rcx, rdx] = [0, 1, 2].map((number) => at.general + 8 * number) as [number, number, number]

/** ECX = 0: XCR0. ECX = 1: the components of it that are in use. */
export const xgetbv = (core: Core): void => {
  requireOsxsave(core)
  const which = core.low(rcx)
  if (which !== 0 && which !== 1) core.raise(vector.GP)
  const value = which === 0 ? core.low(at.xcr0) : core.low(at.xcr0) & inUse(core)
  core.set(rax, value, 0)
  core.set(rdx, core.high(at.xcr0), 0)
}

/** "#GP(0) if an attempt is made to clear bit 0 of XCR0, to set XCR0[2:1] to 10b, or to set a reserved bit." */
export const xsetbv = (core: Core): void => {
  requireOsxsave(core)
  if (core.privilege !== 0 || core.low(rcx) !== 0) core.raise(vector.GP)
  writeXcr0(core, core.low(rax), core.low(rdx))
}

export const writeXcr0 = (core: Core, lo: number, hi: number): void => {
  requireOsxsave(core)
  const { x87, SSE, AVX } = component
  if (hi !== 0 || lo & ~userComponents || !(lo & x87)) core.raise(vector.GP)
  if (lo & AVX && !(lo & SSE)) core.raise(vector.GP)
  core.set(at.xcr0, lo, hi)
}

// ---- what all instructions with an area check

const check = (core: Core, lo: number, hi: number, isSupervisor: boolean): void => {
  requireOsxsave(core)
  if (core.low(at.cr0) & CR0.TS) core.raise(vector.NM)
  if (isSupervisor && core.privilege !== 0) core.raise(vector.GP)
  if (!core.isCanonical(hi)) core.raise(isInStack(core) ? vector.SS : vector.GP)
  if (lo & 63) core.raise(vector.GP)
}

/** RFBM: of what may be managed, what EDX:EAX asks for. */
const requested = (core: Core, isSupervisor: boolean): number =>
  core.low(rax) & (core.low(at.xcr0) | (isSupervisor ? core.low(msrAt.IA32_XSS) : 0))

// ---- saving

interface Part {
  readonly offset: number
  readonly bytes: DataView
}

const wordsOf = (core: Core, from: number, bytes: number): DataView => {
  const view = new DataView(new ArrayBuffer(bytes))
  for (let n = 0; n < bytes; n += 4) view.setInt32(n, core.low(from + n), true)
  return view
}
const words = (...values: ReadonlyArray<number>): DataView => {
  const view = new DataView(new ArrayBuffer(4 * values.length))
  for (const [n, value] of values.entries()) view.setInt32(4 * n, value, true)
  return view
}
/** Of an image, the bytes from one place to another. */
const slice = (image: DataView, from: number, to: number): Part => ({
  offset: from,
  bytes: new DataView(image.buffer, from, to - from)
})

/** The parts of an area that hold these components. `width`: of the FPU's pointers. */
const partsOf = (core: Core, saved: number, width: number, offsets: ReadonlyMap<Extended, number>): Array<Part> => {
  const parts: Array<Part> = []
  if (saved & component.x87) {
    const image = new DataView(new ArrayBuffer(place.vectors))
    putImage(unitOf(core), image, width === 64)
    parts.push(slice(image, 0, place.mxcsr), slice(image, 32, place.vectors))
  }
  if (saved & component.SSE)
    parts.push({ offset: place.vectors, bytes: wordsOf(core, at.vectors, vectorsIn(core) * vectorBytes) })
  for (const [of, offset] of offsets)
    if (saved & of.bit) parts.push({ offset, bytes: wordsOf(core, of.at, bytesIn(core, of)) })
  return parts
}
const mxcsrPart = (core: Core): Part => ({ offset: place.mxcsr, bytes: words(core.low(at.mxcsr), mxcsrMask) })

/** All parts, or none. @throws `raised` */
const write = (core: Core, lo: number, hi: number, parts: ReadonlyArray<Part>): void => {
  const placed = [...parts].sort((a, b) => a.offset - b.offset)
  for (const { offset, bytes } of placed)
    for (const by of [offset, offset + bytes.byteLength - 1])
      if (core.mmu.modify(lowOf(lo, by), highOf(lo, hi, by), 8) === fault) throw raised
  for (const { offset, bytes } of placed) writeAll(core, lowOf(lo, offset), highOf(lo, hi, offset), bytes)
}

/** XSAVE, XSAVEOPT. What was not asked for stays as it is in memory, its bit of XSTATE_BV too. @throws `raised` */
const saveStandard = (core: Core, lo: number, hi: number, width: number, isOptimized: boolean): void => {
  check(core, lo, hi, false)
  const mask = requested(core, false)
  const used = inUse(core)
  const saved = isOptimized ? mask & used : mask
  const header = readAll(core, lowOf(lo, place.XSTATE_BV), highOf(lo, hi, place.XSTATE_BV), 8)
  const XSTATE_BV = (header.getInt32(0, true) & ~mask) | (mask & used)
  const parts = partsOf(core, saved, width, offsetsIn(undefined))
  if (saved & (component.SSE | component.AVX)) parts.push(mxcsrPart(core))
  parts.push({ offset: place.XSTATE_BV, bytes: words(XSTATE_BV, header.getInt32(4, true)) })
  write(core, lo, hi, parts)
}

/** XSAVEC, XSAVES: only what is in use, and as close together as what was asked for allows. @throws `raised` */
const saveCompacted = (core: Core, lo: number, hi: number, width: number, isSupervisor: boolean): void => {
  check(core, lo, hi, isSupervisor)
  const mask = requested(core, isSupervisor)
  // "XSTATE_BV[1] is set if RFBM[1] = 1 and either XINUSE[1] = 1 or MXCSR ≠ 1F80H."
  const saved = mask & (inUse(core) | (core.low(at.mxcsr) === initialMxcsr ? 0 : component.SSE))
  const parts = partsOf(core, saved, width, offsetsIn(mask))
  if (saved & component.SSE) parts.push(mxcsrPart(core))
  parts.push({ offset: place.XSTATE_BV, bytes: words(saved, 0, mask, compactedBit) })
  write(core, lo, hi, parts)
}
/** XCOMP_BV[63], in its upper half. */
const compactedBit = 0x8000_0000 | 0

// ---- restoring

/** What the header says of an area; an area that it does not fit is #GP(0). */
interface Header {
  readonly XSTATE_BV: number
  /** The components that a compacted area has room for. */
  readonly compacted: number | undefined
}

const headerOf = (core: Core, header: DataView, allowed: number, mustBeCompacted: boolean): Header => {
  const word = (offset: number) => header.getInt32(offset, true)
  const refuse = (when: boolean) => {
    if (when) core.raise(vector.GP)
  }
  const isCompacted = word(12) < 0
  refuse(mustBeCompacted && !isCompacted)
  refuse(word(4) !== 0 || (word(0) & ~allowed) !== 0)
  const zeros = isCompacted ? range(16, 64) : range(8, 24)
  refuse(zeros.some((offset) => word(offset) !== 0))
  if (!isCompacted) return { XSTATE_BV: word(0), compacted: undefined }
  refuse(word(12) !== compactedBit || (word(8) & ~allowed) !== 0 || (word(0) & ~word(8)) !== 0)
  return { XSTATE_BV: word(0), compacted: word(8) }
}
const range = (from: number, to: number): ReadonlyArray<number> =>
  Array.from({ length: (to - from) / 4 }, (_, n) => from + 4 * n)

const setWords = (core: Core, to: number, from: DataView | undefined, bytes: number): void => {
  for (let n = 0; n < bytes; n += 4) core.i32[(to + n) >> 2] = from?.getInt32(n, true) ?? 0
}

/** Components that the area does not have get their initial configuration. @throws `raised` */
const restore = (core: Core, lo: number, hi: number, width: number, isSupervisor: boolean): void => {
  check(core, lo, hi, isSupervisor)
  const mask = requested(core, isSupervisor)
  const allowed = core.low(at.xcr0) | (isSupervisor ? core.low(msrAt.IA32_XSS) : 0)
  const read = (offset: number, bytes: number) => readAll(core, lowOf(lo, offset), highOf(lo, hi, offset), bytes)
  const { XSTATE_BV, compacted } = headerOf(core, read(legacyBytes, headerBytes), allowed, isSupervisor)
  const loaded = mask & XSTATE_BV
  // In the standard format MXCSR is there whatever XSTATE_BV says; in the compacted one it belongs to SSE.
  const loadsMxcsr =
    compacted === undefined ? (mask & (component.SSE | component.AVX)) !== 0 : (loaded & component.SSE) !== 0
  const mxcsr = loadsMxcsr ? read(place.mxcsr, 4).getUint32(0, true) : initialMxcsr
  if (mxcsr & ~mxcsrMask) core.raise(vector.GP)
  const x87 = loaded & component.x87 ? read(0, place.vectors) : undefined
  const vectors = loaded & component.SSE ? read(place.vectors, vectorsIn(core) * vectorBytes) : undefined
  const images = [...offsetsIn(compacted)].map(
    ([of, offset]) => [of, loaded & of.bit ? read(offset, bytesIn(core, of)) : undefined] as const
  )
  if (x87) takeImage(unitOf(core), x87, width === 64)
  else if (mask & component.x87) initializeX87(core)
  if (mask & component.SSE) setWords(core, at.vectors, vectors, vectorsIn(core) * vectorBytes)
  if (loadsMxcsr || (compacted !== undefined && mask & component.SSE)) core.set(at.mxcsr, mxcsr, 0)
  const present = new Map(images)
  for (const each of extendedComponents)
    if (mask & each.bit) setWords(core, each.at, present.get(each), bytesIn(core, each))
}

const initializeX87 = (core: Core): void => {
  const image = new DataView(new ArrayBuffer(place.vectors))
  image.setUint16(0, 0x37f, true)
  takeImage(unitOf(core), image, true)
}

// ---- instructions: an address, and the width of the FPU's pointers

export const xsave = (core: Core, lo: number, hi: number, width: number): void =>
  saveStandard(core, lo, hi, width, false)
export const xsaveopt = (core: Core, lo: number, hi: number, width: number): void =>
  saveStandard(core, lo, hi, width, true)
export const xsavec = (core: Core, lo: number, hi: number, width: number): void =>
  saveCompacted(core, lo, hi, width, false)
export const xsaves = (core: Core, lo: number, hi: number, width: number): void =>
  saveCompacted(core, lo, hi, width, true)
export const xrstor = (core: Core, lo: number, hi: number, width: number): void => restore(core, lo, hi, width, false)
export const xrstors = (core: Core, lo: number, hi: number, width: number): void => restore(core, lo, hi, width, true)

// ---- CPUID

/** Leaf 0DH, "Processor Extended State Enumeration". */
export const extendedState = (
  core: Core,
  subleaf: number
): readonly [eax: number, ebx: number, ecx: number, edx: number] => {
  const enabled = core.low(at.xcr0)
  if (subleaf === 0) return [userComponents, standardBytes(enabled), standardBytes(userComponents), 0]
  // XSAVEOPT, XSAVEC and XRSTOR of compacted areas, XGETBV with ECX = 1, XSAVES.
  if (subleaf === 1) return [0xf, compactedBytes(enabled | core.low(msrAt.IA32_XSS)), 0, 0]
  const of = extendedComponents.find(({ bit }) => bit === 1 << subleaf && subleaf < 32)
  return of === undefined ? [0, 0, 0, 0] : [of.bytes, of.offset, of.isAligned ? 2 : 0, 0]
}
