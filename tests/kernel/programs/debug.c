/* The calls for whoever develops a program: they tell, name and stop. */
#include "root.h"

static void debug(long number, word capability) {
  system_call(number, capability, (struct message){0}, 0, 0);
}

/* A name of at most 63 letters, in the words of the message that registers do not carry as well. */
static void name(word slot, const char *text) {
  char *to = (char *)my_buffer->words;
  word n = 0;
  do to[n] = text[n];
  while (text[n++] != 0);
  debug(syscall_DebugNameThread, slot);
}

static void idle(word argument) {
  (void)argument;
}

static void run_checks(void) {
  it("says of what kind a capability is, and 0 of none and of what cannot be found");
  word endpoint = make(object_Endpoint), cnode = make_sized(object_CapTable, 4), guarded = empty_slot();
  check_is(kind_in(endpoint), kind_Endpoint);
  check_is(kind_in(empty_slot()), 0);
  check_is(kind_in(1ul << 40), 0);
  struct thread *thread = start_thread(100, idle, 0), *other = start_thread(100, idle, 0), *last = new_thread(100, 0, idle, 0);
  struct thread *elsewhere = start_thread(100, idle, 0);
  ok(DomainSet_Set(slot_domain, 1, elsewhere->tcb));

  it("names threads, of which it then tells who runs and who could");
  name(slot_tcb, "first task");
  name(thread->tcb, "second, with a name of which only the first sixty-four letters are kept, and not more");
  name(other->tcb, "third");
  name(last->tcb, "not resumed");
  name(elsewhere->tcb, "elsewhere");
  name(endpoint, "no thread");
  name(empty_slot(), "nothing");
  debug(syscall_DebugDumpScheduler, 0);
  name(other->tcb, "");
  it("tells what the processor is doing");
  debug(syscall_DebugSnapshot, 0);
  it("takes part in nobody's time, and changes no register but that of the answer");
  word before = now();
  for (int n = 0; n < 100; n++) debug(syscall_DebugCapIdentify, endpoint);
  check_between(now() - before, 100, 100000);
  it("halts the machine");
  debug(syscall_DebugHalt, 0);
}
