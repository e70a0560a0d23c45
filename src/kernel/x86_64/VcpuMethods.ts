/** The methods of a VCPU. What a virtual processor is, is in `Vcpu`; how a thread runs it, in `Guest`. */
import * as SyscallError from "../../types/SyscallError.ts"
import * as Word from "../../types/Word.ts"
import * as Methods from "../../types/x86_64/methods/VCPU.ts"
import { general } from "../../types/x86_64/Registers.ts"
import { SystemRegister } from "../../types/x86_64/SystemRegister.ts"
import * as Capability from "../Capability.ts"
import { check, extraCap, high, type Invocation, low, read } from "../Invocation.ts"
import { type Decoded, isRefusal, type State, type View } from "../State.ts"
import { pages } from "./Controls.ts"
import * as IOPort from "./IOPort.ts"
import type { Machine, Virtualization } from "./Machine.ts"
import * as Mapping from "./Mapping.ts"
import { canonical } from "./ThreadContext.ts"
import * as Vcpu from "./Vcpu.ts"
import * as VmcsAccess from "./VmcsAccess.ts"

export const decode = (
  view: View,
  machine: Machine,
  virtualization: Virtualization,
  invocation: Invocation
): Decoded => {
  const vcpu = Capability.object(view, invocation.slot)
  switch (invocation.label) {
    case Methods.SetTCB.label:
      return setTcb(view, machine, invocation, vcpu)
    case Methods.ReadVMCS.label:
      return readVmcs(view, machine, virtualization, invocation, vcpu)
    case Methods.WriteVMCS.label:
      return writeVmcs(view, machine, virtualization, invocation, vcpu)
    case Methods.ReadMSR.label:
      return readMsr(view, machine, invocation, vcpu)
    case Methods.WriteMSR.label:
      return writeMsr(view, machine, invocation, vcpu)
    case Methods.EnableIOPort.label:
      return enablePorts(view, machine, invocation, vcpu)
    case Methods.DisableIOPort.label:
      return disablePorts(view, invocation, vcpu)
    case Methods.SetPage.label:
      return setPage(view, machine, virtualization, invocation, vcpu)
    case Methods.WriteRegisters.label:
      return writeRegisters(view, invocation, vcpu)
    case Methods.ResetRegisters.label:
      return resetRegisters(view, machine, invocation, vcpu)
    default:
      return SyscallError.illegalOperation
  }
}

const setTcb = (view: View, machine: Machine, invocation: Invocation, vcpu: number): Decoded => {
  const args = read(view, invocation, Methods.SetTCB)
  if (isRefusal(args)) return args
  const slot = extraCap(view, invocation, Methods.SetTCB, 0)
  if (isRefusal(slot)) return slot
  const number = numberFor(view, machine, vcpu)
  if (isRefusal(number)) return number
  const thread = Capability.object(view, slot)
  return (state) => {
    giveNumber(state, machine, vcpu, number)
    Vcpu.bind(state, machine, vcpu, thread)
    return undefined
  }
}

const none = 0

/** A number for a virtual processor, `none` if it has one; refused if there are no more. */
const numberFor = (view: View, machine: Machine, vcpu: number): number | SyscallError.SyscallError =>
  Vcpu.hasNumber(view, vcpu) ? none : (Vcpu.freeNumber(view, machine) ?? SyscallError.deleteFirst)

const giveNumber = (state: State, machine: Machine, vcpu: number, number: number): void => {
  if (number !== none) Vcpu.giveNumber(state, machine, vcpu, number)
}

// —— The control structure

const readVmcs = (
  view: View,
  machine: Machine,
  virtualization: Virtualization,
  invocation: Invocation,
  vcpu: number
): Decoded => {
  const args = read(view, invocation, Methods.ReadVMCS)
  if (isRefusal(args)) return args
  const { field } = args
  if (!VmcsAccess.mayRead(field) || !virtualization.hasField(field)) return SyscallError.illegalOperation
  return (state) => {
    Vcpu.makeCurrent(state, machine, vcpu)
    return [Word.make(virtualization.fieldLow(field), virtualization.fieldHigh(field))]
  }
}

const writeVmcs = (
  view: View,
  machine: Machine,
  virtualization: Virtualization,
  invocation: Invocation,
  vcpu: number
): Decoded => {
  const args = read(view, invocation, Methods.WriteVMCS)
  if (isRefusal(args)) return args
  const { field, value } = args
  const write = VmcsAccess.writeOf(field)
  if (write === undefined || !virtualization.hasField(field)) return SyscallError.illegalOperation
  const pages = Vcpu.pagesOf(view, vcpu)
  const written = VmcsAccess.filtered(virtualization.controls, field, write, value.lo, value.hi, pages)
  return (state) => {
    Vcpu.makeCurrent(state, machine, vcpu)
    Vcpu.setField(machine, field, written.lo, written.hi)
    if (write.translates) Vcpu.invalidate(state, machine, vcpu)
    if (write.virtualizes) Vcpu.setMsrBitmap(machine, written.lo)
    return [Word.make(written.lo, written.hi)]
  }
}

// —— Pages that the processor uses by their physical addresses

const setPage = (
  view: View,
  machine: Machine,
  virtualization: Virtualization,
  invocation: Invocation,
  vcpu: number
): Decoded => {
  const args = read(view, invocation, Methods.SetPage)
  if (isRefusal(args)) return args
  const slot = extraCap(view, invocation, Methods.SetPage, 0)
  if (isRefusal(slot)) return slot
  const index = pages.indexOf(args.field)
  if (index < 0 || !virtualization.hasField(args.field)) return SyscallError.invalidArgument(0)
  if (!isPage(view, slot) || Mapping.isMapped(view, slot)) return SyscallError.invalidCapability(1)
  if ((Vcpu.pagesOf(view, vcpu) & (1 << index)) !== 0) return SyscallError.deleteFirst
  const number = numberFor(view, machine, vcpu)
  if (isRefusal(number)) return number
  const page = Capability.address(view, slot)
  return (state) => {
    giveNumber(state, machine, vcpu, number)
    Mapping.setUser(state, slot, { name: Vcpu.nameOf(state, machine, vcpu), index })
    Vcpu.setPage(state, machine, vcpu, index, page)
    return undefined
  }
}

const pageBits = 12

/** Memory of 4 KiB. Nothing that is a device's is the processor's to write by itself. */
const isPage = ({ memory }: View, slot: number): boolean => {
  const hi = Mapping.dataHigh(memory, slot)
  return Mapping.frameBits(hi) === pageBits && !Mapping.isDevice(hi)
}

// —— Registers

const msrs = new Map(Vcpu.systemCallRegisters)

const readMsr = (view: View, machine: Machine, invocation: Invocation, vcpu: number): Decoded => {
  const args = read(view, invocation, Methods.ReadMSR)
  if (isRefusal(args)) return args
  const field = msrs.get(args.field)
  if (field === undefined) return SyscallError.illegalOperation
  return (state) => {
    Vcpu.giveUpRegisters(state, machine)
    return [Word.make(field.loadLo(state.memory, vcpu), field.loadHi(state.memory, vcpu))]
  }
}

/** What the processor takes: an address that is canonical; of registers of 32 bits, no more. */
const refusesMsr = (register: number, { hi }: Word.Word): boolean => {
  switch (register) {
    case SystemRegister.IA32_LSTAR:
    case SystemRegister.IA32_CSTAR:
    case SystemRegister.IA32_KERNEL_GS_BASE:
      return !canonical(hi)
    case SystemRegister.IA32_FMASK:
    case SystemRegister.IA32_TSC_AUX:
      return hi !== 0
    default:
      return false
  }
}

const writeMsr = (view: View, machine: Machine, invocation: Invocation, vcpu: number): Decoded => {
  const args = read(view, invocation, Methods.WriteMSR)
  if (isRefusal(args)) return args
  const field = msrs.get(args.field)
  if (field === undefined) return SyscallError.illegalOperation
  const { value } = args
  if (refusesMsr(args.field, value)) return SyscallError.invalidArgument(1)
  return (state) => {
    Vcpu.giveUpRegisters(state, machine)
    field.store(state.memory, vcpu, value.lo, value.hi)
    return [value]
  }
}

const writeRegisters = (view: View, invocation: Invocation, vcpu: number): Decoded => {
  const refusal = check(view, invocation, Methods.WriteRegisters)
  if (refusal !== undefined) return refusal
  return ({ memory }) => {
    for (let index = 0; index < registerOrder.length; index++) {
      const at = vcpu + Vcpu.generalAt + 8 * registerOrder[index]!
      memory.store32(at, low(view, invocation, index))
      memory.store32(at + 4, high(view, invocation, index))
    }
    return undefined
  }
}

/** The numbers of the registers in the order of the message, where some have the names of their lower halves. */
const registerOrder = Object.keys(Methods.WriteRegisters.words).map(
  (name) => general[name.replace(/^e/, "r") as keyof typeof general]
)

const resetRegisters = (view: View, machine: Machine, invocation: Invocation, vcpu: number): Decoded => {
  const args = read(view, invocation, Methods.ResetRegisters)
  if (isRefusal(args)) return args
  return (state) => {
    Vcpu.resetRegisters(state, machine, vcpu)
    return undefined
  }
}

// —— IO ports

const enablePorts = (view: View, machine: Machine, invocation: Invocation, vcpu: number): Decoded => {
  const args = read(view, invocation, Methods.EnableIOPort)
  if (isRefusal(args)) return args
  const slot = extraCap(view, invocation, Methods.EnableIOPort, 0)
  if (isRefusal(slot)) return slot
  const { first, last } = IOPort.rangeOf(view, slot)
  if (args.low < first || args.low > last) return SyscallError.invalidArgument(0)
  if (args.high < args.low || args.high > last) return SyscallError.invalidArgument(1)
  const user = Vcpu.ofName(view, machine, IOPort.usedBy(view, slot))
  if (user !== 0 && user !== vcpu) return SyscallError.invalidCapability(1)
  const number = numberFor(view, machine, vcpu)
  if (isRefusal(number)) return number
  return (state) => {
    giveNumber(state, machine, vcpu, number)
    IOPort.setUsedBy(state, slot, Vcpu.nameOf(state, machine, vcpu))
    setExits(state, vcpu, { first: args.low, last: args.high }, false)
    return undefined
  }
}

const disablePorts = (view: View, invocation: Invocation, vcpu: number): Decoded => {
  const args = read(view, invocation, Methods.DisableIOPort)
  if (isRefusal(args)) return args
  if (args.high < args.low) return SyscallError.invalidArgument(1)
  return (state) => {
    setExits(state, vcpu, { first: args.low, last: args.high }, true)
    return undefined
  }
}

/** A guest that uses these ports makes an exit, or uses them itself. */
const setExits = ({ memory }: State, vcpu: number, range: IOPort.Range, exits: boolean): void =>
  IOPort.forWords(range, (port, mask) => {
    const at = vcpu + Vcpu.portsAt + 4 * (port >>> 5)
    const word = memory.load32(at)
    memory.store32(at, exits ? word | mask : word & ~mask)
  })

/** Who uses ports by the capability in `slot` does no more. */
export const disablePortsOf = (state: State, machine: Machine, slot: number): void => {
  const vcpu = Vcpu.ofName(state, machine, IOPort.usedBy(state, slot))
  if (vcpu !== 0) setExits(state, vcpu, IOPort.rangeOf(state, slot), true)
}
