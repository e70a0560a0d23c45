/*
 * A monitor by Linux's KVM: what it offers to programs makes a guest, runs it, and says what became of it.
 *
 * The guests' code is in the sections of assembly below; each ends with a write to port F4H, of the status that is told. Static, without
 * any library but libc.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

enum { memory_bytes = 4 << 20, code_at = 0x10000, tables_at = 0x1000, idt_at = 0x8000, gdt_at = 0x9000, stack_at = 0x80000 };
enum { end_port = 0xf4, mmio_at = 0x50000000 };

#define GUEST(name, bits) asm(".pushsection .rodata\n.code" bits "\n" #name "_code:\n"
#define END(name) "\n" #name "_end:\n.code64\n.popsection\n"); \
  extern const uint8_t name##_code[], name##_end[];

/* Real-address mode: digits to port E9H, a word in memory counted up. */
GUEST(real, "16")
  "mov $0xe9, %dx; mov $5, %cx; mov $'0', %al\n"
  "1: out %al, %dx; inc %al; loop 1b\n"
  "incw 0x8000; mov 0x8000, %al; out %al, $0xf4"
END(real)

/* 64-bit mode: a sum in a loop, CPUID, a page that is not memory read and written, the TPR by CR8. */
GUEST(large, "64")
  "mov $100000, %rcx; xor %eax, %eax\n"
  "1: add %rcx, %rax; dec %rcx; jnz 1b\n"
  "mov %rax, 0xa000\n"
  "xor %eax, %eax; cpuid; mov %ebx, 0xa008\n"
  "mov $0x50000000, %rbx; movl $0x12345678, (%rbx); mov 4(%rbx), %eax; mov %eax, 0xa010\n"
  "mov $5, %rax; mov %rax, %cr8; xor %eax, %eax; mov %cr8, %rax; mov %eax, 0xa018\n"
  "mov $7, %al; out %al, $0xf4"
END(large)

/* Its local APIC in memory: three interrupts of its timer, each served and awaited by HLT; then one that it sends to itself. */
GUEST(interrupts, "64")
  "mov $0xfee00000, %rbx\n"
  "movl $0x1ff, 0xf0(%rbx); movl $0xb, 0x3e0(%rbx); movl $0x40, 0x320(%rbx)\n"
  "xor %r12d, %r12d\n"
  "1: movl $50000, 0x380(%rbx); sti; hlt; cli; cmp $3, %r12d; jb 1b\n"
  "movl $0x44041, 0x300(%rbx); sti; nop; nop; cli\n"
  "mov %r12d, %eax; out %al, $0xf4"
END(interrupts)
GUEST(handler, "64")
  "inc %r12d; movl $0, 0xb0(%rbx); iretq"
END(handler)

/* #PF, #UD and #DE, each with a handler that counts and goes on behind the instruction, which has 4 bytes with its NOPs. */
GUEST(exceptions, "64")
  "xor %r12d, %r12d; mov $0x40000000, %rsi; mov $1, %eax; xor %edx, %edx; xor %ecx, %ecx\n"
  "mov (%rsi), %al; nop; nop\n"
  "ud2; nop; nop\n"
  "div %ecx; nop; nop\n"
  "mov %r12d, %eax; out %al, $0xf4"
END(exceptions)
GUEST(with_code, "64")
  "add $8, %rsp; inc %r12d; addq $4, (%rsp); iretq"
END(with_code)
GUEST(without_code, "64")
  "inc %r12d; addq $4, (%rsp); iretq"
END(without_code)

static int kvm;
struct machine { int vm, cpu; uint8_t *memory; struct kvm_run *run; };

static void fail(const char *what) { perror(what); exit(1); }
static int ask(int file, unsigned long request, void *argument, const char *what) {
  int answer = ioctl(file, request, argument);
  if (answer < 0) fail(what);
  return answer;
}

static struct machine create(int with_chips, unsigned flags) {
  struct machine m;
  m.vm = ask(kvm, KVM_CREATE_VM, 0, "KVM_CREATE_VM");
  ask(m.vm, KVM_SET_TSS_ADDR, (void *)0xfffbd000, "KVM_SET_TSS_ADDR");
  if (with_chips) ask(m.vm, KVM_CREATE_IRQCHIP, 0, "KVM_CREATE_IRQCHIP");
  m.memory = mmap(0, memory_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  struct kvm_userspace_memory_region region = {
    .flags = flags, .memory_size = memory_bytes, .userspace_addr = (uint64_t)m.memory };
  ask(m.vm, KVM_SET_USER_MEMORY_REGION, &region, "KVM_SET_USER_MEMORY_REGION");
  m.cpu = ask(m.vm, KVM_CREATE_VCPU, 0, "KVM_CREATE_VCPU");
  m.run = mmap(0, ask(kvm, KVM_GET_VCPU_MMAP_SIZE, 0, "size"), PROT_READ | PROT_WRITE, MAP_SHARED, m.cpu, 0);
  return m;
}

static void put(struct machine *m, uint64_t at, const uint8_t *from, const uint8_t *end) { memcpy(m->memory + at, from, end - from); }
#define PUT(m, at, name) put(m, at, name##_code, name##_end)

static void start_real(struct machine *m) {
  struct kvm_sregs s;
  ask(m->cpu, KVM_GET_SREGS, &s, "KVM_GET_SREGS");
  s.cs.base = code_at; s.cs.selector = code_at >> 4;
  ask(m->cpu, KVM_SET_SREGS, &s, "KVM_SET_SREGS");
  struct kvm_regs r = { .rflags = 2 };
  ask(m->cpu, KVM_SET_REGS, &r, "KVM_SET_REGS");
}

/* 64-bit mode, the first 4 GiB but for 1 GiB mapped to themselves by pages of 2 MiB; handlers for every vector at `handlers`. */
static void start_long(struct machine *m, const uint64_t handlers[256]) {
  uint64_t *pml4 = (void *)(m->memory + tables_at), *pdpt = pml4 + 512;
  pml4[0] = (tables_at + 0x1000) | 3;
  for (uint64_t n = 0; n < 4; n++) {
    uint64_t *pd = pml4 + 1024 + n * 512;
    pdpt[n] = (tables_at + 0x2000 + n * 0x1000) | 3;
    for (uint64_t k = 0; k < 512; k++) pd[k] = (n << 30) | (k << 21) | 0x83;
  }
  pml4[1024 + 1 * 512] = 0; /* nothing at 40000000H */
  uint64_t *gdt = (void *)(m->memory + gdt_at), *idt = (void *)(m->memory + idt_at);
  gdt[1] = 0x00af9b000000ffff; gdt[2] = 0x00cf93000000ffff;
  for (int n = 0; n < 256; n++) {
    uint64_t h = handlers ? handlers[n] : 0;
    idt[2 * n] = (h & 0xffff) | (8 << 16) | (0x8e00ull << 32) | (h >> 16 << 48);
    idt[2 * n + 1] = 0;
  }
  struct kvm_sregs s;
  ask(m->cpu, KVM_GET_SREGS, &s, "KVM_GET_SREGS");
  s.cr3 = tables_at; s.cr4 = 1 << 5; s.cr0 = 0x80050033; s.efer = 0x500;
  struct kvm_segment code = { .limit = 0xffffffff, .selector = 8, .present = 1, .type = 11, .s = 1, .l = 1, .g = 1 }, data = code;
  data.type = 3; data.selector = 16; data.l = 0; data.db = 1;
  s.cs = code; s.ds = s.es = s.fs = s.gs = s.ss = data;
  s.gdt.base = gdt_at; s.gdt.limit = 23; s.idt.base = idt_at; s.idt.limit = 4095;
  ask(m->cpu, KVM_SET_SREGS, &s, "KVM_SET_SREGS");
  struct kvm_regs r = { .rip = code_at, .rflags = 2, .rsp = stack_at };
  ask(m->cpu, KVM_SET_REGS, &r, "KVM_SET_REGS");
}

/* Until it writes to the last port: the status; what it writes elsewhere is printed. */
static int run(struct machine *m, int *exits) {
  for (*exits = 1;; ++*exits) {
    ask(m->cpu, KVM_RUN, 0, "KVM_RUN");
    struct kvm_run *r = m->run;
    if (r->exit_reason == KVM_EXIT_IO && r->io.port == end_port) return *((uint8_t *)r + r->io.data_offset);
    if (r->exit_reason == KVM_EXIT_IO) putchar(*((char *)r + r->io.data_offset));
    else if (r->exit_reason == KVM_EXIT_MMIO && r->mmio.is_write) printf("[%llx]=%x ", r->mmio.phys_addr, *(uint32_t *)r->mmio.data);
    else if (r->exit_reason == KVM_EXIT_MMIO) *(uint32_t *)r->mmio.data = 0xabcd;
    else if (r->exit_reason == KVM_EXIT_DEBUG) return -1;
    else { printf("exit %d (%llx)\n", r->exit_reason, (unsigned long long)r->hw.hardware_exit_reason); exit(1); }
  }
}

static uint64_t word(struct machine *m, uint64_t at) { return *(uint64_t *)(m->memory + at); }

int main(void) {
  int exits;
  if ((kvm = open("/dev/kvm", O_RDWR)) < 0) fail("/dev/kvm");

  struct machine m = create(0, 0);
  PUT(&m, code_at, real); m.memory[0x8000] = 41; start_real(&m);
  int status = run(&m, &exits);
  printf(" real mode: status %d\n", status);

  m = create(0, 0);
  PUT(&m, code_at, large); start_long(&m, 0);
  struct { struct kvm_cpuid2 head; struct kvm_cpuid_entry2 entry; } cpuid = { { 1, 0 }, { .function = 0, .eax = 0, .ebx = 0x1234 } };
  ask(m.cpu, KVM_SET_CPUID2, &cpuid, "KVM_SET_CPUID2");
  status = run(&m, &exits);
  printf("64-bit mode: status %d, sum %llu, CPUID %llx, MMIO %llx, CR8 %llx\n", status, (unsigned long long)word(&m, 0xa000),
    (unsigned long long)(uint32_t)word(&m, 0xa008), (unsigned long long)(uint32_t)word(&m, 0xa010), (unsigned long long)(uint32_t)word(&m, 0xa018));

  uint64_t handlers[256] = { 0 };
  handlers[0x40] = handlers[0x41] = code_at + 0x800;
  m = create(1, 0);
  PUT(&m, code_at, interrupts); PUT(&m, code_at + 0x800, handler); start_long(&m, handlers);
  printf("interrupts: %d\n", run(&m, &exits));

  handlers[0] = handlers[6] = code_at + 0xa00; handlers[14] = code_at + 0x800;
  m = create(0, 0);
  PUT(&m, code_at, exceptions); PUT(&m, code_at + 0x800, with_code); PUT(&m, code_at + 0xa00, without_code); start_long(&m, handlers);
  printf("exceptions: %d\n", run(&m, &exits));

  /* The same by single steps: #DB is the monitor's. KVM takes TF from the flags when it injects #UD: the five instructions before are stepped. */
  m = create(0, 0);
  PUT(&m, code_at, exceptions); PUT(&m, code_at + 0x800, with_code); PUT(&m, code_at + 0xa00, without_code); start_long(&m, handlers);
  struct kvm_guest_debug debug = { .control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP };
  ask(m.cpu, KVM_SET_GUEST_DEBUG, &debug, "KVM_SET_GUEST_DEBUG");
  int steps = 0;
  while ((status = run(&m, &exits)) < 0) steps++;
  printf("single steps: %d, status %d\n", steps, status);

  /* Which pages a guest has written. */
  m = create(0, KVM_MEM_LOG_DIRTY_PAGES);
  PUT(&m, code_at, large); start_long(&m, 0);
  status = run(&m, &exits);
  uint64_t dirty[memory_bytes / 4096 / 64] = { 0 };
  struct kvm_dirty_log log = { .dirty_bitmap = dirty };
  ask(m.vm, KVM_GET_DIRTY_LOG, &log, "KVM_GET_DIRTY_LOG");
  printf("dirty: %d %d\n", (int)(dirty[0] >> (0xa000 >> 12) & 1), (int)(dirty[0] >> (0x20000 >> 12) & 1));
  return 0;
}
