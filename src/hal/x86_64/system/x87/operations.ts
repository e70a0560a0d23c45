/**
 * The operation "x87": what each instruction of the FPU does. SDM vol. 1, "Programming with the x87 FPU"; vol. 3A, "x87 FPU Exception and Task-Switch
 * Handling".
 */
import { fault, raised } from "../../memory/Access.ts"
import { x87Actions } from "../../processor/instructions/x87.ts"
import { at } from "../../processor/State.ts"
import { x87 as places, type X87Action, type X87Control, type X87Operation } from "../../processor/x87.ts"
import type { Core } from "../Core.ts"
import { CR0, vector } from "../registers.ts"
import { binary, extract, remainder, roundToInteger, scale, squareRoot } from "./arithmetic.ts"
import { codesOf, compare, examine, flagsOf } from "./compare.ts"
import { constants } from "./constants.ts"
import { type Extended, indefinite, opposite, withSign, zero } from "./Extended.ts"
import { loadEnvironment, restore, save, storeEnvironment } from "./environment.ts"
import { indefiniteOf, type Loaded, loaded, read, toMemory, widths } from "./formats.ts"
import { opcodeOf, withStack } from "./instruction.ts"
import { flag } from "./round.ts"
import * as transcendental from "./transcendental.ts"
import { ended, status, Unit } from "./Unit.ts"

const units = new WeakMap<Core, Unit>()

/** A processor's FPU. */
export const unitOf = (core: Core): Unit => {
  const known = units.get(core)
  if (known !== undefined) return known
  const unit = new Unit(core)
  units.set(core, unit)
  return unit
}

/** What an instruction is about: ST(i), or memory. */
interface Place {
  readonly i: number
  readonly lo: number
  readonly hi: number
  /** Of FCMOVcc. */
  readonly isTrue: boolean
}

/** What is in memory before an instruction of one operand of it. */
type Operand = Loaded | undefined

type Do = (unit: Unit, action: X87Action, place: Place, operand: Operand) => void

/** The FPU is there for this task; else #NM. */
export const checkAvailable = (core: Core): void => {
  if (core.low(at.cr0) & (CR0.EM | CR0.TS)) core.raise(vector.NM)
}

/** An exception that an earlier instruction signalled is taken now. With CR0.NE = 0 it goes to an interrupt controller, if one is wired to it. */
const checkPending = (core: Core, unit: Unit): void => {
  if (unit.isPending && core.low(at.cr0) & CR0.NE) core.raise(vector.MF)
}

export const x87 = (core: Core): void => {
  const unit = unitOf(core)
  const action = x87Actions[core.low(at.inputs)]!
  const [lo, hi] = [core.low(at.inputs + 8), core.high(at.inputs + 8)]
  const place = { i: lo & 7, lo, hi, isTrue: core.low(at.inputs + 16) !== 0 }
  const does = action.does in control ? controlDoes : arithmeticDoes
  withStack(core, () => does(core, unit, action, place))
}

// ---- control instructions

/** "Non-waiting" instructions do not look for pending exceptions. */
const isWaiting: ReadonlySet<X87Operation> = new Set(["nop", "ldcw", "ldenv", "rstor", "emms"])

const controlDoes = (core: Core, unit: Unit, action: X87Action, place: Place): void => {
  const does = action.does as X87Control
  // "WAIT: #NM if CR0.MP[bit 1] = 1 and CR0.TS[bit 3] = 1"
  if (does === "wait") {
    if ((core.low(at.cr0) & (CR0.MP | CR0.TS)) === (CR0.MP | CR0.TS)) core.raise(vector.NM)
    checkPending(core, unit)
    return
  }
  if (does === "emms" && core.low(at.cr0) & CR0.EM) core.raise(vector.UD)
  checkAvailable(core)
  if (isWaiting.has(does)) checkPending(core, unit)
  control[does](unit, action, place)
}

const storeWord = ({ core }: Unit, { lo, hi }: Place, value: number): void => {
  core.view.setUint16(at.bounce, value, true)
  core.write(lo, hi, 16)
}

// biome-ignore format: an instruction, a line or a few
const control: Readonly<Record<X87Control, (unit: Unit, action: X87Action, place: Place) => void>> = {
  wait:   () => {},
  nop:    () => {},
  none:   () => {},
  init:   (unit) => unit.initialize(),
  clex:   (unit) => { unit.status &= ~(status.exceptions | flag.SF) },
  emms:   (unit) => { unit.valid = 0; unit.top = 0 },
  stcw:   (unit, _action, place) => storeWord(unit, place, unit.control),
  ldcw:   (unit, _action, { lo, hi }) => { unit.control = unit.core.view.getUint16(unit.core.read(lo, hi, 16), true) },
  stsw:   (unit, _action, place) => storeWord(unit, place, unit.status),
  stswAx: (unit) => unit.core.setRegister(0, 16, unit.status, 0),
  stenv:  (unit, { width }, { lo, hi }) => storeEnvironment(unit, lo, hi, width!),
  ldenv:  (unit, { width }, { lo, hi }) => loadEnvironment(unit, lo, hi, width!),
  save:   (unit, { width }, { lo, hi }) => save(unit, lo, hi, width!),
  rstor:  (unit, { width }, { lo, hi }) => restore(unit, lo, hi, width!)
}

// ---- all others

const arithmeticDoes = (core: Core, unit: Unit, action: X87Action, place: Place): void => {
  checkAvailable(core)
  checkPending(core, unit)
  const reads = action.format !== undefined && action.does !== "store" && action.does !== "storeTruncated"
  const operand = reads
    ? read(core.view, core.read(place.lo, place.hi, widths[action.format!]), action.format!)
    : undefined
  const before = unit.status
  if (action.does !== "cmov") unit.setC1(false)
  unit.isLoadedDenormal = operand?.isDenormal ?? false
  try {
    operations[action.does as Arithmetic](unit, action, place, operand)
  } catch (reason) {
    // A store that memory refuses has not happened.
    if (reason === raised) unit.status = before
    if (reason !== ended) throw reason
  }
  core.copy(at.stoppedAt, places.instruction)
  // "Fopcode compatibility mode" is off: the opcode is of the last instruction with an exception that is not masked.
  if (unit.isPending) core.view.setUint16(places.opcode, opcodeOf(core), true)
  if (action.format !== undefined) core.copy(at.inputs + 16, places.data)
}

type Arithmetic = Exclude<X87Operation, X87Control>

/** The second operand: memory, or ST(i). A denormal of memory's is signalled. */
const second = (unit: Unit, place: Place, operand: Operand): Extended => operand?.value ?? unit.get(place.i)

const twoOperands =
  (name: keyof typeof binary): Do =>
  (unit, action, place, operand) => {
    const to = action.toI ? place.i : 0
    const are = operand === undefined ? unit.has(0, place.i) : unit.has(0)
    const [top, other] = [unit.get(0), second(unit, place, operand)]
    const [a, b] = action.toI ? [other, top] : [top, other]
    unit.set(to, are ? binary[name](unit, a, b) : indefinite)
    unit.pop(action.pops ?? 0)
  }

const comparison =
  (isQuiet: boolean, isToFlags: boolean): Do =>
  (unit, action, place, operand) => {
    // FCOMPP and FUCOMPP compare with ST(1).
    const i = action.pops === 2 ? 1 : place.i
    const are = operand === undefined ? unit.has(0, i) : unit.has(0)
    const order = are ? compare(unit, unit.get(0), operand?.value ?? unit.get(i), isQuiet) : "unordered"
    if (isToFlags) unit.core.setStatus(flagsOf[order])
    else unit.setCodes(codesOf[order])
    unit.pop(action.pops ?? 0)
  }

/** ST(0) becomes what `operation` makes of it. */
const onTop =
  (operation: (unit: Unit, a: Extended) => Extended): Do =>
  (unit) =>
    unit.set(0, unit.has(0) ? operation(unit, unit.get(0)) : indefinite)

/** The same of ST(0) and ST(1). */
const onTopByNext =
  (operation: (unit: Unit, a: Extended, b: Extended) => Extended): Do =>
  (unit) =>
    unit.set(0, unit.has(0, 1) ? operation(unit, unit.get(0), unit.get(1)) : indefinite)

/** ST(1) becomes what `operation` makes of ST(1) and ST(0), which is popped. */
const onNext =
  (operation: (unit: Unit, a: Extended, b: Extended) => Extended): Do =>
  (unit) => {
    unit.set(1, unit.has(0, 1) ? operation(unit, unit.get(1), unit.get(0)) : indefinite)
    unit.pop(1)
  }

/** A push, unless there is no room: then of "indefinite". @throws `ended` */
const push = (unit: Unit, value: () => Extended): void => {
  if (unit.isEmpty(-1)) unit.push(value())
  else {
    unit.stackFault(true)
    unit.push(indefinite)
  }
}

const constant =
  (name: keyof typeof constants): Do =>
  (unit) =>
    push(unit, () => constants[name][unit.rounding])

const load: Do = (unit, { format }, { i }, operand) => {
  if (operand === undefined && !unit.has(i)) return unit.push(indefinite)
  push(unit, () => {
    return operand === undefined ? unit.get(i) : loaded(unit, operand, format!)
  })
}

const store =
  (isTruncated: boolean): Do =>
  (unit, { format, pops }, { lo, hi }) => {
    const rounding = isTruncated ? 3 : unit.rounding
    const { core } = unit
    let bits: bigint
    try {
      bits = unit.has(0) ? toMemory(unit, unit.get(0), format!, rounding) : indefiniteOf(format!)
    } catch (reason) {
      // What memory refuses comes first.
      if (reason === ended && core.mmu.modify(lo, hi, widths[format!]) === fault) throw raised
      throw reason
    }
    if (isTruncated) unit.setC1(false)
    core.view.setBigUint64(at.bounce, BigInt.asUintN(64, bits), true)
    core.view.setUint16(at.bounce + 8, Number(bits >> 64n), true)
    core.write(lo, hi, widths[format!])
    unit.pop(pops ?? 0)
  }

/** Two results: one for ST(0), and one that is pushed. @throws `ended` */
const pushing =
  (operation: (unit: Unit, a: Extended) => readonly [under: Extended, pushed: Extended] | undefined): Do =>
  (unit) => {
    if (unit.isEmpty(0) || !unit.isEmpty(-1)) {
      unit.stackFault(!unit.isEmpty(0))
      unit.set(0, indefinite)
      unit.push(indefinite)
      return
    }
    const results = operation(unit, unit.get(0))
    if (results === undefined) return
    unit.set(0, results[0])
    unit.push(results[1])
  }

/** C2 tells that there is no result, or not all of it. */
const partial =
  (operation: Do): Do =>
  (unit, action, place, operand) => {
    unit.setC2(false)
    operation(unit, action, place, operand)
  }

// biome-ignore format: an instruction, a line or a few
const operations: Readonly<Record<Arithmetic, Do>> = {
  add: twoOperands("add"), mul: twoOperands("mul"),
  sub: twoOperands("sub"), subr: twoOperands("subr"),
  div: twoOperands("div"), divr: twoOperands("divr"),
  com: comparison(false, false), ucom: comparison(true, false),
  comi: comparison(false, true), ucomi: comparison(true, true),
  tst: (unit) => {
    const order = unit.has(0) ? compare(unit, unit.get(0), zero(0), false) : "unordered"
    unit.setCodes(codesOf[order])
  },
  xam: examine,

  load,
  store: store(false),
  storeTruncated: store(true),
  storeRegister: (unit, { pops }, { i }) => {
    unit.set(i, unit.has(0) ? unit.get(0) : indefinite)
    unit.pop(pops ?? 0)
  },
  /** FSTP that raises no exception where there is nothing to store. */
  move: (unit, { pops }, { i }) => {
    if (!unit.isEmpty(0)) unit.set(i, unit.get(0))
    unit.pop(pops ?? 0)
  },
  exchange: (unit, _action, { i }) => {
    unit.has(0, i)
    const [top, other] = [0, i].map((n) => (unit.isEmpty(n) ? indefinite : unit.get(n)))
    unit.set(0, other!)
    unit.set(i, top!)
  },
  cmov: (unit, _action, { i, isTrue }) => {
    if (!unit.has(0, i)) unit.set(0, indefinite)
    else if (isTrue) unit.set(0, unit.get(i))
  },
  free: (unit, { pops }, { i }) => {
    unit.free(i)
    unit.pop(pops ?? 0)
  },
  incstp: (unit) => { unit.top += 1 },
  decstp: (unit) => { unit.top -= 1 },

  chs: onTop((_unit, a) => withSign(a, opposite(a.sign))),
  abs: onTop((_unit, a) => withSign(a, 0)),
  sqrt: onTop(squareRoot),
  rndint: onTop(roundToInteger),
  scale: onTopByNext(scale),
  xtract: pushing(extract),
  prem: partial(onTopByNext(remainder(false))),
  prem1: partial(onTopByNext(remainder(true))),

  one: constant("one"), log2Ten: constant("log2Ten"), log2E: constant("log2E"), pi: constant("pi"),
  log10Two: constant("log10Two"), lnTwo: constant("lnTwo"), zero: constant("zero"),

  f2xm1: onTop(transcendental.powerOfTwoLessOne),
  yl2x: onNext(transcendental.yLog2),
  yl2xp1: onNext(transcendental.yLog2OfPlusOne),
  patan: onNext(transcendental.arcTangent),
  sin: partial(onTop(transcendental.sine)),
  cos: partial(onTop(transcendental.cosine)),
  sincos: partial(pushing(transcendental.sineAndCosine)),
  ptan: partial(pushing(transcendental.tangent))
}
