/** A processor at the beginning of some code, with a page of data: plain execution. */
import { makePlain } from "../../../../src/hal/x86_64/processor/plain.ts"
import { at, modeNumber, type RegisterName, registerNames } from "../../../../src/hal/x86_64/processor/State.ts"
import { Flat } from "../native/Flat.ts"

export const [code, data] = [0x40_0000, 0x50_0000] as const
const instructions = 1000

export const processor = (hex: string, privilege: 0 | 3 = 3) => {
  const flat = new Flat()
  const { view, memory } = flat
  const text = Uint8Array.from(hex.split(" "), (byte) => Number.parseInt(byte, 16))
  // The code ends where its page ends.
  const unused = 0x1000 - text.length
  const start = BigInt(code + unused)
  new Uint8Array(memory.buffer).set(text, flat.map(code, 0x1000, { writable: false, executable: true }) + unused)
  const host = flat.map(data, 0x1000, { writable: true, executable: false })
  const reading = makePlain({ memory, access: flat })
  view.setInt32(at.mode, modeNumber({ bits: 64, privilege }), true)
  view.setBigUint64(at.rip, start, true)
  view.setInt32(at.countdown, instructions, true)
  const offsetOf = (name: RegisterName) => at.general + 8 * registerNames.indexOf(name)
  return {
    view,
    reading,
    start,
    set: (registers: Partial<Record<RegisterName, bigint>>) => {
      for (const [name, value] of Object.entries(registers))
        view.setBigUint64(offsetOf(name as RegisterName), value, true)
    },
    get: (name: RegisterName) => view.getBigUint64(offsetOf(name), true),
    /** 64 bits of the data. */
    dataAt: (offset: number) => view.getBigUint64(host + offset, true),
    rip: () => view.getBigUint64(at.rip, true),
    cause: () => view.getInt32(at.cause, true),
    vector: () => view.getInt32(at.vector, true),
    completed: () => instructions - view.getInt32(at.countdown, true)
  }
}
