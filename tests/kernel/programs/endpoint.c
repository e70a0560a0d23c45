/* Endpoints: messages, badges, capabilities that travel, queues. The first task has priority 255; all others wait for it. */
#include "root.h"

static word endpoint, reply, done;
/* What threads leave for the first task to look at. */
static volatile word seen[16];

/* —— Messages */

static void send_words(word capability) {
  for (word n = 0; n < most_words; n++) my_buffer->words[n] = n * 0x1111111100000001;
  send(capability, message(0xabcdef123, most_words));
  send(capability, message(1, 127));
  send(capability, message(2, 0));
}

static void receive_length(word capability) {
  seen[5] = wait(capability).length;
  wait(capability);
  wait(capability);
}

static void check_words(void) {
  it("brings 120 words, the label and the badge of 64 bits");
  start_thread(100, send_words, mint(endpoint, all_rights, 0x123456789abcdef0));
  struct message message = receive(endpoint, reply);
  check_is(message.label, 0xabcdef123);
  check_is(message.length, most_words);
  check_is(message.badge, 0x123456789abcdef0);
  check_is(message.extra_caps, 0);
  for (word n = 0; n < most_words; n++) check_is(answer(n), n * 0x1111111100000001);

  it("brings 120 words when the length says more");
  message = receive(endpoint, reply);
  check_is(message.label, 1);
  check_is(message.length, most_words);
  message = receive(endpoint, reply);
  check_is(message.length, 0);

  it("brings four words to a thread without an IPC buffer, or from one");
  struct thread *thread = new_thread(100, 0, receive_length, endpoint);
  ok(TCB_SetIPCBuffer(thread->tcb, 0, 0));
  ok(TCB_Resume(thread->tcb));
  send_words(endpoint);
  set_priority(50);
  set_priority(255);
  check_is(seen[5], 4);
  struct thread *sender = new_thread(100, 0, send_words, endpoint);
  ok(TCB_SetIPCBuffer(sender->tcb, 0, 0));
  ok(TCB_Resume(sender->tcb));
  message = receive(endpoint, reply);
  check_is(message.length, 4);
  ok(TCB_Suspend(sender->tcb));

  it("has badge 0 through a capability without one");
  sender = start_thread(100, send_words, endpoint);
  check_is(receive(endpoint, reply).badge, 0);
  ok(TCB_Suspend(sender->tcb));
}

/* —— Sending without waiting */

static void wait_at(word capability) {
  struct message message = wait(capability);
  seen[0] = message.label;
  seen[1] = message.badge;
  signal(done);
}

static void check_non_blocking(void) {
  it("drops what nobody waits for, when it is sent without waiting");
  seen[0] = 0;
  nb_send(endpoint, message(7, 0));
  start_thread(254, wait_at, endpoint);
  check_is(nb_receive(done, reply).badge, 0);
  set_priority(253);
  check_is(seen[0], 0);
  it("brings it when somebody waits");
  nb_send(endpoint, message(8, 0));
  check_is(seen[0], 8);
  set_priority(255);
  wait(done);

  it("polls: there is badge 0 when nobody sends");
  check_is(nb_receive(endpoint, reply).badge, 0);
  struct thread *sender = start_thread(254, send_words, mint(endpoint, all_rights, 9));
  set_priority(253);
  set_priority(255);
  struct message message = nb_receive(endpoint, reply);
  check_is(message.badge, 9);
  check_is(message.label, 0xabcdef123);
  ok(TCB_Suspend(sender->tcb));
}

/* —— Rights */

static void call_once(word capability) {
  seen[3] = 1;
  call(capability, message(6, 0));
  seen[3] = 2;
}

static void check_rights(void) {
  word read_only = copy(endpoint, right_read), write_only = copy(endpoint, right_write);
  it("says nothing when the right to send is missing, but to a call");
  send(read_only, message(0, 0));
  check_is(call(read_only, message(0, 0)).label, error_InvalidCapability);
  check_is(answer(0), 0);

  it("lets a caller stand still who has the right neither to grant nor to get an answer");
  seen[3] = 0;
  start_thread(254, call_once, write_only);
  struct message message = receive(endpoint, reply);
  check_is(message.badge, 0);
  send(reply, (struct message){0});
  set_priority(50);
  set_priority(255);
  check_is(seen[3], 1);
}

/* —— Capabilities that travel */

static word sent[3], sent_count;

static void send_caps(word capability) {
  for (word n = 0; n < sent_count; n++) my_buffer->caps_or_badges[n] = sent[n];
  my_buffer->words[0] = 0x77;
  send(capability, (struct message){.label = 3, .length = 1, .extra_caps = sent_count});
}

static struct message receive_caps(word capability, word slot) {
  start_thread(100, send_caps, capability);
  my_buffer->receive_cnode = slot_cnode;
  my_buffer->receive_index = slot;
  my_buffer->receive_depth = root_depth;
  return receive(endpoint, reply);
}

static void check_caps(void) {
  word notification = make(object_Notification), badged = mint(endpoint, all_rights, 0x55), free = empty_slot();
  it("brings a capability into the slot that its receiver has named");
  sent[0] = notification, sent_count = 1;
  struct message message = receive_caps(endpoint, free);
  check_is(message.extra_caps, 1);
  check_is(message.unwrapped, 0);
  check_is(answer(0), 0x77);
  check_is(kind_in(free), kind_Notification);

  it("brings only the message when the slot is in use, or is nowhere");
  message = receive_caps(endpoint, free);
  check_is(message.extra_caps, 0);
  check_is(message.label, 3);
  check_is(receive_caps(endpoint, 1 << 20).extra_caps, 0);
  ok(delete(free));

  it("brings none through a capability without the right to grant");
  check_is(receive_caps(copy(endpoint, right_write | right_grant_reply), free).extra_caps, 0);
  check_is(kind_in(free), 0);

  it("brings a capability to the endpoint itself as its badge, whatever slot there is");
  sent[0] = badged;
  message = receive_caps(endpoint, slot_tcb);
  check_is(message.extra_caps, 1);
  check_is(message.unwrapped, 1);
  check_is(my_buffer->caps_or_badges[0], 0x55);

  it("brings one capability into the slot, and badges beside it");
  sent[0] = badged, sent[1] = notification, sent[2] = badged, sent_count = 3;
  message = receive_caps(endpoint, free);
  check_is(message.extra_caps, 3);
  check_is(message.unwrapped, 0b101);
  check_is(my_buffer->caps_or_badges[2], 0x55);
  check_is(kind_in(free), kind_Notification);
  ok(delete(free));
  it("stops at the second that needs a slot");
  sent[0] = notification, sent[1] = notification, sent[2] = badged;
  message = receive_caps(endpoint, free);
  check_is(message.extra_caps, 1);
  check_is(message.unwrapped, 0);
  ok(delete(free));

  it("brings nothing that cannot be copied");
  sent[0] = slot_irq_control, sent_count = 1;
  message = receive_caps(endpoint, free);
  check_is(message.extra_caps, 0);
  check_is(kind_in(free), 0);
}

/* —— Queues */

static void send_label(word label) {
  send(endpoint, message(label, 0));
}

static void check_queues(void) {
  it("serves senders of higher priority first, and of equals the first");
  struct thread *last = start_thread(100, send_label, 1);
  start_thread(102, send_label, 2);
  start_thread(101, send_label, 3);
  set_priority(50);
  set_priority(255);
  start_thread(102, send_label, 4);
  set_priority(50);
  set_priority(255);
  check_is(receive(endpoint, reply).label, 2);
  check_is(receive(endpoint, reply).label, 4);
  it("serves a sender by the priority that it has now");
  start_thread(102, send_label, 5);
  set_priority(50);
  set_priority(255);
  ok(TCB_SetPriority(last->tcb, 103, slot_tcb));
  check_is(receive(endpoint, reply).label, 1);
  check_is(receive(endpoint, reply).label, 5);
  check_is(receive(endpoint, reply).label, 3);
}

static volatile word ended;

static void send_badged(word capability) {
  send(capability, message(1, 0));
  ended++;
}

static word fault_endpoint;

static void check_cancel(void) {
  fault_endpoint = make(object_Endpoint);
  it("cancels the sends through one badge, of all who wait, and no others");
  word one = mint(endpoint, all_rights, 1), two = mint(endpoint, all_rights, 2);
  struct thread *first = new_thread(100, fault_endpoint, send_badged, one);
  struct thread *second = new_thread(100, fault_endpoint, send_badged, two);
  struct thread *third = new_thread(100, fault_endpoint, send_badged, one);
  ok(TCB_Resume(first->tcb));
  ok(TCB_Resume(second->tcb));
  ok(TCB_Resume(third->tcb));
  set_priority(50);
  set_priority(255);
  ok(CNode_CancelBadgedSends(slot_cnode, one, root_depth));
  /* Who is cancelled sends again: now to nothing, which nobody hears of. */
  ok(delete(one));
  set_priority(50);
  set_priority(255);
  check_is(ended, 2);
  check_is(receive(endpoint, reply).badge, 2);
  set_priority(50);
  set_priority(255);
  check_is(ended, 3);

  it("cancels nothing of what is no endpoint's capability with all rights");
  check_is(CNode_CancelBadgedSends(slot_cnode, slot_tcb, root_depth), error_IllegalOperation);
  check_is(CNode_CancelBadgedSends(slot_cnode, copy(endpoint, right_read), root_depth), error_IllegalOperation);

  it("lets those go who wait at an endpoint that is deleted");
  word mortal = make(object_Endpoint);
  struct thread *waiter = new_thread(100, fault_endpoint, wait_at, mortal);
  ok(TCB_Resume(waiter->tcb));
  set_priority(50);
  set_priority(255);
  check_is(nb_receive(fault_endpoint, reply).label, 0);
  ok(delete(mortal));
  struct message message = receive(fault_endpoint, reply);
  check_is(message.label, fault_CapFault);
  check_is(answer(CapFault_address), mortal);
  check_is(answer(CapFault_in_receive_phase), 1);
  check_is(answer(CapFault_failure), failure_missing_capability);
}

/* —— Calls */

static void call_twice(word capability) {
  my_buffer->words[0] = 20;
  struct message message = call(capability, (struct message){.label = 1, .length = 1});
  seen[0] = answer(0), seen[1] = message.label;
  my_buffer->words[0] = 30;
  message = call(capability, (struct message){.label = 1, .length = 1});
  seen[2] = answer(0);
}

static void call_for_cap(word slot) {
  my_buffer->receive_cnode = slot_cnode;
  my_buffer->receive_index = slot;
  my_buffer->receive_depth = root_depth;
  seen[4] = call(endpoint, message(1, 0)).extra_caps;
}

static void check_calls(void) {
  it("answers a call through the reply object that it was received with, and once");
  word other = make(object_Reply);
  start_thread(100, call_twice, mint(endpoint, all_rights, 4));
  struct message message_ = receive(endpoint, other);
  check_is(message_.badge, 4);
  check_is(answer(0), 20);
  my_buffer->words[0] = 21;
  message_ = reply_receive(endpoint, other, (struct message){.label = 9, .length = 1});
  check_is(seen[0], 21);
  check_is(seen[1], 9);
  check_is(answer(0), 30);
  my_buffer->words[0] = 31;
  send(other, message(0, 1));
  send(other, message(0, 1));
  set_priority(50);
  set_priority(255);
  check_is(seen[2], 31);

  it("takes a capability along with an answer, through the right to grant");
  word free = empty_slot(), no_grant = copy(other, all_rights & ~right_grant);
  for (int grants = 0; grants < 2; grants++) {
    start_thread(100, call_for_cap, free);
    receive(endpoint, other);
    my_buffer->caps_or_badges[0] = done;
    send(grants ? other : no_grant, (struct message){.extra_caps = 1});
    set_priority(50);
    set_priority(255);
    check_is(seen[4], grants);
    check_is(kind_in(free), grants ? kind_Notification : 0);
  }
}

static void run_checks(void) {
  endpoint = make(object_Endpoint);
  reply = make(object_Reply);
  done = make(object_Notification);
  check_words();
  check_non_blocking();
  check_rights();
  check_caps();
  check_queues();
  check_cancel();
  check_calls();
}
