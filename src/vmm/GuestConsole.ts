/** GuestConsole: what a guest says and what is typed for it, through the page that its monitor shares with the console server. */
import type { ThreadMemory } from "../types/Gate.ts"
import { Ring } from "../user/Ring.ts"
import { consolePage } from "./channels.ts"

/** So many characters go to the server at once, if no line ends before. */
const most = 512
const lineFeed = 0x0a

export class GuestConsole {
  private readonly output: Ring
  private readonly input: Ring
  private readonly ring: () => void
  private readonly said: Array<number> = []
  /** Something may have been typed that was not taken yet. */
  private isTyped = true

  /** `address`: where the page is. `ring`: the server is to look at it. */
  constructor(memory: ThreadMemory, address: number, ring: () => void) {
    this.output = new Ring(memory, address + consolePage.output.at, consolePage.output.bytes)
    this.input = new Ring(memory, address + consolePage.input.at, consolePage.input.bytes)
    this.ring = ring
  }

  write = (byte: number): void => {
    this.said.push(byte)
    if (byte === lineFeed || this.said.length >= most) this.flush()
  }

  /** What was said goes out; what there is no room for stays. */
  flush(): void {
    if (this.said.length === 0) return
    this.said.splice(0, this.output.put(Uint8Array.from(this.said)))
    this.ring()
  }

  /** The server has put something there. */
  typed(): void {
    this.isTyped = true
  }

  /** The next byte that was typed. */
  read = (): number | undefined => {
    if (!this.isTyped) return undefined
    const [byte] = this.input.take(1)
    this.isTyped = byte !== undefined
    return byte
  }

  /** All that was typed. */
  take(): Uint8Array {
    return this.input.take()
  }
}
