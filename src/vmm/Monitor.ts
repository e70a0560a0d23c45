/**
 * Monitor: a task that runs a guest: its virtual processors, its board, and the way to the servers of its devices.
 *
 * It has a thread for each virtual processor, the guest's memory mapped where `memoryAt` says, a notification bound to each thread, and a
 * page and a bell for each server. What it does is a function of what they and the guest say.
 *
 * The first thread is the first processor's, and hears the servers. It begins the others, and restarts the guest.
 */
import { Effect } from "effect"

import type { AcpiOptions } from "../devices/acpiTables.ts"
import { describe } from "../devices/boot/BootError.ts"
import { loadKernel } from "../devices/boot/kernel.ts"
import type { Payload as KernelPayload } from "../devices/boot/Payload.ts"
import type { DateTime } from "../devices/rtc.ts"
import { BlockDevice } from "../devices/virtio/block.ts"
import { ConsoleDevice } from "../devices/virtio/console.ts"
import { EntropyDevice } from "../devices/virtio/entropy.ts"
import { NetworkDevice } from "../devices/virtio/network.ts"
import type { Cap, Endpoint } from "../types/Capability.ts"
import { ask } from "../user/Client.ts"
import { Signal_Pointer, Wait } from "../user/Ipc.ts"
import { Shared_Address } from "../user/Shared.ts"
import { beginThread } from "../user/TaskThreads.ts"
import { setAlarm } from "../user/TimerServer.ts"
import { type NotRun, Stopped, VCPU_Run, VCPU_Signal } from "../user/VirtualProcessor.ts"
import { Board, type Ending, type VirtioTransportName } from "./Board.ts"
import { cpuidOf, learn } from "./Cpuid.ts"
import { cable as rings, signal } from "./channels.ts"
import { FrameRing } from "./FrameRing.ts"
import { GuestConsole } from "./GuestConsole.ts"
import { GuestRam, memoryAt } from "./GuestRam.ts"
import { longMode, protectedMode } from "./initialState.ts"
import { blockBytes, type Landlord } from "./Landlord.ts"
import { threadOf } from "./names.ts"
import { SharedDisk } from "./SharedDisk.ts"
import { Shift, Worker } from "./Shift.ts"
import { apicAccessAt, VirtualApic, virtualApicAt } from "./VirtualApic.ts"
import { Exits, VirtualCpu } from "./VirtualCpu.ts"
import { VirtualTimers } from "./VirtualTimers.ts"

/** What a guest begins with. */
export type Payload =
  | ({ readonly _tag: "Kernel" } & KernelPayload)
  /** Bytes at 1 MiB, which begin in 32-bit protected mode with flat segments. */
  | { readonly _tag: "Flat"; readonly bytes: Uint8Array }

export interface Guest {
  readonly name: string
  readonly memoryBytes: number
  readonly payload: Payload
  readonly preemptionShift?: number
  /** A reset starts it again from its files, in the same memory; or it ends it. "restart", if not said. */
  readonly onReset?: "restart" | "end"
  /** What is done where it reaches no handler for an exception. "stop", if not said. */
  readonly onTripleFault?: "stop" | "reset"
  /** What its console is: a serial port, ttyS0, or a virtio device, hvc0. "serial", if not said. */
  readonly console?: "serial" | "virtio"
  /** How it reaches its virtio devices: on the PCI bus, or in memory without a bus. "pci", if not said. */
  readonly virtio?: VirtioTransportName
  /** What its entropy device begins with: the same in every run. */
  readonly seed?: number
  /** The Ethernet address of its network card, if it has one: 6 bytes. */
  readonly mac?: Uint8Array
  /** Where its exits are counted, for who wants to know while it runs. */
  readonly exits?: Exits
}

/** What a monitor has. */
export interface Held<V, W, K, S, SB, A, AB, C, CB, D, DB, L> {
  readonly vcpu: Cap<"VCPU", "readState" | "writeState", V>
  readonly wake: Cap<"Notification", "read", W>
  /** What rings the first processor's thread for another. */
  readonly kick: Cap<"Notification", "write", K>
  readonly screen: Cap<"Frame", "read" | "write", S>
  readonly screenBell: Cap<"Notification", "write", SB>
  readonly alarm: Cap<"Frame", "read" | "write", A>
  readonly alarmBell: Cap<"Notification", "write", AB>
  readonly landlord: Endpoint<Landlord, "write" | "grantReply", L>
  /** Of a guest with a network card. */
  readonly cable?: Cap<"Frame", "read" | "write", C>
  readonly cableBell?: Cap<"Notification", "write", CB>
  /** Of a guest with a disk: what it shares with the disk server. */
  readonly disk?: Cap<"Frame", "read" | "write", D>
  readonly diskBell?: Cap<"Notification", "write", DB>
}

/** And of each further processor: the thread that runs it is begun here. */
export interface HeldOfFurther<V, T, W, K> {
  readonly vcpu: Cap<"VCPU", "readState" | "writeState", V>
  readonly thread: Cap<"TCB", "writeRegisters" | "run", T>
  readonly wake: Cap<"Notification", "read", W>
  readonly kick: Cap<"Notification", "write", K>
}

/** How a guest ended, and what its monitor did for it. */
export interface Report {
  readonly name: string
  readonly ending: Ending
  readonly exits: Exits
  readonly nanoseconds: number
}

/** The files that a guest was to begin with are no such files. */
export interface NotLoaded {
  readonly _tag: "NotLoaded"
  readonly why: string
}

/** Runs are the same whenever they are made. */
const firstDay: DateTime = { year: 2026, month: 1, day: 1, hours: 0, minutes: 0, seconds: 0 }

/**
 * What a guest can ask of its monitor: VMCALL with the number in RAX, where the answer comes. Nanoseconds since the machine started; giving
 * up the 16 MiB of its memory at the address in RBX, and having them back: 1 if it was done.
 */
const hypercalls = { time: 0n, release: 2n, lease: 3n } as const
const refusedCall = 2n ** 64n - 1n

/** Ticks of the preemption timer are 32 ns. */
const usualShift = 5
const flatStart = 0x10_0000

/** The guest has as many processors as there are here. */
export const monitor = <V, W, K, S, SB, A, AB, C, CB, D, DB, L, FV, FT, FW, FK>(
  held: Held<V, W, K, S, SB, A, AB, C, CB, D, DB, L>,
  further: ReadonlyArray<HeldOfFurther<FV, FT, FW, FK>>,
  guest: Guest
) =>
  Effect.gen(function* () {
    // Until there is memory for its guest, it has nothing to do.
    while (((yield* Wait(held.wake)) & signal.start) === 0n);
    const seats = [held, ...further].map(({ kick }) => {
      const stopped = new Stopped()
      return { kick, stopped, worker: new Worker(stopped.signals) }
    })
    const count = seats.length
    yield* seats[0]!.worker.begin
    const shift = new Shift(seats[0]!.worker)
    const { memory, now } = shift
    const started = now()
    const cpus: Array<VirtualCpu> = []
    const ram = new GuestRam(memory, memoryAt, guest.memoryBytes)
    const timers = new VirtualTimers(now, (owner) => cpus[owner]?.kick())
    const exits = guest.exits ?? new Exits()
    /** What becomes of the guest: it goes on, begins anew, or has ended. */
    const fate: { ending?: Ending; isRestarting: boolean } = { isRestarting: false }
    const ended = (how: Ending) => {
      fate.ending ??= how
      for (const cpu of cpus) cpu.kick()
    }
    const reset = () => {
      if (guest.onReset === "end") return ended({ _tag: "Reset" })
      fate.isRestarting = true
      cpus[0]?.kick()
      for (const cpu of cpus.slice(1)) cpu.init()
    }

    const alarm = yield* Shared_Address(held.alarm)
    const alarmBell = yield* Signal_Pointer(held.alarmBell)
    const screenBell = yield* Signal_Pointer(held.screenBell)
    const screen = new GuestConsole(memory, yield* Shared_Address(held.screen), () => shift.signal(screenBell))
    const card = yield* cardOf(held, guest.mac, shift)
    const disk = yield* diskOf(held, shift)
    const host = yield* learn((leaf, subleaf) =>
      Effect.map(
        ask(held.landlord, "identify", { leaf, subleaf }),
        ({ eax, ebx, ecx, edx }) => [eax, ebx, ecx, edx] as const
      )
    )
    const accessPage = accessPageOf(held.landlord, count)
    const terminal = guest.console === "virtio" ? new ConsoleDevice((bytes) => bytes.forEach(screen.write)) : undefined
    const devices = [new EntropyDevice(guest.seed ?? 1), disk?.device, card?.device, terminal].filter(
      (device) => device !== undefined
    )
    const transport = guest.virtio ?? "pci"
    const board = new Board({
      ram,
      timers,
      date: firstDay,
      processors: seats.map((_, id) => ({
        noticed: () => cpus[id]?.noticed(),
        nmi: () => cpus[id]?.nmi(),
        smi: () => undefined,
        // Boards make of it a reset.
        init: () => (id === 0 ? reset() : cpus[id]?.init()),
        startUp: (vector) => cpus[id]?.startUp(vector),
        mapped: (address) => accessPage.mapped(id, address),
        tscOffset: () => [0, 0]
      })),
      console: { write: screen.write, read: terminal === undefined ? screen.read : () => undefined },
      devices,
      transport,
      ended,
      reset
    })
    const assists = board.pc.localApics.map((apic, id) => new VirtualApic(apic, memory, virtualApicAt(id)))
    for (const [id, { kick, stopped, worker }] of seats.entries()) {
      const connected = {
        ...{ id, board, ram, timers, ended, reset, exits, worker, shift },
        ...{ apic: board.pc.localApics[id]!, assists, assist: assists[id]! },
        cpuid: cpuidOf(host, id, count),
        hypercall: (number: bigint) => {
          if (number === hypercalls.time) return BigInt(now())
          return number === hypercalls.release || number === hypercalls.lease ? undefined : refusedCall
        },
        ...(count > 1 && { bell: yield* Signal_Pointer(kick) }),
        due: () => (id === 0 ? dueForFirst() : timers.next(id)),
        isMisplaced: accessPage.isMisplaced,
        isOver: () => fate.ending !== undefined || (fate.isRestarting && id === 0),
        onTripleFault: guest.onTripleFault ?? "stop",
        preemptionShift: guest.preemptionShift ?? usualShift
      }
      cpus.push(new VirtualCpu(connected, stopped))
    }
    const first = cpus[0]!
    /** Processors that do not run have the first wait for their events, which alone has an alarm. */
    let firstWaits = never
    const dueForFirst = (): number => {
      firstWaits = Math.min(
        ...cpus.map(({ activity }, id) => (id === 0 || activity !== "runs" ? timers.next(id) : never))
      )
      return firstWaits
    }

    const noticed = (badge: bigint): void => {
      if (badge & signal.console) {
        screen.typed()
        if (terminal === undefined) board.consoleReady()
        else terminal.input(screen.take())
      }
      if (badge & signal.disk) disk?.answered()
      if (badge & signal.network) card?.arrived()
    }

    /** Blocks of its memory that the guest gave up. */
    const given = new Set<number>()
    /** The landlord is asked for a block of the guest's memory, or told that the guest gives it up. @returns whether it was done. */
    const exchange = (operation: "release" | "lease", block: number) =>
      Effect.gen(function* () {
        const isDone = Number.isInteger(block) && (yield* ask(held.landlord, operation, block))
        if (isDone && operation === "release") given.add(block)
        else if (isDone) given.delete(block)
        return isDone
      })

    /** What the thread of a processor does: until the guest has ended or, for the first, begins anew. */
    const run = <P, Q>(
      vcpu: Cap<"VCPU", "readState" | "writeState", P>,
      wake: Cap<"Notification", "read", Q>,
      cpu: VirtualCpu
    ) =>
      Effect.gen(function* () {
        const { stopped } = cpu
        const { isOver, id } = cpu.connected
        const handler = {
          exit: cpu.exit,
          notified: (badge: bigint) => {
            cpu.atWork()
            noticed(badge)
            return cpu.interrupted()
          }
        }
        cpu.atWork()
        while (!isOver()) {
          if (accessPage.isMisplaced()) {
            yield* accessPage.place
            cpu.atWork()
          }
          if (cpu.look()) {
            yield* VCPU_Run(vcpu, stopped, handler)
            if (cpu.isAsking && !isOver()) {
              const operation = cpu.register("rax") === hypercalls.release ? "release" : "lease"
              const isDone = yield* exchange(operation, Number(cpu.register("rbx")) / blockBytes)
              cpu.atWork()
              cpu.answer(isDone ? 1n : 0n)
            }
            continue
          }
          screen.flush()
          if (!cpus.some(({ isAlive }) => isAlive)) {
            ended({ _tag: "Stopped", why: "it halts with interrupts off: nothing can wake it" })
            break
          }
          if (id === 0) {
            setAlarm(memory, alarm, dueForFirst())
            shift.signal(alarmBell)
          } else if (timers.next(id) < firstWaits) first.kick()
          yield* VCPU_Signal(stopped)
          const badge = yield* Wait(wake)
          cpu.atWork()
          noticed(badge)
        }
        yield* VCPU_Signal(stopped)
      })

    for (const [n, { vcpu, thread, wake }] of further.entries()) {
      const number = n + 1
      const cpu = cpus[number]!
      const program = Effect.andThen(cpu.connected.worker.begin, run(vcpu, wake, cpu))
      yield* beginThread(thread, { name: threadOf(guest.name, number), number }, program)
    }
    do {
      first.atWork()
      fate.isRestarting = false
      board.powerUp()
      for (const cpu of cpus) cpu.powerUp()
      first.rests()
      const why = begin(first, ram, guest.payload, {
        processors: count,
        // Linux would take it for its clock until it has the time stamp counter: an exit at each look.
        hasHpet: false,
        virtioDevices: transport === "mmio" ? devices.length : 0
      })
      if (why !== undefined) return yield* Effect.fail<NotLoaded>({ _tag: "NotLoaded", why })
      yield* run(held.vcpu, held.wake, first)
      for (const block of fate.isRestarting ? given : []) {
        if (yield* exchange("lease", block)) continue
        ended({ _tag: "Stopped", why: "it was reset, and there is no memory in the place of what it gave up" })
      }
    } while (fate.ending === undefined)
    first.atWork()
    screen.flush()
    yield* VCPU_Signal(first.stopped)
    yield* ask(held.landlord, "leave")
    const report: Report = { name: guest.name, ending: fate.ending, exits, nanoseconds: now() - started }
    return report
  })

const never = Number.POSITIVE_INFINITY

/**
 * The APIC-access page of a guest. Its processors have one memory: while one of them has no registers there, accesses are to be nobody's, or
 * another device's, so the page is not in it; those of the others leave the guest.
 */
const accessPageOf = <L>(landlord: Endpoint<Landlord, "write" | "grantReply", L>, processors: number) => {
  const isOnPage = Array.from({ length: processors }, () => true)
  let isThere = true
  const isMisplaced = (): boolean => isThere === isOnPage.includes(false)
  return {
    /** A processor has the registers of its local APIC in memory at this address, or not in memory. */
    mapped: (processor: number, address: number | undefined): void => {
      isOnPage[processor] = address === apicAccessAt
    },
    isMisplaced,
    place: Effect.gen(function* () {
      while (isMisplaced()) {
        const isWanted = !isThere
        yield* ask(landlord, "apicAccessPage", isWanted)
        isThere = isWanted
      }
    })
  }
}

type Cable<C, CB> = Pick<
  Held<never, never, never, never, never, never, never, C, CB, never, never, never>,
  "cable" | "cableBell"
>
type Disk<D, DB> = Pick<
  Held<never, never, never, never, never, never, never, never, never, D, DB, never>,
  "disk" | "diskBell"
>

/** A guest's disk, and what it does when the disk server has answered. It is asked before the guest goes on. */
const diskOf = <D, DB>({ disk, diskBell }: Disk<D, DB>, { memory, signal }: Shift) =>
  Effect.gen(function* () {
    if (disk === undefined || diskBell === undefined) return undefined
    const bell = yield* Signal_Pointer(diskBell)
    const store = new SharedDisk(memory, yield* Shared_Address(disk), () => signal(bell))
    if (store.sectors === 0) return undefined
    return { device: new BlockDevice(store, "disk"), answered: () => store.answered() }
  })

/** A guest's network card, and what it does when frames have come for it. Its frames go out before the guest goes on. */
const cardOf = <C, CB>({ cable, cableBell }: Cable<C, CB>, mac: Uint8Array | undefined, { memory, signal }: Shift) =>
  Effect.gen(function* () {
    if (cable === undefined || cableBell === undefined || mac === undefined) return undefined
    const at = yield* Shared_Address(cable)
    const bell = yield* Signal_Pointer(cableBell)
    const out = new FrameRing(memory, at + rings.fromGuest.at, rings.fromGuest.bytes)
    const incoming = new FrameRing(memory, at + rings.toGuest.at, rings.toGuest.bytes)
    const device = new NetworkDevice(mac, (frame) => {
      if (out.send(frame)) signal(bell)
    })
    return {
      device,
      arrived: () => {
        for (let frame = incoming.receive(); frame !== undefined; frame = incoming.receive()) device.receive(frame)
      }
    }
  })

/** The guest's files in its memory, and its processor at the entry. @returns what is wrong with the files. */
const begin = (cpu: VirtualCpu, ram: GuestRam, payload: Payload, board: AcpiOptions): string | undefined => {
  if (payload._tag === "Flat") {
    if (flatStart + payload.bytes.length > ram.ramBytes || !ram.write(flatStart, payload.bytes))
      return `its ${payload.bytes.length} bytes do not fit its memory`
    cpu.begin(protectedMode, flatStart)
    return undefined
  }
  const loaded = ram.load((memory) => loadKernel(memory, payload, board))
  if (loaded === false) return "its memory cannot be written"
  if ("_tag" in loaded) return describe(loaded)
  if (loaded.mode === "64-bit") {
    cpu.begin(longMode(loaded.pml4), loaded.entry)
    cpu.setRegister("rsi", BigInt(loaded.rsi))
    cpu.setRegister("rbx", BigInt(loaded.rbx ?? 0))
  } else {
    cpu.begin(protectedMode, loaded.entry)
    cpu.setRegister("rax", BigInt(loaded.eax >>> 0))
    cpu.setRegister("rbx", BigInt(loaded.ebx >>> 0))
  }
  return undefined
}

export type MonitorError = NotRun | NotLoaded
