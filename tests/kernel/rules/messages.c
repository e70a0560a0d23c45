/* Rules about messages: what travels with them, who answers them, and whose time is spent on them. */
#include "rules.h"

static word endpoint, reply, its_reply, faults, done;

/* —— Capabilities that travel */

static volatile word sent[3], sent_count;

static void send_caps(word capability) {
  for (word n = 0; n < sent_count; n++) my_buffer->caps_or_badges[n] = sent[n];
  my_buffer->words[0] = 0x77;
  send(capability, (struct message){.label = 3, .length = 1, .extra_caps = sent_count});
  seen[0]++;
}

static void expect_at(word cnode, word slot, word depth) {
  my_buffer->receive_cnode = cnode;
  my_buffer->receive_index = slot;
  my_buffer->receive_depth = depth;
}

static struct message receive_caps(word capability, word slot) {
  start_thread(100, send_caps, capability);
  expect_at(slot == slot_null ? slot_tcb : slot_cnode, slot, root_depth);
  return receive(endpoint, reply);
}

static void travelling(void) {
  rule(3);
  word bell = make(object_Notification), badged = mint(endpoint, all_rights, 0x55), free = empty_slot();
  sent[0] = bell, sent[1] = badged, sent[2] = bell, sent_count = 3;
  struct message message = receive_caps(copy(endpoint, right_write | right_grant_reply), free);
  check_is(message.extra_caps, 0);
  check_is(kind_in(free), 0);
  /* One into the slot; its own endpoint's as a badge, which needs none; a second has no room, and ends it. */
  message = receive_caps(endpoint, free);
  check_is(message.extra_caps, 2);
  check_is(message.unwrapped, 2);
  check_is(my_buffer->caps_or_badges[1], 0x55);
  check_is(kind_in(free), kind_Notification);
  ok(delete(free));
  sent[0] = badged, sent[1] = bell, sent[2] = badged;
  message = receive_caps(endpoint, free);
  check_is(message.extra_caps, 3);
  check_is(message.unwrapped, 5);
  check_is(my_buffer->caps_or_badges[0], 0x55);
  check_is(my_buffer->caps_or_badges[2], 0x55);
  check_is(kind_in(free), kind_Notification);
  ok(delete(free));
  /* What the sender names must be there: else it is its fault, and nothing is sent. */
  sent[0] = bell, sent[1] = 1ul << 40, sent_count = 2;
  struct thread *wrong = new_thread(100, faults, send_caps, endpoint);
  ok(TCB_Resume(wrong->tcb));
  let_others_run();
  check_is(nb_receive(endpoint, reply).label, 0);
  check_is(receive(faults, reply).label, fault_CapFault);
  check_is(answer(CapFault_address), 1ul << 40);
  check_is(answer(CapFault_in_receive_phase), 0);
  ok(TCB_Suspend(wrong->tcb));
  /* What cannot be copied is the receiver's loss: the message arrives. */
  sent[0] = slot_irq_control, sent_count = 1;
  message = receive_caps(endpoint, free);
  check_is(message.label, 3);
  check_is(message.extra_caps, 0);
}

static void missing_slot(void) {
  rule(4);
  word bell = make(object_Notification), badged = mint(endpoint, all_rights, 0x66), taken = make(object_Endpoint);
  /* In use; beyond the end; of what is no CNode. */
  const word nowhere[3] = {taken, 1ul << 30, slot_null};
  let_others_run();
  for (int n = 0; n < 3; n++) {
    sent_count = 0, seen[0] = 0;
    struct message message = receive_caps(endpoint, nowhere[n]);
    check_is(message.label, 3);
    check_is(answer(0), 0x77);
    sent[0] = badged, sent_count = 1;
    message = receive_caps(endpoint, nowhere[n]);
    check_is(message.unwrapped, 1);
    check_is(my_buffer->caps_or_badges[0], 0x66);
    sent[0] = bell;
    message = receive_caps(endpoint, nowhere[n]);
    check_is(message.label, 3);
    check_is(answer(0), 0x77);
    check_is(message.extra_caps, 0);
    let_others_run();
    check_is(seen[0], 3);
  }
  check_is(kind_in(taken), kind_Endpoint);
}

/* —— Reply objects */

static void call_and_note(word index) {
  call(endpoint, message(index, 0));
  seen[index]++;
}

/* Servers without time of their own: server n asks server n + 1, if there is one, then signals and waits. */
static word places[3], answers[3], servers;

static void serve_once(word n) {
  system_call(syscall_NBSendRecv, places[n], (struct message){0}, answers[n], done);
  seen[n] = 1;
  if (n + 1 < servers) call(places[n + 1], message(0, 0));
  seen[n] = 2;
  wait(done);
}

static struct thread *start_server(word n) {
  places[n] = make(object_Endpoint), answers[n] = make(object_Reply), seen[n] = 0;
  struct thread *server = start_thread(100, serve_once, n);
  wait(done);
  let_others_run();
  ok(SchedContext_Unbind(server->context));
  return server;
}

static void call_server(word n) {
  call(places[n], message(0, 0));
  seen[10]++;
}

static void reply_objects(void) {
  rule(9);
  seen[11] = seen[12] = 0;
  /* Used for a second call before the first is answered: the first gets no answer. */
  start_thread(100, call_and_note, 11);
  check_is(receive(endpoint, reply).label, 11);
  start_thread(100, call_and_note, 12);
  check_is(receive(endpoint, reply).label, 12);
  send(reply, message(0, 0));
  send(reply, message(0, 0));
  let_others_run();
  check_is(seen[11], 0);
  check_is(seen[12], 1);

  /* Time goes back only to who has none. */
  servers = 1, seen[10] = 0;
  struct thread *server = start_server(0), *client = start_thread(100, call_server, 0);
  let_others_run();
  check_is(seen[0], 2);
  word another = new_context(turn, turn);
  ok(SchedContext_Bind(another, client->tcb));
  send(answers[0], message(0, 0));
  let_others_run();
  check_is(seen[10], 1);
  check(has(server, client->context));
  check(has(client, another));
  ok(TCB_Suspend(server->tcb));

  /* Out of the middle of a chain: the time stays where it is, and goes back no further than the break. */
  servers = 3, seen[10] = 0;
  struct thread *chain[3];
  for (word n = 0; n < 3; n++) chain[n] = start_server(n);
  client = start_thread(100, call_server, 0);
  let_others_run();
  check_is(seen[0], 1);
  check_is(seen[1], 1);
  check_is(seen[2], 2);
  check(has(chain[2], client->context));
  ok(delete(answers[1]));
  check(has(chain[2], client->context));
  send(answers[2], message(0, 0));
  let_others_run();
  check_is(seen[1], 2);
  check(has(chain[1], client->context));
  send(answers[0], message(0, 0));
  let_others_run();
  check_is(seen[10], 0);
  check(!has(client, client->context));
  check(has(chain[1], client->context));
}

/* —— Whose time */

static word place;

static void receive_and_note(word with_reply) {
  if (with_reply) receive(place, its_reply);
  else wait(place);
  seen[14]++;
  TCB_Suspend(threads[my_buffer->user_data].tcb);
}

static struct thread *passive(word with_reply) {
  place = make(object_Endpoint), seen[14] = 0;
  its_reply = make(object_Reply);
  struct thread *thread = start_thread(100, receive_and_note, with_reply);
  let_others_run();
  ok(SchedContext_Unbind(thread->context));
  return thread;
}

static void call_place(word argument) {
  (void)argument;
  call(place, message(0, 0));
}

static void send_to_place(word argument) {
  (void)argument;
  send(place, message(0, 0));
}

static void send_and_receive_elsewhere(word argument) {
  (void)argument;
  send_and_receive(place, message(0, 0), endpoint, reply);
}

static void send_and_wait_elsewhere(word argument) {
  (void)argument;
  system_call(syscall_NBSendWait, endpoint, message(0, 0), place, place);
}

static void stumble(word argument) {
  (void)argument;
  __asm__ volatile("ud2");
}

static word runs_when(body *sender, word with_reply, word fault_handler) {
  passive(with_reply);
  struct thread *thread = new_thread(100, fault_handler ? place : 0, sender, 0);
  ok(TCB_Resume(thread->tcb));
  let_others_run();
  word ran = seen[14];
  ok(TCB_Suspend(thread->tcb));
  return ran;
}

static void donation(void) {
  rule(10);
  check_is(runs_when(call_place, 1, 0), 1);
  check_is(runs_when(send_and_receive_elsewhere, 1, 0), 1);
  check_is(runs_when(send_and_receive_elsewhere, 0, 0), 1);
  check_is(runs_when(send_and_wait_elsewhere, 1, 0), 1);
  check_is(runs_when(stumble, 1, 1), 1);
  check_is(runs_when(send_to_place, 1, 0), 0);
  check_is(runs_when(send_to_place, 0, 0), 0);
  /* Who waits without a reply object gets a call that it cannot answer, and no time. */
  check_is(runs_when(call_place, 0, 0), 0);
  check_is(runs_when(stumble, 0, 1), 0);
}

static word bell;

static void listen(word argument) {
  (void)argument;
  for (;;) {
    wait(bell);
    seen[16]++;
    signal(done);
  }
}

static void notification_time(void) {
  rule(11);
  bell = make(object_Notification), seen[16] = 0;
  word context = new_context(turn, turn);
  struct thread *listener = start_thread(100, listen, 0), *other = new_thread(100, 0, listen, 0);
  let_others_run();
  ok(SchedContext_Unbind(listener->context));
  ok(SchedContext_Unbind(other->context));
  ok(SchedContext_Bind(context, bell));
  for (word times = 1; times < 4; times++) {
    check(!has(listener, context));
    signal(bell);
    check(has(listener, context));
    wait(done);
    check_is(seen[16], times);
    check(has(listener, context));
    let_others_run();
    /* It waits again, and the time is the notification's. */
    check(!has(listener, context));
  }
  /* One that has time of its own keeps to that. */
  ok(SchedContext_Bind(listener->context, listener->tcb));
  signal(bell);
  check(!has(listener, context));
  wait(done);
  let_others_run();
  check(has(listener, listener->context));
  ok(SchedContext_Unbind(context));
  signal(bell);
  check_is(wait(done).badge, 0);
}

static void answer_once(word index) {
  receive(place, index == 20 ? reply : its_reply);
  seen[index]++;
  send(index == 20 ? reply : its_reply, message(0, 0));
  TCB_Suspend(threads[my_buffer->user_data].tcb);
}

static void passive_servers(void) {
  rule(17);
  place = make(object_Endpoint), its_reply = make(object_Reply);
  seen[20] = seen[21] = 0;
  struct thread *first = start_thread(100, answer_once, 20);
  let_others_run();
  start_thread(100, answer_once, 21);
  let_others_run();
  /* It was given time to begin with; without, it waits on, in its place. */
  ok(SchedContext_Unbind(first->context));
  struct thread *client = start_thread(100, call_place, 0);
  let_others_run();
  check_is(seen[20], 1);
  check_is(seen[21], 0);
  check(!has(first, first->context));
  ok(SchedContext_Consumed(client->context));
  start_thread(100, call_place, 0);
  let_others_run();
  check_is(seen[21], 1);
}

/* —— Bound notifications */

static void receive_badges(word reply_slot) {
  for (;;) {
    struct message message = receive(place, reply_slot);
    seen[24] = message.badge;
    seen[25]++;
  }
}

static void bound_notification(void) {
  rule(18);
  place = make(object_Endpoint), its_reply = make(object_Reply);
  word plain = make(object_Notification), signals = mint(plain, all_rights, 0x40), sends = mint(place, all_rights, 0x2);
  struct thread *thread = start_thread(254, receive_badges, its_reply);
  ok(TCB_BindNotification(thread->tcb, plain));
  seen[25] = 0;
  let_others_run();
  check_is(seen[25], 0);
  signal(signals);
  let_others_run();
  check_is(seen[25], 1);
  check_is(seen[24], 0x40);
  send(sends, message(0, 0));
  let_others_run();
  check_is(seen[25], 2);
  check_is(seen[24], 2);
  /* Of both at once, the signal comes first. */
  ok(TCB_Suspend(thread->tcb));
  start_thread(253, send_caps, sends);
  sent_count = 0;
  let_others_run();
  signal(signals);
  ok(TCB_Resume(thread->tcb));
  set_priority(254);
  yield();
  set_priority(255);
  check_is(seen[25], 4);
  check_is(seen[24], 2);
}

static void run_checks(void) {
  endpoint = make(object_Endpoint);
  reply = make(object_Reply);
  its_reply = make(object_Reply);
  faults = make(object_Endpoint);
  done = make(object_Notification);
  travelling();
  missing_slot();
  reply_objects();
  donation();
  notification_time();
  passive_servers();
  bound_notification();
}
