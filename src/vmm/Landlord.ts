/**
 * Landlord: who has the memory of all guests, and knows the processor, as their monitors ask it. Memory comes in blocks of 16 MiB, counted
 * from a guest's address 0.
 */
import { Schema } from "effect"
import { protocol } from "../types/Protocol.ts"

export const blockBits = 24
export const blockBytes = 2 ** blockBits

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
  /** The guest's memory has the APIC-access page from here on, or has it no longer. It has it at first. */
  apicAccessPage: { request: Schema.Boolean, reply: Schema.Void },
  /** The guest has ended: others may have its memory. */
  leave: { request: Schema.Void, reply: Schema.Void }
}) {}
