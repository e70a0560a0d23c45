/** The comparison with the native processor, as a library: any reading can be compared. */
import type { MakeReading } from "../../../../src/hal/x86_64/processor/Reading.ts"
import { type Case, comparableForms, initialData, makeCase } from "./cases.ts"
import { runNative } from "./native.ts"
import { differences } from "./outcome.ts"
import { Random } from "./Random.ts"
import { reader } from "./read.ts"

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
  const cases = comparableForms(random).flatMap((form) =>
    Array.from({ length: casesOfEach }, () => makeCase(form, random))
  )
  const { selectors, outcomes } = runNative(cases, data)
  const read = reader(make, data, selectors)
  if (again !== undefined) {
    for (const test of cases) read(test)
    again()
  }
  const different = cases.flatMap((test, i) => {
    const found = differences(test, outcomes[i]!, read(test))
    return found.length === 0 ? [] : [`${describe(test)}: ${found.join(", ")}`]
  })
  const exceptions = outcomes.filter(({ exception }) => exception !== undefined).length
  return { cases: cases.length, exceptions, different }
}

const describe = ({ code, instruction: { form } }: Case): string =>
  `${[...code].map((byte) => byte.toString(16).padStart(2, "0")).join(" ")} (${form.opcode} ${form.name})`
