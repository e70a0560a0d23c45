/** Cases run by a reading. */

import { explicit, ruleNumber } from "../../../../src/hal/x86_64/processor/flags.ts"
import type { MakeReading } from "../../../../src/hal/x86_64/processor/Reading.ts"
import { at, cause, modeNumber, segment } from "../../../../src/hal/x86_64/processor/State.ts"
import { CR0 } from "../../../../src/hal/x86_64/system/registers.ts"
import { type Case, gsBase, place, userMode } from "./cases.ts"
import { Flat } from "./Flat.ts"
import { comparedFlags, type Outcome } from "./outcome.ts"
import { allState, setVectorState, vectorState, vectorsAllowed } from "./vectors.ts"
import { setX87State, x87State } from "./x87.ts"

const status = 0x8d5n
/** CR4.FSGSBASE: RDGSBASE is allowed. */
const FSGSBASE = 0x1_0000n

/** What runs a case, and then the next. */
export const reader = (
  make: MakeReading,
  data: Uint8Array,
  selectors: ReadonlyArray<number>
): ((test: Case) => Outcome) => {
  const flat = new Flat()
  const { view } = flat
  const bytes = new Uint8Array(flat.memory.buffer)
  const written = flat.map(place.data, place.writable, { writable: true, executable: false })
  const readOnly = flat.map(place.data + place.writable, place.readable - place.writable, {
    writable: false,
    executable: false
  })
  const code = flat.map(place.code, place.codeBytes, { writable: true, executable: true })
  bytes.set(data.subarray(place.writable), readOnly)
  const original = data.subarray(0, place.writable)
  const reading = make({ memory: flat.memory, access: flat })

  view.setInt32(at.mode, modeNumber(userMode), true)
  view.setBigUint64(at.gsBase, gsBase, true)
  view.setBigUint64(at.cr4, FSGSBASE | vectorsAllowed, true)
  view.setBigUint64(at.cr0, BigInt(CR0.PE | CR0.MP | CR0.ET | CR0.NE | CR0.WP), true)
  view.setBigUint64(at.xcr0, allState, true)
  selectors.forEach((selector, i) => {
    view.setUint16(at.segment + i * segment.bytes + segment.selector, selector, true)
  })

  const changes = () => {
    const found = new Map<number, number>()
    for (let i = 0; i < original.length; i++) if (bytes[written + i] !== original[i]) found.set(i, bytes[written + i]!)
    return found
  }

  return (test) => {
    bytes.set(original, written)
    bytes.fill(0xcc, code, code + place.codeBytes)
    bytes.set(test.code, code + place.start - place.code)
    reading.codeWritten(code >>> 12)
    test.registers.forEach((value, i) => {
      view.setBigUint64(at.general + 8 * i, value, true)
    })
    setVectorState(view, test)
    setX87State(view, test.x87)
    view.setBigUint64(at.rip, BigInt(place.start), true)
    view.setInt32(at.flagRule, ruleNumber(explicit, 8), true)
    view.setBigUint64(at.flagInput, test.rflags & status, true)
    view.setBigUint64(at.rflags, test.rflags & ~status, true)
    view.setInt32(at.countdown, 100_000, true)
    // On to the INT3 that stands wherever the instruction can end, as native.c does; or to a fetch that faults.
    do reading.run()
    while (view.getInt32(at.cause, true) === cause.countdown && view.getInt32(at.countdown, true) > 0)
    const ended = view.getInt32(at.cause, true)
    const rip = view.getBigUint64(ended === cause.system ? at.stoppedAt : at.rip, true)
    if (ended === cause.countdown) throw new Error(`${test.instruction.form.name} does not end`)
    return {
      registers: Array.from({ length: 16 }, (_, i) => view.getBigUint64(at.general + 8 * i, true)),
      ...vectorState(view),
      x87: x87State(view),
      rflags: BigInt(reading.status()) | (view.getBigUint64(at.rflags, true) & comparedFlags),
      rip,
      exception:
        ended === cause.fault && rip === BigInt(place.start)
          ? {
              vector: view.getInt32(at.vector, true),
              errorCode: view.getInt32(at.errorCode, true),
              address: view.getBigUint64(at.faultAddress, true)
            }
          : undefined,
      changes: changes()
    }
  }
}
