/**
 * Watch: running a machine so that nobody can hold the host for ever.
 *
 * A program gives way whenever it asks for something, and after so many operations. One that does neither, because a step of it
 * does not end, cannot be stopped by the machine: the host stops it, and the run with it.
 */
import { runInThisContext } from "node:vm"
import type { Stop } from "../hal/x86_64/Processor.ts"
import * as HostGlobals from "../user/HostGlobals.ts"
import { TaskDefect } from "../user/Task.ts"
import type { System } from "./System.ts"

/** The machine runs in pieces of about so many milliseconds, which make no difference to what it does. */
const piece = 500

const entry = "skyscope: the piece to run"

/**
 * Run until there is a reason to stop, at the latest when so many instructions have been retired.
 *
 * @throws TaskDefect for a program that does not give way for `patience` milliseconds.
 */
export const run = ({ machine, run }: System, limit: number, patience = 10_000): Stop => {
  let instructions = 100_000
  for (;;) {
    const until = Math.min(limit, machine.instructions + instructions)
    const [started, before] = [performance.now(), machine.instructions]
    const stop = within(patience, () => run(until))
    if (stop._tag !== "Limit" || until === limit) return stop
    const perMillisecond = (machine.instructions - before) / Math.max(performance.now() - started, 0.1)
    instructions = Math.max(1000, Math.min(4 * instructions, Math.floor(perMillisecond * piece)))
  }
}

/** What `f` returns, if it does so in time. The script can be stopped where it stands, whatever it calls. */
const within = <A>(milliseconds: number, f: () => A): A => {
  Reflect.set(globalThis, entry, f)
  try {
    return runInThisContext(`globalThis[${JSON.stringify(entry)}]()`, { timeout: milliseconds })
  } catch (cause) {
    const task = HostGlobals.running()
    if (task !== undefined && isTimeout(cause)) {
      HostGlobals.leave()
      throw new TaskDefect(task, `does not give way: a step of it takes more than ${milliseconds / 1000} seconds`)
    }
    throw cause
  } finally {
    Reflect.deleteProperty(globalThis, entry)
  }
}

const isTimeout = (cause: unknown): boolean =>
  typeof cause === "object" && cause !== null && "code" in cause && cause.code === "ERR_SCRIPT_EXECUTION_TIMEOUT"
