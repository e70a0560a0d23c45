/* Rules about faults: what is told of them, to whom, and how a thread goes on. */
#include "rules.h"

static word reply, faults;

static struct thread *faulty;

static void fault_of(body *run, word argument, word label, word length) {
  ok(set_registers(faulty, run, argument, 1));
  struct message message = receive(faults, reply);
  check_is(message.label, label);
  check_is(message.length, length);
  check_is(message.badge, 0);
}

static void resumes_with(word label, word length) {
  send(reply, message(label, length));
  let_others_run();
}

static void touch(word address) {
  *(volatile word *)address = 1;
  seen[30]++;
}

extern byte undefined_at[], strange_at[];

static void undefined(word argument) {
  (void)argument;
  __asm__ volatile(".globl undefined_at; undefined_at: ud2");
  seen[30]++;
}

static void strange_call(word number) {
  word value = 0x3333;
  __asm__ volatile(".globl strange_at; strange_at: syscall" : "+a"(value) : "d"(number) : "rcx", "r11", "memory");
  seen[31] = value;
}

static void send_nowhere(word capability) {
  send(capability, message(0, 0));
  seen[30]++;
}

static void spin(word argument) {
  (void)argument;
  for (;;) seen[32]++;
}

static void fault_messages(void) {
  rule(21);
  faulty = new_thread(200, faults, touch, 0);
  seen[30] = 0;
  fault_of(touch, 0x1240, fault_VMFault, 4);
  check_is(answer(VMFault_address), 0x1240);
  check_is(answer(VMFault_fetch), 0);
  check_is(answer(VMFault_status), 6);
  resumes_with(0, 0);
  check_is(receive(faults, reply).label, fault_VMFault);

  fault_of(undefined, 0, fault_UserException, 5);
  check_is(answer(UserException_rip), undefined_at);
  check_is(answer(UserException_number), 6);
  check_is(answer(UserException_code), 0);
  my_buffer->words[UserException_rip] += 2;
  resumes_with(0, 1);
  check_is(seen[30], 1);

  fault_of(strange_call, -100, fault_UnknownSyscall, 19);
  check_is(answer(UnknownSyscall_rip), strange_at);
  check_is(answer(UnknownSyscall_rax), 0x3333);
  check_is(answer(UnknownSyscall_syscall), -100);
  my_buffer->words[UnknownSyscall_rax] = 0x5555;
  my_buffer->words[UnknownSyscall_rip] += 2;
  resumes_with(0, 18);
  check_is(seen[31], 0x5555);

  fault_of(send_nowhere, 1ul << 40, fault_CapFault, 7);
  check_is(answer(CapFault_address), 1ul << 40);
  check_is(answer(CapFault_in_receive_phase), 0);
  check_is(answer(CapFault_failure), failure_guard_mismatch);
  check_is(answer(CapFault_bits_left), 64);
  resumes_with(0, 0);
  check_is(receive(faults, reply).label, fault_CapFault);

  ok(SchedControl_ConfigureFlags(boot_info->sched_control_start, 100, 5000, 0, 0x99, 0, faulty->context));
  ok(TCB_SetTimeoutEndpoint(faulty->tcb, faults));
  fault_of(spin, 0, fault_Timeout, 2);
  check_is(answer(Timeout_badge), 0x99);
  check_between(answer(Timeout_consumed), 99, 110);
  /* An answer may set all registers: the thread is elsewhere. */
  seen[30] = 0;
  ok(SchedControl_ConfigureFlags(boot_info->sched_control_start, turn, turn, 0, 0, 0, faulty->context));
  ok(TCB_ReadRegisters(faulty->tcb, 0, 19));
  my_buffer->words[0] = (word)undefined_at + 2;
  resumes_with(0, 19);
  check_is(seen[30], 1);
  /* A label stops the thread. */
  seen[30] = 0;
  fault_of(undefined, 0, fault_UserException, 5);
  my_buffer->words[UserException_rip] += 2;
  resumes_with(1, 1);
  check_is(seen[30], 0);
}

static void no_handler(void) {
  rule(22);
  /* None; one that was deleted. */
  word handler = make(object_Endpoint);
  for (int n = 0; n < 2; n++) {
    struct thread *thread = new_thread(200, n == 0 ? 0 : handler, undefined, 0);
    if (n == 1) ok(revoke(handler)), ok(delete(handler));
    ok(TCB_Resume(thread->tcb));
    let_others_run();
    check_is(nb_receive(faults, reply).label, 0);
    ok(TCB_ReadRegisters(thread->tcb, 0, 1));
    check_is(answer(0), undefined_at);
    /* It is inactive as one that was never resumed: it goes on when it is told to, where it is told to. */
    seen[30] = 0;
    ok(set_registers(thread, send_nowhere, slot_null, 1));
    let_others_run();
    check_is(seen[30], 1);
  }
  /* A handler must be able to be asked, and to answer. */
  struct thread *thread = new_thread(200, 0, undefined, 0);
  check_is(TCB_SetSchedParams(thread->tcb, 255, 200, slot_tcb, slot_null, copy(faults, right_read | right_grant)), error_InvalidCapability);
  check_is(answer(0), 3);
  check_is(TCB_SetSchedParams(thread->tcb, 255, 200, slot_tcb, slot_null, copy(faults, right_write)), error_InvalidCapability);
  check_is(TCB_SetSchedParams(thread->tcb, 255, 200, slot_tcb, slot_null, make(object_Notification)), error_InvalidCapability);
  ok(TCB_SetSchedParams(thread->tcb, 255, 200, slot_tcb, slot_null, copy(faults, right_write | right_grant_reply)));
}

static void run_checks(void) {
  reply = make(object_Reply);
  faults = make(object_Endpoint);
  fault_messages();
  no_handler();
}
