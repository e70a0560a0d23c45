/** BlockDriver: drives a disk of the machine: a virtio block device, one request at a time. VIRTIO 1.2, "Block Device". */
import type { ThreadMemory } from "../types/Gate.ts"
import { type NoDevice, open, type Places } from "./VirtioDriver.ts"

const type = 2
/** "Feature bits". */
const F = { RO: 5, FLUSH: 9 } as const

export type Request = "read" | "write" | "flush"
const types: { readonly [R in Request]: number } = { read: 0, write: 1, flush: 4 }

/** "Device Operation": a header of 16 bytes; and where its driver has the status. */
const headerBytes = 16
const statusAt = 16

export interface Disk {
  readonly sectors: number
  readonly isReadOnly: boolean
  /** Data is `bytes` bytes of physical memory. @returns false: the disk says that it could not. */
  readonly request: (request: Request, sector: number, physical: number, bytes: number) => boolean
}

export const openDisk = (memory: ThreadMemory, places: Places): Disk | NoDevice => {
  const device = open(memory, places, { type, features: [F.RO, F.FLUSH], queues: 1 })
  if ("_tag" in device) return device
  const { configuration } = device
  const queue = device.queues[0]!
  return {
    sectors: configuration.get(0, 4) + configuration.get(4, 4) * 2 ** 32,
    isReadOnly: device.has(F.RO),
    request: (request, sector, physical, bytes) => {
      queue.own.put(0, 4, types[request])
      queue.own.put(4, 4, 0)
      queue.own.put(8, 4, sector % 2 ** 32)
      queue.own.put(12, 4, Math.floor(sector / 2 ** 32))
      queue.own.put(statusAt, 1, 0xff)
      queue.offer(0, [
        { physical: queue.ownPhysical, bytes: headerBytes, isWritten: false },
        ...(bytes > 0 ? [{ physical, bytes, isWritten: request === "read" }] : []),
        { physical: queue.ownPhysical + statusAt, bytes: 1, isWritten: true }
      ])
      queue.ring()
      // The disk of an emulated machine has answered by the time that it was told.
      return queue.next() !== undefined && queue.own.get(statusAt, 1) === 0
    }
  }
}
