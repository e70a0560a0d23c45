/**
 * The third reading: the interpreter, with loops that have become hot translated to functions of their own.
 *
 * A region is entered only at its first block, where a micro-operation stands for it. What it does not do itself, an access that is not inline, an exception,
 * the last instructions before the countdown ends, it leaves to the interpreter, with the state as before that instruction.
 */
import { fault } from "../../memory/Access.ts"
import { pageSize } from "../../memory/layout.ts"
import type { Blocks } from "../interpreter/Blocks.ts"
import { callsOf, Interpreter, type InterpreterOptions, type Regions } from "../interpreter/Interpreter.ts"
import type { Shapes } from "../interpreter/Shape.ts"
import type { MakeReading, ReadingParts } from "../Reading.ts"
import { at } from "../State.ts"
import { regionAt, type Worth } from "./Region.ts"
import { answer, RegionCode } from "./RegionCode.ts"

interface Translated {
  readonly page: number
  readonly run: () => number
  /** The first block, interpreted. */
  readonly aside: number
  /** How often it was entered since it was judged last, and the instructions that it completed. */
  entries: number
  instructions: number
}

/** Going in and out takes as long as the interpreter takes for so many instructions: a region that does fewer each time is not worth it. */
const worthwhile = 150
/** So often it may show what it does. */
const trial = 200

class Translator implements Regions {
  private readonly memory: WebAssembly.Memory
  private readonly blocks: Blocks
  private readonly shapes: Shapes
  /** By the micro-operations that stand for them, in the present epoch of blocks. */
  private readonly regions = new Map<number, Translated>()
  private epoch = 0
  private readonly worth: Worth
  private readonly i32: Int32Array

  private readonly imports: WebAssembly.Imports

  constructor({ memory, access }: ReadingParts, blocks: Blocks, shapes: Shapes, worth: Worth) {
    this.imports = { machine: { memory }, access: { find: access.find ?? (() => fault) }, vectors: callsOf(memory) }
    this.worth = worth
    this.memory = memory
    this.i32 = new Int32Array(memory.buffer)
    this.blocks = blocks
    this.shapes = shapes
  }

  begin(block: number): void {
    const { page, offset, mode } = this.blocks.here()
    if (!(mode.bits === 64 || (mode.bits === 32 && mode.isFlat))) return
    const bytes = new Uint8Array(this.memory.buffer, page * pageSize, pageSize)
    const region = this.blocks.isFull() ? undefined : regionAt(bytes, offset, mode, this.shapes, this.worth)
    if (region === undefined) return
    const module = new WebAssembly.Module(new RegionCode(region, mode).module())
    const { exports } = new WebAssembly.Instance(module, this.imports)
    if (this.epoch !== this.blocks.epoch) this.regions.clear()
    this.epoch = this.blocks.epoch
    const run = exports.region as () => number
    this.regions.set(block, { page, run, aside: this.blocks.beginRegion(block), entries: 0, instructions: 0 })
  }

  run(block: number): boolean {
    const { i32 } = this
    const region = this.translated(block)
    const before = i32[at.countdown >> 2]!
    const left = region.run()
    region.instructions += before - i32[at.countdown >> 2]!
    if (++region.entries === trial) this.judge(block, region)
    return left === answer.left
  }

  private judge(block: number, region: Translated) {
    if (region.instructions < trial * worthwhile && this.worth === "loops") {
      this.blocks.endRegion(block, region.aside)
      this.regions.delete(block)
    }
    region.entries = 0
    region.instructions = 0
  }

  aside(block: number): number {
    return this.translated(block).aside
  }

  codeWritten(page: number): void {
    for (const [block, region] of this.regions) if (region.page === page) this.regions.delete(block)
  }

  private translated(block: number): Translated {
    const region = this.regions.get(block)
    if (region === undefined) throw new Error("a micro-operation stands for a region that is there")
    return region
  }
}

export interface TranslatorOptions extends Pick<InterpreterOptions, "patience"> {
  /** How often a block is entered before it is hot. */
  readonly heat?: number
  /** What is worth translating. */
  readonly worth?: Worth
}

/** The interpreter enters a block so often in the time that translating takes. */
const usualHeat = 20_000

export const translator =
  ({ heat = usualHeat, worth = "loops", ...options }: TranslatorOptions): ((parts: ReadingParts) => Interpreter) =>
  (parts) =>
    new Interpreter(parts, {
      ...options,
      regions: { heat, make: (blocks, shapes) => new Translator(parts, blocks, shapes, worth) }
    })

export const makeTranslator: MakeReading = translator({})
