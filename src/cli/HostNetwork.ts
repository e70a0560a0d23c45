/** HostNetwork: sockets of this computer, for a gateway. What comes in, comes between two pieces of the machine's run. */
import { createSocket } from "node:dgram"
import { resolve4 } from "node:dns/promises"
import { createConnection, createServer, type Server, type Socket } from "node:net"
import { addresses, type Gateway, type Host, type Stream, type StreamEvents } from "../devices/net/Gateway.ts"
import { type Address, address, dotted } from "../devices/net/ipv4.ts"

/** The gateway's address stands for this computer's own. */
const own = "127.0.0.1"
const hostOf = (of: Address): string => (of === addresses.gateway ? own : dotted(of))
const addressOf = (text: string): Address => {
  const [a = 0, b = 0, c = 0, d = 0] = text.split(".").map(Number)
  return text === own ? addresses.gateway : address(a, b, c, d)
}

/** `wake`: something has come in. */
export const make = (wake: () => void): Host => ({
  connect: (to, port, events) => {
    const socket = createConnection({ host: hostOf(to), port, allowHalfOpen: true })
    let isOpen = false
    socket.on("connect", () => {
      isOpen = true
      events.opened()
      wake()
    })
    socket.on("error", () => {
      if (isOpen) events.closed()
      else events.refused()
      wake()
    })
    return streamOf(socket, events, wake)
  },
  bind: (received) => {
    const socket = createSocket("udp4", (bytes, { address, port }) => {
      received(addressOf(address), port, bytes)
      wake()
    })
    // What cannot be sent is lost, as on any wire.
    socket.on("error", () => undefined)
    socket.unref()
    return {
      send: (to, port, bytes) => socket.send(bytes, port, hostOf(to)),
      close: () => socket.close()
    }
  },
  resolve: (name, answer) => {
    resolve4(name)
      .then(
        (found) => answer(found.map(addressOf)),
        (cause: NodeJS.ErrnoException) =>
          answer(cause.code === "ENOTFOUND" || cause.code === "ENODATA" ? [] : undefined)
      )
      .finally(wake)
  }
})

const streamOf = (
  socket: Socket,
  { received, ended, closed, drained }: Omit<StreamEvents, "opened" | "refused">,
  wake: () => void
): Stream => {
  socket.setNoDelay(true)
  socket.on("data", (bytes: Buffer) => {
    received(new Uint8Array(bytes))
    wake()
  })
  socket.on("end", () => {
    ended()
    wake()
  })
  socket.on("close", (hadError) => {
    if (hadError) closed()
    wake()
  })
  socket.on("drain", () => {
    drained()
    wake()
  })
  return {
    write: (bytes) => void socket.write(bytes),
    end: () => void socket.end(),
    abort: () => void socket.destroy(),
    pause: (isPaused) => void (isPaused ? socket.pause() : socket.resume()),
    waiting: () => socket.writableLength
  }
}

/** A port of this computer that leads to one of a station's. */
export interface Forwarded {
  readonly hostPort: number
  readonly port: number
}

/** Who connects to the port, connects to the station. @returns when it listens; it fails if the port is taken. */
export const forward = (gateway: Gateway, { hostPort, port }: Forwarded, wake: () => void): Promise<Server> =>
  new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      const late: { events?: Omit<StreamEvents, "opened" | "refused"> } = {}
      const stream = streamOf(
        socket,
        {
          received: (bytes) => late.events?.received(bytes),
          ended: () => late.events?.ended(),
          closed: () => late.events?.closed(),
          drained: () => late.events?.drained()
        },
        wake
      )
      socket.on("error", () => undefined)
      const events = gateway.offer(addresses.firstStation, port, stream)
      if (events === undefined) socket.destroy()
      else late.events = events
      wake()
    })
    server.on("error", reject)
    server.listen(hostPort, own, () => resolve(server))
  })
