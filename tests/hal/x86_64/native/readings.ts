/** The readings that run a line: each of its instructions by one of the quick ones, and some of its cases plainly. */
import { Interpreter } from "../../../../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import { makePlain } from "../../../../src/hal/x86_64/processor/plain.ts"
import type { ReadingParts } from "../../../../src/hal/x86_64/processor/Reading.ts"
import { translator } from "../../../../src/hal/x86_64/processor/translator/Translator.ts"
import type { Batch } from "./batches.ts"
import { type Kind, usesX87 } from "./kinds.ts"
import { MachineRunner } from "./machine.ts"
import { FlatRunner, type Runner } from "./read.ts"
import { caseAt, outcomeAt, statesOf } from "./states.ts"

export interface Named {
  readonly name: string
  readonly runner: Runner
}
export interface Readings {
  /** Runs some cases. */
  readonly plain: Named
  /** One of these runs all cases of a group; if there is none, plain execution does. */
  readonly quick: ReadonlyArray<Quick>
}
export interface Quick extends Named {
  /** Makes the handlers that are missing. */
  readonly generate: () => void
}

/** Handlers are made for a line at once; those for what comes up later, soon. */
const patience = 20

export const readingsFor = ({ onMachine }: Kind, selectors: ReadonlyArray<number>): Readings =>
  onMachine ? aMachine() : onFlat(selectors)

const onFlat = (selectors: ReadonlyArray<number>): Readings => {
  const quick = (name: string, make: (parts: ReadingParts) => Interpreter): Quick => {
    let reading: Interpreter | undefined
    const runner = new FlatRunner((parts) => (reading = make(parts)), selectors)
    return { name, runner, generate: () => reading?.generate() }
  }
  return {
    plain: { name: "plain", runner: new FlatRunner(makePlain, selectors) },
    quick: [
      quick("interpreter", (parts) => new Interpreter(parts, { patience })),
      quick("translator", translator({ patience, heat: 2, worth: "anything" }))
    ]
  }
}

let machine: Readings | undefined
const aMachine = (): Readings => {
  machine ??= { plain: { name: "machine", runner: new MachineRunner() }, quick: [] }
  return machine
}

export const quickFor = ({ quick }: Readings, group: number): Quick | undefined => quick[group % 4 === 3 ? 1 : 0]

const unseen = statesOf(outcomeAt.bytes)

/** Each instruction is run once, without being looked at: that shows which handlers are missing. */
export const prepare = (kind: Kind, batches: ReadonlyArray<Batch>, readings: Readings): void => {
  for (const { cases, data, groups } of batches) {
    for (const { runner } of readings.quick) runner.setData(data)
    for (const [index, { like, first }] of groups.entries()) {
      const quick = quickFor(readings, index)
      quick?.runner.setCode(like.code, usesX87(kind))
      quick?.runner.run(cases, first * caseAt.bytes, unseen, 0)
    }
  }
  for (const { generate } of readings.quick) generate()
}
