/**
 * Deletion: how capabilities go, and with the last one to it an object.
 *
 * seL4 manual, "CNode Operations": deleting the last capability to a CNode or a TCB deletes those in its slots. While
 * that lasts the capability is a *zombie*, which says how many slots are left: nobody can use it, and deletion can stop
 * and go on.
 *
 * Deletion goes no deeper than one object. If a dying object's slot holds the last capability to a further one, its
 * zombie goes to the first slot of that: there nobody finds it but who revokes the memory it was made of.
 */
import { Halt } from "../hal/Gates.ts"
import { numberOf } from "../types/Kind.ts"
import * as Capability from "./Capability.ts"
import * as Derivation from "./Derivation.ts"
import * as Donation from "./Donation.ts"
import * as Endpoint from "./Endpoint.ts"
import { interruptSlot } from "./KernelData.ts"
import * as Notification from "./Notification.ts"
import { SchedContextFields } from "./Refill.ts"
import * as Reply from "./Reply.ts"
import { type Outcome, preempted, type State, type View } from "./State.ts"
import { Tcb, ThreadState, tcbSlots } from "./Tcb.ts"
import * as Thread from "./Thread.ts"

/** Empty a slot. */
export const remove = (state: State, slot: number): Outcome => removeFrom(state, slot, "exposed")

/** Empty every slot whose capability was derived from that in this one. */
export const revoke = (state: State, slot: number): Outcome => {
  for (
    let child = Derivation.firstDescendant(state, slot);
    child !== 0;
    child = Derivation.firstDescendant(state, slot)
  ) {
    if (remove(state, child) === preempted || state.time.interruptPending()) return preempted
  }
  return undefined
}

/** Empty a slot whose capability is none to a CNode or a TCB: that cannot stop. */
export const removeAtOnce = (state: State, slot: number): void => {
  if (Capability.isEmpty(state, slot)) return
  if (finalise(state, slot, Derivation.isFinal(state, slot)) !== "gone")
    throw new Halt("a capability without slots of its own goes at once")
  Derivation.remove(state, slot)
}

/** Deleting the capability may take long. */
export const isLong = (view: View, slot: number): boolean => {
  const kind = Capability.kind(view, slot)
  if (kind !== numberOf.CNode && kind !== numberOf.TCB && kind !== Capability.zombieKind) return false
  return Derivation.isFinal(view, slot)
}

/** Programs may reach the slot, or it is one of an object that dies. */
type Whose = "exposed" | "dying"

const removeFrom = (state: State, slot: number, whose: Whose): Outcome => {
  const ended = finaliseSlot(state, slot, whose)
  if (ended === preempted) return preempted
  if ((whose === "exposed" || ended === "removable") && !Capability.isEmpty(state, slot)) Derivation.remove(state, slot)
  return undefined
}

/**
 * Until the capability can be taken out of the slot. A zombie that leads to its own slot stays, if the slot is a dying
 * object's.
 */
const finaliseSlot = (state: State, slot: number, whose: Whose): "removable" | "cyclic" | typeof preempted => {
  while (!Capability.isEmpty(state, slot)) {
    if (finalise(state, slot, Derivation.isFinal(state, slot)) === "gone") return "removable"
    const zombie = Capability.read(state, slot)
    const [first, left] = [Capability.objectOf(zombie), zombie.lo]
    if (left === 0 || (left === 1 && first === slot)) return "removable"
    if (whose === "dying" && first === slot) return "cyclic"
    if (whose === "exposed") {
      if (reduce(state, slot, first, left) === preempted) return preempted
    } else setAside(state, slot, first)
    if (state.time.interruptPending()) return preempted
  }
  return "removable"
}

/** The zombie's last slot is emptied: it has one less. */
const reduce = (state: State, slot: number, first: number, left: number): Outcome => {
  const last = first + 32 * (left - 1)
  if (removeFrom(state, last, "dying") === preempted) return preempted
  const zombie = Capability.read(state, slot)
  if (Capability.kindOf(zombie) === Capability.nullKind) return undefined
  if (Capability.kindOf(zombie) !== Capability.zombieKind) throw new Halt("what is being deleted stays a zombie")
  if (Capability.objectOf(zombie) === first && zombie.lo === left) {
    if (!Capability.isEmpty(state, last)) throw new Halt("a slot that was deleted is empty")
    Capability.write(state, slot, Capability.withData(zombie, left - 1, zombie.hi))
  }
  return undefined
}

/** A zombie in a dying object's slot goes to the first slot of its own object, and what is there comes here. */
const setAside = (state: State, slot: number, first: number): void => {
  if (first === slot) throw new Halt("a zombie that leads to its own slot stays")
  Derivation.swap(state, first, Capability.read(state, first), slot, Capability.read(state, slot))
}

/**
 * The capability's object, if this is the last one to it, forgets all others. `zombie`: it is left to empty its slots.
 */
const finalise = (state: State, slot: number, final: boolean): "gone" | "zombie" => {
  const kind = Capability.kind(state, slot)
  if (kind === Capability.zombieKind) return "zombie"
  if (Capability.isArchitectures(kind)) state.architecture.finalise(state, slot, final)
  else if (final) return finaliseObject(state, slot, kind, Capability.object(state, slot))
  return "gone"
}

const finaliseObject = (state: State, slot: number, kind: number, object: number): "gone" | "zombie" => {
  const { memory } = state
  switch (kind) {
    case numberOf.Endpoint:
      Endpoint.cancelAll(state, object)
      break
    case numberOf.Notification:
      Notification.finalise(state, object)
      break
    case numberOf.Reply:
      finaliseReply(state, object)
      break
    case numberOf.SchedContext:
      Donation.unbindThread(state, object)
      Donation.unbindNotification(state, object)
      Reply.forget(state, object)
      Donation.completeYield(state, SchedContextFields.yieldFrom.load(memory, object))
      SchedContextFields.refillMax.store(memory, object, 0)
      break
    case numberOf.CNode: {
      const slots = 2 ** Capability.radix(state, slot)
      Capability.write(state, slot, Capability.make(Capability.zombieKind, 0, object, slots))
      return "zombie"
    }
    case numberOf.TCB:
      finaliseThread(state, object)
      Capability.write(state, slot, Capability.make(Capability.zombieKind, 0, object, tcbSlots))
      return "zombie"
    case numberOf.IRQHandler: {
      const interrupt = Capability.read(state, slot).lo
      removeAtOnce(state, interruptSlot(state.data, interrupt))
      state.architecture.maskInterrupt(state, interrupt, true)
      break
    }
  }
  return "gone"
}

const finaliseThread = (state: State, thread: number): void => {
  const context = Tcb.schedContext.load(state.memory, thread)
  Notification.unbind(state, thread)
  if (context !== 0) {
    Donation.completeYield(state, SchedContextFields.yieldFrom.load(state.memory, context))
    Donation.unbindThread(state, context)
  }
  Thread.suspend(state, thread)
  state.architecture.forget(state, thread)
}

const finaliseReply = (state: State, reply: number): void => {
  const thread = Reply.Fields.thread.load(state.memory, reply)
  if (thread === 0) return
  switch (Tcb.state.load(state.memory, thread)) {
    case ThreadState.blockedOnReply:
      Reply.remove(state, reply)
      break
    case ThreadState.blockedOnReceive:
      Thread.cancelIpc(state, thread)
      break
    default:
      throw new Halt("whose reply object it is, waits")
  }
}
