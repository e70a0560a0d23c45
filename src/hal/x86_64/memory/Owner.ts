/**
 * Owners of translations: the host, and guests by the VPID and the EPT that they run with. SDM vol. 3C, "Information That May Be Cached":
 * linear mappings are of a VPID, combined mappings of a VPID and an EPT root.
 */
import { guestPhysical } from "./layout.ts"
import { type Format, fourLevel, noRules, type Rules, type SecondLevel } from "./paging.ts"

export interface Owner {
  /** Small: the host is 0. */
  readonly number: number
  /** 0 of the host, and of guests without one. */
  readonly vpid: number
  /** Guest-physical addresses lead through it; undefined: they are the machine's. */
  readonly second: SecondLevel | undefined
  /** How its translations were made: they are of no use to another format, or other rules. */
  format: Format
  rules: Rules
}

/** So many at once, the host among them: the guest that was not run for the longest makes room. */
export const owners = guestPhysical.memories

export const anOwner = (number: number, vpid: number, second: SecondLevel | undefined): Owner => ({
  number,
  vpid,
  second,
  format: fourLevel,
  rules: noRules
})
