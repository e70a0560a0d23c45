/* A Multiboot 2 kernel that says what it was told. -DTAG=n: its header has a tag of this type, of 8 bytes, that it cannot do without. */
#include "kernel.h"

extern u8 _end[];
void _start(void);

__asm__(".section .header, \"a\"\n.balign 8\nheader: .long 0xe85250d6, 0, header_end - header, -(0xe85250d6 + header_end - header)\n"
        ".balign 8\n.short 1, 0\n.long 16, 4, 6\n" /* wants: memory, map of memory */
        ".balign 8\n.short 6, 0\n.long 8\n"        /* modules on pages */
#ifdef TAG
        ".balign 8\n.short " TAG ", 0\n.long 8\n"
#endif
        ".balign 8\n.short 5, 1\n.long 20, 800, 600, 32\n" /* would like a display */
        ".balign 8\n.short 0, 0\n.long 8\nheader_end:\n.text\n");
ENTRY;

struct tag { u32 type, size; u32 words[]; };

void start(u32 magic, const u32 *told, u32 cr0, u32 flags) {
  check_bss();
  line("magic", magic);
  line("aligned", (u32)told & 7);
  for (u32 at = 8;;) {
    const struct tag *tag = (const struct tag *)((const u8 *)told + at);
    switch (tag->type) {
      case 0:
        line("all bytes", at + tag->size - told[0]);
        leave(3);
      case 1: quote("command line", (const char *)tag->words); break;
      case 2: quote("loader", (const char *)tag->words); break;
      case 3:
        quote("module", (const char *)&tag->words[2]);
        bytes((const u8 *)tag->words[0], tag->words[1] - tag->words[0]);
        break;
      case 4: line("lower", tag->words[0]); line("upper", tag->words[1]); break;
      case 6:
        for (u32 n = 2; n < (tag->size - 8) / 4; n += 6) { line("memory at", tag->words[n]); line("bytes", tag->words[n + 2]); line("type", tag->words[n + 4]); }
        break;
      case 14: case 15: print("rsdp "); bytes((const u8 *)tag->words, 8); break;
      default: line("tag", tag->type);
    }
    at += (tag->size + 7) & ~7u;
  }
}
