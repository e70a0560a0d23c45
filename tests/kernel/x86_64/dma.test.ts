/** A device in the hands of a program reaches memory only if boot says that it is trusted. */
import { assert, describe, it } from "vitest"
import { boot } from "../../../src/cli/System.ts"
import { Edu } from "../../../src/devices/edu.ts"
import { slot } from "../../../src/devices/pciBus.ts"
import { makeInterpreter } from "../../../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import { build } from "../programs/programs.ts"

const place = slot(5)

/** What the program prints that makes the device write to memory. */
const printed = (trusted: ReadonlyArray<number>): string => {
  let output = ""
  const system = boot({
    memoryBytes: 32 * 2 ** 20,
    reading: makeInterpreter,
    first: { _tag: "Elf", name: "root", bytes: build("dma") },
    output: (byte) => {
      output += String.fromCharCode(byte)
    },
    note: (line) => {
      output += `${line}\n`
    },
    trusted
  })
  if ("_tag" in system) throw new Error(JSON.stringify(system))
  const { pc, timers } = system.machine
  pc.pci.attach(place, new Edu(timers).fn)
  assert.deepStrictEqual(system.run(1e8), { _tag: "Idle" }, output)
  return output
}

describe("a device that is bus master", { timeout: 60_000 }, () => {
  const found = "- finds the device, and makes it bus master\n"

  it("reaches nothing if boot does not name it as trusted, whatever a program does with it", () => {
    assert.strictEqual(printed([]), `${found}- reaches nothing\ndone\n`)
    assert.strictEqual(printed([slot(4)]), `${found}- reaches nothing\ndone\n`)
  })

  it("reaches memory if boot names it", () => {
    assert.strictEqual(printed([place]), `${found}- reaches memory\ndone\n`)
  })
})
