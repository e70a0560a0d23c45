/**
 * FXSAVE and FXRSTOR: the x87 FPU's state, MXCSR and the XMM registers, in 512 bytes of memory. SDM vol. 2A, "FXSAVE", table "Layout of the 64-Bit Mode
 * FXSAVE64 Map".
 */
import { at, isLong, vectorBytes } from "../processor/State.ts"
import type { Core } from "./Core.ts"
import { vector } from "./registers.ts"
import { putImage, readAll, takeImage, writeAll } from "./x87/environment.ts"
import { isInStack } from "./x87/instruction.ts"
import { checkAvailable, unitOf } from "./x87/operations.ts"

const place = { mxcsr: 24, mask: 28, vectors: 160 } as const
/** All of it must be there, although what follows the registers is reserved, or software's. */
const imageBytes = 512
/** The bits that MXCSR has. "MXCSR_MASK". */
export const mxcsrMask = 0xffff

/** Outside of 64-bit mode there are eight. */
const vectorsIn = (core: Core): number => (isLong(core.low(at.mode)) ? 16 : 8)

/** "#GP(0) if a memory operand is not aligned on a 16-byte boundary"; #NM. */
const check = (core: Core, lo: number, hi: number): void => {
  checkAvailable(core)
  if (!core.isCanonical(hi)) core.raise(isInStack(core) ? vector.SS : vector.GP)
  if (lo & 15) core.raise(vector.GP)
}

/** `width`: of the FPU's pointers. @throws `raised` */
export const fxsave = (core: Core, lo: number, hi: number, width: number): void => {
  check(core, lo, hi)
  const image = new DataView(new ArrayBuffer(place.vectors + vectorsIn(core) * vectorBytes))
  putImage(unitOf(core), image, width === 64)
  image.setUint32(place.mxcsr, core.low(at.mxcsr), true)
  image.setUint32(place.mask, mxcsrMask, true)
  for (let n = place.vectors; n < image.byteLength; n += 4)
    image.setInt32(n, core.low(at.vectors + n - place.vectors), true)
  writeAll(core, lo, hi, image, imageBytes)
}

/** @throws `raised`: #GP if MXCSR would get bits that it has not */
export const fxrstor = (core: Core, lo: number, hi: number, width: number): void => {
  check(core, lo, hi)
  const image = readAll(core, lo, hi, imageBytes)
  const mxcsr = image.getUint32(place.mxcsr, true)
  if (mxcsr & ~mxcsrMask) core.raise(vector.GP)
  takeImage(unitOf(core), image, width === 64)
  core.set(at.mxcsr, mxcsr, 0)
  for (let n = 0; n < vectorsIn(core) * vectorBytes; n += 8)
    core.set(at.vectors + n, image.getInt32(place.vectors + n, true), image.getInt32(place.vectors + n + 4, true))
}
