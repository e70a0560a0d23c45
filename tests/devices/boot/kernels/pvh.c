/* A PVH kernel that says what it was told. Its ELF entry is not where its note says. */
#include "kernel.h"

__asm__(".section .note.Xen, \"a\", @note\n.long 4, 4, 18\n.asciz \"Xen\"\n.long _start\n.text\n"
        ".globl elsewhere\nelsewhere: mov $7, %al\nout %al, $0xf4\nhlt\n");
ENTRY;

struct start_info {
  u32 magic, version, flags, nr_modules;
  u64 modlist, cmdline, rsdp, memmap;
  u32 memmap_entries, reserved;
};
struct module { u64 at, size, cmdline, reserved; };
struct entry { u64 at, size; u32 type, reserved; };

void start(u32 eax, const struct start_info *told, u32 cr0, u32 flags) {
  check_bss();
  line("magic", told->magic);
  line("version", told->version);
  line("cr0", cr0);
  quote("command line", (const char *)(u32)told->cmdline);
  const struct module *module = (const struct module *)(u32)told->modlist;
  for (u32 n = 0; n < told->nr_modules; n++, module++) {
    quote("module", (const char *)(u32)module->cmdline);
    bytes((const u8 *)(u32)module->at, module->size);
  }
  const struct entry *entry = (const struct entry *)(u32)told->memmap;
  for (u32 n = 0; n < told->memmap_entries; n++, entry++) {
    line("memory at", entry->at);
    line("bytes", entry->size);
    line("type", entry->type);
  }
  print("rsdp ");
  bytes((const u8 *)(u32)told->rsdp, 8);
  leave(3);
}
