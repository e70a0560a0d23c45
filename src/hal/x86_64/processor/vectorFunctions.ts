/**
 * Functions of vectors that no reading unfolds.
 *
 * All readings call them by number, with inputs and result in the state block. Those of floating-point numbers have them as bigints from 0 to
 * 2^128 - 1, obey MXCSR, and leave their exceptions there. SDM vol. 1, "MXCSR Control and Status Register", "SIMD Floating-Point Exceptions".
 */
import type { ByteFunction } from "./ByteFunction.ts"
import { type Environment, flag, foundIn, type Rounding } from "./float.ts"
import { at, exceptions, vectorBytes } from "./State.ts"
import { cryptoFunctions } from "./vectorCrypto.ts"
import { type FloatFunction, floatFunctions } from "./vectorFloat.ts"
import { integerFunctions } from "./vectorInteger.ts"
import { stringFunctions } from "./vectorStrings.ts"

const ofNumbers = { ...integerFunctions, ...floatFunctions } as const
const ofBytes = { ...stringFunctions, ...cryptoFunctions } as const

export type VectorFunction = keyof typeof ofNumbers | keyof typeof ofBytes
export const vectorFunctionNames = Object.keys({ ...ofBytes, ...ofNumbers }) as ReadonlyArray<VectorFunction>
const byteFunctions: ReadonlyArray<ByteFunction> = Object.values(ofBytes)
const numberFunctions: ReadonlyArray<FloatFunction> = Object.values(ofNumbers)

const [DAZ, FZ] = [1 << 6, 1 << 15]
const [maskShift, roundingShift] = [7, 13]
const allFlags = 0x3f
const OSXMMEXCPT = 1 << 10

/** Where input `n` of a part is in the state block, and what the function gives of it. */
export const inputAt = (part: number, n: number): number => at.vectorInputs + vectorBytes * (3 * part + n)
export const resultAt = (part: number): number => at.vectorResult + vectorBytes * part

/** Calls the function with this number for each part. False: it raises the exception in the state block. */
export const callVectorFunction = (view: DataView, number: number, parts: number): boolean => {
  if (number >= byteFunctions.length) return callOnNumbers(view, numberFunctions[number - byteFunctions.length]!, parts)
  for (let part = 0; part < parts; part++) byteFunctions[number]!(view, inputAt(part, 0), resultAt(part))
  return true
}

const callOnNumbers = (view: DataView, f: FloatFunction, parts: number): boolean => {
  const mxcsr = view.getInt32(at.mxcsr, true)
  const unmasked = ~(mxcsr >> maskShift) & allFlags
  const environment: Environment = {
    rounding: ((mxcsr >> roundingShift) & 3) as Rounding,
    denormalsAreZeros: (mxcsr & DAZ) !== 0,
    flushesToZero: (mxcsr & FZ) !== 0 && (unmasked & flag.underflow) === 0,
    unmasked,
    flags: 0
  }
  for (let part = 0; part < parts; part++) {
    const input = (n: number) => vectorAt(view, inputAt(part, n))
    setVectorAt(view, resultAt(part), f(environment, input(0), input(1), input(2)))
  }
  const found = foundIn(environment)
  if (found === 0) return true
  view.setInt32(at.mxcsr, mxcsr | found, true)
  if ((found & unmasked) === 0) return true
  const exception = view.getInt32(at.cr4, true) & OSXMMEXCPT ? "#XM" : "#UD"
  view.setInt32(at.vector, exceptions[exception].vector, true)
  view.setInt32(at.errorCode, 0, true)
  return false
}

export const vectorAt = (view: DataView, offset: number): bigint =>
  (view.getBigUint64(offset + 8, true) << 64n) | view.getBigUint64(offset, true)
export const setVectorAt = (view: DataView, offset: number, value: bigint): void => {
  view.setBigUint64(offset, BigInt.asUintN(64, value), true)
  view.setBigUint64(offset + 8, value >> 64n, true)
}
