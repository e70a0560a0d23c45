/**
 * The interpreter's functions: `loop { br_table on the micro-operation's handler }`, with the handlers that have been asked for.
 *
 * An engine takes its time with a function as long as that, and starts anew with every other. So there are two, each of a module: the *first* has
 * the handlers below a number and stays; the *second* has those that were asked for since, and is put together again with every few of
 * them. The first calls the second for a handler that it does not have; the second returns for one that it does not have. When that
 * happens too often, the first takes them all.
 *
 * The newest handler comes first in the text. So the branches in a handler's code depend on its own number alone, and the code is
 * made once, however often a module is put together again with more of them.
 */
import { fault } from "../../memory/Access.ts"
import { table } from "../../memory/Tlb.ts"
import { Code } from "../../wasm/Code.ts"
import type { FunctionType } from "../../wasm/Module.ts"
import { Module } from "../../wasm/Module.ts"
import type { Natives } from "../computeCode.ts"
import { Emitter, loadWidth, storeWidth } from "../emit.ts"
import { ruleNumber } from "../flags.ts"
import { functions } from "../functions.ts"
import { type Condition, conditions, type FunctionName } from "../Meaning.ts"
import { at } from "../State.ts"
import type { VectorFunction } from "../vectorFunctions.ts"
import { flagFunction, flagFunctionType, uncalled } from "./flagFunction.ts"
import { floatFunction, floatFunctionType, isNative } from "./floatFunction.ts"
import {
  type AccessName,
  accessNames,
  findType,
  firstFree,
  functionIndex,
  functionNames,
  label,
  locals,
  localTypes,
  reason,
  vectorType
} from "./frame.ts"
import { Handler, type HandlerFunctions } from "./Handler.ts"
import { HandlerCode, type Wanted } from "./HandlerCode.ts"
import { builtIn, field, header, jumpCache, link, outside, outside16, outside32, slot } from "./MicroOperation.ts"

const run: FunctionType = { parameters: ["i32"], results: ["i32"] }
const slowImport: FunctionType = { parameters: ["i32", "i32", "i32"], results: ["i32"] }
const slowFunction: FunctionType = { parameters: ["i64", "i32", "i32", "i32"], results: ["i32"] }
const applied = (name: FunctionName): FunctionType => ({
  parameters: new Array<"i64">(functions[name].length).fill("i64"),
  results: ["i64"]
})

export class Generator {
  private readonly wanted = new Map<number, number>()
  private readonly specifications: Array<Wanted> = []
  private readonly codes: Array<Code> = []
  /** The second function has the handlers from this number on. */
  private second: number = builtIn.number
  private readonly emitter = new Emitter(firstFree)
  /** Functions over all rules are long: those that nobody calls are left out. */
  private readonly called = new Set<number>()
  private readonly countsHeat: boolean

  /** Functions in native arithmetic that handlers call, in the order of their indices. */
  private readonly natives: Array<{ readonly name: VectorFunction; readonly parts: number }> = []
  private readonly usesNativeFloat: boolean

  constructor(options: { readonly countsHeat: boolean; readonly nativeFloat: boolean }) {
    this.countsHeat = options.countsHeat
    this.usesNativeFloat = options.nativeFloat
  }

  /** The handler's number. It is in modules that are put together after this. */
  handler(wanted: Wanted): number {
    const { shape, flags, known, jump } = wanted
    const rule = known === undefined ? 0 : ruleNumber(known.rule, known.width) + 1
    const key =
      ((shape.number * 3 + flagsNumber[flags]) * 1024 + rule) * 65536 + (jump === undefined ? 0 : jump.number + 1)
    let number = this.wanted.get(key)
    if (number === undefined) {
      number = builtIn.number + this.specifications.push(wanted) - 1
      this.wanted.set(key, number)
    }
    return number
  }

  /** Handlers below this number are in the module that is made next. */
  get handlers(): number {
    return builtIn.number + this.specifications.length
  }

  /** How many handlers the next module will have that the last one did not. */
  get missing(): number {
    return this.specifications.length - this.codes.length
  }

  /** The first function, with all handlers that there are. */
  first(): Uint8Array<ArrayBuffer> {
    this.makeCodes()
    this.second = this.handlers
    return this.module(builtIn.number, (module) => otherOfFirst(module.typeIndex(run)))
  }

  /** The second: those that the first does not have. */
  rest(): Uint8Array<ArrayBuffer> {
    this.makeCodes()
    return this.module(this.second, otherOfSecond)
  }

  /** The handlers that the second function has, or will have. */
  get later(): number {
    return this.handlers - this.second
  }

  private makeCodes() {
    while (this.missing > 0) this.codes.push(this.handlerCode(this.codes.length))
  }

  /** With the handlers from a number on. */
  private module(from: number, other: (module: Module) => Code): Uint8Array<ArrayBuffer> {
    const module = new Module()
    module.importMemory("machine", "memory")
    module.importTable("machine", "second")
    for (const name of accessNames) module.importFunction("access", name, slowImport)
    for (const name of functionNames) module.importFunction("functions", name, applied(name))
    module.importFunction("vectors", "call", vectorType)
    module.importFunction("access", "find", findType)
    for (const name of accessNames) module.addFunction(slowFunction, ["i32"], slowCode(name))
    for (const c of conditions) this.addFlagFunction(module, functionIndex.condition(c), c)
    this.addFlagFunction(module, functionIndex.status(), "status")
    for (const { name, parts } of this.natives) {
      const { code, locals } = floatFunction(name, parts, functionIndex.vector())
      module.addFunction(floatFunctionType(name, parts), locals, code)
    }
    const code = this.runCode(from, other(module))
    const index = module.addFunction(run, [...localTypes, ...this.emitter.locals], code)
    module.exportFunction("run", index)
    return module.bytes()
  }

  private addFlagFunction(module: Module, index: number, what: Condition | "status") {
    const { code, locals } = this.called.has(index) ? flagFunction(what) : uncalled
    module.addFunction(flagFunctionType(what), locals, code)
  }

  private readonly functions: HandlerFunctions = {
    condition: (c) => this.call(functionIndex.condition(c)),
    status: () => this.call(functionIndex.status()),
    apply: functionIndex.apply
  }
  private call(index: number): number {
    this.called.add(index)
    return index
  }

  private readonly native: Natives = (name, parts, inputs) => {
    if (!this.usesNativeFloat || !isNative(name, inputs)) return undefined
    const known = this.natives.findIndex((each) => each.name === name && each.parts === parts)
    return functionIndex.made() + (known === -1 ? this.natives.push({ name, parts }) - 1 : known)
  }

  private handlerCode(index: number): Code {
    const { shape, flags, known, jump } = this.specifications[index]!
    const handler = new Handler(shape.operands, shape.mode, known, this.functions)
    handler.run(shape.form.meaning)
    if (flags === "always") handler.alwaysSetsFlags()
    if (jump !== undefined) handler.runJump(jump.form.meaning, jump.operands)
    this.emitter.code = new Code()
    return new HandlerCode(handler, this.emitter, builtIn.number + index, flags !== "quiet", this.native).write()
  }

  private runCode(from: number, other: Code): Code {
    const code = new Code(0x4000)
    const none = new Code(1)
    const handlers = [
      builtInCodes.plain(),
      builtInCodes.stop(),
      builtInCodes.goOn(),
      builtInCodes.region(),
      other,
      ...this.codes.map((each, index) => (index + builtIn.number < from ? none : each))
    ]
    const has = (number: number): boolean => number < builtIn.number || number >= from
    const depthOf = (number: number): number => handlers.length - 1 - number
    code.i32(0).load("i64.load", slot.page).set(locals.page)
    pay(code)
    code.i32(0).load("i32.load", at.readTable).set(locals.readTable)
    code.i32(0).load("i32.load", at.writeTable).set(locals.writeTable)
    code.i32(0).load("i32.load", slot.context).set(locals.context)
    code.loop().block().block().block().block()
    for (const _ of handlers) code.block()
    code.get(locals.pc).load("i32.load16_u", field.handler)
    code.brTable(
      handlers.map((_, number) => depthOf(has(number) ? number : builtIn.other)),
      depthOf(builtIn.other)
    )
    for (let number = handlers.length - 1; number >= 0; number--) code.end().append(handlers[number]!)
    follow(code.end())
    throughCache(code.end())
    this.enter(code.end())
    before(code.end())
    return code.end().unreachable()
  }

  /** The block is in the local: it is paid for and run, if there is enough left for all of it. */
  private enter(code: Code) {
    const { block, countdown, pc } = locals
    code.get(countdown).get(block).load("i32.load16_u", field.remaining).numeric("i32.sub").tee(countdown)
    code.i32(0).numeric("i32.lt_s").if()
    refund(code, block)
    leaveAt(code, () => inPage(code, block, field.here), reason.countdown)
    code.end()
    if (this.countsHeat) {
      code.get(block).i32(-header.heat).numeric("i32.sub").get(block).i32(-header.heat).numeric("i32.sub")
      code.load("i32.load").i32(1).numeric("i32.sub").tee(locals.why).store("i32.store")
      code.get(locals.why).numeric("i32.eqz").if()
      refund(code, block)
      code.get(block).set(pc)
      leaveAt(code, () => inPage(code, block, field.here), reason.hot)
      code.end()
    }
    code.get(block).set(pc).br(1)
  }
}

const flagsNumber = { said: 0, quiet: 1, always: 2 } as const satisfies Record<Wanted["flags"], number>

// ---- the parts of the function that handlers share

/** Where in the code something is, as an address. */
const inPage = (code: Code, microOperation: number, offset: number) =>
  code.get(locals.page).get(microOperation).load("i64.load16_u", offset).numeric("i64.add")

/** What the countdown has without the block, from the micro-operation `pc` on. */
const pay = (code: Code) =>
  code
    .i32(0)
    .load("i32.load", at.countdown)
    .get(locals.pc)
    .load("i32.load16_u", field.remaining)
    .numeric("i32.sub")
    .set(locals.countdown)

/** What was paid for the block from this micro-operation on is given back. */
const refund = (code: Code, microOperation: number) =>
  code
    .get(locals.countdown)
    .get(microOperation)
    .load("i32.load16_u", field.remaining)
    .numeric("i32.add")
    .set(locals.countdown)

const leaveAt = (code: Code, rip: () => void, why: number) => {
  code.i32(0)
  rip()
  code.store("i64.store", at.rip)
  code.i32(0).get(locals.countdown).store("i32.store", at.countdown)
  code.i32(0).get(locals.pc).store("i32.store", slot.stopped)
  code.i32(why).return()
}

/** `link` is followed: to its block, or through the jump cache, or running stops to have it linked. */
const follow = (code: Code) => {
  code.get(locals.link).load("i32.load", link.block).tee(locals.block)
  code
    .i32(0)
    .numeric("i32.gt_s")
    .brIf(label.enter - label.throughCache)
  code.get(locals.page).get(locals.link).load("i64.load32_s", link.to).numeric("i64.add").set(locals.rip)
  code.get(locals.block).i32(outside).numeric("i32.eq").brIf(0)
  for (const [kind, mask] of [
    [outside32, 0xffff_ffffn],
    [outside16, 0xffffn]
  ] as const) {
    code.get(locals.block).i32(kind).numeric("i32.eq").if()
    code.get(locals.rip).i64(mask).numeric("i64.and").set(locals.rip).br(1).end()
  }
  code.i32(0).get(locals.link).store("i32.store", slot.link)
  leaveAt(code, () => code.get(locals.rip), reason.jump)
}

/** RIP is in the local: the block is in the jump cache, or running stops. */
const throughCache = (code: Code) => {
  const mask = (jumpCache.entries - 1) * jumpCache.bytes
  const shift = Math.log2(jumpCache.bytes)
  code.get(locals.rip).numeric("i32.wrap_i64").tee(locals.block)
  code.get(locals.block).i32(jumpCache.fold).numeric("i32.shr_u").numeric("i32.xor")
  code.get(locals.context).i32(jumpCache.contextFold).numeric("i32.shr_u").numeric("i32.xor")
  code.i32(shift).numeric("i32.shl").i32(mask).numeric("i32.and").tee(locals.block)
  code
    .load("i64.load", jumpCache.at + jumpCache.rip)
    .get(locals.rip)
    .numeric("i64.eq")
  code
    .get(locals.block)
    .load("i32.load", jumpCache.at + jumpCache.context)
    .get(locals.context)
    .numeric("i32.eq")
  code.numeric("i32.and").numeric("i32.eqz").if()
  code.i32(0).i32(0).store("i32.store", slot.link)
  leaveAt(code, () => code.get(locals.rip), reason.jump)
  code.end()
  code
    .get(locals.block)
    .load("i32.load", jumpCache.at + jumpCache.block)
    .tee(locals.block)
  code.load("i64.load16_u", field.here).set(locals.page)
  code.get(locals.rip).get(locals.page).numeric("i64.sub").set(locals.page)
  code.i32(0).get(locals.page).store("i64.store", slot.page)
}

/** The micro-operation did nothing: the state is as before its instruction. */
const before = (code: Code) => {
  refund(code, locals.pc)
  code.i32(0)
  inPage(code, locals.pc, field.here).store("i64.store", at.rip)
  code.i32(0).get(locals.countdown).store("i32.store", at.countdown)
  code.i32(0).get(locals.pc).store("i32.store", slot.stopped)
  code.get(locals.why).return()
}

/** Handlers without an instruction. */
const builtInCodes = {
  plain: () =>
    new Code()
      .i32(reason.plain)
      .set(locals.why)
      .br(label.before + builtIn.plain),
  stop: () =>
    new Code()
      .i32(reason.stop)
      .set(locals.why)
      .br(label.before + builtIn.stop),
  goOn: () =>
    new Code()
      .get(locals.pc)
      .i32(field.fallThrough)
      .numeric("i32.add")
      .set(locals.link)
      .br(label.follow + builtIn.goOn),
  region: () =>
    new Code()
      .i32(reason.region)
      .set(locals.why)
      .br(label.before + builtIn.region)
} as const satisfies Record<Exclude<keyof typeof builtIn, "number" | "other">, () => Code>

/** The second function goes on with the micro-operation, until it comes to one whose handler is the first's. */
const otherOfFirst = (type: number): Code => {
  const code = new Code()
  code.i32(0).i32(0).load("i32.load", slot.calls).i32(1).numeric("i32.add").store("i32.store", slot.calls)
  refund(code, locals.pc)
  code.i32(0).get(locals.countdown).store("i32.store", at.countdown)
  code.get(locals.pc).i32(0).callIndirect(type).tee(locals.why).i32(reason.other).numeric("i32.ne").if()
  code.get(locals.why).return().end()
  code.i32(0).load("i32.load", slot.stopped).set(locals.pc)
  // It may have come from another page.
  code.i32(0).load("i64.load", slot.page).set(locals.page)
  pay(code)
  return code.br(label.next + builtIn.other)
}

const otherOfSecond = (): Code =>
  new Code()
    .i32(reason.other)
    .set(locals.why)
    .br(label.before + builtIn.other)

/**
 * An access that is not inline. Parameters: the address, the width, the micro-operation, the countdown when the block is paid for. Mostly, its translation
 * was just not cached. What else may be looked at meanwhile is in the state block: the exact countdown.
 */
const slowCode = (name: AccessName): Code => {
  const [address, width, microOperation, countdown, host] = [0, 1, 2, 3, 4] as const
  const code = new Code()
  const halves = () =>
    code.get(address).numeric("i32.wrap_i64").get(address).i64(32n).numeric("i64.shr_u").numeric("i32.wrap_i64")
  halves().get(width).i32(3).numeric("i32.shr_u").i32(mostBytes).numeric("i32.and")
  code.i32(tableOf[name]).call(functionIndex.find()).tee(host).i32(fault).numeric("i32.ne").if()
  code.i32(0).get(countdown).store("i32.store", slot.left)
  if (name === "write") putAll(code, width, host)
  else code.get(host)
  code.return().end()
  code.i32(0).get(microOperation).store("i32.store", slot.microOperation)
  code.i32(0).get(countdown).get(microOperation).load("i32.load16_u", field.remaining).numeric("i32.add")
  code.store("i32.store", at.countdown)
  return halves().get(width).call(functionIndex.access(name))
}

/** Of the bytes of an access, without `inStack`. */
const mostBytes = 0x3f
const tableOf = { read: table.read, modify: table.write, write: table.write } as const satisfies Record<
  AccessName,
  number
>

/** What is in `at.bounce`, in the parts that any width is made of. Leaves 0. */
const putAll = (code: Code, width: number, host: number) => {
  for (const bits of [8, 16, 32, 64, 128, 256] as const) {
    code.get(width).i32(bits).numeric("i32.and").if()
    for (let bytes = 0; bytes < bits / 8; bytes += 16) {
      code.get(host).i32(0)
      loadWidth(code, bits, at.bounce + bytes)
      storeWidth(code, bits, bytes)
    }
    code.end()
  }
  code.i32(0)
}
