/**
 * VMASKMOV and VGATHER: accesses that a mask selects. SDM vol. 2C, "VMASKMOV—Conditional SIMD Packed Loads and Stores", "VGATHERDPS/VGATHERQPS".
 */
import { bytesOf, fault, inStack, raised } from "../memory/Access.ts"
import { table } from "../memory/Tlb.ts"
import { type Instruction, legacySegmentBase, type Memory, type Register } from "../processor/Instruction.ts"
import { at, exceptions, segment, segments, toUpperHalf, vectorBytes } from "../processor/State.ts"
import { allows, refusal } from "../processor/segmentation.ts"
import { type Core, highOf, lowOf } from "./Core.ts"
import { instructionOf } from "./x87/instruction.ts"

const input = (core: Core, n: number): number => core.low(at.inputs + 8 * n)

const memoryOf = ({ operands }: Instruction): Memory => {
  const memory = operands.find(({ kind }) => kind === "mem")
  if (memory?.kind !== "mem") throw new Error("what a mask selects is in memory")
  return memory
}
const registersOf = ({ operands }: Instruction): ReadonlyArray<Register> =>
  operands.filter((operand) => operand.kind === "reg")

/** Where a lane of a register of 256 bits is in the state block. */
const laneAt = ({ offset }: Register, width: number, n: number): number => {
  const byte = (n * width) / 8
  return byte < vectorBytes ? offset + byte : offset + toUpperHalf + byte - vectorBytes
}
const isSelected = (core: Core, mask: Register, width: number, n: number): boolean =>
  core.view.getInt8(laneAt(mask, width, n) + width / 8 - 1) < 0

/** What is accessed at once: a lane. `offset` is that in its segment. */
interface Place {
  readonly lo: number
  readonly hi: number
  readonly offset: number
  readonly width: number
}

/** @throws `raised` if the segment does not allow it */
const reach = (core: Core, memory: Memory, { offset, width }: Place, writes: boolean): void => {
  if (core.mode.bits === 64) return
  const of = at.segment + memory.segment * segment.bytes
  if (!allows(core.view, of, offset >>> 0, width / 8, writes)) core.raise(exceptions[refusal(memory.segment)].vector)
}

const widthIn = ({ segment: of }: Memory, width: number): number => (of === segments.ss ? width | inStack : width)

const readLane = (core: Core, memory: Memory, place: Place): readonly [lo: number, hi: number] => {
  reach(core, memory, place, false)
  return core.wordAt(core.read(place.lo, place.hi, widthIn(memory, place.width)), place.width)
}

/** @throws `raised` if it could not be written, without writing it */
const checkWritable = (core: Core, memory: Memory, place: Place): void => {
  reach(core, memory, place, true)
  const last = bytesOf(place.width) - 1
  for (const by of [0, last]) {
    const [lo, hi] = [lowOf(place.lo, by), highOf(place.lo, place.hi, by)]
    const found = core.mmu.translate(core.accessMode, table.write, lo, hi, widthIn(memory, 0))
    if (found === fault) throw raised
  }
}

const clearAbove = (core: Core, register: Register, from: number): void => {
  for (let byte = from / 8; byte < 2 * vectorBytes; byte += 4) core.i32[laneAt(register, 8, byte) >> 2] = 0
}

const setLane = (core: Core, register: Register, width: number, n: number, lo: number, hi: number): void => {
  const offset = laneAt(register, width, n)
  core.i32[offset >> 2] = lo
  if (width === 64) core.i32[(offset + 4) >> 2] = hi
}

const numbers = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, n) => n)

/** The lanes that the mask selects, and where each is. */
const selectedPlaces = (core: Core, mask: Register): ReadonlyArray<Place & { readonly n: number }> => {
  const [lo, hi, offset, width, length] = [
    input(core, 0),
    core.high(at.inputs),
    input(core, 1),
    input(core, 2),
    input(core, 3)
  ]
  return numbers(length / width)
    .filter((n) => isSelected(core, mask, width, n))
    .map((n) => {
      const by = (n * width) / 8
      return { n, lo: lowOf(lo, by), hi: highOf(lo, hi, by), offset: offset + by, width }
    })
}

/** Lanes that are not selected become 0. @throws `raised` */
export const maskedLoad = (core: Core): void => {
  const instruction = instructionOf(core)
  const [dest, mask] = registersOf(instruction) as [Register, Register]
  const lanes = selectedPlaces(core, mask).map((place) => ({
    ...place,
    value: readLane(core, memoryOf(instruction), place)
  }))
  clearAbove(core, dest, 0)
  for (const { n, width, value } of lanes) setLane(core, dest, width, n, ...value)
}

/** @throws `raised`, having written nothing */
export const maskedStore = (core: Core): void => {
  const instruction = instructionOf(core)
  const memory = memoryOf(instruction)
  const [mask, src] = registersOf(instruction) as [Register, Register]
  const places = selectedPlaces(core, mask)
  for (const place of places) checkWritable(core, memory, place)
  for (const { n, lo, hi, width } of places) {
    const from = laneAt(src, width, n)
    core.set(at.bounce, core.low(from), width === 64 ? core.high(from) : 0)
    core.write(lo, hi, widthIn(memory, width))
  }
}

/** The offset and linear address of an element. */
const elementAt = (core: Core, memory: Memory, index: bigint, length: number): Place => {
  const word = (offset: number): bigint => core.view.getBigUint64(offset, true)
  const displacement = (BigInt(memory.dispHigh) << 32n) | BigInt(memory.disp >>> 0)
  const next = memory.ripRelative ? word(at.stoppedAt) + BigInt(length) : 0n
  const sum = word(memory.base) + displacement + next + (index << BigInt(memory.scale))
  const offset = BigInt.asUintN(memory.addressWidth, sum)
  const isLong = core.mode.bits === 64
  const hasBase = !isLong || memory.segment === segments.fs || memory.segment === segments.gs
  const linear = offset + (hasBase ? word(legacySegmentBase(memory.segment)) : 0n)
  const address = BigInt.asUintN(isLong ? 64 : 32, linear)
  return {
    lo: Number(BigInt.asIntN(32, address)),
    hi: Number(BigInt.asIntN(32, address >> 32n)),
    offset: Number(BigInt.asUintN(32, offset)),
    width: 0
  }
}

/**
 * "If a fault is triggered by an element and delivered, all elements closer to the LSB of the destination will be completed": those are in the
 * destination, and no longer in the mask, of which every element is all ones or 0 from the beginning on. @throws `raised`
 */
export const gather = (core: Core): void => {
  const [width, indexWidth, length] = [input(core, 0), input(core, 1), input(core, 2)]
  const instruction = instructionOf(core)
  const memory = memoryOf(instruction)
  const [dest, mask] = registersOf(instruction) as [Register, Register]
  const index: Register = { kind: "reg", width: 64, offset: memory.index, implied: false }
  const lanes = numbers(length / Math.max(width, indexWidth))
  for (const n of numbers(length / width)) {
    const all = isSelected(core, mask, width, n) ? -1 : 0
    setLane(core, mask, width, n, all, all)
  }
  clearAbove(core, mask, length)
  for (const n of lanes) {
    if (!isSelected(core, mask, width, n)) continue
    const indexAt = laneAt(index, indexWidth, n)
    const by = indexWidth === 64 ? core.view.getBigInt64(indexAt, true) : BigInt(core.view.getInt32(indexAt, true))
    const place = { ...elementAt(core, memory, by, instruction.length), width }
    setLane(core, dest, width, n, ...readLane(core, memory, place))
    setLane(core, mask, width, n, 0, 0)
    clearAbove(core, dest, length)
  }
  clearAbove(core, dest, lanes.length * width)
  clearAbove(core, mask, 0)
}
