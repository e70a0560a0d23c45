import { createSocket } from "node:dgram"
import { type AddressInfo, createConnection, createServer } from "node:net"
import { assert, describe, it } from "vitest"
import { forward, make } from "../../src/cli/HostNetwork.ts"
import * as ethernet from "../../src/devices/net/ethernet.ts"
import { addresses, Gateway } from "../../src/devices/net/Gateway.ts"
import * as ipv4 from "../../src/devices/net/ipv4.ts"
import * as tcp from "../../src/devices/net/tcp.ts"
import { Time } from "../devices/time.ts"

const mac = Uint8Array.of(2, 0, 0, 0, 0, 1)
const gatewayMac = Uint8Array.of(0x52, 0x55, 10, 0, 2, 2)
const { gateway: there, firstStation: me } = addresses

/** A station whose gateway has this computer's sockets. Its one connection says what it has received. */
const station = () => {
  const timers = new Time()
  const received: number[] = []
  const datagrams: ipv4.Datagram[] = []
  let [connection, ended]: [tcp.Connection | undefined, boolean] = [undefined, false]
  const arrived = (bytes: Uint8Array) => {
    const packet = ipv4.parsePacket(ethernet.parseFrame(bytes)!.payload)!
    if (packet.protocol === ipv4.protocol.udp) datagrams.push(ipv4.parseDatagram(packet)!)
    if (packet.protocol !== ipv4.protocol.tcp) return
    const segment = tcp.parseSegment(packet.payload)!
    if (connection === undefined && segment.flags === tcp.flag.SYN) {
      open(segment.toPort, segment.fromPort).accept(segment)
    } else connection?.arrived(segment)
  }
  const gateway = new Gateway(
    timers,
    arrived,
    make(() => {})
  )
  const send = (packet: ipv4.Packet) =>
    gateway.receive(
      ethernet.frame({ to: gatewayMac, from: mac, type: ethernet.etherType.ipv4, payload: ipv4.packet(packet) })
    )
  const open = (localPort: number, remotePort: number): tcp.Connection => {
    connection = new tcp.Connection({ local: me, localPort, remote: there, remotePort }, 1, send, timers, {
      opened: () => {},
      received: (bytes) => received.push(...bytes),
      ended: () => {
        ended = true
      },
      closed: () => {},
      drained: () => {},
      room: () => 0xffff
    })
    return connection
  }
  return { gateway, send, open, text: () => String.fromCharCode(...received), hasEnded: () => ended, datagrams }
}

const until = async (holds: () => boolean) => {
  for (let n = 0; n < 1000 && !holds(); n++) await new Promise((resolve) => setTimeout(resolve, 10))
  assert.isTrue(holds())
}
const bytes = (text: string) => new TextEncoder().encode(text)

describe("the sockets of this computer", () => {
  it("are reached by a station at the gateway's address", async () => {
    const server = createServer((socket) => socket.end("welcome"))
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const { port } = server.address() as AddressInfo
    const { open, text, hasEnded } = station()
    open(4000, port).open()
    await until(hasEnded)
    assert.strictEqual(text(), "welcome")
    server.close()
  })

  it("refuse a station where nobody listens", async () => {
    const { open, gateway } = station()
    open(4000, 1).open()
    await until(() => !gateway.isBusy)
  })

  it("send and receive its datagrams", async () => {
    const server = createSocket("udp4", (message, { port }) => server.send(`${message}!`, port, "127.0.0.1"))
    await new Promise<void>((resolve) => server.bind(0, "127.0.0.1", resolve))
    const { send, datagrams } = station()
    send(ipv4.datagram({ from: me, fromPort: 5000, to: there, toPort: server.address().port, payload: bytes("ping") }))
    await until(() => datagrams.length > 0)
    assert.deepStrictEqual([datagrams[0]!.from, datagrams[0]!.toPort], [there, 5000])
    assert.strictEqual(new TextDecoder().decode(datagrams[0]!.payload), "ping!")
    server.close()
  })

  it("lead to a station's port, where one is forwarded", async () => {
    const { gateway, send, text } = station()
    // The gateway knows a station that it has heard.
    send({ from: me, to: there, protocol: 99, payload: bytes("") })
    const server = await forward(gateway, { hostPort: 0, port: 80 }, () => {})
    const { port } = server.address() as AddressInfo
    const client = createConnection({ host: "127.0.0.1", port }, () => client.write("request"))
    await until(() => text() === "request")
    client.destroy()
    server.close()
  })
})
