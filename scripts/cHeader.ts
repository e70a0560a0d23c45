/** The kernel's interface as a C header, from the tables that kernel and programs read. */

import { Arithmetic } from "../examples/pingpong.ts"
import * as TCB from "../src/types/methods/TCB.ts"
import { syscalls } from "../src/types/Syscall.ts"
import { syscall } from "../src/types/x86_64/Registers.ts"
import { labels, operationsOf } from "../src/user/Wire.ts"

/** The header of the examples: with the labels of their protocol. */
export const skyscopeHeader = (): string =>
  header("scripts/examples.ts", [
    ...operationsOf(Arithmetic.protocol).map(
      ({ name, label }) => [`${Arithmetic.protocol.name}_${name}`, label] as const
    ),
    ["replied", labels.reply],
    ["not_understood", labels.notUnderstood]
  ])

/** `definitions`: names and numbers that the programs have beside. */
const header = (madeBy: string, definitions: ReadonlyArray<readonly [name: string, number: number]>): string => {
  const [r0, r1, r2, r3] = syscall.message
  return `/* Made by ${madeBy} from the tables in src/types. */
typedef unsigned long word;

enum {
${Object.entries(syscalls)
  .filter(([name]) => !name.startsWith("Debug"))
  .map(([name, number]) => `  syscall_${name} = ${number},`)
  .join("\n")}
};

enum {
${definitions.map(([name, number]) => `  ${name} = ${number},`).join("\n")}
  tcb_suspend = ${TCB.Suspend.label}
};

/* A message of at most four words, which travel in registers. */
struct message {
  word label, length, badge;
  word words[4];
};

/* The system call instruction itself takes RCX and R11; all other registers come back as they were, or as the answer says. */
static inline struct message system_call(long number, word capability, struct message message, word reply_object) {
  register word number_ __asm__("${syscall.number}") = (word)number;
  register word capability_ __asm__("${syscall.capability}") = capability;
  register word info __asm__("${syscall.info}") = message.label << 12 | message.length;
  register word w0 __asm__("${r0}") = message.words[0];
  register word w1 __asm__("${r1}") = message.words[1];
  register word w2 __asm__("${r2}") = message.words[2];
  register word w3 __asm__("${r3}") = message.words[3];
  register word reply __asm__("${syscall.reply}") = reply_object;
  __asm__ volatile("syscall"
                   : "+r"(capability_), "+r"(info), "+r"(w0), "+r"(w1), "+r"(w2), "+r"(w3)
                   : "r"(number_), "r"(reply)
                   : "rcx", "r11", "memory");
  return (struct message){.label = info >> 12, .length = info & 127, .badge = capability_, .words = {w0, w1, w2, w3}};
}

/* Send, and wait for the answer. */
static inline struct message call(word endpoint, struct message message) {
  return system_call(syscall_Call, endpoint, message, 0);
}

/* Wait for a message. Who called is answered through the reply object. */
static inline struct message receive(word endpoint, word reply_object) {
  return system_call(syscall_Recv, endpoint, (struct message){0}, reply_object);
}

/* Answer, and wait for the next message. */
static inline struct message reply_receive(word endpoint, word reply_object, struct message answer) {
  return system_call(syscall_ReplyRecv, endpoint, answer, reply_object);
}

/* Stop a thread. If it is the program's own, this does not return. */
static inline void suspend(word tcb) {
  call(tcb, (struct message){.label = tcb_suspend});
}
`
}
