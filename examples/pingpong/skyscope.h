/* Made by scripts/examples.ts from the tables in src/types. */
typedef unsigned long word;

enum {
  syscall_Call = -1,
  syscall_ReplyRecv = -2,
  syscall_NBSendRecv = -3,
  syscall_NBSendWait = -4,
  syscall_Send = -5,
  syscall_NBSend = -6,
  syscall_Recv = -7,
  syscall_NBRecv = -8,
  syscall_Wait = -9,
  syscall_NBWait = -10,
  syscall_Yield = -11,
  syscall_VMEnter = -32,
};

enum {
  arithmetic_double = 0,
  arithmetic_report = 1,
  replied = 0,
  not_understood = 17,
  tcb_suspend = 12
};

/* A message of at most four words, which travel in registers. */
struct message {
  word label, length, badge;
  word words[4];
};

/* The system call instruction itself takes RCX and R11; all other registers come back as they were, or as the answer says. */
static inline struct message system_call(long number, word capability, struct message message, word reply_object) {
  register word number_ __asm__("rdx") = (word)number;
  register word capability_ __asm__("rdi") = capability;
  register word info __asm__("rsi") = message.label << 12 | message.length;
  register word w0 __asm__("r10") = message.words[0];
  register word w1 __asm__("r8") = message.words[1];
  register word w2 __asm__("r9") = message.words[2];
  register word w3 __asm__("r15") = message.words[3];
  register word reply __asm__("r12") = reply_object;
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
