/** The methods of a TCB. What a thread is, is in `Tcb`; what is done with it, in `Thread`. */
import { numberOf } from "../types/Kind.ts"
import type { Method } from "../types/Method.ts"
import * as Methods from "../types/methods/TCB.ts"
import { right } from "../types/Rights.ts"
import {
  illegalOperation,
  invalidCapability,
  rangeError,
  type SyscallError,
  truncatedMessage
} from "../types/SyscallError.ts"
import * as Word from "../types/Word.ts"
import * as Capability from "./Capability.ts"
import * as Deletion from "./Deletion.ts"
import * as Derivation from "./Derivation.ts"
import * as Donation from "./Donation.ts"
import { accepts, extraCap, high, type Invocation, kindOf, low, read } from "./Invocation.ts"
import * as Notification from "./Notification.ts"
import { NotificationFields } from "./NotificationFields.ts"
import * as Queue from "./Queue.ts"
import { refuseThread } from "./SchedContext.ts"
import * as Scheduler from "./Scheduler.ts"
import { type Decoded, isRefusal, type Outcome, preempted, type State, type View } from "./State.ts"
import { flagsMask, slotOf, Tcb, tcbSlot } from "./Tcb.ts"
import * as Thread from "./Thread.ts"

export const decode = (view: View, invocation: Invocation): Decoded => {
  const thread = Capability.object(view, invocation.slot)
  switch (invocation.label) {
    case Methods.ReadRegisters.label:
      return readRegisters(view, invocation, thread)
    case Methods.WriteRegisters.label:
      return writeRegisters(view, invocation, thread)
    case Methods.CopyRegisters.label:
      return copyRegisters(view, invocation, thread)
    case Methods.Configure.label:
      return configure(view, invocation, thread)
    case Methods.SetPriority.label:
      return setPriority(view, invocation, thread)
    case Methods.SetMCPriority.label:
      return setMcp(view, invocation, thread)
    case Methods.SetSchedParams.label:
      return setSchedParams(view, invocation, thread)
    case Methods.SetTimeoutEndpoint.label:
      return setTimeoutEndpoint(view, invocation, thread)
    case Methods.SetIPCBuffer.label:
      return setBuffer(view, invocation, thread)
    case Methods.SetSpace.label:
      return setSpace(view, invocation, thread)
    case Methods.Suspend.label:
      return simply(view, invocation, Methods.Suspend, (state) => Thread.suspend(state, thread))
    case Methods.Resume.label:
      return simply(view, invocation, Methods.Resume, (state) => Thread.resume(state, thread))
    case Methods.BindNotification.label:
      return bindNotification(view, invocation, thread)
    case Methods.UnbindNotification.label:
      return Tcb.boundNotification.load(view.memory, thread) === 0
        ? illegalOperation
        : simply(view, invocation, Methods.UnbindNotification, (state) => Notification.unbind(state, thread))
    case Methods.SetTLSBase.label:
      return setTlsBase(view, invocation, thread)
    case Methods.SetFlags.label:
      return setFlags(view, invocation, thread)
    default:
      return view.architecture.decode(view, invocation)
  }
}

const simply = (view: View, invocation: Invocation, method: Method, perform: (state: State) => void): Decoded => {
  const args = read(view, invocation, method)
  return isRefusal(args) ? args : done(perform)
}

const done =
  (perform: (state: State) => void): ((state: State) => Outcome) =>
  (state) => {
    perform(state)
    return undefined
  }

// —— Registers

/** Those of Read and WriteRegisters, in their order. */
const userRegisters = ({ architecture }: View): ReadonlyArray<number> => [
  ...architecture.frameRegisters,
  ...architecture.integerRegisters
]

const mayRun = (view: View, slot: number): boolean => Capability.allows(view, slot, right.TCB.run)

const readRegisters = (view: View, invocation: Invocation, thread: number): Decoded => {
  const args = read(view, invocation, Methods.ReadRegisters)
  if (isRefusal(args)) return args
  const registers = userRegisters(view)
  if (args.count < 1 || args.count > registers.length) return rangeError(1, registers.length)
  const suspends = args.flags.suspendSource !== 0
  if (thread === invocation.caller || (suspends && !mayRun(view, invocation.slot))) return illegalOperation
  return (state) => {
    if (suspends) Thread.suspend(state, thread)
    const { architecture } = state
    return registers.slice(0, args.count).map((register) => ({
      lo: architecture.registerLow(state, thread, register),
      hi: architecture.registerHigh(state, thread, register)
    }))
  }
}

const writeRegisters = (view: View, invocation: Invocation, thread: number): Decoded => {
  const args = read(view, invocation, Methods.WriteRegisters)
  if (isRefusal(args)) return args
  const { length } = Methods.WriteRegisters
  if (invocation.length - length < args.count) return truncatedMessage
  const resumes = args.flags.resumeTarget !== 0
  if (thread === invocation.caller || (resumes && !mayRun(view, invocation.slot))) return illegalOperation
  return (state) => {
    for (const [index, register] of userRegisters(state).slice(0, args.count).entries()) {
      const at = length + index
      state.architecture.setUserRegister(
        state,
        thread,
        register,
        low(state, invocation, at),
        high(state, invocation, at)
      )
    }
    state.architecture.resumeAtRestart(state, thread)
    state.architecture.registersChanged(state, thread)
    if (resumes) Thread.resume(state, thread)
    return undefined
  }
}

const copyRegisters = (view: View, invocation: Invocation, thread: number): Decoded => {
  const args = read(view, invocation, Methods.CopyRegisters)
  if (isRefusal(args)) return args
  const slot = extraCap(view, invocation, Methods.CopyRegisters, 0)
  if (isRefusal(slot)) return slot
  const { suspendSource, resumeTarget, transferFrame, transferInteger } = args.flags
  if (suspendSource !== 0 && !mayRun(view, slot)) return invalidCapability(1)
  if (resumeTarget !== 0 && !mayRun(view, invocation.slot)) return illegalOperation
  const source = Capability.object(view, slot)
  return done((state) => {
    const { architecture } = state
    if (suspendSource !== 0) Thread.suspend(state, source)
    if (resumeTarget !== 0) Thread.resume(state, thread)
    if (transferFrame !== 0) {
      copyEach(state, source, thread, architecture.frameRegisters)
      architecture.resumeAtRestart(state, thread)
    }
    if (transferInteger !== 0) copyEach(state, source, thread, architecture.integerRegisters)
    architecture.registersChanged(state, thread)
    if (thread === Scheduler.currentThread(state)) Scheduler.reschedule(state)
  })
}

const copyEach = (state: State, from: number, to: number, registers: ReadonlyArray<number>): void => {
  const { architecture } = state
  for (const register of registers)
    architecture.setRegister(
      state,
      to,
      register,
      architecture.registerLow(state, from, register),
      architecture.registerHigh(state, from, register)
    )
}

const setTlsBase = (view: View, invocation: Invocation, thread: number): Decoded => {
  const args = read(view, invocation, Methods.SetTLSBase)
  if (isRefusal(args)) return args
  return done((state) => {
    const { architecture } = state
    architecture.setUserRegister(state, thread, architecture.tlsBase, args.tlsBase.lo, args.tlsBase.hi)
    if (thread === Scheduler.currentThread(state)) Scheduler.reschedule(state)
  })
}

const setFlags = (view: View, invocation: Invocation, thread: number): Decoded => {
  const args = read(view, invocation, Methods.SetFlags)
  if (isRefusal(args)) return args
  return (state) => {
    const flags = ((Tcb.flags.load(state.memory, thread) & ~args.clear.lo) | args.set.lo) & flagsMask
    Tcb.flags.store(state.memory, thread, flags)
    state.architecture.flagsChanged(state, thread)
    return [Word.fromNumber(flags)]
  }
}

// —— Priorities

/** An authority gives no priority above its own maximum controlled priority. */
const refusePriority = (view: View, authority: number, ...given: ReadonlyArray<number>): SyscallError | undefined => {
  const most = Tcb.mcp.load(view.memory, Capability.object(view, authority))
  return given.some((priority) => priority > most) ? rangeError(0, most) : undefined
}

const setPriority = (view: View, invocation: Invocation, thread: number): Decoded => {
  const args = read(view, invocation, Methods.SetPriority)
  if (isRefusal(args)) return args
  const authority = extraCap(view, invocation, Methods.SetPriority, 0)
  if (isRefusal(authority)) return authority
  return (
    refusePriority(view, authority, args.priority) ?? done((state) => Thread.setPriority(state, thread, args.priority))
  )
}

const setMcp = (view: View, invocation: Invocation, thread: number): Decoded => {
  const args = read(view, invocation, Methods.SetMCPriority)
  if (isRefusal(args)) return args
  const authority = extraCap(view, invocation, Methods.SetMCPriority, 0)
  if (isRefusal(authority)) return authority
  return refusePriority(view, authority, args.mcp) ?? done((state) => Tcb.mcp.store(state.memory, thread, args.mcp))
}

const setSchedParams = (view: View, invocation: Invocation, thread: number): Decoded => {
  const method = Methods.SetSchedParams
  const args = read(view, invocation, method)
  if (isRefusal(args)) return args
  const authority = extraCap(view, invocation, method, 0)
  if (isRefusal(authority)) return authority
  const refused = refusePriority(view, authority, args.mcp, args.priority)
  if (refused !== undefined) return refused
  const contextSlot = extraCap(view, invocation, method, 1)
  if (isRefusal(contextSlot)) return contextSlot
  const context = Capability.isEmpty(view, contextSlot) ? 0 : Capability.object(view, contextSlot)
  // A thread that runs cannot lose what it runs on.
  const refusal =
    context !== 0 ? refuseThread(view, context, thread) : thread === invocation.caller ? illegalOperation : undefined
  if (refusal !== undefined) return refusal
  const handler = extraCap(view, invocation, method, 2)
  if (isRefusal(handler)) return handler
  const install = installing(view, invocation, thread, tcbSlot.faultHandler, handler, Capability.read(view, handler))
  return (state) => {
    if (install(state) === preempted) return preempted
    Tcb.mcp.store(state.memory, thread, args.mcp)
    Thread.setPriority(state, thread, args.priority)
    const old = Tcb.schedContext.load(state.memory, thread)
    if (context !== 0) Donation.bindThread(state, context, thread)
    else if (old !== 0) Donation.unbindThread(state, old)
    return undefined
  }
}

// —— What is in its slots

const setTimeoutEndpoint = (view: View, invocation: Invocation, thread: number): Decoded => {
  const args = read(view, invocation, Methods.SetTimeoutEndpoint)
  if (isRefusal(args)) return args
  const handler = extraCap(view, invocation, Methods.SetTimeoutEndpoint, 0)
  if (isRefusal(handler)) return handler
  return installing(view, invocation, thread, tcbSlot.timeoutHandler, handler, Capability.read(view, handler))
}

const setBuffer = (view: View, invocation: Invocation, thread: number): Decoded => {
  const args = read(view, invocation, Methods.SetIPCBuffer)
  if (isRefusal(args)) return args
  return installingBuffer(view, invocation, Methods.SetIPCBuffer, 0, thread, args.buffer)
}

const configure = (view: View, invocation: Invocation, thread: number): Decoded => {
  const args = read(view, invocation, Methods.Configure)
  if (isRefusal(args)) return args
  const buffer = installingBuffer(view, invocation, Methods.Configure, 2, thread, args.buffer)
  if (isRefusal(buffer)) return buffer
  const { cspaceRootData, vspaceRootData } = args
  const spaces = installingSpaces(view, invocation, Methods.Configure, 0, thread, cspaceRootData, vspaceRootData)
  if (isRefusal(spaces)) return spaces
  return (state) => (spaces(state) === preempted ? preempted : buffer(state))
}

const setSpace = (view: View, invocation: Invocation, thread: number): Decoded => {
  const args = read(view, invocation, Methods.SetSpace)
  if (isRefusal(args)) return args
  const { cspaceRootData, vspaceRootData } = args
  const spaces = installingSpaces(view, invocation, Methods.SetSpace, 1, thread, cspaceRootData, vspaceRootData)
  if (isRefusal(spaces)) return spaces
  const slot = extraCap(view, invocation, Methods.SetSpace, 0)
  if (isRefusal(slot)) return slot
  const handler = installing(view, invocation, thread, tcbSlot.faultHandler, slot, Capability.read(view, slot))
  return (state) => (handler(state) === preempted ? preempted : spaces(state))
}

type Perform = (state: State) => Outcome

/** The roots of its capability space and its address space, which come as extra capabilities `first` and the next. */
const installingSpaces = (
  view: View,
  invocation: Invocation,
  method: Method,
  first: number,
  thread: number,
  cspaceData: Word.Word,
  vspaceData: Word.Word
): Perform | SyscallError => {
  const old = [tcbSlot.cspace, tcbSlot.addressSpace].map((slot) => slotOf(thread, slot))
  if (old.some((slot) => Deletion.isLong(view, slot))) return illegalOperation
  const [cspace, vspace] = [invocation.extraCaps[first]!, invocation.extraCaps[first + 1]!]

  const cspaceCap = Derivation.derive(view, cspace, rootCap(view, cspace, cspaceData))
  if (isRefusal(cspaceCap)) return cspaceCap
  if (Capability.kindOf(cspaceCap) !== numberOf.CNode) return illegalOperation
  if (!accepts(view, method, first, cspace)) return invalidCapability(first + 1)

  const vspaceCap = Derivation.derive(view, vspace, rootCap(view, vspace, vspaceData))
  if (isRefusal(vspaceCap)) return vspaceCap
  if (kindOf(view, vspace) !== "AddressSpace" || !view.architecture.isAddressSpace(view, vspace))
    return illegalOperation
  if (!accepts(view, method, first + 1, vspace)) return invalidCapability(first + 2)

  const installCspace = installing(view, invocation, thread, tcbSlot.cspace, cspace, cspaceCap)
  const installVspace = installing(view, invocation, thread, tcbSlot.addressSpace, vspace, vspaceCap)
  return (state) => (installCspace(state) === preempted ? preempted : installVspace(state))
}

/** Data of 0 leaves the capability as it is. */
const rootCap = (view: View, slot: number, { lo, hi }: Word.Word): Capability.Capability => {
  const cap = Capability.read(view, slot)
  return lo === 0 && hi === 0 ? cap : Capability.update(view, cap, lo, hi, false)
}

/** Its IPC buffer, whose memory is extra capability `index`. At address 0 it has none. */
const installingBuffer = (
  view: View,
  invocation: Invocation,
  method: Method,
  index: number,
  thread: number,
  address: Word.Word
): Perform | SyscallError => {
  const source = invocation.extraCaps[index]!
  let cap = Capability.none
  if (address.lo !== 0 || address.hi !== 0) {
    const derived = Derivation.derive(view, source, Capability.read(view, source))
    if (isRefusal(derived)) return derived
    if (kindOf(view, source) !== "Frame") return illegalOperation
    if (!accepts(view, method, index, source)) return invalidCapability(index + 1)
    const refused = view.architecture.refuseBuffer(view, source, address)
    if (refused !== undefined) return refused
    cap = derived
  }
  const install = installing(view, invocation, thread, tcbSlot.buffer, source, cap)
  return (state) => {
    if (install(state) === preempted) return preempted
    Tcb.buffer.store(state.memory, thread, address.lo, address.hi)
    if (thread === Scheduler.currentThread(state)) Scheduler.reschedule(state)
    return undefined
  }
}

/**
 * One of the thread's slots gets a capability, derived from what is in `source`; none empties it. Emptying it first may
 * delete anything, the capability itself and the thread among it: then nothing is put there.
 */
export const installing = (
  view: View,
  invocation: Invocation,
  thread: number,
  index: (typeof tcbSlot)[keyof typeof tcbSlot],
  source: number,
  cap: Capability.Capability
): Perform => {
  const slot = slotOf(thread, index)
  const target = Capability.read(view, invocation.slot)
  return (state) => {
    if (Deletion.remove(state, slot) === preempted) return preempted
    const stands =
      Capability.kindOf(cap) !== Capability.nullKind &&
      Capability.isSame(cap, Capability.read(state, source)) &&
      Capability.isSame(target, Capability.read(state, invocation.slot))
    if (stands) Derivation.insert(state, source, slot, cap)
    return undefined
  }
}

// —— Notifications

const bindNotification = (view: View, invocation: Invocation, thread: number): Decoded => {
  const args = read(view, invocation, Methods.BindNotification)
  if (isRefusal(args)) return args
  const slot = invocation.extraCaps[0]!
  if (Tcb.boundNotification.load(view.memory, thread) !== 0) return illegalOperation
  if (!accepts(view, Methods.BindNotification, 0, slot)) return illegalOperation
  const notification = Capability.object(view, slot)
  const isTaken =
    Queue.first(view, notification) !== 0 || NotificationFields.boundThread.load(view.memory, notification) !== 0
  return isTaken ? illegalOperation : done((state) => Notification.bind(state, notification, thread))
}
