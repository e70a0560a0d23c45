/**
 * ManyGuests: a system of as many guests as there can be, each with all devices, as the compiler judges it; and the part of it that is
 * asked for when a program runs.
 */
import { defineSystem, type PartOf, without } from "../user/System.ts"
import {
  consoles,
  diskGrants,
  diskObjects,
  disks,
  type Ended,
  guestObjects,
  machineObjects,
  monitorGrants,
  monitorTask,
  networkGrants,
  networkObjects,
  priorities,
  processorGrants,
  processorObjects,
  timer,
  uplink,
  uplinkObjects
} from "./guests.ts"
import type { Guest } from "./Monitor.ts"
import { furtherProcessors } from "./names.ts"
import { type Consumed, type Housing, startGuests, type Tenant } from "./virtualMachines.ts"

/** Guests by their places. */
const places = ["guest1", "guest2", "guest3", "guest4", "guest5", "guest6", "guest7", "guest8", "guest9"] as const
type Place = (typeof places)[number]
export const mostGuests = places.length

export const mostProcessors = 1 + furtherProcessors.length

/** A guest as it is asked for. It has a network card if it has an address on it. */
export type Wanted = Guest &
  Omit<Tenant<string>, "name"> & {
    /** How many it has: 1, if not said. */
    readonly processors?: number
    readonly hasDisk?: boolean
  }

/** Where the guests' network leads: to a gateway that leads nowhere, or to the machine's card. */
export type Network = "inside" | "card"

/** What is in a place that nobody has asked for: it is left out. */
const nobody: Wanted = { name: "nobody", memoryBytes: 0, payload: { _tag: "Flat", bytes: new Uint8Array(0) } }

const equipment = ["network", "disk", ...furtherProcessors] as const

const grantsOf = <const P extends Place>(place: P, n: number) => ({
  ...monitorGrants(place, n),
  ...processorGrants(place, furtherProcessors),
  ...networkGrants(place, n),
  ...diskGrants(place, n)
})
type Monitors = {
  readonly [P in Place]: {
    readonly program: ReturnType<typeof monitorTask<(typeof equipment)[number]>>
    readonly priority: typeof priorities.monitor
    readonly grants: ReturnType<typeof grantsOf<P>>
  }
}

const whole = (wanted: ReadonlyArray<Wanted>, ended: Ended) => {
  const guestAt = (n: number) => wanted[n] ?? nobody
  const monitors = Object.fromEntries(
    places.map((place, n) => [
      place,
      {
        program: monitorTask(guestAt(n), equipment, ended),
        priority: priorities.monitor,
        grants: grantsOf(place, n)
      }
    ])
  ) as Monitors
  return defineSystem({
    objects: {
      ...machineObjects,
      ...guestObjects(places),
      ...processorObjects(places, furtherProcessors),
      ...networkObjects(places),
      ...uplinkObjects,
      ...diskObjects(places.map((place, n) => [place, n]))
    },
    tasks: {
      timer: timer(places),
      console: consoles(places, (place) => guestAt(places.indexOf(place)).name),
      network: uplink(places),
      disk: disks(places),
      ...monitors
    }
  })
}

/** The system of these guests, and of no others. */
const systemOf = (
  wanted: ReadonlyArray<Wanted>,
  { network = "inside", ended = () => undefined }: Options
): PartOf<Housing<Place>> => {
  const { tasks, objects } = { tasks: new Set<string>(), objects: new Set<string>() }
  for (const [n, place] of places.entries()) {
    const guest = wanted[n]
    if (guest === undefined) {
      tasks.add(place)
      for (const name of Object.keys(guestObjects([place]))) objects.add(name)
    }
    const processors = guest === undefined ? 0 : (guest.processors ?? 1) - 1
    for (const name of Object.keys(processorObjects([place], furtherProcessors.slice(processors)))) objects.add(name)
    if (guest?.mac === undefined) objects.add(`${place}.cable`)
    if (guest?.hasDisk !== true) objects.add(`${place}.disk`).add(`${place}.diskConfig`)
  }
  const isNetworked = wanted.some(({ mac }) => mac !== undefined)
  if (!isNetworked) tasks.add("network")
  if (!isNetworked) objects.add("networkBell")
  if (!isNetworked || network === "inside") for (const name of Object.keys(uplinkObjects)) objects.add(name)
  if (!wanted.some(({ hasDisk }) => hasDisk)) {
    tasks.add("disk")
    for (const name of ["diskRegisters", "diskQueues", "diskBell"]) objects.add(name)
  }
  return without(whole(wanted, ended), tasks, objects)
}

export interface Options {
  readonly network?: Network
  /** Hears how each guest ended. */
  readonly ended?: Ended
  readonly consumed?: Consumed
}

/** @throws if there are more guests than places, or more processors than one can have */
export const startMany = (wanted: ReadonlyArray<Wanted>, options: Options = {}) => {
  if (wanted.length > mostGuests) throw new Error(`there are at most ${mostGuests} guests, not ${wanted.length}`)
  for (const { name, processors = 1 } of wanted)
    if (processors > mostProcessors)
      throw new Error(`${name} can have at most ${mostProcessors} processors, not ${processors}`)
  return startGuests(
    systemOf(wanted, options),
    wanted.map((guest, n) => ({ ...guest, name: places[n]! })),
    options.consumed
  )
}
