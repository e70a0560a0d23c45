/**
 * Landlord: who has the memory of all guests, and knows the processor, as their monitors ask it. Memory comes in blocks of 16 MiB, counted
 * from a guest's address 0.
 *
 * A guest's processors beyond the first are the landlord's to give, too: nobody else has anything of them.
 */
import { Schema } from "effect"
import { capOf, protocol } from "../types/Protocol.ts"

export const blockBits = 24
export const blockBytes = 2 ** blockBits

/** The guest has no processor of this number. */
export class NoProcessor extends Schema.TaggedError<NoProcessor>()("NoProcessor", { n: Schema.Number }) {}

export class Landlord extends protocol("landlord", {
  /** The guest gives up a block. False: it has none there. */
  release: { request: Schema.Number, reply: Schema.Boolean },
  /** The guest wants a block that it gave up. False: there is none to have, or no room for it. */
  lease: { request: Schema.Number, reply: Schema.Boolean },
  /** What the processor says of itself: CPUID, as it answers outside of guests. */
  identify: {
    request: Schema.Struct({ leaf: Schema.Number, subleaf: Schema.Number }),
    reply: Schema.Struct({ eax: Schema.Number, ebx: Schema.Number, ecx: Schema.Number, edx: Schema.Number })
  },
  /** Of a processor of the guest, by its number from 1 on: the virtual processor, the thread that runs it and its name, and what that waits for. */
  vcpu: {
    request: Schema.Number,
    reply: Schema.Void,
    returns: { vcpu: capOf("VCPU", ["readState", "writeState"]) },
    error: NoProcessor
  },
  thread: {
    request: Schema.Number,
    reply: Schema.String,
    returns: { thread: capOf("TCB", ["writeRegisters", "run"]) },
    error: NoProcessor
  },
  wake: {
    request: Schema.Number,
    reply: Schema.Void,
    returns: { wake: capOf("Notification", ["read"]) },
    error: NoProcessor
  },
  /** What rings it, also that of number 0. */
  kick: {
    request: Schema.Number,
    reply: Schema.Void,
    returns: { kick: capOf("Notification", ["write"]) },
    error: NoProcessor
  },
  /** The guest's memory has the APIC-access page from here on, or has it no longer. It has it at first. */
  apicAccessPage: { request: Schema.Boolean, reply: Schema.Void },
  /** The guest has ended: others may have its memory. */
  leave: { request: Schema.Void, reply: Schema.Void }
}) {}
