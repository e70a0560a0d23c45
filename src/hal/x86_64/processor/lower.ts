/**
 * Lowering: a meaning read as WebAssembly to come. Interpreter and translator share it: they differ in what an operand is.
 *
 * In comes a meaning; out come the steps that may stop the instruction, in their order, and what is written if none of them does.
 */
import { loadOf, type Node, type Truth, type Value, type Vector } from "./Graph.ts"
import {
  type Decoded,
  type Immediate,
  legacySegmentBase,
  type Memory,
  type Register,
  type Relative,
  segmentBase
} from "./Instruction.ts"
import {
  type Condition,
  type Exception,
  type FlagRule,
  type FunctionName,
  linearBits,
  type Machine,
  type Mode,
  type Operand,
  type StateWord,
  type SystemName,
  type Width
} from "./Meaning.ts"
import { at, bounds, segment, segments, stateWords } from "./State.ts"
import { refusal } from "./segmentation.ts"
import { VectorGraph } from "./VectorGraph.ts"
import type { VectorFunction } from "./vectorFunctions.ts"

/** An access to the guest's memory. `stack`: what is not canonical there is #SS(0). */
interface Access {
  readonly memory: Memory
  readonly address: Value
  readonly width: Bits
}
/** How much is accessed at once. Of 256 bits, values are the lower half, and there is an upper one. */
export type Bits = Width | 128 | 256
export interface Load extends Access {
  readonly kind: "load"
  readonly result: Value | Vector
  readonly upper?: Vector
  /** Where the bytes are, for the store that follows if `modifies`. */
  readonly host: Node
  modifies: boolean
  readonly guard: Guard | undefined
}
/** The step that asks the segment whether it may be read, and what that step asks if it is written as well. */
interface Guard {
  readonly step: Raise
  readonly ifWritten: Truth
}
export interface Store extends Access {
  readonly kind: "store"
  readonly value: Value | Vector
  readonly upper?: Vector
  /** Of what was read for writing: where it goes. */
  readonly host: Node | undefined
}
export interface Raise {
  readonly kind: "raise"
  readonly exception: Exception
  when: Truth
}
/** If `when`, the rest is left out. */
export interface Skip {
  readonly kind: "skip"
  readonly when: Truth
}
/** A function of vectors is called, which may raise an exception. */
export interface Compute {
  readonly kind: "compute"
  readonly name: VectorFunction
  readonly parts: ReadonlyArray<{ readonly inputs: ReadonlyArray<Vector>; readonly result: Vector }>
}
/** What may end the instruction before it is complete. */
export type Step = Load | Store | Raise | Skip | Compute

/** If not `when`, all 64 bits of the register stay. */
export interface Write {
  readonly register: Register
  readonly value: Value | Vector
  readonly when: Truth | undefined
}

export interface Flags {
  readonly rule: FlagRule
  readonly width: Width
  readonly inputs: ReadonlyArray<Value>
}
export interface NewFlags extends Flags {
  readonly unless: Truth | undefined
}

export interface Jump {
  readonly to: Value
  readonly when: Truth | undefined
}
export interface SystemOperation {
  readonly name: SystemName
  readonly inputs: ReadonlyArray<Value>
}

export abstract class Lowering extends VectorGraph implements Machine<Value, Truth, Vector> {
  abstract readonly mode: Mode
  /** The same, for what of an operand follows from it: the meaning has not looked. */
  protected abstract readonly codeMode: Mode

  get linearBits(): 32 | 48 | 57 {
    return linearBits(this.codeMode)
  }

  /** What the meaning said so far, since `begin`. */
  steps: Array<Step> = []
  stores: Array<Store> = []
  writes: Array<Write> = []
  words: Array<{ readonly word: StateWord; readonly value: Value }> = []
  newFlags: NewFlags | undefined = undefined
  target: Jump | undefined = undefined
  operation: SystemOperation | undefined = undefined

  protected begin() {
    this.steps = []
    this.stores = []
    this.writes = []
    this.words = []
    this.newFlags = undefined
    this.target = undefined
    this.operation = undefined
  }

  // ---- what differs from reading to reading

  protected abstract register(operand: Register): Value
  protected abstract vectorRegister(operand: Register): Vector
  protected abstract immediate(operand: Immediate): Value
  protected abstract relative(operand: Relative): Value
  /** Base, index and displacement, not cut to the address size. */
  protected abstract offset(operand: Memory): Value
  protected abstract functionIndex(name: FunctionName): number
  abstract condition(c: Condition): Truth
  abstract status(): Value
  abstract here(): Value
  abstract next(): Value

  // ---- the state block

  protected state(offset: number, width: Width): Value {
    return this.loadValue(loadOf[width], this.truth(false), offset)
  }

  get(word: StateWord): Value {
    const { offset, width } = stateWords[word]
    return this.state(offset, width)
  }

  private segmentBase(operand: Memory): Value {
    if (this.codeMode.bits === 64)
      return hasBase(operand) ? this.state(segmentBase(operand.segment), 64) : this.constant(0n)
    return this.isFlat(operand) ? this.constant(0n) : this.state(legacySegmentBase(operand.segment), 64)
  }

  /** ES, SS and DS, where they are the whole 4 GiB. CS is not for writing. */
  private isFlat({ segment }: Memory): boolean {
    return this.codeMode.bits !== 64 && this.codeMode.isFlat && !hasBase({ segment }) && segment !== segments.cs
  }

  // ---- operands and memory

  read(operand: Operand): Value {
    const decoded = operand as Decoded
    if (decoded.kind === "reg") return this.register(decoded)
    if (decoded.kind === "imm") return this.immediate(decoded)
    if (decoded.kind === "rel") return this.relative(decoded)
    return this.load(decoded, decoded.width)
  }

  write(operand: Operand, value: Value, when?: Truth) {
    const decoded = operand as Decoded
    if (decoded.kind !== "reg") return this.store(decoded, value, decoded.width)
    const always = when?.operation === "const"
    // A write of 32 bits is one of 64, whose upper half is 0.
    const written = decoded.width === 32 ? this.low(value, 32) : value
    if (!always || when.value !== 0n)
      this.writes.push({ register: decoded, value: written, when: always ? undefined : when })
  }

  address(operand: Operand, by?: Value): Value {
    const memory = operand as Memory
    const offset = this.offset(memory)
    return this.low(by === undefined ? offset : this.add(offset, by), memory.addressWidth)
  }

  linear(operand: Operand, by?: Value): Value {
    const address = this.add(this.address(operand, by), this.segmentBase(operand as Memory))
    return this.codeMode.bits === 64 ? address : this.low(address, 32)
  }

  reach(memory: Operand, bytes: number, writes: boolean) {
    this.guard(memory as Memory, bytes, writes)
  }

  /** Outside of 64-bit mode, the step that asks the segment of an access; and what it asks of one that writes. */
  private guard(memory: Memory, bytes: number, writes: boolean, by?: Value): Guard | undefined {
    if (this.codeMode.bits === 64) return undefined
    const first = this.address(memory, by)
    const ifWritten = this.isOutside(memory, first, bytes, true)
    const when = writes ? ifWritten : this.isOutside(memory, first, bytes, false)
    if (this.isNever(when)) return undefined
    const step: Raise = { kind: "raise", exception: refusal(memory.segment), when }
    this.steps.push(step)
    return { step, ifWritten }
  }

  private isOutside(memory: Memory, first: Value, bytes: number, writes: boolean): Truth {
    if (this.isFlat(memory)) {
      const end = 2n ** 32n - BigInt(bytes)
      return memory.addressWidth === 16 || bytes === 1 ? this.truth(false) : this.below(this.constant(end), first)
    }
    const of = at.bounds + memory.segment * bounds.bytes
    const lowest = this.state(of + (writes ? bounds.writeFirst : bounds.readFirst), 32)
    const highest = this.state(of + (writes ? bounds.writeLast : bounds.readLast), 32)
    const last = this.add(first, this.constant(BigInt(bytes - 1)))
    return this.either(this.below(first, lowest), this.below(highest, last))
  }

  load(memory: Operand, width: Width, by?: Value): Value {
    return this.loadStep(memory, width, this.bound(width), by)
  }
  private loadStep<A extends Value | Vector>(memory: Operand, width: Bits, result: A, by?: Value, upper?: Vector): A {
    const guard = this.guard(memory as Memory, width / 8, false, by)
    const address = this.linear(memory, by)
    const host = this.boundHost()
    const step = {
      kind: "load",
      memory: memory as Memory,
      address,
      width,
      result,
      host,
      guard,
      modifies: false
    } as const
    this.steps.push(upper === undefined ? { ...step } : { ...step, upper })
    return result
  }

  vector(operand: Operand): Vector {
    const decoded = operand as Decoded
    if (decoded.kind === "reg") return this.vectorRegister(decoded)
    return this.loadStep(decoded, 128, this.boundVector())
  }

  setVector(operand: Operand, value: Vector) {
    const decoded = operand as Decoded
    if (decoded.kind === "reg") this.writes.push({ register: decoded, value, when: undefined })
    else this.storeStep(decoded, value, 128)
  }

  vectors(memory: Operand): readonly [Vector, Vector] {
    const upper = this.boundVector()
    return [this.loadStep(memory, 256, this.boundVector(), undefined, upper), upper]
  }

  setVectors(memory: Operand, lower: Vector, upper: Vector) {
    this.storeStep(memory, lower, 256, undefined, upper)
  }

  literal(constant: Operand): number {
    return (constant as Immediate).lo
  }

  compute(name: VectorFunction, parts: ReadonlyArray<ReadonlyArray<Vector>>): ReadonlyArray<Vector> {
    const step = {
      kind: "compute",
      name,
      parts: parts.map((inputs) => ({ inputs, result: this.boundVector() }))
    } as const
    this.steps.push(step)
    return step.parts.map(({ result }) => result)
  }

  store(memory: Operand, value: Value, width: Width, by?: Value) {
    this.storeStep(memory, value, width, by)
  }
  private storeStep(memory: Operand, value: Value | Vector, width: Bits, by?: Value, upper?: Vector) {
    const address = this.linear(memory, by)
    const loads = this.steps.filter((step) => step.kind === "load" && step.memory === memory) as ReadonlyArray<Load>
    for (const load of loads) {
      load.modifies = true
      if (load.guard !== undefined) load.guard.step.when = load.guard.ifWritten
    }
    const host = loads.find((load) => load.address === address && load.width === width)?.host
    if (host === undefined) this.guard(memory as Memory, width / 8, true, by)
    const step = { kind: "store", memory: memory as Memory, address, width, value, host } as const
    this.stores.push(upper === undefined ? step : { ...step, upper })
  }

  set(word: StateWord, value: Value) {
    this.words.push({ word, value })
  }

  flags(rule: FlagRule, width: Width, inputs: ReadonlyArray<Value>, unless?: Truth) {
    const never = unless?.operation === "const"
    if (never && unless.value !== 0n) return
    this.newFlags = { rule, width, inputs, unless: never ? undefined : unless }
  }

  apply(name: FunctionName, ...inputs: ReadonlyArray<Value>): Value {
    return this.call(this.functionIndex(name), inputs)
  }

  // ---- control

  jump(to: Value, when: Truth = this.truth(true)) {
    if (this.codeMode.bits !== 64 && !this.codeMode.isFlat) {
      const limit = this.state(at.segment + segments.cs * segment.bytes + segment.limit, 32)
      this.raise("#GP(0)", this.both(when, this.below(limit, this.inCode(to))))
    }
    this.target = { to, when: when.operation === "const" && when.value !== 0n ? undefined : when }
  }

  /** A target as an offset in the code segment. */
  protected inCode(to: Value): Value {
    return to
  }
  skip(when: Truth) {
    if (!this.isNever(when)) this.steps.push({ kind: "skip", when })
  }
  raise(exception: Exception, when: Truth) {
    if (!this.isNever(when)) this.steps.push({ kind: "raise", exception, when })
  }
  system(name: SystemName, ...inputs: ReadonlyArray<Value>) {
    this.operation = { name, inputs }
  }

  private isNever(when: Truth): boolean {
    return when.operation === "const" && when.value === 0n
  }
}

/** A segment of 64-bit mode without a base. */
export const hasBase = ({ segment }: Pick<Memory, "segment">): boolean => segment === 4 || segment === 5

/** The absent part of an address. */
export const isAbsent = (offset: number): boolean => offset === at.zero
