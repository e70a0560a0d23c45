import { fault } from "../../memory/Access.ts"
import { table } from "../../memory/Tlb.ts"
import type { Code } from "../../wasm/Code.ts"
import type { ValueType } from "../../wasm/instructions.ts"
import { Module } from "../../wasm/Module.ts"
import { computeCode, takeResults } from "../computeCode.ts"
import { Emitter, loadWidth, storeWidth } from "../emit.ts"
import { ruleNumber } from "../flags.ts"
import type { Node } from "../Graph.ts"
import { flagFunction, flagFunctionType, uncalled } from "../interpreter/flagFunction.ts"
import { findType, vectorType } from "../interpreter/frame.ts"
import { slot } from "../interpreter/MicroOperation.ts"
import type { Compute, Flags, Load, Step, Store } from "../lower.ts"
import { conditions, type Mode } from "../Meaning.ts"
import { at, vectorBytes } from "../State.ts"
import { resultAt } from "../vectorFunctions.ts"
import {
  BlockLowering,
  type Calculation,
  findFunction,
  firstFlagFunction,
  firstFree,
  isVectorNumber,
  localOf,
  locals,
  placeOf,
  registers,
  type Snapshot,
  vectorFunction,
  type Work
} from "./BlockLowering.ts"
import { type Block, isBack, type Region } from "./Region.ts"

/** What a region's function answers. RIP, and all else in the state block, is where it was left. */
export const answer = {
  /** Go on there. */
  left: 0,
  /** What follows is not for a region: the interpreter goes on. */
  interpret: 1
} as const

/** An engine replaces a function by a better one only between calls: so many instructions at most in one. */
const mostInstructions = 400_000

/** What is open around the code that is written: a loop to go back to, a block to leave for what follows it, or neither. */
interface Frame {
  readonly loop?: Block
  readonly merge?: Block
}

/** Leaves the value of a register on the stack. */
type Registers = (number: number) => void

/**
 * A region as one function. Registers and flags are locals between blocks and expressions within them; what is left behind when the region
 * is left in the middle of a block is worked out there, so that it costs nothing on the way.
 *
 * Structured control flow follows the tree of dominators: a block that several ways lead to comes after the block of code that all of them are in.
 */
export class RegionCode {
  private readonly region: Region
  private readonly emitter = new Emitter(firstFree)
  private readonly code: Code
  private readonly lowered: ReadonlyMap<Block, BlockLowering>
  private readonly called = new Set<number>()
  private readonly frames: Array<Frame> = []
  /** Registers that the region changes, if only for a while. */
  private readonly changed: ReadonlyArray<number>
  /** Registers that have to be in locals: vectors only if they are named. */
  private readonly named: ReadonlyArray<number>

  private readonly isLong: boolean

  constructor(region: Region, mode: Mode) {
    this.region = region
    this.isLong = mode.bits === 64
    this.code = this.emitter.code
    this.lowered = new Map(region.blocks.map((block) => [block, new BlockLowering(block, mode, this.called)]))
    const lowered = Array.from(this.lowered.values())
    this.changed = numbers.filter((number) => lowered.some((block) => isChanged(block, number)))
    this.named = numbers.filter((number) => !isVectorNumber(number) || lowered.some(({ named }) => named.has(number)))
  }

  module(): Uint8Array<ArrayBuffer> {
    this.enter()
    this.tree(this.region.blocks[0]!)
    this.code.unreachable()
    const module = new Module()
    module.importMemory("machine", "memory")
    module.importFunction("access", "find", findType)
    module.importFunction("vectors", "call", vectorType)
    for (const [index, what] of [...conditions, "status" as const].entries()) {
      const { code, locals: types } = this.called.has(firstFlagFunction + index) ? flagFunction(what) : uncalled
      module.addFunction(flagFunctionType(what), types, code)
    }
    const type = { parameters: [], results: ["i32"] } as const
    module.exportFunction("region", module.addFunction(type, [...localTypes, ...this.emitter.locals], this.code))
    return module.bytes()
  }

  // ---- in and out

  private enter() {
    const { code } = this
    for (const number of this.named) {
      code.i32(0)
      if (isVectorNumber(number)) code.loadVector(placeOf(number))
      else code.load("i64.load", placeOf(number))
      code.set(localOf(number))
    }
    for (let input = 0; input < 3; input++)
      code
        .i32(0)
        .load("i64.load", at.flagInput + 8 * input)
        .set(locals.inputs + input)
    code.i32(0).load("i32.load", at.flagRule).set(locals.rule)
    code.i32(0).load("i64.load", slot.page).set(locals.page)
    code.i32(0).load("i32.load", at.readTable).set(locals.readTable)
    code.i32(0).load("i32.load", at.writeTable).set(locals.writeTable)
    code.i32(0).load("i32.load", at.countdown).set(locals.rest)
    code.i32(mostInstructions).get(locals.rest).i32(mostInstructions).get(locals.rest).numeric("i32.lt_s").select()
    code.set(locals.countdown)
    code.get(locals.rest).get(locals.countdown).numeric("i32.sub").set(locals.rest)
    const [entry] = this.region.blocks
    if (!entry!.isLoop) this.covered(entry!)
  }

  /** The countdown covers all ways from here to where this is asked again; else the region is left. */
  private covered(block: Block) {
    const { code } = this
    code.get(locals.countdown).i32(block.longest).numeric("i32.lt_s").if()
    this.leave(block.at, this.inLocals, undefined, 0)
    code.get(locals.rest).numeric("i32.eqz").return().end()
  }

  /** Everything is put in the state block. What the function answers is still to come. */
  private leave(rip: number | Node, put: Registers, flags: Flags | undefined, done: number) {
    const { code, emitter } = this
    for (const number of this.changed) {
      code.i32(0)
      put(number)
      if (isVectorNumber(number)) code.storeVector(placeOf(number))
      else code.store("i64.store", placeOf(number))
    }
    this.leaveFlags(flags)
    code.i32(0)
    if (typeof rip === "number") {
      code.get(locals.page).i64(BigInt(rip)).numeric("i64.add")
      if (!this.isLong) code.i64(0xffff_ffffn).numeric("i64.and")
    } else emitter.valueAside(rip)
    code.store("i64.store", at.rip)
    code.i32(0).get(locals.countdown).get(locals.rest).numeric("i32.add").i32(done).numeric("i32.sub")
    code.store("i32.store", at.countdown)
  }

  private leaveFlags(flags: Flags | undefined) {
    const { code, emitter } = this
    code.i32(0)
    if (flags === undefined) code.get(locals.rule)
    else code.i32(ruleNumber(flags.rule, flags.width))
    code.store("i32.store", at.flagRule)
    for (let input = 0; input < (flags?.inputs.length ?? 3); input++) {
      code.i32(0)
      if (flags === undefined) code.get(locals.inputs + input)
      else emitter.valueAside(flags.inputs[input]!)
      code.store("i64.store", at.flagInput + 8 * input)
    }
  }

  private readonly inLocals: Registers = (number) => {
    this.code.get(localOf(number))
  }

  /** The region is left before an instruction, for the interpreter to do it: it has the slow paths and raises the exceptions. */
  private leaveBefore({ here, registers: values, flags, done }: Snapshot) {
    this.leave(here, (number) => this.emitter.valueAside(values[number]!), flags, done)
    this.code.i32(answer.interpret).return()
  }

  // ---- the structure

  private tree(block: Block) {
    const merges = this.region.blocks.filter((each) => each !== block && each.dominator === block && isMerge(each))
    if (!block.isLoop) return this.within(block, merges)
    this.code.loop()
    this.frames.push({ loop: block })
    this.covered(block)
    this.within(block, merges)
    this.frames.pop()
    this.code.end()
  }

  /** The block's own code, inside a block of code for each of those that follow where ways meet again: the last is outermost. */
  private within(block: Block, merges: ReadonlyArray<Block>) {
    const last = merges.at(-1)
    if (last === undefined) return this.block(block)
    this.code.block()
    this.frames.push({ merge: last })
    this.within(block, merges.slice(0, -1))
    this.frames.pop()
    this.code.end()
    this.tree(last)
  }

  private branch(to: (frame: Frame) => boolean) {
    const depth = this.frames.findLastIndex(to)
    if (depth === -1) throw new Error("a block's successor is around it, or comes next")
    this.code.br(this.frames.length - 1 - depth)
  }

  private block(block: Block) {
    const { code, emitter } = this
    const lowering = this.lowered.get(block)!
    const changed = this.changed.filter((number) => lowering.registers[number] !== lowering.atFirst(number))
    const branches = block.ways.length === 2 ? lowering.target?.when : undefined
    const value = block.ways.length === 0 ? lowering.target?.to : undefined
    emitter.begin([
      ...lowering.list.flatMap(({ step }) => usedBy(step)),
      ...changed.map((number) => lowering.registers[number]!),
      ...(branches === undefined ? [] : [branches]),
      ...(value === undefined ? [] : [value])
    ])
    for (const { step, before } of lowering.list) this.step(step, before)
    this.keepFlags(block, lowering, changed)
    if (branches !== undefined) emitter.value(branches)
    if (value !== undefined) emitter.bindCopy(value)
    for (const number of changed) emitter.value(lowering.registers[number]!)
    for (const number of changed.toReversed()) code.set(localOf(number))
    for (const number of changed) emitter.isIn(lowering.registers[number]!, localOf(number))
    this.goOn(block, lowering, branches !== undefined, value)
  }

  private goOn(block: Block, lowering: BlockLowering, branches: boolean, value: Node | undefined) {
    const { code, emitter } = this
    const [taken, otherwise] = block.ways
    if (taken === undefined) {
      const last = block.places.at(-1)!
      this.leave(value ?? last.next, this.inLocals, lowering.flagsNow, block.places.length)
      code.i32(answer.left).return()
    } else if (branches && otherwise !== undefined) {
      const known = emitter.save()
      code.if()
      this.frames.push({})
      this.go(block, lowering, taken)
      code.else()
      emitter.restore(known)
      this.go(block, lowering, otherwise)
      this.frames.pop()
      code.end()
    } else this.go(block, lowering, taken)
  }

  /** One way on from the end of a block: to another block, or out of the region. */
  private go(block: Block, lowering: BlockLowering, way: number) {
    const { code } = this
    const next = this.region.successor(block, way)
    if (next === undefined) {
      this.leave(way, this.inLocals, lowering.flagsNow, block.places.length)
      code.i32(answer.left).return()
      return
    }
    code.get(locals.countdown).i32(block.places.length).numeric("i32.sub").set(locals.countdown)
    if (next.needsFlags && lowering.flagsNow !== undefined) this.passFlags(lowering.flagsNow)
    if (isBack(block, next)) this.branch((frame) => frame.loop === next)
    else if (isMerge(next)) this.branch((frame) => frame.merge === next)
    else this.tree(next)
  }

  private passFlags({ rule, width, inputs }: Flags) {
    const { code, emitter } = this
    // All are worked out before any is set: one may be made of another.
    for (const input of inputs) emitter.valueAside(input)
    for (let input = inputs.length - 1; input >= 0; input--) code.set(locals.inputs + input)
    code.i32(ruleNumber(rule, width)).set(locals.rule)
  }

  /** What flags are made of must outlive the registers that it is made of. */
  private keepFlags(block: Block, { flagsNow, registers: values }: BlockLowering, changed: ReadonlyArray<number>) {
    const ways = block.ways.map((way) => this.region.successor(block, way))
    if (flagsNow === undefined || (ways.length > 0 && ways.every((next) => next !== undefined && !next.needsFlags)))
      return
    const registersToBe = new Set<Node>(changed.map((number) => values[number]!))
    for (const input of flagsNow.inputs) {
      if (input.operation === "const" || registersToBe.has(input)) continue
      if (input.operation !== "local" || changed.includes(input.immediate)) this.emitter.bindCopy(input)
    }
  }

  // ---- steps

  private step(step: Step | Work | Calculation, before: Snapshot) {
    switch (step.kind) {
      case "work":
        this.emitter.bind(step.value)
        return
      case "compute":
        return this.compute(step, before)
      case "load":
        return this.load(step, before)
      case "store":
        return this.store(step, before)
      case "raise":
        this.emitter.value(step.when)
        this.code.if()
        this.leaveBefore(before)
        this.code.end()
        return
      case "skip":
        throw new Error("a region has no instruction that may be left out")
    }
  }

  private compute(step: Compute | Calculation, before: Snapshot) {
    const { emitter, code } = this
    if (!("isOurs" in step)) {
      this.define(step, before)
      return takeResults(emitter, step)
    }
    emitter.value(step.isOurs)
    const results = step.parts.map(() => emitter.newLocal("v128"))
    const known = emitter.save()
    code.if()
    for (const answer of step.answers) emitter.value(answer)
    for (const local of results.toReversed()) code.set(local)
    code.else()
    emitter.restore(known)
    this.define(step, before)
    for (const [part, local] of results.entries()) code.i32(0).loadVector(resultAt(part)).set(local)
    code.end()
    emitter.restore(known)
    for (const [part, { result }] of step.parts.entries()) emitter.isIn(result, results[part]!)
  }

  /** By its definition. The interpreter raises the exception, if it raises one. */
  private define(step: Compute, before: Snapshot) {
    const { emitter, code } = this
    computeCode(emitter, step, () => undefined, vectorFunction)
    code.numeric("i32.eqz").if()
    this.leaveBefore(before)
    code.end()
  }

  private load(step: Load, before: Snapshot) {
    const { emitter, code } = this
    const tables = step.modifies ? locals.writeTable : locals.readTable
    this.lookUp(step, tables, before)
    if (step.modifies || step.upper) code.get(emitter.take(step.host))
    loadWidth(code, step.width)
    emitter.take(step.result)
    if (step.upper === undefined) return
    code.get(emitter.bind(step.host)).loadVector(vectorBytes)
    emitter.take(step.upper)
  }

  /** Leaves where the bytes are on the stack. What is not cached and not found either is the interpreter's. */
  private lookUp({ address, width }: Load | Store, tables: number, before: Snapshot) {
    const { emitter, code } = this
    const miss = () => {
      const host = emitter.newLocal("i32")
      const guest = emitter.bind(address)
      code.get(guest).numeric("i32.wrap_i64").get(guest).i64(32n).numeric("i64.shr_u").numeric("i32.wrap_i64")
      code.i32(width / 8).i32(tables === locals.writeTable ? table.write : table.read)
      code.call(findFunction).tee(host).i32(fault).numeric("i32.eq").if()
      this.leaveBefore(before)
      code.end().get(host)
      emitter.release("i32", host)
    }
    emitter.lookUp(address, width, tables, nothing, miss, "i32")
  }

  private store(step: Store, before: Snapshot) {
    const { emitter, code } = this
    emitter.bind(step.value)
    if (step.upper) emitter.bind(step.upper)
    if (step.host === undefined) this.lookUp(step, locals.writeTable, before)
    else emitter.value(step.host)
    const host = step.upper && emitter.newLocal("i32")
    if (host !== undefined) code.tee(host)
    emitter.value(step.value)
    storeWidth(code, step.width)
    if (host === undefined) return
    code.get(host)
    emitter.value(step.upper!)
    code.storeVector(vectorBytes)
    emitter.release("i32", host)
  }
}

/** At the end of the block, or where it may be left: after POP and before PUSH, RSP is not what it is before and after both. */
const isChanged = (block: BlockLowering, number: number): boolean => {
  const before = block.atFirst(number)
  return block.registers[number] !== before || block.list.some((each) => each.before.registers[number] !== before)
}

const numbers = Array.from({ length: registers }, (_, number) => number)
const nothing = () => {}

const localTypes: ReadonlyArray<ValueType> = [
  ...Array.from({ length: locals.rule }, () => "i64" as const),
  ...Array.from({ length: locals.vectors - locals.rule }, () => "i32" as const),
  ...Array.from({ length: firstFree - locals.vectors }, () => "v128" as const)
]

/** Ways meet at this block. */
const isMerge = (block: Block): boolean => block.from.filter((from) => !isBack(from, block)).length > 1

const usedBy = (step: Step | Work | Calculation): ReadonlyArray<Node> => {
  switch (step.kind) {
    case "work":
      return [step.value, step.value]
    case "load":
      return [step.address, step.address]
    case "store":
      return [step.address, step.address, step.value, step.value, ...(step.upper ? [step.upper, step.upper] : [])]
    case "compute":
      return [
        ...step.parts.flatMap(({ inputs }) => inputs),
        ...("isOurs" in step ? [step.isOurs, ...step.answers] : [])
      ]
    case "raise":
    case "skip":
      return [step.when]
  }
}
