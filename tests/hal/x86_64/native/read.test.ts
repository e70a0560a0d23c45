import { assert, describe, it } from "vitest"
import { Interpreter } from "../../../../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import { makePlain } from "../../../../src/hal/x86_64/processor/plain.ts"
import type { MakeReading } from "../../../../src/hal/x86_64/processor/Reading.ts"
import { place } from "./cases.ts"
import { FlatRunner } from "./read.ts"
import { caseAt, outcomeAt, statesOf } from "./states.ts"

const rdi = 7
/** MOV [RDI], EAX. */
const store = Uint8Array.of(0x89, 0x07)

const outcomes = statesOf(outcomeAt.bytes)

const runnerOf = (code: Uint8Array, address: number, eax = 0x0403_0201, make: MakeReading = makePlain): FlatRunner => {
  const runner = new FlatRunner(make, [0, 0, 0, 0, 0, 0])
  const cases = statesOf(caseAt.bytes)
  cases.view.setUint32(caseAt.registers, eax, true)
  cases.view.setBigUint64(caseAt.registers + 8 * rdi, BigInt(address), true)
  runner.setData(new Uint8Array(place.readable))
  runner.setCode(code, false)
  runner.run(cases, 0, outcomes, 0)
  return runner
}

describe("what runs cases by a reading", () => {
  it("says whether the last case has written, and puts back what it wrote before the next", () => {
    const runner = runnerOf(store, place.data)
    assert.deepEqual([...runner.memory.subarray(0, 5)], [1, 2, 3, 4, 0])
    assert.isTrue(runner.hasWritten)
    runner.setCode(store, false)
    assert.deepEqual([...runner.memory.subarray(0, 5)], [0, 0, 0, 0, 0])
    assert.isFalse(runner.hasWritten)
  })

  it("has written nothing where a page can only be read", () => {
    assert.isFalse(runnerOf(store, place.data + place.writable).hasWritten)
  })

  it("tells the reading of code that is written while it runs", () => {
    // Three times NOP in the place of what comes next, then INT3.
    const interpreter: MakeReading = (parts) => new Interpreter(parts, { patience: 0 })
    runnerOf(store, place.start + store.length, 0xcc90_9090, interpreter)
    assert.equal(outcomes.view.getUint32(outcomeAt.rip, true), place.start + store.length + 3)
  })

  it("notices what is written past the accesses", () => {
    const runner = runnerOf(store, 0)
    runner.memory[0x1234] = 1
    assert.throws(() => runner.setCode(store, false), "memory is written by accesses alone")
  })
})
