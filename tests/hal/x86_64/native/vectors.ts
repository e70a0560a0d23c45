/** YMM registers and MXCSR of a state block. */
import { at, vectorBytes } from "../../../../src/hal/x86_64/processor/State.ts"
import { setVectorAt, vectorAt } from "../../../../src/hal/x86_64/processor/vectorFunctions.ts"
import { CR4 } from "../../../../src/hal/x86_64/system/registers.ts"

export interface VectorState {
  /** In the order of their numbers, from 0 to 2^256 - 1. */
  readonly vectors: ReadonlyArray<bigint>
  readonly mxcsr: number
}

export const setVectorState = (view: DataView, { vectors, mxcsr }: VectorState): void => {
  vectors.forEach((value, i) => {
    setVectorAt(view, at.vectors + vectorBytes * i, BigInt.asUintN(128, value))
    setVectorAt(view, at.vectorsHigh + vectorBytes * i, value >> 128n)
  })
  view.setBigUint64(at.mxcsr, BigInt(mxcsr), true)
}

export const vectorState = (view: DataView): VectorState => ({
  vectors: Array.from(
    { length: 16 },
    (_, i) => (vectorAt(view, at.vectorsHigh + vectorBytes * i) << 128n) | vectorAt(view, at.vectors + vectorBytes * i)
  ),
  mxcsr: view.getInt32(at.mxcsr, true)
})

/** CR4: vector instructions are allowed, those with VEX by XCR0; and #XM is #XM. */
export const vectorsAllowed = BigInt(CR4.OSFXSR | CR4.OSXMMEXCPT | CR4.OSXSAVE)
/** XCR0: x87, SSE and AVX state. */
export const allState = 7n
