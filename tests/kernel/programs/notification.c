/* Notifications: a word of badges, and who hears of it. */
#include "root.h"

static word endpoint, reply, done, faults;
static volatile word seen[8];

static void wait_once(word capability) {
  seen[0] = wait(capability).badge;
  seen[1]++;
  seen[4] = my_buffer->user_data;
}

static void check_words(void) {
  word notification = make(object_Notification), one = mint(notification, all_rights, 1), six = mint(notification, all_rights, 0x8000000000000006);
  it("collects the badges of signals until somebody waits, who gets them all and leaves none");
  signal(one);
  signal(six);
  signal(one);
  check_is(wait(notification).badge, 0x8000000000000007);
  check_is(poll(notification).badge, 0);

  it("is active after a signal without a badge");
  signal(notification);
  check_is(wait(notification).badge, 0);

  it("answers a call at once");
  check_is(call(one, message(1, 0)).label, 0);
  check_is(poll(notification).badge, 1);

  it("wakes one who waits with one signal's badge");
  start_thread(100, wait_once, notification);
  start_thread(100, wait_once, notification);
  let_others_run();
  signal(six);
  let_others_run();
  check_is(seen[0], 0x8000000000000006);
  check_is(seen[1], 1);
  signal(one);
  let_others_run();
  check_is(seen[0], 1);
  check_is(seen[1], 2);

  it("wakes those of higher priority first");
  seen[1] = 0;
  struct thread *low = start_thread(100, wait_once, notification);
  let_others_run();
  struct thread *high = start_thread(101, wait_once, notification);
  let_others_run();
  signal(one);
  let_others_run();
  check_is(seen[1], 1);
  check_is(seen[4], high->buffer->user_data);
  signal(one);
  let_others_run();
  check_is(seen[4], low->buffer->user_data);

  it("says nothing when the right to signal is missing, but to a call");
  word read_only = copy(notification, right_read), write_only = copy(notification, right_write);
  signal(read_only);
  check_is(poll(notification).badge, 0);
  check_is(call(read_only, message(0, 0)).label, error_InvalidCapability);

  it("makes it a fault to wait without the right to");
  struct thread *thread = new_thread(100, faults, wait_once, write_only);
  ok(TCB_Resume(thread->tcb));
  struct message message = receive(faults, reply);
  check_is(message.label, fault_CapFault);
  check_is(answer(CapFault_address), write_only);
  check_is(answer(CapFault_in_receive_phase), 1);
  ok(TCB_Suspend(thread->tcb));
}

/* —— Bound to a thread */

static void receive_once(word capability) {
  struct message message = receive(endpoint, capability);
  seen[2] = message.badge;
  seen[3]++;
}

static void check_bound(void) {
  word notification = make(object_Notification), signals = mint(notification, all_rights, 0x40), other = make(object_Notification);
  word its_reply = make(object_Reply);
  struct thread *thread = new_thread(100, 0, receive_once, its_reply);
  it("binds to one thread, and a thread to one notification");
  ok(TCB_BindNotification(thread->tcb, notification));
  check_is(TCB_BindNotification(thread->tcb, other), error_IllegalOperation);
  check_is(TCB_BindNotification(slot_tcb, notification), error_IllegalOperation);
  check_is(TCB_BindNotification(slot_tcb, copy(other, right_write)), error_IllegalOperation);
  check_is(TCB_BindNotification(slot_tcb, endpoint), error_IllegalOperation);

  it("reaches its thread while that waits for a message, with its own badge");
  seen[3] = 0;
  ok(TCB_Resume(thread->tcb));
  let_others_run();
  check_is(seen[3], 0);
  signal(signals);
  let_others_run();
  check_is(seen[3], 1);
  check_is(seen[2], 0x40);

  it("is heard before those who want to send");
  ok(set_registers(thread, receive_once, its_reply, 0));
  signal(signals);
  ok(TCB_Resume(thread->tcb));
  let_others_run();
  check_is(seen[3], 2);
  check_is(seen[2], 0x40);

  it("lets nobody wait but the thread that it is bound to");
  struct thread *stranger = new_thread(100, faults, wait_once, notification);
  ok(TCB_Resume(stranger->tcb));
  struct message message = receive(faults, reply);
  check_is(message.label, fault_CapFault);
  ok(TCB_Suspend(stranger->tcb));

  it("is free again when it is unbound, or deleted");
  ok(TCB_UnbindNotification(thread->tcb));
  check_is(TCB_UnbindNotification(thread->tcb), error_IllegalOperation);
  ok(set_registers(thread, receive_once, its_reply, 0));
  signal(signals);
  ok(TCB_Resume(thread->tcb));
  let_others_run();
  check_is(seen[3], 2);
  check_is(wait(notification).badge, 0x40);
  ok(TCB_Suspend(thread->tcb));
  ok(TCB_BindNotification(thread->tcb, other));
  ok(revoke(other));
  ok(delete(other));
  check_is(TCB_UnbindNotification(thread->tcb), error_IllegalOperation);
  ok(TCB_BindNotification(thread->tcb, notification));
}

/* —— Its time */

static void check_time(void) {
  it("gives its time to a thread without any that waits for it, and has it back when that waits again");
  word notification = make(object_Notification), context = make_sized(object_SchedContext, 8);
  ok(SchedControl_ConfigureFlags(boot_info->sched_control_start, turn, turn, 0, 0, 0, context));
  struct thread *passive = new_thread(100, 0, wait_once, notification);
  ok(TCB_Resume(passive->tcb));
  let_others_run();
  ok(SchedContext_Unbind(passive->context));
  seen[1] = 0;
  signal(notification);
  let_others_run();
  check_is(seen[1], 0);
  ok(SchedContext_Bind(passive->context, passive->tcb));
  let_others_run();
  check_is(seen[1], 1);

  ok(set_registers(passive, wait_once, notification, 1));
  let_others_run();
  ok(SchedContext_Unbind(passive->context));
  ok(SchedContext_Bind(context, notification));
  check_is(SchedContext_Bind(context, notification), error_IllegalOperation);
  check_is(SchedContext_Bind(passive->context, notification), error_IllegalOperation);
  signal(notification);
  let_others_run();
  check_is(seen[1], 2);
  ok(SchedContext_Unbind(context));

  it("lets those go who wait when it is deleted");
  struct thread *waiter = new_thread(100, faults, wait_once, notification);
  ok(TCB_Resume(waiter->tcb));
  let_others_run();
  ok(delete(notification));
  struct message message = receive(faults, reply);
  check_is(message.label, fault_CapFault);
  check_is(answer(CapFault_address), notification);
  check_is(answer(CapFault_failure), failure_missing_capability);
}

static void run_checks(void) {
  endpoint = make(object_Endpoint);
  reply = make(object_Reply);
  done = make(object_Notification);
  faults = make(object_Endpoint);
  check_words();
  check_bound();
  check_time();
}
