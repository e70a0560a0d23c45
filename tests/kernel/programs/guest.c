/* Guests: virtual processors, their memory and their IO ports, and the calls by which a thread runs them. */
#include "root.h"
#include "guest.h"

static word exit_reason(word rip) {
  check_is(vm_enter(rip, hlt_exiting, 0).length, 1);
  return answer(vm_exit_reason);
}

static struct guest mine;

static word after_exit(void) {
  return answer(vm_exit_rip) + answer(vm_exit_instruction_length);
}

static void basic(void) {
  it("runs in its own memory, and comes back with its registers");
  /* mov eax, 12345678H; mov bx, 2222H; vmcall; mov cx, 3333H; hlt */
  code(&mine, "\x66\xb8\x78\x56\x34\x12\xbb\x22\x22\x0f\x01\xc1\xb9\x33\x33\xf4");
  check_is(exit_reason(0), exit_VMCALL);
  check_is(answer(vm_exit_rip), 9);
  check_is(answer(vm_exit_instruction_length), 3);
  check_is(answer(vm_exit_rax), 0x12345678);
  check_is(answer(vm_exit_rbx), 0x2222);
  check_is(answer(vm_exit_rflags) & 2, 2);
  it("goes on where the monitor says, with the registers that it had");
  check_is(exit_reason(after_exit()), exit_HLT);
  check_is(answer(vm_exit_rax), 0x12345678);
  check_is(answer(vm_exit_rcx), 0x3333);
  it("has the registers that the monitor writes");
  word registers[15];
  for (word n = 0; n < 15; n++) registers[n] = 0x1111000000000000 + n;
  ok(X86_VCPU_WriteRegisters(mine.vcpu, registers[0], registers[1], registers[2], registers[3], registers[4], registers[5], registers[6], registers[7], registers[8], registers[9], registers[10], registers[11], registers[12], registers[13], registers[14]));
  check_is(exit_reason(15), exit_HLT);
  check_is(answer(vm_exit_rax), registers[0]);
  check_is(answer(vm_exit_rbp), registers[6]);
  check_is(answer(vm_exit_r15), registers[14]);
  it("has the registers that the call says, if its message has as many words");
  for (word n = 0; n < 15; n++) my_buffer->words[3 + n] = 0x2222000000000000 + n;
  check_is(vm_enter_saying(15, hlt_exiting, 0, 18).length, 1);
  check_is(answer(vm_exit_reason), exit_HLT);
  check_is(answer(vm_exit_rax), 0x2222000000000000);
  check_is(answer(vm_exit_r15), 0x222200000000000e);
  it("asks its monitor what the processor is");
  code(&mine, "\x0f\xa2\xf4");
  check_is(exit_reason(0), exit_CPUID);
  check_is(answer(vm_exit_instruction_length), 2);
}

static void memory(void) {
  it("has no memory but what was mapped: an access elsewhere comes back with its address");
  /* mov ax, [5678H] */
  code(&mine, "\xa1\x78\x56\xf4");
  check_is(exit_reason(0), exit_EPT_VIOLATION);
  check_is(answer(vm_exit_guest_physical_address), 0x5678);
  check_is(answer(vm_exit_qualification) & 7, 1);
  check_is(answer(vm_exit_rip), 0);
  it("finds what is mapped there then");
  word page = make(object_Page4K), own = copy(page, all_rights);
  *(unsigned short *)(map_page(own) + 0x678) = 0xbeef;
  ok(X86_Page_MapEPT(page, 0x5000, all_rights, write_back, mine.root));
  check_is(exit_reason(0), exit_HLT);
  check_is(answer(vm_exit_rax) & 0xffff, 0xbeef);
  it("loses a page that is reclaimed, at once");
  ok(X86_Page_Unmap(page));
  check_is(exit_reason(0), exit_EPT_VIOLATION);
  it("does not write what it may only read");
  ok(X86_Page_MapEPT(page, 0x5000, right_read, write_back, mine.root));
  /* mov [5678H], ax */
  code(&mine, "\xa3\x78\x56\xf4");
  check_is(exit_reason(0), exit_EPT_VIOLATION);
  check_is(answer(vm_exit_qualification) & 0x3f, 0x2a);
  ok(delete(page));
}

static void ports(void) {
  it("uses no IO port that its monitor has not given it");
  /* mov dx, 3ffH; mov al, 5aH; out dx, al; mov al, 0; in al, dx; hlt: the scratch register of a serial port */
  code(&mine, "\xba\xff\x03\xb0\x5a\xee\xb0\x00\xec\xf4");
  check_is(exit_reason(0), exit_IO_INSTRUCTION);
  check_is(answer(vm_exit_qualification) >> 16, 0x3ff);
  it("uses those that it has been given as if there were nobody between");
  word scratch = empty_slot();
  ok(X86_IOPortControl_Issue(slot_io_port_control, 0x3ff, 0x3ff, scratch, root_depth, slot_cnode));
  ok(X86_VCPU_EnableIOPort(mine.vcpu, 0x3ff, 0x3ff, scratch));
  check_is(exit_reason(0), exit_HLT);
  check_is(answer(vm_exit_rax) & 0xff, 0x5a);
  it("loses them with the capability");
  ok(delete(scratch));
  check_is(exit_reason(0), exit_IO_INSTRUCTION);
}

static void injection(void) {
  it("takes the interrupt that its monitor gives it");
  /* 0: jmp $; 40H: mov ax, 7777H; hlt; vector 33 leads there */
  code(&mine, "\xeb\xfe");
  mine.code[0x84] = 0x40;
  mine.code[0x85] = mine.code[0x86] = mine.code[0x87] = 0;
  const char handler[] = "\xb8\x77\x77\xf4";
  for (word n = 0; n < sizeof handler - 1; n++) mine.code[0x40 + n] = (byte)handler[n];
  write_field(&mine, vmcs_GUEST_RFLAGS, 0x202);
  check_is(vm_enter(0, hlt_exiting, injected | external_interrupt << 8 | 33).length, 1);
  check_is(answer(vm_exit_reason), exit_HLT);
  check_is(answer(vm_exit_rax) & 0xffff, 0x7777);
  write_field(&mine, vmcs_GUEST_RFLAGS, 2);
}

/* SDM vol. 3C, "Virtual-Interrupt Delivery": from the virtual-APIC page, where VIRR is at 200H. */
static void virtual_apic(void) {
  enum { tpr_shadow = 1 << 21, virtual_interrupt_delivery = 1 << 9, vector = 33, virr = 0x210 };
  word page = make(object_Page4K), own = copy(page, all_rights);
  volatile unsigned *requested = (unsigned *)(map_page(own) + virr);
  it("has no interrupts of the processor's delivery before it has a page for them");
  write_field(&mine, vmcs_SECONDARY_CONTROLS, unrestricted | virtual_interrupt_delivery);
  check_is(read_field(&mine, vmcs_SECONDARY_CONTROLS) & virtual_interrupt_delivery, 0);
  it("takes them from the page that its monitor gives it");
  ok(X86_VCPU_SetPage(mine.vcpu, vmcs_VIRTUAL_APIC_ADDRESS, page));
  write_field(&mine, vmcs_SECONDARY_CONTROLS, unrestricted | virtual_interrupt_delivery);
  write_field(&mine, vmcs_GUEST_RFLAGS, 0x202);
  write_field(&mine, vmcs_GUEST_INTERRUPT_STATUS, vector);
  *requested = 1 << (vector & 31);
  code(&mine, "\xeb\xfe");
  check_is(vm_enter(0, hlt_exiting | tpr_shadow, 0).length, 1);
  check_is(answer(vm_exit_reason), exit_HLT);
  check_is(answer(vm_exit_rax) & 0xffff, 0x7777);
  check_is(read_field(&mine, vmcs_GUEST_INTERRUPT_STATUS), vector << 8);
  check_is(*requested, 0);
  it("takes none any more, and writes nothing there, when the page is taken back");
  ok(X86_Page_Unmap(page));
  write_field(&mine, vmcs_GUEST_INTERRUPT_STATUS, vector);
  *requested = 1 << (vector & 31);
  /* nop; hlt */
  code(&mine, "\x90\xf4");
  check_is(vm_enter(0, hlt_exiting | tpr_shadow, 0).length, 1);
  check_is(answer(vm_exit_reason), exit_HLT);
  check_is(answer(vm_exit_rip), 1);
  check_is(*requested, 1 << (vector & 31));
  write_field(&mine, vmcs_GUEST_RFLAGS, 2);
  write_field(&mine, vmcs_SECONDARY_CONTROLS, unrestricted);
}

static void malformed(void) {
  it("is never run with a state that there is not: its monitor hears of it");
  write_field(&mine, vmcs_GUEST_RFLAGS, 0);
  check_is(exit_reason(0), 0x80000000u | exit_INVALID_GUEST_STATE);
  write_field(&mine, vmcs_GUEST_RFLAGS, 2);
  write_field(&mine, vmcs_GUEST_CR3, ~0ul);
  check_is(exit_reason(0), 0x80000000u | exit_INVALID_GUEST_STATE);
  write_field(&mine, vmcs_GUEST_CR3, 0);
  it("is never run with controls that there are not: its monitor hears of it");
  write_field(&mine, vmcs_CR3_TARGET_COUNT, 5);
  check_is(exit_reason(0), vm_refused);
  check_is(read_field(&mine, vmcs_VM_INSTRUCTION_ERROR), 7);
  write_field(&mine, vmcs_CR3_TARGET_COUNT, 0);
  it("runs after that as before");
  code(&mine, "\xf4");
  check_is(exit_reason(0), exit_HLT);
}

static void floating_point(void) {
  it("has floating-point registers of its own");
  word before = 0x123456789abcdef0, value;
  __asm__ volatile("movq %0, %%xmm3" : : "r"(before));
  /* movd eax, xmm3; mov ebx, 77777777H; movd xmm3, ebx; vmcall; movd eax, xmm3; hlt. CR4.OSFXSR is the monitor's to set. */
  write_field(&mine, vmcs_GUEST_CR4, 0x200);
  code(&mine, "\x66\x0f\x7e\xd8\x66\xbb\x77\x77\x77\x77\x66\x0f\x6e\xdb\x0f\x01\xc1\x66\x0f\x7e\xd8\xf4");
  check_is(exit_reason(0), exit_VMCALL);
  check_is(answer(vm_exit_rax) & 0xffffffff, 0);
  word next = after_exit();
  __asm__ volatile("movq %%xmm3, %0" : "=r"(value));
  check_is(value, before);
  check_is(exit_reason(next), exit_HLT);
  check_is(answer(vm_exit_rax) & 0xffffffff, 0x77777777);
}

/* —— Threads of their own that run guests */

static volatile word turns, results[8];

static void spin(word guest_number) {
  (void)guest_number;
  for (;;) {
    struct message message = vm_enter(0, hlt_exiting, 0);
    results[turns & 7] = message.length << 32 | message.badge;
    turns++;
    if (message.length != 0) return;
  }
}

static void budgets(void) {
  struct thread *thread = new_thread(200, 0, spin, 0);
  struct guest guest = new_guest(thread->tcb);
  word wakes = make(object_Notification), badged = mint(wakes, right_write, 5);
  word page = make(object_Page4K), seen = copy(page, all_rights);
  volatile unsigned short *count = (unsigned short *)map_page(seen);
  ok(X86_Page_MapEPT(page, 0x1000, all_rights, write_back, guest.root));
  /* inc word [1000H]; jmp back: counts for ever */
  code(&guest, "\xff\x06\x00\x10\xeb\xfa");
  it("takes no more than its thread's budget");
  ok(SchedControl_ConfigureFlags(boot_info->sched_control_start, 100, 1000, 0, 0, 0, thread->context));
  ok(SchedControl_ConfigureFlags(boot_info->sched_control_start, 5000, 5000, 0, 0, 0, slot_sched_context));
  ok(TCB_Resume(thread->tcb));
  word begun = now();
  set_priority(100);
  /* The guest's thread is above this one: each time that it is out of budget, this one goes on. */
  while (now() - begun < 20000000);
  ok(SchedContext_Consumed(thread->context));
  word consumed = answer(0);
  check_between(consumed, 1900, 2200);
  set_priority(255);
  check(*count != 0);
  check_is(turns, 0);
  it("stops when the thread is stopped, and goes on where it was when it is resumed");
  ok(TCB_Suspend(thread->tcb));
  word stood = *count;
  set_priority(100);
  for (begun = now(); now() - begun < 5000000;);
  check_is(*count, stood);
  set_priority(255);
  ok(TCB_Resume(thread->tcb));
  set_priority(100);
  for (begun = now(); now() - begun < 5000000;);
  set_priority(255);
  check(*count != stood);
  check_is(turns, 0);
  it("ends its turn for the thread's bound notification");
  ok(TCB_BindNotification(thread->tcb, wakes));
  signal(badged);
  set_priority(100);
  for (begun = now(); now() - begun < 5000000;);
  set_priority(255);
  check_is(turns, 1);
  check_is(results[0], 5);
  it("comes back when its memory is taken away");
  ok(delete(guest.frame));
  set_priority(100);
  for (begun = now(); now() - begun < 5000000;);
  set_priority(255);
  check_is(turns, 2);
  check_is(results[1] >> 32, 1);
  ok(TCB_Suspend(thread->tcb));
  ok(delete(guest.vcpu));
}

static volatile word came_back, came_back_at;

static void run_once(word argument) {
  (void)argument;
  came_back = vm_enter(0, hlt_exiting, 0).length;
  came_back_at = answer(0);
  TCB_Suspend(threads[my_buffer->user_data].tcb);
}

static void no_buffer(void) {
  it("tells a monitor without an IPC buffer what registers hold");
  struct thread *thread = new_thread(200, 0, run_once, 0);
  ok(TCB_SetIPCBuffer(thread->tcb, 0, 0));
  struct guest guest = new_guest(thread->tcb);
  code(&guest, "\x90\x90\xf4");
  ok(TCB_Resume(thread->tcb));
  set_priority(100);
  set_priority(255);
  check_is(came_back, 1);
  check_is(came_back_at, 2);
  ok(TCB_Suspend(thread->tcb));
  ok(delete(guest.vcpu));
}

static volatile word exits[2];

static void hold(word number) {
  for (;;) {
    if (vm_enter(0, hlt_exiting, 0).length != 0) exits[number]++;
    TCB_Suspend(threads[my_buffer->user_data].tcb);
  }
}

static void two_guests(void) {
  it("keeps apart two guests that run by turns");
  struct thread *thread[2];
  struct guest guest[2];
  volatile unsigned short *count[2];
  for (word n = 0; n < 2; n++) {
    thread[n] = new_thread(200, 0, hold, n);
    ok(SchedControl_ConfigureFlags(boot_info->sched_control_start, 100, 500, 0, 0, 0, thread[n]->context));
    guest[n] = new_guest(thread[n]->tcb);
    count[n] = count_in(&guest[n], (byte)n);
    ok(TCB_Resume(thread[n]->tcb));
  }
  set_priority(100);
  for (word begun = now(); now() - begun < 5000000;);
  set_priority(255);
  for (word n = 0; n < 2; n++) {
    check(*count[n] != 0);
    check_is(exits[n], 0);
    ok(TCB_Suspend(thread[n]->tcb));
  }
}

static void run_checks(void) {
  mine = new_guest(slot_tcb);
  basic();
  memory();
  ports();
  injection();
  virtual_apic();
  malformed();
  floating_point();
  budgets();
  two_guests();
  no_buffer();
  it("is not there without a virtual processor: the call is one that the kernel does not know");
  word faults = make(object_Endpoint), reply = make(object_Reply);
  struct thread *none = new_thread(200, faults, spin, 0);
  ok(TCB_Resume(none->tcb));
  struct message message = receive(faults, reply);
  check_is(message.label, fault_UnknownSyscall);
  check_is(answer(UnknownSyscall_syscall), (word)syscall_VMEnter);
}
