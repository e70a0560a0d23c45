/**
 * Entry: what happens at the kernel's gates.
 *
 * A gate finds every register as the program left it. The program's go to its thread's context, the kernel does what it
 * is asked for, and the registers of the thread that runs next take their place: the gate is left by one of the image's
 * ways out.
 */
import { Charge } from "../../hal/Charge.ts"
import { Halt } from "../../hal/Gates.ts"
import type { MemoryService } from "../../hal/Memory.ts"
import type { ProcessorService } from "../../hal/Processor.ts"
import type { TimeService } from "../../hal/Time.ts"
import * as Word from "../../types/Word.ts"
import { linkedHigh, linkedLow } from "../../types/x86_64/KernelSpace.ts"
import { processorWords } from "../../types/x86_64/Registers.ts"
import { SystemRegister } from "../../types/x86_64/SystemRegister.ts"
import type { KernelService } from "../Kernel.ts"
import { Tcb, ThreadState } from "../Tcb.ts"
import { ArchData } from "./ArchData.ts"
import { contextOf } from "./Architecture.ts"
import * as Fpu from "./Fpu.ts"
import * as Guest from "./Guest.ts"
import { Entry, Offset } from "./Image.ts"
import type { Machine } from "./Machine.ts"
import { type Contexts, Frame } from "./ThreadContext.ts"
import * as Vcpu from "./Vcpu.ts"
import { nameOf, Vector } from "./Vectors.ts"

export interface Entries {
  readonly memory: MemoryService
  readonly time: TimeService
  readonly contexts: Contexts
  readonly kernel: KernelService
  readonly machine: Machine
}

/** The function that stands behind every gate but the first. */
export const make = (entries: Entries): ((entry: number) => void) => {
  const { memory, contexts, kernel, machine } = entries
  const { archData, processor } = machine
  const { registers } = processor
  const { rdx } = processorWords
  // The frame of the interrupt that is being handled: nothing is in it between two entries.
  const frame = new Int32Array(2 * Frame.words)

  const runsGuest = (thread: number) => Tcb.state.load(memory, thread) === ThreadState.runsGuest

  const leave = () => {
    const thread = ArchData.running.load(memory, archData)
    if (thread === 0) contexts.idle()
    else if (runsGuest(thread)) Guest.run(kernel.state, machine, contexts, thread)
    else contexts.restore(contextOf(thread))
  }

  /** If no guest runs next, what a program's system calls need is the kernel's again. */
  const leaveGuest = () => {
    const thread = ArchData.running.load(memory, archData)
    if (thread === 0 || !runsGuest(thread)) Vcpu.giveUpRegisters(kernel.state, machine)
  }

  return (entry) => {
    const thread = ArchData.running.load(memory, archData)
    switch (entry) {
      case Entry.syscall: {
        contexts.saveSyscall(contextOf(thread))
        kernel.handleSyscall(registers[2 * rdx]!, registers[2 * rdx + 1]!)
        break
      }
      case Entry.vector: {
        memory.loadWords(frameAt(entries), frame, 0, frame.length)
        if (fromKernel(frame)) {
          if (!isIdle(frame)) throw new Halt(ownFault(frame, processor))
        } else contexts.saveInterrupt(contextOf(thread), frame)
        handleVector(entries, frame, thread)
        break
      }
      case Entry.guestExit: {
        const vector = Guest.exited(kernel.state, machine, contexts, thread)
        if (vector < 0) kernel.handleGuestExit()
        else handleInterrupt(entries, vector)
        leaveGuest()
        break
      }
      case Entry.guestRefused: {
        Guest.refused(kernel.state, machine, thread)
        kernel.handleGuestExit()
        leaveGuest()
        break
      }
      default:
        throw new Halt(`no entry of the kernel has number ${entry}`)
    }
    leave()
  }
}

/** The physical address of the frame that RSP points to: it is on one of the image's stacks. */
const frameAt = ({ machine: { image, processor } }: Entries): number => {
  const { registers } = processor
  const { rsp } = processorWords
  if (registers[2 * rsp + 1] !== linkedHigh) throw new Halt("an interrupt's frame is on a stack of the kernel's")
  return image.start + ((registers[2 * rsp]! - linkedLow) >>> 0)
}

const privilege = 0b11
const fromKernel = (frame: Int32Array) => (frame[2 * Frame.cs]! & privilege) === 0

/** The processor was waiting. Everywhere else the kernel is not interruptible. */
const isIdle = (frame: Int32Array): boolean => {
  const offset = (frame[2 * Frame.rip]! - linkedLow) >>> 0
  return (
    frame[2 * Frame.vector]! >= Vector.firstInterrupt &&
    frame[2 * Frame.rip + 1] === linkedHigh &&
    offset >= Offset.idle &&
    offset < Offset.idleEnd
  )
}

const handleVector = (entries: Entries, frame: Int32Array, thread: number): void => {
  const { kernel, contexts, machine } = entries
  const { processor } = machine
  const vector = frame[2 * Frame.vector]!
  if (vector === Vector.NM && Fpu.take(kernel.state, machine, thread)) kernel.state.charge(Charge.entry)
  else if (vector < Vector.firstInterrupt) handleException(kernel, processor, vector, frame)
  else if (vector >= Vector.firstTrap && vector <= Vector.lastTrap)
    handleTrap(kernel, processor, contexts, thread, vector)
  else handleInterrupt(entries, vector)
}

const handleInterrupt = ({ kernel, time }: Entries, vector: number): void => {
  if (vector === Vector.timer) {
    time.endOfInterrupt()
    kernel.handleTimer()
  } else if (vector >= Vector.firstUser && vector <= Vector.lastUser) {
    // What is asserted still when its interrupt ends comes again: it must be masked by then.
    kernel.handleInterrupt(vector - Vector.firstUser)
    time.endOfInterrupt()
  }
  // "The spurious-interrupt vector ... handler should return without an EOI."
  else if (vector !== Vector.spurious) time.endOfInterrupt()
}

const handleException = (
  kernel: KernelService,
  { systemLow, systemHigh }: ProcessorService,
  vector: number,
  frame: Int32Array
): void => {
  const code = frame[2 * Frame.error]!
  switch (vector) {
    case Vector.PF:
      kernel.handleFault({
        _tag: "VMFault",
        address: Word.make(systemLow(SystemRegister.CR2), systemHigh(SystemRegister.CR2)),
        instructionFetch: (code & pageFault.instructionFetch) !== 0,
        status: code
      })
      break
    // What comes while a program runs and yet is not of its making.
    case Vector.NMI:
    case Vector.DF:
    case Vector.MC:
      throw new Halt(`${nameOf(vector)} (error code ${code}) while a program ran at ${address(frame, Frame.rip)}`)
    default:
      kernel.handleFault({ _tag: "UserException", number: vector, code })
  }
}

/** SDM vol. 3A, figure "Page-Fault Error Code". */
const pageFault = { instructionFetch: 1 << 4 } as const

/** INT n is a system call that the kernel does not know: its number is the vector, above the low bits of RAX. */
const handleTrap = (
  kernel: KernelService,
  { registers }: ProcessorService,
  contexts: Contexts,
  thread: number,
  vector: number
): void => {
  contexts.stepBack(contextOf(thread))
  const number = (vector << 24) | (registers[2 * processorWords.rax]! & 0xff_ffff)
  kernel.handleFault({ _tag: "UnknownSyscall", number: Word.make(number, number >> 31) })
}

const hex = (low: number, high: number) =>
  (high >>> 0).toString(16).padStart(8, "0").toUpperCase() + (low >>> 0).toString(16).padStart(8, "0").toUpperCase()

const address = (frame: Int32Array, word: number) => `${hex(frame[2 * word]!, frame[2 * word + 1]!)}H`

/** The kernel itself has done what it may not, or cannot. */
const ownFault = (frame: Int32Array, { systemLow, systemHigh }: ProcessorService): string => {
  const vector = frame[2 * Frame.vector]!
  const at =
    vector === Vector.PF ? `, address ${hex(systemLow(SystemRegister.CR2), systemHigh(SystemRegister.CR2))}H` : ""
  const code = frame[2 * Frame.error]!
  return `the kernel was refused: ${nameOf(vector)} (error code ${code}) at RIP ${address(frame, Frame.rip)}${at}`
}
