import { assert, describe, it } from "vitest"
import * as dns from "../../../src/devices/net/dns.ts"
import * as ethernet from "../../../src/devices/net/ethernet.ts"
import { addresses, Gateway, type Host, type StreamEvents } from "../../../src/devices/net/Gateway.ts"
import * as ipv4 from "../../../src/devices/net/ipv4.ts"
import * as tcp from "../../../src/devices/net/tcp.ts"
import { encode, get16, get32 } from "../../../src/devices/net/wire.ts"
import { Time } from "../time.ts"

const mac = Uint8Array.of(2, 0, 0, 0, 0, 1)
const me = ipv4.address(10, 0, 2, 15)
const gatewayMac = Uint8Array.of(0x52, 0x55, 10, 0, 2, 2)

/** A station on the gateway's cable. */
const station = (host?: Host) => {
  const timers = new Time()
  const frames: ethernet.Frame[] = []
  const gateway = new Gateway(timers, (bytes) => frames.push(ethernet.parseFrame(bytes)!), host)
  const send = (type: number, payload: Uint8Array, to: Uint8Array = ethernet.broadcast) =>
    gateway.receive(ethernet.frame({ to, from: mac, type, payload }))
  const packet = (of: ipv4.Packet) => send(ethernet.etherType.ipv4, ipv4.packet(of), gatewayMac)
  /** What has come since it was last asked. */
  const packets = () => frames.splice(0).map(({ payload }) => ipv4.parsePacket(payload)!)
  return { timers, gateway, frames, send, packet, packets }
}

const text = (characters: string) => new TextEncoder().encode(characters)
const udp = (to: number, toPort: number, payload: Uint8Array) =>
  ipv4.datagram({ from: me, fromPort: 5000, to, toPort, payload })
const question = (name: string) =>
  encode([
    [2, 7],
    [2, 0x100],
    [2, 1],
    [2, 0],
    [4, 0],
    ...name.split(".").map((label) => Uint8Array.of(label.length, ...text(label))),
    [1, 0],
    [2, 1],
    [2, 1]
  ])

describe("a gateway", () => {
  it("says which station it is, to who asks for its address", () => {
    const { send, frames } = station()
    const ask = (address: number) =>
      encode([[2, 1], [2, 0x800], [2, 0x0604], [2, 1], mac, [4, me], new Uint8Array(6), [4, address]])
    send(ethernet.etherType.arp, ask(addresses.gateway))
    send(ethernet.etherType.arp, ask(ipv4.address(10, 0, 2, 77)))
    assert.strictEqual(frames.length, 1)
    const { to, payload } = frames[0]!
    assert.deepStrictEqual(to, mac)
    assert.deepStrictEqual([get16(payload, 6), get32(payload, 14)], [2, addresses.gateway])
    assert.deepStrictEqual(payload.slice(8, 14), gatewayMac)
  })

  it("answers an echo request with what it holds", () => {
    const { packet, packets } = station()
    const request = encode([[1, 8], [1, 0], [2, 0xffff - 0x0800 - 0x6869 - 3], [2, 1], [2, 2], text("hi")])
    packet({ from: me, to: addresses.gateway, protocol: ipv4.protocol.icmp, payload: request })
    const [reply] = packets()
    assert.deepStrictEqual([reply!.from, reply!.to, reply!.payload[0]], [addresses.gateway, me, 0])
    assert.deepStrictEqual(reply!.payload.slice(4), request.slice(4))
  })

  it("knows its own name, and without a host no other", () => {
    const { packet, packets } = station()
    packet(udp(addresses.dns, dns.port, question("gateway")))
    packet(udp(addresses.dns, dns.port, question("www.example.org")))
    const [own, other] = packets().map((reply) => ipv4.parseDatagram(reply)!.payload)
    assert.deepStrictEqual(
      [get16(own!, 2) & 15, get16(own!, 6), get32(own!, own!.length - 4)],
      [0, 1, addresses.gateway]
    )
    assert.deepStrictEqual([get16(other!, 2) & 15, get16(other!, 6)], [3, 0])
  })

  it("says without a host that nothing further is reached", () => {
    const { packet, packets } = station()
    packet(udp(ipv4.address(192, 0, 2, 1), 9, text("anybody?")))
    const [unreachable] = packets()
    assert.deepStrictEqual([...unreachable!.payload.subarray(0, 2)], [3, 3])
    packet(syn(ipv4.address(192, 0, 2, 1), 80))
    const segment = tcp.parseSegment(packets()[0]!.payload)!
    assert.deepStrictEqual([segment.flags, segment.acknowledged], [tcp.flag.RST | tcp.flag.ACK, 1001])
  })

  it("connects to a station that it gave an address, though nothing was heard from there", () => {
    const { gateway, packet, packets } = station()
    const stream = { write: () => {}, end: () => {}, abort: () => {}, pause: () => {}, waiting: () => 0 }
    assert.isUndefined(gateway.offer(addresses.firstStation, 80, stream))
    // DHCPREQUEST, of this address.
    const options = [53, 1, 3, 50, 4, 10, 0, 2, 15, 255]
    const payload = encode([
      ...([[4, 0x0101_0600], [4, 7], new Uint8Array(20), mac, new Uint8Array(202), [4, 0x6382_5363]] as const),
      Uint8Array.from(options)
    ])
    packet(ipv4.datagram({ from: 0, fromPort: 68, to: ipv4.address(255, 255, 255, 255), toPort: 67, payload }))
    assert.deepStrictEqual(
      packets().map(({ to }) => to >>> 0),
      [0xffff_ffff]
    )
    assert.isDefined(gateway.offer(addresses.firstStation, 80, stream))
    const [opening] = packets()
    assert.strictEqual(opening?.to, addresses.firstStation)
    assert.strictEqual(tcp.parseSegment(opening!.payload)?.flags, tcp.flag.SYN)
  })

  it("is not disturbed by what is no packet", () => {
    const { gateway, frames } = station()
    for (let length = 0; length < 60; length++) {
      for (const type of [0x800, 0x806, 0x86dd]) {
        const bytes = new Uint8Array(length).fill(0x45)
        gateway.receive(ethernet.frame({ to: gatewayMac, from: mac, type, payload: bytes }).subarray(0, length))
        gateway.receive(ethernet.frame({ to: gatewayMac, from: mac, type, payload: bytes }))
      }
    }
    assert.deepStrictEqual(frames, [])
  })

  it("connects to the host in a station's place, and carries both ways", () => {
    const written: string[] = []
    let events: StreamEvents | undefined
    const host = hostOf({
      connect: (to, port, given) => {
        assert.deepStrictEqual([ipv4.dotted(to), port], ["192.0.2.1", 80])
        events = given
        return {
          write: (bytes) => void written.push(new TextDecoder().decode(bytes)),
          end: () => void written.push("end"),
          abort: () => {},
          pause: () => {},
          waiting: () => 0
        }
      }
    })
    const { packet, packets, gateway } = station(host)
    const to = ipv4.address(192, 0, 2, 1)
    packet(syn(to, 80))
    assert.deepStrictEqual(packets(), [])
    assert.isTrue(gateway.isBusy)
    events!.opened()
    const agreed = tcp.parseSegment(packets()[0]!.payload)!
    assert.deepStrictEqual([agreed.flags, agreed.acknowledged], [tcp.flag.SYN | tcp.flag.ACK, 1001])
    const next = (agreed.sequence + 1) >>> 0
    packet(segment(to, 80, 1001, next, tcp.flag.ACK))
    packet(segment(to, 80, 1001, next, tcp.flag.ACK, text("request")))
    assert.deepStrictEqual(written, ["request"])
    packets()
    events!.received(text("answer"))
    events!.ended()
    const [answer, end] = packets().map(({ payload }) => tcp.parseSegment(payload)!)
    assert.deepStrictEqual([new TextDecoder().decode(answer!.payload), answer!.acknowledged], ["answer", 1008])
    assert.strictEqual(end!.flags & tcp.flag.FIN, tcp.flag.FIN)
    packet(segment(to, 80, 1008, (next + 7) >>> 0, tcp.flag.ACK | tcp.flag.FIN))
    assert.deepStrictEqual(written, ["request", "end"])
    assert.isFalse(gateway.isBusy)
  })

  it("refuses a station what the host refuses it", () => {
    const host = hostOf({
      connect: (_to, _port, events) => {
        late.push(events.refused)
        return { write: () => {}, end: () => {}, abort: () => {}, pause: () => {}, waiting: () => 0 }
      }
    })
    const late: (() => void)[] = []
    const { packet, packets } = station(host)
    packet(syn(ipv4.address(192, 0, 2, 1), 80))
    late[0]!()
    assert.strictEqual(tcp.parseSegment(packets()[0]!.payload)!.flags, tcp.flag.RST | tcp.flag.ACK)
  })

  it("sends datagrams from a socket of the host's, and closes it when it has been idle", () => {
    const done: string[] = []
    const host = hostOf({
      bind: (received) => ({
        send: (to, port, bytes) => {
          done.push(`${ipv4.dotted(to)}:${port} ${new TextDecoder().decode(bytes)}`)
          received(to, port, text("pong"))
        },
        close: () => void done.push("closed")
      })
    })
    const { packet, packets, timers } = station(host)
    packet(udp(ipv4.address(192, 0, 2, 1), 7, text("ping")))
    const answer = ipv4.parseDatagram(packets()[0]!)!
    assert.deepStrictEqual([answer.toPort, new TextDecoder().decode(answer.payload)], [5000, "pong"])
    timers.pass(100e9)
    assert.deepStrictEqual(done, ["192.0.2.1:7 ping", "closed"])
  })
})

const segment = (to: number, port: number, sequence: number, acknowledged: number, flags: number, payload = text("")) =>
  ipv4.summed(
    { from: me, to, protocol: ipv4.protocol.tcp },
    encode([
      [2, 4000],
      [2, port],
      [4, sequence],
      [4, acknowledged],
      [1, 0x50],
      [1, flags],
      [2, 0xffff],
      [4, 0],
      payload
    ]),
    16
  )
const syn = (to: number, port: number) => segment(to, port, 1000, 0, tcp.flag.SYN)

const hostOf = (of: Partial<Host>): Host => ({
  connect: () => assert.fail("nobody connects"),
  bind: () => assert.fail("nobody sends"),
  resolve: (_name, answer) => answer(undefined),
  ...of
})
