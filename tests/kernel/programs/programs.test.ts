/**
 * The interface as compiled programs see it: each program is the first task, checks what the kernel does, and prints a
 * sentence for each thing that it checks, with the checks that failed below.
 */
import { assert, describe, it } from "@effect/vitest"
import type { Options } from "../../examples/system.ts"
import { run } from "./programs.ts"

const programs = [
  "boot",
  "cnode",
  "corners",
  "selves",
  "endpoint",
  "notification",
  "reply",
  "thread",
  "time",
  "exact",
  "paging",
  "fault",
  "device",
  "fpu",
  "guest"
]

/** A compiler, a machine and some ten million instructions take their time where others work as well. */
const seconds = 60_000

/** The program ends, and none of its checks failed. */
const passes = (name: string, options: Options = {}): void => {
  const { output, notes, stop } = run(name, { memoryBytes: 32 * 2 ** 20, limit: 1e9, ...options })
  const lines = output.split("\n")
  const failed = lines.filter((line, index) => [line, lines[index + 1]].some((each) => each?.startsWith("  ")))
  assert.deepStrictEqual({ failed, notes, stop }, { failed: [], notes: [], stop: { _tag: "Idle" } }, output)
  assert.isTrue(output.endsWith("done\n"), output)
}

describe("a program in C", () => {
  for (const name of programs)
    it(
      `finds the kernel to be as it expects: ${name}.c`,
      () => {
        passes(name)
      },
      seconds
    )

  it(
    "is told of threads by the debug calls, and halts the machine by one: debug.c",
    () => {
      const { output, notes, stop } = run("debug", { memoryBytes: 32 * 2 ** 20, limit: 1e9, domains: 2 })
      assert.notInclude(output, "FAILED")
      assert.isTrue(output.endsWith("- halts the machine\n"), output)
      assert.deepStrictEqual(stop, { _tag: "Halt", report: "first task halted the machine" })
      assert.deepStrictEqual(notes.slice(0, -1), [
        "255 first task runs",
        "100 third is ready",
        "100 second, with a name of which only the first sixty-four letters a is ready",
        "100 elsewhere is ready in domain 1"
      ])
      assert.match(notes.at(-1)!, /^RAX .*CPL 0 .*instruction at RIP: 0F 05 syscall/s)
    },
    seconds
  )

  it(
    "finds its boot information true on a machine of 256 MiB",
    () => {
      passes("boot", { memoryBytes: 256 * 2 ** 20 })
    },
    seconds
  )
})
