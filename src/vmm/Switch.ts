/**
 * Switch: forwards Ethernet frames between ports, by the addresses that it has seen behind them. IEEE 802.1D, "Filtering Database".
 */

/** So many addresses are known: who makes up more of them is heard at every port. */
const most = 1024
const addressBytes = 6
const headerBytes = 14

const nameOf = (frame: Uint8Array, at: number): string => frame.subarray(at, at + addressBytes).join(".")

export class Switch {
  private readonly ports: ReadonlyArray<(frame: Uint8Array) => void>
  private readonly known = new Map<string, number>()

  /** `ports`: a frame leaves there. */
  constructor(ports: ReadonlyArray<(frame: Uint8Array) => void>) {
    this.ports = ports
  }

  /** A frame has come in at a port. It never leaves where it came in. */
  forward(from: number, frame: Uint8Array): void {
    if (frame.length < headerBytes) return
    // The lowest bit of an address says that it is of a group: no station has one, and all hear it.
    const source = nameOf(frame, addressBytes)
    if ((frame[addressBytes]! & 1) === 0 && (this.known.has(source) || this.known.size < most))
      this.known.set(source, from)
    const to = (frame[0]! & 1) === 0 ? this.known.get(nameOf(frame, 0)) : undefined
    if (to !== undefined) {
      if (to !== from) this.ports[to]!(frame)
    } else for (const [port, send] of this.ports.entries()) if (port !== from) send(frame)
  }
}
