import { inStack } from "../../memory/Access.ts"
import type { Code } from "../../wasm/Code.ts"
import { computeCode, type Natives, takeResults } from "../computeCode.ts"
import { type Emitter, loadWidth, storeOf, storeWidth } from "../emit.ts"
import { ruleNumber } from "../flags.ts"
import type { Node, Value, Vector } from "../Graph.ts"
import type { Compute, Jump, Load, NewFlags, Step, Store, Write } from "../lower.ts"
import { systemNames } from "../Meaning.ts"
import { at, exceptions, segments, stateWords, vectorBytes } from "../State.ts"
import { type AccessName, functionIndex, label, locals, reason } from "./frame.ts"
import { type Handler, type KnownFlags, withinPlace } from "./Handler.ts"
import { field, microOperationBytes, slot } from "./MicroOperation.ts"
import type { Shape } from "./Shape.ts"

/** A handler that is wanted: a shape, at what is known about flags where it stands. */
export interface Wanted {
  readonly shape: Shape
  /** Flags as the meaning says; or nobody looks at them; or it always sets them here. */
  readonly flags: "said" | "quiet" | "always"
  readonly known: KnownFlags | undefined
  /** The jump that follows, in the same handler. */
  readonly jump: Shape | undefined
}

/**
 * A handler's code: first the steps that may stop it; then, with every value worked out, what it writes; then the way on.
 *
 * @param number the handler's: as many blocks are open around its code, inside those that `label` counts
 */
export class HandlerCode {
  private readonly handler: Handler
  private readonly emitter: Emitter
  private readonly code: Code
  private readonly number: number
  private readonly flags: NewFlags | undefined
  private readonly natives: Natives
  /** Blocks that this code has open itself. */
  private open = 0

  constructor(handler: Handler, emitter: Emitter, number: number, setsFlags: boolean, natives: Natives) {
    this.natives = natives
    this.handler = handler
    this.emitter = emitter
    this.code = emitter.code
    this.number = number
    this.flags = setsFlags ? handler.newFlags : undefined
  }

  write(): Code {
    const { handler, emitter } = this
    const steps: ReadonlyArray<Step> = [...handler.steps, ...handler.stores]
    const written = this.written()
    emitter.begin([...steps.flatMap(usedBy), ...written])
    for (const step of steps) this.step(step)
    // What is written first may be what a later value is read from.
    const several =
      handler.writes.length +
        handler.words.length +
        (this.flags ? 2 : 0) +
        (handler.target || handler.operation ? 1 : 0) >
      1
    if (several) for (const node of written) if (node.operation !== "const") emitter.bind(node)
    for (const write of handler.writes) this.register(write)
    for (const { word, value } of handler.words) this.word(stateWords[word].offset, value)
    if (this.flags !== undefined) this.newFlags(this.flags)
    if (handler.operation !== undefined) this.system()
    else if (handler.target !== undefined) this.jump(handler.target)
    else this.next()
    return this.code
  }

  /** All that is worked out before anything changes. */
  private written(): ReadonlyArray<Node> {
    const { writes, words, target, operation } = this.handler
    return [
      ...writes.flatMap(({ value, when }) => (when === undefined ? [value] : [value, when])),
      ...words.map(({ value }) => value),
      ...(this.flags?.inputs ?? []),
      ...(this.flags?.unless ? [this.flags.unless] : []),
      ...(target === undefined || this.isLinked(target) ? [] : [target.to]),
      ...(target?.when ? [target.when] : []),
      ...(operation?.inputs ?? [])
    ]
  }

  // ---- steps

  private step(step: Step) {
    switch (step.kind) {
      case "load":
        return this.load(step)
      case "store":
        return this.store(step)
      case "compute":
        return this.compute(step)
      case "raise":
        this.when(step.when)
        this.code.i32(0).i32(exceptions[step.exception].vector).store("i32.store", at.vector)
        this.code.i32(0).i32(0).store("i32.store", at.errorCode)
        this.fault()
        return this.end()
      case "skip":
        this.when(step.when)
        if (this.handler.target === undefined && this.handler.operation === undefined) this.next()
        else this.follow(field.fallThrough)
        return this.end()
    }
  }

  private load(step: Load) {
    const { emitter, code } = this
    const table = step.modifies ? locals.writeTable : locals.readTable
    emitter.lookUp(step.address, step.width, table, () => {}, () => this.slow(step, step.modifies ? "modify" : "read"), "i32") // biome-ignore format: one line
    if (step.modifies || step.upper) code.get(emitter.take(step.host))
    loadWidth(code, step.width)
    emitter.take(step.result)
    if (step.upper === undefined) return
    code.get(emitter.bind(step.host)).loadVector(vectorBytes)
    emitter.take(step.upper)
  }

  private store(step: Store) {
    const { emitter, code } = this
    emitter.bind(step.value)
    if (step.upper) emitter.bind(step.upper)
    if (step.host === undefined) {
      const hit = () => this.put(step)
      emitter.lookUp(step.address, step.width, locals.writeTable, hit, () => this.storeSlow(step))
      return
    }
    const host = emitter.bind(step.host)
    code.get(host).i32(at.bounce).numeric("i32.ne").if()
    code.get(host)
    this.put(step)
    code.else()
    this.storeSlow(step)
    code.end()
  }

  /** To the host address on the stack. */
  private put(step: Store) {
    const { code, emitter } = this
    const host = step.upper && emitter.newLocal("i32")
    if (host !== undefined) code.tee(host)
    emitter.value(step.value)
    storeWidth(code, step.width)
    if (host === undefined) return
    code.get(host)
    emitter.value(step.upper!)
    code.storeVector(vectorBytes)
  }

  private storeSlow(step: Store) {
    this.code.i32(0)
    this.emitter.value(step.value)
    storeWidth(this.code, step.width, at.bounce)
    if (step.upper) {
      this.code.i32(0)
      this.emitter.value(step.upper)
      this.code.storeVector(at.bounce + vectorBytes)
    }
    this.slow(step, "write")
    this.code.drop()
  }

  /** Leaves what the access answered on the stack. It may have changed the countdown. */
  private slow(step: Load | Store, name: AccessName) {
    const { code, emitter } = this
    const answer = emitter.newLocal("i32")
    code.get(emitter.bind(step.address)).i32(step.width)
    if (!step.memory.implied)
      code.get(locals.pc).load("i32.load8_u", field.stack).i32(inStack).numeric("i32.mul").numeric("i32.or")
    else if (step.memory.segment === segments.ss) code.i32(inStack).numeric("i32.or")
    code.get(locals.pc).get(locals.countdown).call(functionIndex.slow(name)).tee(answer)
    code.i32(-1).numeric("i32.eq").if()
    this.open += 2
    this.fault()
    this.open -= 2
    code.end()
    code.i32(0).load("i32.load", slot.left).set(locals.countdown)
    code.get(answer)
  }

  private compute(step: Compute) {
    const { code, emitter } = this
    computeCode(emitter, step, this.natives, functionIndex.vector())
    code.numeric("i32.eqz").if()
    this.open++
    this.fault()
    this.end()
    takeResults(emitter, step)
  }

  private when(truth: Node) {
    this.emitter.value(truth)
    this.code.if()
    this.open++
  }
  private end() {
    this.open--
    this.code.end()
  }

  // ---- writes

  private register({ register, value, when }: Write) {
    const { code, emitter, handler } = this
    if (when !== undefined) {
      emitter.value(when)
      code.if()
    }
    if (register.implied) code.i32(0)
    else emitter.valueAside(handler.place(register))
    const offset = register.implied ? register.offset : withinPlace(register)
    if (isVector(value)) {
      emitter.value(value)
      code.storeVector(offset)
    } else {
      emitter.value(value)
      code.store(storeOf[register.width === 32 ? 64 : register.width], offset)
    }
    if (when !== undefined) code.end()
  }

  private word(offset: number, value: Node) {
    this.code.i32(0)
    this.emitter.value(value)
    this.code.store("i64.store", offset)
  }

  private newFlags({ rule, width, inputs, unless }: NewFlags) {
    const { code, emitter } = this
    if (unless !== undefined) {
      emitter.value(unless)
      code.numeric("i32.eqz").if()
    }
    code.i32(0).i32(ruleNumber(rule, width)).store("i32.store", at.flagRule)
    for (const [index, input] of inputs.entries()) this.word(at.flagInput + 8 * index, input)
    if (unless !== undefined) code.end()
  }

  // ---- the way on

  private next() {
    this.code.get(locals.pc).i32(microOperationBytes).numeric("i32.add").set(locals.pc)
    this.branch("next")
  }

  /** A jump within the page may be linked: its target depends on the micro-operation alone. */
  private isLinked({ to }: Jump): boolean {
    return to === this.handler.relativeTarget || to === this.handler.here()
  }

  private jump(target: Jump) {
    const { code, emitter } = this
    if (!this.isLinked(target)) {
      const rip = emitter.bind(target.to)
      if (target.when !== undefined) {
        emitter.value(target.when)
        code.numeric("i32.eqz").if()
        this.open++
        this.follow(field.fallThrough)
        this.end()
      }
      code.get(rip).set(locals.rip)
      return this.branch("throughCache")
    }
    if (target.when === undefined) return this.follow(field.taken)
    emitter.value(target.when)
    code.if()
    this.open++
    this.follow(field.taken)
    this.end()
    this.follow(field.fallThrough)
  }

  private follow(way: number) {
    this.code.get(locals.pc).i32(way).numeric("i32.add").set(locals.link)
    this.branch("follow")
  }

  /** An operation ends its block: there is nothing left of it to give back. */
  private system() {
    const { code, handler } = this
    const { name, inputs } = handler.operation!
    code
      .i32(0)
      .i64(BigInt(systemNames.indexOf(name)))
      .store("i64.store", at.detail)
    for (const [index, input] of inputs.entries()) this.word(at.inputs + 8 * index, input)
    this.word(at.rip, handler.next())
    this.word(at.stoppedAt, handler.here())
    code.i32(0).get(locals.countdown).store("i32.store", at.countdown)
    code.i32(0).get(locals.pc).store("i32.store", slot.stopped)
    code.i32(reason.system).return()
  }

  private fault() {
    this.code.i32(reason.fault).set(locals.why)
    this.branch("before")
  }

  private branch(to: keyof typeof label) {
    this.code.br(label[to] + this.number + this.open)
  }
}

const isVector = (value: Value | Vector): value is Vector => value.type === "v128"

const usedBy = (step: Step): ReadonlyArray<Node> => {
  switch (step.kind) {
    case "load":
      return [step.address, step.address]
    case "store":
      return [step.address, step.address, step.value, step.value, ...(step.upper ? [step.upper, step.upper] : [])]
    case "compute":
      return step.parts.flatMap(({ inputs }) => inputs)
    case "raise":
    case "skip":
      return [step.when]
  }
}
