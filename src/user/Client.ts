/** Client: asking at an endpoint where a protocol is spoken. */
import { Effect, Exit } from "effect"
import { type AnyCap, type Endpoint, type LifetimeOf, protocolOf, type Using } from "../types/Capability.ts"
import { maxLength } from "../types/MessageInfo.ts"
import type { NeedToAsk, RequestArguments, UsingCaps } from "../types/Need.ts"
import type { Asking, OperationName, OperationOf, Reply, Returned, Refusal as Said } from "../types/Protocol.ts"
import { Allocator, type AllocatorService, type OutOfSlots } from "./Allocator.ts"
import { held, isRefusal, pointer, type Refusal, refusal } from "./Invocation.ts"
import { type Arrived, type MessageCall, Syscalls, whole, withSyscalls } from "./Syscalls.ts"
import {
  arrivedCap,
  capsNamed,
  labels,
  type MessageTooLong,
  type NotUnderstood,
  operationsOf,
  type WiredOperation
} from "./Wire.ts"

type ProtocolOf<C> = C extends Endpoint<infer P, infer _R, infer _Q> ? P : never

/** The operation that an endpoint's protocol has by this name. */
export type Asked<C, N extends string> = N extends OperationName<ProtocolOf<C>> ? OperationOf<ProtocolOf<C>, N> : never

type ReturnsCaps<C, N extends string> = Asked<C, N> extends { readonly returns: object } ? true : false

/** What is answered: the reply, and with it the capabilities that come along, if any do. */
export type Answered<C, N extends string> =
  ReturnsCaps<C, N> extends true
    ? { readonly reply: Reply<Asked<C, N>>; readonly caps: Returned<Asked<C, N>, LifetimeOf<C>> }
    : Reply<Asked<C, N>>

/** Why asking comes to nothing, beside what the operation itself may answer. */
export type NotAnswered = Refusal | NotUnderstood | MessageTooLong

/** Ask for an operation, and wait for its reply. */
export function ask<C extends AnyCap, const N extends string, Given = Readonly<Record<never, never>>>(
  endpoint: NeedToAsk<C, N>,
  operation: N,
  ...args: RequestArguments<Asked<C, N>, N, Given>
): Effect.Effect<
  Answered<C, N>,
  Said<Asked<C, N>> | NotAnswered | (ReturnsCaps<C, N> extends true ? OutOfSlots : never),
  | Syscalls
  | Using<C, Asking<Asked<C, N>>>
  | UsingCaps<Given, Asked<C, N> extends { readonly sends: infer Fields } ? Fields : never>
  | (ReturnsCaps<C, N> extends true ? Allocator : never)
>
export function ask(
  endpoint: unknown,
  name: string,
  ...[request, caps]: ReadonlyArray<unknown>
): Effect.Effect<unknown, unknown, unknown> {
  const wired = wiredAt(held(endpoint), name)
  const words = wired.request.encode(request)
  if (words.length > maxLength) return Effect.fail<MessageTooLong>({ _tag: "MessageTooLong", words: words.length })
  const call = {
    syscall: "Call" as const,
    capability: pointer(endpoint),
    label: wired.label,
    words,
    caps: capsNamed(wired.sends, caps),
    reply: 0n
  }
  const [returned] = wired.returns
  return returned === undefined
    ? withSyscalls((syscalls) => syscalls.call(call, (arrived) => answer(wired, arrived)))
    : Effect.flatMap(Allocator, (allocator) => askForCap(wired, call, returned, allocator))
}

const wiredAt = (endpoint: AnyCap, name: string): WiredOperation => {
  const protocol = protocolOf(endpoint)
  const wired = protocol && operationsOf(protocol).find((operation) => operation.name === name)
  if (wired === undefined) throw new Error(`nobody can be asked '${name}' at this endpoint`)
  return wired
}

/** What an answer says. */
const answer = (wired: WiredOperation, arrived: Arrived): Exit.Exit<unknown, unknown> => {
  if (arrived.label === labels.reply) {
    const reply = wired.reply.decode(arrived.words)
    if (reply !== undefined) return Exit.succeed(reply.value)
  } else if (arrived.label === labels.error) {
    const error = wired.error?.decode(arrived.words)
    if (error !== undefined) return Exit.fail(error.value)
  } else if (arrived.label === labels.tooLong) {
    return Exit.fail<MessageTooLong>({ _tag: "MessageTooLong", words: Number(arrived.words[0]) })
  } else if (isRefusal(arrived.label)) {
    return Exit.fail(refusal(wired.name, arrived))
  }
  return Exit.fail<NotUnderstood>({ _tag: "NotUnderstood", operation: wired.name })
}

/** The capability that comes with the reply goes into a slot that is given back if none does. */
const askForCap = (wired: WiredOperation, call: MessageCall, returned: string, allocator: AllocatorService) =>
  Effect.gen(function* () {
    const syscalls = yield* Syscalls
    const slot = yield* allocator.slots(1)
    const receiveInto = { root: allocator.cnode, index: slot, depth: allocator.depth }
    const arrived = yield* syscalls.call({ ...call, receiveInto }, whole)
    const came = arrived.label === labels.reply && arrived.extraCaps === 1 && arrived.unwrapped === 0
    if (!came) allocator.release(slot)
    const reply = yield* answer(wired, arrived)
    if (!came) return yield* Effect.fail<NotUnderstood>({ _tag: "NotUnderstood", operation: wired.name })
    return { reply, caps: { [returned]: arrivedCap(wired.operation.returns?.[returned], slot) } }
  })
