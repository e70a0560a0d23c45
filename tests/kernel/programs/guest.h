/* Guests: what programs here that are monitors share. Each has one page of memory, at its physical address 0, in real mode. */
struct guest {
  word vcpu, root, pdpt, directory, table, frame, tcb;
  byte *code;
};

enum { write_back = 6, cr0_after_reset = 0x30, unusable = 0x10000 };
enum { hlt_exiting = 1 << 7, unrestricted = 1 << 7, external_interrupt = 0, injected = 1u << 31 };
enum { data_rights = 0x93, code_rights = 0x9b, tss_rights = 0x8b };

static void write_field(struct guest *guest, word field, word value) {
  ok(X86_VCPU_WriteVMCS(guest->vcpu, field, value));
}

static word read_field(struct guest *guest, word field) {
  ok(X86_VCPU_ReadVMCS(guest->vcpu, field));
  return answer(0);
}

static void real_mode(struct guest *guest) {
  for (word segment = 0; segment < 8; segment++) {
    word at = 2 * segment;
    int is_code = segment == 1, is_ldt = segment == 6, is_task = segment == 7;
    write_field(guest, vmcs_GUEST_ES_SELECTOR + at, 0);
    write_field(guest, vmcs_GUEST_ES_BASE + at, 0);
    write_field(guest, vmcs_GUEST_ES_LIMIT + at, 0xffff);
    write_field(guest, vmcs_GUEST_ES_ACCESS_RIGHTS + at, is_ldt ? unusable : is_task ? tss_rights : is_code ? code_rights : data_rights);
  }
  write_field(guest, vmcs_GUEST_GDTR_LIMIT, 0xffff);
  write_field(guest, vmcs_GUEST_IDTR_LIMIT, 0xffff);
  write_field(guest, vmcs_GUEST_RFLAGS, 2);
  write_field(guest, vmcs_GUEST_DR7, 0x400);
  write_field(guest, vmcs_GUEST_CR0, cr0_after_reset);
  write_field(guest, vmcs_GUEST_CR4, 0);
  write_field(guest, vmcs_GUEST_IA32_PAT, 0x0007040600070406);
  write_field(guest, vmcs_GUEST_IA32_EFER, 0);
  write_field(guest, vmcs_GUEST_RSP, 0xff0);
  write_field(guest, vmcs_SECONDARY_CONTROLS, unrestricted);
}

static struct guest new_guest(word tcb) {
  struct guest guest = {
    .vcpu = make(object_VCPU), .root = make(object_EPTPML4), .pdpt = make(object_EPTPDPT), .directory = make(object_EPTPD),
    .table = make(object_EPTPT), .frame = make(object_Page4K), .tcb = tcb
  };
  ok(X86_ASIDPool_Assign(slot_asid_pool, guest.root));
  ok(X86_EPTPDPT_Map(guest.pdpt, 0, 0, guest.root));
  ok(X86_EPTPD_Map(guest.directory, 0, 0, guest.root));
  ok(X86_EPTPT_Map(guest.table, 0, 0, guest.root));
  word own = copy(guest.frame, all_rights);
  guest.code = (byte *)map_page(own);
  ok(X86_Page_MapEPT(guest.frame, 0, all_rights, write_back, guest.root));
  ok(X86_VCPU_SetTCB(guest.vcpu, tcb));
  ok(TCB_SetEPTRoot(tcb, guest.root));
  real_mode(&guest);
  return guest;
}

static void set_code(struct guest *guest, const char *bytes, word length) {
  for (word n = 0; n < length; n++) guest->code[n] = (byte)bytes[n];
}
#define code(guest, bytes) set_code(guest, bytes, sizeof bytes - 1)

/* Of the answer, the length is 0 for a notification, 1 for an exit; its words are in the IPC buffer. */
static struct message vm_enter_saying(word rip, word primary, word event, word length) {
  my_buffer->words[0] = rip;
  my_buffer->words[1] = primary;
  my_buffer->words[2] = event;
  return system_call(syscall_VMEnter, 0, (struct message){.length = length}, 0, 0);
}

static struct message vm_enter(word rip, word primary, word event) {
  return vm_enter_saying(rip, primary, event, 0);
}

/* It counts, for as long as a number is in XMM1 that no other guest has there. @returns where it counts */
static volatile unsigned short *count_in(struct guest *guest, byte number) {
  word page = make(object_Page4K), shown = copy(page, all_rights);
  ok(X86_Page_MapEPT(page, 0x1000, all_rights, write_back, guest->root));
  write_field(guest, vmcs_GUEST_CR4, 0x200);
  /* mov eax, 5555555nH; movd xmm1, eax; again: inc word [1000H]; movd ebx, xmm1; cmp ebx, eax; je again; vmcall */
  code(guest, "\x66\xb8\x50\x55\x55\x55\x66\x0f\x6e\xc8\xff\x06\x00\x10\x66\x0f\x7e\xcb\x66\x39\xc3\x74\xf3\x0f\x01\xc1");
  guest->code[2] += number;
  return (unsigned short *)map_page(shown);
}
