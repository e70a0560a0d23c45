/* The corners of the interface: which check comes first, messages that are too short, words that are too large. */
#include "root.h"

static word endpoint, notification, free_slot, no_grant;

/* What is refused, and the first word of why. */
#define refused(call, error, first) \
  do { \
    check_is(call, error); \
    check_is(answer(0), first); \
  } while (0)

static void set_words(word a, word b, word c, word d) {
  my_buffer->words[0] = a;
  my_buffer->words[1] = b;
  my_buffer->words[2] = c;
  my_buffer->words[3] = d;
}

static void set_caps(word a, word b, word c) {
  my_buffer->caps_or_badges[0] = a;
  my_buffer->caps_or_badges[1] = b;
  my_buffer->caps_or_badges[2] = c;
}

static void check_short_messages(void) {
  it("finds the destination of a copy before it looks for the rest of the message");
  set_caps(slot_cnode, slot_cnode, 0);
  for (word label = label_CNode_Copy; label <= label_CNode_Rotate; label++) {
    set_words(free_slot, 0, 0, 0);
    check_is(invoke(slot_cnode, label, 0, 1), error_TruncatedMessage);
    refused(invoke(slot_cnode, label, 0, 2), error_RangeError, 1);
    set_words(free_slot, root_depth, endpoint, root_depth);
    check_is(invoke(slot_cnode, label, 0, 2), error_TruncatedMessage);
    check_is(invoke(slot_cnode, label, 2, 3), error_TruncatedMessage);
    set_words(endpoint, root_depth, endpoint, root_depth);
    word full = label == label_CNode_Rotate ? error_TruncatedMessage : error_DeleteFirst;
    check_is(invoke(slot_cnode, label, 2, 4), full);
    check_is(invoke(slot_cnode, label, 0, 8), error_TruncatedMessage);
  }
  it("finds its source before it looks for the rights and the badge");
  for (word label = label_CNode_Copy; label <= label_CNode_Mutate; label++) {
    if (label == label_CNode_Move) continue;
    set_words(free_slot, root_depth, free_slot, root_depth);
    refused(invoke(slot_cnode, label, 1, 4), error_FailedLookup, 1);
    set_words(free_slot, root_depth, endpoint, root_depth);
    check_is(invoke(slot_cnode, label, 1, 4), error_TruncatedMessage);
  }
  set_words(free_slot, root_depth, endpoint, root_depth);
  check_is(invoke(slot_cnode, label_CNode_Mint, 1, 5), error_TruncatedMessage);
  check_is(kind_in(free_slot), 0);

  it("says that a message for an interrupt by its number is too short, before it says that there is no such thing");
  set_words(4, free_slot, root_depth, 0);
  check_is(invoke(slot_irq_control, label_IRQControl_Get, 1, 2), error_TruncatedMessage);
  check_is(invoke(slot_irq_control, label_IRQControl_Get, 0, 3), error_TruncatedMessage);
  check_is(invoke(slot_irq_control, label_IRQControl_Get, 1, 3), error_IllegalOperation);
  check_is(invoke(slot_irq_control, label_IRQHandler_Ack, 0, 0), error_IllegalOperation);

  it("looks at the domain before it looks for the thread");
  set_words(1, 0, 0, 0);
  check_is(invoke(slot_domain, label_DomainSet_Set, 0, 0), error_TruncatedMessage);
  refused(invoke(slot_domain, label_DomainSet_Set, 0, 1), error_InvalidArgument, 0);
  set_words(0, 0, 0, 0);
  check_is(invoke(slot_domain, label_DomainSet_Set, 0, 1), error_TruncatedMessage);

  it("says of every object that its messages are too short");
  static const struct { word slot, label, caps, length; } methods[] = {
    {slot_tcb, label_TCB_ReadRegisters, 0, 2},           {slot_tcb, label_TCB_WriteRegisters, 0, 2},
    {slot_tcb, label_TCB_CopyRegisters, 1, 1},           {slot_tcb, label_TCB_Configure, 3, 3},
    {slot_tcb, label_TCB_SetPriority, 1, 1},             {slot_tcb, label_TCB_SetMCPriority, 1, 1},
    {slot_tcb, label_TCB_SetSchedParams, 3, 2},          {slot_tcb, label_TCB_SetTimeoutEndpoint, 1, 0},
    {slot_tcb, label_TCB_SetIPCBuffer, 1, 1},            {slot_tcb, label_TCB_SetSpace, 3, 2},
    {slot_tcb, label_TCB_BindNotification, 1, 0},        {slot_tcb, label_TCB_SetTLSBase, 0, 1},
    {slot_tcb, label_TCB_SetFlags, 0, 2},                {slot_cnode, label_CNode_Delete, 0, 2},
    {slot_domain, label_DomainSet_ScheduleConfigure, 0, 3}, {slot_domain, label_DomainSet_ScheduleSetStart, 0, 1},
    {slot_sched_context, label_SchedContext_Bind, 1, 0}, {slot_sched_context, label_SchedContext_UnbindObject, 1, 0},
    {slot_io_port_control, label_X86_IOPortControl_Issue, 1, 4},
    {slot_asid_control, label_X86_ASIDControl_MakePool, 2, 2}, {slot_asid_pool, label_X86_ASIDPool_Assign, 1, 0},
    {slot_irq_control, label_IRQControl_GetIOAPIC, 1, 7}, {slot_irq_control, label_IRQControl_GetMSI, 1, 7},
    {slot_ipc_buffer, label_X86_Page_Map, 1, 3}
  };
  for (word n = 0; n < sizeof methods / sizeof *methods; n++) {
    set_words(0, 0, 0, 0);
    set_caps(0, 0, 0);
    word slot = methods[n].slot, label = methods[n].label, caps = methods[n].caps, length = methods[n].length;
    if (length > 0) check_is(invoke(slot, label, caps, length - 1), error_TruncatedMessage);
    if (caps > 0) check_is(invoke(slot, label, caps - 1, length), error_TruncatedMessage);
  }
  check_is(invoke(memory_slot, label_Untyped_Retype, 1, 5), error_TruncatedMessage);
  check_is(invoke(memory_slot, label_Untyped_Retype, 0, 6), error_TruncatedMessage);
  check_is(invoke(boot_info->sched_control_start, label_SchedControl_ConfigureFlags, 1, 4), error_TruncatedMessage);
  check_is(invoke(boot_info->sched_control_start, label_SchedControl_ConfigureFlags, 0, 5), error_TruncatedMessage);
}

/* The same words with bits above those that a program's stub leaves. */
static void check_large_words(void) {
  enum { large_depth = 0x100 | root_depth };
  it("takes no depth for another that has the same low bits");
  refused(CNode_Copy(slot_cnode, free_slot, large_depth, endpoint, root_depth, all_rights, slot_cnode), error_RangeError, 1);
  check_is(answer(1), 64);
  refused(CNode_Copy(slot_cnode, free_slot, root_depth, endpoint, 1ul << 32 | root_depth, all_rights, slot_cnode), error_RangeError, 1);
  refused(CNode_Delete(slot_cnode, endpoint, large_depth), error_RangeError, 1);
  refused(CNode_Rotate(slot_cnode, free_slot, root_depth, 0, notification, large_depth, 0, endpoint, root_depth, slot_cnode, slot_cnode), error_RangeError, 1);
  refused(Untyped_Retype(memory_slot, object_Endpoint, 0, 1, large_depth, free_slot, 1, slot_cnode), error_RangeError, 1);
  refused(X86_IOPortControl_Issue(slot_io_port_control, 0x80, 0x80, free_slot, large_depth, slot_cnode), error_RangeError, 1);
  refused(IRQControl_GetMSI(slot_irq_control, free_slot, large_depth, 0, 3, 0, 0, 5, slot_cnode), error_RangeError, 1);
  refused(X86_ASIDControl_MakePool(slot_asid_control, free_slot, large_depth, make_sized(object_Untyped, 12), slot_cnode), error_RangeError, 1);
  refused(DomainSet_Set(slot_domain, 0x100, slot_tcb), error_InvalidArgument, 0);
  it("takes no number above 2^53 for one below");
  refused(Untyped_Retype(memory_slot, 1ul << 63, 0, 0, 0, free_slot, 1, slot_cnode), error_InvalidArgument, 0);
  refused(Untyped_Retype(memory_slot, object_Untyped, ~0ul, 0, 0, free_slot, 1, slot_cnode), error_RangeError, 0);
  check_is(answer(1), 47);
  refused(Untyped_Retype(memory_slot, object_Endpoint, 64, 0, 0, free_slot, 1, slot_cnode), error_RangeError, 0);
  refused(Untyped_Retype(memory_slot, object_Untyped, 48, 0, 0, free_slot, 1, slot_cnode), error_RangeError, 0);
  refused(Untyped_Retype(memory_slot, object_CapTable, 43, 0, 0, free_slot, 1, slot_cnode), error_RangeError, 0);
  refused(Untyped_Retype(memory_slot, object_Endpoint, 0, 0, 0, 1ul << 63, 1, slot_cnode), error_RangeError, 0);
  refused(Untyped_Retype(memory_slot, object_Endpoint, 0, 0, 0, free_slot, 1ul << 63, slot_cnode), error_RangeError, 1);
  refused(TCB_SetPriority(slot_tcb, ~0ul, slot_tcb), error_RangeError, 0);
  refused(SchedControl_ConfigureFlags(boot_info->sched_control_start, 100, 200, ~0ul, 0, 0, make_sized(object_SchedContext, 7)), error_RangeError, 0);
  check_is(kind_in(free_slot), 0);
}

static void check_retype(void) {
  it("says of a retype first what is wrong with the type, then the size, the place, the number, the memory");
  word cnode = make_sized(object_CapTable, 3), small = make_sized(object_Untyped, 6), nowhere = 0;
  refused(Untyped_Retype(small, 20, 99, 0, 99, 0, 0, nowhere), error_InvalidArgument, 0);
  refused(Untyped_Retype(small, object_CapTable, 64, 0, 99, 0, 0, nowhere), error_RangeError, 0);
  refused(Untyped_Retype(small, object_CapTable, 0, 0, 99, 0, 0, nowhere), error_InvalidArgument, 1);
  refused(Untyped_Retype(small, object_Untyped, 3, 0, 99, 0, 0, nowhere), error_InvalidArgument, 1);
  refused(Untyped_Retype(small, object_SchedContext, 6, 0, 99, 0, 0, nowhere), error_InvalidArgument, 1);
  refused(Untyped_Retype(small, object_TCB, 0, 0, 99, 0, 0, nowhere), error_FailedLookup, 0);
  check_is(answer(1), failure_invalid_root);
  refused(Untyped_Retype(small, object_TCB, 0, 0, 99, 0, 0, cnode), error_RangeError, 1);
  refused(Untyped_Retype(small, object_TCB, 0, 0, 0, 0, 0, endpoint), error_FailedLookup, 0);
  check_is(answer(1), failure_missing_capability);
  check_is(answer(2), 0);
  refused(Untyped_Retype(small, object_TCB, 0, endpoint, root_depth, 0, 0, slot_cnode), error_FailedLookup, 0);
  check_is(answer(1), failure_missing_capability);
  check_is(answer(2), root_depth);
  refused(Untyped_Retype(small, object_TCB, 0, 0, 0, 8, 0, cnode), error_RangeError, 0);
  check_is(answer(1), 7);
  refused(Untyped_Retype(small, object_TCB, 0, 0, 0, 7, 0, cnode), error_RangeError, 1);
  check_is(answer(1), 256);
  refused(Untyped_Retype(small, object_TCB, 0, 0, 0, 7, 257, cnode), error_RangeError, 1);
  refused(Untyped_Retype(small, object_TCB, 0, 0, 0, 6, 3, cnode), error_RangeError, 1);
  check_is(answer(1), 2);
  ok(CNode_Copy(cnode, 7, 3, endpoint, root_depth, all_rights, slot_cnode));
  check_is(Untyped_Retype(small, object_TCB, 0, 0, 0, 6, 2, cnode), error_DeleteFirst);
  refused(Untyped_Retype(small, object_TCB, 0, 0, 0, 6, 1, cnode), error_NotEnoughMemory, 64);
  it("makes objects in a CNode that is found by its address, one behind the other");
  ok(Untyped_Retype(small, object_Endpoint, 0, cnode, root_depth, 1, 4, slot_cnode));
  for (word n = 1; n < 5; n++) ok(CNode_Delete(cnode, n, 3));
}

static void check_threads(void) {
  struct thread *thread = new_thread(10, 0, 0, 0);
  word tcb = thread->tcb, context = make_sized(object_SchedContext, 8);
  it("says of scheduling parameters first what is wrong with the authority, then the priorities, the time, the handler");
  refused(TCB_SetSchedParams(tcb, 256, 256, endpoint, endpoint, slot_tcb), error_InvalidCapability, 1);
  refused(TCB_SetSchedParams(tcb, 256, 0, slot_tcb, endpoint, slot_tcb), error_RangeError, 0);
  refused(TCB_SetSchedParams(tcb, 0, 256, slot_tcb, endpoint, slot_tcb), error_RangeError, 0);
  refused(TCB_SetSchedParams(tcb, 0, 0, slot_tcb, endpoint, slot_tcb), error_InvalidCapability, 2);
  check_is(TCB_SetSchedParams(tcb, 0, 0, slot_tcb, context, slot_tcb), error_IllegalOperation);
  check_is(TCB_SetSchedParams(slot_tcb, 0, 0, slot_tcb, 0, slot_tcb), error_IllegalOperation);
  refused(TCB_SetSchedParams(tcb, 0, 0, slot_tcb, 0, slot_tcb), error_InvalidCapability, 3);
  refused(TCB_SetSchedParams(tcb, 0, 0, slot_tcb, 0, no_grant), error_InvalidCapability, 3);
  ok(SchedContext_UnbindObject(thread->context, tcb));
  it("takes its time from a thread that is given none");
  ok(SchedContext_Bind(thread->context, tcb));
  ok(TCB_SetSchedParams(tcb, 0, 0, slot_tcb, 0, 0));
  check_is(SchedContext_UnbindObject(thread->context, tcb), error_IllegalOperation);
  ok(TCB_SetSchedParams(tcb, 0, 0, slot_tcb, thread->context, 0));

  it("says of a thread's parts first what is wrong with the buffer, then the CNode, the address space");
  word space = make(object_PML4);
  check_is(TCB_Configure(tcb, ~0ul, 0, 1, slot_tcb, slot_tcb, slot_tcb), error_IllegalOperation);
  check_is(TCB_Configure(tcb, ~0ul, 0, 1, slot_tcb, slot_tcb, thread->frame), error_AlignmentError);
  check_is(TCB_Configure(tcb, 0, 0, 1ul << 60 | 1, slot_cnode, slot_address_space, thread->frame), error_AlignmentError);
  check_is(TCB_Configure(tcb, 63, 0, 0, slot_cnode, slot_address_space, slot_tcb), error_IllegalOperation);
  check_is(TCB_Configure(tcb, 0, 0, 0, slot_cnode, space, slot_tcb), error_IllegalOperation);
  ok(TCB_Configure(tcb, 0, 0, 0, slot_cnode, slot_address_space, slot_tcb));
  refused(TCB_SetSpace(tcb, 63, 0, slot_tcb, slot_cnode, slot_address_space), error_IllegalOperation, 63);
  refused(TCB_SetSpace(tcb, 0, 0, no_grant, slot_cnode, slot_address_space), error_InvalidCapability, 1);

  it("has only a timeout handler that can be called, or none");
  refused(TCB_SetTimeoutEndpoint(tcb, notification), error_InvalidCapability, 1);
  refused(TCB_SetTimeoutEndpoint(tcb, no_grant), error_InvalidCapability, 1);
  refused(TCB_SetTimeoutEndpoint(tcb, copy(endpoint, right_read | right_grant)), error_InvalidCapability, 1);
  ok(TCB_SetTimeoutEndpoint(tcb, copy(endpoint, right_write | right_grant_reply)));
  ok(TCB_SetTimeoutEndpoint(tcb, 0));

  it("binds no notification that cannot be heard, or is another's");
  check_is(TCB_BindNotification(tcb, endpoint), error_IllegalOperation);
  check_is(TCB_BindNotification(tcb, copy(notification, right_write)), error_IllegalOperation);
  check_is(TCB_UnbindNotification(tcb), error_IllegalOperation);
  ok(TCB_BindNotification(tcb, notification));
  check_is(TCB_BindNotification(tcb, make(object_Notification)), error_IllegalOperation);
  check_is(TCB_BindNotification(slot_tcb, notification), error_IllegalOperation);
  ok(TCB_UnbindNotification(tcb));

  it("looks at the number of registers before it looks whose they are");
  word words[1] = {0};
  refused(TCB_ReadRegisters(slot_tcb, 0, 0), error_RangeError, 1);
  check_is(TCB_WriteRegisters(slot_tcb, 0, 2, words, 1), error_TruncatedMessage);
  check_is(TCB_WriteRegisters(slot_tcb, 0, 1, words, 1), error_IllegalOperation);
  refused(TCB_CopyRegisters(tcb, 0, endpoint), error_InvalidCapability, 1);
  it("writes no more registers than there are");
  struct user_context context_of = {.rax = 3, .gs_base = 0x5000};
  word many[40];
  for (word n = 0; n < 40; n++) many[n] = n < 20 ? ((word *)&context_of)[n] : ~0ul;
  ok(TCB_WriteRegisters(tcb, 0, 40, many, 40));
  ok(TCB_ReadRegisters(tcb, 0, 20));
  check_is(answer(3), 3);
  check_is(answer(19), 0x5000);
}

/* —— A buffer at an address of which nothing is mapped */

static void send_words(word length) {
  for (word n = 0; n < length; n++) my_buffer->words[n] = 0x100 + n;
  send(endpoint, message(9, length));
}

static void check_buffer(void) {
  it("finds a thread's buffer in its frame by the low bits of its address, whatever the others are");
  word reply = make(object_Reply);
  for (word part = 0; part < page_bytes; part += 1024) {
    struct thread *thread = new_thread(100, 0, send_words, 6);
    struct ipc_buffer *buffer = (struct ipc_buffer *)((word)thread->buffer + part);
    buffer->user_data = thread->buffer->user_data;
    thread->buffer = buffer;
    ok(TCB_SetIPCBuffer(thread->tcb, 0xfffffffffffff000 + part, thread->frame));
    ok(TCB_Resume(thread->tcb));
    struct message message = receive(endpoint, reply);
    check_is(message.length, 6);
    for (word n = 0; n < 6; n++) check_is(answer(n), 0x100 + n);
  }
}

static void check_large_buffer(void) {
  it("finds a buffer anywhere in a large page, too");
  enum { large_page = 1 << 21, at = 0x800000, offset = 0x1f2400 };
  word reply = make(object_Reply), large = make(object_LargePage);
  ok(X86_Page_Map(large, at, all_rights, ~0ul, slot_address_space));
  struct thread *thread = new_thread(100, 0, send_words, 100);
  struct ipc_buffer *buffer = (struct ipc_buffer *)(word)(at + offset);
  buffer->user_data = thread->buffer->user_data;
  thread->buffer = buffer;
  ok(TCB_SetIPCBuffer(thread->tcb, (word)buffer, large));
  ok(TCB_Resume(thread->tcb));
  struct message message = receive(endpoint, reply);
  check_is(message.length, 100);
  for (word n = 0; n < 100; n++) check_is(answer(n), 0x100 + n);
  ok(TCB_Suspend(thread->tcb));
}

static void check_time(void) {
  word control = boot_info->sched_control_start, context = make_sized(object_SchedContext, 8);
  it("says of a budget first what is wrong with its scheduling context, then the budget, the period, the refills");
  refused(SchedControl_ConfigureFlags(control, 0, 0, 99, 0, 0, slot_tcb), error_InvalidCapability, 1);
  refused(SchedControl_ConfigureFlags(control, 19, 0, 99, 0, 0, context), error_RangeError, 20);
  word longest = answer(1);
  refused(SchedControl_ConfigureFlags(control, longest + 1, longest + 1, 0, 0, 0, context), error_RangeError, 20);
  check_is(answer(1), longest);
  refused(SchedControl_ConfigureFlags(control, 20, longest + 1, 0, 0, 0, context), error_RangeError, 20);
  refused(SchedControl_ConfigureFlags(control, 50, 40, 99, 0, 0, context), error_RangeError, 20);
  check_is(answer(1), 40);
  refused(SchedControl_ConfigureFlags(control, 40, 50, 9, 0, 0, context), error_RangeError, 0);
  ok(SchedControl_ConfigureFlags(control, longest, longest, 8, 0, 0, context));

  it("looks at one of the flags, whatever the others are");
  word sporadic = make_sized(object_SchedContext, 8);
  ok(SchedControl_ConfigureFlags(control, 100, 200, 0, 0, ~0ul, sporadic));
  ok(SchedControl_ConfigureFlags(control, 100, 200, 0, 0, ~1ul, sporadic));

  it("binds a scheduling context to a thread and to a notification, one of each");
  struct thread *thread = new_thread(10, 0, 0, 0);
  ok(SchedContext_Unbind(thread->context));
  refused(SchedContext_Bind(context, endpoint), error_InvalidCapability, 1);
  ok(SchedContext_Bind(context, thread->tcb));
  ok(SchedContext_Bind(context, notification));
  check_is(SchedContext_Bind(context, notification), error_IllegalOperation);
  check_is(SchedContext_Bind(thread->context, notification), error_IllegalOperation);
  check_is(SchedContext_Bind(context, make(object_Notification)), error_IllegalOperation);
  check_is(SchedContext_UnbindObject(context, slot_tcb), error_IllegalOperation);
  refused(SchedContext_UnbindObject(context, slot_cnode), error_InvalidCapability, 1);
  check_is(SchedContext_UnbindObject(slot_sched_context, slot_tcb), error_IllegalOperation);
  ok(SchedContext_UnbindObject(context, notification));
  check_is(SchedContext_UnbindObject(context, notification), error_IllegalOperation);
  ok(SchedContext_UnbindObject(context, thread->tcb));
  check_is(SchedContext_UnbindObject(context, thread->tcb), error_IllegalOperation);
  ok(SchedContext_Unbind(context));
  it("yields to nobody");
  check_is(SchedContext_YieldTo(context), error_IllegalOperation);
  it("binds time that was never configured to a thread that is stopped, and to none that waits");
  word raw = make_sized(object_SchedContext, 7);
  ok(SchedContext_Bind(raw, thread->tcb));
  ok(TCB_Resume(thread->tcb));
  ok(SchedContext_YieldTo(raw));
  check_is(answer(0), 0);
  ok(SchedContext_Unbind(raw));
  ok(TCB_Suspend(thread->tcb));
}

static void check_ports(void) {
  word ports = empty_slot();
  ok(X86_IOPortControl_Issue(slot_io_port_control, 0x2f8, 0x2ff, ports, root_depth, slot_cnode));
  it("reads and writes no port of which a part is beyond the range");
  check_is(X86_IOPort_In8(ports, 0x2f7), error_IllegalOperation);
  check_is(X86_IOPort_In16(ports, 0x2ff), error_IllegalOperation);
  check_is(X86_IOPort_In32(ports, 0x2fd), error_IllegalOperation);
  check_is(X86_IOPort_Out16(ports, 0x2ff, 0), error_IllegalOperation);
  check_is(X86_IOPort_Out32(ports, 0x2fd, 0), error_IllegalOperation);
  check_is(X86_IOPort_Out8(ports, 0x300, 0), error_IllegalOperation);
  it("uses 16 bits of a port's number, and of what is written as many as the port has");
  ok(X86_IOPort_Out8(ports, 0x102ff, 0x155));
  ok(X86_IOPort_In8(ports, 1ul << 40 | 0x2ff));
  check_is(answer(0), 0x55);
  set_words(0x2ff, 0, 0, 0);
  check_is(invoke(ports, label_X86_IOPort_Out8, 0, 1), error_TruncatedMessage);
  check_is(invoke(ports, label_X86_IOPort_In8, 0, 0), error_TruncatedMessage);
  check_is(invoke(ports, label_X86_IOPortControl_Issue, 0, 4), error_IllegalOperation);
}

enum { identifiers = 512 };

static void check_identifiers(void) {
  it("gives out as many identifiers as a pool has, and again what is given back");
  word pool = empty_slot(), memory = make_sized(object_Untyped, 12), spaces = next_slot;
  ok(X86_ASIDControl_MakePool(slot_asid_control, pool, root_depth, memory, slot_cnode));
  for (; next_slot < spaces + identifiers; next_slot += most_retyped)
    ok(Untyped_Retype(memory_slot, object_PML4, 0, 0, 0, next_slot, most_retyped, slot_cnode));
  for (word n = 0; n < identifiers; n++) check_is(X86_ASIDPool_Assign(pool, spaces + n), error_none);
  word more = make(object_PML4);
  check_is(X86_ASIDPool_Assign(pool, more), error_DeleteFirst);
  ok(delete(spaces + 77));
  ok(X86_ASIDPool_Assign(pool, more));
  refused(X86_ASIDPool_Assign(pool, more), error_InvalidCapability, 1);
  refused(X86_ASIDPool_Assign(pool, endpoint), error_InvalidCapability, 1);
  ok(delete(pool));
}

static void run_checks(void) {
  endpoint = make(object_Endpoint);
  notification = make(object_Notification);
  free_slot = empty_slot();
  no_grant = copy(endpoint, right_write | right_read);
  check_short_messages();
  check_large_words();
  check_retype();
  check_threads();
  check_buffer();
  check_large_buffer();
  check_time();
  check_ports();
  check_identifiers();
}
