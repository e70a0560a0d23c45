import { assert, describe, it } from "vitest"
import { Machine } from "../../src/hal/x86_64/Machine.ts"
import { makeInterpreter } from "../../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import { initrd, kernel } from "./debian.ts"

const minutes = 60_000

/** What a person at the console sees and types: each answer is typed when its prompt has come. */
const session = (init: string, dialogue: ReadonlyArray<readonly [prompt: string, answer: string]>) => {
  let [seen, from] = ["", 0]
  const typed: Array<number> = []
  const rest = [...dialogue]
  const machine = new Machine({
    memoryBytes: 256 * 2 ** 20,
    reading: makeInterpreter,
    console: {
      write: (byte) => {
        seen += String.fromCharCode(byte)
      },
      read: () => typed.shift()
    }
  })
  const error = machine.loadKernel({
    kernel: { name: "vmlinuz", bytes: kernel() },
    initrd: { name: "initrd", bytes: initrd(init) },
    commandLine: "console=ttyS0"
  })
  assert.isUndefined(error)
  for (;;) {
    const stop = machine.run(machine.instructions + 5_000_000)
    const at = rest[0] === undefined ? -1 : seen.indexOf(rest[0][0], from)
    if (at >= 0) {
      from = at + rest[0]![0].length
      typed.push(...new TextEncoder().encode(`${rest.shift()![1]}\n`))
      machine.consoleReady()
    }
    if (stop._tag !== "Limit" || machine.instructions > 6e9) return { stop, seen, machine }
  }
}

describe("Debian's unmodified cloud kernel on the bare machine", () => {
  it(
    "boots to a shell that works, and turns the machine off",
    () => {
      const { stop, seen } = session("exec setsid cttyhack sh", [
        ["/ # ", "uname -srm"],
        ["/ # ", "ls /proc | grep -c info; grep -o 'Skyscope.*' /proc/cpuinfo"],
        ["/ # ", "dd if=/dev/zero bs=64k count=16 | md5sum"],
        ["/ # ", "n=0; for i in 1 2 3 4 5 6 7 8 9 10; do n=$((n + i)); done; echo sum $n"],
        ["sum 55", "awk 'BEGIN { printf \"%.6f\\n\", 355 / 113 * 1.5 }'"],
        ["4.712389", "poweroff -f"]
      ])
      assert.match(seen, /\nLinux 6\.\d+\.\S*cloud-amd64 x86_64\r/)
      assert.include(seen, "Skyscope x86-64 processor")
      assert.include(seen, "b6d81b360a5672d80c27430f39153e2c  -")
      assert.deepStrictEqual(stop, { _tag: "PowerOff" })
    },
    10 * minutes
  )
})
