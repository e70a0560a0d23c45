/**
 * Functions of vectors that no reading unfolds.
 *
 * All readings call them by number, with inputs and result in the state block, as bigints from 0 to 2^128 - 1.
 */
import { at } from "./State.ts"

/** What a function gives: its result, and which of MXCSR's exceptions it has met. */
type Function = (inputs: ReadonlyArray<bigint>) => bigint

const functions = {
  "horizontal.least": ([a]) => least(a!)
} as const satisfies Record<string, Function>

/** PHMINPOSUW: the least of eight, and the first place where it is. */
const least = (a: bigint): bigint => {
  const lanes = Array.from({ length: 8 }, (_, n) => (a >> BigInt(16 * n)) & 0xffffn)
  const smallest = BigInt(Math.min(...lanes.map(Number)))
  return smallest | (BigInt(lanes.indexOf(smallest)) << 16n)
}

export type VectorFunction = keyof typeof functions
export const vectorFunctionNames = Object.keys(functions) as ReadonlyArray<VectorFunction>

const mostInputs = 3
const inputBytes = 16

/** Calls the function with this number. False: it raises the exception in the state block. */
export const callVectorFunction = (view: DataView, number: number): boolean => {
  const name = vectorFunctionNames[number]!
  const inputs = Array.from({ length: mostInputs }, (_, n) => vectorAt(view, at.vectorInputs + inputBytes * n))
  setVectorAt(view, at.vectorResult, functions[name](inputs))
  return true
}

export const vectorAt = (view: DataView, offset: number): bigint =>
  (view.getBigUint64(offset + 8, true) << 64n) | view.getBigUint64(offset, true)
export const setVectorAt = (view: DataView, offset: number, value: bigint): void => {
  view.setBigUint64(offset, BigInt.asUintN(64, value), true)
  view.setBigUint64(offset + 8, value >> 64n, true)
}
