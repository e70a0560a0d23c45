/** Debug: what helps whoever develops a program, and gives no authority. */
import { type Effect, Exit } from "effect"
import { type AnyCap, cptrOf } from "../types/Capability.ts"
import { type Kind, ofNumber } from "../types/Kind.ts"
import { type Syscalls, withSyscalls } from "./Syscalls.ts"

/**
 * What the kernel has where a capability is, or was: its kind, or nothing if it was moved, deleted or revoked. To ask is no use of
 * it, and may be done with one that was given up.
 */
export const Debug_CapIdentify = (cap: AnyCap): Effect.Effect<Kind | undefined, never, Syscalls> =>
  withSyscalls((syscalls) => {
    const message = { label: 0, words: [], caps: [], reply: 0n }
    return syscalls.call({ syscall: "DebugCapIdentify", capability: cptrOf(cap), ...message }, ({ badge }) =>
      Exit.succeed(ofNumber(Number(badge)))
    )
  })
