/* Faults: what a thread did that its handler hears of, and how it goes on. */
#include "root.h"

static word faults, reply;
static volatile word seen[8];
static struct thread *thread;

/* The message of the fault that comes of this. */
static struct message fault_of(body *run, word argument) {
  ok(set_registers(thread, run, argument, 1));
  return receive(faults, reply);
}

static struct message go_on(word length) {
  return system_call(syscall_NBSendRecv, faults, (struct message){.length = length}, reply, reply);
}

static void stop(void) {
  send(reply, (struct message){.label = 1});
}

enum { trap_flag = 1 << 8 };

/* —— Bodies */

static void read_at(word address) {
  seen[0] = *(volatile word *)address;
}

static void write_at(word address) {
  *(volatile word *)address = 1;
}

static void run_at(word address) {
  ((void (*)(void))address)();
}

#define instruction(name, text) \
  extern byte name##_at[]; \
  static void name(word argument) { \
    __asm__ volatile(".globl " #name "_at\n" #name "_at: " text : : "a"(argument), "d"(0) : "memory"); \
    seen[1]++; \
  }

instruction(divide, "div %%rdx")
instruction(undefined, "ud2")
instruction(halt, "hlt")
instruction(breakpoint, "int3")
instruction(write_port, "out %%al, $0x80")
instruction(interrupt_32, "int $0x20")
instruction(interrupt_128, "int $0x80")
instruction(interrupt_160, "int $0xa0")
instruction(privileged, "mov %%rax, %%cr3")
instruction(two, "nop; nop")

static void strange_call(word number) {
  __asm__ volatile("mov $0x1111, %%rbx; mov $0x2222, %%r14; .globl strange_at; strange_at: syscall" : : "d"(number), "a"(0x3333), "D"(0x4444) : "rbx", "rcx", "r11", "r14", "memory");
  __asm__ volatile("mov %%rax, %0" : "=m"(seen[2]));
}
extern byte strange_at[];

static void send_to(word capability) {
  send(capability, message(0, 0));
  seen[3]++;
}

static void wait_at(word capability) {
  wait(capability);
  seen[3]++;
}

/* —— Checks */

static void check_memory(void) {
  it("tells the address of an access that is not allowed, and its kind");
  struct message message = fault_of(read_at, 0x1238);
  check_is(message.label, fault_VMFault);
  check_is(message.length, 4);
  check_is(message.badge, 0x99);
  check_is(answer(VMFault_address), 0x1238);
  check_is(answer(VMFault_fetch), 0);
  check_is(answer(VMFault_status), 4);
  message = go_on(0);
  check_is(answer(VMFault_address), 0x1238);
  stop();

  fault_of(write_at, 0x1240);
  check_is(answer(VMFault_address), 0x1240);
  check_is(answer(VMFault_status), 6);
  stop();
  fault_of(run_at, 0x1250);
  check_is(answer(VMFault_rip), 0x1250);
  check_is(answer(VMFault_address), 0x1250);
  check_is(answer(VMFault_fetch), 1);
  check_is(answer(VMFault_status), 0x14);
  stop();

  it("tells of the kernel's half of the address space what it tells of any other");
  fault_of(read_at, 0xffff800000000000);
  check_is(answer(VMFault_address), 0xffff800000000000);
  check_is(answer(VMFault_status) & 4, 4);
  stop();

  it("makes the access again when it is answered");
  word frame = make(object_Page4K), place = 0x5f0000;
  fault_of(read_at, place);
  ok(X86_Page_Map(frame, place, all_rights, 0, slot_address_space));
  *(volatile word *)place = 77;
  seen[0] = 0;
  send(reply, (struct message){0});
  set_priority(50);
  set_priority(255);
  check_is(seen[0], 77);
}

static void check_exceptions(void) {
  it("tells the number and the error code of an exception, and where");
  static const struct { body *run; byte *at; word number, code; } exceptions[] = {
    {divide, divide_at, 0, 0}, {undefined, undefined_at, 6, 0}, {halt, halt_at, 13, 0}, {write_port, write_port_at, 13, 0},
    {privileged, privileged_at, 13, 0}, {interrupt_32, interrupt_32_at, 13, 0x20 << 3 | 2},
    {interrupt_128, interrupt_128_at, 13, 0x80 << 3 | 2}, {breakpoint, breakpoint_at + 1, 3, 0}
  };
  for (word n = 0; n < sizeof exceptions / sizeof *exceptions; n++) {
    struct message message = fault_of(exceptions[n].run, 0);
    check_is(message.label, fault_UserException);
    check_is(message.length, 5);
    check_is(answer(UserException_rip), exceptions[n].at);
    check_is(answer(UserException_number), exceptions[n].number);
    check_is(answer(UserException_code), exceptions[n].code);
    check_is(answer(UserException_rflags) & 0x202, 0x202);
    stop();
  }

  it("goes on where the answer says, with the stack and the flags that it says");
  seen[1] = 0;
  fault_of(undefined, 0);
  my_buffer->words[UserException_rip] = answer(UserException_rip) + 2;
  send(reply, (struct message){.length = 3});
  set_priority(50);
  set_priority(255);
  check_is(seen[1], 1);

  it("runs an instruction at a time when its flags say so, and all again when they say otherwise");
  ok(set_registers(thread, two, 0, 0));
  ok(TCB_ReadRegisters(thread->tcb, 0, 3));
  word stepping[] = {(word)two_at, answer(1), answer(2) | trap_flag};
  ok(TCB_WriteRegisters(thread->tcb, 1, 3, stepping, 3));
  struct message message = receive(faults, reply);
  for (word n = 1; n <= 2; n++) {
    check_is(message.label, fault_UserException);
    check_is(answer(UserException_number), 1);
    check_is(answer(UserException_rip), two_at + n);
    if (n == 1) message = go_on(3);
  }
  seen[1] = 0;
  my_buffer->words[UserException_rflags] &= ~(word)trap_flag;
  send(reply, (struct message){.length = 3});
  set_priority(50);
  set_priority(255);
  check_is(seen[1], 1);

  it("tells of address 0 when a program goes where no address is");
  message = fault_of(run_at, 1ul << 47);
  check_is(message.label, fault_UserException);
  check_is(answer(UserException_number), 13);
  stop();
}

static void check_system_calls(void) {
  it("tells all registers of a system call that there is not, and takes those of the answer");
  struct message message = fault_of(strange_call, -100);
  check_is(message.label, fault_UnknownSyscall);
  check_is(message.length, 19);
  check_is(answer(UnknownSyscall_syscall), -100);
  check_is(answer(UnknownSyscall_rax), 0x3333);
  check_is(answer(UnknownSyscall_rbx), 0x1111);
  check_is(answer(UnknownSyscall_rdx), -100);
  check_is(answer(UnknownSyscall_rdi), 0x4444);
  check_is(answer(UnknownSyscall_r14), 0x2222);
  check_is(answer(UnknownSyscall_rip), strange_at);
  my_buffer->words[UnknownSyscall_rax] = 0x5555;
  my_buffer->words[UnknownSyscall_rip] += 2;
  send(reply, (struct message){.length = 18});
  set_priority(50);
  set_priority(255);
  check_is(seen[2], 0x5555);

  it("makes it again when the answer changes nothing");
  fault_of(strange_call, 12345678901234);
  check_is(answer(UnknownSyscall_syscall), 12345678901234);
  go_on(0);
  check_is(answer(UnknownSyscall_syscall), 12345678901234);
  stop();

  it("takes INT A0H and above for a system call that there is not");
  message = fault_of(interrupt_160, 0x123);
  check_is(message.label, fault_UnknownSyscall);
  check_is(answer(UnknownSyscall_rip), interrupt_160_at);
  check_is(answer(UnknownSyscall_syscall) & 0xffffffff, 0xa0000123);
  stop();
}

static void check_capabilities(void) {
  it("tells where a capability that was sent to was looked for, and how far that went");
  word nowhere = 1ul << 40;
  struct message message = fault_of(send_to, nowhere);
  check_is(message.label, fault_CapFault);
  check_is(answer(CapFault_address), nowhere);
  check_is(answer(CapFault_in_receive_phase), 0);
  check_is(answer(CapFault_failure), failure_guard_mismatch);
  check_is(answer(CapFault_bits_left), 64);
  check_is(answer(CapFault_bits_found), 0);
  check_is(answer(CapFault_bits_found + 1), 51);
  check_is(message.length, 7);
  stop();
  fault_of(wait_at, slot_tcb);
  check_is(answer(CapFault_in_receive_phase), 1);
  check_is(answer(CapFault_failure), failure_missing_capability);
  stop();

  it("is no fault to send to an empty slot");
  seen[3] = 0;
  ok(set_registers(thread, send_to, next_slot, 1));
  set_priority(50);
  set_priority(255);
  check_is(seen[3], 1);
}

static void check_handlers(void) {
  it("stops for good when the answer has a label");
  seen[1] = 0;
  fault_of(undefined, 0);
  stop();
  set_priority(50);
  set_priority(255);
  check_is(seen[1], 0);
  check_is(nb_receive(faults, reply).badge, 0);

  it("does not hear of a fault whose thread was resumed before");
  ok(set_registers(thread, undefined, 0, 1));
  set_priority(50);
  set_priority(255);
  ok(set_registers(thread, send_to, next_slot, 1));
  check_is(nb_receive(faults, reply).badge, 0);
  set_priority(50);
  set_priority(255);
}

static void run_checks(void) {
  word endpoint = make(object_Endpoint);
  faults = mint(endpoint, all_rights, 0x99);
  reply = make(object_Reply);
  thread = new_thread(200, faults, read_at, 0);
  check_memory();
  check_exceptions();
  check_system_calls();
  check_capabilities();
  check_handlers();
}
