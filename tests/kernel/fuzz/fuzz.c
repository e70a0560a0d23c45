/*
 * Threads that make system calls at random, with capabilities at random: the first task gives them both, takes all back after a
 * while, and begins again. What it gives they may do to each other; it keeps out of their reach.
 */
#include "../programs/root.h"
#include "../programs/guest.h"

/* Written into the program before it starts. */
__attribute__((used, section(".data"))) volatile word seed = 0x5eed5eed5eed5eed;

enum { players = 6, radix = 6, slots = 1 << radix, arena_bits = 20, guard_size = 64 - radix, rounds = 40, guest_at = 0x510000 };

struct generator {
  word state;
};

/* "Xorshift RNGs", George Marsaglia. */
static word next(struct generator *generator) {
  word state = generator->state;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return generator->state = state;
}

static word below(struct generator *generator, word limit) {
  return next(generator) % limit;
}

/* —— A player */

static byte stacks[players][2048] __attribute__((aligned(16)));

static const long calls[] = {
  syscall_Call, syscall_Call, syscall_Call, syscall_Call, syscall_Call, syscall_Call, syscall_Send, syscall_NBSend, syscall_Recv,
  syscall_NBRecv, syscall_Wait, syscall_NBWait, syscall_ReplyRecv, syscall_NBSendRecv, syscall_NBSendWait, syscall_Yield, syscall_VMEnter
};

/* Pages that the processor uses for a guest, and the controls that use them. */
static const word vmcs_pages[] = {vmcs_VIRTUAL_APIC_ADDRESS, vmcs_APIC_ACCESS_ADDRESS, vmcs_POSTED_INTERRUPT_DESCRIPTOR};
static const struct { word field, always, sometimes; } page_users[] = {
  {vmcs_PIN_BASED_CONTROLS, 0, 1 << 7}, {vmcs_SECONDARY_CONTROLS, unrestricted, 1 << 0 | 1 << 4 | 1 << 8 | 1 << 9}
};
enum { tpr_shadow = 1 << 21 };

/* Words that are something: slots, sizes, small numbers, addresses, all bits. */
static word odd_word(struct generator *generator) {
  word choice = next(generator) >> 8;
  switch (next(generator) >> 16 & 15) {
    case 0: return 1ul << (choice & 63);
    case 1: return ~0ul << (choice & 63);
    case 2: return next(generator);
    case 3: return 64;
    case 4: return 0x10000000 + (choice & 7) * page_bytes;
    case 5: return choice & 255;
    case 6: return 20 + (choice & 0x3ff);
    case 7: return 4 + (choice & 15);
    case 8: return 0;
    case 9: return radix;
    case 10: return vmcs_fields[choice % (sizeof vmcs_fields / sizeof *vmcs_fields)];
    case 11: return vmcs_pages[choice % (sizeof vmcs_pages / sizeof *vmcs_pages)];
    case 12: return choice & 1 ? tpr_shadow : page_users[choice >> 1 & 1].field;
    default: return choice & (slots - 1);
  }
}

static void play(word beginning) {
  struct generator generator = {beginning | 1};
  for (;;) {
    word number = calls[below(&generator, sizeof calls / sizeof *calls)], extra = below(&generator, 2) == 0 ? below(&generator, 4) : 3;
    if (below(&generator, 200) == 0) number = next(&generator);
    /* Some have the floating-point registers, when they are stopped or deleted. */
    if (below(&generator, 8) == 0) __asm__ volatile("movq %0, %%xmm1" : : "r"(number));
    for (int n = 0; n < 3; n++) my_buffer->caps_or_badges[n] = below(&generator, slots);
    my_buffer->receive_cnode = below(&generator, slots);
    my_buffer->receive_index = below(&generator, slots);
    my_buffer->receive_depth = 64;
    /* Halting the machine, and printing, is for none of them. */
    if (number <= (word)syscall_DebugPutChar && number >= (word)syscall_DebugNameThread) number = (word)syscall_Yield;
    /* Mostly what the capability has a method for. */
    word capability = below(&generator, slots), kind = kind_in(capability), label = below(&generator, 0x1010);
    if (labels_of[kind][0] != 0 && below(&generator, 16) != 0) label = labels_of[kind][1 + below(&generator, labels_of[kind][0])];
    for (int n = 0; n < 8; n++) my_buffer->words[n] = odd_word(&generator);
    system_call(number, capability, (struct message){.label = label, .extra_caps = extra, .length = below(&generator, 4) == 0 ? below(&generator, 130) : 8}, below(&generator, slots), below(&generator, slots));
  }
}

/* —— The first task */

/* Slots of what players may have, and of what makes up the players. */
static word arena, pool_start, pool_end;

static word retype_from_arena(word type, word size) {
  word slot = pool_end++;
  return retype(arena, type, size, slot) == error_none ? slot : 0;
}

struct player {
  struct ipc_buffer *buffer;
  word tcb, cnode, context;
};

static struct player player[players];

static void give(struct generator *generator, word cnode) {
  for (word slot = 1; slot < slots; slot++) {
    if (below(generator, 3) == 0) continue;
    word from = pool_start + below(generator, pool_end - pool_start);
    word rights = below(generator, 3) == 0 ? next(generator) & 0xff : all_rights;
    if (below(generator, 4) == 0) rights |= 1ul << 63;
    if (below(generator, 3) == 0) CNode_Mint(cnode, slot, radix, from, root_depth, rights, below(generator, 3) ? below(generator, 8) : guard_size, slot_cnode);
    else CNode_Copy(cnode, slot, radix, from, root_depth, rights, slot_cnode);
  }
}

/* The guest's virtual processor, and what it was given of `vmcs_pages`. */
static word guest_vcpu, guest_pages[sizeof vmcs_pages / sizeof *vmcs_pages];

/* Some of the pages are taken back and others given, and controls that use them are asked for. */
static void change_pages(struct generator *generator) {
  for (word n = 0; n < sizeof vmcs_pages / sizeof *vmcs_pages; n++) {
    if (below(generator, 4) == 0) X86_Page_Unmap(guest_pages[n]);
    if (below(generator, 4) == 0) X86_VCPU_SetPage(guest_vcpu, vmcs_pages[n], guest_pages[n]);
  }
  for (word n = 0; n < sizeof page_users / sizeof *page_users; n++)
    if (below(generator, 2) == 0) X86_VCPU_WriteVMCS(guest_vcpu, page_users[n].field, page_users[n].always | (page_users[n].sometimes & next(generator)));
}

/* A guest whose code and data are chance, with a state in which it can be entered. It is one of the players' who runs it. */
static void begin_guest(struct generator *generator) {
  struct guest guest = {
    .vcpu = retype_from_arena(object_VCPU, 0), .root = retype_from_arena(object_EPTPML4, 0), .pdpt = retype_from_arena(object_EPTPDPT, 0),
    .directory = retype_from_arena(object_EPTPD, 0), .table = retype_from_arena(object_EPTPT, 0), .frame = retype_from_arena(object_Page4K, 0)
  };
  if (X86_VCPU_SetTCB(guest.vcpu, player[0].tcb) != error_none) return;
  X86_ASIDPool_Assign(slot_asid_pool, guest.root);
  X86_EPTPDPT_Map(guest.pdpt, 0, 0, guest.root);
  X86_EPTPD_Map(guest.directory, 0, 0, guest.root);
  X86_EPTPT_Map(guest.table, 0, 0, guest.root);
  word seen = pool_end++;
  CNode_Copy(slot_cnode, seen, root_depth, guest.frame, root_depth, all_rights, slot_cnode);
  X86_Page_Map(seen, guest_at, all_rights, 0, slot_address_space);
  for (word n = 0; n < page_bytes / 8; n++) ((word *)guest_at)[n] = next(generator);
  X86_Page_MapEPT(guest.frame, 0, all_rights, write_back, guest.root);
  TCB_SetEPTRoot(player[0].tcb, guest.root);
  real_mode(&guest);
  guest_vcpu = guest.vcpu;
  for (word n = 0; n < sizeof vmcs_pages / sizeof *vmcs_pages; n++) {
    guest_pages[n] = retype_from_arena(object_Page4K, 0);
    X86_VCPU_SetPage(guest.vcpu, vmcs_pages[n], guest_pages[n]);
  }
}

static void begin(struct generator *generator, word buffers_at) {
  static const struct { word type, size, count; } objects[] = {
    {object_Endpoint, 0, 4}, {object_Notification, 0, 4}, {object_Reply, 0, 5}, {object_SchedContext, 8, 3}, {object_Untyped, 13, 2},
    {object_Untyped, 12, 2}, {object_CapTable, 3, 2}, {object_Page4K, 0, 3}, {object_PageTable, 0, 1}, {object_PageDirectory, 0, 1},
    {object_PDPT, 0, 1}, {object_PML4, 0, 1}, {object_TCB, 0, 1}, {object_VCPU, 0, 1}, {object_EPTPML4, 0, 1}, {object_EPTPDPT, 0, 1},
    {object_EPTPD, 0, 1}, {object_EPTPT, 0, 1}
  };
  pool_end = pool_start;
  for (word n = 0; n < sizeof objects / sizeof *objects; n++)
    for (word m = 0; m < objects[n].count; m++) retype_from_arena(objects[n].type, objects[n].size);
  static const word machine[] = {slot_asid_control, slot_asid_pool, slot_address_space};
  for (word n = 0; n < sizeof machine / sizeof *machine; n++)
    if (CNode_Copy(slot_cnode, pool_end, root_depth, machine[n], root_depth, all_rights, slot_cnode) == error_none) pool_end++;
  if (CNode_Copy(slot_cnode, pool_end, root_depth, boot_info->sched_control_start, root_depth, all_rights, slot_cnode) == error_none) pool_end++;
  /* Players may move one another into other domains, and not take away the first task's turns. */
  if (CNode_Copy(slot_cnode, pool_end, root_depth, slot_domain, root_depth, all_rights | right_Domain_schedule, slot_cnode) == error_none) pool_end++;
  if (IRQControl_GetMSI(slot_irq_control, pool_end, root_depth, 0, 1, 0, 0, 33, slot_cnode) == error_none) pool_end++;
  if (X86_IOPortControl_Issue(slot_io_port_control, 0x80, 0x81, pool_end, root_depth, slot_cnode) == error_none) pool_end++;
  for (word n = 0; n < players; n++) {
    struct player *each = &player[n];
    each->tcb = retype_from_arena(object_TCB, 0);
    each->cnode = retype_from_arena(object_CapTable, radix);
    each->context = retype_from_arena(object_SchedContext, 8);
    word frame = retype_from_arena(object_Page4K, 0);
    each->buffer = (struct ipc_buffer *)(buffers_at + n * page_bytes);
    X86_Page_Map(frame, (word)each->buffer, all_rights, 0, slot_address_space);
    word period = 100 + below(generator, 400);
    SchedControl_ConfigureFlags(boot_info->sched_control_start, below(generator, 2) ? period : 50 + below(generator, 50), period, below(generator, 4), n, below(generator, 2), each->context);
    TCB_Configure(each->tcb, guard_size, 0, (word)each->buffer, each->cnode, slot_address_space, frame);
    TCB_SetSchedParams(each->tcb, 200, 100 + below(generator, 4), slot_tcb, each->context, below(generator, 2) ? pool_start + below(generator, 4) : 0);
    if (below(generator, 3) == 0) TCB_SetTimeoutEndpoint(each->tcb, pool_start + below(generator, 4));
    if (below(generator, 3) == 0) TCB_BindNotification(each->tcb, pool_start + 4 + below(generator, 4));
  }
  begin_guest(generator);
  for (word n = 0; n < players; n++) give(generator, player[n].cnode);
}

/* Turns of three domains, if there are so many: the first task's is one of them. Players are of any. */
static void change_domains(struct generator *generator) {
  enum { domains = 3, parts = 4, microsecond = 1000 };
  if (DomainSet_Set(slot_domain, domains - 1, player[0].tcb) != error_none) return;
  for (word n = 0; n < parts; n++) DomainSet_ScheduleConfigure(slot_domain, n, n % domains, (20 + below(generator, 200)) * microsecond);
  DomainSet_ScheduleSetStart(slot_domain, below(generator, parts));
  for (word n = 0; n < players; n++) DomainSet_Set(slot_domain, below(generator, domains), player[n].tcb);
}

/* Players that wait for nobody, or have done what stopped them, play on: from the beginning, or where they were. */
static void play_on(struct generator *generator, int from_the_beginning) {
  for (word n = 0; n < players; n++) {
    struct player *each = &player[n];
    if (below(generator, 8) == 0) SchedContext_Bind(each->context, each->tcb);
    struct user_context context = {
      .rip = (word)play, .rsp = (word)(stacks[n] + sizeof stacks[n] - 8), .rdi = next(generator), .fs_base = (word)&each->buffer
    };
    if (from_the_beginning || below(generator, 3) == 0) TCB_WriteRegisters(each->tcb, 1, 20, (word *)&context, 20);
    else if (below(generator, 3) != 0) TCB_Resume(each->tcb);
  }
}

static void take_back(void) {
  revoke(arena);
  for (word slot = pool_start; slot < pool_end; slot++) {
    revoke(slot);
    delete(slot);
  }
}

static void run_checks(void) {
  struct generator generator = {seed * 2 + 1};
  arena = make_sized(object_Untyped, arena_bits);
  pool_start = next_slot;
  /* Time for the others: what is left of the budget is given up when they may play. */
  ok(SchedControl_ConfigureFlags(boot_info->sched_control_start, 60, 120, 0, 0, 0, slot_sched_context));
  for (;;) {
    begin(&generator, 0x500000);
    for (int round = 0; round < rounds; round++) {
      change_pages(&generator);
      change_domains(&generator);
      play_on(&generator, round == 0);
      yield();
    }
    take_back();
  }
}
