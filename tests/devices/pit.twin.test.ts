/** The 8254 against a twin that counts every clock, as the data sheet's waveforms do. */

import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { pitClock } from "../../src/devices/oscillator.ts"
import { Pit } from "../../src/devices/pit.ts"
import { Time } from "./time.ts"

/** One counter, binary, with counts of one byte. `tick` is one CLK pulse. */
class Twin {
  private mode = 0
  private gate = false
  private register = 0
  private isWritten = false
  private isLoading = false
  private element: number | undefined
  out = true
  /** Mode 3: ticks that are left of the present half. */
  private left = 0
  private isStrobed = false

  setMode(mode: number): void {
    this.mode = mode
    this.element = undefined
    this.isLoading = false
    this.isWritten = false
    this.isStrobed = false
    this.out = mode !== 0
  }

  write(count: number): void {
    this.register = count
    this.isWritten = true
    const isTriggered = this.mode === 1 || this.mode === 5
    const isRepeating = this.mode === 2 || this.mode === 3
    if (!isTriggered && !(isRepeating && (this.element !== undefined || this.isLoading))) this.isLoading = true
    if (this.mode === 0) this.out = false
  }

  setGate(level: boolean): void {
    const rises = level && !this.gate
    this.gate = level
    if (this.mode === 2 || this.mode === 3) {
      if (!level) this.out = true
      if (rises && (this.element !== undefined || this.isLoading)) this.isLoading = true
    }
    if ((this.mode === 1 || this.mode === 5) && rises && this.isWritten) this.isLoading = true
  }

  tick(): void {
    if (this.isLoading) {
      this.load()
      return
    }
    const isStopped = !this.gate && this.mode !== 1 && this.mode !== 5
    if (this.element === undefined || isStopped) return
    if (this.mode === 3) this.tickSquare()
    else {
      this.element = (this.element + 0xffff) & 0xffff
      this.reach()
    }
  }

  private load(): void {
    this.isLoading = false
    this.element = this.register
    this.isStrobed = false
    if (this.mode === 1) this.out = false
    if (this.mode === 2 || this.mode === 3) this.out = true
    if (this.mode === 3) this.left = Math.ceil(this.register / 2)
    if (this.mode === 4 || this.mode === 5) this.out = true
  }

  private tickSquare(): void {
    if (--this.left > 0) return
    this.out = !this.out
    this.left = this.out ? Math.ceil(this.register / 2) : Math.floor(this.register / 2)
  }

  private reach(): void {
    const isZero = this.element === 0
    if (this.mode === 0 || this.mode === 1) this.out ||= isZero
    else if (this.mode === 2) {
      if (isZero) this.element = this.register
      this.out = this.element !== 1
    } else {
      this.out = !(isZero && !this.isStrobed)
      this.isStrobed ||= isZero
    }
  }
}

const step = fc.oneof(
  { weight: 1, arbitrary: fc.record({ write: fc.integer({ min: 2, max: 9 }) }) },
  { weight: 1, arbitrary: fc.record({ gate: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ ticks: fc.integer({ min: 1, max: 12 }) }) }
)

describe.each([0, 1, 2, 3, 4, 5])("counter 2 in mode %i", (mode) => {
  it("has at every clock the output of the counter that counts them", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const time = new Time()
        const pit = new Pit(time, () => undefined)
        const twin = new Twin()
        pit.ports.write(3, 8, 0x90 | (mode << 1))
        twin.setMode(mode)
        let tick = 0
        for (const each of steps) {
          if ("write" in each) {
            pit.ports.write(2, 8, each.write)
            twin.write(each.write)
          } else if ("gate" in each) {
            pit.control.write(0, 8, each.gate ? 1 : 0)
            twin.setGate(each.gate)
          } else {
            for (let n = 0; n < each.ticks; n++) {
              time.passTo(pitClock.timeOf(++tick))
              twin.tick()
              assert.strictEqual((pit.control.read(0, 8) & 0x20) !== 0, twin.out, `tick ${tick}`)
            }
          }
        }
      }),
      { numRuns: 400 }
    )
  })
})

describe.each([0, 2, 3, 4])("counter 0 in mode %i", (mode) => {
  it("drives its output at the clocks at which it changes", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const time = new Time()
        let out: boolean | undefined
        const pit = new Pit(time, (level) => {
          out = level
        })
        const twin = new Twin()
        twin.setGate(true)
        pit.ports.write(3, 8, 0x10 | (mode << 1))
        twin.setMode(mode)
        let tick = 0
        for (const each of steps) {
          if ("write" in each) {
            pit.ports.write(0, 8, each.write)
            twin.write(each.write)
          }
          for (let n = 0; "ticks" in each && n < each.ticks; n++) {
            time.passTo(pitClock.timeOf(++tick))
            twin.tick()
            assert.strictEqual(out, twin.out, `tick ${tick}`)
          }
        }
      }),
      { numRuns: 200 }
    )
  })
})
