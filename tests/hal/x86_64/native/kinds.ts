/** The kinds of lines: what cases of each are made of, and what runs them. */
import type { Form } from "../../../../src/hal/x86_64/processor/Form.ts"
import { type Case, comparableForms, makeCase, type RegistersFor, registersFor } from "./cases.ts"
import { opinionOn } from "./host.ts"
import { makeOperationCase, operationForms, operationRegistersFor, withFrames } from "./operations.ts"
import type { Random } from "./Random.ts"
import { makeX87Case, withAreas, withNumbers, x87Forms, x87RegistersFor } from "./x87Cases.ts"

export interface Kind {
  readonly make: (form: Form, random: Random) => Case
  /** Other registers for an instruction that was made. */
  readonly registersFor: RegistersFor
  /** What lies in memory, made of what lies there for all. */
  readonly dataOf: (data: Uint8Array, random: Random) => Uint8Array
  /**
   * Lines that end in an operation of the machine run on a whole machine, by plain execution: what they do is the same for all readings. All
   * others run by every reading on memory without page tables.
   */
  readonly onMachine: boolean
  /** Registers depend on each other, whichever instruction it is. */
  readonly isDelicate: boolean
}

const same = (data: Uint8Array): Uint8Array => data
const flat: Kind = {
  make: (form, random) => makeCase(form, random),
  registersFor,
  dataOf: same,
  onMachine: false,
  isDelicate: false
}
const mmx: Kind = { ...flat, make: makeX87Case }
const x87: Kind = {
  make: makeX87Case,
  registersFor: x87RegistersFor,
  dataOf: (data, random) => withAreas(withNumbers(data, random), random),
  onMachine: true,
  isDelicate: false
}
const operation: Kind = {
  make: makeOperationCase,
  registersFor: operationRegistersFor,
  dataOf: withFrames,
  onMachine: true,
  isDelicate: true
}

/** MMX registers are the FPU's. */
const usesMmx = ({ operands }: Form): boolean => operands.some((operand) => /^p(?:32|64)?$/i.test(operand))
/** The FPU's registers are part of cases and outcomes. */
export const usesX87 = (kind: Kind): boolean => kind !== flat

/** A line of the tables that user mode can run. */
export interface Line {
  readonly form: Form
  readonly kind: Kind
  /** Unlike any other line's. */
  readonly name: string
  /** What it belongs to, as CPUID has it. */
  readonly group: string
}

export const nameOf = ({ opcode, name, operands, addressWidth, sizes }: Form): string =>
  [
    opcode,
    operands.length === 0 ? name : `${name} ${operands.join(",")}`,
    ...(addressWidth === undefined ? [] : [`a${addressWidth}`]),
    ...(sizes.length === 1 ? [`o${sizes[0]}`] : [])
  ].join(" ")

export const linesOf = (random: Random): ReadonlyArray<Line> => {
  const kinds = new Map<Form, Kind>([
    ...comparableForms(random).map((form) => [form, usesMmx(form) ? mmx : flat] as const),
    ...x87Forms.map((form) => [form, x87] as const),
    ...operationForms(random).map((form) => [form, operation] as const)
  ])
  return [...kinds].map(([form, kind]) => ({ form, kind, name: nameOf(form), group: opinionOn(form)[0] ?? "none" }))
}
