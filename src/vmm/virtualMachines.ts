/**
 * VirtualMachines: a system of guests: for each a monitor, and the servers that they share.
 *
 * The tasks and what each may do are a system like any other. What no task has stays with who starts them: the guests' memory, and the
 * binding of virtual processors to threads.
 */
import { Effect } from "effect"
import { sectorBytes } from "../devices/virtio/block.ts"
import type { Cap } from "../types/Capability.ts"
import type { Grant, Spec, TaskSpec, Thing } from "../types/System.ts"
import { BootInfo, type Full } from "../user/BootInfo.ts"
import { Cap_Copy, Cap_Mint, Cap_Revoke } from "../user/Capabilities.ts"
import { com1Ports } from "../user/Console.ts"
import { Signal } from "../user/Ipc.ts"
import { AddressSpace_Map, create, Untyped_Retype } from "../user/Memory.ts"
import { reply, serve } from "../user/Server.ts"
import type { Started } from "../user/Spawn.ts"
import { endpointOf, startWhole, systemOf, task } from "../user/System.ts"
import { TCB_BindNotification } from "../user/ThreadSettings.ts"
import { hpetAddress, hpetInterrupt, serveTime, interruptBadge as timerInterrupt } from "../user/TimerServer.ts"
import { EPT_Map, GuestMemory_Create, TCB_SetEPTRoot, VCPU_SetTCB } from "../user/VirtualProcessor.ts"
import { configPorts, registersAt } from "./BlockDriver.ts"
import { com1Interrupt, interruptBadge as consoleInterrupt, serveConsoles } from "./ConsoleServer.ts"
import { signal } from "./channels.ts"
import { serveDisk } from "./DiskServer.ts"
import { blockBits, blockBytes, Landlord } from "./Landlord.ts"
import { type Guest, memoryAt, monitor, type Report } from "./Monitor.ts"
import { serveNetwork } from "./NetworkServer.ts"
import { survey } from "./survey.ts"

/** A guest as it is asked for. */
export type Wanted = Omit<Guest, "cpuid"> & {
  readonly time?: NonNullable<TaskSpec["time"]>
  readonly priority?: number
}

const frameBytes = 2 ** 21

const priorities = { timer: 210, console: 200, network: 190, disk: 180, monitor: 100 } as const

/** What the servers know a guest's page and notification by. */
const page = (n: number) => `page${n}` as const
const wake = (n: number) => `wake${n}` as const
type Clients = { readonly [P in `page${number}`]: "Frame" } & { readonly [W in `wake${number}`]: "Notification" }

const clientsOf = (count: number): Clients =>
  Object.fromEntries(
    Array.from({ length: count }, (_, n) => [
      [page(n), "Frame"],
      [wake(n), "Notification"]
    ]).flat()
  ) as Clients

type Served<P> = Clients &
  P & {
    readonly interrupt: "IRQHandler"
    readonly bell: "Notification"
    readonly ring: "Notification"
  }
const served = <const P>(own: P, count: number): Served<P> => ({
  ...own,
  interrupt: "IRQHandler",
  bell: "Notification",
  ring: "Notification",
  ...clientsOf(count)
})

const consoleTask = (names: ReadonlyArray<string>) =>
  task(served({ port: "IOPort" }, names.length), (caps) =>
    serveConsoles(
      caps,
      names.map((name, n) => ({ name, page: caps[page(n)]!, wake: caps[wake(n)]! }))
    )
  )

const timerTask = (count: number) =>
  task(served({ registers: "Frame" }, count), (caps) =>
    serveTime(
      caps,
      Array.from({ length: count }, (_, n) => ({ page: caps[page(n)]!, wake: caps[wake(n)]! }))
    )
  )

const networkTask = (count: number) =>
  task({ bell: "Notification", ...clientsOf(count) } as { readonly bell: "Notification" } & Clients, (caps) =>
    serveNetwork(
      caps.bell,
      Array.from({ length: count }, (_, n) => ({ page: caps[page(n)]!, wake: caps[wake(n)]! }))
    )
  )

/** Large pages that a disk is in. */
const part = (n: number) => `part${n}` as const
type Parts = { readonly [P in `part${number}`]: "Frame" }
const pagesOf = (sectors: number): number => Math.ceil((sectors * sectorBytes) / frameBytes)
const partsOf = (sectors: number): Parts =>
  Object.fromEntries(Array.from({ length: pagesOf(sectors) }, (_, n) => [part(n), "Frame"])) as Parts

type Disk = {
  readonly config: "IOPort"
  readonly registers: "Frame"
  readonly queue: "Frame"
  readonly changes: "Frame"
  readonly bell: "Notification"
}
const diskTask = (sectors: number) =>
  task(
    {
      config: "IOPort",
      registers: "Frame",
      queue: "Frame",
      changes: "Frame",
      bell: "Notification",
      ...partsOf(sectors)
    } as Disk & Parts,
    (caps) =>
      serveDisk(
        caps,
        Array.from({ length: pagesOf(sectors) }, (_, n) => caps[part(n)]!),
        sectors
      )
  )

/** What a monitor has beside, whose guest has a disk. */
type WithDisk = Parts & {
  readonly changes: "Frame"
  readonly diskBell: "Notification"
}
const withDisk = (sectors: number): WithDisk => ({ changes: "Frame", diskBell: "Notification", ...partsOf(sectors) })

/** What a monitor has beside, whose guest has a network card. */
type Networked = {
  readonly cable: "Frame"
  readonly cableBell: "Notification"
}
const networked: Networked = { cable: "Frame", cableBell: "Notification" }

const always = {
  vcpu: "VCPU",
  wake: "Notification",
  screen: "Frame",
  screenBell: "Notification",
  alarm: "Frame",
  alarmBell: "Notification",
  landlord: Landlord
} as const
type Slots = typeof always & Networked & WithDisk

const monitorTask = (guest: Guest, ended: (report: Report) => void) => {
  const slots = {
    ...always,
    ...(guest.mac !== undefined && networked),
    ...(guest.sectors !== undefined && withDisk(guest.sectors))
  } as Slots
  return task(slots, (caps) => {
    const disk = Array.from({ length: pagesOf(guest.sectors ?? 0) }, (_, n) => caps[part(n)]!)
    return Effect.map(monitor({ ...caps, disk }, guest), ended)
  })
}

/** Guests by their place, and their system. */
const specOf = (guests: ReadonlyArray<Guest & Wanted>, ended: (report: Report) => void): Spec => {
  const objects: Record<string, Thing> = {
    screenBell: "Notification",
    alarmBell: "Notification",
    landlord: Landlord,
    com1: com1Ports,
    com1Interrupt: { interrupt: com1Interrupt },
    hpet: { device: "Page4K", address: hpetAddress },
    hpetInterrupt: { interrupt: hpetInterrupt }
  }
  const consoleGrants: Record<string, Grant> = {
    port: { to: "com1", rights: ["in", "out"] },
    interrupt: { to: "com1Interrupt", rights: ["configure", "acknowledge"] },
    bell: { to: "screenBell", rights: ["read"] },
    ring: { to: "screenBell", rights: ["write"], badge: consoleInterrupt }
  }
  const timerGrants: Record<string, Grant> = {
    registers: { to: "hpet", rights: ["read", "write"] },
    interrupt: { to: "hpetInterrupt", rights: ["configure", "acknowledge"] },
    bell: { to: "alarmBell", rights: ["read"] },
    ring: { to: "alarmBell", rights: ["write"], badge: timerInterrupt }
  }
  const monitors: Record<string, TaskSpec> = {}
  for (const [n, guest] of guests.entries()) {
    const { name } = guest
    Object.assign(objects, {
      [`${name}.vcpu`]: "VCPU",
      [`${name}.wake`]: "Notification",
      [`${name}.screen`]: "Page4K",
      [`${name}.alarm`]: "Page4K"
    })
    consoleGrants[page(n)] = { to: `${name}.screen`, rights: ["read", "write"] }
    consoleGrants[wake(n)] = { to: `${name}.wake`, rights: ["write"], badge: signal.console }
    timerGrants[page(n)] = { to: `${name}.alarm`, rights: ["read", "write"] }
    timerGrants[wake(n)] = { to: `${name}.wake`, rights: ["write"], badge: signal.alarm }
    monitors[name] = {
      program: monitorTask(guest, ended),
      priority: guest.priority ?? priorities.monitor,
      ...(guest.time && { time: guest.time }),
      grants: {
        vcpu: { to: `${name}.vcpu`, rights: ["readState", "writeState"] },
        wake: { to: `${name}.wake`, rights: ["read"] },
        screen: { to: `${name}.screen`, rights: ["read", "write"] },
        screenBell: { to: "screenBell", rights: ["write"], badge: 1n << BigInt(n) },
        alarm: { to: `${name}.alarm`, rights: ["read", "write"] },
        alarmBell: { to: "alarmBell", rights: ["write"], badge: 1n << BigInt(n) },
        landlord: { to: "landlord", rights: ["write", "grantReply"], badge: BigInt(n + 1) },
        ...(guest.mac !== undefined && {
          cable: { to: `${name}.cable`, rights: ["read", "write"] },
          cableBell: { to: "networkBell", rights: ["write"], badge: 1n << BigInt(n) }
        })
      }
    }
  }
  const stations = guests.filter(({ mac }) => mac !== undefined)
  const networkGrants: Record<string, Grant> = { bell: { to: "networkBell", rights: ["read"] } }
  for (const [n, { name }] of stations.entries()) {
    objects[`${name}.cable`] = "LargePage"
    networkGrants[page(n)] = { to: `${name}.cable`, rights: ["read", "write"] }
    networkGrants[wake(n)] = { to: `${name}.wake`, rights: ["write"], badge: signal.network }
  }
  if (stations.length > 0) objects.networkBell = "Notification"

  const owner = guests.find(({ sectors }) => sectors !== undefined)
  const diskGrants: Record<string, Grant> = {
    config: { to: "pci", rights: ["in", "out"] },
    registers: { to: "pciMemory", rights: ["read", "write"] },
    queue: { to: "diskQueue", rights: ["read", "write"] },
    changes: { to: "diskChanges", rights: ["read", "write"] },
    bell: { to: "diskBell", rights: ["read"] }
  }
  if (owner !== undefined) {
    Object.assign(objects, {
      pci: configPorts,
      pciMemory: { device: "LargePage", address: registersAt },
      diskQueue: "Page4K",
      diskChanges: "Page4K",
      diskBell: "Notification"
    })
    const shared: Record<string, Grant> = {
      changes: { to: "diskChanges", rights: ["read", "write"] },
      diskBell: { to: "diskBell", rights: ["write"], badge: 1n }
    }
    for (let n = 0; n < pagesOf(owner.sectors!); n++) {
      objects[`disk${n}`] = "LargePage"
      diskGrants[part(n)] = { to: `disk${n}`, rights: ["read", "write"] }
      shared[part(n)] = { to: `disk${n}`, rights: ["read", "write"] }
    }
    const own = monitors[owner.name]!
    monitors[owner.name] = { ...own, grants: { ...own.grants, ...shared } }
  }
  const names = guests.map(({ name }) => name)
  return {
    objects,
    tasks: {
      timer: { program: timerTask(guests.length), priority: priorities.timer, grants: timerGrants },
      console: { program: consoleTask(names), priority: priorities.console, grants: consoleGrants },
      ...(owner !== undefined && {
        disk: { program: diskTask(owner.sectors!), priority: priorities.disk, grants: diskGrants }
      }),
      ...(stations.length > 0 && {
        network: { program: networkTask(stations.length), priority: priorities.network, grants: networkGrants }
      }),
      ...monitors
    }
  }
}

/** Blocks of memory, and which guest has each where. */
const makeEstate = () => {
  const free: Array<Full<"Untyped">> = []
  const leased = new Map<number, Map<number, Full<"Untyped">>>()
  return {
    /** Blocks that nobody has: some that came back, or new ones. Undefined if there are not so many. */
    take: (count: number) =>
      Effect.gen(function* () {
        while (free.length < count) {
          const block = yield* create("Untyped", blockBits).pipe(
            Effect.catchTag("OutOfMemory", () => Effect.succeed(undefined))
          )
          if (block === undefined) return undefined
          free.push(block)
        }
        return free.splice(0, count)
      }),
    blocksOf: (guest: number): Map<number, Full<"Untyped">> => {
      const blocks = leased.get(guest) ?? new Map<number, Full<"Untyped">>()
      leased.set(guest, blocks)
      return blocks
    },
    /** What was made of a block is no more, wherever it is mapped: nobody reaches it. */
    takeBack: (block: Full<"Untyped">) =>
      Effect.andThen(
        Cap_Revoke(block),
        Effect.sync(() => void free.push(block))
      )
  }
}

/** What a guest's memory is reached by: the guest's own tables, and the address space of its monitor. */
interface Reach {
  readonly root: Full<"EPTPML4">
  readonly space: Full<"AddressSpace">
}

/** A block becomes memory of a guest at an address of it, and of its monitor, `memoryAt` further. */
const lease = Effect.fnUntraced(function* ({ root, space }: Reach, block: Full<"Untyped">, at: number, bytes: number) {
  for (let inside = 0; inside < Math.min(blockBytes, bytes); inside += frameBytes) {
    const frame = yield* Untyped_Retype(block, "LargePage")
    const window = yield* Cap_Copy(frame, ["read", "write"])
    yield* EPT_Map(root, at + inside, frame)
    yield* AddressSpace_Map(space, memoryAt + at + inside, window, ["read", "write"])
  }
})

/** Bind a monitor's thread to its virtual processor, its notification and the guest's memory, which is empty. */
const bind = Effect.fnUntraced(function* (
  { tcb, addressSpace }: Started,
  vcpu: Full<"VCPU">,
  wake: Full<"Notification">
) {
  const { asidPool } = yield* BootInfo
  const root = yield* GuestMemory_Create(asidPool)
  yield* TCB_SetEPTRoot(tcb, root)
  yield* VCPU_SetTCB(vcpu, tcb)
  yield* TCB_BindNotification(tcb, wake)
  return { root, space: addressSpace }
})

/**
 * Start guests, each in its own monitor. `ended` hears how each of them ended. From then on this is the landlord of their memory: it
 * takes back what a guest gives up, and all that one had that has ended, and gives it to who asks. Guests for which there is no memory yet
 * wait for others to end, in the order in which they were asked for.
 */
export const startGuests = (wanted: ReadonlyArray<Wanted>, ended: (report: Report) => void) =>
  Effect.gen(function* () {
    const cpuid = yield* survey
    const guests = wanted.map((guest) => ({ ...guest, cpuid }))
    const { objects, tasks } = yield* startWhole(systemOf(specOf(guests, ended)))
    const estate = makeEstate()
    const homes: Array<{ readonly reach: Reach; readonly begin: Cap<"Notification", "write"> }> = []
    for (const { name } of guests) {
      const wake = objects[`${name}.wake`] as Full<"Notification">
      const reach = yield* bind(tasks[name]!, objects[`${name}.vcpu`] as Full<"VCPU">, wake)
      homes.push({ reach, begin: yield* Cap_Mint(wake, ["write"], { badge: signal.start }) })
    }
    const waiting = [...guests.keys()]
    /** The first of those that wait get memory, and begin. */
    const settle = Effect.gen(function* () {
      while (waiting.length > 0) {
        const guest = waiting[0]!
        const { memoryBytes } = guests[guest]!
        const { reach, begin } = homes[guest]!
        const blocks = yield* estate.take(Math.ceil(memoryBytes / blockBytes))
        if (blocks === undefined) return
        waiting.shift()
        for (const [n, block] of blocks.entries()) {
          yield* lease(reach, block, n * blockBytes, memoryBytes - n * blockBytes)
          estate.blocksOf(guest).set(n, block)
        }
        yield* Signal(begin)
      }
    })
    yield* settle
    return yield* serve(endpointOf<Landlord>(objects.landlord, "landlord"), yield* create("Reply"), {
      release: (n, to, _caps, badge) =>
        Effect.gen(function* () {
          const blocks = estate.blocksOf(Number(badge) - 1)
          const block = blocks.get(n)
          if (block === undefined) return yield* reply(to, false)
          blocks.delete(n)
          yield* estate.takeBack(block)
          yield* settle
          return yield* reply(to, true)
        }),
      lease: (n, to, _caps, badge) =>
        Effect.gen(function* () {
          const guest = Number(badge) - 1
          const blocks = estate.blocksOf(guest)
          const isInside = n * blockBytes < guests[guest]!.memoryBytes && !blocks.has(n)
          const taken = isInside ? yield* estate.take(1) : undefined
          if (taken === undefined) return yield* reply(to, false)
          yield* lease(homes[guest]!.reach, taken[0]!, n * blockBytes, guests[guest]!.memoryBytes - n * blockBytes)
          blocks.set(n, taken[0]!)
          return yield* reply(to, true)
        }),
      leave: (_, to, _caps, badge) =>
        Effect.gen(function* () {
          const blocks = estate.blocksOf(Number(badge) - 1)
          for (const block of blocks.values()) yield* estate.takeBack(block)
          blocks.clear()
          yield* settle
          return yield* reply(to, undefined)
        })
    })
  })
