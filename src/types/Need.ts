/**
 * Need: what a typed call demands of a capability. It is the type of the parameter: the argument's own type when the
 * demand is met, and otherwise a sentence, which no argument has, so that the compiler prints it.
 *
 *     const signal: <C extends AnyCap>(notification: Need<C, "Signal", "Notification", "write">) => ...
 */
import type { PlacingCall, PlacingRight, Single, Structure } from "./Architecture.ts"
import type { AnyCap, Cap, Endpoint, KindOf, Lent, Spent, Unplaced, Untyped, Using } from "./Capability.ts"
import type { Kind, RightNames, RightOf } from "./Kind.ts"
import type { Accepts, CapArgument, Method } from "./Method.ts"
import type {
  Asking,
  CapFields,
  CapFor,
  CapOf,
  EndpointOf,
  Operation,
  OperationName,
  OperationOf,
  Reply,
  Request
} from "./Protocol.ts"

/** An argument of type `T`, if there is no sentence against it. */
export type Unless<Sentence, T> = [Sentence] extends [never] ? T : Sentence

/** An unspent capability of kind `K` with the rights `R`, for the call `Call`. */
export type Need<C, Call extends string, K extends Kind, R extends RightOf<K> = never> = C extends Spent
  ? Gone<Call>
  : C extends Cap<infer Held, infer HeldRights, infer _Q>
    ? [Held] extends [K]
      ? [R] extends [HeldRights]
        ? Unless<NoPlace<C, Call, R>, C>
        : C extends Untyped<infer _Bits, infer _Used, infer _Region>
          ? CountedElsewhere<Call>
          : TooLittle<Call, Held, Join<K, R>, HeldRights>
      : `⛔ ${Call} needs ${A<K>} capability, got ${Held}`
    : `⛔ ${Call}: not a capability`

/** An endpoint capability that a call is answered through. */
export type NeedToCall<C, Call extends string> = Need<
  C,
  Call,
  "Endpoint",
  "write" | (C extends Cap<"Endpoint", infer Held, infer _Q> ? Exclude<"grantReply", Implied<Held>> : never)
>

/** What a method demands of the capability that it is invoked on. */
export type NeedTarget<C, Call extends string, M extends Method> = Need<
  C,
  Call,
  M["kind"],
  Extract<M["rights"][number], RightOf<M["kind"]>>
>

/** What a method demands of one of its extra capabilities, as its description says. */
export type NeedArgument<C, Call extends string, Argument extends CapArgument> = C extends undefined
  ? Argument["optional"] extends true
    ? C
    : `⛔ ${Call} needs ${One<KindsOf<Argument["accepts"]>>} capability, got none`
  : C extends Spent
    ? Gone<Call>
    : C extends Cap<infer Held, infer HeldRights, infer _Q>
      ? Held extends keyof Argument["accepts"]
        ? Unmet<Held, HeldRights, Argument["accepts"][Held]> extends infer Missing extends string
          ? [Missing] extends [never]
            ? C
            : TooLittle<Call, Held, Missing, HeldRights>
          : never
        : `⛔ ${Call} needs ${One<KindsOf<Argument["accepts"]>>} capability, got ${Held}`
      : `⛔ ${Call}: not a capability`

/** Rights to keep, of those that a capability has: a list of them, or the sentence. */
export type Keep<C, Call extends string, List extends ReadonlyArray<string>> = C extends Spent
  ? Gone<Call>
  : C extends Cap<infer Held, infer HeldRights, infer _Q>
    ? [Exclude<List[number], RightOf<Held>>] extends [never]
      ? [List[number]] extends [HeldRights]
        ? Held extends "Untyped"
          ? C extends Untyped<infer _Bits, infer _Used, infer _Region>
            ? CountedElsewhere<Call>
            : List
          : Unless<NoCopy<C, Call>, List>
        : TooMuch<Call, Held, List[number], HeldRights>
      : NoRight<Call, Held, List[number]>
    : `⛔ ${Call}: not a capability`

// Of each kind its own sentence: where a kind is not known yet, a compiler would make those of every kind with every other.
type TooMuch<Call extends string, K extends Kind, Kept, Held> = K extends Kind
  ? `⛔ ${Call} cannot keep right '${Join<K, Exclude<Kept, Held>>}'; this ${K} capability holds ${Rights<K, Held>}`
  : never
type NoRight<Call extends string, K extends Kind, Kept extends string> = K extends Kind
  ? `⛔ ${Call}: there is no right '${Exclude<Kept, RightOf<K>>}' to ${A<K>}`
  : never
type TooLittle<Call extends string, K extends Kind, Missing extends string, Held> = K extends Kind
  ? `⛔ ${Call} needs right '${Missing}'; this ${K} capability holds ${Rights<K, Held>}`
  : never

/** What has no copies. */
export type NoCopy<C, Call extends string> =
  | NoPlace<C, Call, "copy">
  | (KindOf<C> extends Single | "IRQControl" ? `⛔ ${Call}: of ${A<KindOf<C>>} there are no copies` : never)

/** Capabilities to give copies of, by name: they themselves, or a sentence for each that has none. */
export type Givable<G, Call extends string> = [G] extends [CheckedGifts<G, Call>] ? G : CheckedGifts<G, Call>
type CheckedGifts<G, Call extends string> = {
  readonly [N in keyof G]: G[N] extends Spent ? Gone<Call> : Unless<NoCopy<G[N], Call>, G[N]>
}

/** What has no place is only given one, or given up. */
type NoPlace<C, Call extends string, R> = C extends Unplaced ? Placeless<Call, Extract<KindOf<C>, Structure>, R> : never
type Placeless<Call extends string, K extends Structure, R> = K extends Structure
  ? [Exclude<R, PlacingRight<K>>] extends [never]
    ? never
    : `⛔ ${Call}: this ${K} has no place yet: ${PlacingCall<K>} gives it one`
  : never

/** What deletes or moves a capability takes it only when it was given up, and only from its owner. */
export type NeedSpent<C, Call extends string> = C extends Lent
  ? `⛔ ${Call}: what is lent goes back when its loan ends; a copy of it may go before`
  : C extends Spent
    ? C
    : C extends AnyCap
      ? `⛔ ${Call} consumes its argument: write \`consume(cap)\` on the line before`
      : `⛔ ${Call}: not a capability`

/** What asking operation `N` demands of an endpoint. */
export type NeedToAsk<C, N extends string> = C extends Spent
  ? Gone<N>
  : C extends Endpoint<infer P, infer HeldRights, infer _Q>
    ? N extends OperationName<P>
      ? [Asking<OperationOf<P, N>>] extends [HeldRights | Implied<HeldRights>]
        ? C
        : `⛔ '${N}' of '${P["name"]}' needs right '${Join<"Endpoint", Asking<OperationOf<P, N>>>}'; this Endpoint capability holds ${Rights<"Endpoint", HeldRights>}`
      : `⛔ '${P["name"]}' has no operation '${N}'`
    : `⛔ '${N}' needs an Endpoint capability with a protocol`

/** Who may grant capabilities may let itself be answered. */
type Implied<Held> = "grant" extends Held ? "grantReply" : never

/** The arguments of asking for operation `O`, with the capabilities `Given`, if it takes any. */
export type RequestArguments<O, Call extends string, Given> = O extends Operation
  ? [request: Request<O>, ...Caps<Given, Call, O["sends"]>]
  : never

/** The arguments of answering operation `O`, with the capabilities `Given`, if it returns any. */
export type ReplyArguments<O, Call extends string, Given> = O extends Operation
  ? [reply: Reply<O>, ...Caps<Given, Call, O["returns"]>]
  : never

type Caps<Given, Call extends string, Fields> = Fields extends CapFields ? [caps: NeedFields<Given, Call, Fields>] : []

/** What an effect requires that gives capabilities along, as these fields of a message say. */
export type UsingCaps<Given, Fields> = {
  [N in keyof Given]: Using<
    Given[N],
    N extends keyof Fields ? (Fields[N] extends CapOf<Kind, infer R> ? R : never) : never
  >
}[keyof Given]

/** What the fields of a message demand of the capabilities `Given`: they themselves, or a sentence for each that does not do. */
type NeedFields<Given, Call extends string, Fields> = [Given] extends [Checked<Given, Call, Fields>]
  ? Given
  : Checked<Given, Call, Fields>
type Checked<Given, Call extends string, Fields> = {
  readonly [N in keyof Fields | keyof Given]: N extends keyof Fields
    ? N extends keyof Given
      ? NeedField<Given[N], Call, Fields[N]>
      : CapFor<Fields[N], never>
    : `⛔ ${Call} takes no capability '${N & string}'`
}
type NeedField<C, Call extends string, Field> =
  Field extends EndpointOf<infer P, infer R>
    ? C extends Endpoint<infer Spoken, infer _R, infer _Q>
      ? [Spoken] extends [P]
        ? Need<C, Call, "Endpoint", Extract<R, RightOf<"Endpoint">>>
        : `⛔ ${Call} needs an endpoint of '${P["name"]}', got one of '${Spoken["name"]}'`
      : C extends Cap<"Endpoint", infer _R, infer _Q>
        ? `⛔ ${Call} needs an endpoint of '${P["name"]}', got one without a protocol`
        : Need<C, Call, "Endpoint">
    : Field extends CapOf<infer K, infer R>
      ? Need<C, Call, K, Extract<R, RightOf<K>>>
      : never

export type Gone<Call extends string> = `⛔ ${Call}: capability was already moved, deleted or revoked`

/** Memory that the compiler counts: a call that does not count would make it wrong, and so would a copy. */
type CountedElsewhere<Call extends string> =
  `⛔ ${Call} does not count this memory: take from it with Untyped_Carve, or let Untyped_Uncount give up the count`

/** Rights as a sentence says that they are held. */
export type Rights<K extends Kind, R> = [R] extends [never] ? "no rights" : `'${Join<K, R>}'`

/** The rights of `R` by name, in the order of the table: the order in which a compiler holds a union is its own. */
export type Join<K extends Kind, R, Between extends string = "+"> = Joined<RightNames<K>, R, Between>
type Joined<Names, R, Between extends string, Out extends string = ""> = Names extends readonly [
  infer First extends string,
  ...infer Rest
]
  ? Joined<Rest, R, Between, [First] extends [R] ? (Out extends "" ? First : `${Out}${Between}${First}`) : Out>
  : Out

/** The first of the rights needed that is not held. A list of rights is met by any one of them. */
type Unmet<K extends Kind, Held, Needs> = Needs extends readonly [infer First, ...infer Rest]
  ? First extends ReadonlyArray<infer One>
    ? [Extract<One, Held>] extends [never]
      ? Join<K, One, "' or '">
      : Unmet<K, Held, Rest>
    : [First] extends [Held]
      ? Unmet<K, Held, Rest>
      : First
  : never

type KindsOf<A extends Accepts> = Extract<keyof A, Kind>

/** A kind with its article; of several kinds, which have no order, none is named. */
type One<K extends string> = [K] extends [Only<K>] ? A<K> : "another"
type Only<K extends string, All = K> = K extends unknown ? ([All] extends [K] ? K : never) : never

/** A kind with its article. */
export type A<K extends string> = K extends `${"A" | "E" | "I" | "U"}${string}` ? `an ${K}` : `a ${K}`
