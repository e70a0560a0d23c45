/** Registers: their numbers, the order in which programs read and write them, and what a system call does with them. */

/** General-purpose registers by the numbers that instructions have for them. SDM vol. 2, "Instruction Format". */
// biome-ignore format: a table
export const general = {
  rax: 0, rcx: 1, rdx: 2,  rbx: 3,  rsp: 4,  rbp: 5,  rsi: 6,  rdi: 7,
  r8:  8, r9:  9, r10: 10, r11: 11, r12: 12, r13: 13, r14: 14, r15: 15
} as const

/**
 * Which word of `Processor.registers` (src/hal) is which register. RFLAGS is none of them: SYSCALL leaves it in R11, an interrupt on
 * the stack.
 */
export const processorWords = { ...general, rip: 16, fsBase: 17, gsBase: 18 } as const

/** The registers of a thread, in the order of the words of ReadRegisters and WriteRegisters. */
// biome-ignore format: a table
export const userContext = [
  "rip", "rsp", "rflags",
  "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp",
  "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
  "fsBase", "gsBase"
] as const

export type UserRegister = (typeof userContext)[number]

/** Every register of a thread. */
export type UserContext<W> = { readonly [R in UserRegister]: W }

/**
 * The registers of SYSCALL and what comes back in them.
 *
 * The processor itself takes RCX and R11; all others come back as they were. Programs keep their stack pointer in
 * RBX over a call, as they may; the kernel needs none.
 */
// biome-ignore format: a table
export const syscall = {
  /** The system call's number. */
  number:      "rdx",
  /** In: the capability pointer. Out: the badge. */
  capability:  "rdi",
  /** In and out: the message info. */
  info:        "rsi",
  /** In and out: words 0 to 3 of the message. */
  message:     ["r10", "r8", "r9", "r15"],
  /** The reply object to receive with. */
  reply:       "r12",
  /** Where NBSendRecv and NBSendWait send to. */
  destination: "r13"
} as const satisfies Record<string, UserRegister | ReadonlyArray<UserRegister>>
