/**
 * The watching reading: a meaning is run on values that are mostly unknown, to learn what it touches.
 *
 * What is constant in the form is known (the 1 of "SHL r/m32, 1"), so what follows from it is known as well: that this shift always sets the flags.
 */
import type { Form } from "./Form.ts"
import { type Decoded, type Immediate, immediateValue } from "./Instruction.ts"
import {
  type Condition,
  type Exception,
  linearBits,
  type Machine,
  type Mode,
  type Operand,
  type StateWord,
  type SystemName,
  type Values
} from "./Meaning.ts"
import type { Vectors } from "./Vectors.ts"
import { words } from "./words.ts"

/** What instructions of one form do, whose operands are of the same kinds. */
export interface Effects {
  /** Operands, implied ones among them, whose value is used, and which are given one. Of memory: that it is accessed. */
  readonly reads: ReadonlySet<Operand>
  readonly writes: ReadonlySet<Operand>
  readonly gets: ReadonlySet<StateWord>
  readonly sets: ReadonlySet<StateWord>
  readonly exceptions: ReadonlySet<Exception>
  /** It uses the flags as they were: to decide something, or to keep some. */
  readonly conditions: ReadonlySet<Condition>
  readonly asksStatus: boolean
  /** It sets the flags, always or perhaps. */
  readonly setsFlags: "never" | "perhaps" | "always"
  /** It may end having done nothing. */
  readonly skips: boolean
  readonly jump: Jump | undefined
  readonly system: SystemName | undefined
}

export interface Jump {
  /** To the operand that is a branch target, to the instruction itself, or to a value. */
  readonly to: "target" | "here" | "value"
  readonly conditional: boolean
}

/** The memory operands that are read to be written: looked up for writing at once. */
export const modifies = ({ reads, writes }: Effects, operand: Operand): boolean =>
  operand.kind === "mem" && reads.has(operand) && writes.has(operand)

/** It may stop before it is complete: by an access to memory, or an exception of its own. */
export const mayFault = ({ reads, writes, exceptions }: Effects): boolean =>
  exceptions.size > 0 || [...reads, ...writes].some(({ kind }) => kind === "mem")

/** What the form does with these operands. */
export const effectsOf = (form: Form, operands: ReadonlyArray<Operand>, mode: Mode): Effects => {
  const seen = {
    reads: new Set<Operand>(),
    writes: new Set<Operand>(),
    gets: new Set<StateWord>(),
    sets: new Set<StateWord>(),
    exceptions: new Set<Exception>(),
    conditions: new Set<Condition>(),
    asksStatus: false,
    setsFlags: "never" as Effects["setsFlags"],
    skips: false,
    jump: undefined as Jump | undefined,
    system: undefined as SystemName | undefined
  }
  const watcher: Machine<Value, Truth, undefined> = {
    ...values,
    ...unknownVectors,
    mode,
    linearBits: linearBits(mode),
    read(operand) {
      seen.reads.add(operand)
      return operand.kind === "rel" ? { known: undefined, place: "target" } : value(constantIn(operand))
    },
    write(operand) {
      seen.writes.add(operand)
    },
    address: () => unknownValue,
    linear: () => unknownValue,
    reach: () => {},
    load(memory) {
      seen.reads.add(memory)
      return unknownValue
    },
    store(memory) {
      seen.writes.add(memory)
    },
    vector(operand) {
      seen.reads.add(operand)
      return undefined
    },
    setVector(operand) {
      seen.writes.add(operand)
    },
    vectors(memory) {
      seen.reads.add(memory)
      return [undefined, undefined]
    },
    setVectors(memory) {
      seen.writes.add(memory)
    },
    literal: (constant) => (constant as Immediate).lo,
    compute: (_name, parts) => parts.map(() => undefined),
    get(word) {
      seen.gets.add(word)
      return unknownValue
    },
    set(word) {
      seen.sets.add(word)
    },
    condition(condition) {
      seen.conditions.add(condition)
      return unknownTruth
    },
    status() {
      seen.asksStatus = true
      return unknownValue
    },
    flags(_rule, _width, _inputs, unless = truth(false)) {
      if (unless.known !== true) seen.setsFlags = unless.known === false ? "always" : "perhaps"
    },
    here: () => ({ known: undefined, place: "here" }),
    next: () => unknownValue,
    jump(target, when = truth(true)) {
      if (when.known !== false) seen.jump = { to: target.place ?? "value", conditional: when.known === undefined }
    },
    skip(when) {
      if (when.known !== false) seen.skips = true
    },
    raise(exception, when) {
      if (when.known !== false) seen.exceptions.add(exception)
    },
    system(name) {
      seen.system = name
    }
  }
  form.meaning(watcher, ...operands)
  return seen
}

interface Value {
  readonly known: bigint | undefined
  /** It is where the form's branch target is, or the instruction itself. */
  readonly place?: "target" | "here"
}
interface Truth {
  readonly known: boolean | undefined
}

const value = (known: bigint | undefined): Value => ({ known })
const truth = (known: boolean | undefined): Truth => ({ known })
const [unknownValue, unknownTruth] = [value(undefined), truth(undefined)]

/** The operands of effects are the decoder's. */
const constantIn = (operand: Operand): bigint | undefined => {
  const decoded = operand as Decoded
  return decoded.kind === "imm" && decoded.implied ? immediateValue(decoded) : undefined
}

// Of what is known comes something known.
const one = (f: (a: bigint) => bigint) => (a: Value) => value(a.known === undefined ? undefined : f(a.known))
const two = (f: (a: bigint, b: bigint) => bigint) => (a: Value, b: Value) =>
  value(a.known === undefined || b.known === undefined ? undefined : f(a.known, b.known))
const compare = (f: (a: bigint, b: bigint) => boolean) => (a: Value, b: Value) =>
  truth(a.known === undefined || b.known === undefined ? undefined : f(a.known, b.known))
const join = (f: (a: boolean, b: boolean) => boolean) => (a: Truth, b: Truth) =>
  truth(a.known === undefined || b.known === undefined ? undefined : f(a.known, b.known))

/** Nothing is known of vectors. */
const unknownVectors: Vectors<Value, Truth, undefined> = {
  vectorConstant: () => undefined,
  lanes: () => undefined,
  shiftLanes: () => undefined,
  splat: () => undefined,
  lane: () => unknownValue,
  withLane: () => undefined,
  shuffle: () => undefined,
  bitmask: () => unknownValue,
  isZero: () => unknownTruth,
  chooseVector: () => undefined
}

// biome-ignore format: a table
const values: Values<Value, Truth> = {
  constant:         value,
  add:              two(words.add),
  sub:              two(words.sub),
  mul:              two(words.mul),
  mulHighUnsigned:  two(words.mulHighUnsigned),
  mulHighSigned:    two(words.mulHighSigned),
  divUnsigned:      () => unknownValue,
  remUnsigned:      two(words.remUnsigned),
  divSigned:        () => unknownValue,
  remSigned:        () => unknownValue,
  and:              two(words.and),
  or:               two(words.or),
  xor:              two(words.xor),
  shl:              two(words.shl),
  shr:              two(words.shr),
  sar:              two(words.sar),
  rotl:             two(words.rotl),
  rotr:             two(words.rotr),
  leadingZeros:     one(words.leadingZeros),
  trailingZeros:    one(words.trailingZeros),
  ones:             one(words.ones),
  low:              (a, width) => one((v) => words.low(v, width))(a),
  signed:           (a, width) => one((v) => words.signed(v, width))(a),
  choose:           (when, then, otherwise) => (when.known === undefined ? unknownValue : when.known ? then : otherwise),
  apply:            () => unknownValue,
  truth,
  equal:            compare(words.equal),
  below:            compare(words.below),
  less:             compare(words.less),
  bit:              (a, n) => truth(a.known === undefined ? undefined : words.bit(a.known, n)),
  evenParity:       (a) => truth(a.known === undefined ? undefined : words.evenParity(a.known)),
  not:              (a) => truth(a.known === undefined ? undefined : !a.known),
  both:             join(words.both),
  either:           join(words.either),
  differ:           join(words.differ),
  number:           (a) => value(a.known === undefined ? undefined : words.number(a.known))
}
