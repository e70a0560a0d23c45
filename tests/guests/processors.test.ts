import { assert, describe, it } from "vitest"
import { makeInterpreter } from "../../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import { Boot } from "./boot.ts"

const minutes = 60_000

describe("Debian's unmodified cloud kernel on four processors", () => {
  it(
    "starts them all, and gives each something to do",
    () => {
      const boot = new Boot(makeInterpreter, 4)
      const stop = boot.talk([
        ["/ # ", "echo there are $(nproc), $(grep -c ^processor /proc/cpuinfo)"],
        // Four jobs at once, each on a processor of its own.
        ["/ # ", "for n in 0 1 2 3; do taskset $((1 << n)) sh -c 'seq 3000 | md5sum' & done; wait; echo all done"],
        ["all done", "echo idle on $(awk '/^cpu[0-9]/ && $5 > 0' /proc/stat | wc -l)"],
        ["idle on", "poweroff -f"]
      ])
      assert.include(boot.seen, "smp: Brought up 1 node, 4 CPUs")
      assert.include(boot.seen, "there are 4, 4")
      assert.strictEqual(boot.seen.match(/[0-9a-f]{32} {2}-/g)?.length, 4)
      assert.strictEqual(new Set(boot.seen.match(/[0-9a-f]{32} {2}-/g)).size, 1)
      assert.include(boot.seen, "idle on 4")
      assert.deepStrictEqual(stop, { _tag: "PowerOff" })
    },
    10 * minutes
  )
})
