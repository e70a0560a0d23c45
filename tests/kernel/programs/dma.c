/* A device that moves memory (edu, in slot 5): what it reaches in the hands of a program that has all of it. */
#include "root.h"

enum { configuration = 0xe0028000, registers = 0xfe000000, registers_bytes = 4096, command = 0x04, bar = 0x10, memory_and_master = 6 };
enum { liveness = 0x04, source = 0x80, destination = 0x88, count = 0x90, start = 0x98, from_device = 2, begin = 1, buffer = 0x40000 };

/* The frame of a device's page, mapped. */
static volatile byte *page_of(word address) {
  for (word n = 0; n < boot_info->untyped_end - boot_info->untyped_start; n++) {
    struct untyped_entry entry = boot_info->untyped[n];
    if (!entry.is_device || address < entry.address || address >= entry.address + (1ul << entry.size_bits)) continue;
    word memory = boot_info->untyped_start + n, bits = entry.size_bits, at = entry.address;
    /* Halves, of which one is that in which it lies. */
    for (; bits > 12; bits--) {
      word low = empty_slot(), high = empty_slot(), half = at + (1ul << (bits - 1));
      ok(retype(memory, object_Untyped, bits - 1, low));
      ok(retype(memory, object_Untyped, bits - 1, high));
      memory = address < half ? low : high;
      if (address >= half) at = half;
    }
    word frame = empty_slot();
    ok(retype(memory, object_Page4K, 0, frame));
    return (volatile byte *)map_page(frame);
  }
  check(0);
  return 0;
}

static void run_checks(void) {
  volatile byte *config = page_of(configuration), *device = page_of(registers);
  word frame = make(object_Page4K);
  volatile word *memory = (word *)map_page(frame);
  ok(X86_Page_GetAddress(frame));
  word at = answer(0);
  it("finds the device, and makes it bus master");
  check_is(*(volatile unsigned *)config, 0x11e81234);
  *(volatile unsigned *)(config + bar) = registers;
  *(volatile unsigned short *)(config + command) = memory_and_master;
  check_is(*(volatile unsigned short *)(config + command) & memory_and_master, memory_and_master);
  *(volatile unsigned *)(device + liveness) = 5;
  check_is(*(volatile unsigned *)(device + liveness), ~5u);
  memory[0] = ~0ul;
  *(volatile unsigned *)(device + source) = buffer;
  *(volatile word *)(device + destination) = at;
  *(volatile unsigned *)(device + count) = 8;
  *(volatile unsigned *)(device + start) = from_device | begin;
  for (word begin = now(); now() - begin < 50000;) {}
  it(memory[0] == 0 ? "reaches memory" : "reaches nothing");
}
