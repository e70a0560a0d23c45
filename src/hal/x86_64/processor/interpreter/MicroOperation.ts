/**
 * Micro-operations: instructions as the interpreter wants them.
 *
 * What a handler needs to know of its instruction stands at fixed places, so it decides nothing: a register is the place of its bytes in
 * the state block, a branch target the micro-operation to go on with. Nothing in a micro-operation depends on the address at which its page of code is
 * seen: places in the code are offsets from the page's beginning.
 *
 * A block is a run of micro-operations that are entered at the first and left at the last.
 */
import { layout } from "../../memory/layout.ts"
import { modeNumbers } from "../State.ts"

// biome-ignore format: a table
export const field = {
  /** Which handler this is for: `builtIn`, or one that was generated. */
  handler:     0,  // u16
  /** How many instructions the block still has, from this one on. */
  remaining:   2,  // u16
  /** Registers, in the order of the operands. */
  registers:   4,  // 3 of u16
  base:        10, // u16
  index:       12, // u16
  scale:       14, // u8
  /** 1 if the memory operand is in SS. */
  stack:       15, // u8
  /** Where the instruction begins and ends, from the beginning of its page. */
  here:        16, // u16
  next:        18, // u16
  disp:        20, // i32
  /** Constants, in the order of the operands; a displacement of 64 bits takes one. The second is only there if there is no `taken`. */
  constants:   24, // 2 of i64
  /** Of the last of a block: where it jumps to, and what follows it. */
  taken:       32,
  fallThrough: 40
} as const
export const microOperationBytes = 48

/** A way out of a block. */
// biome-ignore format: a table
export const link = {
  /** The block to go on with, or `unlinked`, or `outside`. */
  block: 0, // i32
  /** The same, from the beginning of the page. */
  to:    4  // i32
} as const
/** Not known yet: ask. */
export const unlinked = 0
/** In another page, or in none: ask the jump cache. Outside of 64-bit mode, for a target of 32 or of 16 bits. */
export const outside = -1
export const outside32 = -2
export const outside16 = -3

/** What stands before the first micro-operation of a block. */
// biome-ignore format: a table
export const header = {
  /** Entries left until it is hot. */
  heat:     -16, // i32
  /** 1 if its instruction goes on in another page: it is only found through the jump cache. */
  crossing: -12  // i32
} as const
export const headerBytes = 16

/** Handlers that no instruction has. */
// biome-ignore format: a table
export const builtIn = {
  /** Left to plain execution: there is no handler (yet), or the bytes are no instruction. */
  plain:   0,
  /** Put in the place of another to end the block before this instruction. */
  stop:    1,
  /** After the last of a block that does not jump. No instruction: `remaining` is 0. */
  goOn:    2,
  /** A translated region begins here. */
  region:  3,
  /** No micro-operation's: what is done in this function for handlers that the other has (`Generator`). */
  other:   4,
  number:  5
} as const

/** What the generated code and its surroundings tell each other. Host addresses. */
// biome-ignore format: a table
export const slot = {
  /** Of an access that is not inline: the micro-operation that makes it. */
  microOperation: layout.readings + 0x00, // i32
  /** What such an access leaves of the countdown when the block is paid for. */
  left:           layout.readings + 0x04, // i32
  /** The link that is followed and was not known; or 0. */
  link:           layout.readings + 0x08, // i32
  /** The micro-operation that running stopped at. */
  stopped:        layout.readings + 0x0c, // i32
  /** Where the page of the block that runs begins, as an address; outside of 64-bit mode, as an offset in CS, which may be below 0. */
  page:           layout.readings + 0x10, // i64
  /** What an address of code depends on beside itself: `contextOf`. */
  context:        layout.readings + 0x18, // i32
  /** How often the one function of handlers has called the other. */
  calls:          layout.readings + 0x1c  // i32
} as const

/**
 * The jump cache: blocks by virtual address. An entry is right as long as the translation for instruction fetches that it was made with is in
 * force: it names the table that this was in.
 */
// biome-ignore format: a table
export const jumpCache = {
  at:      layout.readings + 0x1_0000,
  entries: 4096,
  bytes:   16,
  /**
   * The index is RIP's lower half, folded by this many bits, and what of the context is above these many: programs that are linked for one
   * address and call one another do not push one another out.
   */
  fold:    10,
  contextFold: 12,
  rip:     0,  // i64
  block:   8,  // i32
  /** `contextOf` */
  context: 12  // i32
} as const

/**
 * A table for fetches (a multiple of 4 KiB), a mode, and a number for the code segment's base and limit: 0 if all is where its offset says.
 */
export const contextOf = (executeTable: number, mode: number, codeSegment: number): number =>
  executeTable | mode | (codeSegment * modeNumbers)
/** Such numbers are less. */
export const codeSegmentNumbers = 4096 / modeNumbers

/** Where blocks are made. */
export const arena = { at: layout.readings + 0x2_0000, end: layout.readingsEnd } as const
