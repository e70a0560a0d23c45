/**
 * NetworkServer: a task that joins guests to one network, with a gateway on it.
 *
 * Where it has a network card of the machine, the gateway is what is at the other end of that wire. Without one it is in this task,
 * answers ARP, DHCP, DNS and ICMP echo, and leads no further: the task has no way out of the machine.
 */
import { Clock, Effect } from "effect"
import { pciLine, pciPins } from "../devices/addresses.ts"
import { Gateway } from "../devices/net/Gateway.ts"
import type { Cap } from "../types/Capability.ts"
import { IRQHandler_Ack, IRQHandler_SetNotification } from "../user/Interrupts.ts"
import { Signal, Wait } from "../user/Ipc.ts"
import { Frame_GetAddress } from "../user/PageTables.ts"
import { Shared_Address } from "../user/Shared.ts"
import { Syscalls } from "../user/Syscalls.ts"
import { serverTask } from "../user/System.ts"
import { cable } from "./channels.ts"
import { FrameRing } from "./FrameRing.ts"
import { openCard } from "./NetworkDriver.ts"
import { Switch } from "./Switch.ts"
import { queueBytes } from "./VirtioDriver.ts"
import { VirtualTimers } from "./VirtualTimers.ts"

/** Where the registers of its card are on the bus: a large page. */
export const cardRegisters = { device: "LargePage", address: 0xc020_0000 } as const
/** INTA# of the card in a PCI slot. */
export const cardInterrupt = (device: number) =>
  ({
    interrupt: { ioapic: 0, pin: pciPins.first + pciLine(device, 0), trigger: "level", polarity: "low", vector: 2 }
  }) as const
export const interruptBadge = 1n << 63n

const own = { bell: "Notification" } as const
const each = { page: "Frame", wake: "Notification" } as const
/** What it has of the machine, if it has a card. */
const card = {
  config: "Frame",
  registers: "Frame",
  buffers: "Frame",
  interrupt: "IRQHandler",
  ring: "Notification"
} as const

/** The task, for stations by these names, on a network that leads nowhere. */
export const networkTask = <const N extends string>(names: ReadonlyArray<N>) =>
  serverTask(names, own, each, ({ bell }, stations) => serveNetwork({ bell }, stations))

/** The task, on a network that leads where its card does. */
export const uplinkTask = <const N extends string>(names: ReadonlyArray<N>) =>
  serverTask(names, { ...own, ...card }, each, ({ bell, ...uplink }, stations) =>
    serveNetwork({ bell, uplink }, stations)
  )

type Memory<Q> = Cap<"Frame", "read" | "write", Q>
interface Uplink<C, M, F, I, R> {
  readonly config: Memory<C>
  readonly registers: Memory<M>
  readonly buffers: Memory<F>
  readonly interrupt: Cap<"IRQHandler", "configure" | "acknowledge", I>
  /** `bell` with the badge of the interrupt. */
  readonly ring: Cap<"Notification", "write", R>
}
interface Held<B, C, M, F, I, R> {
  readonly bell: Cap<"Notification", "read", B>
  readonly uplink?: Uplink<C, M, F, I, R>
}
interface Station<P, W> {
  readonly page: Memory<P>
  readonly wake: Cap<"Notification", "write", W>
}

const serveNetwork = <B, P, W, C = never, M = never, F = never, I = never, R = never>(
  { bell, uplink }: Held<B, C, M, F, I, R>,
  clients: ReadonlyArray<Station<P, W>>
) =>
  Effect.gen(function* () {
    const { memory } = yield* Syscalls
    const stations = yield* Effect.forEach(clients, ({ page, wake }) =>
      Effect.map(Shared_Address(page), (at) => ({
        wake,
        isCalled: false,
        from: new FrameRing(memory, at + cable.fromGuest.at, cable.fromGuest.bytes),
        to: new FrameRing(memory, at + cable.toGuest.at, cable.toGuest.bytes)
      }))
    )
    const port = stations.length
    const way = yield* wayOut(uplink, (frame) => join.forward(port, frame))
    const join: Switch = new Switch([
      ...stations.map((station) => (frame: Uint8Array) => {
        station.isCalled = station.to.send(frame) || station.isCalled
      }),
      way.send
    ])
    for (;;) {
      const badge = yield* Wait(bell)
      way.look()
      if (uplink !== undefined && badge & interruptBadge) yield* IRQHandler_Ack(uplink.interrupt)
      for (const [port, { from }] of stations.entries()) {
        for (let frame = from.receive(); frame !== undefined; frame = from.receive()) join.forward(port, frame)
      }
      for (const station of stations) {
        if (!station.isCalled) continue
        station.isCalled = false
        yield* Signal(station.wake)
      }
    }
  })

/** Where frames go that are for no station, and what comes from there. */
const wayOut = <C, M, F, I, R>(uplink: Uplink<C, M, F, I, R> | undefined, arrived: (frame: Uint8Array) => void) =>
  Effect.gen(function* () {
    const { memory } = yield* Syscalls
    const clock = yield* Clock.Clock
    // Of a system that was left without the card (`without`), the slots are empty.
    if (uplink?.config === undefined) {
      const timers = new VirtualTimers(() => Number(clock.currentTimeNanosUnsafe()))
      const gateway = new Gateway(timers, arrived)
      return { send: (frame: Uint8Array) => gateway.receive(frame), look: () => timers.runDue() }
    }
    const { config, registers, buffers, interrupt, ring } = uplink
    const [at, physical] = [yield* Shared_Address(buffers), yield* Frame_GetAddress(buffers)]
    const [queue, frames] = [0, 2 * queueBytes]
    yield* IRQHandler_SetNotification(interrupt, ring)
    const places = {
      configuration: yield* Shared_Address(config),
      registers: yield* Shared_Address(registers),
      bus: cardRegisters.address,
      queue: at + queue,
      queuePhysical: physical + queue
    }
    const card = openCard(memory, places, { address: at + frames, physical: physical + frames })
    if ("_tag" in card) return yield* Effect.fail(card)
    return {
      send: card.send,
      look: () => {
        for (const frame of card.receive()) arrived(frame)
      }
    }
  })
