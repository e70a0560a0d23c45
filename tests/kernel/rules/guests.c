/* Rules about virtual machines, and about what a frame can be mapped in. */
#include "rules.h"
#include "../programs/guest.h"

static struct guest mine;

static void exits(void) {
  rule(19);
  word registers[15];
  for (word n = 0; n < 15; n++) registers[n] = 0x1111000000000000 + n;
  ok(X86_VCPU_WriteRegisters(mine.vcpu, registers[0], registers[1], registers[2], registers[3], registers[4], registers[5], registers[6], registers[7], registers[8], registers[9], registers[10], registers[11], registers[12], registers[13], registers[14]));
  /* nop; mov ax, [5678H] */
  code(&mine, "\x90\xa1\x78\x56\xf4");
  write_field(&mine, vmcs_GUEST_CR3, 0x3000);
  for (word n = 0; n < 25; n++) my_buffer->words[n] = ~0ul;
  check_is(vm_enter(0, hlt_exiting, 0).length, 1);
  check_is(answer(vm_exit_rip), 1);
  check_is(answer(vm_exit_primary_controls) & hlt_exiting, hlt_exiting);
  check_is(answer(vm_exit_event), 0);
  check_is(answer(vm_exit_reason), exit_EPT_VIOLATION);
  check_is(answer(vm_exit_qualification) & 7, 1);
  check_is(answer(vm_exit_guest_physical_address), 0x5678);
  /* RF: the instruction has begun. */
  check_is(answer(vm_exit_rflags), 0x10002);
  check_is(answer(vm_exit_interruptibility), 0);
  check_is(answer(vm_exit_cr3), 0x3000);
  for (word n = 0; n < 15; n++) check_is(answer(vm_exit_rax + n), registers[n]);
  /* mov dx, 3ffH; out dx, al */
  code(&mine, "\xba\xff\x03\xee");
  check_is(vm_enter(0, hlt_exiting, 0).length, 1);
  check_is(answer(vm_exit_reason), exit_IO_INSTRUCTION);
  check_is(answer(vm_exit_instruction_length), 1);
  check_is(answer(vm_exit_rdx) & 0xffff, 0x3ff);

  /* An interrupt always ends the guest's turn. */
  ok(X86_VCPU_WriteVMCS(mine.vcpu, vmcs_PIN_BASED_CONTROLS, 0));
  check_is(answer(0) & 1, 1);
  check_is(read_field(&mine, vmcs_PIN_BASED_CONTROLS) & 1, 1);

  static const word written[] = {vmcs_GUEST_IA32_SYSENTER_CS, vmcs_GUEST_IA32_SYSENTER_ESP, vmcs_GUEST_IA32_SYSENTER_EIP};
  for (word n = 0; n < sizeof written / sizeof *written; n++) {
    write_field(&mine, written[n], 0x1230 + n);
    check_is(read_field(&mine, written[n]), 0x1230 + n);
    write_field(&mine, written[n], 0);
  }
  /* Fields that there are not, and those of the kernel. */
  static const word refused[] = {0x7ffe, 0x1234567, ~0ul, vmcs_HOST_RIP, vmcs_HOST_CR3, vmcs_EPT_POINTER, vmcs_VMCS_LINK_POINTER};
  for (word n = 0; n < sizeof refused / sizeof *refused; n++) check_is(X86_VCPU_WriteVMCS(mine.vcpu, refused[n], 0), error_IllegalOperation);
  for (word n = 0; n < 3; n++) check_is(X86_VCPU_ReadVMCS(mine.vcpu, refused[n]), error_IllegalOperation);
}

static void one_mapping(void) {
  rule(20);
  word page = make(object_Page4K), other = copy(page, all_rights), address = next_address;
  ok(X86_Page_Map(page, address, all_rights, 0, slot_address_space));
  check_is(X86_Page_MapEPT(page, 0x9000, all_rights, write_back, mine.root), error_InvalidCapability);
  check_is(answer(0), 0);
  ok(X86_Page_MapEPT(other, 0x9000, all_rights, write_back, mine.root));
  check(X86_Page_Map(other, address + page_bytes, all_rights, 0, slot_address_space) != error_none);
  ok(X86_Page_Unmap(other));
  ok(X86_Page_Map(other, address + page_bytes, all_rights, 0, slot_address_space));
  *(volatile word *)address = 0x4321;
  check_is(*(volatile word *)(address + page_bytes), 0x4321);
  /* Devices' memory waits for the IOMMU: there is no such space, and nothing is mapped in one. */
  check_is(kind_in(slot_io_space), 0);
  check_is(boot_info->num_iopt_levels, 0);
  check_is(X86_Page_MapIO(make(object_Page4K), all_rights, 0, slot_io_space), error_IllegalOperation);
  ok(delete(page));
  ok(delete(other));
}

/* A small generator of numbers. */
static word random(void) {
  static word state = 88172645463325252;
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return state;
}

static void well_formed(void) {
  real_mode(&mine);
  static const word zero[] = {
    vmcs_CR3_TARGET_COUNT, vmcs_GUEST_ACTIVITY_STATE, vmcs_GUEST_INTERRUPTIBILITY_STATE, vmcs_GUEST_PENDING_DEBUG_EXCEPTIONS,
    vmcs_ENTRY_CONTROLS, vmcs_PIN_BASED_CONTROLS, vmcs_GUEST_CR3, vmcs_GUEST_IA32_SYSENTER_EIP, vmcs_GUEST_GDTR_BASE
  };
  for (word n = 0; n < sizeof zero / sizeof *zero; n++) write_field(&mine, zero[n], 0);
}

static void malformed(void) {
  rule(24);
  static const word fields[] = {
    vmcs_PIN_BASED_CONTROLS, vmcs_PRIMARY_CONTROLS, vmcs_SECONDARY_CONTROLS, vmcs_EXIT_CONTROLS, vmcs_ENTRY_CONTROLS,
    vmcs_GUEST_CR0, vmcs_GUEST_CR3, vmcs_GUEST_CR4, vmcs_GUEST_RFLAGS, vmcs_GUEST_DR7, vmcs_GUEST_IA32_EFER,
    vmcs_GUEST_IA32_PAT, vmcs_GUEST_CS_ACCESS_RIGHTS, vmcs_GUEST_SS_ACCESS_RIGHTS, vmcs_GUEST_TR_ACCESS_RIGHTS,
    vmcs_GUEST_LDTR_ACCESS_RIGHTS, vmcs_GUEST_CS_LIMIT, vmcs_GUEST_CS_BASE, vmcs_GUEST_TR_BASE, vmcs_GUEST_GDTR_BASE,
    vmcs_GUEST_INTERRUPTIBILITY_STATE, vmcs_GUEST_PENDING_DEBUG_EXCEPTIONS,
    vmcs_CR3_TARGET_COUNT, vmcs_GUEST_RSP, vmcs_GUEST_IA32_SYSENTER_EIP
  };
  /* Wherever it begins, it halts, or is where there is no memory. */
  for (word n = 0; n < page_bytes; n++) mine.code[n] = 0xf4;
  word failed_entries = 0;
  for (word n = 0; n < 300; n++) {
    well_formed();
    for (word times = random() % 3; times < 3; times++) {
      word value = random() % 4 == 0 ? random() : random() & 0xffff;
      X86_VCPU_WriteVMCS(mine.vcpu, fields[random() % (sizeof fields / sizeof *fields)], value);
    }
    /* The call comes back, whatever that made of the guest. */
    check_is(vm_enter(random() % 5 == 0 ? random() : 0, hlt_exiting, random() % 5 == 0 ? random() : 0).length, 1);
    failed_entries += answer(vm_exit_reason) >> 31 & 1;
  }
  check_between(failed_entries, 50, 300);
  /* And each kind of failure by itself: of controls, of the guest's state, of the event. */
  well_formed();
  write_field(&mine, vmcs_CR3_TARGET_COUNT, 5);
  check_is(vm_enter(0, hlt_exiting, 0).length, 1);
  check_is(answer(vm_exit_reason), vm_refused);
  check_is(read_field(&mine, vmcs_VM_INSTRUCTION_ERROR), 7);
  write_field(&mine, vmcs_CR3_TARGET_COUNT, 0);
  write_field(&mine, vmcs_GUEST_RFLAGS, 0);
  check_is(vm_enter(0, hlt_exiting, 0).length, 1);
  check_is(answer(vm_exit_reason), 0x80000000u | exit_INVALID_GUEST_STATE);
  write_field(&mine, vmcs_GUEST_RFLAGS, 2);
  /* After all that, it runs as before. */
  check_is(vm_enter(0, hlt_exiting, 0).length, 1);
  check_is(answer(vm_exit_reason), exit_HLT);
}

/* —— Several */

enum { guests = 4 };

static void hold(word number) {
  for (;;) {
    if (vm_enter(0, hlt_exiting, 0).length != 0) seen[number]++;
    TCB_Suspend(threads[my_buffer->user_data].tcb);
  }
}

static void several(void) {
  rule(25);
  struct thread *thread[guests];
  struct guest guest[guests];
  volatile unsigned short *count[guests];
  for (word n = 0; n < guests; n++) {
    seen[n] = 0;
    thread[n] = new_thread(200, 0, hold, n);
    ok(SchedControl_ConfigureFlags(boot_info->sched_control_start, 100, 100, 0, 0, 0, thread[n]->context));
    guest[n] = new_guest(thread[n]->tcb);
    count[n] = count_in(&guest[n], (byte)n);
    ok(TCB_Resume(thread[n]->tcb));
  }
  enum { period = 3000 };
  ok(SchedControl_ConfigureFlags(boot_info->sched_control_start, period / 2, period, 0, 0, 0, slot_sched_context));
  /* They have turns while this one has no budget. */
  for (word began = now(); now() - began < 2 * period * 1000;) {}
  for (word n = 0; n < guests; n++) {
    check(*count[n] > 1000);
    check_is(seen[n], 0);
  }
  /* One that loses its memory comes back; the others do not notice. */
  ok(delete(guest[1].frame));
  unsigned short counts[guests];
  for (word n = 0; n < guests; n++) counts[n] = *count[n];
  for (word began = now(); now() - began < 2 * period * 1000;) {}
  for (word n = 0; n < guests; n++) {
    check_is(seen[n], n == 1);
    check_is(*count[n] != counts[n], n != 1);
    ok(TCB_Suspend(thread[n]->tcb));
  }
}

static void run_checks(void) {
  mine = new_guest(slot_tcb);
  exits();
  one_mapping();
  malformed();
  several();
}
