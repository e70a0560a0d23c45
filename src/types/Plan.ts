/**
 * Plan: what the compiler knows of a capability space, step by step: what is in each slot, what it was derived from, what is
 * mapped where.
 *
 * A state is a record of slots by name. Each step of a plan takes one and gives the next; what a step may not be is a sentence
 * at the argument that is wrong.
 */
import type { Derived, Frame, Placed as InPlace, KindOf, Marked, Unplaced, Untyped } from "./Capability.ts"
import type { Larger, PageOf, Written } from "./Mapping.ts"
import type { Carved, Rest, What } from "./Memory.ts"
import type { A } from "./Need.ts"
import type { FrameType } from "./ObjectType.ts"

/** A slot that holds a capability. `object` tells objects apart, for two slots may hold capabilities to the same one. */
export interface Held<C = unknown> {
  readonly cap: C
  readonly object: string
  /** The slots whose revocation empties this one. */
  readonly from: string
  /** Where it is mapped, if it is of a frame that is. */
  readonly at: Place | undefined
}

/** A slot that held one. */
export interface Gone<Why extends string = string> {
  readonly gone: Why
}

export type State = Readonly<Record<string, Held | Gone>>

/** An address of an address space, as it was written, and the pages of each size that it is in. */
export interface Place<Space extends string = string, V extends string = string, Pages = unknown> {
  readonly space: Space
  readonly address: V
  readonly pages: Pages
}

/** The capability in a slot. */
export type CapIn<S, N> = N extends keyof S ? (S[N] extends Held<infer C> ? C : never) : never

/** What is wrong with a name for something that is there. */
export type Missing<S, N extends string> = N extends keyof S
  ? S[N] extends Gone<infer Why>
    ? `⛔ '${N}' was ${Why}`
    : never
  : `⛔ there is no '${N}'`

/** What is wrong with a name for something new. */
export type Taken<S, N extends string> = N extends keyof S
  ? S[N] extends Held<infer C>
    ? `⛔ '${N}' is taken: it is ${A<KindOf<C>>} capability`
    : never
  : never

/** What is wrong with memory to make something of. */
export type NoMemory<S, N extends string> = [Missing<S, N>] extends [never]
  ? CapIn<S, N> extends Untyped<infer _Bits, infer _Used, infer _Q>
    ? never
    : `⛔ '${N}' is ${A<KindOf<CapIn<S, N>>>} capability, no untyped memory`
  : Missing<S, N>

/** What is wrong with a frame to map. */
export type Mapped<S, N extends string> = N extends keyof S
  ? S[N] extends { readonly at: Place<infer Space, infer V> }
    ? `⛔ '${N}' is mapped already, at ${V} of '${Space}': unmap it, or map a copy of it`
    : never
  : never

/** What is wrong with a frame to unmap. */
export type Unmapped<S, N extends string> = [Mapped<S, N>] extends [never] ? `⛔ '${N}' is not mapped` : never

/** What is wrong with an address at which something else is. */
export type Occupied<S, Space extends string, V extends string, Size extends FrameType> =
  ObjectIn<S, Space> extends infer Object extends string
    ? Clash<Object, V, Neighbours<S, Object, PagesOf<V>, Size>>
    : never

type Clash<Object extends string, V extends string, N> = [N] extends [never]
  ? never
  : `⛔ ${V} of '${Object}' is taken: '${N & string}' is mapped there`

/** The slots whose frames are mapped where this one would be: of two pages, the smaller lies in the larger. */
type Neighbours<S, Object extends string, Pages, Size extends FrameType> = {
  [P in keyof S]: S[P] extends {
    readonly cap: Frame<infer Other, infer _R, infer _Q>
    readonly at: Place<Object, string, infer There>
  }
    ? There[Larger<Size, Other> & keyof There] extends Pages[Larger<Size, Other> & keyof Pages]
      ? P
      : never
    : never
}[keyof S]

type PagesOf<V extends string> =
  Written<V> extends infer B extends string ? { readonly [Size in FrameType]: PageOf<B, Size> } : never

type ObjectIn<S, N> = N extends keyof S ? (S[N] extends { readonly object: infer O } ? O : never) : never
type FromIn<S, N> = N extends keyof S ? (S[N] extends { readonly from: infer F } ? F : never) : never

/** After an object was made. */
export type Retyped<S, M extends string, W extends What, N extends string> = {
  readonly [P in keyof S | N]: P extends N
    ? { readonly cap: Assigned<Carved<W>>; readonly object: N; readonly from: M | FromIn<S, M>; readonly at: undefined }
    : P extends M
      ? Changed<S[P & keyof S], { readonly cap: Rest<CapIn<S, M>, W, 1> }>
      : S[P & keyof S]
}

/** A plan gives each address space its identifier. */
type Assigned<C> = C extends Unplaced ? (KindOf<C> extends "AddressSpace" ? InPlace<C> : C) : C

/** After a capability was copied, with fewer rights. */
export type Copied<S, A extends string, R, N extends string> = Child<S, A, R, N, false>

/** After a capability was copied, with fewer rights and a mark. */
export type Minted<S, A extends string, R, N extends string> = Child<S, A, R, N, true>

// What is in the slot is worked out when it is asked for: at once, a long plan would be too deep for a compiler.
type Child<S, A extends string, R, N extends string, Mark> = {
  readonly [P in keyof S | N]: P extends N
    ? {
        readonly cap: Mark extends true ? Marked<CapIn<S, A>, R> : Derived<CapIn<S, A>, R>
        readonly object: ObjectIn<S, A>
        readonly from: A | FromIn<S, A>
        readonly at: undefined
      }
    : S[P & keyof S]
}

/** After a capability was moved. What was derived from it is derived from where it is. */
export type Moved<S, A extends string, N extends string> = {
  readonly [P in keyof S | N]: P extends N
    ? S[A & keyof S]
    : P extends A
      ? Gone<`moved to '${N}'`>
      : Renamed<S[P & keyof S], A, N>
}
type Renamed<Slot, A extends string, N extends string> = Slot extends { readonly from: infer F }
  ? A extends F
    ? Changed<Slot, { readonly from: Exclude<F, A> | N }>
    : Slot
  : Slot

/** After a capability was deleted. What was derived from it is derived from what it was derived from. */
export type Deleted<S, A extends string> = {
  readonly [P in keyof S]: P extends A
    ? Gone<"deleted">
    : S[P] extends { readonly from: infer F }
      ? A extends F
        ? Changed<S[P], { readonly from: Exclude<F, A> }>
        : S[P]
      : S[P]
}

/** After all that was derived from a capability was deleted. Memory of which nothing is made any more is free. */
export type Revoked<S, A extends string> = {
  readonly [P in keyof S]: P extends A
    ? CapIn<S, P> extends Untyped<infer Bits, infer _Used, infer Q>
      ? Changed<S[P], { readonly cap: Untyped<Bits, "0x0", Q> }>
      : S[P]
    : S[P] extends { readonly from: infer F }
      ? A extends F
        ? Gone<`deleted when '${A}' was revoked`>
        : S[P]
      : S[P]
}

/** After a frame was mapped, or unmapped. */
export type Placed<S, N extends string, Where> = {
  readonly [P in keyof S]: P extends N ? Changed<S[P], { readonly at: Where }> : S[P]
}
/** Where a frame is mapped: in the object that an address space is. */
export type PlaceIn<S, Space extends string, V extends string> = Place<ObjectIn<S, Space> & string, V, PagesOf<V>>

type Changed<Slot, With> = { readonly [F in keyof Slot]: F extends keyof With ? With[F] : Slot[F] }

/** What is there at the end: the capabilities, by name. */
export type Outcome<S> = { readonly [N in keyof S as S[N] extends Held ? N : never]: CapIn<S, N> }
