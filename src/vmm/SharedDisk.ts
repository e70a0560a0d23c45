/** SharedDisk: a guest's disk as its monitor has it: the disk server's, asked through memory that both have, one request after the other. */
import { type BlockStore, type Done, sectorBytes } from "../devices/virtio/block.ts"
import type { ThreadMemory } from "../types/Gate.ts"
import { diskRequests, diskWindow as window } from "./channels.ts"
import { type Words, words } from "./Words.ts"

interface Request {
  readonly kind: (typeof diskRequests)[number]
  readonly sector: number
  readonly bytes: Uint8Array
  readonly done: Done
}

export class SharedDisk implements BlockStore {
  readonly sectors: number
  readonly isReadOnly: boolean
  private readonly memory: ThreadMemory
  private readonly data: number
  private readonly window: Words
  private readonly ring: () => void
  private number = 0
  /** The first of them has been asked for. */
  private readonly waiting: Array<Request> = []

  /** `address`: where the window is, in which the server has said what the disk is. `ring`: the server is to look at it. */
  constructor(memory: ThreadMemory, address: number, ring: () => void) {
    this.memory = memory
    this.data = address + window.data.at
    this.window = words(memory, address)
    this.ring = ring
    this.sectors = this.window.get(window.sectors, 4) + this.window.get(window.sectorsHigh, 4) * 2 ** 32
    this.isReadOnly = this.window.get(window.isReadOnly, 4) !== 0
  }

  read = (sector: number, bytes: Uint8Array, done: Done): "later" => this.ask({ kind: "read", sector, bytes, done })
  write = (sector: number, bytes: Uint8Array, done: Done): "later" => this.ask({ kind: "write", sector, bytes, done })
  flush = (done: Done): "later" => this.ask({ kind: "flush", sector: 0, bytes: new Uint8Array(0), done })

  /** The server may have answered. */
  answered(): void {
    const [asked] = this.waiting
    if (asked === undefined || this.window.get(window.answer.number, 4) !== this.number) return
    this.waiting.shift()
    const isDone = this.window.get(window.answer.isDone, 4) !== 0
    if (isDone && asked.kind === "read") this.memory.read(this.data, asked.bytes)
    if (this.waiting.length > 0) this.send(this.waiting[0]!)
    asked.done(isDone)
  }

  private ask(request: Request): "later" {
    if (request.bytes.length > window.data.bytes)
      throw new Error(`${request.bytes.length / sectorBytes} sectors at once are more than the window has room for`)
    this.waiting.push(request)
    if (this.waiting.length === 1) this.send(request)
    return "later"
  }

  private send({ kind, sector, bytes }: Request): void {
    const { request } = window
    if (kind === "write") this.memory.write(this.data, bytes)
    this.window.put(request.kind, 4, diskRequests.indexOf(kind))
    this.window.put(request.sector, 4, sector % 2 ** 32)
    this.window.put(request.sectorHigh, 4, Math.floor(sector / 2 ** 32))
    this.window.put(request.bytes, 4, bytes.length)
    this.number = (this.number + 1) >>> 0
    this.window.put(request.number, 4, this.number)
    this.ring()
  }
}
