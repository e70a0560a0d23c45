/* A Multiboot kernel that says what it was told. -DADDRESSES: its header has the addresses. */
#include "kernel.h"

#define FLAGS (3 | ADDRESS_FLAG)
#ifdef ADDRESSES
#define ADDRESS_FLAG 0x10000
#else
#define ADDRESS_FLAG 0
#endif

extern u8 header_start[], image_start[], _edata[], _end[];
void _start(void);

__asm__(".section .header, \"a\"\n.globl header_start\nheader_start: .long 0x1badb002\n"
#ifdef ADDRESSES
        ".long 0x10003, -(0x1badb002 + 0x10003), header_start, image_start, _edata, _end, _start\n"
#else
        ".long 3, -(0x1badb002 + 3)\n"
#endif
        ".text\n");
ENTRY;

struct module { u32 start, end; const char *string; u32 reserved; };
struct entry { u32 size; u64 base, length; u32 type; } __attribute__((packed));
struct information {
  u32 flags, mem_lower, mem_upper, boot_device;
  const char *cmdline;
  u32 mods_count;
  struct module *mods;
  u32 syms[4], mmap_length, mmap_addr, drives[2], config;
  const char *loader;
};

void start(u32 magic, struct information *told, u32 cr0, u32 flags) {
  check_bss();
  line("magic", magic);
  line("cr0", cr0);
  line("interrupts", flags >> 9 & 1);
  line("told", told->flags);
  line("lower", told->mem_lower);
  line("upper", told->mem_upper);
  quote("command line", told->cmdline);
  quote("loader", told->loader);
  for (u32 n = 0; n < told->mods_count; n++) {
    const struct module *module = &told->mods[n];
    quote("module", module->string);
    line("at page", module->start & 0xfff);
    if (module->start < (u32)_end) leave(8);
    bytes((const u8 *)module->start, module->end - module->start);
  }
  for (u32 at = told->mmap_addr; at < told->mmap_addr + told->mmap_length;) {
    const struct entry *entry = (const struct entry *)at;
    line("memory at", entry->base);
    line("bytes", entry->length);
    line("type", entry->type);
    at += entry->size + 4;
  }
  leave(3);
}
