/**
 * Monitor: a task that runs a guest: its virtual processor, its board, and the way to the servers of its devices.
 *
 * It has the virtual processor, the guest's memory mapped where `memoryAt` says, a notification that is bound to its thread, and a page and
 * a bell for each server. What it does is a function of what they and the guest say.
 */
import { Clock, Effect } from "effect"

import { describe } from "../devices/boot/BootError.ts"
import { loadKernel } from "../devices/boot/kernel.ts"
import type { Payload as KernelPayload } from "../devices/boot/Payload.ts"
import type { DateTime } from "../devices/rtc.ts"
import { BlockDevice } from "../devices/virtio/block.ts"
import { ConsoleDevice } from "../devices/virtio/console.ts"
import { EntropyDevice } from "../devices/virtio/entropy.ts"
import { NetworkDevice } from "../devices/virtio/network.ts"
import type { Cap, Endpoint } from "../types/Capability.ts"
import { VmcsField } from "../types/x86_64/VmcsField.ts"
import { ExitControl, PinBased, Secondary } from "../types/x86_64/VmxControls.ts"
import { ask } from "../user/Client.ts"
import { Signal, Signal_Pointer, Wait } from "../user/Ipc.ts"
import { Ring } from "../user/Ring.ts"
import { Shared_Address } from "../user/Shared.ts"
import { Syscalls } from "../user/Syscalls.ts"
import { setAlarm } from "../user/TimerServer.ts"
import { type NotRun, type Step, Stopped, VCPU_Run, VCPU_Signal } from "../user/VirtualProcessor.ts"
import { Board, type Ending } from "./Board.ts"
import { cpuidOf, learn } from "./Cpuid.ts"
import { consolePage, cable as rings, signal } from "./channels.ts"
import { FrameRing } from "./FrameRing.ts"
import { GuestRam } from "./GuestRam.ts"
import { longMode, protectedMode } from "./initialState.ts"
import { blockBytes, type Landlord } from "./Landlord.ts"
import { SharedDisk } from "./SharedDisk.ts"
import { Exits, VirtualCpu } from "./VirtualCpu.ts"
import { VirtualTimers } from "./VirtualTimers.ts"

/** Where a guest's memory is in the address space of its monitor. */
export const memoryAt = 0x4000_0000_0000

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
  /** What its console is: a serial port, ttyS0, or a virtio device, hvc0. "serial", if not said. */
  readonly console?: "serial" | "virtio"
  /** What its entropy device begins with: the same in every run. */
  readonly seed?: number
  /** The Ethernet address of its network card, if it has one: 6 bytes. */
  readonly mac?: Uint8Array
  /** Where its exits are counted, for who wants to know while it runs. */
  readonly exits?: Exits
}

/** What a monitor has. */
export interface Held<V, W, S, SB, A, AB, C, CB, D, DB, L> {
  readonly vcpu: Cap<"VCPU", "readState" | "writeState", V>
  readonly wake: Cap<"Notification", "read", W>
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

/** So many characters go to the console at once, if no line ends before. */
const most = 512
const lineFeed = 0x0a

export const monitor = <V, W, S, SB, A, AB, C, CB, D, DB, L>(
  held: Held<V, W, S, SB, A, AB, C, CB, D, DB, L>,
  guest: Guest
) =>
  Effect.gen(function* () {
    // Until there is memory for its guest, it has nothing to do.
    while (((yield* Wait(held.wake)) & signal.start) === 0n);
    const { memory } = yield* Syscalls
    const clock = yield* Clock.Clock
    const now = () => Number(clock.currentTimeNanosUnsafe())
    const started = now()
    const ram = new GuestRam(memory, memoryAt, guest.memoryBytes)
    const timers = new VirtualTimers(now)
    const stopped = new Stopped()
    const exits = guest.exits ?? new Exits()
    let ending: Ending | undefined
    const ended = (how: Ending) => {
      ending ??= how
    }

    const page = yield* Shared_Address(held.screen)
    const alarm = yield* Shared_Address(held.alarm)
    const screenBell = yield* Signal_Pointer(held.screenBell)
    const output = new Ring(memory, page + consolePage.output.at, consolePage.output.bytes)
    const input = new Ring(memory, page + consolePage.input.at, consolePage.input.bytes)
    const said: Array<number> = []
    /** What was said goes out; what there is no room for stays. @returns whether there was something. */
    const flush = (): boolean => {
      if (said.length === 0) return false
      said.splice(0, output.put(Uint8Array.from(said)))
      return true
    }

    const card = yield* cardOf(held, guest.mac, stopped)
    const disk = yield* diskOf(held, stopped)
    const host = yield* learn((leaf, subleaf) =>
      Effect.map(
        ask(held.landlord, "identify", { leaf, subleaf }),
        ({ eax, ebx, ecx, edx }) => [eax, ebx, ecx, edx] as const
      )
    )
    const write = (byte: number): void => {
      said.push(byte)
      if ((byte === lineFeed || said.length >= most) && flush()) stopped.signals.push(screenBell)
    }
    const terminal = guest.console === "virtio" ? new ConsoleDevice((bytes) => bytes.forEach(write)) : undefined
    const board = new Board({
      ram,
      timers,
      date: firstDay,
      processors: [
        {
          noticed: () => undefined,
          nmi: () => cpu.nmi(),
          smi: () => undefined,
          init: () => cpu.init(),
          startUp: (vector) => cpu.startUp(vector),
          mapped: () => undefined,
          tscOffset: () => 0
        }
      ],
      console: {
        write,
        read: () => (terminal === undefined ? input.take(1)[0] : undefined)
      },
      devices: [new EntropyDevice(guest.seed ?? 1), disk?.device, card?.device, terminal].filter(
        (device) => device !== undefined
      ),
      ended
    })
    const cpu: VirtualCpu = new VirtualCpu(
      {
        id: 0,
        board,
        apic: board.pc.localApics[0]!,
        ram,
        timers,
        cpuid: cpuidOf(host, 0, 1),
        ended,
        hypercall: (number) => {
          if (number === hypercalls.time) return BigInt(now())
          return number === hypercalls.release || number === hypercalls.lease ? undefined : refusedCall
        },
        exits,
        preemptionShift: guest.preemptionShift ?? usualShift
      },
      stopped
    )
    const why = begin(cpu, ram, board, guest.payload)
    if (why !== undefined) return yield* Effect.fail<NotLoaded>({ _tag: "NotLoaded", why })
    stopped.fields.push(...controls)

    const noticed = (badge: bigint): void => {
      if (badge & signal.console) {
        if (terminal === undefined) board.consoleReady()
        else terminal.input(input.take())
      }
      if (badge & signal.disk) disk?.answered()
      if (badge & signal.network) card?.arrived()
    }
    const handler = {
      exit: (): Step => {
        const step = cpu.exit()
        return ending === undefined ? step : "leave"
      },
      notified: (badge: bigint): Step => {
        noticed(badge)
        return cpu.noticed()
      }
    }
    while (ending === undefined) {
      yield* VCPU_Run(held.vcpu, stopped, handler)
      if (cpu.isAsking) {
        const block = Number(cpu.register("rbx")) / blockBytes
        const name = cpu.register("rax") === hypercalls.release ? "release" : "lease"
        const isDone = Number.isInteger(block) && (yield* ask(held.landlord, name, block))
        cpu.answer(isDone ? 1n : 0n)
      }
      while (ending === undefined && cpu.activity === "halted") {
        timers.runDue()
        if (cpu.mayWake()) {
          cpu.wake()
          break
        }
        if (flush()) yield* Signal(held.screenBell)
        if (!cpu.canWake()) {
          ended({ _tag: "Stopped", why: "it halts with interrupts off: nothing can wake it" })
          break
        }
        const due = timers.next()
        setAlarm(memory, alarm, due)
        yield* Signal(held.alarmBell)
        yield* VCPU_Signal(stopped)
        noticed(yield* Wait(held.wake))
      }
    }
    if (flush()) yield* Signal(held.screenBell)
    yield* ask(held.landlord, "leave")
    const report: Report = {
      name: guest.name,
      ending,
      exits,
      nanoseconds: now() - started
    }
    return report
  })

type Cable<C, CB> = Pick<
  Held<never, never, never, never, never, never, C, CB, never, never, never>,
  "cable" | "cableBell"
>
type Disk<D, DB> = Pick<Held<never, never, never, never, never, never, never, never, D, DB, never>, "disk" | "diskBell">

/** A guest's disk, and what it does when the disk server has answered. It is asked before the guest goes on. */
const diskOf = <D, DB>({ disk, diskBell }: Disk<D, DB>, stopped: Stopped) =>
  Effect.gen(function* () {
    if (disk === undefined || diskBell === undefined) return undefined
    const { memory } = yield* Syscalls
    const bell = yield* Signal_Pointer(diskBell)
    const store = new SharedDisk(memory, yield* Shared_Address(disk), () => void stopped.signals.push(bell))
    if (store.sectors === 0) return undefined
    return { device: new BlockDevice(store, "disk"), answered: () => store.answered() }
  })

/** A guest's network card, and what it does when frames have come for it. Its frames go out before the guest goes on. */
const cardOf = <C, CB>({ cable, cableBell }: Cable<C, CB>, mac: Uint8Array | undefined, stopped: Stopped) =>
  Effect.gen(function* () {
    if (cable === undefined || cableBell === undefined || mac === undefined) return undefined
    const { memory } = yield* Syscalls
    const at = yield* Shared_Address(cable)
    const bell = yield* Signal_Pointer(cableBell)
    const out = new FrameRing(memory, at + rings.fromGuest.at, rings.fromGuest.bytes)
    const incoming = new FrameRing(memory, at + rings.toGuest.at, rings.toGuest.bytes)
    const device = new NetworkDevice(mac, (frame) => {
      if (out.send(frame) && !stopped.signals.includes(bell)) stopped.signals.push(bell)
    })
    return {
      device,
      arrived: () => {
        for (let frame = incoming.receive(); frame !== undefined; frame = incoming.receive()) device.receive(frame)
      }
    }
  })

/** Controls of this monitor's choice: of those that the processor does not have, the kernel makes nothing. */
const controls = [
  [VmcsField.PIN_BASED_CONTROLS, BigInt(PinBased.PREEMPTION_TIMER)],
  [
    VmcsField.SECONDARY_CONTROLS,
    BigInt(Secondary.UNRESTRICTED_GUEST | Secondary.ENABLE_RDTSCP | Secondary.ENABLE_INVPCID)
  ],
  [VmcsField.EXIT_CONTROLS, BigInt(ExitControl.SAVE_PREEMPTION_TIMER)]
] as const

/** The guest's files in its memory, and its processor at the entry. @returns what is wrong with the files. */
const processors = 1

const begin = (cpu: VirtualCpu, ram: GuestRam, board: Board, payload: Payload): string | undefined => {
  board.pc.leaveFirmwareState()
  if (payload._tag === "Flat") {
    if (flatStart + payload.bytes.length > ram.ramBytes || !ram.write(flatStart, payload.bytes))
      return `its ${payload.bytes.length} bytes do not fit its memory`
    cpu.begin(protectedMode, flatStart)
    return undefined
  }
  const loaded = ram.load((memory) => loadKernel(memory, payload, processors))
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
