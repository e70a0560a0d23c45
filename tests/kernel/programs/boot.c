/* What a first task finds: registers, capabilities, boot information, memory. */
#include "root.h"

extern byte __executable_start[], _end[];

static word usable;

static word page_of(const byte *address) {
  return (word)address / page_bytes * page_bytes;
}

static void check_registers(void) {
  it("starts with its boot information in RDI and every other register 0");
  for (int n = 0; n < 16; n++) check_is(first_registers[n], n == 5 ? (word)boot_info : 0);
  check_is(first_registers[16], 0x202);
  check_is(first_registers[17], 0);
}

static void check_addresses(void) {
  it("has its IPC buffer, its boot information and the rest of it in pages after its image");
  word image_end = page_of(_end + page_bytes - 1);
  check_is(boot_info->ipc_buffer, image_end);
  check_is(boot_info, image_end + page_bytes);
  it("can write to all of them");
  boot_info->shared_frames_start = boot_info->shared_frames_start;
  *(volatile byte *)((word)boot_info + page_bytes) = *(volatile byte *)((word)boot_info + page_bytes);
}

static void check_initial_slots(void) {
  it("has the capabilities of the first slots, and none in the others");
  static const struct { word slot, kind; } wanted[] = {
    {slot_null, 0}, {slot_tcb, kind_TCB}, {slot_cnode, kind_CNode}, {slot_address_space, kind_AddressSpace},
    {slot_irq_control, kind_IRQControl}, {slot_asid_control, kind_ASIDControl}, {slot_asid_pool, kind_ASIDPool},
    {slot_io_port_control, kind_IOPortControl}, {slot_io_space, 0}, {slot_boot_info_frame, kind_Frame},
    {slot_ipc_buffer, kind_Frame}, {slot_domain, kind_Domain}, {12, 0}, {13, 0}, {slot_sched_context, kind_SchedContext}, {15, 0}
  };
  for (word n = 0; n < sizeof wanted / sizeof *wanted; n++) check_is(kind_in(wanted[n].slot), wanted[n].kind);
}

static void check_info(void) {
  it("is one node of one, in domain 0, with a CNode of 2^13 slots and no IO spaces");
  check_is(boot_info->node_id, 0);
  check_is(boot_info->num_nodes, 1);
  check_is(boot_info->num_iopt_levels, 0);
  check_is(boot_info->init_thread_domain, 0);
  check_is(boot_info->init_thread_cnode_size_bits, root_cnode_bits);
  check_is(boot_info->shared_frames_end - boot_info->shared_frames_start, 0);
  check_is(boot_info->io_space_caps_end - boot_info->io_space_caps_start, 0);

  it("finds nothing in the slots that are said to be empty, and something in all between them and slot 16");
  check_is(boot_info->empty_end, 1 << root_cnode_bits);
  for (word slot = boot_info->empty_start; slot < boot_info->empty_end; slot++)
    if (kind_in(slot) != 0) check_is(kind_in(slot), 0);
  for (word slot = 16; slot < boot_info->empty_start; slot++) check(kind_in(slot) != 0);

  it("has a SchedControl for the one core");
  check_is(boot_info->sched_control_end - boot_info->sched_control_start, 1);
  check_is(kind_in(boot_info->sched_control_start), kind_SchedControl);
}

static void check_image(void) {
  it("holds the frames of its image in the order of their addresses, and the page tables that map them");
  word start = page_of(__executable_start);
  word pages = (page_of(_end + page_bytes - 1) - start) / page_bytes;
  check_is(boot_info->user_image_frames_end - boot_info->user_image_frames_start, pages);
  for (word n = 0; n < pages; n++) {
    /* To map it where it is mapped, and only there, is no error. */
    word frame = boot_info->user_image_frames_start + n;
    check_is(kind_in(frame), kind_Frame);
    check_is(X86_Page_Map(frame, start + n * page_bytes + page_bytes, all_rights, 0, slot_address_space), error_InvalidArgument);
    ok(X86_Page_Map(frame, start + n * page_bytes, all_rights, 0, slot_address_space));
  }
  check_is(boot_info->user_image_paging_end - boot_info->user_image_paging_start, 3);
  check_is(kind_in(boot_info->user_image_paging_start), kind_PDPT);
  check_is(kind_in(boot_info->user_image_paging_start + 1), kind_PageDirectory);
  check_is(kind_in(boot_info->user_image_paging_start + 2), kind_PageTable);
}

static void check_chunks(void) {
  it("finds chunks after the boot information that end where it says, one of them the frequency of the TSC");
  word at = (word)boot_info + page_bytes, end = at + boot_info->extra_length;
  check_is(boot_info->extra_bi_pages_end - boot_info->extra_bi_pages_start, (boot_info->extra_length + page_bytes - 1) / page_bytes);
  word frequency = 0, memory_map = 0;
  while (at < end) {
    struct chunk_header *chunk = (struct chunk_header *)at;
    check(chunk->length >= sizeof *chunk && chunk->length <= end - at);
    if (chunk->length < sizeof *chunk) return;
    if (chunk->id == chunk_tsc_frequency) frequency = *(unsigned *)(chunk + 1);
    if (chunk->id == chunk_multiboot_memory_map) memory_map = at;
    at += chunk->length;
  }
  check_is(at, end);
  check_is(frequency, 1000);

  it("finds the machine's memory map as a Multiboot loader gives it");
  check(memory_map != 0);
  if (memory_map == 0) return;
  unsigned length = *(unsigned *)(memory_map + 16);
  struct __attribute__((packed)) { unsigned size; word base, length; unsigned type; } *entry = (void *)(memory_map + 20);
  for (word n = 0; n < length / sizeof *entry; n++) {
    check_is(entry[n].size, sizeof *entry - 4);
    if (entry[n].type == 1) usable += entry[n].length;
  }
  check(usable >= 15 << 20);
}

static void check_untyped(void) {
  word count = boot_info->untyped_end - boot_info->untyped_start;
  struct untyped_entry *untyped = boot_info->untyped;
  it("has its untyped memory listed with that of devices first, each a multiple of its size, none overlapping");
  word devices = 0, memory = 0, changes = 0;
  for (word n = 0; n < count; n++) {
    check_is(kind_in(boot_info->untyped_start + n), kind_Untyped);
    word bytes = 1ul << untyped[n].size_bits;
    check_is(untyped[n].address % bytes, 0);
    check(untyped[n].size_bits >= 4 && untyped[n].size_bits <= 47);
    if (untyped[n].is_device) devices += bytes; else memory += bytes;
    if (n > 0 && untyped[n].is_device != untyped[n - 1].is_device) changes++;
    for (word m = 0; m < n; m++)
      check(untyped[m].address + (1ul << untyped[m].size_bits) <= untyped[n].address || untyped[n].address + bytes <= untyped[m].address);
  }
  check(untyped[0].is_device);
  check_is(changes, 1);

  it("has as devices' all that is not memory below 2^47, but for the pages of IOAPIC and local APIC");
  check_is(devices, (1ul << 47) - usable - 2 * page_bytes);

  it("has nearly all memory of the machine");
  check(memory > usable - (1ul << 20));
}

static void check_retype(void) {
  struct untyped_entry *untyped = boot_info->untyped;
  it("makes frames and untyped memory of a device's memory, and nothing else");
  word n = 0;
  while (untyped[n].address != 0x100000000) n++;
  word device = boot_info->untyped_start + n, frame = empty_slot();
  check_is(retype(device, object_Endpoint, 0, frame), error_InvalidArgument);
  check_is(answer(0), 1);
  ok(retype(device, object_Page4K, 0, frame));
  ok(X86_Page_GetAddress(frame));
  check_is(answer(0), 0x100000000);
  ok(retype(device, object_Untyped, 20, empty_slot()));

  it("finds the highest device memory where the list says");
  word highest = 0;
  for (word m = 0; m < boot_info->untyped_end - boot_info->untyped_start; m++)
    if (untyped[m].address > untyped[highest].address) highest = m;
  frame = empty_slot();
  ok(retype(boot_info->untyped_start + highest, object_HugePage, 0, frame));
  ok(X86_Page_GetAddress(frame));
  check_is(answer(0), untyped[highest].address);
  check_is(untyped[highest].address + (1ul << untyped[highest].size_bits), 1ul << 47);

  it("makes objects at the watermark, aligned up to their size, in memory of zeroes");
  word small = make_sized(object_Untyped, 14), first = empty_slot(), second = empty_slot();
  ok(retype(small, object_Endpoint, 0, empty_slot()));
  ok(retype(small, object_Page4K, 0, first));
  ok(retype(small, object_Page4K, 0, second));
  ok(X86_Page_GetAddress(first));
  word address = answer(0);
  ok(X86_Page_GetAddress(second));
  check_is(answer(0), address + page_bytes);
  word *memory = (word *)map_page(first);
  for (int m = 0; m < 512; m++) check(memory[m] == 0);
  memory[5] = 0x1234;

  it("is told how much is left when there is not enough");
  check_is(retype(small, object_Untyped, 13, empty_slot()), error_NotEnoughMemory);
  check_is(answer(0), page_bytes);
  ok(retype(small, object_Page4K, 0, empty_slot()));
  check_is(retype(small, object_Untyped, 4, empty_slot()), error_NotEnoughMemory);
  check_is(answer(0), 0);

  it("starts over when nothing is left of what was made, with zeroes again");
  check_is(CNode_Copy(slot_cnode, empty_slot(), root_depth, small, root_depth, all_rights, slot_cnode), error_RevokeFirst);
  ok(revoke(small));
  check_is(kind_in(first), 0);
  ok(retype(small, object_Untyped, 13, empty_slot()));
  ok(retype(small, object_Page4K, 0, first));
  ok(revoke(small));
  ok(retype(small, object_Page4K, 0, first));
  ok(retype(small, object_Page4K, 0, second));
  memory = (word *)map_page(first);
  check_is(memory[5], 0);
  memory = (word *)map_page(second);
  check_is(memory[5], 0);

  it("makes at most 256 objects a call, each in a slot of its own, and none if one slot is taken");
  word place = next_slot;
  next_slot += 300;
  check_is(Untyped_Retype(memory_slot, object_Endpoint, 0, 0, 0, place, 257, slot_cnode), error_RangeError);
  check_is(answer(0), 1);
  check_is(answer(1), most_retyped);
  check_is(Untyped_Retype(memory_slot, object_Endpoint, 0, 0, 0, place, 0, slot_cnode), error_RangeError);
  ok(Untyped_Retype(memory_slot, object_Endpoint, 0, 0, 0, place, 256, slot_cnode));
  check_is(kind_in(place), kind_Endpoint);
  check_is(kind_in(place + 255), kind_Endpoint);
  check_is(kind_in(place + 256), 0);
  check_is(Untyped_Retype(memory_slot, object_Endpoint, 0, 0, 0, place + 255, 3, slot_cnode), error_DeleteFirst);
  check_is(kind_in(place + 256), 0);

  it("is told of types and sizes that there are not");
  check_is(retype(memory_slot, 20, 0, empty_slot()), error_InvalidArgument);
  check_is(answer(0), 0);
  check_is(retype(memory_slot, object_Untyped, 3, empty_slot()), error_InvalidArgument);
  check_is(answer(0), 1);
  check_is(retype(memory_slot, object_CapTable, 0, empty_slot()), error_InvalidArgument);
  check_is(retype(memory_slot, object_Untyped, 64, empty_slot()), error_RangeError);
  check_is(retype(memory_slot, object_SchedContext, 6, empty_slot()), error_InvalidArgument);
  check_is(retype(memory_slot, object_Endpoint, 0, 1 << root_cnode_bits), error_RangeError);
}

static void run_checks(void) {
  check_registers();
  check_addresses();
  check_initial_slots();
  check_info();
  check_image();
  check_chunks();
  check_untyped();
  check_retype();
}
