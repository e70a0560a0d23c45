/**
 * ThreadContext: the registers of a thread while it does not run.
 *
 * The words of `Processor.registers` in their order, then the flags, then where the thread goes on. RIP, as programs
 * read and write it, is where the thread was when it entered the kernel; the two differ behind a system call, whose
 * instruction is over unless it is to be made again.
 */
import type { MemoryService } from "../../hal/Memory.ts"
import type { ProcessorService } from "../../hal/Processor.ts"
import { linkedHigh, linkedLow } from "../../types/x86_64/KernelSpace.ts"
import { processorWords, type UserRegister } from "../../types/x86_64/Registers.ts"
import { Selector } from "./Descriptors.ts"
import { Offset } from "./Image.ts"

/** The number of each register: its word in the context. */
export const Register = { ...processorWords, rflags: 19, next: 20 } as const satisfies Record<
  UserRegister | "next",
  number
>

const processorHalves = 2 * Register.rflags
const generalHalves = 2 * 16

/** Bits of RFLAGS. SDM vol. 1, "EFLAGS Register". */
export const Flag = { fixed: 0x2, IF: 0x200, RF: 0x1_0000 } as const

/** What a thread begins with: interruptible, every other register 0. */
export const initialFlags = Flag.fixed | Flag.IF

/** Flags that a program may set in a thread: CF PF AF ZF SF TF DF OF. */
const settable = 0xdd5

/** A linear address that the processor takes as one: bits 63 to 47 are equal. */
export const canonical = (high: number) => high >> 15 === 0 || high >> 15 === -1

/**
 * A word from a program as a register of a thread may hold it. The processor refuses to go on at an address that is not
 * canonical, and the refusal would hit the kernel (SDM vol. 2, "IRET", "SYSRET"): such an address becomes 0. A thread
 * stays interruptible.
 */
export const sanitised = (
  register: number,
  low: number,
  high: number
): { readonly low: number; readonly high: number } => {
  switch (register) {
    case Register.rip:
    case Register.next:
    case Register.fsBase:
    case Register.gsBase:
      return canonical(high) ? { low, high } : { low: 0, high: 0 }
    case Register.rflags:
      return { low: (low & settable) | initialFlags, high: 0 }
    default:
      return { low, high }
  }
}

const { rip, rsp, rcx, r11 } = Register

/**
 * The frame of an interrupt as the stubs leave it, in words: SDM vol. 3A, "64-Bit Mode Stack Frame", under the two that
 * the stub pushed.
 */
export const Frame = { vector: 0, error: 1, rip: 2, cs: 3, rflags: 4, rsp: 5, ss: 6, words: 7 } as const

export interface Contexts {
  /** After SYSCALL: RCX is the address behind it, R11 the flags. */
  readonly saveSyscall: (context: number) => void
  /** After an interrupt whose frame (the words of `Frame`, as halves) this is. */
  readonly saveInterrupt: (context: number, frame: Int32Array) => void
  /**
   * The instruction that entered the kernel, of two bytes, is where it would be made again, though the processor says
   * it is over.
   */
  readonly stepBack: (context: number) => void
  /** The processor goes on with these registers in ring 3 when the gate is left. */
  readonly restore: (context: number) => void
  /** The processor waits for an interrupt when the gate is left. */
  readonly idle: () => void
  /**
   * The processor runs a guest when the gate is left: its general registers, by their numbers, are at this address, and
   * the current control structure says all else. `again`: that structure was run before.
   */
  readonly runGuest: (general: number, again: boolean) => void
  /** The general registers that a guest's exit left go there. */
  readonly saveGuest: (general: number) => void
}

/** `image` is where the kernel's image lies. A context is given by its physical address. */
export const make = (memory: MemoryService, { registers }: ProcessorService, image: number): Contexts => {
  // What of a context on its way is no register of the processor's: the flags, and `next`. Nothing is in it between two
  // calls.
  const rest = new Int32Array(4)
  const frame = new Int32Array(2 * 5)
  const frameOffset = Offset.stackTop - frame.byteLength

  const set = (word: number, low: number, high: number) => {
    registers[2 * word] = low
    registers[2 * word + 1] = high
  }
  const setRest = (flags: number, nextLow: number, nextHigh: number) => {
    rest[0] = flags
    rest[2] = nextLow
    rest[3] = nextHigh
  }
  // A context is in one page: where that may be reached in place, it is.
  const { words } = memory
  const [inMemory, inProcessor] = [wholesOf(words), wholesOf(registers)]
  const save = (context: number) => {
    const at = memory.indexOf(context)
    if (at >= 0) {
      const start = at >>> 1
      for (let n = 0; n < Register.rflags; n++) inMemory[start + n] = inProcessor[n]!
      for (let n = 0; n < 4; n++) words[at + processorHalves + n] = rest[n]!
      return
    }
    memory.storeWords(context, registers, 0, processorHalves)
    memory.storeWords(context + 4 * processorHalves, rest, 0, rest.length)
  }
  const load = (context: number) => {
    const at = memory.indexOf(context)
    if (at >= 0) {
      const start = at >>> 1
      for (let n = 0; n < Register.rflags; n++) inProcessor[n] = inMemory[start + n]!
      for (let n = 0; n < 4; n++) rest[n] = words[at + processorHalves + n]!
      return
    }
    memory.loadWords(context, registers, 0, processorHalves)
    memory.loadWords(context + 4 * processorHalves, rest, 0, rest.length)
  }
  const goOnAt = (offset: number) => set(rip, linkedLow + offset, linkedHigh)

  return {
    saveSyscall: (context) => {
      const low = registers[2 * rcx]!
      const high = registers[2 * rcx + 1]!
      set(rip, low - twoBytes, low >>> 0 < twoBytes ? high - 1 : high)
      setRest(registers[2 * r11]!, low, high)
      save(context)
    },

    saveInterrupt: (context, interrupted) => {
      const low = interrupted[2 * Frame.rip]!
      const high = interrupted[2 * Frame.rip + 1]!
      set(rip, low, high)
      set(rsp, interrupted[2 * Frame.rsp]!, interrupted[2 * Frame.rsp + 1]!)
      setRest(interrupted[2 * Frame.rflags]!, low, high)
      save(context)
    },

    stepBack: (context) => {
      const at = context + 8 * rip
      const low = memory.load32(at)
      memory.store32(at, low - twoBytes)
      if (low >>> 0 < twoBytes) memory.store32(at + 4, memory.load32(at + 4) - 1)
    },

    restore: (context) => {
      load(context)
      const flags = rest[0]!
      // SYSRET takes RIP from RCX and RFLAGS, but for RF, from R11: where they are the same anyway, it does what IRET
      // would.
      if (
        registers[2 * rcx] === rest[2] &&
        registers[2 * rcx + 1] === rest[3] &&
        registers[2 * r11] === flags &&
        registers[2 * r11 + 1] === 0 &&
        (flags & Flag.RF) === 0
      ) {
        goOnAt(Offset.sysret)
        return
      }
      frame[0] = rest[2]!
      frame[1] = rest[3]!
      frame[2] = Selector.userCode
      frame[4] = flags
      frame[6] = registers[2 * rsp]!
      frame[7] = registers[2 * rsp + 1]!
      frame[8] = Selector.userData
      memory.storeWords(image + frameOffset, frame, 0, frame.length)
      set(rsp, linkedLow + frameOffset, linkedHigh)
      goOnAt(Offset.iret)
    },

    idle: () => {
      set(rsp, linkedLow + Offset.stackTop, linkedHigh)
      goOnAt(Offset.idle)
    },

    runGuest: (general, again) => {
      memory.loadWords(general, registers, 0, generalHalves)
      set(rsp, linkedLow + Offset.stackTop, linkedHigh)
      goOnAt(again ? Offset.resume : Offset.launch)
    },

    saveGuest: (general) => memory.storeWords(general, registers, 0, generalHalves)
  }
}

/** Halves as the words that they are of: a loop over these takes half as long. */
const wholesOf = (halves: Int32Array): BigUint64Array =>
  new BigUint64Array(halves.buffer, halves.byteOffset, halves.length >>> 1)

/** The length of SYSCALL, and of INT n. */
const twoBytes = 2
