import { assert, describe, it } from "vitest"
import { makeInterpreter } from "../../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import { Boot } from "./boot.ts"

const minutes = 60_000

describe("Debian's unmodified cloud kernel on the bare machine", () => {
  it(
    "boots to a shell that works, and turns the machine off",
    () => {
      const boot = new Boot(makeInterpreter)
      const stop = boot.talk([
        ["/ # ", "uname -srm"],
        ["/ # ", "ls /proc | grep -c info; grep -o 'Skyscope.*' /proc/cpuinfo"],
        ["/ # ", "dd if=/dev/zero bs=64k count=16 | md5sum"],
        ["/ # ", "n=0; for i in 1 2 3 4 5 6 7 8 9 10; do n=$((n + i)); done; echo sum $n"],
        ["sum 55", "awk 'BEGIN { printf \"%.6f\\n\", 355 / 113 * 1.5 }'"],
        ["4.712389", "poweroff -f"]
      ])
      assert.match(boot.seen, /\nLinux 6\.\d+\.\S*cloud-amd64 x86_64\r/)
      assert.include(boot.seen, "Skyscope x86-64 processor")
      assert.include(boot.seen, "b6d81b360a5672d80c27430f39153e2c  -")
      assert.deepStrictEqual(stop, { _tag: "PowerOff" })
    },
    10 * minutes
  )
})
