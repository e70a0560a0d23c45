/**
 * Fpu: the floating-point and vector registers of threads and of guests.
 *
 * They are saved late: the processor has those of one thread, the owner, while others run, to whom the unit is not
 * available (CR0.TS). The first instruction of another thread that needs it is #NM, and makes that thread the owner. A
 * guest, whose CR0 is its own, is the owner before it runs. Nobody ever sees registers that are not its own. A thread
 * with the flag of one without floating point is never an owner: the #NM is its fault.
 */
import { Charge } from "../../hal/Charge.ts"
import type { ProcessorService } from "../../hal/Processor.ts"
import { layout, u16, u32 } from "../../types/Layout.ts"
import { SystemRegister } from "../../types/x86_64/SystemRegister.ts"
import type { State } from "../State.ts"
import { architectureAt, flagsMask, Tcb } from "../Tcb.ts"
import { ArchData } from "./ArchData.ts"
import type { Machine } from "./Machine.ts"

/** The processor, and where it is written down whose its registers are. */
type Unit = Pick<Machine, "archData" | "processor">

/** The image of a thread's registers, behind the others of the thread. An owner is known by its image. */
export const imageBytes = 576
export const imageOf = (thread: number): number => thread + architectureAt + 0x100

/** SDM vol. 2A, "FXSAVE", table "Layout of the 64-Bit Mode FXSAVE64 Map". */
const Image = layout(imageBytes, { fcw: u16(0), mxcsr: u32(24) })
/** After FNINIT, and after reset: all exceptions masked, every register 0. */
const initial = { fcw: 0x37f, mxcsr: 0x1f80 } as const

/** A thread, all of whose registers are 0, has those of a program that begins. */
export const initialise = (state: State, thread: number): void => initialiseImage(state, imageOf(thread))

/** The same of an image of zeroes. */
export const initialiseImage = ({ memory }: State, image: number): void => {
  Image.fcw.store(memory, image, initial.fcw)
  Image.mxcsr.store(memory, image, initial.mxcsr)
}

/** This thread runs next: it finds the unit available if it is the owner. */
export const switchTo = (state: State, machine: Unit, thread: number): void =>
  enable(state, machine, ArchData.fpuOwner.load(state.memory, machine.archData) === imageOf(thread))

/** The running thread needs the unit. False: it may not have it. */
export const take = (state: State, machine: Unit, thread: number): boolean => {
  if ((Tcb.flags.load(state.memory, thread) & flagsMask) !== 0) return false
  enable(state, machine, true)
  own(state, machine, imageOf(thread))
  return true
}

/** The registers are those of this image. */
export const own = (state: State, machine: Unit, image: number): void => {
  const { memory } = state
  const { archData, processor } = machine
  if (ArchData.fpuOwner.load(memory, archData) === image) return
  enable(state, machine, true)
  save(state, machine)
  processor.loadFloatingPoint(image)
  state.charge(Charge.floatingPoint)
  ArchData.fpuOwner.store(memory, archData, image)
}

/** If the thread is the owner, its registers are saved, and nobody is. */
export const giveUp = (state: State, machine: Unit, thread: number): void => {
  if (ArchData.fpuOwner.load(state.memory, machine.archData) !== imageOf(thread)) return
  enable(state, machine, true)
  save(state, machine)
  enable(state, machine, false)
}

/** The thread is no more: its registers are nobody's. */
export const forgetThread = (state: State, machine: Unit, thread: number): void =>
  forget(state, machine, imageOf(thread))

/** The same of whoever has this image. */
export const forget = (state: State, machine: Unit, image: number): void => {
  if (ArchData.fpuOwner.load(state.memory, machine.archData) !== image) return
  ArchData.fpuOwner.store(state.memory, machine.archData, 0)
  enable(state, machine, false)
}

/** An exit of a guest found the unit unavailable: CR0.TS was set with the rest of CR0. */
export const isUnavailable = ({ memory }: State, { archData }: Unit): void =>
  ArchData.fpuEnabled.store(memory, archData, 0)

const save = (state: State, { archData, processor }: Unit): void => {
  const owner = ArchData.fpuOwner.load(state.memory, archData)
  if (owner === 0) return
  processor.saveFloatingPoint(owner)
  state.charge(Charge.floatingPoint)
  ArchData.fpuOwner.store(state.memory, archData, 0)
}

const enable = ({ memory }: State, { archData, processor }: Unit, isEnabled: boolean): void => {
  if ((ArchData.fpuEnabled.load(memory, archData) !== 0) === isEnabled) return
  ArchData.fpuEnabled.store(memory, archData, isEnabled ? 1 : 0)
  setAvailable(processor, isEnabled)
}

const TS = 1 << 3

/** CR0.TS: "allows the saving of the x87 FPU context to be delayed". */
const setAvailable = (processor: ProcessorService, isAvailable: boolean): void => {
  const [low, high] = [processor.systemLow(SystemRegister.CR0), processor.systemHigh(SystemRegister.CR0)]
  processor.setSystem(SystemRegister.CR0, isAvailable ? low & ~TS : low | TS, high)
}
