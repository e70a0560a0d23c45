/**
 * What the host's work costs, in instructions.
 *
 * Host work in place of guest instructions takes time as the guest counts it: the same on fast and slow paths, so that a program
 * cannot see which of them it took. The figures are close to what compiled code would retire for the same work.
 */
// biome-ignore format: a table
export const Charge = {
  /** A user gate: entering a fiber, whatever it then does. */
  gate:        40,
  /** A fiber's access to its own memory: each, and each 8 bytes of it. */
  access:      8,
  accessWord:  1,
  /** An operation of a fiber that computes: a step of its program between two requests. */
  operation:   16,
  /** A kernel entry and exit: saving and restoring a thread. */
  entry:       60,
  /** The floating-point and vector registers saved, or loaded. */
  floatingPoint: 64,
  /** A virtual processor's registers exchanged for others. */
  guest:       64,
  /** Finding a capability: each CNode on the way. */
  lookup:      12,
  /** A message word copied from one thread to another. */
  messageWord: 2,
  /** A capability put in a slot, or taken out of one. */
  slot:        20,
  /** Memory cleared: each 256 bytes. */
  zeroChunk:   32,
  /** A place in a queue that is in order passed over. */
  queue:       4,
  /** A thread made runnable, blocked, or chosen to run. */
  schedule:    20,
  /** An entry of a page table written. */
  pageEntry:   8
} as const
