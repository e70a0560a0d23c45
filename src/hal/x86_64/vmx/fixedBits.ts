/** CR0 and CR4 in VMX operation: bits that are fixed. SDM vol. 3D, "VMX-Fixed Bits in CR0", "VMX-Fixed Bits in CR4". */
import { CR0, writableCr4 } from "../system/registers.ts"
import { cr0Fixed, cr4Ones } from "./capabilities.ts"

/** "Unrestricted guest" lets PE and PG be 0. */
export const areCr0Bits = (lo: number, hi: number, isUnrestricted: boolean): boolean => {
  const ones = isUnrestricted ? cr0Fixed.unrestrictedOnes : cr0Fixed.ones
  return hi === 0 && (lo & ones) === ones
}

export const areCr4Bits = (lo: number, hi: number): boolean =>
  hi === 0 && (lo & ~writableCr4) === 0 && (lo & cr4Ones) === cr4Ones

/** CR0 with PG = 1 and PE = 0, or NW = 1 and CD = 0, is none. */
export const isCr0 = (lo: number): boolean => (lo & CR0.PG) === 0 || (lo & CR0.PE) !== 0
