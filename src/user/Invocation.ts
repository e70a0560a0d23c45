/** Invocation: calling a method of an object, as its description says, and hearing whether the kernel refused. */
import { type Effect, Exit } from "effect"
import { type AnyCap, cptrOf, isCap, isSpent } from "../types/Capability.ts"
import { encode, type Given, type Method, type Results, results } from "../types/Method.ts"
import * as SyscallError from "../types/SyscallError.ts"
import { type Arrived, type Syscalls, withSyscalls } from "./Syscalls.ts"

/** Why the kernel refused a call, and which. */
export type Refusal = SyscallError.SyscallError<bigint> & { readonly call: string }

/**
 * What a typed call was given, which the compiler says is a capability that is still held.
 *
 * @throws if it is none, or was given up, where the compiler could not see that.
 */
export const held = (cap: unknown): AnyCap => {
  if (!isCap(cap)) throw new Error("a typed call was given something that is no capability")
  if (isSpent(cap)) throw new Error("a typed call was given a capability that was moved, deleted or revoked")
  return cap
}

/** Its capability pointer. */
export const pointer = (cap: unknown): bigint => cptrOf(held(cap))

/** The capability pointer of one that may be left out: 0 is none. */
export const pointerOrNull = (cap: unknown): bigint => (cap === undefined ? 0n : pointer(cap))

/** Call a method of the object at `target`. */
export const invoke = <M extends Method>(
  method: M,
  target: bigint,
  given: Given<M>
): Effect.Effect<Results<M>, Refusal, Syscalls> =>
  withSyscalls((syscalls) =>
    syscalls.call({ syscall: "Call", capability: target, reply: 0n, ...encode(method, given) }, (arrived) =>
      arrived.label === 0 ? Exit.succeed(results(method, arrived.words)) : Exit.fail(refusal(method.name, arrived))
    )
  )

const refusals = new Set<number>(Object.values(SyscallError.labels))

/** Whether a reply with this label is a refusal. */
export const isRefusal = (label: number): boolean => label !== 0 && refusals.has(label)

/** The refusal that a reply is. */
export const refusal = (call: string, { label, words }: Pick<Arrived, "label" | "words">): Refusal => {
  const error = SyscallError.fromWords(label, words)
  if (error === undefined) throw new Error(`a kernel answers a call with one of its errors: label ${label}`)
  return { ...error, call }
}
