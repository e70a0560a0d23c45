/**
 * Memory: what fits into untyped memory, counted by the compiler as the kernel counts it.
 *
 * Objects are made from the beginning of the memory on, each at a multiple of its size: what is in use ends where the last of
 * them ends.
 */
import type { Above, Count, FromHex, Less, Plus, Ratio, RoundedUp, Times, ToHex, Zeros } from "./Arithmetic.ts"
import type { Cap, Made, Spent, Untyped } from "./Capability.ts"
import type { A, Gone } from "./Need.ts"
import type { ObjectType, objectTypes, retypeFanOut, Sized, untypedBits } from "./ObjectType.ts"

/** What to make: a type, and with it a size if it has none of its own. */
export type What = Fixed | readonly [type: Sized, sizeBits: number]

/** The types that have a size of their own. */
export type Fixed = {
  [T in ObjectType]: (typeof objectTypes)[T] extends { readonly bits: number } ? T : never
}[ObjectType]

/** Memory that the compiler counts. */
export type NeedCounted<C, Call extends string> = C extends Spent
  ? Gone<Call>
  : C extends Untyped<infer _Bits, infer _Used, infer _Q>
    ? C
    : C extends Cap<infer Held, infer _R, infer _Q>
      ? Held extends "Untyped"
        ? `⛔ ${Call}: nobody has counted what is used of this memory: take from it with Untyped_Retype`
        : `⛔ ${Call} needs untyped memory, got ${Held}`
      : `⛔ ${Call}: not a capability`

/** What keeps so many objects from being made: a sentence, or nothing. */
export type Unfit<C, Call extends string, W extends What, N extends number> = [
  WrongSize<Call, W> | WrongCount<Call, N>
] extends [never]
  ? Full<C, Call, W, N>
  : WrongSize<Call, W> | WrongCount<Call, N>

type Full<C, Call extends string, W extends What, N extends number> =
  C extends Untyped<infer Bits, infer Used, infer _Q>
    ? After<Bits, Used, W, N> extends string
      ? never
      : `⛔ ${Call}: this Untyped of 2^${Bits} bytes is exhausted: ${N} × ${TypeOf<W>} of 2^${Count<Low<W>>} bytes do not fit after ${Used}`
    : never

type WrongCount<Call extends string, N extends number> = number extends N
  ? `⛔ ${Call}: how many there are to be must stand in the text of the program`
  : Less<0, N> extends false
    ? `⛔ ${Call} makes at least one object`
    : Less<typeof retypeFanOut, N> extends true
      ? `⛔ ${Call} makes at most ${typeof retypeFanOut} objects at once`
      : never

/** The memory after so many objects more. */
export type Rest<C, W extends What, N extends number> =
  C extends Untyped<infer Bits, infer Used, infer Q>
    ? After<Bits, Used, W, N> extends infer Now extends string
      ? Untyped<Bits, Now, Q>
      : never
    : never

/** How much is in use then; undefined if it does not fit. */
export type After<Bits extends number, Used extends string, W extends What, N extends number> =
  Ratio<Zeros<Bits>, Low<W>> extends infer Most extends string
    ? Plus<RoundedUp<Digits<Used>, Low<W>>, N, Most> extends infer Sum extends string
      ? ToHex<Times<Sum, Low<W>>>
      : undefined
    : undefined

type Digits<Written extends string> = Written extends `0x${infer D}` ? FromHex<D> : never

/** As many zeros as an object has bits. */
type Low<W extends What> = W extends readonly [infer T extends Sized, infer Size extends number]
  ? `${Zeros<Size>}${Zeros<(typeof objectTypes)[T]["unitBits"]>}`
  : W extends ObjectType
    ? (typeof objectTypes)[W] extends { readonly bits: infer Bits extends number }
      ? Zeros<Bits>
      : never
    : never

export type TypeOf<W extends What> = W extends readonly [infer T extends Sized, number]
  ? T
  : W & Exclude<ObjectType, Sized>

/** What a size is that no object of the type has. */
export type WrongSize<Call extends string, W extends What> = W extends readonly [
  infer T extends Sized,
  infer Size extends number
]
  ? number extends Size
    ? `⛔ ${Call}: the size of ${A<T>} must stand in the text of the program`
    : Less<Size, (typeof objectTypes)[T]["least"]> extends true
      ? `⛔ ${Call}: the size of ${A<T>} is at least 2^${(typeof objectTypes)[T]["least"]}, not 2^${Size}`
      : Above<Low<W>, Zeros<(typeof untypedBits)["most"]>> extends ""
        ? never
        : `⛔ ${Call}: no ${T} is as large as 2^${Size}`
  : never

/** What is made: memory that is counted in its turn, or a capability to the object. */
export type Carved<W extends What, Q = never> = W extends readonly ["Untyped", infer Bits extends number]
  ? Untyped<Bits, "0x0", Q>
  : Made<TypeOf<W>, Q>

/** `N` of them. */
export type Repeated<T, N extends number, Out extends ReadonlyArray<T> = []> = Out["length"] extends N
  ? Out
  : Repeated<T, N, readonly [...Out, T]>
