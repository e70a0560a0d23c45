/**
 * A virtual-machine control structure in the machine's memory. SDM vol. 3C, "Format of the VMCS Region": a revision identifier, an abort
 * indicator, and data in a format of the processor's own, which is here: the launch state, and every field in 8 bytes.
 */
import { VmcsField, type VmcsFieldName } from "../../../types/x86_64/VmcsField.ts"
import { layout, pageBits, pageSize } from "../memory/layout.ts"
import type { PhysicalMemory } from "../memory/PhysicalMemory.ts"

/** "VMCS revision identifier", bits 30:0 of the first doubleword. */
export const revision = 0x534b_5901
export const regionBytes = pageSize

// biome-ignore format: a table
const region = { revision: 0x00, abort: 0x04, launched: 0x08, fields: 0x10 } as const

/** Where each field is in the region. */
export const place = Object.fromEntries(
  Object.keys(VmcsField).map((name, n) => [name, region.fields + n * 8])
) as Readonly<Record<VmcsFieldName, number>>

/** The place of each encoding; 0 of what is none. */
const placeOf = new Uint16Array(2 ** 15)
for (const [name, encoding] of Object.entries(VmcsField)) placeOf[encoding] = place[name as VmcsFieldName]

/** SDM vol. 3C, table "Structure of VMCS Component Encoding". */
export const widthOf = (encoding: number): 16 | 32 | 64 => ([16, 64, 32, 64] as const)[(encoding >>> 13) & 3]!
export const isReadOnly = (encoding: number): boolean => ((encoding >>> 10) & 3) === 1
/** The upper half of a field of 64 bits. */
export const isHigh = (encoding: number): boolean => (encoding & 1) !== 0

/** "Access type" high is of fields of 64 bits alone. */
export const hasField = (encoding: number): boolean =>
  encoding >>> 0 < placeOf.length &&
  placeOf[encoding & ~1] !== 0 &&
  (!isHigh(encoding) || ((encoding >>> 13) & 3) === 1)

/** IA32_VMX_VMCS_ENUM, bits 9:1: "the highest index value used for any VMCS encoding". */
export const highestIndex = Math.max(...Object.values(VmcsField).map((encoding) => (encoding >>> 1) & 0x1ff))

/** The region that is current, and its fields by their `place`. There is one only while a region is current. */
export class Vmcs {
  private readonly memory: PhysicalMemory
  private readonly i32: Int32Array
  /** Its physical address, or -1. */
  pointer = -1
  private words = 0

  constructor(memory: PhysicalMemory) {
    this.memory = memory
    this.i32 = memory.i32
  }

  /** The region at this address is in RAM, or there is none. */
  use(pointer: number): void {
    this.pointer = pointer
    this.words = (layout.ram + pointer) >>> 2
  }

  /** What is written now may have been decoded as code. */
  willChange(): void {
    this.memory.written(this.pointer >>> pageBits)
  }

  low(place: number): number {
    return this.i32[this.words + (place >> 2)]!
  }

  high(place: number): number {
    return this.i32[this.words + (place >> 2) + 1]!
  }

  set(place: number, lo: number, hi: number): void {
    const word = this.words + (place >> 2)
    this.i32[word] = lo
    this.i32[word + 1] = hi
  }

  /** A field that holds a physical address. */
  address(place: number): number {
    return (this.high(place) >>> 0) * 2 ** 32 + (this.low(place) >>> 0)
  }

  has(place: number, bit: number): boolean {
    return (this.low(place) & bit) !== 0
  }

  get isLaunched(): boolean {
    return this.low(region.launched) !== 0
  }

  set isLaunched(value: boolean) {
    this.i32[this.words + (region.launched >> 2)] = value ? 1 : 0
  }

  // ---- by encoding: VMREAD and VMWRITE. There is such a field.

  readLow(encoding: number): number {
    const at = placeOf[encoding & ~1]!
    return isHigh(encoding) ? this.high(at) : this.low(at)
  }

  readHigh(encoding: number): number {
    return isHigh(encoding) ? 0 : this.high(placeOf[encoding]!)
  }

  write(encoding: number, lo: number, hi: number): void {
    const at = placeOf[encoding & ~1]!
    this.willChange()
    if (isHigh(encoding)) this.set(at, this.low(at), lo)
    else if (widthOf(encoding) === 64) this.set(at, lo, hi)
    else this.set(at, widthOf(encoding) === 16 ? lo & 0xffff : lo, 0)
  }
}

/** What VMCLEAR and VMPTRLD do with a region that is not current. */
export const makeClear = (memory: PhysicalMemory, pointer: number): void => memory.store32(pointer + region.launched, 0)
export const revisionAt = (memory: PhysicalMemory, pointer: number): number => memory.load32(pointer + region.revision)
/** "VMX Aborts": why, in the region. */
export const setAbort = (memory: PhysicalMemory, pointer: number, why: number): void =>
  memory.store32(pointer + region.abort, why)
