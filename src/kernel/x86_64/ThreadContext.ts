/**
 * ThreadContext: the registers of a thread while it does not run.
 *
 * The words of Read and WriteRegisters in their order, and one more: where the thread goes on. RIP, as programs read and write it, is where it was
 * when it entered the kernel; the two differ behind a system call, whose instruction is over unless it is to be made again.
 */
import type { MemoryService } from "../../hal/Memory.ts"
import type { ProcessorService } from "../../hal/Processor.ts"
import { linkedHigh, linkedLow } from "../../types/x86_64/KernelSpace.ts"
import { processorWords, type UserRegister, userContext } from "../../types/x86_64/Registers.ts"
import { Selector } from "./Descriptors.ts"
import { Offset } from "./Image.ts"

/** The number of each register: its word in the context. */
export const Register = {
  ...(Object.fromEntries(userContext.map((name, index) => [name, index])) as { readonly [R in UserRegister]: number }),
  next: userContext.length
}

export const contextWords = userContext.length + 1
const halves = 2 * contextWords

/** Bits of RFLAGS. SDM vol. 1, "EFLAGS Register". */
export const Flag = { fixed: 0x2, IF: 0x200, RF: 0x1_0000 } as const

/** What a thread begins with: interruptible, every other register 0. */
export const initialFlags = Flag.fixed | Flag.IF

/** Flags that a program may set in a thread: CF PF AF ZF SF DF OF. */
const settable = 0xcd5

/** A linear address that the processor takes as one: bits 63 to 47 are equal. */
const canonical = (high: number) => high >> 15 === 0 || high >> 15 === -1

/**
 * A word from a program as a register of a thread may hold it. The processor refuses to go on at an address that is not canonical, and the refusal would
 * hit the kernel (SDM vol. 2, "IRET", "SYSRET"): such an address becomes 0. A thread stays interruptible.
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

/** Where each word of the context is among the processor's registers; RIP, RFLAGS and `next` have a way of their own. */
const moved: readonly { readonly context: number; readonly processor: number }[] = userContext.flatMap((name, index) =>
  name === "rip" || name === "rflags" ? [] : [{ context: index, processor: processorWords[name] }]
)
const contextAt = Uint8Array.from(moved, ({ context }) => 2 * context)
const processorAt = Uint8Array.from(moved, ({ processor }) => 2 * processor)

const { rip, rsp, rflags, rcx, r11, next } = Register
const P = processorWords

/** The frame of an interrupt as the stubs leave it, in words: SDM vol. 3A, "64-Bit Mode Stack Frame", under the two that the stub pushed. */
export const Frame = { vector: 0, error: 1, rip: 2, cs: 3, rflags: 4, rsp: 5, ss: 6, words: 7 } as const

export interface Contexts {
  /** After SYSCALL: RCX is the address behind it, R11 the flags. */
  readonly saveSyscall: (context: number) => void
  /** After an interrupt whose frame (the words of `Frame`, as halves) this is. */
  readonly saveInterrupt: (context: number, frame: Int32Array) => void
  /** The instruction that entered the kernel, of two bytes, is where it would be made again, though the processor says it is over. */
  readonly stepBack: (context: number) => void
  /** The processor goes on with these registers in ring 3 when the gate is left. */
  readonly restore: (context: number) => void
  /** The processor waits for an interrupt when the gate is left. */
  readonly idle: () => void
}

/** `image` is where the kernel's image lies. A context is given by its physical address. */
export const make = (memory: MemoryService, { registers }: ProcessorService, image: number): Contexts => {
  // The context on its way: nothing is in it between two calls.
  const words = new Int32Array(halves)
  const frame = new Int32Array(2 * 5)
  const frameOffset = Offset.stackTop - frame.byteLength

  const gather = () => {
    for (let i = 0; i < contextAt.length; i++) {
      const from = processorAt[i]!
      const to = contextAt[i]!
      words[to] = registers[from]!
      words[to + 1] = registers[from + 1]!
    }
  }
  const scatter = () => {
    for (let i = 0; i < contextAt.length; i++) {
      const from = contextAt[i]!
      const to = processorAt[i]!
      registers[to] = words[from]!
      registers[to + 1] = words[from + 1]!
    }
  }
  const set = (word: number, low: number, high: number) => {
    words[2 * word] = low
    words[2 * word + 1] = high
  }
  /** SYSCALL and INT n have two bytes. */
  const setBack = (low: number, high: number) => set(rip, low - 2, low >>> 0 < 2 ? high - 1 : high)
  const same = (a: number, b: number) => words[2 * a] === words[2 * b] && words[2 * a + 1] === words[2 * b + 1]
  const goOnAt = (offset: number) => {
    registers[2 * P.rip] = linkedLow + offset
    registers[2 * P.rip + 1] = linkedHigh
  }

  return {
    saveSyscall: (context) => {
      gather()
      const low = words[2 * rcx]!
      const high = words[2 * rcx + 1]!
      set(next, low, high)
      setBack(low, high)
      set(rflags, words[2 * r11]!, words[2 * r11 + 1]!)
      memory.storeWords(context, words, 0, halves)
    },

    saveInterrupt: (context, interrupted) => {
      gather()
      set(rip, interrupted[2 * Frame.rip]!, interrupted[2 * Frame.rip + 1]!)
      set(next, interrupted[2 * Frame.rip]!, interrupted[2 * Frame.rip + 1]!)
      set(rflags, interrupted[2 * Frame.rflags]!, 0)
      set(rsp, interrupted[2 * Frame.rsp]!, interrupted[2 * Frame.rsp + 1]!)
      memory.storeWords(context, words, 0, halves)
    },

    stepBack: (context) => {
      memory.loadWords(context, words, 0, halves)
      setBack(words[2 * next]!, words[2 * next + 1]!)
      memory.storeWords(context, words, 0, halves)
    },

    restore: (context) => {
      memory.loadWords(context, words, 0, halves)
      scatter()
      // SYSRET takes RIP from RCX and RFLAGS, but for RF, from R11: where they are the same anyway, it does what IRET would.
      if (same(rcx, next) && same(r11, rflags) && (words[2 * rflags]! & Flag.RF) === 0) {
        goOnAt(Offset.sysret)
        return
      }
      frame[0] = words[2 * next]!
      frame[1] = words[2 * next + 1]!
      frame[2] = Selector.userCode
      frame[4] = words[2 * rflags]!
      frame[6] = words[2 * rsp]!
      frame[7] = words[2 * rsp + 1]!
      frame[8] = Selector.userData
      memory.storeWords(image + frameOffset, frame, 0, frame.length)
      registers[2 * P.rsp] = linkedLow + frameOffset
      registers[2 * P.rsp + 1] = linkedHigh
      goOnAt(Offset.iret)
    },

    idle: () => {
      registers[2 * P.rsp] = linkedLow + Offset.stackTop
      registers[2 * P.rsp + 1] = linkedHigh
      goOnAt(Offset.idle)
    }
  }
}
