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
/** So many are judged at once. */
const perFile = 500
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

/** What was found out of some programs. */
export interface Found {
  accepted: number
  refused: number
  /** Of those that compile: what a statement of a task ended with, that the types promise not to happen. */
  readonly broken: Array<{ readonly text: string; readonly at: string; readonly why: string }>
  /** Of those that compile: how many ended well, lacked memory or slots, wait for ever, failed as the types say that they may. */
  readonly ends: Record<"Done" | "Lacking" | "Waiting" | "Foreseen", number>
  /** Of those that do not compile: how many were done, and how many of these end well, or wait, all the same. */
  tried: number
  harmless: number
  readonly bySentence: Map<string, { tried: number; harmless: number }>
}

/** Judge some programs and do them. */
const explore = async (from: number, tasks: ReadonlyArray<RootTask>, found: Found): Promise<void> => {
  const texts = tasks.map(({ text }) => text)
  const { refused, files, discard } = judge(head, texts, tasks.length)
  found.accepted += tasks.length - refused.size
  found.refused += refused.size
  try {
    const module: Readonly<Record<string, Program>> = await import(pathToFileURL(files[0]!).href)
    const programs = (of: (index: number) => boolean) =>
      new Map([...tasks.keys()].filter(of).map((index) => [from + index, module[`e${from + index}`]!]))
    const isRefused = (index: number) => refused.has(index)
    for (const [number, all] of ended(
      programs((index) => !isRefused(index)),
      atOnce
    )) {
      const { doubtful, text } = tasks[number - from]!
      const failed = all.filter((end) => end._tag === "Failed")
      const wrong = failed.filter(({ at }) => !doubtful.has(at))
      for (const { at, why } of wrong) found.broken.push({ text, at, why })
      if (wrong.length === 0) found.ends[failed.length > 0 ? "Foreseen" : (all[0]!._tag as keyof Found["ends"])]++
    }
    if (found.tried >= sample) return
    for (const [number, all] of ended(programs(isRefused), 1)) {
      const kind = kindOf(refused.get(number - from)!)
      const count = found.bySentence.get(kind) ?? { tried: 0, harmless: 0 }
      const isHarmless = all[0]!._tag !== "Lacking" && all.every(({ _tag }) => _tag !== "Failed")
      count.tried++
      found.tried++
      if (isHarmless) {
        count.harmless++
        found.harmless++
      }
      found.bySentence.set(kind, count)
    }
  } finally {
    discard()
  }
}

/** What a refusal is about, without what it says of one program. */
const kindOf = (said: string): string => {
  const [, sentence] = /"⛔ (.*?)"'/.exec(said) ?? []
  if (sentence === undefined) return said.split(":")[0]!
  return sentence.replaceAll(/'[^']*'|0x[\w]+|\b\d+\b|2\^\d+|\b[A-Z]\w+\b/g, "…")
}

/** Make, judge and do so many programs, some at a time. */
export const campaign = async (wanted: number, seed: number): Promise<boolean> => {
  const chance = chanceOf(seed)
  const found: Found = {
    ...{ accepted: 0, refused: 0, broken: [], tried: 0, harmless: 0, bySentence: new Map() },
    ends: { Done: 0, Lacking: 0, Waiting: 0, Foreseen: 0 }
  }
  for (let from = 0; from < wanted; from += perFile) {
    const tasks = Array.from({ length: Math.min(perFile, wanted - from) }, (_, at) => rootTask(chance, from + at))
    await explore(from, tasks, found)
    const { accepted, refused, broken } = found
    console.error(`${accepted + refused} of ${wanted}: ${accepted} compile, ${broken.length} of them are broken`)
  }
  const { accepted, refused, broken, ends, tried, harmless, bySentence } = found
  for (const { text, at, why } of broken.slice(0, 20)) console.error(`compiles, and at ${at}: ${why}\n${text}\n`)
  console.log(`${accepted} of ${wanted} root tasks compile: ${broken.length} receive what the types exclude`)
  console.log(
    `  ${ends.Done} end well, ${ends.Waiting} wait for ever, ${ends.Lacking} lack memory or slots, ${ends.Foreseen} are refused what types do not see`
  )
  console.log(`${refused} do not compile: of ${tried} of these, ${harmless} could have been done`)
  for (const [kind, { tried, harmless }] of [...bySentence].sort(([, a], [, b]) => b.tried - a.tried)) {
    console.log(`  ${`${harmless}`.padStart(5)} of ${`${tried}`.padStart(5)}  ${kind}`)
  }
  return broken.length === 0
}
