/**
 * The third reading: the interpreter, with loops that have become hot translated to functions of their own.
 *
 * A region is entered only at its first block, where a micro-operation stands for it. What it does not do itself, an access that is not inline, an exception,
 * the last instructions before the countdown ends, it leaves to the interpreter, with the state as before that instruction.
 */
import { pageSize } from "../../memory/layout.ts"
import type { Blocks } from "../interpreter/Blocks.ts"
import { Interpreter, type InterpreterOptions, type Regions } from "../interpreter/Interpreter.ts"
import type { Shapes } from "../interpreter/Shape.ts"
import type { MakeReading, ReadingParts } from "../Reading.ts"
import { regionAt } from "./Region.ts"
import { answer, RegionCode } from "./RegionCode.ts"

interface Translated {
  readonly page: number
  readonly run: () => number
  /** The first block, interpreted. */
  readonly aside: number
}

class Translator implements Regions {
  private readonly memory: WebAssembly.Memory
  private readonly blocks: Blocks
  private readonly shapes: Shapes
  /** By the micro-operations that stand for them, in the present epoch of blocks. */
  private readonly regions = new Map<number, Translated>()
  private epoch = 0

  private readonly worth: "loops" | "anything"

  constructor({ memory }: ReadingParts, blocks: Blocks, shapes: Shapes, worth: "loops" | "anything") {
    this.worth = worth
    this.memory = memory
    this.blocks = blocks
    this.shapes = shapes
  }

  begin(block: number): void {
    const { page, offset, mode } = this.blocks.here()
    const bytes = new Uint8Array(this.memory.buffer, page * pageSize, pageSize)
    const region = this.blocks.isFull() ? undefined : regionAt(bytes, offset, mode, this.shapes, this.worth)
    if (region === undefined) return
    const module = new WebAssembly.Module(new RegionCode(region, mode).module())
    const { exports } = new WebAssembly.Instance(module, { machine: { memory: this.memory } })
    if (this.epoch !== this.blocks.epoch) this.regions.clear()
    this.epoch = this.blocks.epoch
    this.regions.set(block, { page, run: exports.region as () => number, aside: this.blocks.beginRegion(block) })
  }

  run(block: number): boolean {
    return this.at(block).run() === answer.left
  }

  aside(block: number): number {
    return this.at(block).aside
  }

  codeWritten(page: number): void {
    for (const [block, region] of this.regions) if (region.page === page) this.regions.delete(block)
  }

  private at(block: number): Translated {
    const region = this.regions.get(block)
    if (region === undefined) throw new Error("a micro-operation stands for a region that is there")
    return region
  }
}

export interface TranslatorOptions extends Pick<InterpreterOptions, "patience"> {
  /** How often a block is entered before it is hot. */
  readonly heat?: number
  /** What is worth translating. */
  readonly worth?: "loops" | "anything"
}

const usualHeat = 500

export const translator =
  ({ heat = usualHeat, worth = "loops", ...options }: TranslatorOptions): ((parts: ReadingParts) => Interpreter) =>
  (parts) =>
    new Interpreter(parts, {
      ...options,
      regions: { heat, make: (blocks, shapes) => new Translator(parts, blocks, shapes, worth) }
    })

export const makeTranslator: MakeReading = translator({})
