/* Address spaces: page tables, frames, what may be done with a page, identifiers. */
#include "root.h"

static word faults, reply;
static volatile word seen[8];

/* Far from all that boot has mapped: each in a table of its own. */
static const word far = 0x100000000000, large_page = 1 << 21, huge_page = 1 << 30;

static word map(word frame, word address, word rights, word attributes) {
  return X86_Page_Map(frame, address, rights, attributes, slot_address_space);
}

static word read_at(word address) {
  return *(volatile word *)address;
}

static void write_at(word address, word value) {
  *(volatile word *)address = value;
}

/* —— What a thread that tries finds */

static void try_read(word address) {
  seen[0] = read_at(address);
}

static void try_write(word address) {
  write_at(address, 7);
}

static void try_run(word address) {
  ((void (*)(void))address)();
}

/* The status of the page fault, or ~0 if there is none. */
static word status_of(body *try, word address) {
  static struct thread *thread;
  if (thread == 0) thread = new_thread(254, faults, try, address);
  ok(set_registers(thread, try, address, 0));
  ok(TCB_SetPriority(thread->tcb, 254, slot_tcb));
  ok(TCB_Resume(thread->tcb));
  set_priority(50);
  set_priority(255);
  struct message message = nb_receive(faults, reply);
  word status = ~0ul;
  if (message.badge != 0 || message.label != 0) {
    check_is(message.label, fault_VMFault);
    check_is(answer(VMFault_address), address);
    check_is(answer(VMFault_fetch), try == try_run);
    status = answer(VMFault_status);
  }
  ok(TCB_Suspend(thread->tcb));
  return status;
}

enum { is_present = 1, is_write = 2, is_user = 4, is_fetch = 16 };

static void check_tables(void) {
  word frame = make(object_Page4K), pdpt = make(object_PDPT), directory = make(object_PageDirectory), table = make(object_PageTable);
  it("is told at which level a table is missing");
  check_is(map(frame, far, all_rights, 0), error_FailedLookup);
  check_is(answer(0), 0);
  check_is(answer(1), failure_missing_capability);
  check_is(answer(2), 39);
  check_is(X86_PageTable_Map(table, far, 0, slot_address_space), error_FailedLookup);
  check_is(answer(2), 39);
  it("copies no table that is mapped nowhere");
  check_is(CNode_Copy(slot_cnode, empty_slot(), root_depth, pdpt, root_depth, all_rights, slot_cnode), error_IllegalOperation);
  ok(X86_PDPT_Map(pdpt, far, 0, slot_address_space));
  ok(CNode_Copy(slot_cnode, empty_slot(), root_depth, pdpt, root_depth, all_rights, slot_cnode));
  check_is(map(frame, far, all_rights, 0), error_FailedLookup);
  check_is(answer(2), 30);
  ok(X86_PageDirectory_Map(directory, far, 0, slot_address_space));
  check_is(map(frame, far, all_rights, 0), error_FailedLookup);
  check_is(answer(2), 21);
  ok(X86_PageTable_Map(table, far, 0, slot_address_space));
  ok(map(frame, far, all_rights, 0));
  write_at(far + 8, 5);
  check_is(read_at(far + 8), 5);

  it("maps a table once, and nothing where something is");
  check_is(X86_PageTable_Map(table, far, 0, slot_address_space), error_InvalidCapability);
  check_is(X86_PageTable_Map(make(object_PageTable), far, 0, slot_address_space), error_DeleteFirst);
  check_is(X86_PDPT_Map(make(object_PDPT), far, 0, slot_address_space), error_DeleteFirst);
  check_is(X86_PageTable_Map(make(object_PageTable), 1ul << 47, 0, slot_address_space), error_InvalidArgument);

  it("has nothing mapped any more when a table is unmapped, and all again when that is mapped again");
  ok(X86_PageTable_Unmap(table));
  check_is(status_of(try_read, far), is_user);
  ok(X86_PageTable_Map(table, far, 0, slot_address_space));
  check_is(status_of(try_read, far), is_user);
  ok(X86_Page_Unmap(frame));
  ok(map(frame, far, all_rights, 0));
  check_is(read_at(far + 8), 5);

  it("unmaps the table that is deleted");
  ok(revoke(directory));
  ok(delete(directory));
  check_is(status_of(try_read, far), is_user);
  directory = make(object_PageDirectory);
  ok(X86_PageDirectory_Map(directory, far, 0, slot_address_space));
}

static void check_frames(void) {
  word frame = make(object_Page4K), table = make(object_PageTable);
  ok(X86_PageTable_Map(table, far, 0, slot_address_space));
  it("maps a frame at a multiple of its size, below the end of user addresses");
  check_is(map(frame, far + 8, all_rights, 0), error_AlignmentError);
  check_is(map(frame, 1ul << 47, all_rights, 0), error_InvalidArgument);
  check_is(answer(0), 0);
  check_is(map(frame, 0xffffffff80000000, all_rights, 0), error_InvalidArgument);
  check_is(X86_Page_Map(frame, far, all_rights, 0, table), error_InvalidCapability);

  it("maps it at one place at a time: elsewhere is another capability's");
  ok(map(frame, far, all_rights, 0));
  check_is(map(frame, far + page_bytes, all_rights, 0), error_InvalidArgument);
  word second = copy(frame, all_rights);
  ok(map(second, far + page_bytes, all_rights, 0));
  write_at(far, 99);
  check_is(read_at(far + page_bytes), 99);
  ok(X86_Page_Unmap(second));
  check_is(read_at(far), 99);
  ok(X86_Page_Unmap(second));
  ok(map(second, far + 2 * page_bytes, all_rights, 0));
  it("is unmapped where a capability mapped it when that is deleted");
  ok(delete(second));
  check_is(status_of(try_read, far + 2 * page_bytes), is_user);
  check_is(read_at(far), 99);

  it("has a page that can be read, and not written, without the right to write");
  ok(map(frame, far, right_read, 0));
  check_is(read_at(far), 99);
  check_is(status_of(try_read, far), ~0ul);
  check_is(status_of(try_write, far), is_present | is_write | is_user);
  it("has one that can be written again, after the next mapping at the same place");
  ok(map(frame, far, all_rights, 0));
  check_is(status_of(try_write, far), ~0ul);
  it("maps a capability with fewer rights with those at most");
  word read_only = copy(frame, right_read);
  ok(map(read_only, far + page_bytes, all_rights, 0));
  check_is(status_of(try_write, far + page_bytes), is_present | is_write | is_user);
  check_is(read_at(far + page_bytes), 7);
  word nothing = copy(frame, 0);
  ok(map(nothing, far + 2 * page_bytes, all_rights, 0));
  check_is(status_of(try_read, far + 2 * page_bytes), is_present | is_user);
  it("runs what is in a page, but where the right to execute was taken away");
  write_at(far, 0xc3);
  check_is(status_of(try_run, far), ~0ul);
  ok(map(frame, far, all_rights | right_Frame_execute, 0));
  check_is(status_of(try_run, far), is_present | is_user | is_fetch);
  check_is(status_of(try_write, far), ~0ul);
  it("takes every attribute of a page, by which nothing else changes");
  for (word attribute = 0; attribute < 8; attribute++) {
    ok(map(frame, far, all_rights, attribute));
    write_at(far, attribute);
    check_is(read_at(far), attribute);
  }

  it("says where a frame is in memory");
  ok(X86_Page_GetAddress(frame));
  word address = answer(0);
  ok(X86_Page_GetAddress(read_only));
  check_is(answer(0), address);
}

static void check_large(void) {
  it("maps 2 MiB as one page, and no table or small page there");
  word untyped = make_sized(object_Untyped, 21), large = empty_slot(), at = far + large_page;
  ok(retype(untyped, object_LargePage, 0, large));
  check_is(map(large, at + page_bytes, all_rights, 0), error_AlignmentError);
  ok(map(large, at, all_rights, 0));
  write_at(at + large_page - 8, 0x1234);
  check_is(read_at(at + large_page - 8), 0x1234);
  check_is(read_at(at), 0);
  check_is(X86_PageTable_Map(make(object_PageTable), at, 0, slot_address_space), error_DeleteFirst);
  check_is(map(make(object_Page4K), at, all_rights, 0), error_FailedLookup);
  check_is(status_of(try_write, at + 0x5000), ~0ul);
  ok(map(large, at, right_read, 0));
  check_is(status_of(try_write, at + 0x5000), is_present | is_write | is_user);
  ok(X86_Page_Unmap(large));
  check_is(status_of(try_read, at + 0x5000), is_user);
  it("maps no large page over a table");
  check_is(map(large, far, all_rights, 0), error_DeleteFirst);

  it("maps 1 GiB of a device as one page");
  word device = 0;
  for (word n = 0; n < boot_info->untyped_end - boot_info->untyped_start; n++)
    if (boot_info->untyped[n].is_device && boot_info->untyped[n].size_bits > 30) device = boot_info->untyped_start + n;
  word huge = empty_slot();
  ok(retype(device, object_HugePage, 0, huge));
  ok(map(huge, far + huge_page, all_rights, 0));
  check_is(map(huge, far + 2 * huge_page, all_rights, 0), error_InvalidArgument);
  check_is(X86_PageDirectory_Map(make(object_PageDirectory), far + huge_page, 0, slot_address_space), error_DeleteFirst);
  ok(delete(huge));

  it("has no IPC buffer in memory of a device");
  word device_page = empty_slot();
  ok(retype(device, object_Page4K, 0, device_page));
  check_is(TCB_SetIPCBuffer(threads[0].tcb, far, device_page), error_IllegalOperation);
}

/* —— Identifiers */

static void run_in_other_space(word argument) {
  seen[1] = read_at(argument);
}

static void check_identifiers(void) {
  it("gives an address space one identifier, without which nothing is mapped there");
  word space = make(object_PML4), pdpt = make(object_PDPT), frame = make(object_Page4K);
  check_is(X86_PDPT_Map(pdpt, far, 0, space), error_InvalidCapability);
  check_is(answer(0), 1);
  check_is(X86_Page_Map(frame, far, all_rights, 0, space), error_InvalidCapability);
  ok(X86_ASIDPool_Assign(slot_asid_pool, space));
  check_is(X86_ASIDPool_Assign(slot_asid_pool, space), error_InvalidCapability);
  check_is(answer(0), 1);
  ok(X86_PDPT_Map(pdpt, far, 0, space));

  it("makes a pool of identifiers of 4 KiB of untyped memory that has no children");
  word untyped = make_sized(object_Untyped, 12), small = make_sized(object_Untyped, 11), pool = empty_slot();
  check_is(X86_ASIDControl_MakePool(slot_asid_control, pool, root_depth, small, slot_cnode), error_InvalidCapability);
  check_is(X86_ASIDControl_MakePool(slot_asid_control, pool, root_depth, frame, slot_cnode), error_InvalidCapability);
  ok(X86_ASIDControl_MakePool(slot_asid_control, pool, root_depth, untyped, slot_cnode));
  check_is(kind_in(pool), kind_ASIDPool);
  check_is(X86_ASIDControl_MakePool(slot_asid_control, empty_slot(), root_depth, untyped, slot_cnode), error_RevokeFirst);
  word other = make(object_PML4);
  ok(X86_ASIDPool_Assign(pool, other));

  it("makes as many pools as there are");
  word pools = 2, slots[16];
  for (; pools < 16; pools++) {
    slots[pools] = empty_slot();
    word memory = make_sized(object_Untyped, 12);
    if (X86_ASIDControl_MakePool(slot_asid_control, slots[pools], root_depth, memory, slot_cnode) != error_none) break;
  }
  check_is(pools, 8);
  check_is(X86_ASIDControl_MakePool(slot_asid_control, empty_slot(), root_depth, make_sized(object_Untyped, 12), slot_cnode), error_DeleteFirst);

  it("translates nothing for a thread whose address space has lost its pool");
  struct thread *thread = new_thread(254, faults, run_in_other_space, 0);
  ok(TCB_SetSpace(thread->tcb, 0, 0, faults, slot_cnode, other));
  ok(delete(pool));
  check_is(TCB_SetSpace(thread->tcb, 0, 0, faults, slot_cnode, slot_address_space), error_none);
  check_is(X86_Page_Map(frame, far, all_rights, 0, other), error_FailedLookup);

  it("has a thread in a space of its own fault at its first instruction, for nothing is mapped there");
  ok(TCB_SetSpace(thread->tcb, 0, 0, faults, slot_cnode, space));
  ok(TCB_Resume(thread->tcb));
  set_priority(50);
  set_priority(255);
  struct message message = nb_receive(faults, reply);
  check_is(message.label, fault_VMFault);
  check_is(answer(VMFault_address), run_body);
  check_is(answer(VMFault_fetch), 1);
  it("lets nobody run in a space that is deleted");
  ok(revoke(space));
  ok(delete(space));
  send(reply, (struct message){0});
  set_priority(50);
  set_priority(255);
  message = nb_receive(faults, reply);
  check_is(message.label, fault_VMFault);
}

static void run_checks(void) {
  faults = mint(make(object_Endpoint), all_rights, 1);
  reply = make(object_Reply);
  check_tables();
  check_frames();
  check_large();
  check_identifiers();
}
