/** The comparison with the native processor, as a library: any reading can be compared. */
import type { Form } from "../../../../src/hal/x86_64/processor/Form.ts"
import type { MakeReading } from "../../../../src/hal/x86_64/processor/Reading.ts"
import { type Case, comparableForms, initialData, makeCase } from "./cases.ts"
import { differing } from "./liberties.ts"
import { MachineRunner } from "./machine.ts"
import { type Native, runNative } from "./native.ts"
import { makeOperationCase, operationForms, withFrames } from "./operations.ts"
import { type Outcome, show } from "./outcome.ts"
import { Random } from "./Random.ts"
import { FlatRunner, readerOf } from "./read.ts"
import { makeX87Case, withAreas, withNumbers, x87Forms } from "./x87Cases.ts"

export interface Comparison {
  readonly cases: number
  /** Cases in which both raised an exception. */
  readonly exceptions: number
  /** What differs: the bytes, the form, and what the native processor and the reading made of it. */
  readonly different: ReadonlyArray<string>
}

/**
 * So many cases of each form that can be compared, the same for the same seed.
 *
 * `again`: the cases are run once without being looked at; then this is called, and they are run and compared.
 */
export const compareNatively = (
  make: MakeReading,
  seed: number,
  casesOfEach: number,
  again?: () => void
): Comparison => {
  const random = new Random(seed)
  const data = initialData(random)
  const cases = casesOf(comparableForms(random), makeAnyCase, random, casesOfEach)
  const native = runNative(cases, data)
  const read = readerOf(new FlatRunner(make, native.selectors), data)
  if (again !== undefined) {
    for (const test of cases) read(test)
    again()
  }
  return compare(cases, native, read)
}

/** MMX registers are the FPU's. */
const makeAnyCase = (form: Form, random: Random): Case =>
  form.operands.some((operand) => /^p(?:32|64)?$/i.test(operand)) ? makeX87Case(form, random) : makeCase(form, random)

/** The same for the instructions of the x87 FPU. */
export const compareX87 = (seed: number, casesOfEach: number, only = (_name: string) => true): Comparison => {
  const random = new Random(seed)
  const data = withAreas(withNumbers(initialData(random), random), random)
  const cases = casesOf(
    x87Forms.filter(({ name }) => only(name)),
    makeX87Case,
    random,
    casesOfEach
  )
  return compare(cases, runNative(cases, data), readerOf(new MachineRunner(), data))
}

/** The same for the system operations that user mode may try, on a whole machine. */
export const compareOperations = (seed: number, casesOfEach: number): Comparison => {
  const random = new Random(seed)
  const data = withFrames(initialData(random), random)
  const cases = casesOf(operationForms(random), makeOperationCase, random, casesOfEach)
  return compare(cases, runNative(cases, data), readerOf(new MachineRunner(), data))
}

const casesOf = (
  forms: ReadonlyArray<Form>,
  make: (form: Form, random: Random) => Case,
  random: Random,
  each: number
): ReadonlyArray<Case> => forms.flatMap((form) => Array.from({ length: each }, () => make(form, random)))

const compare = (cases: ReadonlyArray<Case>, { outcomes }: Native, read: (test: Case) => Outcome): Comparison => {
  const different = cases.flatMap((test, i) => {
    const [theirs, ours] = [outcomes[i]!, read(test)]
    const found = differing(test, theirs, ours)
    return found.length === 0 ? [] : [`${describe(test)}: ${found.map(show).join(", ")}`]
  })
  const exceptions = outcomes.filter(({ exception }) => exception !== undefined).length
  return { cases: cases.length, exceptions, different }
}

const describe = ({ code, instruction: { form } }: Case): string =>
  `${[...code].map((byte) => byte.toString(16).padStart(2, "0")).join(" ")} (${form.opcode} ${form.name})`
