/** Plans by chance, judged and done. */
import { Cause, Effect, Exit } from "effect"
import { perform } from "../../src/user/Plan.ts"
import { runProgram } from "../../tests/examples/system.ts"
import { chanceOf } from "./chance.ts"
import { judge } from "./judge.ts"
import { built, type Step, steps, text } from "./plans.ts"

/** So many plans have identifiers for their address spaces in one system. */
const atOnce = 100

/** How each of some plans ends on one kernel; fewer, if one does not end. */
const done = (plans: ReadonlyArray<ReadonlyArray<Step>>): ReadonlyArray<Exit.Exit<unknown, unknown>> => {
  const exits: Array<Exit.Exit<unknown, unknown>> = []
  const program = Effect.forEach(
    plans,
    (steps) => Effect.map(Effect.exit(Effect.suspend(() => perform(built(steps)))), (exit) => exits.push(exit)),
    { discard: true }
  )
  runProgram(program, { memoryBytes: 2 ** 25, limit: 10 ** 8 })
  return exits
}

const head = ['import { plan } from "../../src/user/Plan.ts"', "declare const keep: (plan: unknown) => void"]

export const campaign = async (wanted: number, seed: number): Promise<boolean> => {
  const chance = chanceOf(seed)
  const plans = Array.from({ length: wanted }, () => steps(chance))
  const { refused, discard } = judge(
    head,
    plans.map((steps) => `keep(${text(steps)})`),
    wanted
  )
  discard()
  const accepted = plans.filter((_, index) => !refused.has(index))
  let broken = 0
  for (let from = 0; from < accepted.length; from += atOnce) {
    const batch = accepted.slice(from, from + atOnce)
    const exits = done(batch)
    for (const [index, steps] of batch.entries()) {
      const exit = exits[index]
      if (exit !== undefined && Exit.isSuccess(exit)) continue
      broken++
      const why = exit === undefined ? "it does not end" : Cause.pretty(exit.cause).split("\n")[0]
      console.error(`compiles, and is refused: ${text(steps)}\n  ${why}`)
      if (exit === undefined) break
    }
  }
  console.log(`${accepted.length} of ${wanted} plans compile: ${broken} of them are refused when they are done`)

  // Each in a system of its own: one that does not compile may wait for ever.
  const sample = plans.filter((_, index) => refused.has(index)).slice(0, 200)
  const doneAnyway = sample.filter((steps) => done([steps]).some(Exit.isSuccess))
  console.log(`of ${sample.length} plans that do not compile, ${doneAnyway.length} could have been done`)
  return broken === 0
}
