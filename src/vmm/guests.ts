/**
 * Guests: what systems of guests are put together from. For each guest a task, its monitor, and what that shares with the servers; the
 * servers, which have the machine's devices.
 *
 *     const names = ["alice", "bob"] as const
 *     defineSystem({
 *       objects: { ...machineObjects, ...guestObjects(names) },
 *       tasks: {
 *         timer: timer(names), console: consoles(names),
 *         alice: { program: monitorTask(guest, []), priority: 100, grants: monitorGrants("alice", 0) }, ...
 *       }
 *     })
 *
 * Nothing here is more than a short way to write what could be written out: the compiler judges what comes of it.
 */
import { Effect } from "effect"
import type { Exercise } from "../types/Capability.ts"
import type { Task } from "../types/System.ts"
import { com1Ports } from "../user/Console.ts"
import { serverTask } from "../user/System.ts"
import { timerGrants, timerObjects, timerTask } from "../user/Timer.ts"
import { com1Interrupt, interruptBadge as consoleInterrupt, consolesTask } from "./ConsoleServer.ts"
import { signal } from "./channels.ts"
import { diskRegisters, diskTask } from "./DiskServer.ts"
import { Landlord } from "./Landlord.ts"
import { type Guest, monitor, type Report } from "./Monitor.ts"
import { interruptBadge as cardBadge, cardInterrupt, cardRegisters, networkTask, uplinkTask } from "./NetworkServer.ts"
import { type Further, furtherProcessors } from "./names.ts"
import { configurationOf } from "./VirtioDriver.ts"

export const priorities = { timer: 210, console: 200, network: 190, disk: 180, monitor: 100 } as const

/** PCI slots of the machine: a card first, then disks in the order of guests. */
export const cardSlot = 1
export const diskSlot = (guest: number): number => 2 + guest

// The monitors.

const always = {
  vcpu: "VCPU",
  wake: "Notification",
  kick: "Notification",
  screen: "Frame",
  screenBell: "Notification",
  alarm: "Frame",
  alarmBell: "Notification",
  landlord: Landlord
} as const
const optional = {
  network: { cable: "Frame", cableBell: "Notification" },
  disk: { disk: "Frame", diskBell: "Notification" }
} as const

/** Of each processor beyond the first. */
const ofFurther = { vcpu: "VCPU", thread: "TCB", wake: "Notification", kick: "Notification" } as const

/** What a guest has beside what every guest has: devices, and processors beyond the first. */
export type Equipment = keyof typeof optional | Further
export type Ended = (report: Report) => void
const nobody: Ended = () => undefined

const equipped = (guest: Guest, ended: Ended) =>
  serverTask(furtherProcessors, { ...always, ...optional.network, ...optional.disk }, ofFurther, (caps, further) =>
    Effect.map(monitor(caps, further, guest), ended)
  )

type Equipped = ReturnType<typeof equipped> extends Task<infer S, infer U> ? { slots: S; uses: U } : never
type Names<D extends Equipment> =
  | keyof typeof always
  | (D extends keyof typeof optional
      ? Extract<keyof (typeof optional)[D], keyof Equipped["slots"]>
      : D extends Further
        ? `${D}.${keyof typeof ofFurther}`
        : never)
type Having<D extends Equipment> = { readonly [N in Names<D>]: Equipped["slots"][N] }
type UsesOf<N, U> = U extends Exercise<infer M, infer _K, infer _R> ? (M extends N ? U : never) : U

/** The task of a guest with this equipment. `ended` hears how it ended. */
export const monitorTask = <const D extends Equipment>(
  guest: Guest,
  equipment: ReadonlyArray<D>,
  ended = nobody
): Task<Having<D>, UsesOf<Names<D>, Equipped["uses"]>> => {
  const { slots, body } = equipped(guest, ended)
  const has = new Set<string>([...Object.keys(always), ...equipment.flatMap(slotsOf)])
  const own = Object.fromEntries(Object.entries(slots).filter(([name]) => has.has(name)))
  return { slots: own as Having<D>, body }
}

const slotsOf = (one: Equipment): ReadonlyArray<string> =>
  one in optional
    ? Object.keys(optional[one as keyof typeof optional])
    : Object.keys(ofFurther).map((slot) => `${one}.${slot}`)

type Memory<O extends string> = { readonly to: O; readonly rights: readonly ["read", "write"] }
const memory = <const O extends string>(to: O): Memory<O> => ({ to, rights: ["read", "write"] })
type Bell<O extends string> = { readonly to: O; readonly rights: readonly ["write"]; readonly badge: bigint }
const bell = <const O extends string>(to: O, badge: bigint): Bell<O> => ({ to, rights: ["write"], badge })

/** What the monitor of the guest at a place is granted, whatever its guest has. */
export const monitorGrants = <const G extends string>(guest: G, place: number) =>
  ({
    vcpu: { to: `${guest}.vcpu`, rights: ["readState", "writeState"] },
    wake: { to: `${guest}.wake`, rights: ["read"] },
    kick: bell(`${guest}.wake`, signal.kick),
    screen: memory(`${guest}.screen`),
    screenBell: bell("screenBell", 1n << BigInt(place)),
    alarm: memory(`${guest}.alarm`),
    alarmBell: bell("alarms", 1n << BigInt(place)),
    landlord: { to: "landlord", rights: ["write", "grantReply"], badge: BigInt(place + 1) }
  }) as const
/** And beside, for a device. */
export const networkGrants = <const G extends string>(guest: G, place: number) =>
  ({ cable: memory(`${guest}.cable`), cableBell: bell("networkBell", 1n << BigInt(place)) }) as const
export const diskGrants = <const G extends string>(guest: G, place: number) =>
  ({ disk: memory(`${guest}.disk`), diskBell: bell("diskBell", 1n << BigInt(place)) }) as const

type Of<G extends string, P extends Further, O extends string, R extends ReadonlyArray<string>> = {
  readonly [N in P as `${N}.${O}`]: { readonly to: `${G}.${N}.${O}`; readonly rights: R }
}
type OfProcessors<G extends string, P extends Further> = Of<G, P, "vcpu", readonly ["readState", "writeState"]> &
  Of<G, P, "thread", readonly ["writeRegisters", "run"]> &
  Of<G, P, "wake", readonly ["read"]> & { readonly [N in P as `${N}.kick`]: Bell<`${G}.${N}.wake`> }
/** And for processors beyond the first. */
export const processorGrants = <const G extends string, const P extends Further>(
  guest: G,
  processors: ReadonlyArray<P>
): OfProcessors<G, P> =>
  Object.fromEntries(
    processors.flatMap((processor) => {
      const own = `${guest}.${processor}` as const
      return [
        [`${processor}.vcpu`, { to: `${own}.vcpu`, rights: ["readState", "writeState"] }],
        [`${processor}.thread`, { to: `${own}.thread`, rights: ["writeRegisters", "run"] }],
        [`${processor}.wake`, { to: `${own}.wake`, rights: ["read"] }],
        [`${processor}.kick`, bell(`${own}.wake`, signal.kick)]
      ]
    })
  ) as OfProcessors<G, P>

// What there is.

/** Of every system of guests: the machine's serial port and timer, how their servers are rung, and the landlord. */
export const machineObjects = {
  ...timerObjects,
  com1: com1Ports,
  com1Interrupt: { interrupt: com1Interrupt },
  screenBell: "Notification",
  landlord: { starter: Landlord }
} as const

/** An object of a type for each guest, under its name, a point and what it is. */
type PerGuest<G extends string, O extends string, T> = { readonly [K in `${G}.${O}`]: T }
const perGuest = <G extends string, const O extends string, const T>(
  guests: ReadonlyArray<G>,
  name: O,
  type: T
): PerGuest<G, O, T> => Object.fromEntries(guests.map((guest) => [`${guest}.${name}`, type])) as PerGuest<G, O, T>

export const guestObjects = <const G extends string>(guests: ReadonlyArray<G>) => ({
  ...perGuest(guests, "vcpu", "VCPU"),
  ...perGuest(guests, "wake", "Notification"),
  ...perGuest(guests, "screen", "Page4K"),
  ...perGuest(guests, "alarm", "Page4K")
})

/** Of guests that all have these processors beyond the first. */
export const processorObjects = <const G extends string, const P extends Further>(
  guests: ReadonlyArray<G>,
  processors: ReadonlyArray<P>
) => {
  const each = guests.flatMap((guest) => processors.map((processor): `${G}.${P}` => `${guest}.${processor}`))
  return {
    ...perGuest(each, "vcpu", "VCPU"),
    ...perGuest(each, "thread", "TCB"),
    ...perGuest(each, "wake", "Notification")
  }
}

export const networkObjects = <const G extends string>(guests: ReadonlyArray<G>) => ({
  networkBell: "Notification" as const,
  ...perGuest(guests, "cable", "LargePage")
})

/** The machine's card, for a network that leads outside. */
export const uplinkObjects = {
  card: configurationOf(cardSlot),
  cardRegisters,
  cardBuffers: "LargePage",
  cardInterrupt: cardInterrupt(cardSlot)
} as const

/** Guests with disks, each with its place among all guests. */
export const diskObjects = <const G extends string>(guests: ReadonlyArray<readonly [name: G, place: number]>) => {
  const names = guests.map(([name]) => name)
  return {
    diskRegisters,
    diskQueues: "LargePage" as const,
    diskBell: "Notification" as const,
    ...perGuest(names, "disk", "LargePage"),
    ...(Object.fromEntries(
      guests.map(([name, place]) => [`${name}.diskConfig`, configurationOf(diskSlot(place))])
    ) as PerGuest<G, "diskConfig", ReturnType<typeof configurationOf>>)
  }
}

// The servers.

type Shared<G extends string, S extends string, O extends string> = {
  readonly [K in G as `${K}.${S}`]: Memory<`${K}.${O}`>
}
const shared = <G extends string, const S extends string, const O extends string>(
  guests: ReadonlyArray<G>,
  slot: S,
  object: O
): Shared<G, S, O> =>
  Object.fromEntries(guests.map((guest) => [`${guest}.${slot}`, memory(`${guest}.${object}`)])) as Shared<G, S, O>

type Wakes<G extends string> = { readonly [K in G as `${K}.wake`]: Bell<`${K}.wake`> }
const wakes = <G extends string>(guests: ReadonlyArray<G>, badge: bigint): Wakes<G> =>
  Object.fromEntries(guests.map((guest) => [`${guest}.wake`, bell(`${guest}.wake`, badge)])) as Wakes<G>

export const timer = <const G extends string>(guests: ReadonlyArray<G>) => ({
  program: timerTask(guests),
  priority: priorities.timer,
  grants: { ...timerGrants, ...shared(guests, "page", "alarm"), ...wakes(guests, signal.alarm) }
})

/** `shown`: what guests are called on the screen. */
export const consoles = <const G extends string>(guests: ReadonlyArray<G>, shown?: (guest: G) => string) => ({
  program: consolesTask(guests, shown),
  priority: priorities.console,
  grants: {
    port: { to: "com1", rights: ["in", "out"] },
    interrupt: { to: "com1Interrupt", rights: ["configure", "acknowledge"] },
    bell: { to: "screenBell", rights: ["read"] },
    ring: bell("screenBell", consoleInterrupt),
    ...shared(guests, "page", "screen"),
    ...wakes(guests, signal.console)
  } as const
})

export const disks = <const G extends string>(guests: ReadonlyArray<G>) => ({
  program: diskTask(guests),
  priority: priorities.disk,
  grants: {
    registers: memory("diskRegisters"),
    queues: memory("diskQueues"),
    bell: { to: "diskBell", rights: ["read"] },
    ...shared(guests, "config", "diskConfig"),
    ...shared(guests, "window", "disk"),
    ...wakes(guests, signal.disk)
  } as const
})

/** A switch, with a gateway that leads nowhere. */
export const network = <const G extends string>(guests: ReadonlyArray<G>) => ({
  program: networkTask(guests),
  priority: priorities.network,
  grants: {
    bell: { to: "networkBell", rights: ["read"] },
    ...shared(guests, "page", "cable"),
    ...wakes(guests, signal.network)
  } as const
})

/** A switch with a wire to the machine's card. */
export const uplink = <const G extends string>(guests: ReadonlyArray<G>) => ({
  program: uplinkTask(guests),
  priority: priorities.network,
  grants: {
    ...network(guests).grants,
    config: memory("card"),
    registers: memory("cardRegisters"),
    buffers: memory("cardBuffers"),
    interrupt: { to: "cardInterrupt", rights: ["configure", "acknowledge"] },
    ring: bell("networkBell", cardBadge)
  } as const
})
