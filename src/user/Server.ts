/** Server: answering at an endpoint where a protocol is spoken, one call after the other. */
import { Effect, Exit } from "effect"
import { type AnyCap, type Endpoint, type LifetimeOf, protocolOf, type Using } from "../types/Capability.ts"
import { maxLength } from "../types/MessageInfo.ts"
import * as CNode from "../types/methods/CNode.ts"
import type { Need, ReplyArguments, UsingCaps } from "../types/Need.ts"
import {
  type Answering,
  clientOf,
  type Handlers,
  type OperationName,
  type OperationOf,
  type Protocol,
  type Replied,
  type ReplyTo,
  type Refusal as Said
} from "../types/Protocol.ts"
import { Allocator, type AllocatorService, type OutOfSlots } from "./Allocator.ts"
import { held, invoke, pointer } from "./Invocation.ts"
import { type Arrived, type MessageCall, type SlotAddress, Syscalls, whole } from "./Syscalls.ts"
import { arrivedCap, capsNamed, labels, operationsOf, type WiredOperation } from "./Wire.ts"

type ProtocolOf<C> = C extends Endpoint<infer P, infer _R, infer _Q> ? P : never

/** Handlers as `Handlers`, and none beside: what is missing or too much is said in a sentence. */
type Complete<P extends Protocol, H> = {
  readonly [N in Exclude<keyof H, OperationName<P>>]: {
    readonly "⛔": `'${N & string}' is no operation of '${P["name"]}'`
  }
} & {
  readonly [N in Exclude<OperationName<P>, keyof H>]: {
    readonly "⛔": `operation '${N}' of '${P["name"]}' is not handled`
  }
}

type ErrorOf<H> = {
  [N in keyof H]: H[N] extends (...args: never) => Effect.Effect<infer _A, infer E, infer _R> ? E : never
}[keyof H]
type ServicesOf<H> = {
  [N in keyof H]: H[N] extends (...args: never) => Effect.Effect<infer _A, infer _E, infer R> ? R : never
}[keyof H]

type ReceivesCaps<P extends Protocol> = {
  [N in OperationName<P>]: OperationOf<P, N> extends { readonly sends: object } ? true : never
}[OperationName<P>]
type IfReceiving<P extends Protocol, T> = [ReceivesCaps<P>] extends [never] ? never : T

/**
 * Answer calls for ever, through a reply object. Between calls the server waits; a server without time of its own runs on
 * its caller's.
 */
export function serve<
  C extends AnyCap,
  O extends AnyCap,
  const H extends Partial<Handlers<ProtocolOf<C>, LifetimeOf<C>>>
>(
  endpoint: Need<C, "serve", "Endpoint", "read">,
  reply: Need<O, "serve", "Reply", Answering<ProtocolOf<C>>>,
  handlers: H & Complete<ProtocolOf<C>, H>
): Effect.Effect<
  never,
  ErrorOf<H> | IfReceiving<ProtocolOf<C>, OutOfSlots>,
  | ServicesOf<H>
  | Syscalls
  | Using<C, "read">
  | Using<O, Answering<ProtocolOf<C>>>
  | IfReceiving<ProtocolOf<C>, Allocator>
>
export function serve(
  endpoint: unknown,
  reply: unknown,
  handlers: Readonly<Record<string, unknown>>
): Effect.Effect<never, unknown, unknown> {
  const protocol = protocolOf(held(endpoint))
  if (protocol === undefined) throw new Error("a server serves a protocol: its endpoint has none")
  const asker = (badge: bigint) => (protocol.clients.length === 0 ? badge : clientOf(protocol, badge))
  const operations = operationsOf(protocol).map((wired) => ({
    ...wired,
    asker,
    handler: handlers[wired.name] as Handler
  }))
  return operations.some(({ sends }) => sends.length > 0)
    ? Effect.flatMap(Allocator, (allocator) => loop(operations, pointer(endpoint), pointer(reply), allocator))
    : loop(operations, pointer(endpoint), pointer(reply), undefined)
}

/** Answer the call with a reply. */
export const reply = <P extends Protocol, N extends OperationName<P>, L, Given = Readonly<Record<never, never>>>(
  to: ReplyTo<P, N, L>,
  ...args: ReplyArguments<OperationOf<P, N>, `reply to ${N}`, Given>
): Effect.Effect<
  Replied<L>,
  never,
  UsingCaps<Given, OperationOf<P, N> extends { readonly returns: infer Fields } ? Fields : never>
> => {
  const { wired } = tokenOf(to)
  const [value, caps]: ReadonlyArray<unknown> = args
  const answer = { label: labels.reply, words: wired.reply.encode(value), caps: capsNamed(wired.returns, caps) }
  return Effect.succeed(evidence<L>(answer))
}

/** Answer the call with an error of the operation. */
export const replyError = <P extends Protocol, N extends OperationName<P>, L>(
  to: ReplyTo<P, N, L>,
  error: Said<OperationOf<P, N>>
): Effect.Effect<Replied<L>> => {
  const { wired } = tokenOf(to)
  if (wired.error === undefined) throw new Error(`'${wired.name}' has no errors`)
  return Effect.succeed(evidence<L>({ label: labels.error, words: wired.error.encode(error), caps: [] }))
}

/** What is sent back. */
type Answer = Pick<MessageCall, "label" | "words" | "caps">

const evidence = <L>(answer: Answer): Replied<L> => answer as Answer & Replied<L>

/** A handler as it is run: what it is given was checked against the protocol. */
type Handler = (request: unknown, to: Token, caps: unknown, asker: unknown) => Effect.Effect<Answer, unknown, Syscalls>

/** What a `ReplyTo` is at run time. */
interface Token {
  readonly operation: string
  readonly wired: WiredOperation
}

const tokenOf = (to: { readonly operation: string }): Token => {
  if (!("wired" in to)) throw new Error("a call is answered by what came with it")
  return to as Token
}

type Served = WiredOperation & {
  readonly handler: Handler
  /** Who has a badge. */
  readonly asker: (badge: bigint) => unknown
}

const loop = Effect.fnUntraced(function* (
  operations: ReadonlyArray<Served>,
  capability: bigint,
  reply: bigint,
  allocator: AllocatorService | undefined
) {
  const syscalls = yield* Syscalls
  let slot = allocator && (yield* nextSlot(allocator))
  const receive = (syscall: "Recv" | "ReplyRecv", { label, words, caps }: Answer) =>
    syscalls.call({ syscall, capability, label, words, caps, reply, receiveInto: slot }, whole)
  let arrived = yield* receive("Recv", nothing)
  for (;;) {
    const call = understood(operations, arrived, slot)
    const answer = call === undefined ? notUnderstood : fitting(answered(call.answer) ?? (yield* call.answer))
    if (allocator !== undefined && slot !== undefined && cameInSlot(arrived)) {
      // What the server has now stays where it is. What nobody asked for is thrown away.
      if (call?.takesCap) slot = yield* nextSlot(allocator)
      else yield* invoke(CNode.Delete, slot.root, slot)
    }
    arrived = yield* receive("ReplyRecv", answer)
  }
})

const nextSlot = (allocator: AllocatorService): Effect.Effect<SlotAddress, OutOfSlots> =>
  Effect.map(allocator.slots(1), (index) => ({ root: allocator.cnode, index, depth: allocator.depth }))

/** One capability, and not just its badge. */
const cameInSlot = ({ extraCaps, unwrapped }: Arrived): boolean => extraCaps === 1 && unwrapped === 0

const nothing: Answer = { label: 0, words: [], caps: [] }
const notUnderstood: Answer = { label: labels.notUnderstood, words: [], caps: [] }

/** What is longer than a message is answered by saying so. */
const fitting = (answer: Answer): Answer =>
  answer.words.length <= maxLength ? answer : { label: labels.tooLong, words: [BigInt(answer.words.length)], caps: [] }

/** What a handler says at once takes no step of the fiber. */
const answered = (answer: Effect.Effect<Answer, unknown, Syscalls>): Answer | undefined =>
  Exit.isExit(answer) && Exit.isSuccess(answer) ? (answer.value as Answer) : undefined

/** The call that a message is: how it is answered, and whether the capability in the slot is part of it. Undefined if it is none. */
const understood = (
  operations: ReadonlyArray<Served>,
  arrived: Arrived,
  slot: SlotAddress | undefined
): { readonly answer: Effect.Effect<Answer, unknown, Syscalls>; readonly takesCap: boolean } | undefined => {
  const wired = operations[arrived.label]
  const request = wired?.request.decode(arrived.words)
  if (wired === undefined || request === undefined) return undefined
  const token = { operation: wired.name, wired }
  const [name] = wired.sends
  const asker = wired.asker(arrived.badge)
  if (name === undefined) return { answer: wired.handler(request.value, token, {}, asker), takesCap: false }
  if (slot === undefined || !cameInSlot(arrived)) return undefined
  const caps = { [name]: arrivedCap(wired.operation.sends?.[name], slot.index) }
  return { answer: wired.handler(request.value, token, caps, asker), takesCap: true }
}
