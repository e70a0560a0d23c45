/*
 * Each access that a program and the supervisor can make, through a page whose PDE and PTE have every combination of rights, in every combination
 * of what CR0, CR4, IA32_EFER, RFLAGS and PKRU say of them. What comes of it is compared with the rules of SDM vol. 3A, "Determination of Access
 * Rights", "Protection Keys" and "Page-Fault Exceptions": the error code, or the accessed and dirty flags. A difference is a line.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80 };
#define XD (1UL << 63)
#define RESERVED (1UL << 51)
#define KEY (1UL << 59) /* protection key 1 */
enum { WP = 1 << 16, SMEP = 1 << 20, SMAP = 1 << 21, PKE = 1 << 22, NXE = 1 << 11 };
enum { read_, write_, fetch, kinds };

/* The page under test; a program's code and stack; what a page of 2 MBytes is. */
#define PLACE 0x8000000000UL
#define USER 0x200000UL
#define LARGE 0x400000UL
enum { kernel_code = 0x08, kernel_data = 0x10, user_data = 0x1b, user_code = 0x23, task = 0x28 };

extern u64 pml4[512], low[512];
static u64 pdpt[512] __attribute__((aligned(4096))), pd[512] __attribute__((aligned(4096))), pt[512] __attribute__((aligned(4096)));
static u8 page[4096] __attribute__((aligned(4096)));
static u8 interrupt_stack[4096] __attribute__((aligned(16)));
static u64 gdt[7] = {0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cff3000000ffff, 0x00affb000000ffff};
static struct { u64 low, high; } idt[256];
static u8 tss[0x68];

/* The error code of the access, or `none`. */
enum { none = -1 };
long outcome;
void supervisor(u64 kind), user(u64 kind);
extern u8 page_fault[], program_done[], program[], program_end[];

__asm__(
  /* Both come back by `back`, from wherever the access ends. */
  "supervisor: push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; mov %rsp, stack\n"
  "  mov $0x8000000000, %rbx; cmp $1, %rdi; jb 1f; je 2f; call *%rbx; jmp back\n"
  "1: mov (%rbx), %al; jmp back\n"
  "2: movb $0xc3, (%rbx); jmp back\n"
  "user: push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; mov %rsp, stack\n"
  "  pushq $0x1b; pushq $0x300000; pushf; pushq $0x23; pushq $0x200000; iretq\n"
  "program: mov $0x8000000000, %rbx; cmp $1, %rdi; jb 1f; je 2f; call *%rbx; int $0x80\n"
  "1: mov (%rbx), %al; int $0x80\n"
  "2: movb $0xc3, (%rbx); int $0x80\n"
  "program_end:\n"
  "page_fault: pop outcome\n"
  "program_done: back: mov stack, %rsp; clac; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n"
  ".bss\n.balign 8\nstack: .quad 0\n.text\n");

static void out(u8 value, u16 port) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
static void say(const char *text) { while (*text) out(*text++, 0xe9); }
static void hex(const char *name, u64 value) {
  say(name);
  for (int at = 60; at >= 0; at -= 4) if (value >> at || at == 0) out("0123456789ABCDEF"[value >> at & 15], 0xe9);
}

struct mode { int wp, nxe, smep, smap, ac, ad, wd; };

static void enter(struct mode m) {
  u64 cr0, cr4;
  u32 low_half, high_half;
  __asm__ volatile("mov %%cr0, %0; mov %%cr4, %1" : "=r"(cr0), "=r"(cr4));
  __asm__ volatile("mov %0, %%cr0" : : "r"((cr0 & ~(u64)WP) | (m.wp ? WP : 0)));
  cr4 &= ~(u64)(SMEP | SMAP | PKE);
  __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | (m.smep ? SMEP : 0) | (m.smap ? SMAP : 0) | PKE));
  __asm__ volatile("wrpkru" : : "a"((m.ad | m.wd << 1) << 2), "c"(0), "d"(0));
  __asm__ volatile("rdmsr" : "=a"(low_half), "=d"(high_half) : "c"(0xc0000080));
  __asm__ volatile("wrmsr" : : "a"((low_half & ~NXE) | (m.nxe ? NXE : 0)), "d"(high_half), "c"(0xc0000080));
}

/* What the manual says: an error code, or `none`. */
static long expected(struct mode m, u64 pde, u64 pte, int is_user, int kind) {
  int is_large = (pde & PS) != 0, writes = kind == write_, fetches = kind == fetch;
  long code = (writes ? 2 : 0) | (is_user ? 4 : 0) | (fetches && (m.nxe || m.smep) ? 16 : 0);
  u64 rights = is_large ? pde : pde & pte;
  int never = ((pde | (is_large ? 0 : pte)) & XD) != 0;
  if (!(pde & P)) return code;
  if (pde & RESERVED || (pde & XD && !m.nxe)) return code | 9;
  if (!is_large && !(pte & P)) return code;
  if (!is_large && (pte & RESERVED || (pte & XD && !m.nxe))) return code | 9;
  int of_user = (rights & U) != 0, checks_writes = is_user || m.wp;
  int key = of_user && !fetches && (m.ad || (m.wd && writes && checks_writes));
  int refused = (is_user && !of_user) || (writes && !(rights & W) && checks_writes) || (fetches && never);
  if (!is_user && of_user) refused |= fetches ? m.smep : m.smap && !m.ac;
  return refused || key ? code | 1 | (key ? 32 : 0) : none;
}

static u64 differences;

static void differ(const char *what, struct mode m, u64 pde, u64 pte, int is_user, int kind, long wanted) {
  if (differences++ > 20) return;
  say(what);
  hex(" mode ", m.wp | m.nxe << 1 | m.smep << 2 | m.smap << 3 | m.ac << 4 | m.ad << 5 | m.wd << 6);
  hex(" PDE ", pde), hex(" PTE ", pte), hex(" user ", is_user), hex(" kind ", kind), hex(" is ", outcome), hex(" not ", wanted);
  say("\n");
}

static void access(struct mode m, u64 pde, u64 pte, int is_user, int kind) {
  volatile u64 *leaf = pde & PS ? &pd[0] : &pt[0];
  *(volatile u64 *)&pd[0] = pde;
  *(volatile u64 *)&pt[0] = pte;
  __asm__ volatile("invlpg (%0)" : : "r"(PLACE) : "memory");
  outcome = none;
  if (is_user) user(kind);
  else {
    if (m.ac) __asm__ volatile("stac");
    supervisor(kind);
  }
  long wanted = expected(m, pde, pte, is_user, kind);
  if (outcome != wanted) differ("outcome", m, pde, pte, is_user, kind, wanted);
  if (wanted == none && (*leaf & (A | D)) != (kind == write_ ? A | D : A)) differ("flags", m, pde, pte, is_user, kind, wanted);
  if (wanted != none && *leaf & D) differ("dirty by a fault", m, pde, pte, is_user, kind, wanted);
}

/* The rights that the lower bits of a number say. */
static u64 rights(int n) { return (n & 1 ? W : 0) | (n & 2 ? U : 0) | (n & 4 ? XD : 0) | (n & 8 ? RESERVED : 0); }

static u64 all_accesses(struct mode m, u64 pde, u64 pte) {
  for (int is_user = 0; is_user < 2; is_user++)
    for (int kind = 0; kind < kinds; kind++) access(m, pde, pte, is_user, kind);
  return 2 * kinds;
}

static u64 all_entries(struct mode m) {
  u64 count = all_accesses(m, 0, 0);
  for (int n = 0; n < 16; n++) count += all_accesses(m, LARGE | PS | P | KEY | rights(n), 0);
  for (int n = 0; n < 8; n++) {
    u64 pde = (u64)pt | P | rights(n);
    count += all_accesses(m, pde, 0);
    for (int of_page = 0; of_page < 16; of_page++) count += all_accesses(m, pde, (u64)page | P | KEY | rights(of_page));
  }
  return count;
}

static void gate(int vector, u8 *handler, int dpl) {
  u64 at = (u64)handler;
  idt[vector].low = (at & 0xffff) | (u64)kernel_code << 16 | (0x8e00UL | (u64)dpl << 13) << 32 | (at >> 16 & 0xffff) << 48;
  idt[vector].high = at >> 32;
}

static void tables(void) {
  struct { u16 limit; u64 base; } __attribute__((packed)) gdtr = {sizeof gdt - 1, (u64)gdt}, idtr = {sizeof idt - 1, (u64)idt};
  u64 base = (u64)tss;
  gdt[task / 8] = 0x67 | (base & 0xffffff) << 16 | 0x89UL << 40 | (base >> 24 & 0xff) << 56;
  gdt[task / 8 + 1] = base >> 32;
  *(u64 *)(tss + 4) = (u64)interrupt_stack + sizeof interrupt_stack;
  gate(14, page_fault, 0);
  gate(0x80, program_done, 3);
  __asm__ volatile("lgdt %0; lidt %1; ltr %w2" : : "m"(gdtr), "m"(idtr), "r"(task));
}

void start(void) {
  tables();
  for (u8 *at = program; at < program_end; at++) ((u8 *)USER)[at - program] = *at;
  low[USER >> 21] |= U;
  page[0] = *(u8 *)LARGE = 0xc3; /* RET */
  pd[0] = 0, pdpt[0] = (u64)pd | P | W | U, pml4[1] = (u64)pdpt | P | W | U;
  u64 count = 0;
  for (int n = 0; n < 8; n++)
    for (int smap = 0; smap < 3; smap++)
      for (int keys = 0; keys < 3; keys++) {
        struct mode m = {n & 1, n >> 1 & 1, n >> 2 & 1, smap > 0, smap == 2, keys == 1, keys == 2};
        enter(m);
        count += all_entries(m);
      }
  hex("accesses ", count), hex("\ndifferences ", differences), say("\n");
  out(differences != 0, 0xf4);
  for (;;) __asm__ volatile("hlt");
}

/* From what Multiboot leaves to 64-bit mode, with the first 8 MBytes as they are. */
__asm__(
  ".section .header, \"a\"\n.balign 4\nheader: .long 0x1badb002, 0x10000, -(0x1badb002 + 0x10000), header, image_start, _edata, _end, _start\n"
  ".text\n.code32\n.globl _start\n_start: mov $kernel_stack, %esp\n"
  "  movl $tables_1 + 7, pml4; movl $low + 7, tables_1; movl $0x83, low; movl $0x200083, low + 8; movl $0x400083, low + 16; movl $0x600083, low + 24\n"
  "  mov $0x20, %eax; mov %eax, %cr4; mov $pml4, %eax; mov %eax, %cr3\n"
  "  mov $0xc0000080, %ecx; rdmsr; or $0x100, %eax; wrmsr; mov %cr0, %eax; or $0x80000001, %eax; mov %eax, %cr0\n"
  "  lgdt 1f; ljmp $8, $2f\n1: .word 0x17; .long gdt\n"
  ".code64\n2: mov $0x10, %eax; mov %eax, %ss; mov %eax, %ds; mov %eax, %es; call start\n"
  ".bss\n.balign 4096\n.globl pml4, low\npml4: .space 4096\ntables_1: .space 4096\nlow: .space 4096\n.space 8192\nkernel_stack:\n.text\n");
