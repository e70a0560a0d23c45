/**
 * Mapping: where the frame or the table that a capability names is mapped, in the capability's own data.
 *
 *      31 .. 12           11 .. 0
 *     | address 31:12    | ASID   |                    +8
 *      20 .. 18   17      16 15   14 .. 0
 *     | by       | device | size | address 46:32 |     +12
 *
 * ASID 0 is nobody's: what has it is not mapped. `device` and `size` are a frame's, and never change. A page that the
 * processor uses for a virtual processor has the name of this (see `Vcpu`) in place of the ASID and the address below bit 32,
 * and above it, which of its pages it is.
 */
import type { ReadableMemory } from "../../types/Layout.ts"
import { type Capability, withData } from "../Capability.ts"
import type { State, View } from "../State.ts"

/** What translates: an address space; a device's or a guest's physical memory. Or who uses the page without. */
export const By = { nothing: 0, addressSpace: 1, ioSpace: 2, guest: 3, virtualProcessor: 4 } as const

export interface Mapping {
  readonly asid: number
  /** The lowest address, a multiple of 4 KiB. */
  readonly address: number
}

const fixed = 0x3_8000

/** The bits of pages, by the number in `size`. */
const sizes: readonly number[] = [12, 21, 30]

/** The data of a frame that is not mapped. */
export const frameData = (bits: number, isDevice: boolean): number => {
  const size = sizes.indexOf(bits)
  if (size < 0) throw new Error(`a frame has 2^12, 2^21 or 2^30 bytes: ${bits}`)
  return (size << 15) | (isDevice ? 1 << 17 : 0)
}

export const frameBits = (hi: number): number => sizes[(hi >>> 15) & 3] ?? 0
export const isDevice = (hi: number): boolean => (hi & (1 << 17)) !== 0
export const by = (hi: number): number => (hi >>> 18) & 7
export const asid = (lo: number): number => lo & 0xfff
export const address = (lo: number, hi: number): number => (hi & 0x7fff) * 2 ** 32 + ((lo & ~0xfff) >>> 0)

/** The data of a capability in a slot. */
export const dataLow = (memory: ReadableMemory, slot: number): number => memory.load32(slot + 8)
export const dataHigh = (memory: ReadableMemory, slot: number): number => memory.load32(slot + 12)

export const isMapped = ({ memory }: View, slot: number): boolean => asid(dataLow(memory, slot)) !== 0

/** `cap` is mapped nowhere. */
export const unmapped = (cap: Capability): Capability => withData(cap, 0, cap.hi & fixed)

/** What a slot holds is mapped here; the slot stays otherwise as it is. */
export const set = ({ memory }: State, slot: number, { asid, address }: Mapping, how: number): void => {
  memory.store32(slot + 8, (address & ~0xfff) | asid)
  memory.store32(slot + 12, (dataHigh(memory, slot) & fixed) | (how << 18) | (Math.floor(address / 2 ** 32) & 0x7fff))
}

/** A virtual processor, and which of its pages: see `Controls.pages`. */
export interface User {
  readonly name: number
  readonly index: number
}

/** Whose page it is, of what is mapped by `By.virtualProcessor`. */
export const user = (lo: number, hi: number): User => ({ name: lo, index: hi & 0x7fff })

export const setUser = (state: State, slot: number, { name, index }: User): void =>
  set(state, slot, { asid: asid(name), address: index * 2 ** 32 + ((name & ~0xfff) >>> 0) }, By.virtualProcessor)

export const clear = ({ memory }: State, slot: number): void => {
  memory.store32(slot + 8, 0)
  memory.store32(slot + 12, dataHigh(memory, slot) & fixed)
}
