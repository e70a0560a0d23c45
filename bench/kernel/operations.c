/* One operation of the kernel, again and again: built with -DOPERATION=its name -DTIMES=how often. */
#include "../../tests/kernel/programs/root.h"
#include "../../tests/kernel/programs/guest.h"

/* —— What each begins with, and what is done each time. */

static word endpoint, reply, notification, memory, slot, frame, page;

static void serve(word argument) {
  (void)argument;
  receive(endpoint, reply);
  for (;;) reply_receive(endpoint, reply, (struct message){.length = 1});
}

static void begin_call(void) {
  endpoint = make(object_Endpoint);
  reply = make(object_Reply);
  start_thread(255, serve, 0);
  yield();
}

static void do_call(void) {
  call(endpoint, (struct message){.length = 1});
}

static void begin_signal(void) {
  notification = make(object_Notification);
}

static void do_signal(void) {
  signal(notification);
}

static void listen(word argument) {
  (void)argument;
  for (;;) wait(notification);
}

static void begin_wake(void) {
  notification = make(object_Notification);
  set_priority(254);
  start_thread(255, listen, 0);
}

static void do_wake(void) {
  signal(notification);
}

static void give_way(word argument) {
  (void)argument;
  for (;;) yield();
}

static void begin_switch(void) {
  start_thread(255, give_way, 0);
}

/* To the other thread, and back. */
static void do_switch(void) {
  yield();
}

static void begin_retype(void) {
  memory = make_sized(object_Untyped, 12);
  slot = empty_slot();
}

static void do_retype(void) {
  retype(memory, object_Endpoint, 0, slot);
  delete(slot);
}

static void begin_map(void) {
  frame = make(object_Page4K);
  page = next_address;
}

static void do_map(void) {
  X86_Page_Map(frame, page, all_rights, 0, slot_address_space);
  X86_Page_Unmap(frame);
}

static void stumble(word argument) {
  (void)argument;
  for (;;) __asm__ volatile("ud2");
}

static void begin_fault(void) {
  endpoint = make(object_Endpoint);
  reply = make(object_Reply);
  struct thread *thread = new_thread(255, endpoint, stumble, 0);
  ok(TCB_Resume(thread->tcb));
  receive(endpoint, reply);
}

/* The thread goes on behind its instruction, and comes to the next. */
static void do_fault(void) {
  my_buffer->words[UserException_rip] = answer(UserException_rip) + 2;
  reply_receive(endpoint, reply, (struct message){.length = 3});
}

static void begin_guest(void) {
  struct guest guest = new_guest(slot_tcb);
  /* vmcall; jmp back */
  for (word n = 0; n < 5; n++) guest.code[n] = (byte)"\x0f\x01\xc1\xeb\xfb"[n];
  my_buffer->words[0] = 3;
}

/* To the guest, which jumps back, and calls its monitor again. */
static void do_guest(void) {
  my_buffer->words[0] = 3;
  my_buffer->words[1] = hlt_exiting;
  my_buffer->words[2] = 0;
  system_call(syscall_VMEnter, 0, (struct message){0}, 0, 0);
}

#define named(prefix, name) prefix##name
#define of(prefix, name) named(prefix, name)

static void run_checks(void) {
  of(begin_, OPERATION)();
  for (word times = 0; times < TIMES; times++) of(do_, OPERATION)();
  set_priority(255);
  if (thread_count > 0) TCB_Suspend(threads[0].tcb);
}
