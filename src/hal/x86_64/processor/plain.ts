/**
 * The plain reading: a value is a bigint, a truth a boolean. Slow and obvious: the other readings are judged by it.
 *
 * Each instruction is fetched and decoded anew. Its meaning is run, and what it states is remembered; then that is done.
 */
import { type Access, fault, inStack } from "../memory/Access.ts"
import { pageSize } from "../memory/layout.ts"
import { decode, type NoInstruction } from "./decode.ts"
import { effectsOf, modifies } from "./effects.ts"
import { explicit, holds, image, ruleNumber, ruleOf } from "./flags.ts"
import {
  type Decoded,
  type Instruction,
  immediateValue,
  legacySegmentBase,
  type Memory,
  segmentBase
} from "./Instruction.ts"
import { vectors } from "./lanes.ts"
import { type Exception, type Machine, type Mode, type Operand, systemNames, type Width } from "./Meaning.ts"
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
  private readonly access: Access

  constructor({ memory, access }: ReadingParts) {
    this.view = new DataView(memory.buffer)
    this.access = access
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
    return Number(image(words, rule, width, inputs))
  }

  /** Nothing is kept of code. */
  codeWritten(): void {}
  codeMapChanged(): void {}

  // ---- one instruction

  private execute(rip: bigint): void {
    const instruction = this.fetch(rip)
    const next = this.behind(instruction, rip)
    const pending: Pending = { stores: [], writes: [], rip: next, cause: cause.countdown }
    try {
      this.state(instruction, rip, pending)
    } catch (stop) {
      if (!(stop instanceof Stop && stop.why === "skip")) throw stop
    }
    for (const { address, value, width, segment } of pending.stores) this.store(address, value, width, segment)
    for (const write of pending.writes) write()
    this.set(at.rip, pending.rip, 64)
    this.setInt(at.countdown, this.int(at.countdown) - 1)
    this.setInt(at.cause, pending.cause)
  }

  /** Runs the meaning. */
  private state(instruction: Instruction, rip: bigint, pending: Pending): void {
    const { form, operands } = instruction
    const mode = this.mode()
    if (form.privileged && mode.privilege !== 0) this.raise("#GP(0)")
    form.meaning(this.machine(instruction, mode, rip, pending), ...operands)
  }

  /** The bytes may go on in the next page, which is asked for only then. */
  private fetch(rip: bigint): Instruction {
    const mode = this.mode()
    const room = mode.bits === 64 ? longest : this.roomForCode(rip)
    const from = mode.bits === 64 ? rip : this.linear(segments.cs, rip)
    const start = this.codeAt(from)
    const here = this.code(start, Math.min(pageSize - (start % pageSize), room))
    const found = decode(here, 0, here.length, mode)
    if (found !== "incomplete") return this.instruction(found)
    if (here.length === room) return this.raise("#GP(0)")
    const onward = from + BigInt(here.length)
    const more = this.code(this.codeAt(mode.bits === 64 ? word(onward) : half(onward)), room - here.length)
    const whole = decode(new Uint8Array([...here, ...more]), 0, room, mode)
    return whole === "incomplete" && room < longest ? this.raise("#GP(0)") : this.instruction(whole)
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
  private behind({ length }: Instruction, rip: bigint): bigint {
    const next = rip + BigInt(length)
    return this.mode().bits === 64 ? word(next) : half(next)
  }
  private codeAt(address: bigint): number {
    return checked(this.access.execute(lo(address), hi(address)))
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
  private machine(
    instruction: Instruction,
    mode: Mode,
    rip: bigint,
    pending: Pending
  ): Machine<bigint, boolean, bigint> {
    const plain = this
    const { view } = this
    const next = this.behind(instruction, rip)
    const isLong = mode.bits === 64
    const isModified = (memory: Operand): boolean =>
      modifies(effectsOf(instruction.form, instruction.operands, mode), memory)
    const { rule, width, inputs } = this.lastFlags()

    const offset = (operand: Operand): bigint => {
      const { base, index, scale, disp, dispHigh, ripRelative, addressWidth } = memoryOf(operand)
      const displacement = (BigInt(dispHigh) << 32n) | BigInt(disp >>> 0)
      const sum = plain.get(base, 64) + (plain.get(index, 64) << BigInt(scale)) + displacement
      return BigInt.asUintN(addressWidth, sum + (ripRelative ? next : 0n))
    }
    const linear = (operand: Operand, by = 0n): bigint => {
      const { addressWidth, segment } = memoryOf(operand)
      const inSegment = BigInt.asUintN(addressWidth, offset(operand) + by)
      return isLong ? word(inSegment + plain.get(segmentBase(segment), 64)) : plain.linear(segment, inSegment)
    }
    /** Asks the segment. */
    const reach = (operand: Operand, bytes: number, writes: boolean, by = 0n): void => {
      if (isLong) return
      const { addressWidth, segment } = memoryOf(operand)
      const first = Number(BigInt.asUintN(addressWidth, offset(operand) + by))
      if (!allows(view, segmentAt(segment), first, bytes, writes)) plain.raise(refusal(segment))
    }

    const machine: Machine<bigint, boolean, bigint> = {
      ...words,
      ...vectors,
      mode,
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
            return BigInt.asUintN(decoded.width, next + BigInt(decoded.disp))
        }
      },
      write(operand, value, when = true) {
        const decoded = operand as Decoded
        if (decoded.kind === "mem") machine.store(decoded, value, decoded.width)
        else if (decoded.kind !== "reg") throw new Error("what is written is a register or memory")
        else if (when) pending.writes.push(() => plain.setRegister(decoded.offset, value, decoded.width))
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
        pending.stores.push({ address: linear(memory, by), value, width, segment: memoryOf(memory).segment })
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
          pending.writes.push(() => plain.set(decoded.offset, value, 128))
          return
        }
        reach(decoded, 16, true)
        pending.stores.push({ address: linear(decoded), value, width: 128, segment: memoryOf(decoded).segment })
      },
      vectors(memory) {
        reach(memory, 32, false)
        const both = plain.load(linear(memory), 256, memoryOf(memory).segment, false)
        return [BigInt.asUintN(128, both), both >> 128n]
      },
      setVectors(memory, lower, upper) {
        reach(memory, 32, true)
        const value = (upper << 128n) | lower
        pending.stores.push({ address: linear(memory), value, width: 256, segment: memoryOf(memory).segment })
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
        pending.writes.push(() => plain.set(stateWords[name].offset, value, stateWords[name].width))
      },
      condition: (condition) => holds(machine, condition, rule, width, inputs),
      status: () => image(machine, rule, width, inputs),
      flags(rule, width, inputs, unless = false) {
        if (unless) return
        const status = image(machine, rule, width, inputs)
        pending.writes.push(() => plain.setStatus(status))
      },
      here: () => rip,
      next: () => next,
      jump(target, when = true) {
        if (!when) return
        if (!isLong && Number(target) > codeLimit(view, segmentAt(segments.cs))) plain.raise("#GP(0)")
        pending.rip = target
      },
      skip(when) {
        if (when) throw new Stop("skip")
      },
      raise(exception, when) {
        if (when) plain.raise(exception)
      },
      system(name, ...inputs) {
        pending.cause = cause.system
        pending.writes.push(() => {
          view.setBigInt64(at.detail, BigInt(systemNames.indexOf(name)), true)
          for (const [i, input] of inputs.entries()) plain.set(at.inputs + 8 * i, input, 64)
        })
      }
    }
    return machine
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
    return modeOf(this.int(at.mode))
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
    return this.view.getBigUint64(offset, true) & ((1n << BigInt(width)) - 1n)
  }
  private set(offset: number, value: bigint, width: Bits): void {
    if (width === 64) this.view.setBigUint64(offset, value, true)
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
const hi = (address: bigint): number => Number(BigInt.asIntN(32, address >> 32n))
