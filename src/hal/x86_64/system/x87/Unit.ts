/**
 * Unit: the x87 FPU's registers, and how an instruction of it signals exceptions. SDM vol. 1, "x87 FPU Execution Environment", "x87 FPU Floating-Point
 * Exception Handling".
 */
import { x87 } from "../../processor/x87.ts"
import type { Core } from "../Core.ts"
import { type Exact, type Extended, indefinite, kindOf } from "./Extended.ts"
import { extendedFormat, type Format, flag, type Rounded, type RoundingControl, round, toExtended } from "./round.ts"

/** Bits of the status word besides the exceptions' flags (`flag`). */
export const status = {
  exceptions: 0x3f,
  ES: 1 << 7,
  C0: 1 << 8,
  C1: 1 << 9,
  C2: 1 << 10,
  top: 7 << 11,
  C3: 1 << 14,
  B: 1 << 15
} as const
const conditionCodes = status.C0 | status.C1 | status.C2 | status.C3

/** Of the control word: bit 6 is always 1. */
const control = { always: 0x40, writable: 0x1f3f, initial: 0x37f } as const

/** Thrown where an exception that is not masked ends an instruction: it has completed, having done nothing more. */
export const ended = Symbol("an unmasked x87 exception")

const precisions = [24, 64, 53, 64] as const

export class Unit {
  readonly core: Core
  /** The instruction's operand in memory is denormal there, if not in a register. */
  isLoadedDenormal = false
  private readonly view: DataView

  constructor(core: Core) {
    this.core = core
    this.view = core.view
  }

  // ---- control, status and tags

  get control(): number {
    return this.view.getUint16(x87.control, true)
  }
  set control(value: number) {
    this.view.setUint16(x87.control, (value & control.writable) | control.always, true)
    this.summarize()
  }

  get status(): number {
    return this.view.getUint16(x87.status, true)
  }
  set status(value: number) {
    this.view.setUint16(x87.status, value, true)
    this.summarize()
  }

  /** ES and B: an exception is signalled that is not masked. */
  private summarize(): void {
    const word = this.view.getUint16(x87.status, true) & ~(status.ES | status.B)
    const pending = (word & this.unmasked) !== 0
    this.view.setUint16(x87.status, pending ? word | status.ES | status.B : word, true)
  }

  /** Flags of the exceptions that are not masked. */
  get unmasked(): number {
    return ~this.control & status.exceptions
  }
  get rounding(): RoundingControl {
    return ((this.control >> 10) & 3) as RoundingControl
  }
  get isPending(): boolean {
    return (this.status & status.ES) !== 0
  }

  private get format(): Format {
    return extendedFormat(precisions[(this.control >> 8) & 3]!)
  }

  get top(): number {
    return (this.status >> 11) & 7
  }
  set top(value: number) {
    this.status = (this.status & ~status.top) | ((value & 7) << 11)
  }

  /** Bit n: register n is not empty. */
  get valid(): number {
    return this.view.getUint8(x87.valid)
  }
  set valid(value: number) {
    this.view.setUint8(x87.valid, value)
  }

  initialize(): void {
    this.control = control.initial
    this.status = 0
    this.valid = 0
    this.core.set(x87.instruction, 0, 0)
    this.core.set(x87.data, 0, 0)
    this.view.setUint16(x87.opcode, 0, true)
  }

  setCodes(codes: number): void {
    this.status = (this.status & ~conditionCodes) | codes
  }
  setC1(value: boolean): void {
    this.status = value ? this.status | status.C1 : this.status & ~status.C1
  }
  setC2(value: boolean): void {
    this.status = value ? this.status | status.C2 : this.status & ~status.C2
  }

  // ---- registers

  private physical(i: number): number {
    return (this.top + i) & 7
  }

  isEmpty(i: number): boolean {
    return ((this.valid >> this.physical(i)) & 1) === 0
  }

  /** The value in ST(i), whether it is empty or not. */
  get(i: number): Extended {
    return this.register(this.physical(i))
  }

  set(i: number, { sign, exponent, significand }: Extended): void {
    const register = this.physical(i)
    const at = x87.registers + x87.registerBytes * register
    this.view.setBigUint64(at, significand, true)
    this.view.setUint16(at + 8, (sign << 15) | exponent, true)
    this.valid |= 1 << register
  }

  free(i: number): void {
    this.valid &= ~(1 << this.physical(i))
  }

  /** By its number, whatever TOP is. */
  register(n: number): Extended {
    const at = x87.registers + x87.registerBytes * n
    const upper = this.view.getUint16(at + 8, true)
    return { sign: upper & 0x8000 ? 1 : 0, exponent: upper & 0x7fff, significand: this.view.getBigUint64(at, true) }
  }

  push(value: Extended): void {
    this.top -= 1
    this.set(0, value)
  }

  pop(count: number): void {
    for (let n = 0; n < count; n++) {
      this.free(0)
      this.top += 1
    }
  }

  // ---- exceptions

  /**
   * Before an operation has its result: invalid operation, denormal operand, divide by zero.
   * @throws `ended` unless they are masked
   */
  signal(flags: number): void {
    this.status |= flags
    if (flags & this.unmasked) throw ended
  }

  /** The invalid operation of a stack fault: C1 tells overflow from underflow. @throws `ended` unless it is masked */
  stackFault(isOverflow: boolean): void {
    this.setC1(isOverflow)
    this.signal(flag.IE | flag.SF)
  }

  /** The registers have values; if one has none, that is signalled. @throws `ended` */
  has(...registers: ReadonlyArray<number>): boolean {
    if (!registers.some((i) => this.isEmpty(i))) return true
    this.stackFault(false)
    return false
  }

  /** "Indefinite" goes with it. @throws `ended` */
  invalid(): Extended {
    this.signal(flag.IE)
    return indefinite
  }

  /** #D, if one of them is denormal. @throws `ended` */
  checkDenormal(...values: ReadonlyArray<Extended>): void {
    if (this.isLoadedDenormal || values.some((value) => kindOf(value) === "denormal")) this.signal(flag.DE)
  }

  /** A result in the precision that the control word asks for, with the exceptions that it raises. */
  rounded(exact: Exact): Extended {
    return this.noted(round(exact, this.format, this.rounding, this.unmasked))
  }

  /** The same in full precision, whatever the control word asks for. */
  roundedFully(exact: Exact): Extended {
    return this.noted(round(exact, extendedFormat(64), this.rounding, this.unmasked))
  }

  private noted(result: Rounded): Extended {
    this.status |= result.flags
    this.setC1(result.isUp)
    return toExtended(result)
  }
}
