/**
 * A campaign of hostile virtual machine monitors and hostile guests, beside a guest that behaves: the kernel's invariants are checked as
 * they go on, and what a guest that behaves prints, and a witness with two processors, is compared with what they print alone.
 *
 * A hostile monitor is a task that has a virtual processor, guest memory and the objects of its tables, and makes random calls with them:
 * fields of the control structure, registers, mappings, and entry after entry. Hostile guests run random code under the usual monitor.
 */
import { Effect, Exit } from "effect"
import { Machine } from "../../src/hal/x86_64/Machine.ts"
import { makeInterpreter } from "../../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import type { MakeReading } from "../../src/hal/x86_64/processor/Reading.ts"
import { cptrOf } from "../../src/types/Capability.ts"
import type { Kind } from "../../src/types/Kind.ts"
import { all } from "../../src/types/Methods.ts"
import { syscalls } from "../../src/types/Syscall.ts"
import { VmcsField } from "../../src/types/x86_64/VmcsField.ts"
import { Primary, Secondary } from "../../src/types/x86_64/VmxControls.ts"
import { BootInfo, type Full } from "../../src/user/BootInfo.ts"
import { Cap_Copy } from "../../src/user/Capabilities.ts"
import { Signal, Yield } from "../../src/user/Ipc.ts"
import { AddressSpace_Map, create } from "../../src/user/Memory.ts"
import { IOPort_Create } from "../../src/user/Ports.ts"
import { rootTask } from "../../src/user/RootTask.ts"
import { spawn } from "../../src/user/Spawn.ts"
import { Syscalls, whole } from "../../src/user/Syscalls.ts"
import {
  EPT_Map,
  GuestMemory_Create,
  TCB_BindNotification,
  TCB_SetEPTRoot,
  VCPU_SetTCB
} from "../../src/user/VirtualProcessor.ts"
import { greeting } from "../../src/vmm/guest/greeting.ts"
import { entries, protectedMode } from "../../src/vmm/initialState.ts"
import type { Report } from "../../src/vmm/Monitor.ts"
import { startMany, type Wanted } from "../../src/vmm/manyGuests.ts"
import { controls, Exits } from "../../src/vmm/VirtualCpu.ts"
import { watched } from "../kernel/fuzz/watched.ts"
import { begin } from "./code.ts"
import { random, randomCode } from "./randomCode.ts"
import { expected, witness } from "./witness.ts"

export interface Round {
  readonly seed: number
  /** Invariants are checked after one entry into the kernel of so many. */
  readonly every: number
  readonly reading?: MakeReading
  /** Microseconds that each hostile monitor has of 5 ms: all, if not said. */
  readonly budget?: number
  /** None of the hostile ones: what the guest that behaves does alone. */
  readonly isQuiet?: boolean
}

/** What hostile monitors did. */
export interface Counts {
  calls: number
  refused: number
  entries: number
  /** Entries that ended in an exit of the guest, and by which basic reasons. */
  exits: number
  readonly reasons: Map<number, number>
}

export interface Found {
  readonly entries: number
  readonly instructions: number
  readonly memory: string
  /** What the guest that behaves printed. */
  readonly seen: ReadonlyArray<string>
  readonly counts: Counts
  /** How hostile guests ended. */
  readonly ends: ReadonlyMap<string, number>
  readonly wrong: ReadonlyArray<string>
}

const MiB = 2 ** 20
const hostileMonitors = 2
const hostileGuests = 2
/** The guest that behaves, and the one that has nothing to do with it all. */
const innocent: ReadonlyArray<string> = ["good", "witness"]
const memoryBytes = 16 * MiB
/** Long enough for the guest that behaves. */
const mostInstructions = 40e6

/** What a hostile monitor is given, in its slots from 1 on; and the tables that it makes itself. */
const given = ["VCPU", "EPTPML4", "Frame", "Frame", "Frame", "IOPort"] as const
const tables = ["EPTPDPT", "EPTPD", "EPTPT"] as const
const fields: ReadonlyArray<number> = Object.values(VmcsField)
const guestCode = 0x40_0000_0000
const number = (name: keyof typeof syscalls) => BigInt.asUintN(64, BigInt(syscalls[name]))
const entered = 1n
/** Its guest may be in protected mode without paging. */
const unrestricted = [VmcsField.SECONDARY_CONTROLS, BigInt(Secondary.UNRESTRICTED_GUEST)] as const
const hltExiting = BigInt(Primary.HLT_EXITING)

/** The calls of a hostile monitor, for ever. */
const hostile = (seed: number, counts: Counts) =>
  Effect.gen(function* () {
    const { call, raw, memory } = yield* Syscalls
    const has: Array<readonly [kind: Kind, slot: number]> = given.map((kind, n) => [kind, n + 1] as const)
    for (const kind of tables) has.push([kind, Number(cptrOf(yield* create(kind)))])
    const slotsOf = (kind: Kind): ReadonlyArray<number> => has.flatMap(([one, slot]) => (one === kind ? [slot] : []))
    const any = (): number => one(has)[1]
    const next = random(seed)
    const below = (most: number): number => next() % most
    const one = <T>(list: ReadonlyArray<T>): T => list[below(list.length)]!
    const odd = (): bigint => {
      const choice = below(64)
      switch (below(8)) {
        case 0:
          return 1n << BigInt(choice)
        case 1:
          return BigInt.asUintN(64, -1n << BigInt(choice))
        case 2:
          return (BigInt(next()) << 40n) ^ (BigInt(next()) << 20n) ^ BigInt(next())
        case 3:
          return BigInt(choice) * 0x1000n
        case 4:
          return BigInt(choice) * 0x20_0000n
        case 5:
          return BigInt(one(fields))
        default:
          return BigInt(choice)
      }
    }
    const calls = Effect.fnUntraced(function* (
      slot: number,
      label: number,
      words: ReadonlyArray<bigint>,
      caps: ReadonlyArray<number> = []
    ) {
      counts.calls++
      const made = {
        syscall: "Call",
        capability: BigInt(slot),
        label,
        words,
        caps: caps.map(BigInt),
        reply: 0n
      } as const
      const arrived = yield* call(made, whole)
      if (arrived.label !== 0) counts.refused++
      return arrived.label === 0 ? arrived.words[0] : undefined
    })
    const labels = Object.fromEntries(all.map(({ name, label }) => [name, label]))
    const label = (name: string): number => labels[name]!
    const [vcpu] = slotsOf("VCPU") as [number]
    /** The control structure as it was before all this. */
    const fresh: Array<readonly [field: number, value: bigint]> = []
    for (const field of fields) {
      const value = yield* calls(vcpu, label("X86_VCPU_ReadVMCS"), [BigInt(field)])
      if (value !== undefined) fresh.push([field, value])
    }
    /** A guest that runs: what is random after that is so one by one. */
    const begin = Effect.forEach(
      [...fresh, ...entries(protectedMode), ...controls, unrestricted],
      ([field, value]) => calls(vcpu, label("X86_VCPU_WriteVMCS"), [BigInt(field), value]),
      { discard: true }
    )
    /** A preemption timer that is not set ends each entry at once. */
    const setTimer = Effect.suspend(() =>
      calls(vcpu, label("X86_VCPU_WriteVMCS"), [BigInt(VmcsField.PREEMPTION_TIMER_VALUE), BigInt(1 + below(500))])
    )
    const enter = (isSound: boolean) =>
      Effect.suspend(() => {
        const isOdd = (part: number) => !isSound && below(part) === 0
        const registers = {
          ...{ number: number("VMEnter"), capability: 0n, info: 0n, reply: 0n, destination: 0n, mr3: odd() },
          ...{
            mr0: isOdd(3) ? odd() : BigInt(below(600)),
            mr1: isOdd(2) ? odd() : hltExiting,
            mr2: isOdd(4) ? odd() : 0n
          }
        }
        return Effect.map(raw(registers), ({ info, mr3 }) => {
          counts.entries++
          if (info !== entered) return
          counts.exits++
          const reason = Number(mr3 & 0xffffn)
          counts.reasons.set(reason, (counts.reasons.get(reason) ?? 0) + 1)
        })
      })
    const root = () => (below(8) === 0 ? any() : slotsOf("EPTPML4")[0]!)
    const acts: ReadonlyArray<readonly [weight: number, act: () => Effect.Effect<unknown, never, Syscalls>]> = [
      [8, () => enter(below(2) === 0)],
      [3, () => calls(vcpu, label("X86_VCPU_WriteVMCS"), [below(6) === 0 ? odd() : BigInt(one(fields)), odd()])],
      [1, () => Effect.andThen(begin, Effect.repeat(Effect.andThen(setTimer, enter(true)), { times: 20 }))],
      [1, () => calls(vcpu, label("X86_VCPU_ReadVMCS"), [odd()])],
      [2, () => calls(vcpu, label("X86_VCPU_WriteRegisters"), Array.from({ length: below(18) }, odd))],
      [1, () => calls(vcpu, label(one(["X86_VCPU_ReadMSR", "X86_VCPU_WriteMSR"])), [odd(), odd()])],
      [
        1,
        () =>
          calls(
            vcpu,
            label(one(["X86_VCPU_EnableIOPort", "X86_VCPU_DisableIOPort"])),
            [odd(), odd()],
            [one(slotsOf("IOPort"))]
          )
      ],
      [
        3,
        () =>
          calls(
            one(slotsOf("Frame")),
            label("X86_Page_MapEPT"),
            [odd() & ~0xfffn, odd(), one([0n, 6n, odd()])],
            [root()]
          )
      ],
      [1, () => calls(one(slotsOf("Frame")), label("X86_Page_Unmap"), [])],
      [
        2,
        () => {
          const kind = one(tables)
          const way = one(["Map", "Map", "Unmap"])
          return calls(
            one(slotsOf(kind)),
            label(`X86_${kind}_${way}`),
            [odd() & ~0xfffn, one([0n, 6n, odd()])],
            [root()]
          )
        }
      ],
      [
        1,
        () => calls(any(), one(all).label, Array.from({ length: below(6) }, odd), Array.from({ length: below(4) }, any))
      ],
      [1, () => Effect.sync(() => void memory.write(guestCode, randomCode(next())))]
    ]
    const bag = acts.flatMap(([weight, act]) => Array.from({ length: weight }, () => act))
    for (;;) yield* one(bag)()
  })

/** Microseconds. */
const period = 5000

/** A task, and what it does its harm with. */
const startHostile = (seed: number, counts: Counts, budget: number) =>
  Effect.gen(function* () {
    const { asidPool, ioPortControl } = yield* BootInfo
    const vcpu = yield* create("VCPU")
    const root = yield* GuestMemory_Create(asidPool)
    const code = yield* create("Page4K")
    const gives = {
      vcpu,
      root,
      frame: yield* create("Page4K"),
      other: yield* create("Page4K"),
      large: yield* create("LargePage"),
      port: yield* IOPort_Create(ioPortControl, 0x500 + 16 * seed, 0x50f + 16 * seed)
    }
    const window = yield* Cap_Copy(code, ["read", "write"])
    const started = yield* spawn(
      { name: `hostile${seed}`, gives, priority: 100, memory: 16, time: { budget, period } },
      () => hostile(seed, counts)
    )
    yield* AddressSpace_Map(started.addressSpace, guestCode, window, ["read", "write"])
    yield* EPT_Map(root, 0, code)
    yield* TCB_SetEPTRoot(started.tcb, root)
    yield* VCPU_SetTCB(vcpu, started.tcb)
    const wake = yield* create("Notification")
    yield* TCB_BindNotification(started.tcb, wake)
    return wake
  })

/** Microseconds. A guest that loops is left when its monitor's notification is signalled: once in a period of this task. */
const kicks = { budget: 100, period: 500 }

export const round = ({ seed, every, reading = makeInterpreter, budget = period, isQuiet = false }: Round): Found => {
  const counts: Counts = { calls: 0, refused: 0, entries: 0, exits: 0, reasons: new Map() }
  const reports: Array<Report> = []
  const notes: Array<string> = []
  const seeing: Wanted = { name: "witness", memoryBytes, ...witness, priority: 140 }
  const measuring: Wanted = {
    ...{ name: "good", memoryBytes, payload: { _tag: "Flat", bytes: greeting }, priority: 150, exits: new Exits() }
  }
  // Every other one has a second processor, which does harm of its own.
  const bad = (n: number): Wanted => {
    const code = randomCode(1000 * seed + n)
    return n % 2 === 0
      ? { name: `bad${n}`, memoryBytes, payload: { _tag: "Flat", bytes: code } }
      : {
          ...{ name: `bad${n}`, memoryBytes, processors: 2 },
          payload: {
            _tag: "Flat",
            bytes: Uint8Array.from([...begin([...randomCode(1000 * seed + 500 + n)]), ...code])
          }
        }
  }
  const guests = [measuring, seeing, ...Array.from({ length: isQuiet ? 0 : hostileGuests }, (_, n) => bad(n))]
  const root = rootTask(
    Effect.gen(function* () {
      const wakes: Array<Full<"Notification">> = []
      for (let n = 0; n < (isQuiet ? 0 : hostileMonitors); n++)
        wakes.push(yield* startHostile(hostileMonitors * (seed % 16) + n, counts, budget))
      const [one, other] = wakes
      if (one !== undefined && other !== undefined)
        yield* spawn({ name: "kicker", gives: { one, other }, priority: 120, time: kicks }, ({ one, other }) =>
          Effect.forever(Effect.andThen(Signal(one), Effect.andThen(Signal(other), Yield)))
        )
      yield* startMany(guests, { ended: (report) => reports.push(report) })
    })
  )
  let seen = ""
  const machine = new Machine({
    memoryBytes: memoryBytes * (2 + hostileGuests) + 48 * MiB,
    reading,
    console: {
      write: (byte) => {
        seen += String.fromCharCode(byte)
      }
    }
  })
  machine.addFiber(
    root.fiber(
      {
        name: "root",
        ended: (task, exit) => {
          if (Exit.isFailure(exit)) notes.push(`${task} failed: ${exit.cause}`)
        }
      },
      {}
    )
  )
  const found = watched(machine, "fiber", every)
  const isOver = () => innocent.every((each) => reports.some(({ name }) => name === each))
  let stop = machine.run(1)
  // Some time after they have ended, too: their memory goes back.
  while (stop._tag === "Limit" && found.wrong.length === 0 && machine.instructions < mostInstructions && !isOver())
    stop = machine.run(machine.instructions + 1e6)
  stop = stop._tag === "Limit" && found.wrong.length === 0 ? machine.run(machine.instructions + 2e6) : stop
  const ends = new Map<string, number>()
  for (const { name, ending } of reports)
    if (!innocent.includes(name)) ends.set(ending._tag, (ends.get(ending._tag) ?? 0) + 1)
  const endingOf = (each: string) => reports.find(({ name }) => name === each)?.ending
  const [good, saw] = [endingOf("good"), endingOf("witness")]
  return {
    ...{ entries: found.entries, instructions: machine.instructions, memory: machine.memoryHash(), counts, ends },
    seen: innocent.flatMap((name) => linesOf(seen, name)),
    wrong: [
      ...found.wrong,
      ...notes,
      ...(stop._tag === "Limit" || stop._tag === "Idle" ? [] : [JSON.stringify(stop)]),
      ...(good?._tag === "PowerOff" ? [] : [`the good guest ended so: ${JSON.stringify(good)}`]),
      ...(saw?._tag === "Exit" && saw.status === expected.status
        ? []
        : [`the witness ended so: ${JSON.stringify(saw)}`])
    ]
  }
}

/** What a guest said, line by line. A line that others came between stands there again, as far as it has come. */
const linesOf = (seen: string, guest: string): ReadonlyArray<string> => {
  const lines = seen
    .split("\r\n")
    .flatMap((line) => (line.startsWith(`${guest} | `) ? [line.slice(guest.length + 3)] : []))
  return lines
    .flatMap((part) => part.split("\n"))
    .filter((line, n, all) => line !== "" && !all[n + 1]?.startsWith(line))
}

/** What the guest that behaves measures in nanoseconds by its own clock, a line each, and by how much more than alone is too much. */
const tolerated: ReadonlyArray<readonly [measure: RegExp, more: (alone: number) => number]> = [
  [/A million instructions of its own take +(\d+) ns/, (alone) => alone * 1.02],
  [/CPUID.* takes +(\d+) ns/, (alone) => alone * 1.5],
  [/VMCALL.* takes +(\d+) ns/, (alone) => alone * 1.5],
  [/late by at most (\d+) ns/, () => 10_000]
]

/** What the guest that behaves has noticed of the others: nothing, in words, and little in time. */
export const noticed = (alone: ReadonlyArray<string>, beside: ReadonlyArray<string>): ReadonlyArray<string> => {
  const words = (line: string) => line.replaceAll(/\d+ ns/g, "# ns")
  if (alone.map(words).join("\n") !== beside.map(words).join("\n"))
    return [`it said other things: ${beside.join(" / ")}`]
  return alone.flatMap((line, n) =>
    tolerated.flatMap(([measure, most]) => {
      const [, before] = measure.exec(line) ?? []
      const [, now] = measure.exec(beside[n]!) ?? []
      return before === undefined || Number(now) <= most(Number(before)) ? [] : [`${beside[n]}; alone ${before} ns`]
    })
  )
}
