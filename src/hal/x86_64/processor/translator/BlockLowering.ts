import type { Lane } from "../../wasm/simd.ts"
import { explicit, holds, image } from "../flags.ts"
import type { Node, Truth, Value, Vector } from "../Graph.ts"
import type { Immediate, Memory, Register, Relative } from "../Instruction.ts"
import { isNative, nativeAnswers } from "../interpreter/floatFunction.ts"
import { type Compute, type Flags, isAbsent, Lowering, type NewFlags, type Step, type Write } from "../lower.ts"
import { type Condition, conditions, type Mode, type Width } from "../Meaning.ts"
import { at, vectorBytes } from "../State.ts"
import type { Block, Place } from "./Region.ts"

/** Locals of a region's function: the general registers by their numbers, then these. */
// biome-ignore format: a table
export const locals = {
  page:       16, // i64: the address at which the page of code is seen
  inputs:     17, // 3 of i64: the flags, where they come from another block
  rule:       20, // i32
  countdown:  21, // i32: what may be used up before the region is left
  rest:       22, // i32: what is left of the countdown beside that
  readTable:  23, // i32
  writeTable: 24, // i32
  vectors:    25  // 32 of v128
} as const
export const firstFree = 57

/** Registers of a region, by numbers: the general ones, then XMM0 to XMM15, and the upper halves of YMM0 to YMM15. */
export const registers = 48
const vectorsFrom = 16
export const isVectorNumber = (number: number): boolean => number >= vectorsFrom
export const localOf = (number: number): number =>
  isVectorNumber(number) ? locals.vectors + number - vectorsFrom : number
/** Where it is in the state block. */
export const placeOf = (number: number): number =>
  isVectorNumber(number) ? at.vectors + vectorBytes * (number - vectorsFrom) : at.general + 8 * number
const numberOf = (offset: number): number =>
  offset < at.vectors ? (offset - at.general) >> 3 : vectorsFrom + Math.floor((offset - at.vectors) / vectorBytes)
const laneOf = { 8: "i8x16", 16: "i16x8", 32: "i32x4", 64: "i64x2" } as const satisfies Record<Width, Lane>

/** Functions of a region's module: `find` (memory/Access.ts), functions of vectors by their definition, conditions by their numbers, the status flags. */
export const findFunction = 0
export const vectorFunction = 1
export const firstFlagFunction = 2
const statusFunction = firstFlagFunction + conditions.length

/** What is in the state before an instruction: where the registers and flags are that it may have to leave behind. */
export interface Snapshot {
  readonly registers: ReadonlyArray<Value | Vector>
  /** Undefined: in the locals. */
  readonly flags: Flags | undefined
  readonly here: number
  /** Instructions of the block that are completed. */
  readonly done: number
}

/** A value is worked out before what comes next: what is left behind later on would be made of it again and again. */
export interface Work {
  readonly kind: "work"
  readonly value: Vector
}

/** A function of vectors, and what native arithmetic gives in its place, if `isOurs`. */
export interface Calculation extends Compute {
  readonly isOurs: Truth
  readonly answers: ReadonlyArray<Vector>
}

/** The instructions of a block, one after another, with operands that are constants and registers that are expressions. */
export class BlockLowering extends Lowering {
  readonly mode: Mode
  protected readonly codeMode: Mode
  readonly registers: Array<Value | Vector>
  /** The registers that instructions name, by numbers. */
  readonly named = new Set<number>()
  flagsNow: Flags | undefined = undefined
  /** Steps of all instructions so far, each with the state before its instruction. */
  readonly list: Array<{ readonly step: Step | Work | Calculation; readonly before: Snapshot }> = []
  /** What was asked before in the block, and was not so. Nothing that it is made of changes meanwhile. */
  private readonly asked = new Set<Truth>()
  /** Functions over all rules that are called. */
  readonly called: Set<number>
  private readonly block: Block
  private readonly page: Value
  private place: Place
  private done = 0

  constructor(block: Block, mode: Mode, called: Set<number>) {
    super()
    this.block = block
    this.mode = mode
    this.codeMode = mode
    this.called = called
    this.page = this.local(locals.page)
    this.place = block.places[0]!
    this.registers = Array.from({ length: registers }, (_, number) => this.atFirst(number))
    for (const place of block.places) this.instruction(place)
  }

  private instruction(place: Place) {
    const before = { registers: [...this.registers], flags: this.flagsNow, here: place.here, done: this.done }
    this.place = place
    this.begin()
    place.instruction.form.meaning<Value, Truth, Vector>(this, ...place.instruction.operands)
    for (const step of [...this.steps, ...this.stores]) {
      if (step.kind === "raise" && this.asked.has(step.when)) continue
      if (step.kind === "raise") this.asked.add(step.when)
      this.list.push({ step: step.kind === "compute" ? this.calculation(step) : step, before })
    }
    for (const write of this.writes) this.assign(write, before)
    if (this.newFlags !== undefined) this.flagsNow = this.flagsAfter(this.newFlags)
    this.done++
  }

  /**
   * What MXCSR says of native arithmetic stays while the region runs; its flags may be set meanwhile, and are then seen later: that is no different
   * but in time.
   */
  private calculation(step: Compute): Compute | Calculation {
    const parts = step.parts.map(({ inputs }) => inputs)
    if (!isNative(step.name, parts[0]!.length)) return step
    const { isNative: may, counts, results } = nativeAnswers(this, step.name, parts)
    return { ...step, isOurs: this.both(may, counts), answers: results }
  }

  /** What the register is where the block begins. */
  atFirst(number: number): Value | Vector {
    return isVectorNumber(number) ? this.localVector(localOf(number)) : this.local(localOf(number))
  }

  private assign({ register, value, when }: Write, before: Snapshot) {
    const number = this.name(register)
    if (value.type === "v128") {
      const old = this.registers[number] as Vector
      const written = when === undefined ? value : this.chooseVector(when, value, old)
      this.registers[number] = written
      this.list.push({ step: { kind: "work", value: written }, before })
      return
    }
    const old = this.registers[number] as Value
    const written = this.merged(old, register, value)
    this.registers[number] = when === undefined ? written : this.choose(when, written, old)
  }

  private name({ offset }: Register): number {
    const number = numberOf(offset)
    this.named.add(number)
    return number
  }

  /** A write of 32 bits clears the upper half; of 8 or 16 leaves the rest. */
  private merged(old: Value, { offset, width }: Register, value: Value): Value {
    if (width === 64) return value
    const part = this.low(value, width)
    if (width === 32) return part
    const shift = BigInt((offset & 7) * 8)
    const hole = this.constant(~(((1n << BigInt(width)) - 1n) << shift))
    return this.or(this.and(old, hole), this.shl(part, this.constant(shift)))
  }

  /** If it is not known whether the flags change, both are worked out. */
  private flagsAfter({ rule, width, inputs, unless }: NewFlags): Flags {
    if (unless === undefined) return { rule, width, inputs }
    const status = this.choose(unless, this.status(), image(this, rule, width, inputs))
    return { rule: explicit, width: 8, inputs: [status] }
  }

  // ---- operands

  protected register(operand: Register): Value {
    const { offset, width } = operand
    const number = this.name(operand)
    const whole = this.registers[number]!
    if (whole.type === "v128") return this.lane(laneOf[width], whole, ((offset - placeOf(number)) * 8) / width)
    return this.low(this.shr(whole, this.constant(BigInt((offset & 7) * 8))), width)
  }
  protected vectorRegister(operand: Register): Vector {
    return this.registers[this.name(operand)] as Vector
  }
  protected immediate({ lo, hi }: Immediate): Value {
    return this.constant((BigInt(hi) << 32n) | BigInt(lo >>> 0))
  }
  protected relative({ disp }: Relative): Value {
    return this.within(this.add(this.next(), this.constant(BigInt(disp))))
  }
  /** Outside of 64-bit mode, RIP has 32 bits. */
  private within(address: Value): Value {
    return this.mode.bits === 64 ? address : this.low(address, 32)
  }
  protected offset({ base, index, scale, disp, dispHigh, ripRelative }: Memory): Value {
    const displacement = this.constant((BigInt(dispHigh) << 32n) + BigInt(disp >>> 0))
    const from = ripRelative ? this.next() : this.part(base)
    return this.add(this.add(from, this.shl(this.part(index), this.constant(BigInt(scale)))), displacement)
  }
  private part(offset: number): Value {
    return isAbsent(offset) ? this.constant(0n) : (this.registers[numberOf(offset)] as Value)
  }
  protected functionIndex(): number {
    throw new Error("a region has no instruction that calls functions")
  }

  // ---- state

  condition(c: Condition): Truth {
    const flags = this.flagsNow ?? this.knownFlags()
    if (flags !== undefined) return holds(this, c, flags.rule, flags.width, flags.inputs)
    return this.callTruth(this.flagFunction(firstFlagFunction + conditions.indexOf(c)), this.flagLocals())
  }
  status(): Value {
    const flags = this.flagsNow ?? this.knownFlags()
    if (flags !== undefined) return image(this, flags.rule, flags.width, flags.inputs)
    return this.call(this.flagFunction(statusFunction), this.flagLocals())
  }
  private knownFlags(): Flags | undefined {
    const { known } = this.block
    return known && { ...known, inputs: this.inputLocals().slice(0, known.rule.inputs) }
  }
  private inputLocals(): ReadonlyArray<Value> {
    return [0, 1, 2].map((index) => this.local(locals.inputs + index))
  }
  private flagLocals(): ReadonlyArray<Node> {
    return [this.local32(locals.rule), ...this.inputLocals()]
  }
  private flagFunction(index: number): number {
    this.called.add(index)
    return index
  }

  here(): Value {
    return this.add(this.page, this.constant(BigInt(this.place.here)))
  }
  next(): Value {
    return this.within(this.add(this.page, this.constant(BigInt(this.place.next))))
  }
}
