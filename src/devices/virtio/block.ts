/** Block: a disk. VIRTIO 1.2, "Block Device". */

import type { Transport, VirtioDevice } from "./VirtioDevice.ts"
import type { Chain, Cursor } from "./Virtqueue.ts"

export const sectorBytes = 512

/**
 * Where the sectors are. Each access says whether it could be done; or "later", and then tells `done`, once. Until then the bytes are the
 * store's, and there is no other access.
 */
export interface BlockStore {
  readonly sectors: number
  readonly isReadOnly: boolean
  /** Whole sectors from `sector` on; they are all there. */
  readonly read: (sector: number, bytes: Uint8Array, done: Done) => boolean | "later"
  readonly write: (sector: number, bytes: Uint8Array, done: Done) => boolean | "later"
  /** What was written is where it survives. */
  readonly flush: (done: Done) => boolean | "later"
}

export type Done = (isDone: boolean) => void

/** An access that a request waits for. */
type Access = (done: Done) => boolean | "later"
/** Part of a request, which goes on when its access has been made. */
type Part<T> = Generator<Access, T, boolean>

/** "Feature bits". */
const F = { SEG_MAX: 2, RO: 5, BLK_SIZE: 6, FLUSH: 9, DISCARD: 13, WRITE_ZEROES: 14 } as const

/** "Device Operation": types of a request, and how it ends. */
const request = { IN: 0, OUT: 1, FLUSH: 4, GET_ID: 8, DISCARD: 11, WRITE_ZEROES: 13 } as const
export const blockStatus = { OK: 0, IOERR: 1, UNSUPP: 2 } as const

/** A request's header: its type, a reserved word, and the sector. */
const headerBytes = 16

/** A segment of a discard or write-zeroes request: sector (64 bits), sectors, flags. */
const segmentBytes = 16

const idBytes = 20

/** So many bytes are moved at once. */
const chunk = 64 * 1024

/** Bounds of discard and write zeroes, in sectors and in segments. */
const mostSectors = 2 ** 16
const mostSegments = 16

/** "Device configuration layout": struct virtio_blk_config. */
const configurationOf = (sectors: number): Uint8Array => {
  const bytes = new Uint8Array(60)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, sectors % 2 ** 32, true)
  view.setUint32(4, Math.floor(sectors / 2 ** 32), true)
  view.setUint32(12, 126, true) // seg_max: a chain less its header and status
  view.setUint32(20, sectorBytes, true) // blk_size
  view.setUint32(36, mostSectors, true) // max_discard_sectors
  view.setUint32(40, mostSegments, true) // max_discard_seg
  view.setUint32(44, 1, true) // discard_sector_alignment
  view.setUint32(48, mostSectors, true) // max_write_zeroes_sectors
  view.setUint32(52, mostSegments, true) // max_write_zeroes_seg
  return bytes
}

export class BlockDevice implements VirtioDevice {
  readonly type = 2
  readonly classCode = 0x01_8000
  readonly queues = 1
  readonly features: readonly number[]
  readonly configuration: Uint8Array
  private readonly store: BlockStore
  private readonly id: string
  private transport: Transport | undefined
  private buffer = new Uint8Array(chunk)
  /** The requests of the queue, as far as they have been served; and the access that they wait for. */
  private serving: Part<void> | undefined

  /** `id`: what the disk calls itself, at most 20 characters. */
  constructor(store: BlockStore, id: string) {
    this.store = store
    this.id = id
    this.configuration = configurationOf(store.sectors)
    const all = [F.SEG_MAX, F.BLK_SIZE, F.FLUSH]
    this.features = store.isReadOnly ? [...all, F.RO] : [...all, F.DISCARD, F.WRITE_ZEROES]
  }

  connect(transport: Transport): void {
    this.transport = transport
  }

  /** An access that is being made may still use its bytes: nobody hears how it ends. */
  reset(): void {
    if (this.serving === undefined) return
    this.serving = undefined
    this.buffer = new Uint8Array(chunk)
  }

  notified(queue: number): void {
    if (this.serving !== undefined) return
    this.serving = this.serveAll(queue)
    this.goOn(this.serving.next())
  }

  /** As far as it goes without waiting: in a loop, since there are as many accesses as a guest likes. */
  private goOn(step: IteratorResult<Access, void>): void {
    const { serving } = this
    for (let now = step; ; ) {
      if (now.done) {
        this.serving = undefined
        return
      }
      const answer = now.value((isDone) => {
        if (this.serving === serving) this.goOn(serving!.next(isDone))
      })
      if (answer === "later") return
      now = serving!.next(answer)
    }
  }

  private *serveAll(queue: number): Part<void> {
    const transport = this.transport!
    for (let chain = transport.take(queue); chain !== undefined; chain = transport.take(queue)) {
      const written = yield* this.serve(chain)
      if (written === undefined) transport.fail()
      else transport.give(queue, chain, written)
    }
    transport.flush(queue)
  }

  /** How many bytes were written: data, and the status as the last of what is writable. Undefined: no request, or memory that is none. */
  private *serve({ readable, writable }: Chain): Part<number | undefined> {
    const header = new Uint8Array(headerBytes)
    if (writable.remaining === 0 || !readable.next(header)) return undefined
    const view = new DataView(header.buffer)
    const sector = view.getUint32(8, true) + view.getUint32(12, true) * 2 ** 32
    const room = writable.remaining - 1
    const outcome = yield* this.perform(view.getUint32(0, true), sector, readable, writable, room)
    // What the request has not filled is left as it is.
    const isEnded =
      outcome !== undefined && writable.skip(writable.remaining - 1) && writable.next(Uint8Array.of(outcome))
    return isEnded ? room + 1 : undefined
  }

  private *perform(
    type: number,
    sector: number,
    readable: Cursor,
    writable: Cursor,
    room: number
  ): Part<number | undefined> {
    const { store } = this
    switch (type) {
      case request.IN:
        return yield* this.transfer(sector, room, function* (at, bytes) {
          const isRead = yield (done) => store.read(at, bytes, done)
          return isRead ? writable.next(bytes) : "failed"
        })
      case request.OUT:
        if (store.isReadOnly) return blockStatus.IOERR
        return yield* this.transfer(sector, readable.remaining, function* (at, bytes) {
          if (!readable.next(bytes)) return false
          return (yield (done) => store.write(at, bytes, done)) || "failed"
        })
      case request.FLUSH:
        return (yield store.flush) ? blockStatus.OK : blockStatus.IOERR
      case request.GET_ID:
        return this.identify(writable, room)
      case request.DISCARD:
      case request.WRITE_ZEROES:
        if (store.isReadOnly) return blockStatus.IOERR
        return yield* this.clear(readable, type === request.WRITE_ZEROES ? 1 : 0)
      default:
        return blockStatus.UNSUPP
    }
  }

  /** Data is of whole sectors, and they are all on the disk. */
  private *transfer(
    sector: number,
    length: number,
    move: (at: number, bytes: Uint8Array) => Part<boolean | "failed">
  ): Part<number | undefined> {
    if (length % sectorBytes !== 0 || sector + length / sectorBytes > this.store.sectors) return blockStatus.IOERR
    for (let done = 0; done < length; done += chunk) {
      const bytes = this.buffer.subarray(0, Math.min(chunk, length - done))
      const moved = yield* move(sector + done / sectorBytes, bytes)
      if (moved === "failed") return blockStatus.IOERR
      if (!moved) return undefined
    }
    return blockStatus.OK
  }

  private identify(writable: Cursor, room: number): number | undefined {
    if (room < idBytes) return blockStatus.IOERR
    const bytes = Uint8Array.from({ length: idBytes }, (_, n) =>
      n < this.id.length ? this.id.charCodeAt(n) & 0x7f : 0
    )
    return writable.next(bytes) ? blockStatus.OK : undefined
  }

  /** Sectors become zeros. A discarded sector may read as anything: it reads as zeros too. */
  private *clear(readable: Cursor, knownFlags: number): Part<number | undefined> {
    const { store } = this
    const segment = new Uint8Array(segmentBytes)
    const view = new DataView(segment.buffer)
    if (readable.remaining === 0 || readable.remaining % segmentBytes !== 0) return blockStatus.IOERR
    if (readable.remaining > mostSegments * segmentBytes) return blockStatus.IOERR
    while (readable.remaining > 0) {
      if (!readable.next(segment)) return undefined
      const sector = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32
      const count = view.getUint32(8, true)
      // A flag that is not known.
      if (view.getUint32(12, true) & ~knownFlags) return blockStatus.UNSUPP
      if (count > mostSectors) return blockStatus.IOERR
      const outcome = yield* this.transfer(sector, count * sectorBytes, function* (at, bytes) {
        return (yield (done) => store.write(at, bytes.fill(0), done)) || "failed"
      })
      if (outcome !== blockStatus.OK) return outcome
    }
    return blockStatus.OK
  }
}
