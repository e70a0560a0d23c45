/**
 * Rights: what may be done through a capability.
 *
 * A capability *holds* a set of rights: a small integer, with the bit of each right that it has (`Kind.rightsOf`).
 * A program names the rights of a copy by a *rights word*, which can only take away:
 *
 *     63       62 .. 4                    3           2      1     0
 *     derive   take this right away       grantReply  grant  read  write
 *
 * Bits 0 to 3 keep the right when set, bits 4 and up take it away when set. So a program that writes only the low
 * four bits keeps every right that it does not know of. Bit 63 makes the copy a parent of its own, for revoke.
 */
import { type Kind, kinds, type RightOf, rightsOf } from "./Kind.ts"

/** A set of rights to some kind. */
export type Rights = number

/** The bits of the rights word that keep a right when set. */
const kept = 0b1111

/** A rights word as the kernel reads it. */
export interface RightsWord {
  /** Its bits 31 to 0: all that a right can have. */
  readonly bits: number
  /** Its bit 63. */
  readonly derive: boolean
}

/** What is left of `held` under the bits of a rights word. */
export const masked = (held: Rights, bits: number): Rights => held & ((bits & kept) | (~bits & ~kept))

/** The mask of every right: `right.TCB.run`. */
export const right = Object.fromEntries(
  kinds.map((kind) => [kind, Object.fromEntries(rightsOf[kind].map(([name, bit]) => [name, 1 << bit]))])
) as { readonly [K in Kind]: { readonly [R in RightOf<K>]: Rights } }

const all = Object.fromEntries(
  kinds.map((kind) => [kind, rightsOf[kind].reduce((set, [, bit]) => set | (1 << bit), 0)])
) as {
  readonly [K in Kind]: Rights
}

/** Every right that there is to a kind. */
export const heldAll = (kind: Kind): Rights => all[kind]

/** The set of the rights named. */
export const fromNames = <K extends Kind>(kind: K, names: ReadonlyArray<RightOf<K>>): Rights => {
  const bits: Readonly<Record<string, Rights>> = right[kind]
  return names.reduce((set, name) => set | (bits[name] ?? 0), 0)
}

/** The names of the rights in a set, in the order of their bits. */
export const toNames = <K extends Kind>(kind: K, held: Rights): ReadonlyArray<RightOf<K>> => {
  const rows: ReadonlyArray<readonly [string, number]> = rightsOf[kind]
  return rows.filter(([, bit]) => (held & (1 << bit)) !== 0).map(([name]) => name as RightOf<K>)
}

/** The rights word that leaves a capability of `kind` the rights of `keep` that it has. */
export const wordKeeping = (kind: Kind, keep: Rights, derive: boolean): RightsWord => ({
  bits: (keep & kept) | (heldAll(kind) & ~keep & ~kept),
  derive
})

/** The rights word that takes nothing away. */
export const wordKeepingAll: RightsWord = { bits: kept, derive: false }
