/**
 * Tlb: the translation caches, as software can see them.
 *
 * A translation that was used stays in force until something invalidates it, whatever the tables in memory say by then: this is
 * the cache of SDM vol. 3A, "Caching Translation Information". It has one geometry for every reading, and is filled by the accesses that instructions
 * make, in program order; so what is stale in it is part of the machine's state and the same in every run.
 *
 * A *context* holds what one address space (PCID) looks like from one access mode; changing ring, RFLAGS.AC or PCID just puts other tables in
 * force. Each context has three tables, for reads, writes and instruction fetches, of 4096 entries of 16 bytes at index
 * (address >> 12) & 4095:
 *
 *     0   tag     i64   the page's address. Bits 11:0 are 0 if it may be accessed inline; else the inline comparison fails and the slow path
 *                       looks closer: `entry.empty`, `entry.slow`, `entry.code`.
 *     8   addend  i32   host address of a byte = the lower half of its address + addend
 *     12  info    i32   the physical page number (bits 27:0), `entry.large`, `entry.global`
 *
 * Inline: ((address + bytes - 1) & ~FFFH) == tag. An entry for fetches always leads to host memory: its low bits are 0, or it is empty.
 */

// biome-ignore format: a table
export const entry = {
  tag:    0,
  addend: 8,
  info:   12,
  bytes:  16,

  // In the tag.
  /** Nothing is here. An empty tag is all ones. */
  empty:  1,
  /** No RAM is here: a device, ROM, or nothing that answers. */
  slow:   2,
  /** Of writes: something is decoded from this page. */
  code:   4
} as const
