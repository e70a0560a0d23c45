/** ThreadSettings: what a thread runs with, one setting at a time. `TCB_Configure` sets most of them at once. */
import { Effect } from "effect"
import type { AnyCap, Using } from "../types/Capability.ts"
import * as CNodeData from "../types/CNodeData.ts"
import * as TCB from "../types/methods/TCB.ts"
import type { Need, NeedArgument } from "../types/Need.ts"
import { invoke, pointer, pointerOrNull, type Refusal } from "./Invocation.ts"
import type { Syscalls } from "./Syscalls.ts"
import type { Handler } from "./Threads.ts"

type Handling = "write" | "grantReply"

/** Set a thread's priority, 0 to 255, to at most what `authority` may give. */
export const TCB_SetPriority = <C extends AnyCap, A extends AnyCap>(
  tcb: Need<C, "TCB_SetPriority", "TCB", "schedule">,
  authority: Need<A, "TCB_SetPriority", "TCB", "schedule">,
  priority: number
): Effect.Effect<void, Refusal, Syscalls | Using<C, "schedule"> | Using<A, "schedule">> =>
  Effect.asVoid(invoke(TCB.SetPriority, pointer(tcb), { priority, authority: pointer(authority) }))

/** Set the highest priority that a thread can give, to at most what `authority` may give. */
export const TCB_SetMCPriority = <C extends AnyCap, A extends AnyCap>(
  tcb: Need<C, "TCB_SetMCPriority", "TCB", "schedule">,
  authority: Need<A, "TCB_SetMCPriority", "TCB", "schedule">,
  maximum: number
): Effect.Effect<void, Refusal, Syscalls | Using<C, "schedule"> | Using<A, "schedule">> =>
  Effect.asVoid(invoke(TCB.SetMCPriority, pointer(tcb), { mcp: maximum, authority: pointer(authority) }))

/** Both priorities, whose time it runs on, and who hears of its faults; none, where one is left out. */
export interface SchedulingSettings<A, S, H> {
  readonly authority: Need<A, "TCB_SetSchedParams", "TCB", "schedule">
  readonly priority: number
  readonly maximumPriority: number
  readonly schedContext?: Need<S, "TCB_SetSchedParams", "SchedContext", "bind">
  readonly faultHandler?: NeedArgument<H, "TCB_SetSchedParams", Handler>
}

/** Set both priorities of a thread, its scheduling context and its fault handler. */
export const TCB_SetSchedParams = <
  C extends AnyCap,
  A extends AnyCap,
  S extends AnyCap | undefined = undefined,
  H extends AnyCap | undefined = undefined
>(
  tcb: Need<C, "TCB_SetSchedParams", "TCB", "configure" | "schedule">,
  { authority, priority, maximumPriority, schedContext, faultHandler }: SchedulingSettings<A, S, H>
): Effect.Effect<
  void,
  Refusal,
  Syscalls | Using<C, "configure" | "schedule"> | Using<A, "schedule"> | Using<S, "bind"> | Using<H, Handling>
> =>
  Effect.asVoid(
    invoke(TCB.SetSchedParams, pointer(tcb), {
      ...{ priority, mcp: maximumPriority, authority: pointer(authority) },
      ...{ schedContext: pointerOrNull(schedContext), faultHandler: pointerOrNull(faultHandler) }
    })
  )

/** Say who hears that a thread's budget is used up: nobody, if it is left out. */
export const TCB_SetTimeoutEndpoint = <C extends AnyCap, H extends AnyCap | undefined = undefined>(
  tcb: Need<C, "TCB_SetTimeoutEndpoint", "TCB", "configure">,
  timeoutHandler?: NeedArgument<H, "TCB_SetTimeoutEndpoint", Handler>
): Effect.Effect<void, Refusal, Syscalls | Using<C, "configure"> | Using<H, Handling>> =>
  Effect.asVoid(invoke(TCB.SetTimeoutEndpoint, pointer(tcb), { timeoutHandler: pointerOrNull(timeoutHandler) }))

/** Say in which frame a thread's IPC buffer is, and where in its address space that is. */
export const TCB_SetIPCBuffer = <C extends AnyCap, B extends AnyCap>(
  tcb: Need<C, "TCB_SetIPCBuffer", "TCB", "configure">,
  frame: Need<B, "TCB_SetIPCBuffer", "Frame">,
  address: number
): Effect.Effect<void, Refusal, Syscalls | Using<C, "configure"> | Using<B>> =>
  Effect.asVoid(invoke(TCB.SetIPCBuffer, pointer(tcb), { buffer: address, bufferFrame: pointer(frame) }))

/** A thread's spaces, and who hears of its faults: nobody, if it is left out. */
export interface Spaces<N, S, H> {
  readonly cspaceRoot: Need<N, "TCB_SetSpace", "CNode", "take">
  /** The bits of an index in its CNode; all others of a capability pointer are 0. */
  readonly cspaceBits: number
  readonly vspaceRoot: Need<S, "TCB_SetSpace", "AddressSpace", "bind">
  readonly faultHandler?: NeedArgument<H, "TCB_SetSpace", Handler>
}

/** Give a thread another capability space, another address space and another fault handler. */
export const TCB_SetSpace = <
  C extends AnyCap,
  N extends AnyCap,
  S extends AnyCap,
  H extends AnyCap | undefined = undefined
>(
  tcb: Need<C, "TCB_SetSpace", "TCB", "configure">,
  { cspaceRoot, cspaceBits, vspaceRoot, faultHandler }: Spaces<N, S, H>
): Effect.Effect<
  void,
  Refusal,
  Syscalls | Using<C, "configure"> | Using<N, "take"> | Using<S, "bind"> | Using<H, Handling>
> =>
  Effect.asVoid(
    invoke(TCB.SetSpace, pointer(tcb), {
      ...{ cspaceRootData: CNodeData.toBigInt(0n, 64 - cspaceBits), vspaceRootData: 0n },
      ...{ cspaceRoot: pointer(cspaceRoot), vspaceRoot: pointer(vspaceRoot) },
      faultHandler: pointerOrNull(faultHandler)
    })
  )

/** Let signals of a notification reach a thread while it receives from an endpoint, or runs a guest. */
export const TCB_BindNotification = <C extends AnyCap, N extends AnyCap>(
  tcb: Need<C, "TCB_BindNotification", "TCB", "configure">,
  notification: Need<N, "TCB_BindNotification", "Notification", "read">
): Effect.Effect<void, Refusal, Syscalls | Using<C, "configure"> | Using<N, "read">> =>
  Effect.asVoid(invoke(TCB.BindNotification, pointer(tcb), { notification: pointer(notification) }))

export const TCB_UnbindNotification = <C extends AnyCap>(
  tcb: Need<C, "TCB_UnbindNotification", "TCB", "configure">
): Effect.Effect<void, Refusal, Syscalls | Using<C, "configure">> =>
  Effect.asVoid(invoke(TCB.UnbindNotification, pointer(tcb), {}))

/** Set the base of a thread's own data: what compiled programs find their thread-local storage by. */
export const TCB_SetTLSBase = <C extends AnyCap>(
  tcb: Need<C, "TCB_SetTLSBase", "TCB", "writeRegisters">,
  address: bigint
): Effect.Effect<void, Refusal, Syscalls | Using<C, "writeRegisters">> =>
  Effect.asVoid(invoke(TCB.SetTLSBase, pointer(tcb), { tlsBase: address }))

/** Flags of a thread, bit by bit: those of `clear` become 0, then those of `set` 1. @returns all of them. */
export const TCB_SetFlags = <C extends AnyCap>(
  tcb: Need<C, "TCB_SetFlags", "TCB", "configure">,
  { clear = 0n, set = 0n }: { readonly clear?: bigint; readonly set?: bigint }
): Effect.Effect<bigint, Refusal, Syscalls | Using<C, "configure">> =>
  Effect.map(invoke(TCB.SetFlags, pointer(tcb), { clear, set }), ({ flags }) => flags)

/** Which registers to copy. */
export interface Copying {
  /** The instruction pointer, the stack pointer and the flags, and what a system call passes. */
  readonly frame?: boolean
  /** All others. */
  readonly integer?: boolean
}

/** Copy registers from one thread to another. */
export const TCB_CopyRegisters = <C extends AnyCap, S extends AnyCap>(
  tcb: Need<C, "TCB_CopyRegisters", "TCB", "writeRegisters">,
  source: Need<S, "TCB_CopyRegisters", "TCB", "readRegisters">,
  { frame = true, integer = true }: Copying = {}
): Effect.Effect<void, Refusal, Syscalls | Using<C, "writeRegisters"> | Using<S, "readRegisters">> =>
  Effect.asVoid(
    invoke(TCB.CopyRegisters, pointer(tcb), {
      flags: {
        ...{ suspendSource: 0, resumeTarget: 0, archFlags: 0 },
        ...{ transferFrame: Number(frame), transferInteger: Number(integer) }
      },
      source: pointer(source)
    })
  )
