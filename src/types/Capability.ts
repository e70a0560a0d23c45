/**
 * Capability: what a typed program holds of an object, and the only module that makes such values.
 *
 * Having a `Cap<K, R, Q>` tells you: when the program got it, its capability space had a capability of kind `K` with at least the
 * rights `R` at the address `cptrOf` gives. It does not tell you: that nobody has revoked it since. The kernel checks every call again.
 */
import type { Structure } from "./Architecture.ts"
import type { Kind, RightOf } from "./Kind.ts"
import { type FrameType, type Makes, type ObjectType, objectTypes } from "./ObjectType.ts"
import type { ClientOf, Protocol, ProtocolClass } from "./Protocol.ts"

/**
 * How long a capability lives, when that is not as long as the program: a type of its own for each loan.
 *
 * It stands in the requirements of every effect that uses the capability, so none can run when the loan is over.
 */
export interface Region<in out L> {
  // A sentence, for it is this property that a compiler names when something would leave its region.
  readonly "⛔ what was lent ends with its loan": (lifetime: L) => L
}

/** What is known of a capability whose kind and rights are not. */
abstract class AnyCap {
  readonly #kind: Kind
  readonly #cptr: bigint
  #state: "held" | "spent" | "gone" = "held"

  protected constructor(kind: Kind, cptr: bigint) {
    this.#kind = kind
    this.#cptr = cptr
  }

  static is(value: unknown): value is AnyCap {
    return typeof value === "object" && value !== null && #cptr in value
  }

  static kindOf(cap: AnyCap): Kind {
    return cap.#kind
  }

  static cptrOf(cap: AnyCap): bigint {
    return cap.#cptr
  }

  static isSpent(cap: AnyCap): boolean {
    return cap.#state !== "held"
  }

  static spend(cap: AnyCap): void {
    if (cap.#state === "held") cap.#state = "spent"
  }

  static isGone(cap: AnyCap): boolean {
    return cap.#state === "gone"
  }

  static end(cap: AnyCap): void {
    cap.#state = "gone"
  }
}

// A property that other modules cannot name, rather than a private one: declaration files drop the types of private properties,
// and with them all that tells one capability from another.
declare const phantom: unique symbol

/**
 * A capability of kind `K` with the rights `R`, fewer of which any holder may pretend to have.
 * `Q` is what using it requires: nothing, or the `Region` that it lives in.
 */
class Cap<in out K extends Kind, in R extends RightOf<K>, in out Q = never> extends AnyCap {
  declare readonly [phantom]: {
    readonly kind: (kind: K) => K
    readonly rights: (right: R) => void
    readonly region: (region: Q) => Q
  }

  protected constructor(kind: K, cptr: bigint) {
    super(kind, cptr)
  }

  static makeUnsafe<K extends Kind, R extends RightOf<K>, Q>(kind: K, cptr: bigint): Cap<K, R, Q> {
    return new Cap(kind, cptr)
  }
}

/** An endpoint at which threads speak the protocol `P`. */
class Endpoint<in out P extends Protocol, in R extends RightOf<"Endpoint">, in out Q = never> extends Cap<
  "Endpoint",
  R,
  Q
> {
  readonly protocol: Protocol<P["name"], P["operations"], ClientOf<P>>
  /** What tells the compiler the protocol also where the capability has something more, such as a badge. */
  declare readonly [spoken]: (protocol: P) => P

  private constructor(cptr: bigint, protocol: Protocol<P["name"], P["operations"], ClientOf<P>>) {
    super("Endpoint", cptr)
    this.protocol = protocol
  }

  static makeSpeakingUnsafe<P extends Protocol, R extends RightOf<"Endpoint">, Q>(
    cptr: bigint,
    { protocol }: { readonly protocol: Protocol<P["name"], P["operations"], ClientOf<P>> }
  ): Endpoint<P, R, Q> {
    return new Endpoint(cptr, protocol)
  }
}

declare const spoken: unique symbol

/** A frame of this size: what addresses it can be mapped at is known. It is made as any capability is. */
interface Frame<in out S extends FrameType, in R extends RightOf<"Frame">, in out Q = never>
  extends Cap<"Frame", R, Q> {
  readonly [size]: S
}
declare const size: unique symbol

/**
 * Untyped memory of 2^`Bits` bytes, of which the first `Used` are in use: a number as a program writes it, "0x1000".
 *
 * No right to it is left for calls that would not count. Who takes from it has another `Untyped` after, in which more is in use.
 */
interface Untyped<in out Bits extends number, in out Used extends string, in out Q = never>
  extends Cap<"Untyped", never, Q> {
  readonly [memory]: (memory: [Bits, Used]) => [Bits, Used]
}
declare const memory: unique symbol

// Types only: nobody else can construct, or extend, what has no constructor.
export type { AnyCap, Cap, Endpoint, Frame, Untyped }

/**
 * The capability that the kernel put at `cptr`. Whoever calls this vouches for its kind and rights, and for the region:
 * only calls of src/user do, each for what the kernel has just answered.
 */
export const capUnsafe: <K extends Kind, R extends RightOf<K>, Q = never>(kind: K, cptr: bigint) => Cap<K, R, Q> =
  Cap.makeUnsafe

/** As `capUnsafe`, and vouches that whoever is at the endpoint speaks the protocol. */
export const endpointUnsafe: <P extends Protocol, R extends RightOf<"Endpoint">, Q = never>(
  cptr: bigint,
  protocol: ProtocolClass<P>
) => Endpoint<P, R, Q> = Endpoint.makeSpeakingUnsafe

/**
 * The capability that the kernel put at `cptr` when it derived it from another: of the same kind, and an endpoint keeps its protocol.
 * Whoever calls this vouches for its rights and its region.
 */
export const derivedUnsafe = <C extends AnyCap, R, Q = RegionOf<C>>(from: C, cptr: bigint): Derived<C, R, Q> =>
  elsewhereUnsafe(from, cptr) as unknown as Derived<C, R, Q>

/** What retype makes: a capability with every right, and of a frame it is known how large. */
export type Made<T extends ObjectType, Q = never> = T extends FrameType
  ? Frame<T, RightOf<"Frame">, Q>
  : Makes<T> extends Structure
    ? Cap<Makes<T>, RightOf<Makes<T>>, Q> & Unplaced
    : Cap<Makes<T>, RightOf<Makes<T>>, Q>

/** That an address space has no identifier yet, or a table no address. Until then nothing is in it, and there are no copies. */
export interface Unplaced {
  readonly [unplaced]: true
}
declare const unplaced: unique symbol

/** The same when it has. */
export type Placed<C> = C extends Cap<infer K, infer R, infer Q> ? Cap<K, R, Q> : never

/** The same capability, when what it is of has got its place. Whoever calls this vouches for that. */
export const placedUnsafe = <C extends AnyCap>(cap: C): Placed<C> => cap as unknown as Placed<C>

/** The capability that retype put at `cptr` when it made an object of this type. */
export const madeUnsafe = <T extends ObjectType, Q = never>(type: T, cptr: bigint): Made<T, Q> =>
  Cap.makeUnsafe(objectTypes[type].makes, cptr) as unknown as Made<T, Q>

/** Capabilities by types that only the caller has worked out. Whoever calls this vouches for all that they say. */
export const vouchedUnsafe = <T>(caps: unknown): T => caps as T

/** As `capUnsafe`, and vouches that so much is in use, and that nobody else takes from it. */
export const untypedUnsafe = <Bits extends number, Used extends string, Q = never>(cptr: bigint) =>
  Cap.makeUnsafe("Untyped", cptr) as unknown as Untyped<Bits, Used, Q>

/** The same capability at another place: where the kernel put a copy of it, in this program's capability space or another's. */
export const elsewhereUnsafe = <C extends AnyCap>(cap: C, cptr: bigint): C =>
  (cap instanceof Endpoint
    ? Endpoint.makeSpeakingUnsafe(cptr, cap)
    : Cap.makeUnsafe(AnyCap.kindOf(cap), cptr)) as unknown as C

/** Whether a value is a capability at all: what a parameter of type `Need` says only to the compiler. */
export const isCap: (value: unknown) => value is AnyCap = AnyCap.is

/** What it is of. */
export const kindOf: (cap: AnyCap) => Kind = AnyCap.kindOf

/** What is spoken at it, if it is an endpoint where a protocol is. */
export const protocolOf = (cap: AnyCap): Protocol | undefined => (cap instanceof Endpoint ? cap.protocol : undefined)

/** Where it is in the program's capability space. */
export const cptrOf: (cap: AnyCap) => bigint = AnyCap.cptrOf

/** What a capability becomes that the program has given up. */
export interface Spent {
  readonly [spent]: true
}
declare const spent: unique symbol

/**
 * Give up a capability: what deletes or moves it demands this on the line before, and nothing else takes it after. The compiler
 * sees what follows in a straight line; what it cannot see (an alias, a loop, a closure made before) `isSpent` tells.
 */
export function consume<C extends AnyCap>(cap: C): asserts cap is C & Spent {
  AnyCap.spend(cap)
}

/** Whether it was given up. */
export const isSpent: (cap: AnyCap) => boolean = AnyCap.isSpent

/** Nothing is at its place any more, or something else: nothing takes it, not even what takes a capability that was given up. */
export const end: (cap: AnyCap) => void = AnyCap.end

/** Whether there is nothing left of it. */
export const isGone: (cap: AnyCap) => boolean = AnyCap.isGone

/** That a capability is lent: who lent it deletes it. */
export interface Lent {
  readonly [lent]: true
}
declare const lent: unique symbol

/** What a capability is of, what may be done with it, and where it lives. */
export type KindOf<C> = C extends Cap<infer K, infer _R, infer _Q> ? K : never
export type RightsOf<C> = C extends Cap<infer _K, infer R, infer _Q> ? R : never
export type RegionOf<C> = C extends Cap<infer _K, infer _R, infer Q> ? Q : never

/** That a capability has a badge: it gets no other. */
export interface Badged {
  readonly [badged]: true
}
declare const badged: unique symbol

/** The same with the rights `R` and the region `Q`: an endpoint keeps its protocol, a frame its size, what has a badge has it still. */
export type Derived<C, R, Q = RegionOf<C>> = C extends Badged ? Fewer<C, R, Q> & Badged : Fewer<C, R, Q>
type Fewer<C, R, Q> =
  C extends Endpoint<infer P, infer _R, infer _Q>
    ? Endpoint<P, Extract<R, RightOf<"Endpoint">>, Q>
    : C extends Frame<infer S, infer _R, infer _Q>
      ? Frame<S, Extract<R, RightOf<"Frame">>, Q>
      : C extends Cap<infer K, infer _R, infer _Q>
        ? Cap<K, Extract<R, RightOf<K>>, Q>
        : never

/** The same with a mark: a badge stays, a guard may be another. */
export type Marked<C, R> = KindOf<C> extends "CNode" ? Derived<C, R> : Derived<C, R> & Badged

/** Where a task of a system has a capability: by a name. It stands where the region of others does. */
export interface Slot<in out N extends string> {
  readonly [slot]: (name: N) => N
}
declare const slot: unique symbol

/** That a task uses what it has in slot `N` as a `K`, by the rights `R`: this much it must be granted, and no more. */
export interface Exercise<in out N extends string, in out K extends Kind, in out R> {
  readonly [exercise]: (uses: [N, K, R]) => [N, K, R]
}
declare const exercise: unique symbol

/**
 * What an effect requires that uses a capability by the rights `R`: that the region in which it lives is not over; of what a
 * task has, that the system grants it.
 */
export type Using<C, R = never> = C extends Cap<infer K, infer _R, infer Q> ? Uses<Q, K, R> : never
type Uses<Q, K extends Kind, R> = Q extends Slot<infer N> ? Exercise<N, K, R> : Q

/** How long a capability lives: in its region, or as long as the program. */
export type LifetimeOf<C> = RegionOf<C> extends infer Q ? (Q extends Slot<infer _N> ? never : Q) : never
