/** NetworkDriver: drives a network card of the machine: a virtio network device. VIRTIO 1.2, "Network Device". */
import type { ThreadMemory } from "../types/Gate.ts"
import { type NoDevice, open, type Places, queueSize } from "./VirtioDriver.ts"

const type = 1
/** "Virtqueues". */
const queue = { receive: 0, transmit: 1 } as const
/** struct virtio_net_hdr: without offloads, all zeros in what is sent. */
const headerBytes = 12
/** A frame and its header, as long as Ethernet's are. */
const bufferBytes = 2048

export interface Card {
  /** A frame leaves. What is too long for a wire is lost there. */
  readonly send: (frame: Uint8Array) => void
  /** Frames that have come in since it was last asked, which tells the device that it was heard. */
  readonly receive: () => ReadonlyArray<Uint8Array>
}

/** `buffers`: memory for frames: `cardBytes`, here and where the device finds it. */
export const openCard = (
  memory: ThreadMemory,
  places: Places,
  buffers: { readonly address: number; readonly physical: number }
): Card | NoDevice => {
  const device = open(memory, places, { type, features: [], queues: 2 })
  if ("_tag" in device) return device
  const [incoming, outgoing] = [device.queues[queue.receive]!, device.queues[queue.transmit]!]
  const offer = (n: number) =>
    incoming.offer(n, [{ physical: buffers.physical + n * bufferBytes, bytes: bufferBytes, isWritten: true }])
  for (let n = 0; n < queueSize; n++) offer(n)
  incoming.ring()
  const sendAt = queueSize * bufferBytes
  return {
    send: (frame) => {
      if (frame.length > bufferBytes - headerBytes) return
      const record = new Uint8Array(headerBytes + frame.length)
      record.set(frame, headerBytes)
      memory.write(buffers.address + sendAt, record)
      outgoing.offer(0, [{ physical: buffers.physical + sendAt, bytes: record.length, isWritten: false }])
      outgoing.ring()
      // The card of an emulated machine has sent by the time that it was told.
      outgoing.next()
    },
    receive: () => {
      device.acknowledge()
      const frames: Array<Uint8Array> = []
      for (let back = incoming.next(); back !== undefined; back = incoming.next()) {
        const { descriptor, bytes } = back
        if (descriptor >= queueSize) continue
        if (bytes > headerBytes && bytes <= bufferBytes) {
          const frame = new Uint8Array(bytes - headerBytes)
          memory.read(buffers.address + descriptor * bufferBytes + headerBytes, frame)
          frames.push(frame)
        }
        offer(descriptor)
        incoming.ring()
      }
      return frames
    }
  }
}

export const cardBytes = (queueSize + 1) * bufferBytes
