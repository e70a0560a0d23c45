/**
 * System: tasks, the objects that they share, and what each may do with them, as one literal that the compiler judges.
 *
 * A task's program says what it uses: every effect of it requires an `Exercise`. The system says what each task is granted.
 * The two must be the same; calls must go to higher priorities; and nothing may flow between tasks that are declared isolated. What
 * is wrong is a sentence at the field that is wrong.
 */
import type { InterruptSource } from "./Architecture.ts"
import type { Less } from "./Arithmetic.ts"
import type { Cap, Endpoint, Exercise, Slot } from "./Capability.ts"
import type { Kind, RightOf } from "./Kind.ts"
import type { TypeOf, What } from "./Memory.ts"
import type { A, Join, Unless } from "./Need.ts"
import type { FrameType, Makes } from "./ObjectType.ts"
import type { ClientOf, Protocol, ProtocolClass } from "./Protocol.ts"

/** What a task has under a name: a capability of a kind, or an endpoint where a protocol is spoken. */
export type Slots = Readonly<Record<string, Kind | ProtocolClass<Protocol>>>

/** The capabilities by which a program is written: with every right, for what it uses is seen. */
export type CapsIn<S extends Slots> = { readonly [N in keyof S & string]: CapFor<N, S[N]> }
type CapFor<N extends string, W> = W extends Kind
  ? Cap<W, RightOf<W>, Slot<N>>
  : W extends ProtocolClass<infer P>
    ? Endpoint<P, RightOf<"Endpoint">, Slot<N>>
    : never

/** What a server has of each of its clients: under the client's name, a point, and the name of the slot. */
export type Each<N extends string, S extends Slots> = {
  readonly [K in `${N}.${keyof S & string}`]: K extends `${N}.${infer F}` ? (F extends keyof S ? S[F] : never) : never
}
/** A client as its server's program sees it: any of them. */
export type ClientIn<N extends string, S extends Slots> = { readonly name: N } & {
  readonly [F in keyof S & string]: CapFor<`*.${F}`, S[F]>
}
/** What a server uses: what it uses of any client, it uses of each. */
export type ServerUses<N extends string, U> =
  U extends Exercise<infer M, infer K, infer R> ? (M extends `*.${infer F}` ? EachUses<N, F, K, R> : U) : U
type EachUses<N extends string, F extends string, K extends Kind, R> = N extends string
  ? Exercise<`${N}.${F}`, K, R>
  : never

/** A program, what it has, and what it uses of that: a union of `Exercise`. */
export interface Task<S extends Slots = Slots, U = unknown> {
  readonly slots: S
  /** A function from the capabilities, by name, to its effect. */
  readonly body: unknown
  readonly [uses]?: U
}
declare const uses: unique symbol

/** A range of IO ports. No two ranges overlap. */
export interface Ports {
  readonly ports: readonly [first: number, last: number]
}

/** The memory of a device. */
export interface Device {
  readonly device: FrameType
  readonly address: number
}

/** A device's interrupt: a pin of an interrupt controller, or a message. Each can be had once. */
export interface Interrupt {
  readonly interrupt: InterruptSource
}

/** An endpoint where the program answers that starts the system, and is no task of it. */
export interface Starter<P extends Protocol = Protocol> {
  readonly starter: ProtocolClass<P>
}

/** What is made: an endpoint where a protocol is spoken, an object of a type, or what only this machine has. */
export type Thing = ProtocolClass<Protocol> | What | Ports | Device | Interrupt | Starter

/** What a task is granted of an object. */
export interface Grant {
  readonly to: string
  readonly rights: ReadonlyArray<string>
  /** By which a receiver tells who sends or signals: a client of the protocol that is spoken there, or any number. */
  readonly badge?: bigint | string
}

export interface TaskSpec {
  readonly program: Task
  /** 0 to 254: the highest runs. */
  readonly priority: number
  /** Microseconds in each period. In turns of 5 ms with its equals, if left out. */
  readonly time?: { readonly budget: number; readonly period: number }
  /** It has 2^memory bytes of its own. */
  readonly memory?: number
  readonly grants: Readonly<Record<string, Grant>>
}

export interface Spec {
  readonly objects: Readonly<Record<string, Thing>>
  readonly tasks: Readonly<Record<string, TaskSpec>>
  /** Pairs of tasks neither of which may learn anything of the other. */
  readonly isolated?: ReadonlyArray<readonly [string, string]>
  /**
   * Who keeps those apart that it serves, by its own word: tasks, and endpoints where the starter answers. What isolated tasks have in common
   * with these alone is no way between them.
   */
  readonly trusted?: ReadonlyArray<string>
}

/** The specification itself, or sentences in the place of what is wrong. */
export type Checked<S extends Spec> = {
  readonly [F in keyof S]: F extends "objects"
    ? { readonly [O in keyof S["objects"]]: Unless<Idle<S, O & string>, S["objects"][O]> }
    : F extends "tasks"
      ? { readonly [T in keyof S["tasks"]]: CheckedTask<S, T & string, S["tasks"][T]> }
      : F extends "isolated"
        ? CheckedPairs<S, S[F]>
        : F extends "trusted"
          ? CheckedTrust<S, S[F]>
          : `⛔ a system has objects, tasks, isolated tasks and trusted ones, but no '${F & string}'`
}

type CheckedTask<S extends Spec, T extends string, Of extends TaskSpec> = {
  readonly [F in keyof Of]: F extends "program"
    ? Unless<Foreign<T, UsesOf<Of>>, Of[F]>
    : F extends "priority"
      ? Unless<TooHigh<Of["priority"]> | Inversion<S, T, Of>, Of[F]>
      : F extends "time"
        ? CheckedTime<Of[F]>
        : F extends "grants"
          ? Unless<
              Lacking<T, Of>,
              { readonly [N in keyof Of["grants"]]: CheckedGrant<S, T, Of, N & string, Of["grants"][N]> }
            >
          : Of[F]
}

// What a program uses.

type UsesOf<Of extends TaskSpec> = Of["program"] extends Task<infer _S, infer U> ? U : never
type NamesOf<U> = U extends Exercise<infer N, infer _K, infer _R> ? N : never
type RightsUsed<U, N extends string> =
  U extends Exercise<infer M, infer _K, infer R> ? (M extends N ? R : never) : never
type SlotsOf<Of extends TaskSpec> = Of["program"]["slots"]

/** A service that no system gives: only capabilities, memory and system calls are there. */
type Foreign<T extends string, U> = [U extends Exercise<infer _N, infer _K, infer _R> ? never : U] extends [never]
  ? never
  : `⛔ task '${T}' requires a service that no system gives`

/** What a program uses and the system does not grant. */
type Lacking<T extends string, Of extends TaskSpec> =
  Exclude<NamesOf<UsesOf<Of>>, keyof Of["grants"]> extends infer N
    ? N extends string
      ? `⛔ under-privileged: task '${T}' uses '${N}', which it is not granted`
      : never
    : never

// What a task is granted.

type CheckedGrant<S extends Spec, T extends string, Of extends TaskSpec, N extends string, G extends Grant> =
  N extends NamesOf<UsesOf<Of>>
    ? {
        readonly [F in keyof G]: F extends "to"
          ? Unless<WrongObject<S, T, N, SlotsOf<Of>[N], G["to"]> | Nameless<S, T, G>, G["to"]>
          : F extends "rights"
            ? CheckedRights<T, N, KindOfSlot<SlotsOf<Of>[N]>, RightsUsed<UsesOf<Of>, N>, G["rights"]>
            : F extends "badge"
              ? Unless<WrongBadge<KindOfSlot<SlotsOf<Of>[N]>, ClientsAt<S, G["to"]>, G["to"], G[F]>, G[F]>
              : G[F]
      }
    : N extends keyof SlotsOf<Of>
      ? `⛔ over-privileged: task '${T}' is granted '${N}' and never uses it`
      : `⛔ over-privileged: task '${T}' is granted '${N}', of which its program knows nothing`

type CheckedRights<T extends string, N extends string, K extends Kind, Used, R extends ReadonlyArray<string>> = [
  Exclude<Used, R[number]>
] extends [never]
  ? {
      readonly [I in keyof R]: R[I] extends RightOf<K>
        ? R[I] extends Used
          ? R[I]
          : `⛔ over-privileged: task '${T}' is granted right '${R[I]}' to '${N}' and never uses it`
        : `⛔ there is no right '${R[I] & string}' to ${A<K>}`
    }
  : `⛔ under-privileged: task '${T}' uses right '${Join<K, Exclude<Used, R[number]>>}' to '${N}', which it is not granted`

type WrongBadge<K extends Kind, Clients, To extends string, B> = K extends "Endpoint" | "Notification"
  ? B extends string
    ? B extends Clients
      ? never
      : `⛔ '${To}' has no client '${B}'`
    : [Clients] extends [never]
      ? never
      : `⛔ '${To}' knows its clients by name: a badge is one of those`
  : `⛔ a badge is for an Endpoint or a Notification, not for ${A<K>}`

/** The protocol that is spoken at an object, if one is. */
export type ProtocolAt<O> = O extends ProtocolClass<infer P> ? P : O extends Starter<infer P> ? P : never

/** Who asks at an object, if it knows. */
type ClientsAt<S extends Spec, O> = O extends keyof S["objects"]
  ? [ProtocolAt<S["objects"][O]>] extends [never]
    ? never
    : ClientOf<ProtocolAt<S["objects"][O]>>
  : never

/** Whoever asks where clients are known is one of them. */
type Nameless<S extends Spec, T extends string, G extends Grant> = [ClientsAt<S, G["to"]>] extends [never]
  ? never
  : "write" extends G["rights"][number]
    ? G extends { readonly badge: unknown }
      ? never
      : `⛔ '${G["to"]}' knows its clients by their badges: give '${T}' one`
    : never

type KindOfSlot<W> = W extends Kind ? W : "Endpoint"
/** The kind of capability that a thing is had by. */
export type KindOfObject<O> = O extends What
  ? Makes<TypeOf<O>>
  : O extends Ports
    ? "IOPort"
    : O extends Device
      ? "Frame"
      : O extends Interrupt
        ? "IRQHandler"
        : "Endpoint"

type WrongObject<
  S extends Spec,
  T extends string,
  N extends string,
  W,
  To extends string
> = To extends keyof S["objects"]
  ? KindOfObject<S["objects"][To]> extends KindOfSlot<W>
    ? W extends ProtocolClass<infer P>
      ? [ProtocolAt<S["objects"][To]>] extends [never]
        ? `⛔ task '${T}' speaks '${P["name"]}' to '${N}'; '${To}' is an endpoint without a protocol`
        : [ProtocolAt<S["objects"][To]>] extends [P]
          ? never
          : `⛔ task '${T}' speaks '${P["name"]}' to '${N}'; at '${To}' is spoken '${ProtocolAt<S["objects"][To]>["name"]}'`
      : never
    : `⛔ task '${T}' uses '${N}' as ${A<KindOfSlot<W>>}; '${To}' is ${A<KindOfObject<S["objects"][To]>>}`
  : `⛔ there is no object '${To}'`

/** The rights that a task is granted to an object, by whatever name. */
type RightsTo<Of extends TaskSpec, O> = {
  [N in keyof Of["grants"]]: Of["grants"][N] extends {
    readonly to: O
    readonly rights: infer R extends ReadonlyArray<string>
  }
    ? R[number]
    : never
}[keyof Of["grants"]]

/** The tasks that are granted this right to an object, or any of these rights. */
type Having<S extends Spec, O, R> = {
  [T in keyof S["tasks"]]: [Extract<RightsTo<S["tasks"][T], O>, R>] extends [never] ? never : T
}[keyof S["tasks"]]

/** An object that is of no use. */
type Idle<S extends Spec, O extends string> = [Having<S, O, string>] extends [never]
  ? `⛔ no task is granted '${O}'`
  : KindOfObject<S["objects"][O]> extends "Endpoint" | "Notification"
    ? [Having<S, O, "read">] extends [never]
      ? S["objects"][O] extends Starter
        ? never
        : `⛔ nobody receives what is sent to '${O}'`
      : [Having<S, O, "write">] extends [never]
        ? `⛔ nobody sends to '${O}'`
        : never
    : never

// Time.

type TooHigh<P extends number> = Less<254, P> extends true ? `⛔ the priorities of tasks are 0 to 254` : never

/** The tasks that would wait for one that they keep from running. */
type Inversion<S extends Spec, T extends string, Of extends TaskSpec> = {
  [N in keyof Of["grants"]]: Calls<Of["grants"][N]> extends true
    ? KindOfObject<S["objects"][Of["grants"][N]["to"]]> extends "Endpoint"
      ? Slower<S, T, Of["priority"], Of["grants"][N]["to"], Exclude<Having<S, Of["grants"][N]["to"], "read">, T>>
      : never
    : never
}[keyof Of["grants"]]

type Calls<G extends Grant> = "write" extends G["rights"][number]
  ? [Extract<G["rights"][number], "grant" | "grantReply">] extends [never]
    ? false
    : true
  : false

type Slower<S extends Spec, T extends string, P extends number, O extends string, Server> = Server extends string
  ? Less<P, S["tasks"][Server]["priority"]> extends true
    ? never
    : `⛔ priority inversion: '${T}' (${P}) calls '${Server}' (${S["tasks"][Server]["priority"]}) at '${O}'; who answers must have the higher priority`
  : never

type CheckedTime<Time> = Time extends {
  readonly budget: infer B extends number
  readonly period: infer P extends number
}
  ? {
      readonly [F in keyof Time]: F extends "budget"
        ? Less<P, B> extends true
          ? `⛔ a budget of ${B} µs is more than its period of ${P} µs`
          : Less<B, 20> extends true
            ? `⛔ a budget is at least 20 µs`
            : B
        : Time[F]
    }
  : Time

// Who can learn of whom.

type CheckedPairs<S extends Spec, Pairs> = { readonly [I in keyof Pairs]: CheckedPair<S, Pairs[I]> }
type CheckedPair<S extends Spec, Pair> = Pair extends readonly [infer X extends string, infer Y extends string]
  ? X extends keyof S["tasks"]
    ? Y extends keyof S["tasks"]
      ? Unless<Either<Leak<Flow<S, Between<S, X | Y>>, X, Y>, Leak<Flow<S, Between<S, X | Y>>, Y, X>>, Pair>
      : readonly [X, `⛔ there is no task '${Y}'`]
    : readonly [`⛔ there is no task '${X}'`, Y]
  : Pair

type CheckedTrust<S extends Spec, Trust> = {
  readonly [I in keyof Trust]: Trust[I] extends keyof S["tasks"] | StartersOf<S>
    ? Trust[I]
    : `⛔ '${Trust[I] & string}' is no task, and no endpoint where the starter answers`
}
type StartersOf<S extends Spec> = {
  [O in keyof S["objects"]]: S["objects"][O] extends Starter ? O : never
}[keyof S["objects"]]

/** Who is trusted to keep these tasks apart. What one of those knows is judged as what anybody knows. */
type Between<S extends Spec, Pair extends string> = S extends {
  readonly trusted: ReadonlyArray<infer T extends string>
}
  ? [Extract<T, Pair>] extends [never]
    ? T
    : never
  : never

/** The endpoints where nobody receives who is not trusted. */
type KeptApart<S extends Spec, Trusted extends string> = {
  [O in keyof S["objects"] & string]: S["objects"][O] extends Starter
    ? Extract<O, Trusted>
    : KindOfObject<S["objects"][O]> extends "Endpoint"
      ? [Having<S, O, "read">] extends [Trusted]
        ? O
        : never
      : never
}[keyof S["objects"] & string]

/** The one sentence, or if there is none the other. */
type Either<One, Other> = [One] extends [never] ? Other : One

/** What each task puts information into, and what it takes information from; but for who is trusted to keep the others apart. */
type Flow<S extends Spec, Trusted extends string> = {
  readonly [T in Exclude<keyof S["tasks"], Trusted>]: {
    readonly puts: Exclude<Through<S, S["tasks"][T], "puts">, KeptApart<S, Trusted>>
    readonly takes: Exclude<Through<S, S["tasks"][T], "takes">, KeptApart<S, Trusted>>
  }
}
type Through<S extends Spec, Of extends TaskSpec, Way extends "puts" | "takes"> = {
  [N in keyof Of["grants"]]: Passes<
    KindOfObject<S["objects"][Of["grants"][N]["to"]]>,
    Of["grants"][N]["rights"][number],
    Way
  > extends true
    ? Of["grants"][N]["to"]
    : never
}[keyof Of["grants"]]

/**
 * Whether these rights put information into an object of this kind, or take it from there. Who can answer puts, and who can be
 * answered takes. Of other kinds every right does both.
 */
type Passes<K extends Kind, R, Way extends "puts" | "takes"> = K extends keyof Passing
  ? [Extract<R, Passing[K][Way]>] extends [never]
    ? false
    : true
  : true

// biome-ignore format: a kind, a line
interface Passing {
  Endpoint:     { puts: "write" | "read"; takes: "read" | "grant" | "grantReply" }
  Notification: { puts: "write";          takes: "read" }
  Frame:        { puts: "write";          takes: "read" | "execute" }
}

type Flows = { readonly [T in string]: { readonly puts: unknown; readonly takes: unknown } }

/** The way from one task to another, if there is one. */
type Leak<F, From extends string, To extends string> = F extends Flows
  ? Layers<F, From, From, To, []> extends infer Passed extends ReadonlyArray<string>
    ? `⛔ not isolated: ${Way<F, Passed, To, `'${To}'`>}`
    : never
  : never

/** The tasks that learn something in so many steps, up to the last step before `To`; undefined if `To` learns nothing. */
type Layers<
  F extends Flows,
  Now extends string,
  Seen extends string,
  To extends string,
  Out extends ReadonlyArray<string>
> = To extends Now
  ? Out
  : Exclude<Hearers<F, Now>, Seen> extends infer Next extends string
    ? [Next] extends [never]
      ? undefined
      : Layers<F, Next, Seen | Next, To, [...Out, Now]>
    : never

type Hearers<F extends Flows, Now extends string> = {
  [T in keyof F & string]: [Extract<F[T]["takes"], F[Now]["puts"]>] extends [never] ? never : T
}[keyof F & string]

/** Back from `To`, by one of the tasks of each step. */
type Way<
  F extends Flows,
  Passed extends ReadonlyArray<string>,
  To extends string,
  Text extends string
> = Passed extends readonly [...infer Before extends ReadonlyArray<string>, infer Last extends string]
  ? OneOf<Speakers<F, Last, To>> extends infer From extends string
    ? Way<F, Before, From, `'${From}' → ${OneOf<Extract<F[To]["takes"], F[From]["puts"]>> & string} → ${Text}`>
    : never
  : Text

type Speakers<F extends Flows, Last extends string, To extends string> = Last extends string
  ? [Extract<F[To]["takes"], F[Last]["puts"]>] extends [never]
    ? never
    : Last
  : never

/** One of a union, whichever the compiler has last. */
type OneOf<U> = (U extends unknown ? (_: (one: U) => void) => void : never) extends (_: infer I) => void
  ? I extends (one: infer Last) => void
    ? Last
    : never
  : never
