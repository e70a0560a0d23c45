/* Calls in chains, reply objects, and the time that goes along with a call to servers without any. */
#include "root.h"

static word endpoints[4], replies[4], done, faults;
static volatile word seen[16];

/* Server n: adds 1 to what it is asked, and asks server n + 1 if there is one. It begins without time of its own. */
static word servers;

static void serve(word n) {
  system_call(syscall_NBSendRecv, endpoints[n], (struct message){.label = 1}, replies[n], done);
  for (;;) {
    seen[n]++;
    word words = answer(0) + 1;
    my_buffer->words[0] = words;
    if (n + 1 < servers) call(endpoints[n + 1], (struct message){.length = 1});
    reply_receive(endpoints[n], replies[n], (struct message){.label = 5, .length = 1});
  }
}

/* It waits for its first message, and then has no time of its own. */
static struct thread *start_server(word n, word priority) {
  struct thread *thread = start_thread(priority, serve, n);
  wait(done);
  let_others_run();
  ok(SchedContext_Unbind(thread->context));
  return thread;
}

static void ask(word capability) {
  my_buffer->words[0] = 100;
  struct message message = call(capability, (struct message){.length = 1});
  seen[8] = answer(0);
  seen[9] = message.label;
  signal(done);
}

static void check_chain(void) {
  it("lends the caller's time to servers without time, along a chain of calls, and has it back");
  servers = 3;
  struct thread *server[3];
  for (word n = 0; n < 3; n++) server[n] = start_server(n, 100);
  struct thread *client = start_thread(100, ask, endpoints[0]);
  wait(done);
  check_is(seen[8], 103);
  check_is(seen[9], 5);
  /* It ended by suspending itself: with its time. */
  check_is(SchedContext_Bind(client->context, server[0]->tcb), error_IllegalOperation);
  ok(SchedContext_Consumed(client->context));

  it("takes the time of the thread that asks, not of the one that serves");
  ok(set_registers(client, ask, endpoints[0], 1));
  wait(done);
  check_is(seen[8], 103);

  it("gives no time along with a message that is no call");
  word before = seen[2];
  my_buffer->words[0] = 1;
  send(endpoints[2], message(0, 1));
  let_others_run();
  check_is(seen[2], before);
  /* The server has a message, but no time to look at it. */
  ok(SchedContext_Bind(server[2]->context, server[2]->tcb));
  let_others_run();
  check_is(seen[2], before + 1);
  for (word n = 0; n < 3; n++) ok(TCB_Suspend(server[n]->tcb));
}

static void call_and_note(word capability) {
  seen[10]++;
  call(capability, message(0, 0));
  seen[11]++;
}

static void check_objects(void) {
  it("lets the earlier caller stand still when its reply object is used again before it is answered");
  seen[10] = seen[11] = 0;
  struct thread *first = start_thread(100, call_and_note, endpoints[3]), *second = start_thread(100, call_and_note, endpoints[3]);
  receive(endpoints[3], replies[3]);
  receive(endpoints[3], replies[3]);
  check_is(seen[10], 2);
  send(replies[3], message(0, 0));
  let_others_run();
  check_is(seen[11], 1);

  it("answers nobody through a reply object that nobody waits at");
  send(replies[3], message(0, 0));
  check_is(call(replies[3], message(0, 0)).label, error_none);
  let_others_run();
  check_is(seen[11], 1);

  it("lets a caller stand still whose reply object is deleted");
  word mortal = make(object_Reply);
  start_thread(100, call_and_note, endpoints[3]);
  receive(endpoints[3], mortal);
  ok(delete(mortal));
  let_others_run();
  check_is(seen[11], 1);

  it("takes a caller from its reply object when it is suspended");
  struct thread *fickle = start_thread(100, call_and_note, endpoints[3]);
  receive(endpoints[3], replies[3]);
  ok(TCB_Suspend(fickle->tcb));
  send(replies[3], message(0, 0));
  let_others_run();
  check_is(seen[11], 1);
  it("makes the call again when it is resumed");
  ok(TCB_Resume(fickle->tcb));
  receive(endpoints[3], replies[3]);
  send(replies[3], message(0, 0));
  let_others_run();
  check_is(seen[11], 2);

  it("is a fault to receive with, if it is none");
  struct thread *thread = new_thread(100, faults, serve, 0);
  replies[0] = endpoints[0];
  ok(TCB_Resume(thread->tcb));
  wait(done);
  struct message message = receive(faults, replies[3]);
  check_is(message.label, fault_CapFault);
  check_is(answer(CapFault_address), endpoints[0]);
  check_is(answer(CapFault_in_receive_phase), 1);
  ok(TCB_Suspend(thread->tcb));
}

/* —— The stack of calls that one scheduling context is on */

static void serve_once(word n) {
  system_call(syscall_NBSendRecv, endpoints[n], (struct message){0}, replies[n], done);
  seen[n] = 1;
  if (n + 1 < servers) call(endpoints[n + 1], message(0, 0));
  seen[n] = 2;
  wait(done);
}

static void check_stack(void) {
  it("leaves the time with the server, when a reply object is deleted from the middle of a chain of calls");
  for (int n = 0; n < 3; n++) {
    replies[n] = make(object_Reply);
    seen[n] = 0;
  }
  servers = 3;
  struct thread *server[3];
  for (word n = 0; n < 3; n++) {
    server[n] = start_thread(100, serve_once, n);
    wait(done);
    let_others_run();
    ok(SchedContext_Unbind(server[n]->context));
  }
  seen[11] = 0;
  struct thread *client = start_thread(100, call_and_note, endpoints[0]);
  let_others_run();
  check_is(seen[0], 1);
  check_is(seen[1], 1);
  check_is(seen[2], 2);
  /* Client, server 0 and server 1 wait, in this order; server 2 has the client's time. */
  ok(delete(replies[1]));
  it("has it return to the one that waits above, and no further, whatever that answers");
  send(replies[2], message(0, 0));
  let_others_run();
  check_is(seen[1], 2);
  check_is(SchedContext_UnbindObject(client->context, client->tcb), error_IllegalOperation);
  check_is(SchedContext_UnbindObject(client->context, server[2]->tcb), error_IllegalOperation);
  ok(SchedContext_UnbindObject(client->context, server[1]->tcb));
  check_is(seen[0], 1);
  send(replies[0], message(0, 0));
  it("answers the caller below when it has time again");
  ok(SchedContext_Bind(client->context, client->tcb));
  let_others_run();
  check_is(seen[11], 1);
}

static void run_checks(void) {
  done = make(object_Notification);
  faults = make(object_Endpoint);
  for (int n = 0; n < 4; n++) {
    endpoints[n] = make(object_Endpoint);
    replies[n] = make(object_Reply);
  }
  check_chain();
  check_objects();
  check_stack();
}
