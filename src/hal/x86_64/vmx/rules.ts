/** What the rules of a VM entry are made of. */
import { physicalBits } from "../memory/PhysicalMemory.ts"
import type { Core } from "../system/Core.ts"
import { place, type Vmcs } from "./Vmcs.ts"

/** A sentence of the manual, and whether it is kept. */
export interface Rule {
  readonly says: string
  readonly isKept: (vmcs: Vmcs, core: Core) => boolean
  /** It looks at what may be different at every entry: at fields that `moves`, or at what is no field. */
  readonly isAskedAgain?: true
}

export const askedAgain = <R extends Rule>(rules: readonly R[]): readonly R[] =>
  rules.map((rule) => ({ ...rule, isAskedAgain: true }))

/** The first rule that is broken, if one is. */
export const firstBroken = <R extends Rule>(rules: readonly R[], vmcs: Vmcs, core: Core): R | undefined => {
  for (const rule of rules) if (!rule.isKept(vmcs, core)) return rule
  return undefined
}

/** "Bits beyond the processor's physical-address width". */
export const isPhysical = (hi: number): boolean => (hi & ~(2 ** (physicalBits - 32) - 1)) === 0

/** A physical address that is a multiple of 2^`bits`. */
export const isAligned = (vmcs: Vmcs, of: number, bits: number): boolean =>
  (vmcs.low(of) & (2 ** bits - 1)) === 0 && isPhysical(vmcs.high(of))

/** A VM-execution control of the second word, which counts if the first says so. */
export const hasSecondary = (vmcs: Vmcs, bit: number): boolean =>
  vmcs.low(place.PRIMARY_CONTROLS) < 0 && (vmcs.low(place.SECONDARY_CONTROLS) & bit) !== 0
