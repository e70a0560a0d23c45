/**
 * Guest: a thread that runs its virtual processor, from the system call by which it begins to the exit that ends it.
 *
 * The call takes three words: where the guest goes on, its primary controls, and the event that it is to begin with; and
 * the guest's general registers behind them, if the message has as many words.
 * While it runs, the thread's registers always say how the call would be made again: so the thread can be stopped,
 * moved and resumed at any time like every other. The call ends when the guest does something that its monitor must
 * know of: then the thread has the words of `VmEnter.exit`; or when the thread's bound notification is signalled.
 * Interrupts end the guest's turn, not the call.
 *
 * Whatever the control structure says, the thread gets an answer: a VM entry that fails is an exit like the others (SDM
 * vol. 3C, "VM Entries").
 */
import { Charge } from "../../hal/Charge.ts"
import { Halt } from "../../hal/Gates.ts"
import { numberOf } from "../../types/Kind.ts"
import * as MessageInfo from "../../types/MessageInfo.ts"
import * as SyscallError from "../../types/SyscallError.ts"
import { ExitReason } from "../../types/x86_64/ExitReason.ts"
import * as ThreadMethods from "../../types/x86_64/methods/TCB.ts"
import { general } from "../../types/x86_64/Registers.ts"
import { SystemRegister } from "../../types/x86_64/SystemRegister.ts"
import { VmcsField } from "../../types/x86_64/VmcsField.ts"
import * as VmEnter from "../../types/x86_64/VmEnter.ts"
import { InterruptionType } from "../../types/x86_64/VmxControls.ts"
import * as Capability from "../Capability.ts"
import * as Derivation from "../Derivation.ts"
import { extraCap, type Invocation, read } from "../Invocation.ts"
import * as Message from "../Message.ts"
import * as Notification from "../Notification.ts"
import * as Scheduler from "../Scheduler.ts"
import { type Decoded, isRefusal, type State, type View } from "../State.ts"
import { slotOf, Tcb, ThreadState, tcbSlot } from "../Tcb.ts"
import { installing } from "../ThreadMethods.ts"
import * as Asid from "./Asid.ts"
import * as Fpu from "./Fpu.ts"
import { Size } from "./Image.ts"
import { type Machine, virtualizationOf } from "./Machine.ts"
import * as Mapping from "./Mapping.ts"
import type { Contexts } from "./ThreadContext.ts"
import * as Vcpu from "./Vcpu.ts"
import { injected, primary as primaryControls } from "./VmcsAccess.ts"

/** Methods of a thread that are this architecture's. */
export const decodeThread = (view: View, { virtualization }: Machine, invocation: Invocation): Decoded => {
  const method = ThreadMethods.SetEPTRoot
  if (invocation.label !== method.label || virtualization === undefined) return SyscallError.illegalOperation
  const args = read(view, invocation, method)
  if (isRefusal(args)) return args
  const slot = extraCap(view, invocation, method, 0)
  if (isRefusal(slot)) return slot
  const cap = Derivation.derive(view, slot, Capability.read(view, slot))
  if (isRefusal(cap)) return cap
  const thread = Capability.object(view, invocation.slot)
  return installing(view, invocation, thread, tcbSlot.architecture, slot, cap)
}

/** The root of the memory of the guest that a thread runs; 0 if it has none. */
const rootOf = (view: View, machine: Machine, thread: number): number => {
  const slot = slotOf(thread, tcbSlot.architecture)
  if (Capability.kind(view, slot) !== numberOf.EPTPML4) return 0
  const root = Asid.find(view, machine, Mapping.By.guest, Mapping.asid(Mapping.dataLow(view.memory, slot)))
  return root === Capability.object(view, slot) ? root : 0
}

/** The thread runs its virtual processor. False: it has none. */
export const enter = (state: State, machine: Machine, thread: number): boolean => {
  const { architecture, memory } = state
  const vcpu = Vcpu.ofThread(memory, thread)
  if (vcpu === 0) return false
  const [rip, primary, event] = architecture.convention.message
  takeRegisters(state, thread, vcpu)
  const low = (register: number | undefined) => architecture.registerLow(state, thread, register!)
  Vcpu.makeCurrent(state, machine, vcpu)
  Vcpu.setField(machine, VmcsField.GUEST_RIP, low(rip), architecture.registerHigh(state, thread, rip!))
  const controls = primaryControls(virtualizationOf(machine).controls, low(primary), Vcpu.pagesOf(state, vcpu))
  Vcpu.setField(machine, VmcsField.PRIMARY_CONTROLS, controls)
  Vcpu.setField(machine, VmcsField.ENTRY_INTERRUPTION_INFORMATION, low(event) & injected)

  const notification = Tcb.boundNotification.load(memory, thread)
  if (notification !== 0 && Notification.isActive(state, notification)) {
    Notification.complete(state, notification, thread)
    Message.setInfo(state, thread, VmEnter.result.notification, 0, 0, 0)
  } else Scheduler.setState(state, thread, ThreadState.runsGuest)
  return true
}

/** The guest's general registers are those of the message, if it has them. Made again, the call does not say them again. */
const takeRegisters = (state: State, thread: number, vcpu: number): void => {
  const { architecture, memory } = state
  if (
    MessageInfo.length(architecture.registerLow(state, thread, architecture.convention.info)) <
    VmEnter.callWithRegisters
  )
    return
  const buffer = architecture.buffer(state, thread, "read")
  if (buffer === 0) return
  Message.setInfo(state, thread, 0, 0, 0, 0)
  memory.loadWords(vcpu + Vcpu.generalAt, registers, 0, registers.length)
  for (let n = 0; n < VmEnter.registers.length; n++) {
    const index = VmEnter.call.length + n
    const to = 2 * general[VmEnter.registers[n]!]
    registers[to] = Message.wordLow(state, thread, buffer, index)
    registers[to + 1] = Message.wordHigh(state, thread, buffer, index)
  }
  memory.storeWords(vcpu + Vcpu.generalAt, registers, 0, registers.length)
  state.charge(Charge.messageWord * VmEnter.registers.length)
}

/** Of a guest on its way, by their numbers. Nothing is in it between two calls. */
const registers = new Int32Array(2 * 16)

/** When the kernel is left, the processor runs the thread's guest. */
export const run = (state: State, machine: Machine, contexts: Contexts, thread: number): void => {
  const vcpu = Vcpu.ofThread(state.memory, thread)
  if (vcpu === 0) throw new Halt("who runs a guest has a virtual processor")
  Vcpu.makeCurrent(state, machine, vcpu)
  Vcpu.setGuestRoot(state, machine, vcpu, rootOf(state, machine, thread))
  Vcpu.setReturnSpace(state, machine, vcpu)
  Vcpu.loadRegisters(state, machine, vcpu)
  contexts.runGuest(vcpu + Vcpu.generalAt, Vcpu.Fields.launched.load(state.memory, vcpu) !== 0)
}

/**
 * The guest of the running thread has had an exit. The answer is the vector of the interrupt that it was for, which is
 * taken; -1 if the thread has come back from the guest.
 */
export const exited = (state: State, machine: Machine, contexts: Contexts, thread: number): number => {
  const { processor } = machine
  const virtualization = virtualizationOf(machine)
  const vcpu = Vcpu.ofThread(state.memory, thread)
  contexts.saveGuest(vcpu + Vcpu.generalAt)
  // "The GDTR and IDTR limits are set to FFFFH": behind the kernel's GDT lies what is no descriptor.
  processor.setSystem(SystemRegister.GDTR_LIMIT, Size.gdt - 1, 0)
  Fpu.isUnavailable(state, machine)
  Vcpu.saveAtExit(state, machine, vcpu)
  state.charge(Charge.guest)

  const reason = virtualization.fieldLow(VmcsField.EXIT_REASON)
  // Bit 31: the entry failed, and the guest has not run.
  const hasRun = reason >= 0
  if (hasRun) Vcpu.Fields.launched.store(state.memory, vcpu, 1)
  const interruption = virtualization.fieldLow(VmcsField.EXIT_INTERRUPTION_INFORMATION)
  if (hasRun && reason === ExitReason.EXTERNAL_INTERRUPT) {
    sayAgain(state, machine, thread)
    return interruption & 0xff
  }
  if (hasRun && reason === ExitReason.EXCEPTION_OR_NMI && typeOf(interruption) === InterruptionType.NMI)
    throw new Halt(`an NMI while the guest of ${thread.toString(16).toUpperCase()}H ran`)
  comeBack(
    state,
    machine,
    thread,
    { lo: reason, hi: 0 },
    {
      lo: virtualization.fieldLow(VmcsField.EXIT_QUALIFICATION),
      hi: virtualization.fieldHigh(VmcsField.EXIT_QUALIFICATION)
    }
  )
  return -1
}

/** Bits 10:8 of interruption information. */
const typeOf = (interruption: number) => (interruption >>> 8) & 0b111

/**
 * The processor has refused to run the guest of the running thread: "VMfailValid". The thread comes back from it; why,
 * the field of the instruction error says.
 */
export const refused = (state: State, machine: Machine, thread: number): void => {
  Fpu.switchTo(state, machine, thread)
  comeBack(state, machine, thread, { lo: allOnes, hi: 0 }, { lo: allOnes, hi: allOnes })
}

const allOnes = -1

interface Halves {
  readonly lo: number
  readonly hi: number
}

/** Of each word of an exit, the field that it is, and of the others, its place among the general registers; or `none`. */
const none = -1
const fieldOf = VmEnter.exit.map((name) =>
  name in VmEnter.exitFields ? VmEnter.exitFields[name as VmEnter.ExitField] : none
)
const registerOf = VmEnter.exit.map((name) => (name in general ? general[name as keyof typeof general] : none))
const [reasonAt, qualificationAt] = [VmEnter.exit.indexOf("reason"), VmEnter.exit.indexOf("qualification")]

/** The first words of an exit are those of the call that would go on from there. */
const sayAgain = (state: State, machine: Machine, thread: number): void => {
  const { fieldLow, fieldHigh } = virtualizationOf(machine)
  for (let index = 0; index < VmEnter.call.length; index++) {
    const field = fieldOf[index]!
    Message.setWord(state, thread, 0, index, fieldLow(field), fieldHigh(field))
  }
}

/** The words of the exit that is told of. Nothing is in it between two of them. */
const words = new Int32Array(2 * VmEnter.exit.length)
const setHalves = (index: number, lo: number, hi: number): void => {
  words[2 * index] = lo
  words[2 * index + 1] = hi
}

/** The call ends with an exit. */
const comeBack = (state: State, machine: Machine, thread: number, reason: Halves, qualification: Halves): void => {
  const { memory } = state
  const { fieldLow, fieldHigh } = virtualizationOf(machine)
  memory.loadWords(Vcpu.ofThread(memory, thread) + Vcpu.generalAt, registers, 0, registers.length)
  for (let index = 0; index < fieldOf.length; index++) {
    const [field, register] = [fieldOf[index]!, registerOf[index]!]
    if (field !== none) setHalves(index, fieldLow(field), fieldHigh(field))
    else if (register !== none) setHalves(index, registers[2 * register]!, registers[2 * register + 1]!)
  }
  setHalves(reasonAt, reason.lo, reason.hi)
  setHalves(qualificationAt, qualification.lo, qualification.hi)
  Message.setWords(state, thread, state.architecture.buffer(state, thread, "write"), words, VmEnter.exit.length)
  Message.setBadge(state, thread, 0, 0)
  Message.setInfo(state, thread, 0, 0, 0, VmEnter.result.exit)
  Scheduler.setState(state, thread, ThreadState.running)
}
