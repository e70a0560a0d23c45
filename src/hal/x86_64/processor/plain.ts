/**
 * The plain reading: a value is a bigint, a truth a boolean. Slow and obvious: the other readings are judged by it.
 *
 * Each instruction is fetched anew; what was decoded at a place is used again while the same bytes are there. Its meaning is run, and
 * what it states is remembered; then that is done.
 */
import { type Access, fault, inStack } from "../memory/Access.ts"
import { pageSize } from "../memory/layout.ts"
import { decode, type NoInstruction } from "./decode.ts"
import { type Effects, effectsOf, modifies } from "./effects.ts"
import { explicit, holds, ruleNumber, ruleOf } from "./flags.ts"
import {
  type Decoded,
  type Instruction,
  immediateValue,
  legacySegmentBase,
  type Memory,
  segmentBase
} from "./Instruction.ts"
import { vectors } from "./lanes.ts"
import {
  type Exception,
  type Flag,
  type FlagRule,
  flagPositions,
  linearBits,
  type Machine,
  type Mode,
  type Operand,
  systemNames,
  type Width
} from "./Meaning.ts"
import type { MakeReading, Reading, ReadingParts } from "./Reading.ts"
import { at, cause, exceptions, modeOf, segment, segments, stateWords } from "./State.ts"
import { allows, codeLimit, refusal } from "./segmentation.ts"
import { callVectorFunction, inputAt, resultAt, vectorAt, vectorFunctionNames } from "./vectorFunctions.ts"
import { word, words } from "./words.ts"

export const makePlain: MakeReading = (parts) => new Plain(parts)

/** Thrown where an instruction ends before it is complete: having done nothing, or raising the exception in the state block. */
class Stop extends Error {
  readonly why: "skip" | "fault"
  constructor(why: "skip" | "fault") {
    super(why)
    this.why = why
  }
}

/** How much is accessed at once. */
type Bits = Width | 128 | 256

interface Store {
  readonly address: bigint
  readonly value: bigint
  readonly width: Bits
  readonly segment: number
}

/** An instruction as it was decoded, and the bytes that it was decoded from. */
interface Kept {
  readonly instruction: Instruction
  readonly bytes: Uint8Array
  /** What it does to memory, once that was asked. */
  effects: Effects | undefined
}

/** So many are kept before all are forgotten. */
const mostKept = 100_000

/** The instruction that runs. */
interface Running {
  kept: Kept
  mode: Mode
  rip: bigint
  next: bigint
  pending: Pending
}

/** What an instruction has stated, and not done yet. */
interface Pending {
  readonly stores: Array<Store>
  /** To registers and flags, in order. */
  readonly writes: Array<() => void>
  rip: bigint
  cause: number
}

class Plain implements Reading {
  private readonly view: DataView<ArrayBuffer>
  private readonly u8: Uint8Array
  private readonly access: Access
  /** By mode and host address. */
  private readonly kept = new Map<number, Kept>()
  private readonly machine: Machine<bigint, boolean, bigint>
  private running!: Running

  constructor({ memory, access }: ReadingParts) {
    this.view = new DataView(memory.buffer)
    this.u8 = new Uint8Array(memory.buffer)
    this.access = access
    this.machine = this.makeMachine()
  }

  run(): void {
    do this.step()
    while (this.int(at.cause) === cause.countdown && this.int(at.countdown) > 0 && this.int(at.attention) === 0)
  }

  step(): void {
    const rip = this.get(at.rip, 64)
    this.set(at.stoppedAt, rip, 64)
    try {
      this.execute(rip)
    } catch (stop) {
      if (!(stop instanceof Stop)) throw stop
      this.setInt(at.cause, cause.fault)
    }
  }

  status(): number {
    const { rule, width, inputs } = this.lastFlags()
    return statusOf(rule, width, inputs)
  }

  /** What is kept is compared with what is there. */
  codeWritten(): void {}
  codeMapChanged(): void {}

  // ---- one instruction

  private execute(rip: bigint): void {
    const mode = this.mode()
    const kept = this.fetch(rip, mode)
    const next = this.behind(kept.instruction, rip, mode)
    const pending: Pending = { stores: [], writes: [], rip: next, cause: cause.countdown }
    this.running = { kept, mode, rip, next, pending }
    try {
      const { form, operands } = kept.instruction
      if (form.privileged && mode.privilege !== 0) this.raise("#GP(0)")
      form.meaning(this.machine, ...operands)
    } catch (stop) {
      if (!(stop instanceof Stop && stop.why === "skip")) throw stop
    }
    for (const { address, value, width, segment } of pending.stores) this.store(address, value, width, segment)
    for (const write of pending.writes) write()
    this.set(at.rip, pending.rip, 64)
    this.setInt(at.countdown, this.int(at.countdown) - 1)
    this.setInt(at.cause, pending.cause)
  }

  /** The bytes may go on in the next page, which is asked for only then. */
  private fetch(rip: bigint, mode: Mode): Kept {
    const room = mode.bits === 64 ? longest : this.roomForCode(rip)
    const from = mode.bits === 64 ? rip : this.linear(segments.cs, rip)
    const start = this.codeAt(from)
    const place = start * modeNumbers + this.int(at.mode)
    const kept = this.kept.get(place)
    if (kept !== undefined && kept.bytes.length <= room && this.isThere(kept.bytes, start)) return kept
    const here = this.code(start, Math.min(pageSize - (start % pageSize), room))
    const found = decode(here, 0, here.length, mode)
    if (found !== "incomplete") return this.keep(place, this.instruction(found), here)
    if (here.length === room) return this.raise("#GP(0)")
    const onward = from + BigInt(here.length)
    const more = this.code(this.codeAt(mode.bits === 64 ? word(onward) : half(onward)), room - here.length)
    const bytes = new Uint8Array([...here, ...more])
    const whole = decode(bytes, 0, room, mode)
    return whole === "incomplete" && room < longest ? this.raise("#GP(0)") : asKept(this.instruction(whole), bytes)
  }
  private keep(place: number, instruction: Instruction, bytes: Uint8Array): Kept {
    const kept = asKept(instruction, bytes)
    if (this.kept.size >= mostKept) this.kept.clear()
    this.kept.set(place, kept)
    return kept
  }
  private isThere(bytes: Uint8Array, host: number): boolean {
    for (let n = 0; n < bytes.length; n++) if (this.u8[host + n] !== bytes[n]) return false
    return true
  }
  /** So many bytes of an instruction are within the limit of the code segment: at least one, else #GP(0). */
  private roomForCode(eip: bigint): number {
    const room = codeLimit(this.view, segmentAt(segments.cs)) - Number(eip) + 1
    return room > 0 ? Math.min(room, longest) : this.raise("#GP(0)")
  }
  /** Of an offset in a segment, outside of 64-bit mode. */
  private linear(segment: number, offset: bigint): bigint {
    return half(offset + this.get(legacySegmentBase(segment), 64))
  }
  /** RIP of the instruction after this one. */
  private behind({ length }: Instruction, rip: bigint, mode: Mode): bigint {
    const next = rip + BigInt(length)
    return mode.bits === 64 ? word(next) : half(next)
  }
  private codeAt(address: bigint): number {
    return checked(this.access.execute(lo(address), hi(address))) >>> 0
  }
  private code(host: number, length: number): Uint8Array {
    return new Uint8Array(this.view.buffer, host, length)
  }
  private instruction(found: Instruction | NoInstruction): Instruction {
    if (found === "invalid") return this.raise("#UD")
    if (found === "tooLong") return this.raise("#GP(0)")
    if (found === "incomplete") throw new Error("15 bytes are a whole instruction, or too long for one")
    return found
  }

  /** What a meaning speaks to. */
  private makeMachine(): Machine<bigint, boolean, bigint> {
    const plain = this
    const { view } = this
    const isLong = (): boolean => plain.running.mode.bits === 64
    const isModified = (memory: Operand): boolean => {
      const { kept, mode } = plain.running
      kept.effects ??= effectsOf(kept.instruction.form, kept.instruction.operands, mode)
      return modifies(kept.effects, memory)
    }

    const offset = (operand: Operand): bigint => {
      const { base, index, scale, disp, dispHigh, ripRelative, addressWidth } = memoryOf(operand)
      const displacement = (BigInt(dispHigh) << 32n) | BigInt(disp >>> 0)
      const sum = plain.get(base, 64) + (plain.get(index, 64) << BigInt(scale)) + displacement
      return BigInt.asUintN(addressWidth, sum + (ripRelative ? plain.running.next : 0n))
    }
    const linear = (operand: Operand, by = 0n): bigint => {
      const { addressWidth, segment } = memoryOf(operand)
      const inSegment = BigInt.asUintN(addressWidth, offset(operand) + by)
      return isLong() ? word(inSegment + plain.get(segmentBase(segment), 64)) : plain.linear(segment, inSegment)
    }
    /** Asks the segment. */
    const reach = (operand: Operand, bytes: number, writes: boolean, by = 0n): void => {
      if (isLong()) return
      const { addressWidth, segment } = memoryOf(operand)
      const first = Number(BigInt.asUintN(addressWidth, offset(operand) + by))
      if (!allows(view, segmentAt(segment), first, bytes, writes)) plain.raise(refusal(segment))
    }

    const machine: Machine<bigint, boolean, bigint> = {
      ...words,
      ...vectors,
      get mode() {
        return plain.running.mode
      },
      get linearBits() {
        return linearBits(plain.running.mode)
      },
      read(operand) {
        const decoded = operand as Decoded
        switch (decoded.kind) {
          case "reg":
            return plain.get(decoded.offset, decoded.width)
          case "imm":
            return immediateValue(decoded)
          case "mem":
            return machine.load(decoded, decoded.width)
          case "rel":
            return BigInt.asUintN(decoded.width, plain.running.next + BigInt(decoded.disp))
        }
      },
      write(operand, value, when = true) {
        const decoded = operand as Decoded
        if (decoded.kind === "mem") machine.store(decoded, value, decoded.width)
        else if (decoded.kind !== "reg") throw new Error("what is written is a register or memory")
        else if (when) plain.later(() => plain.setRegister(decoded.offset, value, decoded.width))
      },
      address: offset,
      linear,
      reach: (memory, bytes, writes) => reach(memory, bytes, writes),
      load(memory, width, by) {
        const writes = isModified(memory)
        reach(memory, width / 8, writes, by)
        return plain.load(linear(memory, by), width, memoryOf(memory).segment, writes)
      },
      store(memory, value, width, by) {
        reach(memory, width / 8, true, by)
        plain.running.pending.stores.push({
          address: linear(memory, by),
          value,
          width,
          segment: memoryOf(memory).segment
        })
      },
      vector(operand) {
        const decoded = operand as Decoded
        if (decoded.kind === "reg") return plain.get(decoded.offset, 128)
        reach(decoded, 16, isModified(decoded))
        return plain.load(linear(decoded), 128, memoryOf(decoded).segment, isModified(decoded))
      },
      setVector(operand, value) {
        const decoded = operand as Decoded
        if (decoded.kind === "reg") {
          plain.later(() => plain.set(decoded.offset, value, 128))
          return
        }
        reach(decoded, 16, true)
        plain.running.pending.stores.push({
          address: linear(decoded),
          value,
          width: 128,
          segment: memoryOf(decoded).segment
        })
      },
      vectors(memory) {
        reach(memory, 32, false)
        const both = plain.load(linear(memory), 256, memoryOf(memory).segment, false)
        return [BigInt.asUintN(128, both), both >> 128n]
      },
      setVectors(memory, lower, upper) {
        reach(memory, 32, true)
        const value = (upper << 128n) | lower
        plain.running.pending.stores.push({
          address: linear(memory),
          value,
          width: 256,
          segment: memoryOf(memory).segment
        })
      },
      literal: (constant) => Number(machine.read(constant)),
      compute(name, parts) {
        for (const [part, inputs] of parts.entries())
          for (const [n, input] of inputs.entries()) plain.set(inputAt(part, n), input, 128)
        if (!callVectorFunction(view, vectorFunctionNames.indexOf(name), parts.length)) throw new Stop("fault")
        return parts.map((_, part) => plain.get(resultAt(part), 128))
      },
      get: (name) => plain.get(stateWords[name].offset, stateWords[name].width),
      set(name, value) {
        plain.later(() => plain.set(stateWords[name].offset, value, stateWords[name].width))
      },
      condition(condition) {
        const { rule, width, inputs } = plain.lastFlags()
        return holds(words, condition, rule, width, inputs)
      },
      status: () => BigInt(plain.status()),
      flags(rule, width, inputs, unless = false) {
        if (unless) return
        const status = BigInt(statusOf(rule, width, inputs))
        plain.later(() => plain.setStatus(status))
      },
      here: () => plain.running.rip,
      next: () => plain.running.next,
      jump(target, when = true) {
        if (!when) return
        if (!isLong() && Number(target) > codeLimit(view, segmentAt(segments.cs))) plain.raise("#GP(0)")
        plain.running.pending.rip = target
      },
      skip(when) {
        if (when) throw new Stop("skip")
      },
      raise(exception, when) {
        if (when) plain.raise(exception)
      },
      system(name, ...inputs) {
        plain.running.pending.cause = cause.system
        plain.later(() => {
          view.setBigInt64(at.detail, BigInt(systemNames.indexOf(name)), true)
          for (const [i, input] of inputs.entries()) plain.set(at.inputs + 8 * i, input, 64)
        })
      }
    }
    return machine
  }

  /** To be done when all is stated. */
  private later(write: () => void): void {
    this.running.pending.writes.push(write)
  }

  private raise(exception: Exception): never {
    this.setInt(at.vector, exceptions[exception].vector)
    this.setInt(at.errorCode, 0)
    throw new Stop("fault")
  }

  // ---- memory

  private load(address: bigint, width: Bits, segment: number, modify: boolean): bigint {
    const look = modify ? this.access.modify : this.access.read
    return this.get(checked(look(lo(address), hi(address), accessWidth(width, segment))), width)
  }

  private store(address: bigint, value: bigint, width: Bits, segment: number): void {
    this.set(at.bounce, value, width)
    checked(this.access.write(lo(address), hi(address), accessWidth(width, segment)))
  }

  // ---- the state block

  private mode(): Mode {
    return modes[this.int(at.mode)]!
  }
  private lastFlags() {
    const inputs = [0, 8, 16].map((i) => this.get(at.flagInput + i, 64))
    return { ...ruleOf(this.int(at.flagRule)), inputs }
  }
  private setStatus(status: bigint): void {
    this.setInt(at.flagRule, ruleNumber(explicit, 8))
    this.set(at.flagInput, status, 64)
  }
  /** A write of 32 bits clears the upper half. */
  private setRegister(offset: number, value: bigint, width: Width): void {
    this.set(offset, BigInt.asUintN(width, value), width === 32 ? 64 : width)
  }
  private get(offset: number, width: Bits): bigint {
    if (width === 256) return (vectorAt(this.view, offset + 16) << 128n) | vectorAt(this.view, offset)
    if (width === 128) return vectorAt(this.view, offset)
    if (width === 64) return this.view.getBigUint64(offset, true)
    if (width === 32) return BigInt(this.view.getUint32(offset, true))
    return BigInt(width === 16 ? this.view.getUint16(offset, true) : this.view.getUint8(offset))
  }
  private set(offset: number, value: bigint, width: Bits): void {
    if (width === 64) this.view.setBigUint64(offset, value, true)
    else if (width === 32) this.view.setUint32(offset, Number(value & 0xffff_ffffn), true)
    else for (let i = 0; i < width / 8; i++) this.view.setUint8(offset + i, Number((value >> BigInt(8 * i)) & 0xffn))
  }
  private int(offset: number): number {
    return this.view.getInt32(offset, true)
  }
  private setInt(offset: number, value: number): void {
    this.view.setInt32(offset, value, true)
  }
}

const longest = 15

/** `modeNumber` is less. */
const modeNumbers = 128
const modes: readonly Mode[] = Array.from({ length: modeNumbers }, (_, number) => modeOf(number))

const asKept = (instruction: Instruction, bytes: Uint8Array): Kept => ({
  instruction,
  bytes: bytes.slice(0, instruction.length),
  effects: undefined
})

const flagNames = Object.keys(flagPositions) as readonly Flag[]

/** The status flags at their places in RFLAGS. */
const statusOf = (rule: FlagRule, width: Width, inputs: readonly bigint[]): number => {
  let status = 0
  for (const flag of flagNames) if (rule.flag(words, flag, width, inputs)) status |= 1 << flagPositions[flag]
  return status
}

/** Linear addresses and EIP outside of 64-bit mode. */
const half = (value: bigint): bigint => BigInt.asUintN(32, value)
const segmentAt = (number: number): number => at.segment + number * segment.bytes

/** What Access found. */
const checked = (result: number): number => {
  if (result === fault) throw new Stop("fault")
  return result
}
const accessWidth = (width: Bits, segment: number): number => (segment === segments.ss ? width | inStack : width)

const memoryOf = (operand: Operand): Memory => {
  const decoded = operand as Decoded
  if (decoded.kind !== "mem") throw new Error("only memory has an address")
  return decoded
}

/** The halves of an address, as Access takes them. */
const lo = (address: bigint): number => Number(BigInt.asIntN(32, address))
const hi = (address: bigint): number => Number(BigInt.asIntN(64, address) >> 32n)
