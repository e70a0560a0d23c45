/**
 * Which word of `Processor.registers` is which register: the order of the manual's encoding numbers (SDM vol. 2A, "Register
 * Operands in 64-Bit Mode"), then RIP and the two segment bases that a program sets. RFLAGS is not among them: SYSCALL leaves it in
 * R11, an interrupt on the stack.
 */
// biome-ignore format: a table
export const Register = {
  rax: 0, rcx: 1, rdx: 2, rbx: 3, rsp: 4, rbp: 5, rsi: 6, rdi: 7,
  r8: 8, r9: 9, r10: 10, r11: 11, r12: 12, r13: 13, r14: 14, r15: 15,
  rip: 16, fs_base: 17, gs_base: 18
} as const
export type RegisterName = keyof typeof Register

/** A thread's registers as TCB_ReadRegisters and TCB_WriteRegisters move them, one word each, in this order. */
// biome-ignore format: a table
export const userContext = [
  "rip", "rsp", "rflags", "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp",
  "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "fs_base", "gs_base"
] as const
export type ContextName = (typeof userContext)[number]

/** The index in `userContext` of each register. */
export const Context = Object.fromEntries(userContext.map((name, index) => [name, index])) as {
  readonly [N in ContextName]: number
}

/**
 * The registers of a system call (SYSCALL): what each carries in, and out. The other registers keep their contents, except that the
 * instruction itself leaves RIP in RCX and RFLAGS in R11.
 */
export const SyscallRegister = {
  number: "rdx",
  /** In: the capability pointer. Out: the badge. */
  capability: "rdi",
  badge: "rdi",
  /** In and out: the message info. */
  info: "rsi",
  messageRegisters: ["r10", "r8", "r9", "r15"],
  reply: "r12",
  /** Of the send phase of NBSendRecv and NBSendWait. */
  destination: "r13"
} as const satisfies Record<string, RegisterName | readonly RegisterName[]>
