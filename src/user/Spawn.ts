/**
 * Spawn: starting tasks, written in TypeScript or compiled, each with an address space and capabilities of its own.
 */
import { Context, Effect } from "effect"
import { gateRom } from "../types/Architecture.ts"
import { type AnyCap, type Cap, elsewhereUnsafe } from "../types/Capability.ts"
import * as TCB from "../types/methods/TCB.ts"
import type { Givable, NeedArgument } from "../types/Need.ts"
import * as Allocator from "./Allocator.ts"
import type { Full } from "./BootInfo.ts"
import { Cap_Copy, CNode_Create, give } from "./Capabilities.ts"
import * as Elf from "./Elf.ts"
import { invoke } from "./Invocation.ts"
import { AddressSpace_Create, AddressSpace_Map, create, Frame_Unmap } from "./Memory.ts"
import { Syscalls } from "./Syscalls.ts"
import * as Task from "./Task.ts"
import {
  createThread,
  Debug_NameThread,
  type Handler,
  type Registers,
  SchedControl_Configure,
  type SchedulingParameters,
  TCB_Configure,
  TCB_Resume,
  TCB_WriteRegisters
} from "./Threads.ts"

/** What it takes to start tasks, beside memory. */
export interface SpawnerService {
  readonly asidPool: Cap<"ASIDPool", "assign">
  readonly schedControl: Cap<"SchedControl", "configure">
  /** A thread whose maximum priority is the highest that a task can get. */
  readonly authority: Cap<"TCB", "schedule">
  /** Where the program itself is: what a compiled task's memory is filled through. */
  readonly addressSpace: Cap<"AddressSpace", "map">
  /** The frame of the gate, where TypeScript tasks run: a copy of it is mapped for each. */
  readonly gate: Cap<"Frame", "read" | "execute">
}

export class Spawner extends Context.Service<Spawner, SpawnerService>()("skyscope/user/Spawner") {}

/** What a task gets. */
export interface Options<G, H = unknown> {
  /** For reports. */
  readonly name: string
  /** Copies of these: a TypeScript task has them under these names, a compiled one in its slots from 1 on. */
  readonly gives?: G
  /** 0 to 255: the highest runs. 100, if left out. */
  readonly priority?: number
  /** How much it may run. In turns of 5 ms with its equals, if left out. */
  readonly time?: SchedulingParameters
  /** Who hears of its faults. Without one, a fault stops it for ever. */
  readonly faultHandler?: H
}

export type Caps = Readonly<Record<string, AnyCap>>

/** What was made of it. */
export interface Started {
  readonly tcb: Full<"TCB">
  readonly addressSpace: Full<"AddressSpace">
  readonly cnode: Full<"CNode">
  readonly schedContext: Full<"SchedContext">
}

/** What it takes to start a task. */
type Needed = Syscalls | Allocator.Allocator | Spawner

/**
 * Start a task written in TypeScript. It has the capabilities that it was given, and an allocator of its own with `memory`: the
 * bits of the untyped memory that it gets, if any.
 */
export function spawn<G extends Caps, A, E, H extends AnyCap | undefined = undefined>(
  options: Options<Givable<G, "spawn">, NeedArgument<H, "spawn", Handler>> & { readonly memory?: number },
  program: (caps: G) => Effect.Effect<A, E, Syscalls | Allocator.Allocator>
): Effect.Effect<Started, Allocator.NotMade, Needed>
export function spawn(given: object, program: Program): Effect.Effect<Started, Allocator.NotMade, Needed> {
  const options = given as Options<Caps> & { readonly memory?: number }
  return Effect.gen(function* () {
    const syscalls = yield* Syscalls
    const { gate } = yield* Spawner
    const task = yield* prepare(options)
    const gateFrame = yield* Cap_Copy(gate, ["read", "execute"])
    yield* AddressSpace_Map(task.addressSpace, gateRom.address, gateFrame, ["read", "execute"])
    const ipcBuffer = yield* mapBuffer(task.addressSpace, bufferAddress(0))

    const names = Object.keys(options.gives ?? {})
    const self = yield* giveSelf(task, names.length + 1)
    const allocator = yield* childAllocator(task, self + 1, options.memory)
    const observers = yield* Task.observers
    const last = suspendSelf(self)
    const fiber = yield* syscalls.fork(
      Task.make({ name: options.name, ipcBuffer: BigInt(ipcBuffer.address), last, ...observers }, () =>
        Effect.provideService(program(childCaps(options.gives, names)), Allocator.Allocator, allocator)
      )
    )
    yield* start(options, task, ipcBuffer, { rip: BigInt(gateRom.address), rbx: BigInt(fiber) })
    return task
  })
}

/** A program that knows only that it is given capabilities. */
type Program = (caps: Caps) => Effect.Effect<unknown, unknown, Syscalls | Allocator.Allocator>

/**
 * Start a compiled task. It begins at its entry point with the address of its IPC buffer in RDI, `argument` in RSI, the slot of its own
 * thread, which it can stop, in RDX, and a stack of `stackPages` pages.
 */
export function spawnElf<G extends Caps, H extends AnyCap | undefined = undefined>(
  options: Options<Givable<G, "spawnElf">, NeedArgument<H, "spawnElf", Handler>> & Compiled,
  file: Uint8Array
): Effect.Effect<Started, Allocator.NotMade | Elf.BadElf, Needed>
export function spawnElf(
  given: object,
  file: Uint8Array
): Effect.Effect<Started, Allocator.NotMade | Elf.BadElf, Needed> {
  const options = given as Options<Caps> & Compiled
  return Effect.gen(function* () {
    const program = Elf.read(file)
    if ("why" in program) return yield* Effect.fail(program)
    const task = yield* prepare(options)
    yield* load(task.addressSpace, program)
    for (let page = 1; page <= (options.stackPages ?? 4); page++) {
      yield* AddressSpace_Map(task.addressSpace, stackTop - page * pageBytes, yield* create("Page4K"), [
        "read",
        "write"
      ])
    }
    const ipcBuffer = yield* mapBuffer(task.addressSpace, stackTop + pageBytes)
    const self = yield* giveSelf(task, Object.keys(options.gives ?? {}).length + 1)
    yield* start(options, task, ipcBuffer, {
      rip: BigInt(program.entry),
      // As if it had been called, from nowhere.
      rsp: BigInt(stackTop - 8),
      rdi: BigInt(ipcBuffer.address),
      rsi: options.argument ?? 0n,
      rdx: BigInt(self)
    })
    return task
  })
}

/** What a compiled task gets beside. */
interface Compiled {
  readonly argument?: bigint
  readonly stackPages?: number
}

/** The last act of a task that ends, whose own thread is in a slot: it stops. */
export const suspendSelf = (slot: number): Effect.Effect<unknown, never, Syscalls> =>
  Effect.orDie(invoke(TCB.Suspend, BigInt(slot), {}))

const pageBytes = 0x1000

/** Where the IPC buffer of a TypeScript task's thread is, by the thread's number. */
export const bufferAddress = (thread: number): number => gateRom.address + pageBytes * (1 + thread)

/** A compiled task's stack ends here, below the last of the user addresses. */
const stackTop = 0x7fff_fff0_0000
/** Where a page of another task is while it is filled. */
const window = 0x6000_0000_0000

/** A task's CNode has 2^cnodeBits slots: what it was given, its own CNode, its memory, and room. */
export const cnodeBits = 8

/** The objects of a task, with what it was given in its slots from 1 on. */
const prepare = Effect.fnUntraced(function* ({ name, gives, faultHandler }: Options<Caps>) {
  const { asidPool } = yield* Spawner
  const addressSpace = yield* AddressSpace_Create(asidPool)
  const cnode = yield* CNode_Create(cnodeBits)
  let index = 1
  for (const cap of Object.values(gives ?? {})) {
    yield* give({ cnode, index, depth: cnodeBits }, cap)
    index++
  }
  const tcb = yield* createThread(addressSpace, faultHandler)
  yield* Debug_NameThread(tcb, name)
  const schedContext = yield* create("SchedContext", schedContextBits)
  return { tcb, addressSpace, cnode, schedContext }
})

export const schedContextBits = 7

/** The capabilities as the task has them. */
const childCaps = <G extends Caps>(gives: G | undefined, names: ReadonlyArray<string>): G =>
  Object.fromEntries(names.map((name, index) => [name, elsewhereUnsafe(gives![name]!, BigInt(index + 1))])) as G

/** Let the task stop its own thread, through a capability in this slot. */
const giveSelf = Effect.fnUntraced(function* ({ cnode, tcb }: Started, slot: number) {
  yield* give({ cnode, index: slot, depth: cnodeBits }, yield* Cap_Copy(tcb, ["run"]))
  return slot
})

/** The task's own CNode, and untyped memory, in the slots from `first` on. */
const childAllocator = Effect.fnUntraced(function* ({ cnode }: Started, first: number, memory: number | undefined) {
  yield* give({ cnode, index: first, depth: cnodeBits }, cnode)
  const slots = { cnode: BigInt(first), depth: cnodeBits, start: first + 1, end: 2 ** cnodeBits }
  if (memory === undefined) return Allocator.make(slots, [])
  yield* give({ cnode, index: first + 1, depth: cnodeBits }, yield* create("Untyped", memory))
  const region = { untyped: BigInt(first + 1), address: 0, bits: memory, isDevice: false }
  return Allocator.make({ ...slots, start: first + 2 }, [region])
})

/** An IPC buffer, at an address of an address space. */
export const mapBuffer = Effect.fnUntraced(function* (addressSpace: Full<"AddressSpace">, address: number) {
  const frame = yield* create("Page4K")
  yield* AddressSpace_Map(addressSpace, address, frame, ["read", "write"])
  return { frame, address }
})

interface Buffer {
  readonly frame: Full<"Frame">
  readonly address: number
}

/** A thread of a task has what the task has, but no time yet. */
export const configureThread = Effect.fnUntraced(function* (
  { addressSpace, cnode }: Started,
  tcb: Full<"TCB">,
  ipcBuffer: Buffer,
  priority: number
) {
  const { authority } = yield* Spawner
  yield* TCB_Configure(tcb, {
    vspaceRoot: addressSpace,
    cspaceRoot: cnode,
    cspaceBits: cnodeBits,
    ipcBuffer,
    priority,
    authority
  })
})

/** Let it run. */
const start = Effect.fnUntraced(function* (
  { priority, time }: Options<Caps>,
  task: Started,
  ipcBuffer: Buffer,
  registers: Partial<Registers>
) {
  const { schedControl } = yield* Spawner
  yield* configureThread(task, task.tcb, ipcBuffer, priority ?? 100)
  yield* TCB_WriteRegisters(task.tcb, { rflags: interruptsOn, ...registers })
  yield* SchedControl_Configure(schedControl, task.schedContext, task.tcb, time ?? turn)
  yield* TCB_Resume(task.tcb)
})

/** The time of a task that says nothing of it: turns with its equals. */
export const turn: SchedulingParameters = { budget: 5000, period: 5000 }

/** RFLAGS.IF, and bit 1, which is always 1. */
export const interruptsOn = 0x202n

/** Copy a program's pages into frames, and map them where the program wants them. */
const load = Effect.fnUntraced(function* (addressSpace: Full<"AddressSpace">, { segments }: Elf.Program) {
  const syscalls = yield* Syscalls
  const own = (yield* Spawner).addressSpace
  for (const page of pagesOf(segments)) {
    const frame = yield* create("Page4K")
    yield* AddressSpace_Map(own, window, frame, ["read", "write"])
    for (const { offset, bytes } of page.pieces) yield* syscalls.write(BigInt(window + offset), bytes)
    yield* Frame_Unmap(frame)
    yield* AddressSpace_Map(addressSpace, page.address, frame, page.rights)
  }
})

type FrameRight = "read" | "write" | "execute"

interface Page {
  readonly address: number
  readonly rights: ReadonlyArray<FrameRight>
  /** What of the file lies in it. */
  readonly pieces: ReadonlyArray<{ readonly offset: number; readonly bytes: Uint8Array }>
}

/** The pages that segments lie in. Two may share one: it then allows what both need. */
const pagesOf = (segments: ReadonlyArray<Elf.Segment>): ReadonlyArray<Page> => {
  const addresses = new Set<number>()
  for (const { address, size } of segments) {
    const first = address - (address % pageBytes)
    for (let page = first; page < address + size; page += pageBytes) addresses.add(page)
  }
  return [...addresses].map((address) => {
    const inside = segments.filter((one) => one.address < address + pageBytes && address < one.address + one.size)
    const rights = (["read", "write", "execute"] as const).filter((right) =>
      inside.some((one) => one.rights.includes(right))
    )
    const pieces = inside.flatMap((one) => {
      const from = Math.max(one.address, address)
      const bytes = one.bytes.subarray(from - one.address, address + pageBytes - one.address)
      return bytes.length === 0 ? [] : [{ offset: from - address, bytes }]
    })
    return { address, rights, pieces }
  })
}
