/* Floating point: each thread has registers of its own, or none. */
#include "root.h"

static word faults, reply, done;
static volatile word seen[8];

static void set_vector(word value) {
  __asm__ volatile("movq %0, %%xmm5" : : "r"(value));
}

static word vector(void) {
  word value;
  __asm__ volatile("movq %%xmm5, %0" : "=r"(value));
  return value;
}

static word control(void) {
  struct { unsigned words[128]; } __attribute__((aligned(16))) image;
  __asm__ volatile("fxsave %0" : "=m"(image));
  return image.words[6];
}

static void use(word value) {
  seen[0] = vector();
  seen[1] = control();
  for (word n = 0; n < 20; n++) {
    set_vector(value + n);
    yield();
    if (vector() != value + n) seen[2]++;
  }
  signal(done);
}

static word enabled_state(void) {
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (word)high << 32 | low;
}

static void run_checks(void) {
  faults = make(object_Endpoint);
  reply = make(object_Reply);
  done = make(object_Notification);
  it("begins with registers of 0 and all exceptions masked");
  check_is(vector(), 0);
  check_is(control(), 0x1f80);
  it("has x87 and SSE state, which is what is kept, and no other");
  check_is(enabled_state(), 3);
  it("keeps the registers of each thread, and shows none of another's");
  set_vector(0x1111222233334444);
  struct thread *a = start_thread(100, use, 0x5000), *b = start_thread(100, use, 0x6000);
  let_others_run();
  check_is(seen[0], 0);
  check_is(seen[1], 0x1f80);
  check_is(seen[2], 0);
  check_is(vector(), 0x1111222233334444);

  it("is an exception, number 7, to a thread without floating point");
  struct thread *none = new_thread(200, faults, use, 1);
  ok(TCB_SetFlags(none->tcb, 0, 1));
  ok(TCB_Resume(none->tcb));
  struct message message = receive(faults, reply);
  check_is(message.label, fault_UserException);
  check_is(answer(UserException_number), 7);
  check_is(answer(UserException_code), 0);
  it("goes on when the thread has it again, with registers of its own");
  ok(TCB_SetFlags(none->tcb, 1, 0));
  seen[0] = 1;
  send(reply, (struct message){0});
  let_others_run();
  check_is(seen[0], 0);
  check_is(seen[2], 0);

  it("keeps them while it is taken away");
  ok(TCB_SetFlags(slot_tcb, 0, 1));
  ok(TCB_SetFlags(slot_tcb, 1, 0));
  check_is(vector(), 0x1111222233334444);

  it("leaves nothing behind when a thread is deleted");
  struct thread *last = start_thread(200, set_vector, 0x7777);
  let_others_run();
  ok(delete(last->tcb));
  struct thread *next = start_thread(200, use, 0x8000);
  let_others_run();
  check_is(seen[0], 0);
  check_is(vector(), 0x1111222233334444);
}
