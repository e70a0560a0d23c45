/** FaultMessage: the registers in a fault's message and in the reply to it. */
import * as Fault from "../Fault.ts"
import { type UserContext, type UserRegister, userContext } from "./Registers.ts"

type Registers = ReadonlyArray<UserRegister>

const unknownSyscall = [
  ...(["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"] as const),
  ...(["rip", "rsp", "rflags"] as const)
]

const userException = ["rip", "rsp", "rflags"] as const

/** The registers at the beginning of a fault's message, before the words of the fault itself. */
// biome-ignore format: a fault, a line
export const sent: { readonly [F in Fault.Fault["_tag"]]: Registers } = {
  CapFault:       ["rip"],
  UnknownSyscall: unknownSyscall,
  UserException:  userException,
  VMFault:        ["rip"],
  Timeout:        []
}

/** The registers that a reply with label 0 sets: as many of them, in this order, as the reply is long. */
// biome-ignore format: a fault, a line
export const replied: { readonly [F in Fault.Fault["_tag"]]: Registers } = {
  CapFault:       [],
  UnknownSyscall: unknownSyscall,
  UserException:  userException,
  VMFault:        [],
  /** All but the base of GS. */
  Timeout:        userContext.slice(0, -1)
}

/** A fault as its handler hears of it. */
export interface FaultMessage {
  readonly fault: Fault.Fault<bigint>
  /** Those that were sent with it. */
  readonly registers: Partial<UserContext<bigint>>
}

/** What a fault handler reads in a message; undefined if it is none that a kernel would send. */
export const fromWords = (label: number, words: ReadonlyArray<bigint>): FaultMessage | undefined => {
  const tag = Fault.tagOf(label)
  if (tag === undefined || words.length < sent[tag].length) return undefined
  const fault = Fault.fromWords(tag, words.slice(sent[tag].length))
  return fault && { fault, registers: Object.fromEntries(sent[tag].map((name, index) => [name, words[index]])) }
}
