/** Words: numbers in memory that a task shares with a device, or with another task. */
import type { ThreadMemory } from "../types/Gate.ts"

/** Numbers of 1, 2 or 4 bytes in memory. */
export interface Words {
  readonly get: (offset: number, width: 1 | 2 | 4) => number
  readonly put: (offset: number, width: 1 | 2 | 4, value: number) => void
}

export const words = (memory: ThreadMemory, base: number): Words => {
  const bytes = new Uint8Array(4)
  const view = new DataView(bytes.buffer)
  return {
    get: (offset, width) => {
      view.setUint32(0, 0, true)
      memory.read(base + offset, bytes.subarray(0, width))
      return view.getUint32(0, true)
    },
    put: (offset, width, value) => {
      view.setUint32(0, value, true)
      memory.write(base + offset, bytes.subarray(0, width))
    }
  }
}
