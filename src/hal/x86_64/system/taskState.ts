/** The task-state segment outside of IA-32e mode: the stacks of inner rings. SDM vol. 3A, "Task-State Segment (TSS)", "16-Bit Task-State Segment". */
import { segments } from "../processor/State.ts"
import type { Core } from "./Core.ts"
import { bits, code, type Descriptor, dplOf, fetch, isNull, isWritableData, rplOf } from "./descriptors.ts"
import { vector } from "./registers.ts"

export interface InnerStack {
  readonly selector: number
  readonly descriptor: Descriptor
  readonly pointer: number
}

/** SS and ESP for a ring: what is wrong with them is #TS. `external` goes into error codes. */
export const innerPointer = (core: Core, privilege: number, external: number): InnerStack => {
  const isSmall = !(core.segmentAccess(segments.tr) & 8)
  const offset = isSmall ? privilege * 4 + 2 : privilege * 8 + 4
  const bytes = isSmall ? 4 : 6
  if (offset + bytes - 1 > core.segmentLimit(segments.tr))
    core.raise(vector.TS, code(core.selector(segments.tr)) | external)
  const base = core.segmentBase(segments.tr)
  const word = (at: number, width: number): number => core.wordAt(core.readTable(base, at, width), width)[0]
  const pointer = word(offset, isSmall ? 16 : 32)
  const selector = word(offset + bytes - 2, 16) & 0xffff
  if (isNull(selector)) core.raise(vector.TS, external)
  const descriptor = { ...fetch(core, selector, vector.TS, external) }
  const { high } = descriptor
  if (rplOf(selector) !== privilege || dplOf(high) !== privilege || !isWritableData(high))
    core.raise(vector.TS, code(selector) | external)
  if (!(high & bits.P)) core.raise(vector.SS, code(selector) | external)
  return { selector, descriptor, pointer }
}
