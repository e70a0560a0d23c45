/** XMM registers and MXCSR of a state block. */
import { at, vectorBytes } from "../../../../src/hal/x86_64/processor/State.ts"
import { setVectorAt, vectorAt } from "../../../../src/hal/x86_64/processor/vectorFunctions.ts"

export interface VectorState {
  /** In the order of their numbers, from 0 to 2^128 - 1. */
  readonly vectors: ReadonlyArray<bigint>
  readonly mxcsr: number
}

export const setVectorState = (view: DataView, { vectors, mxcsr }: VectorState): void => {
  vectors.forEach((value, i) => {
    setVectorAt(view, at.vectors + vectorBytes * i, value)
  })
  view.setBigUint64(at.mxcsr, BigInt(mxcsr), true)
}

export const vectorState = (view: DataView): VectorState => ({
  vectors: Array.from({ length: 16 }, (_, i) => vectorAt(view, at.vectors + vectorBytes * i)),
  mxcsr: view.getInt32(at.mxcsr, true)
})

/** CR4.OSFXSR and CR4.OSXMMEXCPT: vector instructions are allowed, and #XM is #XM. */
export const vectorsAllowed = 0x600n
