/** Root tasks by chance, judged and done. */
import { pathToFileURL } from "node:url"
import { Cause, Effect, Exit } from "effect"
import type { RootServices } from "../../src/user/RootTask.ts"
import { runProgram } from "../../tests/examples/system.ts"
import { chanceOf } from "./chance.ts"
import { judge } from "./judge.ts"
import { reached } from "./reached.ts"
import { head, type RootTask, rootTask } from "./rootTasks.ts"

type Program = Effect.Effect<unknown, unknown, RootServices>

/** So many programs that compile are done in one system, one after the other. One that does not may leave anything behind. */
const atOnce = 20
/** Of those that do not compile, so many are done. */
const sample = 1000
const perFile = 250
const memoryBytes = 2 ** 26

/** How a program ended: well; for want of memory or slots; waiting for ever; with an error, at a statement of a task. */
type End =
  | { readonly _tag: "Done" | "Lacking" | "Waiting" }
  | { readonly _tag: "Failed"; readonly at: string; readonly why: string; readonly isDefect: boolean }

const lacking = ["OutOfMemory", "OutOfSlots", "NotEnoughMemory"]

const endOf = (task: string, exit: Exit.Exit<unknown, unknown>): End => {
  if (Exit.isSuccess(exit)) return { _tag: "Done" }
  const error = exit.cause.reasons.find(Cause.isFailReason)?.error
  const tag = typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : undefined
  if (tag !== undefined && lacking.includes(tag)) return { _tag: "Lacking" }
  const why = tag === undefined ? Cause.pretty(exit.cause).split("\n")[0]! : JSON.stringify(error, written)
  return { _tag: "Failed", at: `${task}:${reached.get(task)}`, why, isDefect: error === undefined }
}
const written = (_: string, value: unknown): unknown => (typeof value === "bigint" ? `${value}n` : value)

/** How each of some programs ends, on one kernel; fewer, if one waits or is stopped. */
const done = (programs: ReadonlyArray<Program>): ReadonlyArray<ReadonlyArray<End>> => {
  const ends: Array<Array<End>> = []
  const run = runProgram(
    Effect.forEach(
      programs,
      (program) =>
        Effect.suspend(() => {
          reached.delete("root")
          return Effect.map(Effect.exit(program), (exit) => ends.push([endOf("root", exit)]))
        }),
      { discard: true }
    ),
    { memoryBytes, limit: 10 ** 9 }
  )
  if (ends.length < programs.length) {
    const stopped = run.notes.find((note) => note.startsWith("root "))
    ends.push([
      stopped === undefined
        ? { _tag: "Waiting" }
        : { _tag: "Failed", at: `root:${reached.get("root")}`, why: stopped, isDefect: false }
    ])
  }
  // A task that a program started has the program's number in its name.
  for (const [name, exit] of run.ends) {
    const [, number] = /^child(\d+)_/.exec(name) ?? []
    if (number !== undefined) children.push({ number: Number(number), end: endOf(name, exit) })
  }
  return ends
}
let children: Array<{ readonly number: number; readonly end: End }> = []

/** How all of them end, by number: so many at once in one system. */
const ended = (programs: ReadonlyMap<number, Program>, atOnce: number): ReadonlyMap<number, ReadonlyArray<End>> => {
  const ends = new Map<number, Array<End>>()
  const left = [...programs]
  children = []
  while (left.length > 0) {
    const batch = left.slice(0, atOnce)
    const some = done(batch.map(([, program]) => program))
    for (const [index, end] of some.entries()) ends.set(batch[index]![0], [...end])
    left.splice(0, some.length)
  }
  for (const { number, end } of children) ends.get(number)?.push(end)
  return ends
}

export interface Found {
  readonly accepted: number
  readonly refused: number
  /** Of those that compile: statements that ended with what the types promise not to happen. */
  readonly broken: ReadonlyArray<{ readonly program: number; readonly at: string; readonly why: string }>
  /** Of those that compile: how many ended well, lacked memory or slots, wait for ever, failed as the types say that they may. */
  readonly ends: Readonly<Record<"Done" | "Lacking" | "Waiting" | "Foreseen", number>>
  /** Of those that do not compile: how many were done, and how many of these end well, or wait, all the same. */
  readonly tried: number
  readonly harmless: number
  readonly bySentence: ReadonlyMap<string, { readonly refused: number; readonly harmless: number }>
}

/** Make, judge and do so many. `told` hears how far it is. */
export const search = async (
  wanted: number,
  seed: number,
  told: (text: string) => void = () => undefined
): Promise<Found & { readonly tasks: ReadonlyArray<RootTask> }> => {
  const chance = chanceOf(seed)
  const tasks = Array.from({ length: wanted }, (_, number) => rootTask(chance, number))
  told(`${wanted} programs are judged`)
  const { refused, files, discard } = judge(
    head,
    tasks.map(({ text }) => text),
    perFile
  )
  told(`${wanted - refused.size} of them compile; all are done`)
  const broken: Array<Found["broken"][number]> = []
  const ends = { Done: 0, Lacking: 0, Waiting: 0, Foreseen: 0 }
  const bySentence = new Map<string, { refused: number; harmless: number }>()
  let [tried, harmless] = [0, 0]
  try {
    for (const [index, file] of files.entries()) {
      const module: Readonly<Record<string, Program>> = await import(pathToFileURL(file).href)
      const numbers = tasks.slice(index * perFile, (index + 1) * perFile).map((_, at) => index * perFile + at)
      const programs = (of: (number: number) => boolean) =>
        new Map(numbers.filter(of).map((number) => [number, module[`e${number}`]!]))
      const good = ended(
        programs((number) => !refused.has(number)),
        atOnce
      )
      const bad =
        tried < sample
          ? ended(
              programs((number) => refused.has(number)),
              1
            )
          : new Map<number, Array<End>>()
      tried += bad.size
      for (const [number, all] of [...good, ...bad]) {
        const failed = all.filter((end) => end._tag === "Failed")
        const sentence = refused.get(number)
        if (sentence !== undefined) {
          const count = bySentence.get(kindOf(sentence)) ?? { refused: 0, harmless: 0 }
          count.refused++
          if (failed.length === 0 && all[0]!._tag !== "Lacking") {
            harmless++
            count.harmless++
          }
          bySentence.set(kindOf(sentence), count)
          continue
        }
        const wrong = failed.filter(({ at }) => !tasks[number]!.doubtful.has(at))
        for (const { at, why } of wrong) broken.push({ program: number, at, why })
        if (wrong.length === 0) ends[failed.length > 0 ? "Foreseen" : (all[0]!._tag as keyof typeof ends)]++
      }
      told(`${Math.min(wanted, (index + 1) * perFile)} of ${wanted} done, ${broken.length} broken`)
    }
  } finally {
    discard()
  }
  return { tasks, accepted: wanted - refused.size, refused: refused.size, broken, ends, tried, harmless, bySentence }
}

/** What a refusal is about, without what it says of one program. */
const kindOf = (said: string): string => {
  const [, sentence] = /"⛔ (.*?)"'/.exec(said) ?? []
  if (sentence === undefined) return said.split(":")[0]!
  return sentence.replaceAll(/'[^']*'|0x[\w]+|\b\d+\b|2\^\d+|\b[A-Z]\w+\b/g, "…")
}

export const campaign = async (wanted: number, seed: number): Promise<boolean> => {
  const { tasks, accepted, refused, broken, ends, tried, harmless, bySentence } = await search(
    wanted,
    seed,
    console.error
  )
  for (const { program, at, why } of broken.slice(0, 20)) {
    console.error(`compiles, and at ${at}: ${why}\n${tasks[program]!.text}\n`)
  }
  console.log(`${accepted} of ${wanted} root tasks compile: ${broken.length} receive what the types exclude`)
  console.log(
    `  ${ends.Done} end well, ${ends.Waiting} wait for ever, ${ends.Lacking} lack memory or slots, ${ends.Foreseen} are refused what types do not see`
  )
  console.log(`${refused} do not compile: of ${tried} of these, ${harmless} could have been done`)
  for (const [kind, { refused, harmless }] of [...bySentence].sort(([, a], [, b]) => b.refused - a.refused)) {
    console.log(`  ${`${harmless}`.padStart(5)} of ${`${refused}`.padStart(5)}  ${kind}`)
  }
  return broken.length === 0
}
