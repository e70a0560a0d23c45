/* Threads: registers, priorities, what they are made of. */
#include "root.h"

static word endpoint, reply __attribute__((used)), done;
static volatile word seen[16];

static void count_for_ever(word argument) {
  for (;;) seen[argument]++;
}

static void note(word argument) {
  seen[argument]++;
}

/* —— Registers */

enum { all_registers = 20 };

/* Waits for a message with every register a number of its own. */
__asm__(
  "wait_with_registers:\n"
  "  mov $101, %eax\n"
  "  mov $102, %ebx\n"
  "  mov $105, %ebp\n"
  "  mov $-7, %rdx\n"
  "  mov endpoint(%rip), %rdi\n"
  "  mov reply(%rip), %r12\n"
  "  mov $113, %r13d\n"
  "  mov $114, %r14d\n"
  "  mov $115, %r15d\n"
  "  mov $108, %r8d\n"
  "  mov $109, %r9d\n"
  "  mov $110, %r10d\n"
  "  mov $104, %esi\n"
  ".globl waiting_there\n"
  "waiting_there:\n"
  "  syscall\n"
  "  ud2\n");
extern void wait_with_registers(void), waiting_there(void);

static void check_registers(void) {
  struct thread *thread = new_thread(100, 0, note, 0);
  struct user_context context;
  word *words = (word *)&context;

  it("writes and reads every register of a thread that is stopped");
  for (word n = 0; n < all_registers; n++) words[n] = 0x100000 + n;
  ok(TCB_WriteRegisters(thread->tcb, 0, all_registers, words, all_registers));
  ok(TCB_ReadRegisters(thread->tcb, 0, all_registers));
  for (word n = 0; n < all_registers; n++) if (n != 2) check_is(answer(n), 0x100000 + n);

  it("keeps a thread interruptible, and out of what no program may have");
  words[2] = ~0ul;
  ok(TCB_WriteRegisters(thread->tcb, 0, 3, words, 3));
  ok(TCB_ReadRegisters(thread->tcb, 0, 3));
  check_is(answer(2), 0xfd7);
  words[0] = 1ul << 47, words[18] = 1ul << 63;
  ok(TCB_WriteRegisters(thread->tcb, 0, all_registers, words, all_registers));
  ok(TCB_ReadRegisters(thread->tcb, 0, all_registers));
  check_is(answer(0), 0);
  check_is(answer(18), 0);

  it("writes as many registers as are given");
  words[0] = 5, words[1] = 6;
  ok(TCB_WriteRegisters(thread->tcb, 0, 1, words, 1));
  ok(TCB_ReadRegisters(thread->tcb, 0, 2));
  check_is(answer(0), 5);
  check_is(answer(1), 0x100001);
  check_is(TCB_WriteRegisters(thread->tcb, 0, 5, words, 4), error_TruncatedMessage);
  check_is(TCB_ReadRegisters(thread->tcb, 0, 21), error_RangeError);
  check_is(answer(0), 1);
  check_is(answer(1), all_registers);
  check_is(TCB_ReadRegisters(thread->tcb, 0, 0), error_RangeError);

  it("does neither to the thread that asks");
  check_is(TCB_ReadRegisters(slot_tcb, 0, 1), error_IllegalOperation);
  check_is(TCB_WriteRegisters(slot_tcb, 0, 1, words, 1), error_IllegalOperation);

  it("reads a thread that waits as it is, at the instruction that it waits in");
  for (word n = 0; n < all_registers; n++) words[n] = 0;
  context.rip = (word)wait_with_registers;
  context.rsp = 0x1234560;
  ok(TCB_WriteRegisters(thread->tcb, 1, all_registers, words, all_registers));
  let_others_run();
  ok(TCB_ReadRegisters(thread->tcb, 0, all_registers));
  for (word n = 0; n < all_registers; n++) words[n] = answer(n);
  check_is(context.rip, waiting_there);
  check_is(context.rsp, 0x1234560);
  check_is(context.rax, 101);
  check_is(context.rbx, 102);
  check_is(context.rbp, 105);
  check_is(context.rdx, -7);
  check_is(context.rdi, endpoint);
  check_is(context.r13, 113);
  check_is(context.r14, 114);
  check_is(context.r15, 115);

  it("copies the registers of another thread");
  struct thread *copied = new_thread(100, 0, note, 0);
  word frame = 4, integer = 8;
  ok(TCB_CopyRegisters(copied->tcb, frame | integer, thread->tcb));
  ok(TCB_ReadRegisters(copied->tcb, 0, all_registers));
  for (word n = 0; n < all_registers; n++) check_is(answer(n), words[n]);
  check_is(TCB_CopyRegisters(copied->tcb, frame, endpoint), error_InvalidCapability);
  check_is(answer(0), 1);
  ok(TCB_Suspend(thread->tcb));

  it("sets the base of a thread's own variables");
  ok(TCB_SetTLSBase(thread->tcb, 0x7654321));
  ok(TCB_ReadRegisters(thread->tcb, 0, 19));
  check_is(answer(18), 0x7654321);
}

/* —— Priorities */

static void check_priorities(void) {
  it("lets a thread of higher priority run at once, and one of lower not");
  seen[1] = seen[2] = 0;
  set_priority(100);
  struct thread *low = start_thread(99, note, 1);
  check_is(seen[1], 0);
  struct thread *high = start_thread(101, note, 2);
  check_is(seen[2], 1);
  it("runs a thread whose priority is raised above that of the running one");
  ok(TCB_SetPriority(low->tcb, 101, slot_tcb));
  check_is(seen[1], 1);
  set_priority(255);

  it("gives no priority above the maximum that the authority may give");
  struct thread *authority = new_thread(10, 0, note, 0);
  ok(TCB_SetMCPriority(authority->tcb, 60, slot_tcb));
  check_is(TCB_SetPriority(high->tcb, 61, authority->tcb), error_RangeError);
  check_is(answer(0), 0);
  check_is(answer(1), 60);
  ok(TCB_SetPriority(high->tcb, 60, authority->tcb));
  check_is(TCB_SetMCPriority(high->tcb, 61, authority->tcb), error_RangeError);
  check_is(TCB_SetSchedParams(high->tcb, 60, 61, authority->tcb, high->context, 0), error_RangeError);
  check_is(TCB_SetPriority(high->tcb, 256, slot_tcb), error_RangeError);
  check_is(answer(1), 255);
  check_is(TCB_SetPriority(high->tcb, 10, endpoint), error_InvalidCapability);
  it("keeps a priority above the maximum when that is lowered later");
  ok(TCB_SetPriority(authority->tcb, 70, slot_tcb));
  ok(TCB_SetMCPriority(authority->tcb, 20, slot_tcb));
  check_is(TCB_SetPriority(authority->tcb, 70, authority->tcb), error_RangeError);
}

/* —— Stopping */

static void check_stopping(void) {
  it("stops a thread and lets it go on where it was");
  struct thread *thread = start_thread(100, count_for_ever, 3);
  set_priority(100);
  yield();
  set_priority(255);
  word count = seen[3];
  check(count > 0);
  ok(TCB_Suspend(thread->tcb));
  set_priority(50);
  set_priority(255);
  check_is(seen[3], count);
  ok(TCB_Resume(thread->tcb));
  set_priority(100);
  yield();
  set_priority(255);
  check(seen[3] > count);
  ok(TCB_Suspend(thread->tcb));

  it("stops for ever what is deleted");
  count = seen[3];
  ok(TCB_Resume(thread->tcb));
  ok(delete(thread->tcb));
  set_priority(50);
  set_priority(255);
  check_is(seen[3], count);
}

/* —— What it is made of */

static void check_parts(void) {
  struct thread *thread = new_thread(100, 0, note, 5);
  it("has an IPC buffer of 1024 bytes in a frame, at a multiple of that");
  check_is(TCB_SetIPCBuffer(thread->tcb, 0x480200, thread->frame), error_AlignmentError);
  ok(TCB_SetIPCBuffer(thread->tcb, 0x480400, thread->frame));
  check_is(TCB_SetIPCBuffer(thread->tcb, 0x480400, endpoint), error_IllegalOperation);
  it("has a CNode and an address space with an identifier");
  word space = make(object_PML4);
  check_is(TCB_SetSpace(thread->tcb, 0, 0, 0, slot_cnode, space), error_IllegalOperation);
  check_is(TCB_SetSpace(thread->tcb, 0, 0, 0, slot_address_space, slot_address_space), error_IllegalOperation);
  check_is(TCB_SetSpace(thread->tcb, 0, 0, slot_tcb, slot_cnode, slot_address_space), error_InvalidCapability);
  check_is(answer(0), 1);
  ok(TCB_SetSpace(thread->tcb, 0, 0, 0, slot_cnode, slot_address_space));
  it("finds its capabilities by the guard that it was given");
  struct thread *guarded = new_thread(100, 0, note, 5);
  word cnode = make_sized(object_CapTable, 4);
  ok(CNode_Mint(cnode, 3, 4, done, root_depth, all_rights, 0x20, slot_cnode));
  ok(TCB_Configure(guarded->tcb, 60, 0, (word)guarded->buffer, cnode, slot_address_space, guarded->frame));
  ok(set_registers(guarded, signal, 3, 1));
  check_is(wait(done).badge, 0x20);
  ok(TCB_Suspend(guarded->tcb));

  it("has the flag of a thread without floating point, and no others");
  ok(TCB_SetFlags(thread->tcb, 0, ~0ul));
  check_is(answer(0), 1);
  ok(TCB_SetFlags(thread->tcb, 0, 0));
  check_is(answer(0), 1);
  ok(TCB_SetFlags(thread->tcb, 1, 0));
  check_is(answer(0), 0);
  ok(TCB_SetFlags(thread->tcb, 1, 1));
  check_is(answer(0), 1);
}

static void run_checks(void) {
  endpoint = make(object_Endpoint);
  reply = make(object_Reply);
  done = make(object_Notification);
  check_registers();
  check_priorities();
  check_stopping();
  check_parts();
}
