import { explicit, holds } from "../flags.ts"
import type { Node, Truth, Value, Vector } from "../Graph.ts"
import { loadOf } from "../Graph.ts"
import type { Decoded, Immediate, Memory, Register, Relative } from "../Instruction.ts"
import { isAbsent, Lowering } from "../lower.ts"
import type { Condition, FlagRule, FunctionName, Meaning, Mode, StateWord, Width } from "../Meaning.ts"
import { at } from "../State.ts"
import { locals } from "./frame.ts"
import { field } from "./MicroOperation.ts"

/** The rule that set the flags last, where the block says so. */
export interface KnownFlags {
  readonly rule: FlagRule
  readonly width: Width
}

/** The functions that a handler calls, by index. */
export interface HandlerFunctions {
  readonly condition: (c: Condition) => number
  readonly status: () => number
  readonly apply: (name: FunctionName) => number
}

/** For a meaning that is only looked at. */
export const noFunctions: HandlerFunctions = { condition: () => 0, status: () => 0, apply: () => 0 }

/**
 * A meaning at one shape of operands: registers, addresses and constants are fields of the micro-operation at hand. Only what the form implies is
 * built in.
 */
export class Handler extends Lowering {
  /** The meaning looked at the mode. */
  usesMode = false
  /** The meaning looked at the flags. */
  asksFlags = false
  /** It calls a function for a value. */
  appliesFunctions = false
  /** It has to do with registers of the x87 FPU, which MMX's are. */
  usesUnit = false
  /** The meaning looked at MXCSR, which functions of vectors change. */
  asksMxcsr = false
  readonly pc: Node
  readonly page: Value
  readonly relativeTarget: Value
  protected readonly codeMode: Mode
  private readonly operands: ReadonlyArray<Decoded>
  private readonly functions: HandlerFunctions
  private known: KnownFlags | undefined
  /** The rule's inputs, if an instruction before this one in the same handler has just made them. */
  private inputs: ReadonlyArray<Value> | undefined = undefined

  constructor(
    operands: ReadonlyArray<Decoded>,
    mode: Mode,
    known: KnownFlags | undefined,
    functions: HandlerFunctions
  ) {
    super()
    this.operands = operands
    this.codeMode = mode
    this.known = known
    this.functions = functions
    this.pc = this.local32(locals.pc)
    this.page = this.local(locals.page)
    this.relativeTarget = this.inPage("i64.load32_s", field.taken + 4)
  }

  override get(word: StateWord): Value {
    this.asksMxcsr ||= word === "mxcsr"
    return super.get(word)
  }

  get mode(): Mode {
    this.usesMode = true
    return this.codeMode
  }

  run(meaning: Meaning) {
    this.begin()
    this.usesUnit = this.operands.some((operand) => operand.kind === "reg" && operand.offset >= at.x87)
    meaning<Value, Truth, Vector>(this, ...this.operands)
  }

  /** By its constants, this instruction sets the flags. */
  alwaysSetsFlags() {
    if (this.newFlags !== undefined) this.newFlags = { ...this.newFlags, unless: undefined }
  }

  /** A jump on the flags that `run` has just made: it reads nothing else, and its target is the micro-operation's. */
  runJump(meaning: Meaning, operands: ReadonlyArray<Decoded>) {
    if (this.newFlags === undefined || this.newFlags.unless !== undefined)
      throw new Error("a joined jump is on flags that were set")
    this.known = this.newFlags
    this.inputs = this.newFlags.inputs
    meaning<Value, Truth, Vector>(this, ...operands)
  }

  /** Where a register that is not implied stands, or the register that it is a part of, as an i32. */
  place(operand: Register): Node {
    const order = this.operands.filter((each) => each.kind === "reg" && !each.implied).indexOf(operand.whole ?? operand)
    return this.loadHalf("i32.load16_u", this.pc, field.registers + 2 * order)
  }

  protected register(operand: Register): Value {
    return operand.implied
      ? this.state(operand.offset, operand.width)
      : this.loadValue(loadOf[operand.width], this.place(operand), withinPlace(operand))
  }

  protected vectorRegister(operand: Register): Vector {
    return operand.implied
      ? this.loadVector(this.truth(false), operand.offset)
      : this.loadVector(this.place(operand), withinPlace(operand))
  }

  protected immediate(operand: Immediate): Value {
    if (operand.implied) return this.constant((BigInt(operand.hi) << 32n) | BigInt(operand.lo >>> 0))
    return this.constantField(operand, operand.width)
  }

  /** Of another size than the code, it is a value like any other: no way that could be linked. */
  protected relative({ width }: Relative): Value {
    return width === this.codeMode.bits ? this.relativeTarget : this.low(this.relativeTarget, width)
  }

  protected override inCode(to: Value): Value {
    return to === this.relativeTarget ? this.low(to, this.codeMode.bits) : to
  }

  protected offset(operand: Memory): Value {
    const displacement = isWide(operand)
      ? this.constantField(operand, 64)
      : operand.implied || (operand.disp === 0 && !operand.ripRelative)
        ? this.constant(BigInt(operand.disp))
        : this.loadValue("i64.load32_s", this.pc, field.disp)
    return this.add(this.add(this.addressBase(operand), this.addressIndex(operand)), displacement)
  }

  private addressBase(operand: Memory): Value {
    if (operand.ripRelative) return this.page
    if (isAbsent(operand.base)) return this.constant(0n)
    if (operand.implied) return this.state(operand.base, 64)
    return this.loadValue("i64.load", this.loadHalf("i32.load16_u", this.pc, field.base), 0)
  }

  private addressIndex(operand: Memory): Value {
    if (isAbsent(operand.index)) return this.constant(0n)
    const index = this.loadValue("i64.load", this.loadHalf("i32.load16_u", this.pc, field.index), 0)
    return this.shl(index, this.loadValue("i64.load8_u", this.pc, field.scale))
  }

  protected functionIndex(name: FunctionName): number {
    this.appliesFunctions = true
    return this.functions.apply(name)
  }

  condition(c: Condition): Truth {
    this.asksFlags = true
    if (this.known !== undefined)
      return holds(this, c, this.known.rule, this.known.width, this.flagInputs(this.known.rule))
    return this.callTruth(this.functions.condition(c), [this.flagRule(), ...this.flagInputs()])
  }

  status(): Value {
    this.asksFlags = true
    const { known } = this
    if (known?.rule === explicit) return this.flagInputs(explicit)[0]!
    return this.call(this.functions.status(), [this.flagRule(), ...this.flagInputs()])
  }

  here(): Value {
    return this.inPage("i64.load16_u", field.here)
  }
  next(): Value {
    const next = this.inPage("i64.load16_u", field.next)
    return this.codeMode.bits === 64 ? next : this.low(next, 32)
  }

  private flagRule(): Node {
    return this.loadHalf("i32.load", this.truth(false), at.flagRule)
  }
  private flagInputs(rule?: FlagRule): ReadonlyArray<Value> {
    return (
      this.inputs ?? Array.from({ length: rule?.inputs ?? 3 }, (_, index) => this.state(at.flagInput + 8 * index, 64))
    )
  }

  private inPage(load: "i64.load32_s" | "i64.load16_u", offset: number): Value {
    return this.add(this.page, this.loadValue(load, this.pc, offset))
  }

  /** The constants that are fields, in the order of the operands. */
  private constantField(operand: Decoded, width: Width): Value {
    return this.loadValue(loadOf[width], this.pc, field.constants + 8 * constantsOf(this.operands).indexOf(operand))
  }
}

/** How far after `place` a register that is not implied begins. */
export const withinPlace = ({ offset, whole }: Register): number => (whole === undefined ? 0 : offset - whole.offset)

/** Operands that take a field of 64 bits. */
export const constantsOf = (operands: ReadonlyArray<Decoded>): ReadonlyArray<Decoded> =>
  operands.filter((each) => (each.kind === "imm" && !each.implied) || (each.kind === "mem" && isWide(each)))

/** The displacement is more than the sign of its lower half says. */
export const isWide = (operand: Memory): boolean => operand.dispHigh !== operand.disp >> 31
