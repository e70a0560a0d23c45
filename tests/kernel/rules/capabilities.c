/* Rules about capabilities: what they are derived from, what goes with the last of them, and what memory is made into. */
#include "rules.h"

static word reply, its_reply, faults;

static void send_once(word capability) {
  send(capability, message(1, 0));
  seen[0]++;
}

static word badge_through(word endpoint, word capability) {
  start_thread(100, send_once, capability);
  return receive(endpoint, reply).badge;
}

static void badges(void) {
  rule(1);
  word endpoint = make(object_Endpoint), zero = mint(endpoint, all_rights, 0), five = mint(zero, all_rights, 5), free = empty_slot();
  check_is(badge_through(endpoint, zero), 0);
  check_is(badge_through(endpoint, five), 5);
  check_is(mint_to(free, five, 6), error_IllegalOperation);
  check_is(mint_to(free, five, 0), error_IllegalOperation);
  check_is(CNode_Mutate(slot_cnode, free, root_depth, five, root_depth, 7, slot_cnode), error_IllegalOperation);
  check_is(CNode_Mutate(slot_cnode, free, root_depth, zero, root_depth, 7, slot_cnode), error_IllegalOperation);
  check_is(kind_in(free), 0);
  word child = copy(five, all_rights), grandchild = copy(child, all_rights), other = mint(endpoint, all_rights, 5);
  ok(revoke(child));
  ok(revoke(zero));
  check_is(kind_in(grandchild), kind_Endpoint);
  check_is(kind_in(five), kind_Endpoint);
  ok(revoke(five));
  check_is(kind_in(child), 0);
  check_is(kind_in(grandchild), 0);
  check_is(kind_in(five), kind_Endpoint);
  check_is(kind_in(other), kind_Endpoint);
  ok(revoke(endpoint));
  check_is(kind_in(zero), 0);
  check_is(kind_in(five), 0);
  check_is(kind_in(other), 0);
  check_is(kind_in(endpoint), kind_Endpoint);
}

static void cancelled_sends(void) {
  rule(2);
  word endpoint = make(object_Endpoint), one = mint(endpoint, all_rights, 1), two = mint(endpoint, all_rights, 2), plain = copy(endpoint, all_rights);
  let_others_run();
  seen[0] = 0;
  start_thread(100, send_once, one);
  start_thread(100, send_once, two);
  start_thread(100, send_once, one);
  start_thread(100, send_once, plain);
  let_others_run();
  check_is(seen[0], 0);
  /* A capability without a badge cancels nothing; one to something else, or with fewer rights, cannot. */
  ok(CNode_CancelBadgedSends(slot_cnode, endpoint, root_depth));
  check_is(CNode_CancelBadgedSends(slot_cnode, slot_tcb, root_depth), error_IllegalOperation);
  check_is(CNode_CancelBadgedSends(slot_cnode, copy(one, right_write | right_grant), root_depth), error_IllegalOperation);
  let_others_run();
  check_is(seen[0], 0);
  ok(CNode_CancelBadgedSends(slot_cnode, one, root_depth));
  /* They send once more: to an empty slot, now, which nobody hears of. The others have sent already. */
  ok(delete(one));
  ok(delete(two));
  ok(delete(plain));
  let_others_run();
  check_is(seen[0], 2);
  word badges = receive(endpoint, reply).badge + receive(endpoint, reply).badge;
  check_is(badges, 2);
  check_is(nb_receive(endpoint, reply).label, 0);
  let_others_run();
  check_is(seen[0], 4);
}

static word address_of(word frame) {
  ok(X86_Page_GetAddress(frame));
  return answer(0);
}

static void untyped_memory(void) {
  rule(5);
  word untyped = make_sized(object_Untyped, 14), first = empty_slot(), second = empty_slot(), inner = empty_slot(), inside = empty_slot(), free = empty_slot();
  ok(copy_to(free, untyped));
  ok(delete(free));
  ok(retype(untyped, object_Page4K, 0, first));
  check_is(copy_to(free, untyped), error_RevokeFirst);
  check_is(mint_to(free, untyped, 0), error_RevokeFirst);
  volatile word *page = (word *)map_page(first);
  page[7] = 0x5555;
  /* While there is a child, objects are made behind it, and what it holds stays. */
  ok(retype(untyped, object_Page4K, 0, second));
  word begin = address_of(first);
  check_is(address_of(second), begin + page_bytes);
  ok(delete(second));
  ok(retype(untyped, object_Page4K, 0, second));
  check_is(address_of(second), begin + 2 * page_bytes);
  check_is(page[7], 0x5555);
  ok(retype(untyped, object_Untyped, 12, inner));
  ok(retype(inner, object_Endpoint, 0, inside));
  check_is(retype(untyped, object_Endpoint, 0, free), error_NotEnoughMemory);
  check_is(answer(0), 0);
  ok(revoke(untyped));
  check_is(kind_in(first) | kind_in(second) | kind_in(inner) | kind_in(inside), 0);
  ok(retype(untyped, object_Page4K, 0, free));
  check_is(address_of(free), begin);
  page = (word *)map_page(free);
  for (word n = 0; n < page_bytes / sizeof(word); n++) check_is(page[n], 0);
}

static void no_copies(void) {
  rule(6);
  word free = empty_slot(), pdpt = make(object_PDPT), directory = make(object_PageDirectory), table = make(object_PageTable), space = make(object_PML4);
  enum { far = 0x654000000000 };
  check_is(copy_to(free, slot_irq_control), error_IllegalOperation);
  check_is(mint_to(free, slot_irq_control, 1), error_IllegalOperation);
  word tables[4] = {pdpt, directory, table, space};
  for (int n = 0; n < 4; n++) check_is(copy_to(free, tables[n]), error_IllegalOperation);
  ok(X86_PDPT_Map(pdpt, far, 0, slot_address_space));
  ok(X86_PageDirectory_Map(directory, far, 0, slot_address_space));
  ok(X86_PageTable_Map(table, far, 0, slot_address_space));
  ok(X86_ASIDPool_Assign(slot_asid_pool, space));
  for (int n = 0; n < 4; n++) {
    ok(copy_to(free, tables[n]));
    ok(delete(free));
  }
  /* What there is a copy of is not unmapped; and when it is, it has no copies again. */
  ok(copy_to(free, table));
  check_is(X86_PageTable_Unmap(table), error_RevokeFirst);
  ok(delete(free));
  ok(X86_PageTable_Unmap(table));
  check_is(copy_to(free, table), error_IllegalOperation);
  check_is(kind_in(free), 0);
}

/* —— Deletion */

enum { large_radix = 11, large = 1 << large_radix };

/* Runs for a moment every 30 microseconds, and looks at what is in a slot. */
static void look_at(word slot) {
  for (;;) {
    word kind = kind_in(slot);
    if (kind != kind_CNode && kind != 0) {
      seen[1]++;
      seen[2] = CNode_Copy(slot, 0, large_radix, slot_tcb, root_depth, all_rights, slot_cnode);
      seen[3] = copy_to(seen[4], slot);
    }
    yield();
  }
}

static void zombies(void) {
  rule(7);
  word untyped = make_sized(object_Untyped, large_radix + 5), cnode = empty_slot(), endpoint = make(object_Endpoint);
  ok(retype(untyped, object_CapTable, large_radix, cnode));
  for (word n = 0; n < large; n++) check_is(CNode_Copy(cnode, n, large_radix, endpoint, root_depth, all_rights, slot_cnode), error_none);
  seen[1] = 0, seen[4] = empty_slot();
  struct thread *watch = start_thread(255, look_at, cnode);
  ok(SchedControl_ConfigureFlags(boot_info->sched_control_start, 25, 30, 0, 0, 0, watch->context));
  set_priority(254);
  /* A table has so many slots that others run before they are all empty; they find nothing that can be used. */
  ok(delete(cnode));
  check_is(kind_in(cnode), 0);
  set_priority(255);
  ok(TCB_Suspend(watch->tcb));
  check(seen[1] > 0);
  check_is(seen[2], error_InvalidCapability);
  check_is(seen[3], error_IllegalOperation);

  /* In a cycle, and of a thread with the only capability to its own table. */
  word pair = make_sized(object_Untyped, 14), a = empty_slot(), b = empty_slot(), tcb = empty_slot(), space = empty_slot();
  ok(retype(pair, object_CapTable, 4, a));
  ok(retype(pair, object_CapTable, 4, b));
  ok(retype(pair, object_CapTable, 4, space));
  ok(retype(pair, object_TCB, 0, tcb));
  ok(copy_to(seen[4], a));
  ok(CNode_Move(a, 0, 4, a, root_depth, slot_cnode));
  ok(CNode_Copy(seen[4], 1, 4, b, root_depth, all_rights, slot_cnode));
  ok(CNode_Move(b, 1, 4, seen[4], root_depth, slot_cnode));
  ok(delete(b));
  ok(TCB_Configure(tcb, 0, 0, 0, space, slot_address_space, slot_null));
  ok(CNode_Copy(space, 0, 4, tcb, root_depth, all_rights, slot_cnode));
  ok(delete(space));
  ok(delete(tcb));
  check_is(kind_in(tcb) | kind_in(space) | kind_in(a) | kind_in(b), 0);
  /* Nobody can reach what is left; who has the memory has it all again. */
  word others = empty_slot();
  check(retype(pair, object_Untyped, 14, others) == error_NotEnoughMemory);
  ok(revoke(pair));
  ok(retype(pair, object_Untyped, 14, others));
}

/* —— The last capability */

static void wait_at(word capability) {
  receive(capability, its_reply);
}

static void count_for_ever(word index) {
  for (;;) seen[index]++;
}

static void call_at(word endpoint) {
  call(endpoint, message(0, 0));
  seen[5]++;
}

static void last_ones(void) {
  rule(8);
  /* Of an endpoint: who waits tries again, and finds nothing. */
  word objects[2] = {make(object_Endpoint), make(object_Notification)};
  struct thread *waiter;
  for (int n = 0; n < 2; n++) {
    word second = copy(objects[n], all_rights);
    waiter = new_thread(100, faults, wait_at, second);
    if (n == 1) ok(TCB_BindNotification(waiter->tcb, objects[1]));
    ok(TCB_Resume(waiter->tcb));
    let_others_run();
    ok(delete(second));
    let_others_run();
    check_is(nb_receive(faults, reply).label, 0);
    ok(delete(objects[n]));
    let_others_run();
    check_is(nb_receive(faults, reply).label, fault_CapFault);
    check_is(answer(CapFault_address), second);
    check_is(answer(CapFault_failure), failure_missing_capability);
  }
  /* Of a notification: its thread has none, nor its scheduling context. */
  check_is(TCB_UnbindNotification(waiter->tcb), error_IllegalOperation);
  word bell = make(object_Notification), context = new_context(turn, turn);
  ok(SchedContext_Bind(context, bell));
  ok(delete(bell));
  bell = make(object_Notification);
  ok(SchedContext_Bind(context, bell));

  /* Of a scheduling context: its thread stands still, its notification has none. */
  struct thread *thread = new_thread(100, 0, count_for_ever, 6);
  ok(SchedContext_Unbind(thread->context));
  ok(SchedContext_Bind(context, thread->tcb));
  ok(TCB_Resume(thread->tcb));
  set_priority(100);
  yield();
  set_priority(255);
  word count = seen[6];
  check(count > 0);
  ok(delete(context));
  set_priority(50);
  set_priority(255);
  check_is(seen[6], count);
  ok(SchedContext_Bind(thread->context, bell));
  ok(SchedContext_Unbind(thread->context));

  /* Of a thread: it stands still, and what it had is free. */
  ok(SchedContext_Bind(thread->context, thread->tcb));
  ok(TCB_BindNotification(thread->tcb, bell));
  ok(delete(thread->tcb));
  count = seen[6];
  set_priority(50);
  set_priority(255);
  check_is(seen[6], count);
  struct thread *heir = new_thread(100, 0, count_for_ever, 7);
  ok(SchedContext_Unbind(heir->context));
  ok(SchedContext_Bind(thread->context, heir->tcb));
  ok(TCB_BindNotification(heir->tcb, bell));

  /* Of a reply object: the caller has no answer. */
  word mortal = make(object_Reply), endpoint = make(object_Endpoint);
  seen[5] = 0;
  struct thread *caller = start_thread(100, call_at, endpoint);
  receive(endpoint, mortal);
  word second = copy(mortal, all_rights | 1 << 6);
  ok(delete(mortal));
  ok(delete(second));
  let_others_run();
  check_is(seen[5], 0);
  ok(TCB_Resume(caller->tcb));
  /* It calls again. */
  receive(endpoint, reply);
  send(reply, message(0, 0));
  let_others_run();
  check_is(seen[5], 1);
}

static void run_checks(void) {
  reply = make(object_Reply);
  its_reply = make(object_Reply);
  faults = make(object_Endpoint);
  badges();
  cancelled_sends();
  untyped_memory();
  no_copies();
  zombies();
  last_ones();
}
