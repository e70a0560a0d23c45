/**
 * A stack outside of 64-bit mode, in force or about to be: what is pushed and popped moves only its own pointer, so that
 * whatever is refused leaves SS and ESP as they were.
 */
import { fault, raised } from "../memory/Access.ts"
import type { AccessMode } from "../memory/Tlb.ts"
import { at, segment, segments } from "../processor/State.ts"
import type { Core } from "./Core.ts"
import { accessOf, baseOf, type Descriptor, limitOf } from "./descriptors.ts"
import { vector } from "./registers.ts"

interface Extent {
  readonly base: number
  readonly limit: number
  readonly access: number
}

/** Bits of the access rights: expand-down, B. */
const [expandDown, big] = [1 << 2, 1 << 14] as const

export class LegacyStack {
  private readonly core: Core
  private readonly extent: Extent
  private readonly mask: number
  private readonly from: AccessMode
  /** Of the #SS for what is beyond the limit. */
  private readonly errorCode: number
  /** An offset in the segment. */
  pointer: number

  constructor(core: Core, extent: Extent, pointer: number, from: AccessMode, errorCode: number) {
    this.core = core
    this.extent = extent
    this.mask = extent.access & big ? 0xffff_ffff : 0xffff
    this.pointer = (pointer & this.mask) >>> 0
    this.from = from
    this.errorCode = errorCode
  }

  /** @throws `raised` */
  push(value: number, width: 16 | 32): void {
    const pointer = ((this.pointer - width / 8) & this.mask) >>> 0
    const linear = this.linear(pointer, width)
    this.core.set(at.bounce, value, 0)
    if (this.core.mmu.writeAs(this.from, linear, 0, width) === fault) throw raised
    this.pointer = pointer
  }

  /** @throws `raised` */
  pop(width: 16 | 32): number {
    const value = this.peek(width)
    this.release(width / 8)
    return value
  }

  /** What would be popped. @throws `raised` */
  peek(width: 16 | 32): number {
    const host = this.core.mmu.readAs(this.from, this.linear(this.pointer, width), 0, width)
    if (host === fault) throw raised
    return this.core.wordAt(host, width)[0] >>> 0
  }

  /** @throws `raised` if the byte at the pointer may not be written. */
  probe(): void {
    if (this.core.mmu.modify(this.linear(this.pointer, 8), 0, 8) === fault) throw raised
  }

  release(bytes: number): void {
    this.pointer = ((this.pointer + bytes) & this.mask) >>> 0
  }

  /** The pointer goes to SP or ESP, by the size that SS has now. */
  settle(): void {
    this.core.setRegister(4, this.mask === 0xffff ? 16 : 32, this.pointer | 0, 0)
  }

  private linear(pointer: number, width: number): number {
    const { base, limit, access } = this.extent
    const last = pointer + width / 8 - 1
    const isWithin = access & expandDown ? pointer > limit && last <= this.mask : last <= limit
    if (!isWithin) this.core.raise(vector.SS, this.errorCode)
    return (base + pointer) | 0
  }
}

/** SS:ESP as they are. */
export const stackInForce = (core: Core, errorCode = 0): LegacyStack => {
  const extent = {
    base: core.low(at.segment + segments.ss * segment.bytes + segment.base),
    limit: core.segmentLimit(segments.ss),
    access: core.segmentAccess(segments.ss)
  }
  return new LegacyStack(core, extent, core.low(at.general + 4 * 8), core.accessMode, errorCode)
}

/** A stack of an inner ring, that a TSS names. */
export const innerStack = (core: Core, { low, high }: Descriptor, pointer: number, errorCode: number): LegacyStack => {
  const extent = { base: baseOf(low, high), limit: limitOf(low, high), access: accessOf(high) }
  return new LegacyStack(core, extent, pointer, core.supervisorMode(), errorCode)
}
