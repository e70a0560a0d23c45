/**
 * VCPU: a virtual processor, 16 KiB.
 *
 *     0000H   the control structure (VMCS), which only the processor reads and writes
 *     1000H   a bit for each IO port: 1 is an exit, 0 lets the guest use the port itself
 *     3000H   what the processor does not switch by itself: the guest's general, system-call, debug and floating-point
 *             registers; and which pages it has that the processor uses by their physical addresses
 *
 * A thread runs at most one, and one is run by at most one thread; each names the other. A virtual processor that has
 * ever been given to a thread has a number, which tags the translations that the processor makes for it (VPID). Of a
 * number that was given before, the *generation* says which of those that had it is meant.
 */
import { Charge } from "../../hal/Charge.ts"
import { Halt } from "../../hal/Gates.ts"
import type { ProcessorService } from "../../hal/Processor.ts"
import { noCurrent } from "../../hal/Virtualization.ts"
import { layout, type ReadableMemory, u32, u64, word } from "../../types/Layout.ts"
import { linkedHigh, linkedLow } from "../../types/x86_64/KernelSpace.ts"
import { SystemRegister } from "../../types/x86_64/SystemRegister.ts"
import { VmcsField } from "../../types/x86_64/VmcsField.ts"
import { ref } from "../Reference.ts"
import * as Scheduler from "../Scheduler.ts"
import type { State, View } from "../State.ts"
import { architectureAt, Tcb, ThreadState } from "../Tcb.ts"
import { ArchData, emptyGuest, msrBitmap, Vpid, vpidAt, vpids, x2ApicBitmap } from "./ArchData.ts"
import { pages, protectionKeys, virtualizesX2Apic } from "./Controls.ts"
import { Selector } from "./Descriptors.ts"
import * as Fpu from "./Fpu.ts"
import { Offset } from "./Image.ts"
import { type Machine, virtualizationOf } from "./Machine.ts"
import { syscallEntry } from "./Startup.ts"
import { pointerLow } from "./Translation.ts"
import { Vector } from "./Vectors.ts"
import { filtered, primary, writeOf } from "./VmcsAccess.ts"

// biome-ignore format: a figure
export const Fields = layout(0x4000, {
  // 0x3000: general registers, by their numbers
  thread:       ref(0x3080),
  /** It was run since its control structure was made. */
  launched:     u32(0x3084),
  /** Its VPID, 0 if it has none. */
  number:       u32(0x3088),
  /** What its control structure says: the root of the guest's tables, and the address space to return to (CR3). */
  guestRoot:    u64(0x3090),
  returnsTo:    u64(0x3098),
  star:         word(0x30a0),
  lstar:        word(0x30a8),
  cstar:        word(0x30b0),
  fmask:        word(0x30b8),
  kernelGsBase: word(0x30c0),
  cr2:          word(0x30c8),
  dr0:          word(0x30d0),
  dr1:          word(0x30d8),
  dr2:          word(0x30e0),
  dr3:          word(0x30e8),
  dr6:          word(0x30f0),
  // 0x3100: the floating-point and vector registers
  tscAux:       word(0x3340),
  /** A bit for each of `Controls.pages`. */
  pages:        u32(0x3348)
})

export const portsAt = 0x1000
const portsBytes = 0x2000
export const generalAt = 0x3000
const generalBytes = 0x80
const floatingPointAt = 0x3100

/** Where a thread says which virtual processor it runs. */
const OfThread = layout(architectureAt + 0x100, { vcpu: ref(architectureAt + 0xf0) })

/** The virtual processor that a thread runs; 0 if there is none. */
export const ofThread = (memory: ReadableMemory, thread: number): number => OfThread.vcpu.load(memory, thread)

// —— Registers that the processor does not switch by itself

type SavedRegister = readonly [register: number, field: (typeof Fields)["star"]]

/** Where system calls of a guest go, what SWAPGS takes, and what RDTSCP says. */
const { IA32_STAR, IA32_LSTAR, IA32_CSTAR, IA32_FMASK, IA32_KERNEL_GS_BASE, IA32_TSC_AUX, CR2 } = SystemRegister
export const systemCallRegisters: ReadonlyArray<SavedRegister> = [
  [IA32_STAR, Fields.star],
  [IA32_LSTAR, Fields.lstar],
  [IA32_CSTAR, Fields.cstar],
  [IA32_FMASK, Fields.fmask],
  [IA32_KERNEL_GS_BASE, Fields.kernelGsBase],
  [IA32_TSC_AUX, Fields.tscAux]
]
const debugRegisters: ReadonlyArray<SavedRegister> = [
  [SystemRegister.DR0, Fields.dr0],
  [SystemRegister.DR1, Fields.dr1],
  [SystemRegister.DR2, Fields.dr2],
  [SystemRegister.DR3, Fields.dr3],
  [SystemRegister.DR6, Fields.dr6]
]
const pageFaultAddress: ReadonlyArray<SavedRegister> = [[CR2, Fields.cr2]]

const save = (
  { memory }: State,
  { systemLow, systemHigh }: ProcessorService,
  vcpu: number,
  registers: ReadonlyArray<SavedRegister>
) => {
  for (const [register, field] of registers) field.store(memory, vcpu, systemLow(register), systemHigh(register))
}

const load = (
  { memory }: State,
  { setSystem }: ProcessorService,
  vcpu: number,
  registers: ReadonlyArray<SavedRegister>
) => {
  for (const [register, field] of registers) setSystem(register, field.loadLo(memory, vcpu), field.loadHi(memory, vcpu))
}

/** The processor's registers are the guest's, as far as they are not the control structure's. */
export const loadRegisters = (state: State, machine: Machine, vcpu: number): void => {
  const { archData, processor } = machine
  Fpu.own(state, machine, vcpu + floatingPointAt)
  load(state, processor, vcpu, pageFaultAddress)
  const { guest } = ArchData
  const loaded = guest.load(state.memory, archData)
  if (loaded === vcpu) return
  if (loaded !== 0) save(state, processor, loaded, systemCallRegisters)
  load(state, processor, vcpu, systemCallRegisters)
  guest.store(state.memory, archData, vcpu)
}

/** What of them an exit leaves that comes to nobody else. */
export const saveAtExit = (state: State, { processor }: Machine, vcpu: number): void =>
  save(state, processor, vcpu, pageFaultAddress)

/** System calls are the kernel's again: a program runs next. */
export const giveUpRegisters = (state: State, { archData, processor }: Machine): void => {
  const { guest } = ArchData
  const loaded = guest.load(state.memory, archData)
  if (loaded === 0) return
  save(state, processor, loaded, systemCallRegisters)
  syscallEntry(processor)
  guest.store(state.memory, archData, 0)
}

/** Those that the control structure does not have are as after a reset. */
export const resetRegisters = (state: State, machine: Machine, vcpu: number): void => {
  const { memory } = state
  giveUpRegisters(state, machine)
  Fpu.forget(state, machine, vcpu + floatingPointAt)
  memory.zero(vcpu + generalAt, generalBytes)
  for (const [, field] of [...systemCallRegisters, ...pageFaultAddress, ...debugRegisters])
    field.store(memory, vcpu, 0, 0)
  Fields.dr6.store(memory, vcpu, noDebugStatus, 0)
  memory.zero(vcpu + floatingPointAt, Fpu.imageBytes)
  Fpu.initialiseImage(state, vcpu + floatingPointAt)
  state.charge(3 * Charge.zeroChunk)
  if (ArchData.vcpu.load(memory, machine.archData) === vcpu) load(state, machine.processor, vcpu, debugRegisters)
}

// —— Its control structure

const must = (what: string, answer: number): void => {
  if (answer !== 0)
    throw new Halt(
      answer === noCurrent ? `no control structure is current: ${what}` : `the processor refuses (${answer}): ${what}`
    )
}

export const setField = (machine: Machine, field: number, low: number, high = 0): void => {
  const answer = virtualizationOf(machine).setField(field, low, high)
  if (answer !== 0) must(`field ${field.toString(16)} is written`, answer)
}

const setAddress = (machine: Machine, field: number, address: number): void =>
  setField(machine, field, address | 0, Math.floor(address / 2 ** 32))

/** Its control structure is the current one. */
export const makeCurrent = (state: State, machine: Machine, vcpu: number): void => {
  const { archData, processor } = machine
  const current = ArchData.vcpu.load(state.memory, archData)
  if (current === vcpu) return
  if (current !== 0) save(state, processor, current, debugRegisters)
  must("a virtual processor is loaded", virtualizationOf(machine).load(vcpu))
  load(state, processor, vcpu, debugRegisters)
  ArchData.vcpu.store(state.memory, archData, vcpu)
  state.charge(Charge.guest)
}

/** SDM vol. 3A, "Debug Status Register (DR6)": after reset. */
const noDebugStatus = 0xffff_0ff0 | 0
const allOnes = -1

/**
 * Memory of zeroes becomes a virtual processor that has never run: every exit that the kernel does not need is off, no
 * IO port is the guest's, and it has no memory. On a processor that runs no guests it stays memory of zeroes.
 */
export const initialise = (state: State, machine: Machine, vcpu: number): void => {
  const { virtualization } = machine
  if (virtualization === undefined) return
  const { memory } = state
  for (let at = portsAt; at < portsAt + portsBytes; at += 4) memory.store32(vcpu + at, allOnes)
  state.charge((portsBytes / 256) * Charge.zeroChunk)
  memory.store32(vcpu, virtualization.controls.revision)
  must("a control structure is made", virtualization.clear(vcpu))
  Fields.dr6.store(memory, vcpu, noDebugStatus, 0)
  Fpu.initialiseImage(state, vcpu + floatingPointAt)
  makeCurrent(state, machine, vcpu)
  setControls(machine, vcpu)
  setReturn(machine)
  setField(machine, VmcsField.VMCS_LINK_POINTER, allOnes, allOnes)
}

const setControls = (machine: Machine, vcpu: number): void => {
  const { archData } = machine
  const { controls } = virtualizationOf(machine)
  setField(machine, VmcsField.PIN_BASED_CONTROLS, controls.pin.on)
  setField(machine, VmcsField.PRIMARY_CONTROLS, primary(controls, 0, 0))
  setField(machine, VmcsField.SECONDARY_CONTROLS, controls.secondary.on)
  setField(machine, VmcsField.EXIT_CONTROLS, controls.exit.on)
  setField(machine, VmcsField.ENTRY_CONTROLS, controls.entry.on)
  setField(machine, VmcsField.GUEST_CR0, controls.cr0.on)
  setField(machine, VmcsField.GUEST_CR4, controls.cr4.on)
  setField(machine, VmcsField.CR4_GUEST_HOST_MASK, protectionKeys)
  setAddress(machine, VmcsField.IO_BITMAP_A, vcpu + portsAt)
  setAddress(machine, VmcsField.IO_BITMAP_B, vcpu + portsAt + portsBytes / 2)
  setAddress(machine, VmcsField.MSR_BITMAPS, msrBitmap(archData))
  if (virtualizationOf(machine).hasField(VmcsField.POSTED_INTERRUPT_NOTIFICATION))
    setField(machine, VmcsField.POSTED_INTERRUPT_NOTIFICATION, Vector.posted)
}

/** Which model-specific registers are the guest's own, of the current one with these secondary controls. */
export const setMsrBitmap = (machine: Machine, secondary: number): void => {
  const { archData } = machine
  const bitmap = virtualizesX2Apic(secondary) ? x2ApicBitmap(archData) : msrBitmap(archData)
  setAddress(machine, VmcsField.MSR_BITMAPS, bitmap)
}

const { CR0, CR4, IA32_EFER, IA32_PAT } = SystemRegister
const TS = 1 << 3

/** Where an exit leads: to the kernel as it runs now, but that no thread has the floating-point unit. */
const setReturn = (machine: Machine): void => {
  const { systemLow, systemHigh } = machine.processor
  const own = (field: number, register: number, also = 0) =>
    setField(machine, field, systemLow(register) | also, systemHigh(register))
  own(VmcsField.HOST_CR0, CR0, TS)
  own(VmcsField.HOST_CR4, CR4)
  own(VmcsField.HOST_IA32_EFER, IA32_EFER)
  own(VmcsField.HOST_IA32_PAT, IA32_PAT)
  setField(machine, VmcsField.HOST_CS_SELECTOR, Selector.kernelCode)
  setField(machine, VmcsField.HOST_SS_SELECTOR, Selector.kernelData)
  setField(machine, VmcsField.HOST_TR_SELECTOR, Selector.task)
  setField(machine, VmcsField.HOST_TR_BASE, linkedLow + Offset.tss, linkedHigh)
  setField(machine, VmcsField.HOST_GDTR_BASE, linkedLow + Offset.gdt, linkedHigh)
  setField(machine, VmcsField.HOST_IDTR_BASE, linkedLow + Offset.idt, linkedHigh)
  setField(machine, VmcsField.HOST_RSP, linkedLow + Offset.stackTop, linkedHigh)
  setField(machine, VmcsField.HOST_RIP, linkedLow + Offset.guestExit, linkedHigh)
}

/** The guest's memory is what the tables at `root` lead to; it has none if that is 0. */
export const setGuestRoot = (state: State, machine: Machine, vcpu: number, root: number): void => {
  const tables = root === 0 ? emptyGuest(machine.archData) : root
  if (Fields.guestRoot.load(state.memory, vcpu) === tables) return
  setField(machine, VmcsField.EPT_POINTER, pointerLow(tables), Math.floor(tables / 2 ** 32))
  Fields.guestRoot.store(state.memory, vcpu, tables)
}

/** An exit finds the address space that is in force. */
export const setReturnSpace = (state: State, machine: Machine, vcpu: number): void => {
  const { memory } = state
  const { archData } = machine
  const space = ArchData.root.load(memory, archData) + ArchData.asid.load(memory, archData)
  if (Fields.returnsTo.load(memory, vcpu) === space) return
  setAddress(machine, VmcsField.HOST_CR3, space)
  Fields.returnsTo.store(memory, vcpu, space)
}

// —— Pages that the processor uses by their physical addresses

/** The set of those that it has. */
export const pagesOf = ({ memory }: View, vcpu: number): number => Fields.pages.load(memory, vcpu)

/** The processor uses the page at this address for it: as the one at `index` of `Controls.pages`. */
export const setPage = (state: State, machine: Machine, vcpu: number, index: number, page: number): void => {
  makeCurrent(state, machine, vcpu)
  setAddress(machine, pages[index]!, page)
  Fields.pages.store(state.memory, vcpu, pagesOf(state, vcpu) | (1 << index))
  invalidate(state, machine, vcpu)
}

/** It has this page no longer, nor the controls by which the processor would use it. */
export const takePage = (state: State, machine: Machine, vcpu: number, index: number): void => {
  makeCurrent(state, machine, vcpu)
  const { controls, fieldLow } = virtualizationOf(machine)
  const left = pagesOf(state, vcpu) & ~(1 << index)
  Fields.pages.store(state.memory, vcpu, left)
  for (const field of [VmcsField.PIN_BASED_CONTROLS, VmcsField.PRIMARY_CONTROLS, VmcsField.SECONDARY_CONTROLS])
    setField(machine, field, filtered(controls, field, writeOf(field)!, fieldLow(field), 0, left).lo)
  setMsrBitmap(machine, fieldLow(VmcsField.SECONDARY_CONTROLS))
  setField(machine, pages[index]!, 0)
  // "Software should invalidate" what was translated to the page that it guards.
  invalidate(state, machine, vcpu)
}

// —— Its number

/** A number that no virtual processor has; undefined if all are given. */
export const freeNumber = ({ memory, charge }: View, { archData }: Machine): number | undefined => {
  for (let number = 1; number < vpids; number++) {
    charge(1)
    const entry = vpidAt(archData, number)
    if (Vpid.vcpu.load(memory, entry) === 0 && Vpid.generation.load(memory, entry) < lastGeneration) return number
  }
  return undefined
}

/** Bits of a name that are the generation's: a number that was given so often is never given again. */
const generationBits = 20
const lastGeneration = 2 ** generationBits - 1
const numberBits = 12

export const hasNumber = ({ memory }: View, vcpu: number): boolean => Fields.number.load(memory, vcpu) !== 0

/** It has this number from here on, until it is deleted. */
export const giveNumber = (state: State, machine: Machine, vcpu: number, number: number): void => {
  const { memory } = state
  const entry = vpidAt(machine.archData, number)
  Vpid.vcpu.store(memory, entry, vcpu)
  Vpid.generation.store(memory, entry, Vpid.generation.load(memory, entry) + 1)
  Fields.number.store(memory, vcpu, number)
  makeCurrent(state, machine, vcpu)
  setField(machine, VmcsField.VPID, number)
}

/** The number and its generation: a name that only this virtual processor will ever have. It is not 0. */
export const nameOf = ({ memory }: View, { archData }: Machine, vcpu: number): number => {
  const number = Fields.number.load(memory, vcpu)
  return number | (Vpid.generation.load(memory, vpidAt(archData, number)) << numberBits)
}

/** The virtual processor of this name; 0 if it is no more. */
export const ofName = ({ memory }: View, { archData }: Pick<Machine, "archData">, name: number): number => {
  const entry = vpidAt(archData, name & (2 ** numberBits - 1))
  return Vpid.generation.load(memory, entry) === name >>> numberBits ? Vpid.vcpu.load(memory, entry) : 0
}

/** No translation is used any more that was made for it. */
export const invalidate = ({ memory }: View, machine: Machine, vcpu: number): void => {
  const number = Fields.number.load(memory, vcpu)
  if (number !== 0) must("translations go", virtualizationOf(machine).invalidateGuest("one", number, 0, 0))
}

// —— Whose it is

/** The thread runs it, and no other; what either had before, it has no longer. */
export const bind = (state: State, machine: Machine, vcpu: number, thread: number): void => {
  unbind(state, vcpu)
  forget(state, thread)
  Fields.thread.store(state.memory, vcpu, thread)
  OfThread.vcpu.store(state.memory, thread, vcpu)
  makeCurrent(state, machine, vcpu)
}

/** No thread runs it. One that did makes its system call again, and learns that it has none. */
export const unbind = (state: State, vcpu: number): void => {
  const { memory } = state
  const thread = Fields.thread.load(memory, vcpu)
  if (thread === 0) return
  Fields.thread.store(memory, vcpu, 0)
  OfThread.vcpu.store(memory, thread, 0)
  if (Tcb.state.load(memory, thread) === ThreadState.runsGuest) Scheduler.setState(state, thread, ThreadState.restart)
}

/** The thread runs none. */
export const forget = (state: State, thread: number): void => {
  const vcpu = ofThread(state.memory, thread)
  if (vcpu !== 0) unbind(state, vcpu)
}

/** The last capability to it is gone: the processor has nothing of it any more. */
export const finalise = (state: State, machine: Machine, vcpu: number): void => {
  const { virtualization, archData } = machine
  if (virtualization === undefined) return
  const { memory } = state
  unbind(state, vcpu)
  Fpu.forget(state, machine, vcpu + floatingPointAt)
  if (ArchData.guest.load(memory, archData) === vcpu) giveUpRegisters(state, machine)
  must("a control structure ends", virtualization.clear(vcpu))
  if (ArchData.vcpu.load(memory, archData) === vcpu) ArchData.vcpu.store(memory, archData, 0)
  const number = Fields.number.load(memory, vcpu)
  if (number === 0) return
  invalidate(state, machine, vcpu)
  Vpid.vcpu.store(memory, vpidAt(archData, number), 0)
}
