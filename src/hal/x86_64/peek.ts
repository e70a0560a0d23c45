/** Peek: what software would see in memory, for whoever watches. It leaves no trace: no translation, no accessed bit, no device asked. */
import { pageSize } from "./memory/layout.ts"
import { bit, type Step, trace } from "./memory/paging.ts"
import { decode } from "./processor/decode.ts"
import { print } from "./processor/print.ts"
import { at, modeOf, segments } from "./processor/State.ts"
import type { Core } from "./system/Core.ts"
import { system } from "./system/registers.ts"

/** The entries of page tables that lead to a linear address, down to the first that leads nowhere. */
export const walkTo = (core: Core, lo: number, hi: number): readonly Step[] => {
  const { format, memory } = core.mmu
  const register = format.hasRegisters ? system.pdptes + 8 * (lo >>> 30) : at.cr3
  const root = core.high(register) * 2 ** 32 + ((core.low(register) & ~0xfff) >>> 0)
  return trace(memory, format, root, lo, hi)
}

/** Where a linear address is in physical memory; undefined if it is nowhere. */
const physicalOf = (core: Core, lo: number, hi: number): number | undefined => {
  const { levels } = core.mmu.format
  if (levels.length === 0) return lo >>> 0
  const steps = walkTo(core, lo, hi)
  const last = steps.at(-1)
  if (last === undefined || !(last.low & bit.P)) return undefined
  const size = 2 ** levels[steps.length - 1]!.shift
  const page = (last.high & 0xf_ffff) * 2 ** 32 + ((last.low & ~0xfff) >>> 0)
  return page - (page % size) + (((hi & 0xffff) * 2 ** 32 + (lo >>> 0)) % size)
}

/** As many of the bytes from a linear address on as are in RAM or ROM. */
export const peek = (core: Core, lo: number, hi: number, length: number): Uint8Array => {
  const { memory } = core.mmu
  const bytes = new Uint8Array(length)
  for (let n = 0; n < length; ) {
    const [low, high] = [(lo + n) | 0, hi + ((lo >>> 0) + n >= 2 ** 32 ? 1 : 0)]
    const physical = physicalOf(core, low, high)
    if (physical === undefined) return bytes.subarray(0, n)
    const offset = physical % pageSize
    const part = Math.min(pageSize - offset, length - n)
    const host = memory.hostPage(Math.floor(physical / pageSize)) + offset
    bytes.set(memory.u8.subarray(host, host + part), n)
    n += part
  }
  return bytes
}

const longest = 15

/** The linear address that a segment's offset is at, in halves. */
export const linear = (core: Core, segment: number, offset: number): readonly [lo: number, hi: number] => {
  const [lo, hi] = [core.low(offset), core.high(offset)]
  if (modeOf(core.low(at.mode)).bits === 64) return [lo, hi]
  return [(lo + core.low(core.segmentBase(segment))) | 0, 0]
}

/** RIP is at a repeated string instruction. */
export const isAtRepeated = (core: Core): boolean => {
  const bytes = peek(core, ...linear(core, segments.cs, at.rip), longest)
  const found = decode(bytes, 0, bytes.length, modeOf(core.low(at.mode)))
  return typeof found !== "string" && found.form.name.startsWith("rep")
}

/** The lower half of RIP behind the instruction that it is at. */
export const straightOn = (core: Core): number => (core.low(at.rip) + nextInstruction(core).bytes.length) | 0

/** The instruction that RIP is at: its bytes, and what it is in words. */
export const nextInstruction = (core: Core): { readonly bytes: Uint8Array; readonly text: string } => {
  const bytes = peek(core, ...linear(core, segments.cs, at.rip), longest)
  const found = decode(bytes, 0, bytes.length, modeOf(core.low(at.mode)))
  if (typeof found === "string") {
    const text = bytes.length === 0 ? "(nothing is mapped)" : found === "incomplete" ? "(cut off)" : "(no instruction)"
    return { bytes, text }
  }
  const rip = (BigInt(core.high(at.rip) >>> 0) << 32n) | BigInt(core.low(at.rip) >>> 0)
  return { bytes: bytes.subarray(0, found.length), text: print(found, rip) }
}
