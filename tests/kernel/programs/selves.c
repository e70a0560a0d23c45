/* Capabilities that move, go or are replaced while they are in use; threads that take away what they stand on. */
#include "root.h"

static word endpoint, done, reply, faults;
static volatile word seen[16];

static word copy_to(word to, word from) {
  return CNode_Copy(slot_cnode, to, root_depth, from, root_depth, all_rights, slot_cnode);
}

static word move(word to, word from) {
  return CNode_Move(slot_cnode, to, root_depth, from, root_depth, slot_cnode);
}

static word rotate(word to, word pivot, word from, word pivot_data, word to_data) {
  return CNode_Rotate(slot_cnode, to, root_depth, to_data, pivot, root_depth, pivot_data, from, root_depth, slot_cnode, slot_cnode);
}

/* The thread has this scheduling context. */
static int has(word thread, word context) {
  if (SchedContext_UnbindObject(context, thread) != error_none) return 0;
  ok(SchedContext_Bind(context, thread));
  return 1;
}

/* —— What stands in the list of derivations */

static void check_rotations(void) {
  it("swaps a capability and the one derived from it, which stays that");
  word parent = make_sized(object_Untyped, 12), child = empty_slot(), third = empty_slot();
  ok(retype(parent, object_TCB, 0, child));
  ok(rotate(parent, child, parent, 0, 0));
  check_is(kind_in(parent), kind_TCB);
  check_is(kind_in(child), kind_Untyped);
  ok(revoke(parent));
  check_is(kind_in(child), kind_Untyped);
  ok(revoke(child));
  check_is(kind_in(parent), 0);
  ok(move(parent, child));

  it("rotates a capability into the slot of the one derived from it, and the other way round");
  ok(retype(parent, object_TCB, 0, child));
  ok(rotate(third, child, parent, 0, 0));
  check_is(kind_in(child), kind_Untyped);
  check_is(kind_in(third), kind_TCB);
  ok(rotate(parent, child, third, 0, 0));
  check_is(kind_in(parent), kind_Untyped);
  check_is(kind_in(child), kind_TCB);
  check_is(kind_in(third), 0);
  ok(revoke(parent));
  check_is(kind_in(child), 0);

  it("gives CNodes other guards as it rotates them, or does nothing");
  word a = make_sized(object_CapTable, 2), b = make_sized(object_CapTable, 3), tables[3] = {a, b, third};
  ok(CNode_Copy(a, 1, 2, endpoint, root_depth, all_rights, slot_cnode));
  ok(CNode_Copy(b, 1, 3, slot_domain, root_depth, all_rights, slot_cnode));
  check_is(rotate(third, b, a, 63, 0), error_IllegalOperation);
  check_is(rotate(third, b, a, 0, 62), error_IllegalOperation);
  check_is(kind_in(third), 0);
  enum { guard_of_a = 2 << 6 | 2, guard_of_b = 5 << 6 | 3 };
  ok(rotate(third, b, a, guard_of_a, guard_of_b));
  word out = empty_slot();
  ok(CNode_Copy(slot_cnode, out, root_depth, 2 << 2 | 1, 4, all_rights, b));
  check_is(kind_in(out), kind_Endpoint);
  ok(delete(out));
  ok(CNode_Copy(slot_cnode, out, root_depth, 5 << 3 | 1, 6, all_rights, third));
  check_is(kind_in(out), kind_Domain);
  ok(delete(out));

  it("rotates through CNodes of their own, each at its depth");
  ok(CNode_Rotate(b, 2 << 2 | 3, 4, 0, 5 << 3 | 1, 6, 0, slot_tcb, root_depth, third, slot_cnode));
  check_is(kind_in(slot_tcb), 0);
  ok(CNode_Rotate(slot_cnode, slot_tcb, root_depth, 0, 5 << 3 | 1, 6, 0, 2 << 2 | 3, 4, third, b));
  check_is(kind_in(slot_tcb), kind_TCB);
  ok(CNode_Copy(slot_cnode, out, root_depth, 5 << 3 | 1, 6, all_rights, third));
  check_is(kind_in(out), kind_Domain);
  for (int n = 1; n < 3; n++) ok(delete(tables[n]));
}

/* —— Reply objects */

static void call_and_note(word capability) {
  seen[0] = call(capability, message(0, 0)).label;
  seen[1]++;
}

static word helping;

/* Answers by the capability that comes with a message. */
static void help(word slot) {
  my_buffer->receive_cnode = slot_cnode, my_buffer->receive_index = slot, my_buffer->receive_depth = root_depth;
  wait(helping);
  send(slot, message(8, 0));
}

static void wait_for_calls(word argument) {
  (void)argument;
  wait(endpoint);
  seen[2]++;
}

static void check_replies(void) {
  it("answers through a reply object's capability wherever that has gone, and not where it was");
  seen[1] = 0;
  word moved = empty_slot(), pivot = make(object_Notification);
  struct thread *caller = start_thread(100, call_and_note, endpoint);
  receive(endpoint, reply);
  ok(move(moved, reply));
  send(reply, message(1, 0));
  let_others_run();
  check_is(seen[1], 0);
  send(moved, message(2, 0));
  let_others_run();
  check_is(seen[1], 1);
  check_is(seen[0], 2);
  ok(move(reply, moved));

  it("answers through any copy, though the first is gone");
  ok(delete(caller->tcb));
  start_thread(100, call_and_note, endpoint);
  receive(endpoint, reply);
  /* A reply object is received with by any of its capabilities; this one may answer. */
  ok(copy_to(moved, reply));
  ok(delete(reply));
  send(moved, message(3, 0));
  let_others_run();
  check_is(seen[1], 2);
  check_is(seen[0], 3);
  ok(move(reply, moved));

  it("has another thread answer to whom the capability is sent");
  helping = make(object_Endpoint);
  start_thread(100, call_and_note, endpoint);
  receive(endpoint, reply);
  word arrives = empty_slot();
  start_thread(100, help, arrives);
  let_others_run();
  my_buffer->caps_or_badges[0] = reply;
  send(helping, (struct message){.extra_caps = 1});
  let_others_run();
  check_is(kind_in(arrives), kind_Reply);
  check_is(seen[1], 3);
  check_is(seen[0], 8);

  it("lets a caller stand still, with its time, whose message was received without a reply object");
  struct thread *waiting = new_thread(100, 0, wait_for_calls, 0);
  ok(TCB_Resume(waiting->tcb));
  let_others_run();
  struct thread *standing = start_thread(100, call_and_note, endpoint);
  let_others_run();
  check_is(seen[2], 1);
  check_is(seen[1], 3);
  check(has(standing->tcb, standing->context));
  ok(TCB_Resume(standing->tcb));
  receive(endpoint, reply);
  send(reply, message(0, 0));
  let_others_run();
  check_is(seen[1], 4);
}

/* —— Chains of calls that lose one of them */

enum { servers = 3 };
static word endpoints[servers], replies[servers];
static struct thread *chain[servers];
static word chain_end;

/* Each server calls the next; the last waits until it is told to answer. */
static void serve(word n) {
  system_call(syscall_NBSendRecv, endpoints[n], (struct message){0}, replies[n], done);
  if (n + 1 < servers) call(endpoints[n + 1], message(0, 0));
  else wait(chain_end);
  seen[4 + n]++;
  system_call(syscall_NBSendWait, chain_end, (struct message){.label = n}, replies[n], 0);
}

/* A client whose time has gone through all servers. */
static struct thread *begin_chain(void) {
  chain_end = make(object_Notification);
  for (word n = 0; n < servers; n++) {
    endpoints[n] = make(object_Endpoint);
    replies[n] = make(object_Reply);
    chain[n] = start_thread(100, serve, n);
    seen[4 + n] = 0;
    wait(done);
    let_others_run();
    ok(SchedContext_Unbind(chain[n]->context));
  }
  seen[1] = 0;
  struct thread *client = start_thread(100, call_and_note, endpoints[0]);
  let_others_run();
  check(has(chain[servers - 1]->tcb, client->context));
  return client;
}

static void check_chains(void) {
  it("gives time back along a chain of calls by messages that are sent before waiting");
  struct thread *client = begin_chain();
  signal(chain_end);
  let_others_run();
  for (word n = 0; n < servers; n++) check_is(seen[4 + n], 1);
  check_is(seen[1], 1);
  check(has(client->tcb, client->context));

  it("leaves the time with the last server when one before it is deleted, and the callers waiting");
  client = begin_chain();
  ok(delete(chain[1]->tcb));
  signal(chain_end);
  let_others_run();
  check_is(seen[6], 1);
  check_is(seen[5] | seen[4] | seen[1], 0);
  ok(SchedContext_UnbindObject(client->context, chain[2]->tcb));
  send(replies[1], message(0, 0));
  ok(SchedContext_Bind(client->context, chain[0]->tcb));
  let_others_run();
  check_is(seen[4], 1);
  ok(SchedContext_UnbindObject(client->context, chain[0]->tcb));
  ok(SchedContext_Bind(client->context, client->tcb));
  let_others_run();
  check_is(seen[1], 1);

  it("leaves the time with the first server when its client is deleted");
  client = begin_chain();
  ok(delete(client->tcb));
  signal(chain_end);
  let_others_run();
  for (word n = 0; n < servers; n++) check_is(seen[4 + n], 1);
  check_is(seen[1], 0);
  check(has(chain[0]->tcb, client->context));

  it("stops whoever has the time when the scheduling context is deleted, and answers callers who then have none");
  client = begin_chain();
  ok(delete(client->context));
  signal(chain_end);
  let_others_run();
  check_is(seen[6], 0);
  ok(SchedContext_Bind(chain[2]->context, chain[2]->tcb));
  let_others_run();
  check_is(seen[6], 1);
  check_is(seen[5], 0);
  check(has(chain[2]->tcb, chain[2]->context));
  ok(SchedContext_Bind(chain[1]->context, chain[1]->tcb));
  ok(SchedContext_Bind(chain[0]->context, chain[0]->tcb));
  let_others_run();
  check_is(seen[4], 1);
  check_is(seen[1], 0);
  word other = make_sized(object_SchedContext, 8);
  ok(SchedControl_ConfigureFlags(boot_info->sched_control_start, turn, turn, 0, 0, 0, other));
  ok(SchedContext_Bind(other, client->tcb));
  let_others_run();
  check_is(seen[1], 1);
}

/* —— Threads that take away what they stand on */

static void delete_slot(word slot) {
  seen[8]++;
  delete(slot);
  seen[9]++;
}

static void revoke_and_delete(word slot) {
  revoke(slot);
  seen[9]++;
  delete(slot);
  seen[9]++;
}

static void revoke_and_send(word frame) {
  revoke(frame);
  for (word n = 0; n < 6; n++) my_buffer->words[n] = n;
  send(endpoint, message(0, 6));
}

/* In a CNode of its own, where everything is: its memory, itself, its thread. */
enum { own_radix = 4, own_guard = 64 - own_radix, own_memory = 1, own_cnode, own_thread, own_bell };

static void revoke_own_memory(word argument) {
  (void)argument;
  CNode_Revoke(own_cnode, own_memory, 64);
  seen[9]++;
  TCB_Suspend(own_thread);
  seen[9]++;
}

static void replace_own_cnode(word cnode) {
  TCB_SetSpace(threads[my_buffer->user_data].tcb, own_guard, 0, 0, cnode, slot_address_space);
  signal(own_bell);
  for (;;) TCB_Suspend(own_thread);
}

/* Has the image and the thread's buffer. */
static word space_for(struct thread *thread) {
  word space = make(object_PML4), parts[3] = {make(object_PDPT), make(object_PageDirectory), make(object_PageTable)};
  word address = 0x400000;
  ok(X86_ASIDPool_Assign(slot_asid_pool, space));
  ok(X86_PDPT_Map(parts[0], address, 0, space));
  ok(X86_PageDirectory_Map(parts[1], address, 0, space));
  ok(X86_PageTable_Map(parts[2], address, 0, space));
  for (word frame = boot_info->user_image_frames_start; frame < boot_info->user_image_frames_end; frame++, address += page_bytes)
    ok(X86_Page_Map(copy(frame, all_rights), address, all_rights, 0, space));
  ok(X86_Page_Map(copy(thread->frame, all_rights), (word)thread->buffer, all_rights, 0, space));
  return space;
}

static void check_selves(void) {
  seen[8] = seen[9] = 0;
  it("is deleted by itself, and does not go on");
  struct thread *thread = new_thread(100, 0, 0, 0);
  ok(set_registers(thread, delete_slot, thread->tcb, 1));
  let_others_run();
  check_is(seen[8], 1);
  check_is(seen[9], 0);
  check_is(kind_in(thread->tcb), 0);

  it("stands still when it deletes its own time, and goes on with another's");
  thread = new_thread(100, 0, 0, 0);
  ok(set_registers(thread, delete_slot, thread->context, 1));
  let_others_run();
  check_is(seen[8], 2);
  check_is(seen[9], 0);
  word context = make_sized(object_SchedContext, 7);
  ok(SchedControl_ConfigureFlags(boot_info->sched_control_start, turn, turn, 0, 0, 0, context));
  ok(SchedContext_Bind(context, thread->tcb));
  let_others_run();
  check_is(seen[9], 1);

  it("sends what registers hold after it has taken away its own buffer");
  thread = new_thread(100, 0, 0, 0);
  ok(set_registers(thread, revoke_and_send, thread->frame, 1));
  check_is(receive(endpoint, reply).length, 4);
  ok(TCB_Suspend(thread->tcb));

  it("revokes the memory of its own CNode, with the capability that it does that by, and finds none any more");
  word memory = make_sized(object_Untyped, 10), cnode = empty_slot();
  ok(retype(memory, object_CapTable, own_radix, cnode));
  thread = new_thread(100, faults, revoke_own_memory, 0);
  ok(CNode_Move(cnode, own_memory, own_radix, memory, root_depth, slot_cnode));
  ok(CNode_Mint(cnode, own_cnode, own_radix, cnode, root_depth, all_rights, own_guard, slot_cnode));
  ok(CNode_Copy(cnode, own_thread, own_radix, thread->tcb, root_depth, all_rights, slot_cnode));
  ok(TCB_Configure(thread->tcb, own_guard, 0, (word)thread->buffer, cnode, slot_address_space, thread->frame));
  ok(TCB_Resume(thread->tcb));
  check_is(receive(faults, reply).label, fault_CapFault);
  check_is(answer(CapFault_address), own_thread);
  check_is(answer(CapFault_in_receive_phase), 0);
  check_is(answer(CapFault_failure), failure_invalid_root);
  check_is(kind_in(cnode), 0);
  check_is(seen[9], 2);
  send(reply, message(1, 0));
  ok(TCB_Suspend(thread->tcb));

  it("runs on in its address space until that is gone, and then faults at the next instruction");
  thread = new_thread(100, faults, 0, 0);
  word space = space_for(thread);
  ok(TCB_SetSpace(thread->tcb, 0, 0, faults, slot_cnode, space));
  ok(set_registers(thread, revoke_and_delete, space, 1));
  struct message message = receive(faults, reply);
  check_is(message.label, fault_VMFault);
  check_is(answer(VMFault_fetch), 1);
  check_is(answer(VMFault_address), answer(VMFault_rip));
  check_is(seen[9], 3);
  /* In another it goes on. */
  ok(TCB_SetSpace(thread->tcb, 0, 0, 0, slot_cnode, slot_address_space));
  ok(TCB_Resume(thread->tcb));
  let_others_run();
  check_is(seen[9], 4);

  it("goes on in another CNode that it gives itself");
  word other = make_sized(object_CapTable, own_radix);
  thread = new_thread(100, 0, 0, 0);
  ok(CNode_Copy(other, own_thread, own_radix, thread->tcb, root_depth, all_rights, slot_cnode));
  ok(CNode_Mint(other, own_bell, own_radix, done, root_depth, all_rights, 0x40, slot_cnode));
  ok(set_registers(thread, replace_own_cnode, other, 1));
  check_is(wait(done).badge, 0x40);

  it("keeps a CNode of which it has the last capability: to replace it could take long");
  ok(delete(other));
  check_is(TCB_SetSpace(thread->tcb, 0, 0, 0, slot_cnode, slot_address_space), error_IllegalOperation);
  check_is(TCB_Configure(thread->tcb, 0, 0, 0, slot_cnode, slot_address_space, 0), error_IllegalOperation);
  ok(delete(thread->tcb));
}

/* —— Messages whose parts go before they arrive */

static word cargo;

static void send_cargo(word argument) {
  (void)argument;
  my_buffer->caps_or_badges[0] = cargo;
  my_buffer->words[0] = 0x55;
  send(endpoint, (struct message){.length = 1, .extra_caps = 1});
}

static void touch(word address) {
  *(volatile word *)address = 1;
}

static void count_for_ever(word index) {
  for (;;) seen[index]++;
}

static void check_messages(void) {
  it("arrives without a capability that is gone by then");
  cargo = make(object_Notification);
  start_thread(100, send_cargo, 0);
  let_others_run();
  ok(delete(cargo));
  my_buffer->receive_cnode = slot_cnode, my_buffer->receive_index = empty_slot(), my_buffer->receive_depth = root_depth;
  struct message message = receive(endpoint, reply);
  check_is(message.length, 1);
  check_is(message.extra_caps, 0);
  check_is(answer(0), 0x55);
  check_is(kind_in(my_buffer->receive_index), 0);

  it("is of a fault no more when its badge is cancelled: the thread stands still, and resumed has it again");
  word handlers = make(object_Endpoint), badged = mint(handlers, all_rights, 9);
  struct thread *thread = new_thread(100, badged, touch, 0x70000000);
  ok(TCB_Resume(thread->tcb));
  let_others_run();
  ok(CNode_CancelBadgedSends(slot_cnode, badged, root_depth));
  let_others_run();
  check_is(nb_receive(handlers, reply).badge, 0);
  ok(TCB_Resume(thread->tcb));
  let_others_run();
  message = nb_receive(handlers, reply);
  check_is(message.badge, 9);
  check_is(message.label, fault_VMFault);
  ok(TCB_Suspend(thread->tcb));

  it("does not invoke a thread or a CNode before it waits");
  thread = start_thread(100, count_for_ever, 12);
  set_priority(100);
  yield();
  set_priority(255);
  word targets[2] = {thread->tcb, slot_cnode};
  word victim = copy(endpoint, all_rights);
  for (int n = 0; n < 2; n++) {
    signal(done);
    my_buffer->words[0] = victim, my_buffer->words[1] = root_depth;
    struct message first = {.label = n == 0 ? label_TCB_Suspend : label_CNode_Delete, .length = 2};
    check_is(system_call(syscall_NBSendRecv, done, first, reply, targets[n]).badge, 0);
  }
  check_is(kind_in(victim), kind_Endpoint);
  word count = seen[12];
  set_priority(100);
  yield();
  set_priority(255);
  check(seen[12] > count);
  ok(TCB_Suspend(thread->tcb));

  it("sends before it waits by either of the registers that may say where to");
  word bells[2] = {mint(done, all_rights, 1), mint(done, all_rights, 2)};
  check_is(system_call(syscall_NBSendWait, done, (struct message){0}, bells[0], 0).badge, 1);
  check_is(system_call(syscall_NBSendWait, done, (struct message){0}, 0, bells[1]).badge, 2);
}

/* —— To let others run first */

static volatile word order[4], ordered;

static void note_order(word who) {
  order[ordered++] = who;
}

static void check_yields(void) {
  it("moves a thread of lower priority to the front of its queue, and goes on at once");
  struct thread *first = start_thread(100, note_order, 1), *second = start_thread(100, note_order, 2), *third = start_thread(100, note_order, 3);
  ok(SchedContext_YieldTo(third->context));
  check_is(answer(0), 0);
  check_is(ordered, 0);
  let_others_run();
  check_is(ordered, 3);
  check_is(order[0], 3);
  /* Since then it has run for some microseconds, and stands still. */
  ok(SchedContext_YieldTo(third->context));
  check_between(answer(0), 0, 100);

  it("goes on when the time that it yielded to is deleted");
  struct thread *mortal = new_thread(255, 0, 0, 0);
  word count = seen[8];
  ok(set_registers(mortal, delete_slot, mortal->context, 1));
  ok(SchedContext_YieldTo(mortal->context));
  check_between(answer(0), 0, 100);
  check_is(seen[8], count + 1);
}

static void run_checks(void) {
  endpoint = make(object_Endpoint);
  faults = make(object_Endpoint);
  done = make(object_Notification);
  reply = make(object_Reply);
  check_rotations();
  check_replies();
  check_chains();
  check_selves();
  check_messages();
  check_yields();
}
