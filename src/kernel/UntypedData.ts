/**
 * What an Untyped capability remembers: its size, how much of it is in use, whether it is a device's.
 *
 *      63 .. 50     49         48 .. 43   42 .. 0
 *     |          | device    | size     | watermark |
 *
 * The watermark counts units of 16 bytes from the beginning: behind it nothing is in use.
 */
import { bits, layout, u32 } from "../types/Layout.ts"
import type { State, View } from "./State.ts"

// biome-ignore format: a figure
const Fields = layout(32, {
  watermarkLow:  u32(8),
  watermarkHigh: bits(12, 10, 0),
  sizeBits:      bits(12, 16, 11),
  device:        bits(12, 17, 17)
})

const unit = 16

/** The data of a new capability to 2^sizeBits bytes that nothing is in: its upper half. */
export const fresh = (sizeBits: number, isDevice: boolean): number => (sizeBits << 11) | (Number(isDevice) << 17)

export const sizeBits = ({ memory }: View, slot: number): number => Fields.sizeBits.load(memory, slot)
export const isDevice = ({ memory }: View, slot: number): boolean => Fields.device.load(memory, slot) !== 0

/** The bytes in use. */
export const used = ({ memory }: View, slot: number): number =>
  (Fields.watermarkHigh.load(memory, slot) * 2 ** 32 + Fields.watermarkLow.load(memory, slot)) * unit

export const setUsed = ({ memory }: State, slot: number, bytes: number): void => {
  const units = bytes / unit
  Fields.watermarkLow.store(memory, slot, units)
  Fields.watermarkHigh.store(memory, slot, Math.floor(units / 2 ** 32))
}

/** All of it is in use. */
export const fill = (state: State, slot: number): void => setUsed(state, slot, 2 ** sizeBits(state, slot))
