import { assert, describe, it } from "vitest"
import { makePlain } from "../../../../src/hal/x86_64/processor/plain.ts"
import { place } from "./cases.ts"
import { FlatRunner } from "./read.ts"
import { caseAt, outcomeAt, statesOf } from "./states.ts"

const rdi = 7
/** MOV [RDI], EAX. */
const store = Uint8Array.of(0x89, 0x07)

const runnerOf = (code: Uint8Array, address: number): FlatRunner => {
  const runner = new FlatRunner(makePlain, [0, 0, 0, 0, 0, 0])
  const [cases, outcomes] = [statesOf(caseAt.bytes), statesOf(outcomeAt.bytes)]
  cases.view.setBigUint64(caseAt.registers, 0x0403_0201n, true)
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

  it("notices what is written past the accesses", () => {
    const runner = runnerOf(store, 0)
    runner.memory[0x1234] = 1
    assert.throws(() => runner.setCode(store, false), "memory is written by accesses alone")
  })
})
