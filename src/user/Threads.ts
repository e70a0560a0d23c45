/** Threads: what they run with, their registers, and when they run. */
import { Effect } from "effect"
import { type UserContext, type UserRegister, userContext } from "../types/Architecture.ts"
import type { AnyCap, KindOf, Using } from "../types/Capability.ts"
import * as CNodeData from "../types/CNodeData.ts"
import * as SchedContext from "../types/methods/SchedContext.ts"
import * as SchedControl from "../types/methods/SchedControl.ts"
import * as TCB from "../types/methods/TCB.ts"
import type { Need, NeedArgument } from "../types/Need.ts"
import { Allocator, type NotMade } from "./Allocator.ts"
import type { Full } from "./BootInfo.ts"
import { invoke, pointer, pointerOrNull, type Refusal } from "./Invocation.ts"
import { create } from "./Memory.ts"
import { done, type Syscalls, withSyscalls } from "./Syscalls.ts"

/** What a fault handler must be. */
export type Handler = (typeof TCB.SetSpace)["caps"]["faultHandler"]

/**
 * A new thread in an address space. What it does that it may not is a message to the fault handler; without one it stops
 * for ever. It has no capabilities and no time before `TCB_Configure` and `SchedControl_Configure`.
 */
export const TCB_Create = <C extends AnyCap, H extends AnyCap | undefined = undefined>(
  space: Need<C, "TCB_Create", "AddressSpace", "bind">,
  faultHandler?: NeedArgument<H, "TCB_Create", Handler>
): Effect.Effect<Full<"TCB">, NotMade, Syscalls | Allocator | Using<C, "bind"> | Using<H, "write" | "grantReply">> =>
  createThread(space, faultHandler)

/** What `TCB_Create` does, given what the compiler has judged. */
export const createThread = Effect.fnUntraced(function* (space: unknown, faultHandler: unknown) {
  const tcb = yield* create("TCB")
  const { nothing } = yield* Allocator
  yield* invoke(TCB.SetSpace, pointer(tcb), {
    cspaceRootData: 0n,
    vspaceRootData: 0n,
    faultHandler: pointerOrNull(faultHandler),
    cspaceRoot: yield* nothing,
    vspaceRoot: pointer(space)
  })
  return tcb
})

/** What a thread runs with. */
export interface Configuration<S, N, B, A> {
  readonly vspaceRoot: Need<S, "TCB_Configure", "AddressSpace", "bind">
  readonly cspaceRoot: Need<N, "TCB_Configure", "CNode", "take">
  /** The bits of an index in its CNode; all others of a capability pointer are 0. */
  readonly cspaceBits: number
  /** A frame, and where in the thread's address space the buffer is in it. */
  readonly ipcBuffer?: { readonly frame: Need<B, "TCB_Configure", "Frame">; readonly address: number }
  /** 0 to 255: the highest runs. */
  readonly priority: number
  /** The highest priority that it can give; none but its own if left out. */
  readonly maximumPriority?: number
  /** A thread that can give this priority. */
  readonly authority: Need<A, "TCB_Configure", "TCB", "schedule">
}

/** Say what a thread runs with. */
export const TCB_Configure = <
  C extends AnyCap,
  S extends AnyCap,
  N extends AnyCap,
  A extends AnyCap,
  B extends AnyCap | undefined = undefined
>(
  tcb: Need<C, "TCB_Configure", "TCB", "configure" | "schedule">,
  { vspaceRoot, cspaceRoot, cspaceBits, ipcBuffer, priority, maximumPriority, authority }: Configuration<S, N, B, A>
): Effect.Effect<
  void,
  Refusal,
  Syscalls | Using<C, "configure" | "schedule"> | Using<S, "bind"> | Using<N, "take"> | Using<A, "schedule"> | Using<B>
> =>
  Effect.gen(function* () {
    const thread = pointer(tcb)
    yield* invoke(TCB.Configure, thread, {
      cspaceRootData: CNodeData.toBigInt(0n, 64 - cspaceBits),
      vspaceRootData: 0n,
      buffer: ipcBuffer?.address ?? 0,
      cspaceRoot: pointer(cspaceRoot),
      vspaceRoot: pointer(vspaceRoot),
      bufferFrame: pointerOrNull(ipcBuffer?.frame)
    })
    const given = { authority: pointer(authority) }
    yield* invoke(TCB.SetPriority, thread, { ...given, priority })
    yield* invoke(TCB.SetMCPriority, thread, { ...given, mcp: maximumPriority ?? priority })
  })

/** Registers by name: 64 bits each. */
export type Registers = UserContext<bigint>

/** Set the registers of a thread that does not run: those not named become 0. */
export const TCB_WriteRegisters = <C extends AnyCap>(
  tcb: Need<C, "TCB_WriteRegisters", "TCB", "writeRegisters">,
  registers: Partial<Registers>
): Effect.Effect<void, Refusal, Syscalls | Using<C, "writeRegisters">> =>
  Effect.asVoid(
    invoke(TCB.WriteRegisters, pointer(tcb), {
      flags: { resumeTarget: 0, archFlags: 0 },
      count: userContext.length,
      rest: Object.fromEntries(userContext.map((name) => [name, registers[name] ?? 0n])) as {
        readonly [R in UserRegister]: bigint
      }
    })
  )

/** The registers of a thread. */
export const TCB_ReadRegisters = <C extends AnyCap>(
  tcb: Need<C, "TCB_ReadRegisters", "TCB", "readRegisters">
): Effect.Effect<Registers, Refusal, Syscalls | Using<C, "readRegisters">> =>
  invoke(TCB.ReadRegisters, pointer(tcb), {
    flags: { suspendSource: 0, archFlags: 0 },
    count: userContext.length
  })

/** Let a thread run. One that waits for something waits no longer. */
export const TCB_Resume = <C extends AnyCap>(
  tcb: Need<C, "TCB_Resume", "TCB", "run">
): Effect.Effect<void, Refusal, Syscalls | Using<C, "run">> => Effect.asVoid(invoke(TCB.Resume, pointer(tcb), {}))

/** Stop a thread until it is resumed. */
export const TCB_Suspend = <C extends AnyCap>(
  tcb: Need<C, "TCB_Suspend", "TCB", "run">
): Effect.Effect<void, Refusal, Syscalls | Using<C, "run">> => Effect.asVoid(invoke(TCB.Suspend, pointer(tcb), {}))

/** How much a thread may run: `budget` microseconds in each `period`. With both the same, equals take turns of that length. */
export interface SchedulingParameters {
  readonly budget: number
  readonly period: number
  /** How many more pieces than two a budget can be used in. */
  readonly extraRefills?: number
  /** What was used comes back a period after it was used, also after the thread has waited: it never has more in any period. */
  readonly sporadic?: boolean
  /** What a handler of timeouts is told. */
  readonly data?: bigint
}

/** Give a scheduling context time, and let a thread run on it. */
export const SchedControl_Configure = <C extends AnyCap, S extends AnyCap, T extends AnyCap>(
  control: Need<C, "SchedControl_Configure", "SchedControl", "configure">,
  schedContext: Need<S, "SchedControl_Configure", "SchedContext", "configure" | "bind">,
  tcb: Need<T, "SchedControl_Configure", "TCB", "schedule">,
  parameters: SchedulingParameters
): Effect.Effect<
  void,
  Refusal,
  Syscalls | Using<C, "configure"> | Using<S, "configure" | "bind"> | Using<T, "schedule">
> =>
  Effect.andThen(
    setBudget(pointer(control), pointer(schedContext), parameters),
    Effect.asVoid(invoke(SchedContext.Bind, pointer(schedContext), { object: pointer(tcb) }))
  )

/** Give a scheduling context time, whoever runs on it: from now on. */
export const SchedControl_SetBudget = <C extends AnyCap, S extends AnyCap>(
  control: Need<C, "SchedControl_SetBudget", "SchedControl", "configure">,
  schedContext: Need<S, "SchedControl_SetBudget", "SchedContext", "configure">,
  parameters: SchedulingParameters
): Effect.Effect<void, Refusal, Syscalls | Using<C, "configure"> | Using<S, "configure">> =>
  setBudget(pointer(control), pointer(schedContext), parameters)

const setBudget = (
  control: bigint,
  schedContext: bigint,
  { budget, period, extraRefills, sporadic, data }: SchedulingParameters
): Effect.Effect<void, Refusal, Syscalls> =>
  Effect.asVoid(
    invoke(SchedControl.ConfigureFlags, control, {
      budget,
      period,
      extraRefills: extraRefills ?? 0,
      badge: data ?? 0n,
      flags: sporadic ? sporadicFlag : 0,
      schedContext
    })
  )

/** Bit 0 of the flags of SchedControl_ConfigureFlags. */
const sporadicFlag = 1

/** Let a thread, or the one that a notification's signal wakes, run on a scheduling context. */
export const SchedContext_Bind = <S extends AnyCap, T extends AnyCap>(
  schedContext: Need<S, "SchedContext_Bind", "SchedContext", "bind">,
  object: NeedArgument<T, "SchedContext_Bind", (typeof SchedContext.Bind)["caps"]["object"]>
): Effect.Effect<void, Refusal, Syscalls | Using<S, "bind"> | Using<T, KindOf<T> extends "TCB" ? "schedule" : never>> =>
  Effect.asVoid(invoke(SchedContext.Bind, pointer(schedContext), { object: pointer(object) }))

/** Take a scheduling context from all who run on it. A thread without one runs only while a caller lends it time. */
export const SchedContext_Unbind = <S extends AnyCap>(
  schedContext: Need<S, "SchedContext_Unbind", "SchedContext", "bind">
): Effect.Effect<void, Refusal, Syscalls | Using<S, "bind">> =>
  Effect.asVoid(invoke(SchedContext.Unbind, pointer(schedContext), {}))

/** Take a scheduling context from one that runs on it, and leave it to the others. */
export const SchedContext_UnbindObject = <S extends AnyCap, T extends AnyCap>(
  schedContext: Need<S, "SchedContext_UnbindObject", "SchedContext", "bind">,
  object: NeedArgument<T, "SchedContext_UnbindObject", (typeof SchedContext.UnbindObject)["caps"]["object"]>
): Effect.Effect<void, Refusal, Syscalls | Using<S, "bind"> | Using<T, KindOf<T> extends "TCB" ? "schedule" : never>> =>
  Effect.asVoid(invoke(SchedContext.UnbindObject, pointer(schedContext), { object: pointer(object) }))

/** Let the thread of a scheduling context run before this one goes on. @returns the microseconds that were used on it. */
export const SchedContext_YieldTo = <S extends AnyCap>(
  schedContext: Need<S, "SchedContext_YieldTo", "SchedContext", "consume">
): Effect.Effect<number, Refusal, Syscalls | Using<S, "consume">> =>
  Effect.map(invoke(SchedContext.YieldTo, pointer(schedContext), {}), ({ consumed }) => consumed)

/** The microseconds used on a scheduling context since this was last asked. */
export const SchedContext_Consumed = <S extends AnyCap>(
  schedContext: Need<S, "SchedContext_Consumed", "SchedContext", "consume">
): Effect.Effect<number, Refusal, Syscalls | Using<S, "consume">> =>
  Effect.map(invoke(SchedContext.Consumed, pointer(schedContext), {}), ({ consumed }) => consumed)

/** What reports call a thread. It is cut to what the kernel keeps of it. */
export const Debug_NameThread = <C extends AnyCap>(
  tcb: Need<C, "Debug_NameThread", "TCB">,
  name: string
): Effect.Effect<void, never, Syscalls | Using<C>> =>
  withSyscalls((syscalls) => {
    const bytes = new Uint8Array(nameBytes)
    // The last byte stays 0, and ends the name.
    new TextEncoder().encodeInto(name, bytes.subarray(0, -1))
    const words = [...new BigUint64Array(bytes.buffer)]
    const capability = pointer(tcb)
    return syscalls.call({ syscall: "DebugNameThread", capability, label: 0, words, caps: [], reply: 0n }, done)
  })

const nameBytes = 64
