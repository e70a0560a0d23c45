/**
 * VmEnter: the words of the system call that runs a virtual processor. It takes those of `call` in the first message
 * registers, and, if the message has as many words, the guest's registers; and comes back with a result in the register of
 * the message info: then they are there again, as the call would be made to go on.
 */
import { VmcsField } from "./VmcsField.ts"

export const result = {
  /** The thread's bound notification was signalled: its badge is in the register of badges, and nothing follows. */
  notification: 0,
  /** The guest did something that its monitor must know of: the message has the words of `exit`. */
  exit: 1
} as const

export const call = ["rip", "primaryControls", "event"] as const

/** The guest's general registers, in the order of messages. RSP is a field of the control structure. */
// biome-ignore format: the order of the message
export const registers = [
  "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"
] as const

/** A call whose message has so many words says the registers too, behind `call`: as X86_VCPU_WriteRegisters before it would. */
export const callWithRegisters = call.length + registers.length

/** Words that are fields of the control structure. */
// biome-ignore format: a word, a line
export const exitFields = {
  rip:                  VmcsField.GUEST_RIP,
  primaryControls:      VmcsField.PRIMARY_CONTROLS,
  event:                VmcsField.ENTRY_INTERRUPTION_INFORMATION,
  instructionLength:    VmcsField.EXIT_INSTRUCTION_LENGTH,
  guestPhysicalAddress: VmcsField.GUEST_PHYSICAL_ADDRESS,
  rflags:               VmcsField.GUEST_RFLAGS,
  interruptibility:     VmcsField.GUEST_INTERRUPTIBILITY_STATE,
  cr3:                  VmcsField.GUEST_CR3
} as const
export type ExitField = keyof typeof exitFields

/** The message of an exit. A VM entry that the processor refused has a reason of FFFFFFFFH. */
// biome-ignore format: the order of the message
export const exit = [
  ...call,
  "reason", "qualification", "instructionLength", "guestPhysicalAddress", "rflags", "interruptibility", "cr3",
  ...registers
] as const
export type ExitWord = (typeof exit)[number]

/** The reason of a VM entry that the processor refused. */
export const refused = 0xffff_ffff
