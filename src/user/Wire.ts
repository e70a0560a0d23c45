/**
 * Wire: how what is said in a protocol looks as messages.
 *
 * A request's label is the place of its operation among the protocol's, from 0. An answer's label is one of `labels`: they are beyond
 * those of the kernel's refusals, so that an answer is never taken for one.
 */
import { type AnyCap, capUnsafe, endpointUnsafe } from "../types/Capability.ts"
import type { Kind, RightOf } from "../types/Kind.ts"
import type { CapOf, EndpointOf, Operation, Protocol } from "../types/Protocol.ts"
import * as Codec from "./Codec.ts"
import { pointer } from "./Invocation.ts"

/** The label of an answer. */
export const labels = { reply: 0, error: 16, notUnderstood: 17, tooLong: 18 } as const

/** One of the two did not understand the other: they speak different protocols. */
export interface NotUnderstood {
  readonly _tag: "NotUnderstood"
  readonly operation: string
}

/** What was to be sent does not fit a message: it takes so many words. */
export interface MessageTooLong {
  readonly _tag: "MessageTooLong"
  readonly words: number
}

/** An operation, ready to be sent and read. */
export interface WiredOperation {
  readonly name: string
  readonly label: number
  readonly request: Codec.Codec<unknown>
  readonly reply: Codec.Codec<unknown>
  readonly error: Codec.Codec<unknown> | undefined
  /** The capabilities that go with a request and with its reply: a message carries one to where it is received. */
  readonly sends: ReadonlyArray<string>
  readonly returns: ReadonlyArray<string>
  readonly operation: Operation
}

const wired = new WeakMap<Protocol, ReadonlyArray<WiredOperation>>()

/** The operations of a protocol, by label. */
export const operationsOf = (protocol: Protocol): ReadonlyArray<WiredOperation> => {
  const known = wired.get(protocol)
  if (known !== undefined) return known
  const operations = Object.entries(protocol.operations).map(([name, operation], label) => wire(name, label, operation))
  wired.set(protocol, operations)
  return operations
}

const wire = (name: string, label: number, operation: Operation): WiredOperation => {
  const [sends, returns] = [Object.keys(operation.sends ?? {}), Object.keys(operation.returns ?? {})]
  if (sends.length > 1 || returns.length > 1)
    throw new Error(`'${name}' gives more than the one capability that a message carries`)
  return {
    name,
    label,
    request: Codec.make(operation.request),
    reply: Codec.make(operation.reply),
    error: operation.error && Codec.make(operation.error),
    sends,
    returns,
    operation
  }
}

/** A capability that came in a message: of the kind, and with the rights, that the protocol says its sender gave it. */
export const arrivedCap = (field: CapOf | undefined, slot: bigint): AnyCap => {
  if (field === undefined) throw new Error("a capability came that the protocol does not know of")
  return "speaks" in field
    ? endpointUnsafe(slot, (field as EndpointOf).speaks)
    : capUnsafe<Kind, RightOf<Kind>>(field.kind, slot)
}

/** The pointers of the capabilities that go with a message, of those given by name. */
export const capsNamed = (names: ReadonlyArray<string>, caps: unknown): ReadonlyArray<bigint> =>
  names.length === 0
    ? none
    : names.map((name) => pointer(typeof caps === "object" && caps !== null ? Reflect.get(caps, name) : undefined))

const none: ReadonlyArray<bigint> = []
