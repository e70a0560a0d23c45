/**
 * Kind: what a capability is for, and the rights that there are to it.
 *
 * A right has a bit, the same one in the set of rights that a capability holds and in the rights word of a
 * program (see `Rights`). Bits 0 to 3 are write, read, grant and grant-reply on every kind that has them; the rest begin at bit 4.
 */
import * as Architecture from "./Architecture.ts"

// biome-ignore format: a kind, a line
export const rightsOf = {
  /** Memory that is nothing yet. */
  Untyped:      [["retype", 4]],
  /** A thread. */
  TCB:          [["configure", 4], ["readRegisters", 5], ["writeRegisters", 6], ["run", 7], ["schedule", 8]],
  /** Where threads meet to pass a message. */
  Endpoint:     [["write", 0], ["read", 1], ["grant", 2], ["grantReply", 3]],
  /** A word of flags that a thread can wait for. */
  Notification: [["write", 0], ["read", 1]],
  /** A table of capabilities. */
  CNode:        [["take", 4], ["put", 5], ["delete", 6]],
  /** Time: a budget in each period. */
  SchedContext: [["configure", 4], ["bind", 5], ["consume", 6]],
  /** The right to answer one call. */
  Reply:        [["grant", 2], ["send", 4], ["receive", 5]],
  /** The right to give out the time of one core. */
  SchedControl: [["configure", 4]],
  /** Who runs in which scheduling domain, and when each has its turn. */
  Domain:       [["set", 4], ["schedule", 5]],
  /** The right to make interrupt handlers. */
  IRQControl:   [["issue", 4]],
  /** One interrupt. */
  IRQHandler:   [["acknowledge", 4], ["configure", 5]],
  /** Memory that can be mapped. */
  Frame:        [["write", 0], ["read", 1], ["execute", 4]],
  /** The root of a tree of page tables. */
  AddressSpace: [["map", 4], ["unmap", 5], ["assign", 6], ["bind", 7]],
  /** The right to make pools of address space identifiers. */
  ASIDControl:  [["makePool", 4]],
  /** Identifiers for address spaces. */
  ASIDPool:     [["assign", 4]],
  ...Architecture.rightsOf
} as const satisfies Record<string, ReadonlyArray<readonly [name: string, bit: number]>>

export type Kind = keyof typeof rightsOf

/** The names of the rights to a kind, as a tuple in the order of their bits. */
export type RightNames<K extends Kind> = Names<(typeof rightsOf)[K]>
type Names<Rows extends ReadonlyArray<readonly [string, number]>> = { readonly [I in keyof Rows]: Rows[I][0] }

/** A right to a kind. For a union of kinds, the rights to any of them. */
export type RightOf<K extends Kind> = K extends Kind ? RightNames<K>[number] : never

export const kinds = Object.keys(rightsOf) as ReadonlyArray<Kind>

/**
 * The number of each kind, from 1 in the order of the table: what a slot in memory calls it.
 * 0 is an empty slot.
 */
export const numberOf = Object.fromEntries(kinds.map((kind, index) => [kind, index + 1])) as Readonly<
  Record<Kind, number>
>

/** The kind of a number, and undefined for 0 and all that name none. */
export const ofNumber = (number: number): Kind | undefined => kinds[number - 1]
