/**
 * Gateway: a network of IPv4 behind one cable, and the way out of it, as far as somebody lends one.
 *
 * The gateway has an address and answers for it: ARP, DHCP, DNS, ICMP echo. What stations send further, it takes apart, and speaks with
 * the sockets of a host in their place; without a host there is no further, and it says so. Nothing here depends on chance or on a clock
 * other than the machine's. Addresses are as on the user networks of QEMU: 10.0.2.0/24, the gateway 2, its DNS server 3, stations from 15 on.
 */
import type { Timers } from "../Wires.ts"
import * as dhcp from "./dhcp.ts"
import * as dns from "./dns.ts"
import * as ethernet from "./ethernet.ts"
import * as ipv4 from "./ipv4.ts"
import * as tcp from "./tcp.ts"

/** The sockets of a host. Addresses and ports are those that a station named; what arrives, arrives later, never during the call. */
export interface Host {
  readonly connect: (to: ipv4.Address, port: number, events: StreamEvents) => Stream
  readonly bind: (received: (from: ipv4.Address, port: number, bytes: Uint8Array) => void) => DatagramSocket
  /** Addresses of a name; none if it has none, undefined if nobody could be asked. */
  readonly resolve: (name: string, answer: (addresses: readonly ipv4.Address[] | undefined) => void) => void
}

export interface StreamEvents {
  readonly opened: () => void
  readonly refused: () => void
  readonly received: (bytes: Uint8Array) => void
  readonly ended: () => void
  readonly closed: () => void
  /** `waiting` is less than it was. */
  readonly drained: () => void
}

export interface Stream {
  readonly write: (bytes: Uint8Array) => void
  readonly end: () => void
  readonly abort: () => void
  /** The other side is not to be heard for now, or is again. */
  readonly pause: (isPaused: boolean) => void
  /** Bytes that were written and have not left. */
  readonly waiting: () => number
}

export interface DatagramSocket {
  readonly send: (to: ipv4.Address, port: number, bytes: Uint8Array) => void
  readonly close: () => void
}

const at = (last: number): ipv4.Address => ipv4.address(10, 0, 2, last)
// biome-ignore format: a table
export const addresses = { gateway: at(2), dns: at(3), firstStation: at(15), broadcast: at(255), mask: ipv4.address(255, 255, 255, 0) } as const
const everybody = ipv4.address(255, 255, 255, 255)
const mac: ethernet.Mac = Uint8Array.of(0x52, 0x55, 10, 0, 2, 2)

/** So many bytes wait on the way to the host, and on the way to a station. */
const mostWaiting = 256 * 1024
/** A way for datagrams is closed when nothing went along it for so long, in nanoseconds. */
const idle = 60e9
const names: Readonly<Record<string, ipv4.Address>> = { gateway: addresses.gateway, host: addresses.gateway }

export class Gateway {
  private readonly timers: Timers
  private readonly output: (frame: Uint8Array) => void
  private readonly host: Host | undefined
  /** Where the stations are, by their addresses. */
  private readonly stations = new Map<ipv4.Address, ethernet.Mac>()
  private readonly leases: ethernet.Mac[] = []
  private readonly connections = new Map<string, tcp.Connection>()
  private readonly datagrams = new Map<string, DatagramSocket>()
  private opened = 0

  /** `output`: a frame leaves; it is the receiver's to keep. */
  constructor(timers: Timers, output: (frame: Uint8Array) => void, host?: Host) {
    this.timers = timers
    this.output = output
    this.host = host
  }

  /** Connections of stations with the host, or beginnings of them: somebody outside the machine may have something to say. */
  get isBusy(): boolean {
    return this.connections.size > 0 || this.datagrams.size > 0 || this.questions > 0
  }
  private questions = 0

  /** A frame comes in. */
  receive(bytes: Uint8Array): void {
    const frame = ethernet.parseFrame(bytes)
    if (frame === undefined || !(ethernet.isSame(frame.to, mac) || ethernet.isSame(frame.to, ethernet.broadcast)))
      return
    if (frame.type === ethernet.etherType.arp) this.question(frame)
    else if (frame.type === ethernet.etherType.ipv4) this.packet(frame)
  }

  private question({ payload }: ethernet.Frame): void {
    const question = ethernet.parseQuestion(payload)
    if (question === undefined) return
    this.stations.set(question.fromAddress, question.from.slice())
    if (question.address !== addresses.gateway && question.address !== addresses.dns) return
    const { arp } = ethernet.etherType
    this.output(ethernet.frame({ to: question.from, from: mac, type: arp, payload: ethernet.answer(question, mac) }))
  }

  private packet({ from, payload }: ethernet.Frame): void {
    const packet = ipv4.parsePacket(payload)
    if (packet === undefined) return
    if (packet.from !== 0) this.stations.set(packet.from, from.slice())
    switch (packet.protocol) {
      case ipv4.protocol.icmp:
        this.icmp(packet)
        break
      case ipv4.protocol.udp:
        this.udp(packet, from)
        break
      case ipv4.protocol.tcp:
        this.tcp(packet)
    }
  }

  /** To a station, whose address has been seen. */
  private send(packet: ipv4.Packet, to: ethernet.Mac | undefined = this.stations.get(packet.to)): void {
    if (to === undefined) return
    this.output(ethernet.frame({ to, from: mac, type: ethernet.etherType.ipv4, payload: ipv4.packet(packet) }))
  }

  private icmp(packet: ipv4.Packet): void {
    if (packet.to !== addresses.gateway && packet.to !== addresses.dns) return
    const reply = ipv4.echoed(packet)
    if (reply !== undefined) this.send(reply)
  }

  // ---- datagrams

  private udp(packet: ipv4.Packet, station: ethernet.Mac): void {
    const datagram = ipv4.parseDatagram(packet)
    if (datagram === undefined) return
    const isToAll = packet.to === everybody || packet.to === addresses.broadcast
    if (datagram.toPort === dhcp.ports.server) this.dhcp(datagram.payload, station)
    else if (packet.to === addresses.dns && datagram.toPort === dns.port) this.dns(datagram)
    else if (this.host !== undefined && !isToAll) this.forward(this.host, datagram)
    else if (!isToAll) this.send(ipv4.notReached(packet, addresses.gateway, ipv4.unreachableCode.port))
  }

  private dhcp(message: Uint8Array, station: ethernet.Mac): void {
    const network = { mask: addresses.mask, router: addresses.gateway, dns: addresses.dns }
    const payload = dhcp.respond(message, network, (mac) => this.lease(mac))
    if (payload === undefined) return
    const { server: fromPort, client: toPort } = dhcp.ports
    this.send(ipv4.datagram({ from: addresses.gateway, fromPort, to: everybody, toPort, payload }), station)
  }

  /** In the order in which stations have asked. From then on it is known where the address is, though nothing was heard from there. */
  private lease(mac: ethernet.Mac): ipv4.Address {
    const known = this.leases.findIndex((one) => ethernet.isSame(one, mac))
    const address = addresses.firstStation + (known >= 0 ? known : this.leases.push(mac) - 1)
    if (!this.stations.has(address)) this.stations.set(address, mac)
    return address
  }

  private dns({ from, fromPort, payload }: ipv4.Datagram): void {
    const question = dns.parseQuestion(payload)
    if (question === undefined) return
    const answer = (rcode: number, found: readonly ipv4.Address[] = []) =>
      this.send(
        ipv4.datagram({
          from: addresses.dns,
          fromPort: dns.port,
          to: from,
          toPort: fromPort,
          payload: dns.answer(question, rcode, found)
        })
      )
    const own = names[question.name]
    if (own !== undefined) answer(dns.outcome.ok, [own])
    else if (this.host === undefined) answer(dns.outcome.noName)
    else {
      this.questions++
      this.host.resolve(question.name, (found) => {
        this.questions--
        if (found === undefined) answer(dns.outcome.serverFailure)
        else answer(found.length === 0 ? dns.outcome.noName : dns.outcome.ok, found)
      })
    }
  }

  private forward(host: Host, { from, fromPort, to, toPort, payload }: ipv4.Datagram): void {
    const name = `UDP ${ipv4.dotted(from)}:${fromPort}`
    let socket = this.datagrams.get(name)
    if (socket === undefined) {
      socket = host.bind((sender, port, bytes) => {
        this.keep(name)
        this.send(ipv4.datagram({ from: sender, fromPort: port, to: from, toPort: fromPort, payload: bytes }))
      })
      this.datagrams.set(name, socket)
    }
    this.keep(name)
    socket.send(to, toPort, payload)
  }

  private keep(name: string): void {
    this.timers.schedule(name, this.timers.now() + idle, () => {
      this.datagrams.get(name)?.close()
      this.datagrams.delete(name)
    })
  }

  // ---- connections

  private tcp(packet: ipv4.Packet): void {
    const segment = tcp.parseSegment(packet.payload)
    if (segment === undefined) return
    const ends = {
      local: packet.to,
      localPort: segment.toPort,
      remote: packet.from,
      remotePort: segment.fromPort
    }
    const connection = this.connections.get(nameOf(ends))
    const isFirst = (segment.flags & (tcp.flag.SYN | tcp.flag.ACK)) === tcp.flag.SYN
    if (connection !== undefined) connection.arrived(segment)
    else if (this.host !== undefined && isFirst) this.connect(this.host, ends, segment)
    else this.refuse(ends, segment)
  }

  private refuse(ends: tcp.Ends, segment: tcp.Segment): void {
    const refusal = tcp.refuse(ends, segment)
    if (refusal !== undefined) this.send(refusal)
  }

  /** A station asks for a connection: it is answered when the host has made it. */
  private connect(host: Host, ends: tcp.Ends, segment: tcp.Segment): void {
    const name = nameOf(ends)
    const { connection, events } = this.join(ends, () => stream)
    const stream = host.connect(ends.local, ends.localPort, {
      ...events,
      opened: () => connection.accept(segment),
      refused: () => {
        this.connections.delete(name)
        this.refuse(ends, segment)
      }
    })
  }

  /**
   * Somebody at the host asks for a connection with a station. The stream is used when the station has agreed.
   *
   * @returns what the host is to say of the stream; undefined if no station of this address has been seen
   */
  offer(to: ipv4.Address, port: number, stream: Stream): Omit<StreamEvents, "opened" | "refused"> | undefined {
    if (!this.stations.has(to)) return undefined
    // Ports are used in turn.
    const localPort = 0x8000 + (this.opened % 0x7000)
    const { connection, events } = this.join(
      { local: addresses.gateway, localPort, remote: to, remotePort: port },
      () => stream
    )
    connection.open()
    return events
  }

  private join(ends: tcp.Ends, stream: () => Stream) {
    const name = nameOf(ends)
    const connection = new tcp.Connection(ends, this.initial(), (packet) => this.send(packet), this.timers, {
      opened: () => {},
      received: (bytes) => stream().write(bytes),
      ended: () => stream().end(),
      closed: (isComplete) => {
        this.connections.delete(name)
        if (!isComplete) stream().abort()
      },
      drained: () => stream().pause(connection.waiting > mostWaiting),
      room: () => mostWaiting - stream().waiting()
    })
    this.connections.set(name, connection)
    const events: Omit<StreamEvents, "opened" | "refused"> = {
      received: (bytes) => {
        connection.write(bytes)
        if (connection.waiting > mostWaiting) stream().pause(true)
      },
      ended: () => connection.end(),
      closed: () => connection.abort(),
      drained: () => connection.hasRoom()
    }
    return { connection, events }
  }

  /** The first sequence number of a connection: others for those that come after it. */
  private initial(): number {
    return Math.imul(++this.opened, 0x9e37_79b1) >>> 0
  }
}

const nameOf = ({ local, localPort, remote, remotePort }: tcp.Ends): string =>
  `${ipv4.dotted(remote)}:${remotePort} ${ipv4.dotted(local)}:${localPort}`
