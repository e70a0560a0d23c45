/**
 * ObjectType: what untyped memory can be retyped to.
 *
 * An object has 2^bits bytes and lies at a multiple of its size. Where a type has `bits`, that is its size and the
 * size that a program gives is ignored; where it has `least`, a program gives the size: at least `least`, and counted
 * in units of 2^unitBits bytes.
 */

import * as Architecture from "./Architecture.ts"
import type { Kind } from "./Kind.ts"

export type Size = { readonly bits: number } | { readonly least: number; readonly unitBits: number }
export type Row = { readonly number: number; readonly makes: Kind } & Size

/** A CNode's slot has 2^slotBits bytes. */
export const slotBits = 5
export const untypedBits = { least: 4, most: 47 } as const
/** One call of retype makes at most this many objects. */
export const retypeFanOut = 256

// biome-ignore format: a type, a line
export const objectTypes = {
  Untyped:      { number: 0, makes: "Untyped",      least: untypedBits.least, unitBits: 0 },
  TCB:          { number: 1, makes: "TCB",          bits: 11 },
  Endpoint:     { number: 2, makes: "Endpoint",     bits: 4 },
  Notification: { number: 3, makes: "Notification", bits: 6 },
  CapTable:     { number: 4, makes: "CNode",        least: 1, unitBits: slotBits },
  SchedContext: { number: 5, makes: "SchedContext", least: 7, unitBits: 0 },
  Reply:        { number: 6, makes: "Reply",        bits: 5 },
  ...Architecture.objectTypes
} as const satisfies Record<string, Row>

export type ObjectType = keyof typeof objectTypes

/** The kind of capability that names an object of this type. */
export type Makes<T extends ObjectType> = (typeof objectTypes)[T]["makes"]

/** The types that make frames: how large a frame can be. */
export type FrameType = { [T in ObjectType]: Makes<T> extends "Frame" ? T : never }[ObjectType]

/** The types whose size a program gives. */
export type Sized = { [T in ObjectType]: (typeof objectTypes)[T] extends { least: number } ? T : never }[ObjectType]

const rows: ReadonlyArray<Row> = Object.values<Row>(objectTypes).sort((a, b) => a.number - b.number)

/** The type of a number, if it names one. */
export const ofNumber = (number: number): Row | undefined => rows[number]

/** The bits of an object of this type when a program gives `sizeBits`. */
export const sizeBits = (row: Row, given: number): number => ("bits" in row ? row.bits : given + row.unitBits)
