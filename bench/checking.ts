/** How long the compiler takes to check programs, on one thread: what it takes more than for the same imports alone. */
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Benchmark } from "./Benchmark.ts"

const root = join(import.meta.dirname, "..")

const imports = `import { Effect, Schema } from "effect"
import * as S from "../../src/user/index.ts"
export const imported = [Effect, Schema, S.plan, S.rootTask]
class Log extends S.protocol("log", { write: { request: Schema.String, reply: Schema.Void } }) {}
export { Log }
`

const lines = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => line(index)).join("\n")

/** A root task of so many calls, ten at a time: objects, copies, loans, mappings, messages, and their ends. */
const rootTask = (calls: number): string => `
export default S.rootTask(Effect.gen(function* () {
  const { asidPool, tcb } = yield* S.BootInfo
  const space = yield* S.AddressSpace_Create(asidPool)
${lines(
  calls / 10,
  (n) => `
  const endpoint${n} = yield* S.Endpoint_Create(Log)
  const bell${n} = yield* S.create("Notification")
  const frame${n} = yield* S.create("Page4K")
  const copy${n} = yield* S.Cap_Copy(endpoint${n}, ["write", "grantReply"])
  const badged${n} = yield* S.Cap_Mint(bell${n}, ["write"], { badge: ${n}n })
  yield* S.AddressSpace_Map(space, "0x${(0x40_0000 + 0x1000 * n).toString(16)}", frame${n}, ["read", "write"])
  yield* S.ask(copy${n}, "write", "text")
  yield* S.withRevocable(badged${n}, ["write"], (lent) => S.Signal(lent))
  S.consume(bell${n})
  yield* S.Cap_Delete(bell${n})
  const thread${n} = yield* S.TCB_Create(space, endpoint${n})
  yield* S.TCB_Resume(thread${n})`
)}
  return tcb
}))
`

const counted = (calls: number): string => `
export const counted = Effect.gen(function* () {
  const m0 = yield* S.Untyped_Create(24)
${lines(calls, (n) => `  const [, m${n + 1}] = yield* S.Untyped_Carve(m${n}, "${["Endpoint", "TCB", "Page4K"][n % 3]}")`)}
  return m${calls}
})
`

const plan = (steps: number): string => `
export const planned = S.plan(24)
  .retype("memory", "PML4", "space")
${lines(
  steps / 4,
  (n) => `  .retype("memory", "Page4K", "frame${n}")
  .copy("frame${n}", ["read", "write"], "copy${n}")
  .map("copy${n}", "space", "0x${(0x40_0000 + 0x1000 * n).toString(16)}", ["read", "write"])
  .delete("frame${n}")`
)}
`

/** Each task calls the next over an endpoint of its own, and shares memory with it. */
const system = (tasks: number): string => `
const link = S.task({ up: Log, down: Log, answers: "Reply", mine: "Frame", theirs: "Frame" }, (has) =>
  Effect.gen(function* () {
    yield* S.ask(has.up, "write", "text")
    yield* S.Shared_Read(has.mine, 0, 1)
    yield* S.Shared_Write(has.theirs, 0, new Uint8Array(1))
    yield* S.serve(has.down, has.answers, { write: (_, to) => S.reply(to, undefined) })
  })
)
export const system = S.defineSystem({
  objects: {
${lines(tasks, (n) => `    log${n}: Log, answers${n}: "Reply", frame${n}: "Page4K",`)}
  },
  tasks: {
${lines(
  tasks - 1,
  (n) => `    task${n}: { program: link, priority: ${n + 1}, grants: {
      up: { to: "log${n + 1}", rights: ["write", "grantReply"] }, down: { to: "log${n}", rights: ["read"] },
      answers: { to: "answers${n}", rights: ["send", "receive"] },
      mine: { to: "frame${n}", rights: ["read"] }, theirs: { to: "frame${n + 1}", rights: ["read", "write"] } } },`
)}
    last: { program: S.task({ down: Log, answers: "Reply" }, (has) => S.serve(has.down, has.answers, { write: (_, to) => S.reply(to, undefined) })),
      priority: 200, grants: { down: { to: "log${tasks - 1}", rights: ["read"] }, answers: { to: "answers${tasks - 1}", rights: ["send", "receive"] } } },
    first: { program: S.task({ up: Log }, ({ up }) => S.ask(up, "write", "text")), priority: 0,
      grants: { up: { to: "log0", rights: ["write", "grantReply"] } } },
    alone: { program: S.task({}, () => Effect.void), priority: 1, grants: {} }
  },
  isolated: [["alone", "first"], ["alone", "last"]]
})
`

/** Seconds that the compiler says it takes to check a program, which it must accept: the best of some tries. */
export const seconds = (text: string, tries = 3): number => {
  const scratch = join(root, "bench", "build")
  mkdirSync(scratch, { recursive: true })
  const folder = mkdtempSync(join(scratch, "checking-"))
  try {
    writeFileSync(join(folder, "program.ts"), text.replaceAll("../../src", "../../../src"))
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({ extends: "../../../tsconfig.base.json", include: ["."] })
    )
    return Math.min(...Array.from({ length: tries }, () => check(folder)))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const check = (folder: string): number => {
  const tsc = join(root, "node_modules/typescript/bin/tsc")
  const options = ["-p", folder, "--extendedDiagnostics", "--singleThreaded"]
  const { status, stdout } = spawnSync(process.execPath, [tsc, ...options], { encoding: "utf8" })
  const [, time] = /Check time:\s+([\d.]+)s/.exec(stdout) ?? []
  if (status !== 0 || time === undefined)
    throw new Error(`a program that is measured compiles:\n${stdout.slice(0, 2000)}`)
  return Number(time)
}

/** What is measured, by name. */
export const programs: Readonly<Record<string, string>> = {
  "root task of 200 calls": imports + rootTask(200),
  "program of 200 counted allocations": imports + counted(200),
  "plan of 200 steps": imports + plan(200),
  "system of 30 tasks and 90 objects": imports + system(30)
}

export const checking: Benchmark = {
  name: "checking",
  run: () => {
    const alone = seconds(imports)
    return [
      { name: "imports alone, s", value: alone },
      ...Object.entries(programs).map(([name, text]) => ({ name: `${name}, s more`, value: seconds(text) - alone }))
    ]
  }
}
