/* Devices: IO ports, interrupts of lines and of messages. COM1 and the HPET are those of every PC. */
#include "root.h"

static word notification, handler;

/* —— Ports */

enum { com1 = 0x3f8, data_port = com1, interrupts_port = com1 + 1, identification_port = com1 + 2, modem_port = com1 + 4, line_port = com1 + 5, scratch_port = com1 + 7 };

static word ports;

static word in(word port) {
  ok(X86_IOPort_In8(ports, port));
  return answer(0);
}

static void out(word port, word value) {
  ok(X86_IOPort_Out8(ports, port, value));
}

static word issue(word first, word last, word slot) {
  return X86_IOPortControl_Issue(slot_io_port_control, first, last, slot, root_depth, slot_cnode);
}

static void check_ports(void) {
  it("issues a range of ports once");
  ports = empty_slot();
  ok(issue(com1, com1 + 7, ports));
  check_is(kind_in(ports), kind_IOPort);
  check_is(issue(com1 + 7, com1 + 9, empty_slot()), error_RevokeFirst);
  check_is(issue(com1, com1, empty_slot()), error_RevokeFirst);
  it("takes 16 bits of a port's number");
  word lowest = empty_slot();
  ok(issue(0x10000, 0x10000, lowest));
  check_is(issue(0, 0, empty_slot()), error_RevokeFirst);
  ok(delete(lowest));
  it("issues no ports from the higher to the lower");
  check_is(issue(0x200, 0x10000, empty_slot()), error_InvalidArgument);
  check_is(answer(0), 1);
  check_is(issue(0x201, 0x200, empty_slot()), error_InvalidArgument);
  check_is(issue(0x200, 0x200, ports), error_DeleteFirst);

  it("reads and writes ports of the range, and no others");
  out(scratch_port, 0xa5);
  check_is(in(scratch_port), 0xa5);
  check_is(in(line_port) & 0x60, 0x60);
  check_is(X86_IOPort_In8(ports, com1 - 1), error_IllegalOperation);
  check_is(X86_IOPort_In8(ports, com1 + 8), error_IllegalOperation);
  check_is(X86_IOPort_In16(ports, com1 + 7), error_IllegalOperation);
  check_is(X86_IOPort_Out32(ports, com1 + 5, 0), error_IllegalOperation);

  it("issues ports again when the last capability to them is gone");
  word second = copy(ports, all_rights), other = empty_slot();
  ok(delete(ports));
  check_is(issue(com1, com1 + 7, ports), error_RevokeFirst);
  ok(delete(second));
  ok(issue(com1, com1 + 7, ports));
  it("makes no second of the capability that issues them");
  check_is(CNode_Copy(slot_cnode, other, root_depth, slot_io_port_control, root_depth, all_rights, slot_cnode), error_IllegalOperation);
}

/* —— Lines */

static word get_line(word pin, word level, word polarity, word vector, word slot) {
  return IRQControl_GetIOAPIC(slot_irq_control, slot, root_depth, 0, pin, level, polarity, vector, slot_cnode);
}

static word get_message(word vector, word slot) {
  return IRQControl_GetMSI(slot_irq_control, slot, root_depth, 0, 3, 0, 0, vector, slot_cnode);
}

static void check_control(void) {
  it("has a handler made for a pin of the IOAPIC, by an interrupt number that is free");
  handler = empty_slot();
  word slot = empty_slot();
  check_is(IRQControl_Get(slot_irq_control, 4, slot, root_depth, slot_cnode), error_IllegalOperation);
  check_is(get_line(4, 0, 0, 110, slot), error_RangeError);
  check_is(answer(0), 0);
  check_is(answer(1), 109);
  check_is(get_line(24, 0, 0, 10, slot), error_RangeError);
  check_is(answer(1), 23);
  check_is(get_line(4, 2, 0, 10, slot), error_RangeError);
  check_is(answer(1), 1);
  check_is(get_line(4, 0, 2, 10, slot), error_RangeError);
  check_is(IRQControl_GetIOAPIC(slot_irq_control, slot, root_depth, 1, 4, 0, 0, 10, slot_cnode), error_RangeError);
  check_is(answer(1), 0);
  check_is(get_line(4, 0, 0, 10, slot_tcb), error_DeleteFirst);
  ok(get_line(4, 0, 0, 10, handler));
  check_is(kind_in(handler), kind_IRQHandler);
  check_is(get_line(5, 0, 0, 10, slot), error_RevokeFirst);
  check_is(get_message(10, slot), error_RevokeFirst);
  it("makes no second of the capability that makes handlers");
  check_is(CNode_Copy(slot_cnode, slot, root_depth, slot_irq_control, root_depth, all_rights, slot_cnode), error_IllegalOperation);
}

/* The serial port's interrupt that it can send: asserted from when it is allowed to when it is identified. */
static void allow(int allowed) {
  out(interrupts_port, allowed ? 2 : 0);
}

static void check_edge(void) {
  notification = mint(make(object_Notification), all_rights, 0x100);
  it("signals the notification of its handler, once until that says it was served");
  ok(IRQHandler_SetNotification(handler, notification));
  out(modem_port, 8);
  allow(1);
  check_is(wait(notification).badge, 0x100);
  allow(0);
  allow(1);
  check_is(poll(notification).badge, 0);
  it("forgets edges from before it was served");
  ok(IRQHandler_Ack(handler));
  check_is(poll(notification).badge, 0);
  allow(0);
  allow(1);
  check_is(wait(notification).badge, 0x100);
  ok(IRQHandler_Ack(handler));

  it("signals nobody without a notification");
  ok(IRQHandler_Clear(handler));
  allow(0);
  allow(1);
  check_is(poll(notification).badge, 0);
  ok(IRQHandler_SetNotification(handler, notification));
  ok(IRQHandler_Ack(handler));
  it("takes a notification that it may signal");
  check_is(IRQHandler_SetNotification(handler, slot_tcb), error_InvalidCapability);
  check_is(answer(0), 0);
  check_is(IRQHandler_SetNotification(handler, copy(notification, right_read)), error_InvalidCapability);
  allow(0);
}

static void check_level(void) {
  it("is masked when the last capability to its handler is gone");
  ok(delete(handler));
  allow(1);
  check_is(poll(notification).badge, 0);
  it("comes again each time that it is served, as long as the line is asserted");
  ok(get_line(4, 1, 0, 10, handler));
  ok(IRQHandler_SetNotification(handler, notification));
  ok(IRQHandler_Ack(handler));
  for (int n = 0; n < 3; n++) {
    check_is(wait(notification).badge, 0x100);
    check_is(poll(notification).badge, 0);
    ok(IRQHandler_Ack(handler));
  }
  check_is(wait(notification).badge, 0x100);
  allow(0);
  ok(IRQHandler_Ack(handler));
  check_is(poll(notification).badge, 0);
  it("lets the other threads run meanwhile");
  allow(1);
  check_is(wait(notification).badge, 0x100);
  allow(0);
  ok(IRQHandler_Ack(handler));
}

/* —— Messages */

/* IA-PC HPET Specification, "Memory Mapped Registers". */
enum { hpet = 0xfed00000, capabilities = 0, configuration = 0x10, counter = 0xf0, timer_configuration = 0x100, comparator = 0x108, message_route = 0x110 };
enum { timer_interrupts = 1 << 2, timer_sends_messages = 1 << 14, timer_can_send_messages = 1 << 15 };

static void check_message(void) {
  it("finds the ACPI tables by the boot information");
  word at = (word)boot_info + page_bytes, end = at + boot_info->extra_length;
  const byte *pointer = 0;
  while (at < end && ((struct chunk_header *)at)->length != 0) {
    if (((struct chunk_header *)at)->id == chunk_acpi_rsdp) pointer = (const byte *)(at + sizeof(struct chunk_header));
    at += ((struct chunk_header *)at)->length;
  }
  check(pointer != 0);
  if (pointer == 0) return;
  check_is(*(word *)pointer, 0x2052545020445352);
  byte sum = 0;
  for (int n = 0; n < 20; n++) sum += pointer[n];
  check_is(sum, 0);
  it("maps them from memory that is said to be a device's");
  word tables = *(unsigned *)(pointer + 16);
  check(tables >= 0xe0000 && tables < 0x100000);
  word low = empty_slot(), page = empty_slot();
  for (word n = 0; n < boot_info->untyped_end - boot_info->untyped_start; n++) {
    struct untyped_entry *entry = &boot_info->untyped[n];
    if (entry->address <= hpet && hpet - entry->address < 1ul << entry->size_bits && entry->is_device) {
      /* What lies before it is made into untyped memory, a power of two at a time. */
      for (word address = entry->address; address < hpet;) {
        word bits = 63 - __builtin_clzl(hpet - address);
        while (address % (1ul << bits) != 0) bits--;
        ok(retype(boot_info->untyped_start + n, object_Untyped, bits, empty_slot()));
        address += 1ul << bits;
      }
      ok(retype(boot_info->untyped_start + n, object_Page4K, 0, page));
    }
    if (entry->address <= tables && tables - entry->address < 1ul << entry->size_bits && entry->is_device) {
      for (word address = entry->address; address + page_bytes <= tables; address += page_bytes)
        ok(retype(boot_info->untyped_start + n, object_Page4K, 0, empty_slot()));
      ok(retype(boot_info->untyped_start + n, object_Page4K, 0, low));
    }
  }
  const byte *table = (const byte *)map_page(low) + tables % page_bytes;
  check_is(*(unsigned *)table, 0x54445352);

  it("is interrupted by the HPET's message, at the vector 30H above the interrupt's number");
  word timer = map_page(page), message_handler = empty_slot();
  volatile word *capability = (volatile word *)(timer + capabilities);
  word femtoseconds = *capability >> 32;
  check(femtoseconds > 0 && femtoseconds <= 100000000);
  check(*(volatile word *)(timer + timer_configuration) & timer_can_send_messages);
  ok(get_message(20, message_handler));
  ok(IRQHandler_SetNotification(message_handler, notification));
  *(volatile word *)(timer + message_route) = 0xfee00000ul << 32 | (0x30 + 20);
  *(volatile word *)(timer + timer_configuration) = timer_interrupts | timer_sends_messages;
  word began = now(), ticks = 1000000ul * 1000000 / femtoseconds;
  *(volatile word *)(timer + comparator) = *(volatile word *)(timer + counter) + ticks;
  *(volatile word *)(timer + configuration) = 1;
  check_is(wait(notification).badge, 0x100);
  /* A millisecond, of which an instruction is a millionth. */
  check_between(now() - began, 1000000 / 1000, 1010000);
  it("needs no word that it was served");
  *(volatile word *)(timer + comparator) = *(volatile word *)(timer + counter) + ticks;
  check_is(wait(notification).badge, 0x100);

  it("loses all handlers when the capability that made them is revoked");
  ok(revoke(slot_irq_control));
  check_is(kind_in(handler), 0);
  check_is(kind_in(message_handler), 0);
  check_is(kind_in(slot_irq_control), kind_IRQControl);
  ok(get_message(10, handler));
}

static void run_checks(void) {
  check_ports();
  check_control();
  check_edge();
  check_level();
  check_message();
}
