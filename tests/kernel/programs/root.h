/* What the programs here share: each is a first task that checks what the kernel does, and prints what it has checked. */
#include "interface.h"

/* —— What is checked: a sentence, and after it each check of it that failed. */

static void put(char letter) {
  /* No message: the thread may have no IPC buffer. */
  register word number __asm__("rdx") = (word)syscall_DebugPutChar;
  register word capability __asm__("rdi") = (byte)letter;
  __asm__ volatile("syscall" : "+r"(capability) : "r"(number) : "rcx", "r11", "rsi", "r10", "r8", "r9", "r15", "memory");
}

static void print(const char *text) {
  while (*text != 0) put(*text++);
}

static void print_number(word number) {
  print("0x");
  int digits = 1;
  while (digits < 16 && number >> 4 * digits != 0) digits++;
  while (digits-- > 0) put("0123456789ABCDEF"[number >> 4 * digits & 15]);
}

static void it(const char *sentence) {
  print("- ");
  print(sentence);
  put('\n');
}

static void failed(int line, const char *what) {
  print("  FAILED at line ");
  word digits = 1;
  while ((word)line / digits >= 10) digits *= 10;
  for (; digits > 0; digits /= 10) put('0' + line / digits % 10);
  print(": ");
  print(what);
}

static void check_true(int line, const char *what, int holds) {
  if (holds) return;
  failed(line, what);
  put('\n');
}

static void check_equal(int line, const char *what, word value, word wanted) {
  if (value == wanted) return;
  failed(line, what);
  print(" is ");
  print_number(value);
  print(", not ");
  print_number(wanted);
  put('\n');
}

static void check_range(int line, const char *what, word value, word least, word most) {
  if (value >= least && value <= most) return;
  failed(line, what);
  print(" is ");
  print_number(value);
  print(", not from ");
  print_number(least);
  print(" to ");
  print_number(most);
  put('\n');
}

#define check(condition) check_true(__LINE__, #condition, (condition) ? 1 : 0)
#define check_is(value, wanted) check_equal(__LINE__, #value, (word)(value), (word)(wanted))
#define check_between(value, least, most) check_range(__LINE__, #value, value, least, most)
/* A call that is not refused. */
#define ok(call) check_is(call, error_none)

/* —— Words of the last answer */

#define answer(index) (my_buffer->words[index])

/* —— Objects */

static struct boot_info *boot_info;
static word next_slot, memory_slot;

enum { root_depth = 64 };

static word empty_slot(void) {
  return next_slot++;
}

static word retype(word untyped, word type, word size_bits, word slot) {
  return Untyped_Retype(untyped, type, size_bits, 0, 0, slot, 1, slot_cnode);
}

/* An object in a new slot. */
static word make_sized(word type, word size_bits) {
  word slot = empty_slot();
  check_equal(__LINE__, "an object is made", retype(memory_slot, type, size_bits, slot), error_none);
  return slot;
}

static word make(word type) {
  return make_sized(type, 0);
}

/* A copy in a new slot, with these rights. */
static word copy(word slot, word rights) {
  word to = empty_slot();
  check_equal(__LINE__, "a capability is copied", CNode_Copy(slot_cnode, to, root_depth, slot, root_depth, rights, slot_cnode), error_none);
  return to;
}

static word mint(word slot, word rights, word badge) {
  word to = empty_slot();
  check_equal(__LINE__, "a capability is minted", CNode_Mint(slot_cnode, to, root_depth, slot, root_depth, rights, badge, slot_cnode), error_none);
  return to;
}

static word delete(word slot) {
  return CNode_Delete(slot_cnode, slot, root_depth);
}

static word revoke(word slot) {
  return CNode_Revoke(slot_cnode, slot, root_depth);
}

/* The number of the kind of what is in a slot, 0 if nothing is. */
static word kind_in(word slot) {
  return system_call(syscall_DebugCapIdentify, slot, (struct message){0}, 0, 0).badge;
}

enum { all_rights = 15, right_write = 1, right_read = 2, right_grant = 4, right_grant_reply = 8 };
enum { page_bytes = 4096 };

/* —— Memory */

/* The page table of the image covers 2 MiB: this is behind all that boot puts there. */
static word next_address = 0x480000;

static word map_page(word frame) {
  word address = next_address;
  next_address += page_bytes;
  check_equal(__LINE__, "a page is mapped", X86_Page_Map(frame, address, all_rights, 0, slot_address_space), error_none);
  return address;
}

/* —— Messages */

/* The words of the message to be sent. */
static struct message message(word label, word length) {
  return (struct message){.label = label, .length = length};
}

static struct message send(word to, struct message message) {
  return system_call(syscall_Send, to, message, 0, 0);
}

static struct message nb_send(word to, struct message message) {
  return system_call(syscall_NBSend, to, message, 0, 0);
}

static struct message call(word to, struct message message) {
  return system_call(syscall_Call, to, message, 0, 0);
}

static struct message receive(word from, word reply) {
  return system_call(syscall_Recv, from, (struct message){0}, reply, 0);
}

static struct message nb_receive(word from, word reply) {
  return system_call(syscall_NBRecv, from, (struct message){0}, reply, 0);
}

static struct message wait(word from) {
  return system_call(syscall_Wait, from, (struct message){0}, 0, 0);
}

static struct message poll(word from) {
  return system_call(syscall_NBWait, from, (struct message){0}, 0, 0);
}

static struct message reply_receive(word from, word reply, struct message message) {
  return system_call(syscall_ReplyRecv, from, message, reply, 0);
}

static void signal(word notification) {
  send(notification, (struct message){0});
}

static void yield(void) {
  system_call(syscall_Yield, 0, (struct message){0}, 0, 0);
}

/* —— Threads */

enum { stack_words = 512, most_threads = 48, first_priority = 255 };

struct thread {
  /* Where FS points: the address of its IPC buffer. */
  struct ipc_buffer *buffer;
  word tcb, context, frame;
  word stack[stack_words] __attribute__((aligned(16)));
};

static struct thread threads[most_threads];
static word thread_count;

typedef void body(word argument);

/* The rest of a thread that has nothing more to do. */
static void end(void) {
  for (;;) TCB_Suspend(threads[my_buffer->user_data].tcb);
}

static void run_body(body *run, word argument) {
  run(argument);
  end();
}

static word set_registers(struct thread *thread, body *run, word argument, int resumes) {
  struct user_context context = {
    .rip = (word)run_body,
    /* As after a call. */
    .rsp = (word)(thread->stack + stack_words - 1),
    .rdi = (word)run,
    .rsi = argument,
    .fs_base = (word)&thread->buffer
  };
  return TCB_WriteRegisters(thread->tcb, resumes, sizeof context / sizeof(word), (word *)&context, sizeof context / sizeof(word));
}

/* Microseconds of each turn. */
enum { turn = 1000 };

/* A thread that is not resumed yet. */
static struct thread *new_thread(word priority, word fault_handler, body *run, word argument) {
  check(thread_count < most_threads);
  struct thread *thread = &threads[thread_count];
  thread->tcb = make(object_TCB);
  thread->context = make_sized(object_SchedContext, 8);
  thread->frame = make(object_Page4K);
  thread->buffer = (struct ipc_buffer *)map_page(thread->frame);
  thread->buffer->user_data = thread_count++;
  ok(SchedControl_ConfigureFlags(boot_info->sched_control_start, turn, turn, 0, 0, 0, thread->context));
  ok(TCB_Configure(thread->tcb, 0, 0, (word)thread->buffer, slot_cnode, slot_address_space, thread->frame));
  ok(TCB_SetSchedParams(thread->tcb, 255, priority, slot_tcb, thread->context, fault_handler));
  ok(set_registers(thread, run, argument, 0));
  return thread;
}

/* A thread that runs as soon as it may. */
static struct thread *start_thread(word priority, body *run, word argument) {
  struct thread *thread = new_thread(priority, 0, run, argument);
  ok(TCB_Resume(thread->tcb));
  return thread;
}

static void set_priority(word priority) {
  ok(TCB_SetPriority(slot_tcb, priority, slot_tcb));
}

/* All others run until they wait. */
static void let_others_run(void) {
  set_priority(50);
  set_priority(255);
}

/* —— Time */

static word now(void) {
  unsigned low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  return (word)high << 32 | low;
}

/* —— The first instructions: every register as the kernel left it, then a stack. */

static word first_registers[18] __attribute__((used));
static struct thread first_thread;

__asm__(
  ".globl _start\n"
  "_start:\n"
  "  mov %rax, first_registers(%rip)\n"
  "  mov %rbx, first_registers+8(%rip)\n"
  "  mov %rcx, first_registers+16(%rip)\n"
  "  mov %rdx, first_registers+24(%rip)\n"
  "  mov %rsi, first_registers+32(%rip)\n"
  "  mov %rdi, first_registers+40(%rip)\n"
  "  mov %rbp, first_registers+48(%rip)\n"
  "  mov %rsp, first_registers+56(%rip)\n"
  "  mov %r8, first_registers+64(%rip)\n"
  "  mov %r9, first_registers+72(%rip)\n"
  "  mov %r10, first_registers+80(%rip)\n"
  "  mov %r11, first_registers+88(%rip)\n"
  "  mov %r12, first_registers+96(%rip)\n"
  "  mov %r13, first_registers+104(%rip)\n"
  "  mov %r14, first_registers+112(%rip)\n"
  "  mov %r15, first_registers+120(%rip)\n"
  "  lea first_thread_stack_end(%rip), %rsp\n"
  "  pushfq\n"
  "  popq first_registers+128(%rip)\n"
  "  rdfsbase %rax\n"
  "  mov %rax, first_registers+136(%rip)\n"
  "  call first\n"
  "  ud2\n");

static word first_stack[2048] __attribute__((aligned(16), used));
__asm__(".set first_thread_stack_end, first_stack + 16384\n");

static void run_checks(void);

__attribute__((used)) static void first(struct boot_info *info) {
  boot_info = info;
  first_thread.buffer = (struct ipc_buffer *)info->ipc_buffer;
  __asm__ volatile("wrfsbase %0" : : "r"(&first_thread.buffer));
  next_slot = info->empty_start;
  word largest = 0;
  for (word n = 0; n < info->untyped_end - info->untyped_start; n++)
    if (!info->untyped[n].is_device && info->untyped[n].size_bits > largest) {
      largest = info->untyped[n].size_bits;
      memory_slot = info->untyped_start + n;
    }
  run_checks();
  print("done\n");
  TCB_Suspend(slot_tcb);
}
