/**
 * The second reading: meanings as handlers of one WebAssembly function, over micro-operations.
 *
 * What has no handler yet is left to plain execution, an instruction at a time. When that has been asked often enough, the handlers that were
 * missing are made and the function is put together anew. So nothing is generated that no program needs, and the few that run once cost nothing.
 */
import { type Access, fault } from "../../memory/Access.ts"
import { explicit, ruleNumber } from "../flags.ts"
import { functions } from "../functions.ts"
import { makePlain } from "../plain.ts"
import type { MakeReading, Reading, ReadingParts } from "../Reading.ts"
import { at, cause } from "../State.ts"
import { callVectorFunction } from "../vectorFunctions.ts"
import { Blocks } from "./Blocks.ts"
import { statusReader } from "./flagFunction.ts"
import { type AccessName, accessNames, functionNames, reason } from "./frame.ts"
import { Generator } from "./generate.ts"
import { builtIn, field, header, link, microOperationBytes, outside, slot } from "./MicroOperation.ts"
import { Shapes } from "./Shape.ts"

/** What runs in place of blocks that have become hot (translator/). */
export interface Regions {
  /** Makes a region that begins with this block, which is at RIP, if there is a loop. */
  readonly begin: (block: number) => void
  /** Runs the region that begins with this block. True: anything may go on at RIP. False: the interpreter is to do what comes next. */
  readonly run: (block: number) => boolean
  /** The same block without the region. */
  readonly aside: (block: number) => number
  readonly codeWritten: (page: number) => void
}

export interface InterpreterOptions {
  /** How many instructions are left to plain execution before handlers are made for them. */
  readonly patience?: number
  /** When handlers are all in one function: up to so many; and once the first of the two has called the second so often for each. */
  readonly together?: { readonly handlers: number; readonly calls: number }
  /** Floating point in native arithmetic where that is the same: usually. */
  readonly nativeFloat?: boolean
  readonly regions?: {
    /** How often a block is entered before it is hot. */
    readonly heat: number
    readonly make: (blocks: Blocks, shapes: Shapes) => Regions
  }
}

/** Making handlers takes as long as so many instructions of plain execution, about; and more, the more handlers there are. */
const usualPatience = 100
const perHandlers = 100

/**
 * So few handlers in one function take an engine no time worth speaking of; and to make good code of one takes it as long as so many calls of the
 * second function and returns from it.
 */
const usuallyTogether = { handlers: 150, calls: 20_000 }

/** How often the status flags are asked for before there is a function for that. */
const statusPatience = 100

/** How plain execution leaves the flags that it sets. */
const explicitly = ruleNumber(explicit, 8)

/** An engine replaces a function by a better one only between calls: so many instructions at most in one. */
const mostInstructions = 1_000_000

/** More than that: with this much taken from the countdown, no block is entered. */
const debt = 2 ** 30

type Run = (microOperation: number) => number

export class Interpreter implements Reading {
  private readonly memory: WebAssembly.Memory
  private readonly access: Access
  private readonly plain: Reading
  private readonly blocks: Blocks
  private readonly generator: Generator
  private readonly regions: Regions | undefined
  private readonly patience: number
  private readonly together: NonNullable<InterpreterOptions["together"]>
  private readonly i32: Int32Array
  private readonly u16: Uint16Array
  private readonly imports: WebAssembly.Imports
  /** The second function of handlers, for the first. */
  private readonly second = new WebAssembly.Table({ element: "anyfunc", initial: 1 })
  private function: Run | undefined = undefined
  /** How often the flags were asked for; and what gives them, once that was often. */
  private asked = 0
  private readStatus: (() => number) | undefined = undefined
  /** Instructions left to plain execution since handlers were made. */
  private left = 0
  /** The micro-operation that `stop` stands in for, and its handler. */
  private stopAt = 0
  private stopped = 0
  /** What was taken from the countdown, to be given back when the generated function returns. */
  private owed = 0
  /** Nothing is run after the instruction that runs. */
  private isStopping = false

  constructor(
    { memory, access }: ReadingParts,
    { patience = usualPatience, together = usuallyTogether, nativeFloat = true, regions }: InterpreterOptions = {}
  ) {
    this.memory = memory
    this.access = access
    this.plain = makePlain({ memory, access })
    this.patience = patience
    this.together = together
    this.i32 = new Int32Array(memory.buffer)
    this.u16 = new Uint16Array(memory.buffer)
    this.generator = new Generator({ countsHeat: regions !== undefined, nativeFloat })
    const shapes = new Shapes()
    this.blocks = new Blocks(memory, access, shapes, this.generator, regions?.heat ?? 0)
    this.regions = regions?.make(this.blocks, shapes)
    this.imports = {
      machine: { memory, second: this.second },
      access: {
        ...Object.fromEntries(accessNames.map((name) => [name, this.slow(name)])),
        find: access.find ?? (() => fault)
      },
      functions: Object.fromEntries(functionNames.map((name) => [name, applied(name)])),
      vectors: callsOf(memory)
    }
  }

  run(): void {
    this.blocks.enter()
    this.i32[at.cause >> 2] = this.runUntil()
  }

  /** Goes on until there is a cause to stop. */
  private runUntil(): number {
    const { i32, u16 } = this
    let microOperation: number | undefined = this.locate()
    while (microOperation !== undefined) {
      if (microOperation === fault) return cause.fault
      if (i32[at.countdown >> 2]! < this.remaining(microOperation)) return cause.countdown
      if (u16[(microOperation + field.handler) >> 1] === builtIn.region) {
        microOperation = this.runRegion(microOperation)
        continue
      }
      switch (this.runFrom(microOperation)) {
        case reason.jump:
          microOperation = this.linked()
          break
        case reason.plain:
          microOperation = this.runPlainly()
          break
        case reason.region:
          microOperation = i32[slot.stopped >> 2]!
          break
        case reason.hot:
          microOperation = i32[slot.stopped >> 2]!
          this.regions?.begin(microOperation)
          break
        case reason.countdown:
          microOperation = this.locate()
          break
        case reason.stop:
          return cause.countdown
        case reason.fault:
          return cause.fault
        case reason.system:
          return cause.system
        default:
          throw new Error("the generated function has these reasons to return")
      }
    }
    return i32[at.cause >> 2]!
  }

  /** What to go on with after a region; where it did not come far, the same block without it. */
  private runRegion(block: number): number | undefined {
    const regions = this.regions!
    const goesOn = regions.run(block)
    const next = this.locate()
    const begins = next !== undefined && next !== fault && this.u16[(next + field.handler) >> 1] === builtIn.region
    return begins && !goesOn ? regions.aside(next) : next
  }

  /** The block at RIP. Undefined, with the cause: nothing is left of the countdown, so RIP must not even be fetched from. */
  private locate(): number | undefined {
    const { i32, regions } = this
    if (i32[at.countdown >> 2]! <= 0) {
      i32[at.cause >> 2] = cause.countdown
      return undefined
    }
    const block = this.blocks.locate()
    if (regions !== undefined && block !== fault && --i32[(block + header.heat) >> 2]! === 0) regions.begin(block)
    return block
  }

  step(): void {
    this.plain.step()
  }

  status(): number {
    if (this.readStatus !== undefined) return this.readStatus()
    if (++this.asked > statusPatience) this.readStatus = statusReader(this.memory)
    return this.plain.status()
  }

  codeWritten(page: number): void {
    this.plain.codeWritten(page)
    this.blocks.codeWritten(page)
    this.regions?.codeWritten(page)
  }

  codeMapChanged(): void {
    this.plain.codeMapChanged()
    this.blocks.codeMapChanged()
  }

  /** Makes the handlers that are missing. */
  generate(): void {
    const { generator, i32, together } = this
    this.left = 0
    if (this.function !== undefined && generator.missing === 0 && !this.isTorn()) return
    if (
      this.function === undefined ||
      generator.handlers < together.handlers ||
      generator.later * 2 > generator.handlers ||
      this.isTorn()
    ) {
      this.function = this.instance(generator.first())
      this.second.set(0, null)
      i32[slot.calls >> 2] = 0
    } else this.second.set(0, this.instance(generator.rest()))
    this.blocks.generated(generator.handlers)
  }

  /** One function calls the other so often that it is better to have all in one. */
  private isTorn(): boolean {
    return this.i32[slot.calls >> 2]! > this.together.calls * this.generator.handlers
  }

  private instance(bytes: Uint8Array<ArrayBuffer>): Run {
    return new WebAssembly.Instance(new WebAssembly.Module(bytes), this.imports).exports.run as Run
  }

  /** The size of what `generate` makes. */
  get generated(): { readonly handlers: number; readonly bytes: number } {
    return { handlers: this.generator.handlers, bytes: this.generator.first().length }
  }

  private remaining(microOperation: number): number {
    return this.u16[(microOperation + field.remaining) >> 1]!
  }

  private runFrom(microOperation: number): number {
    const { i32, u16 } = this
    if (this.function === undefined || u16[(microOperation + field.handler) >> 1] === builtIn.plain) {
      i32[slot.stopped >> 2] = microOperation
      return reason.plain
    }
    this.owed = Math.max(0, i32[at.countdown >> 2]! - mostInstructions)
    i32[at.countdown >> 2]! -= this.owed
    if (this.isTorn()) this.generate()
    const why = this.function(microOperation)
    i32[at.countdown >> 2]! += this.owed
    this.owed = 0
    if (!this.isStopping) return why
    this.isStopping = false
    if (this.stopAt !== 0) u16[(this.stopAt + field.handler) >> 1] = this.stopped
    this.stopAt = 0
    return why === reason.jump || why === reason.countdown ? reason.stop : why
  }

  /** The block at RIP, where a jump led; and next time the jump leads there by itself. */
  private linked(): number | undefined {
    const { blocks, i32 } = this
    const { epoch } = blocks
    const from = i32[slot.link >> 2]!
    const block = this.locate()
    if (from !== 0 && block !== undefined && block !== fault && epoch === blocks.epoch)
      i32[(from + link.block) >> 2] = i32[(block + header.crossing) >> 2] === 1 ? outside : block
    return block
  }

  /** The instruction of the micro-operation that stopped running, plainly. What to go on with; undefined if there is a cause to stop. */
  private runPlainly(): number | undefined {
    const { i32, blocks } = this
    const microOperation = i32[slot.stopped >> 2]!
    const { epoch } = blocks
    this.plain.step()
    if (i32[at.cause >> 2] !== cause.countdown || i32[at.attention >> 2] !== 0) return undefined
    const { later, missing } = this.generator
    if (++this.left > this.patience * (1 + later / perHandlers) && missing > 0) this.generate()
    // Handlers further on in the block may know by which rule the flags were set: plain execution sets them explicitly.
    // Of two joined instructions this was the first.
    const goesOn =
      i32[at.flagRule >> 2] !== explicitly &&
      this.remaining(microOperation) > 1 &&
      i32[at.rip >> 2]! - i32[slot.page >> 2]! === this.u16[(microOperation + field.next) >> 1]
    return goesOn && epoch === blocks.epoch ? microOperation + microOperationBytes : this.locate()
  }

  /** An access that is not inline. If attention is asked for, nothing is run after the instruction that makes it. */
  private slow(name: AccessName): (lo: number, hi: number, width: number) => number {
    const { i32, u16 } = this
    const access = this.access[name]
    return (lo, hi, width) => {
      i32[at.countdown >> 2]! += this.owed
      const answer = access(lo, hi, width)
      const microOperation = i32[slot.microOperation >> 2]!
      const remaining = u16[(microOperation + field.remaining) >> 1]!
      if (i32[at.attention >> 2] !== 0 && answer !== fault) this.stopAfter(microOperation, remaining)
      i32[slot.left >> 2] = i32[at.countdown >> 2]! - remaining - this.owed
      return answer
    }
  }

  private stopAfter(microOperation: number, remaining: number) {
    this.isStopping = true
    this.owed = remaining === 1 ? debt : 0
    if (remaining > 1 && this.stopAt === 0) {
      this.stopAt = microOperation + microOperationBytes
      this.stopped = this.u16[(this.stopAt + field.handler) >> 1]!
      this.u16[(this.stopAt + field.handler) >> 1] = builtIn.stop
    }
  }
}

/** Functions of vectors by their definitions, for made code. */
export const callsOf = (memory: WebAssembly.Memory) => {
  const view = new DataView(memory.buffer)
  return { call: (number: number, parts: number) => Number(callVectorFunction(view, number, parts)) }
}

export const makeInterpreter: MakeReading = (parts) => new Interpreter(parts)

/** WebAssembly hands over signed numbers. */
const applied =
  (name: (typeof functionNames)[number]) =>
  (...inputs: ReadonlyArray<bigint>): bigint =>
    functions[name](...inputs.map((input) => BigInt.asUintN(64, input)))
