/** The interpreter's function as its handlers see it: locals, labels, the functions around it, and the ways out. */
import type { ValueType } from "../../wasm/instructions.ts"
import { functions } from "../functions.ts"
import { conditions, type FunctionName } from "../Meaning.ts"

/** Why the generated function returned. */
// biome-ignore format: a table
export const reason = {
  /** Before the micro-operation: it is for plain execution, or it was put there to stop, or a region begins. */
  plain:     0,
  stop:      1,
  region:    2,
  /** RIP is where a jump leads, and no block is known there. */
  jump:      3,
  /** As the causes of the same name. RIP is that of the block, of the instruction, of the next one. */
  countdown: 4,
  fault:     5,
  system:    6,
  /** The block at RIP has become hot. */
  hot:       7,
  /** Between the two functions: the handler of the micro-operation is the other's. */
  other:     8
} as const

// biome-ignore format: a table
export const locals = {
  pc:         0, // the micro-operation that runs
  page:       1, // the address at which its page is seen
  countdown:  2, // what is left when the block is paid for
  readTable:  3,
  writeTable: 4,
  context:    5, // contextOf
  why:        6, // a reason
  block:      7, // the block to enter
  link:       8, // the link to follow
  rip:        9  // where to go on
} as const
/** Of the locals that are no parameter. */
export const localTypes: ReadonlyArray<ValueType> = ["i64", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i64"]
export const firstFree = 10

/** Depths of the labels that a handler branches to, for handler 0; for another, its number is added. */
// biome-ignore format: a table
export const label = {
  /** `link` is followed. */
  follow:       0,
  /** Go on at `rip`. */
  throughCache: 1,
  /** `block` is entered. */
  enter:        2,
  /** Running stops before the micro-operation, because of `why`. */
  before:       3,
  /** The micro-operation `pc` is run. */
  next:         4
} as const

/** `find` of memory/Access.ts: the lower half of an address, the upper half, bytes, which table. */
export const findType = { parameters: ["i32", "i32", "i32", "i32"], results: ["i32"] } as const

/** The number of a function of vectors, and of parts: 0 if it raises an exception. */
export const vectorType = { parameters: ["i32", "i32"], results: ["i32"] } as const

/** Accesses that are not inline: what memory/Access.ts has by these names. */
export const accessNames = ["read", "modify", "write"] as const
export type AccessName = (typeof accessNames)[number]
export const functionNames = Object.keys(functions) as ReadonlyArray<FunctionName>

/** Indices of functions: imports first, in this order, then those of the module itself. */
const appliedFrom = accessNames.length
const vectorIndex = appliedFrom + functionNames.length
const findIndex = vectorIndex + 1
const slowFrom = findIndex + 1
const conditionsFrom = slowFrom + accessNames.length
// biome-ignore format: a table
export const functionIndex = {
  access:    (name: AccessName) => accessNames.indexOf(name),
  apply:     (name: FunctionName) => appliedFrom + functionNames.indexOf(name),
  /** (number of a function of vectors, number of parts): 0 if it raises an exception. */
  vector:    () => vectorIndex,
  /** `findType` */
  find:      () => findIndex,
  /** (address i64, width, micro-operation, countdown): what `access` answers, or leaves in `slot.left`. */
  slow:      (name: AccessName) => slowFrom + accessNames.indexOf(name),
  /** (number of a rule, its three inputs) */
  condition: (c: (typeof conditions)[number]) => conditionsFrom + conditions.indexOf(c),
  status:    () => conditionsFrom + conditions.length,
  /** The first of the functions that are made as they are asked for: floatFunction.ts. */
  made:      () => conditionsFrom + conditions.length + 1
} as const
