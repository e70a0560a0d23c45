/** The kernel's architecture is x86-64: what `kernel/Architecture` asks for, from the files beside this one. */

import * as IpcBuffer from "../../types/IpcBuffer.ts"
import { numberOf } from "../../types/Kind.ts"
import { right } from "../../types/Rights.ts"
import { syscalls } from "../../types/Syscall.ts"
import * as SyscallError from "../../types/SyscallError.ts"
import * as FaultMessage from "../../types/x86_64/FaultMessage.ts"
import { syscall, type UserRegister, userContext } from "../../types/x86_64/Registers.ts"
import type { Architecture, FaultRegisters } from "../Architecture.ts"
import * as Capability from "../Capability.ts"
import { type Invocation, kindOf } from "../Invocation.ts"
import type { Paths } from "../Kernel.ts"
import type { Decoded, State, View } from "../State.ts"
import { architectureAt, slotOf, Tcb, tcbSlot } from "../Tcb.ts"
import * as AddressSpace from "./AddressSpace.ts"
import { ArchData } from "./ArchData.ts"
import * as Asid from "./Asid.ts"
import * as AsidPool from "./AsidPool.ts"
import * as Fpu from "./Fpu.ts"
import * as Frame from "./Frame.ts"
import * as Guest from "./Guest.ts"
import * as IOPort from "./IOPort.ts"
import * as IRQControl from "./IRQControl.ts"
import type { Machine } from "./Machine.ts"
import * as Mapping from "./Mapping.ts"
import * as PagingStructure from "./PagingStructure.ts"
import * as Switch from "./Switch.ts"
import { initialFlags, Register, sanitised } from "./ThreadContext.ts"
import * as Vcpu from "./Vcpu.ts"
import * as VcpuMethods from "./VcpuMethods.ts"

/** The address of a thread's context: see `ThreadContext`. */
export const contextOf = (thread: number): number => thread + architectureAt

const wordOf = (thread: number, register: number) => contextOf(thread) + 8 * register

const numbers = (names: readonly UserRegister[]) => names.map((name) => Register[name])
const faultRegisters = (names: typeof FaultMessage.sent): FaultRegisters => ({
  CapFault: numbers(names.CapFault),
  UnknownSyscall: numbers(names.UnknownSyscall),
  UserException: numbers(names.UserException),
  VMFault: numbers(names.VMFault),
  Timeout: numbers(names.Timeout)
})

const setRegister = ({ memory }: State, thread: number, register: number, low: number, high: number): void => {
  const at = wordOf(thread, register)
  memory.store32(at, low)
  memory.store32(at + 4, high)
}

const copyRegister = ({ memory }: State, thread: number, from: number, to: number): void => {
  memory.store32(wordOf(thread, to), memory.load32(wordOf(thread, from)))
  memory.store32(wordOf(thread, to) + 4, memory.load32(wordOf(thread, from) + 4))
}

const messageRegisters = numbers(syscall.message)

/** `paths`: as `Kernel.make` has them; the fast one switches threads in place. */
export const make = (machine: Machine, paths: Paths): Architecture => ({
  convention: {
    capability: Register[syscall.capability],
    info: Register[syscall.info],
    message: messageRegisters,
    reply: Register[syscall.reply],
    destination: Register[syscall.destination]
  },
  registerLow: ({ memory }, thread, register) => memory.load32(wordOf(thread, register)),
  registerHigh: ({ memory }, thread, register) => memory.load32(wordOf(thread, register) + 4),
  setRegister,
  setUserRegister: (state, thread, register, low, high) => {
    const word = sanitised(register, low, high)
    setRegister(state, thread, register, word.low, word.high)
  },
  copyMessage: ({ memory }, from, to, words) => {
    for (let index = 0; index < words; index++) {
      const source = wordOf(from, messageRegisters[index]!)
      const target = wordOf(to, messageRegisters[index]!)
      memory.store32(target, memory.load32(source))
      memory.store32(target + 4, memory.load32(source + 4))
    }
  },

  frameRegisters: numbers(userContext.slice(0, -2)),
  integerRegisters: numbers(userContext.slice(-2)),
  tlsBase: Register.fsBase,
  sent: faultRegisters(FaultMessage.sent),
  replied: faultRegisters(FaultMessage.replied),

  resumeAtRestart: (state, thread) => copyRegister(state, thread, Register.rip, Register.next),
  restartAtResume: (state, thread) => copyRegister(state, thread, Register.next, Register.rip),
  // A context is all that there is of a thread's registers, and how a thread is left to follows from it.
  registersChanged: () => {},

  initialise: (state, thread) => {
    setRegister(state, thread, Register.rflags, initialFlags, 0)
    Fpu.initialise(state, thread)
  },
  switchTo:
    paths === "slow"
      ? (state, thread) => Switch.atLength(state, machine, thread)
      : (state, thread) => Switch.to(state, machine, thread),
  idle: (state) => {
    ArchData.running.store(state.memory, machine.archData, 0)
    Switch.toNobody(state, machine)
  },
  syscall: (state, thread, number) => number === syscalls.VMEnter && Guest.enter(state, machine, thread),
  flagsChanged: (state, thread) => Fpu.giveUp(state, machine, thread),
  forget: (state, thread) => {
    const { memory } = state
    Fpu.forgetThread(state, machine, thread)
    Vcpu.forget(state, thread)
    if (ArchData.running.load(memory, machine.archData) === thread) ArchData.running.store(memory, machine.archData, 0)
  },

  isAddressSpace,
  refuseBuffer: (view, slot, { lo }) => {
    if (kindOf(view, slot) !== "Frame") return SyscallError.illegalOperation
    if (Mapping.isDevice(Mapping.dataHigh(view.memory, slot))) return SyscallError.illegalOperation
    return (lo & (2 ** IpcBuffer.sizeBits - 1)) === 0 ? undefined : SyscallError.alignmentError
  },
  buffer: (view, thread, access) => {
    const slot = slotOf(thread, tcbSlot.buffer)
    if (Capability.kind(view, slot) !== numberOf.Frame) return 0
    const { read, write } = right.Frame
    if (!Capability.allows(view, slot, access === "write" ? read | write : read)) return 0
    const hi = Mapping.dataHigh(view.memory, slot)
    if (Mapping.isDevice(hi)) return 0
    return Capability.address(view, slot) + (Tcb.buffer.loadLo(view.memory, thread) & (2 ** Mapping.frameBits(hi) - 1))
  },

  make: (state, type, address, isDevice) => {
    if (type.makes === "VCPU") Vcpu.initialise(state, machine, address)
    if (type.makes !== "Frame") return Capability.original(type.makes, address)
    return Capability.original("Frame", address, 0, Mapping.frameData("bits" in type ? type.bits : 0, isDevice))
  },
  derive: (view, slot, cap) => {
    switch (Capability.kindOf(cap)) {
      // A mapping is that of one capability: a copy has none.
      case numberOf.Frame:
        return Mapping.unmapped(cap)
      // Copies of what is not mapped could be mapped in two places.
      case numberOf.AddressSpace:
      case numberOf.PDPT:
      case numberOf.PageDirectory:
      case numberOf.PageTable:
      case numberOf.EPTPML4:
      case numberOf.EPTPDPT:
      case numberOf.EPTPD:
      case numberOf.EPTPT:
        return Mapping.isMapped(view, slot) ? cap : SyscallError.illegalOperation
      case numberOf.IOPort:
        return IOPort.unused(cap)
      case numberOf.IOPortControl:
        return Capability.none
      default:
        return cap
    }
  },
  update: (_view, cap) => cap,
  finalise: (state, slot, final) => finalise(state, machine, slot, final),
  decode: (view, invocation) => decode(view, machine, invocation),

  interrupts: IRQControl.interrupts,
  maskInterrupt: (state, interrupt, masked) => IRQControl.mask(state, machine, interrupt, masked)
})

const isAddressSpace = (view: View, slot: number): boolean =>
  Capability.kind(view, slot) === numberOf.AddressSpace && Mapping.isMapped(view, slot)

const finalise = (state: State, machine: Machine, slot: number, final: boolean): void => {
  const kind = kindOf(state, slot)
  if (kind === "Frame") {
    Frame.unmap(state, machine, slot)
    return
  }
  if (kind === "IOPort") VcpuMethods.disablePortsOf(state, machine, slot)
  if (!final || kind === undefined) return
  if (PagingStructure.isStructure(kind)) PagingStructure.unmap(state, machine, slot, kind)
  else if (kind === "AddressSpace" || kind === "EPTPML4")
    Asid.release(state, machine, Asid.translatedBy(kind), {
      asid: Mapping.asid(Mapping.dataLow(state.memory, slot)),
      root: Capability.object(state, slot)
    })
  else if (kind === "ASIDPool")
    Asid.deletePool(state, machine, AsidPool.indexOf(state, slot), Capability.object(state, slot))
  else if (kind === "IOPort") IOPort.release(state, machine, slot)
  else if (kind === "VCPU") Vcpu.finalise(state, machine, Capability.object(state, slot))
}

const decode = (view: View, machine: Machine, invocation: Invocation): Decoded => {
  const kind = kindOf(view, invocation.slot)
  switch (kind) {
    case "Frame":
      return Frame.decode(view, machine, invocation)
    case "AddressSpace":
      return AddressSpace.decode(view, machine, invocation)
    case "PDPT":
    case "PageDirectory":
    case "PageTable":
      return PagingStructure.decode(view, machine, invocation, kind)
    case "EPTPDPT":
    case "EPTPD":
    case "EPTPT":
      return machine.virtualization === undefined
        ? SyscallError.illegalOperation
        : PagingStructure.decode(view, machine, invocation, kind)
    case "VCPU":
      return machine.virtualization === undefined
        ? SyscallError.illegalOperation
        : VcpuMethods.decode(view, machine, machine.virtualization, invocation)
    case "TCB":
      return Guest.decodeThread(view, machine, invocation)
    case "ASIDControl":
      return AsidPool.decodeControl(view, machine, invocation)
    case "ASIDPool":
      return AsidPool.decodePool(view, machine, invocation)
    case "IOPortControl":
      return IOPort.decodeControl(view, machine, invocation)
    case "IOPort":
      return IOPort.decode(view, machine, invocation)
    case "IRQControl":
      return IRQControl.decode(view, machine, invocation)
    default:
      return SyscallError.illegalOperation
  }
}
