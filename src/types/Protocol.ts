/**
 * Protocol: what can be asked at an endpoint.
 *
 *     class Files extends protocol("files", {
 *       stat: { request: Schema.String, reply: Schema.Struct({ size: Schema.Finite }), error: NotFound },
 *       open: { request: Schema.String, reply: Schema.Void, returns: { file: capOf("Frame", ["read"]) } }
 *     }) {}
 *
 * A class, so that messages of the compiler say `Files` and not all that it consists of.
 */
import type { Effect, Schema } from "effect"
import type { Cap, Endpoint } from "./Capability.ts"
import type { Kind, RightOf } from "./Kind.ts"

/** A capability in a message: of this kind, with at least these rights. */
export interface CapOf<K extends Kind = Kind, R extends string = string> {
  readonly kind: K
  readonly rights: ReadonlyArray<R>
}
export const capOf = <const K extends Kind, const R extends RightOf<K>>(
  kind: K,
  rights: ReadonlyArray<R>
): CapOf<K, R> => ({ kind, rights })

/** An endpoint in a message, and what is spoken at it. */
export interface EndpointOf<P extends Protocol = Protocol, R extends string = string> extends CapOf<"Endpoint", R> {
  readonly speaks: ProtocolClass<P>
}
export const endpointOf = <P extends Protocol, const R extends RightOf<"Endpoint">>(
  speaks: ProtocolClass<P>,
  rights: ReadonlyArray<R>
): EndpointOf<P, R> => ({ kind: "Endpoint", speaks, rights })

export type CapFields = Readonly<Record<string, CapOf>>

/** What travels as data: values of a schema that needs nothing to be encoded and decoded. */
type Data = Schema.Codec<unknown, unknown>

/** One thing that can be asked, and its answer. Capabilities go with either. */
export interface Operation {
  readonly request: Data
  readonly sends?: CapFields
  readonly reply: Data
  readonly returns?: CapFields
  /** What may be answered instead of a reply. */
  readonly error?: Data
}
export type Operations = Readonly<Record<string, Operation>>

/** What operations have that no operation has, each with a sentence in its place: a field misspelt would be a capability that never goes. */
type Unknown<O extends Operations> = {
  readonly [N in keyof O]: {
    readonly [F in Exclude<
      keyof O[N],
      keyof Operation
    >]: `⛔ '${N & string}': an operation has a request, sends, a reply, returns and an error, but no '${F & string}'`
  }
}

export interface Protocol<N extends string = string, O extends Operations = Operations, C extends string = string> {
  readonly name: N
  readonly operations: O
  /** Who asks there, if that is known: each has a badge of its own, 1, 2 and so on in this order. */
  readonly clients: ReadonlyArray<C>
}

/** Who asks at an endpoint of the protocol: never, if its badges mean nothing to the protocol. */
export type ClientOf<P extends Protocol> = P["clients"][number]

/** The class of a protocol. It is never constructed: what it is at run time, it says itself. */
export interface ProtocolClass<P extends Protocol> {
  readonly prototype: P
  readonly protocol: Protocol<P["name"], P["operations"], ClientOf<P>>
}

export const protocol = <const N extends string, const O extends Operations, const C extends string = never>(
  name: N,
  operations: O & Unknown<O>,
  { clients = [] }: { readonly clients?: ReadonlyArray<C> } = {}
): ProtocolClass<Protocol<N, O, C>> & (new (_: never) => Protocol<N, O, C>) =>
  class {
    static readonly protocol = { name, operations, clients }
    declare readonly name: N
    declare readonly operations: O
    declare readonly clients: ReadonlyArray<C>
  }

/** The badge of a client. */
export const badgeOf = ({ name, clients }: Protocol, client: string): bigint => {
  const index = clients.indexOf(client)
  if (index < 0) throw new Error(`'${name}' has no client '${client}'`)
  return BigInt(index + 1)
}

/** The client that has a badge, if one has. */
export const clientOf = ({ clients }: Protocol, badge: bigint): string | undefined =>
  badge > BigInt(clients.length) ? undefined : clients[Number(badge) - 1]

/** Who asks, as a server hears of it: a client by name, nobody that the protocol knows, or a badge if it knows no clients. */
export type Asker<P extends Protocol> = [ClientOf<P>] extends [never] ? bigint : ClientOf<P> | undefined

/** The names of a protocol's operations, and each of them. */
export type OperationName<P extends Protocol> = keyof P["operations"] & string
export type OperationOf<P extends Protocol, N extends OperationName<P>> = Extract<P["operations"][N], Operation>

export type Request<O extends Operation> = O["request"]["Type"]
export type Reply<O extends Operation> = O["reply"]["Type"]
export type Refusal<O extends Operation> = O extends { readonly error: infer E extends Data } ? E["Type"] : never

/** The capability that a field of a message is. */
export type CapFor<F, Q> =
  F extends EndpointOf<infer P, infer R>
    ? Endpoint<P, Extract<R, RightOf<"Endpoint">>, Q>
    : F extends CapOf<infer K, infer R>
      ? Cap<K, Extract<R, RightOf<K>>, Q>
      : never
type CapsFor<F, Q> = { readonly [N in keyof F]: CapFor<F[N], Q> }
type None = Readonly<Record<never, never>>

/** The capabilities that go with a request, and those that come with its reply. */
export type Sent<O extends Operation, Q = never> = O extends { readonly sends: infer F } ? CapsFor<F, Q> : None
export type Returned<O extends Operation, Q = never> = O extends { readonly returns: infer F } ? CapsFor<F, Q> : None

/** The rights to an endpoint that asking takes. Capabilities go only with the right to grant them, and an answer comes only to who has one of the two. */
export type Asking<O> = O extends { readonly sends: CapFields } ? "write" | "grant" : "write" | "grantReply"

/** The rights to a reply object that answering takes. Capabilities go back only with the right to grant them. */
export type Answering<P extends Protocol> =
  | "send"
  | "receive"
  | {
      [N in OperationName<P>]: OperationOf<P, N> extends { readonly returns: CapFields } ? "grant" : never
    }[OperationName<P>]

/** The one call that a server is answering. `L` is a type of its own for each. */
export interface ReplyTo<in out P extends Protocol, in out N extends OperationName<P>, in out L> {
  readonly [replying]: (call: [P, N, L]) => [P, N, L]
  readonly operation: N
}
declare const replying: unique symbol

/** The evidence that the call of `L` has its answer. */
export interface Replied<in out L> {
  readonly [replied]: (call: L) => L
}
declare const replied: unique symbol

/** How a server answers each operation: with the evidence that it did. */
export type Handlers<P extends Protocol, Q = never> = {
  readonly [N in OperationName<P>]: <L>(
    request: Request<OperationOf<P, N>>,
    to: ReplyTo<P, N, L>,
    caps: Sent<OperationOf<P, N>, Q>,
    asker: Asker<P>
  ) => Effect.Effect<Replied<L>, unknown, unknown>
}
