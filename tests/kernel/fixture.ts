/**
 * A kernel on no machine: memory that is an array, time that is a number, and an architecture that has registers and
 * frames and nothing else. Programs are played by the tests: a thread's registers are written, and the kernel is
 * entered on its behalf.
 */
import type { MemoryService } from "../../src/hal/Memory.ts"
import type { TimeService } from "../../src/hal/Time.ts"
import type { Architecture } from "../../src/kernel/Architecture.ts"
import * as Boot from "../../src/kernel/Boot.ts"
import * as Capability from "../../src/kernel/Capability.ts"
import * as Derivation from "../../src/kernel/Derivation.ts"
import * as Kernel from "../../src/kernel/Kernel.ts"
import { KernelData, kernelDataBytes } from "../../src/kernel/KernelData.ts"
import * as Refill from "../../src/kernel/Refill.ts"
import * as Scheduler from "../../src/kernel/Scheduler.ts"
import type { State } from "../../src/kernel/State.ts"
import { architectureAt, slotOf, Tcb, ThreadState, tcbSlot } from "../../src/kernel/Tcb.ts"
import * as Untyped from "../../src/kernel/Untyped.ts"
import { capOrBadge, IpcBuffer, messageWord } from "../../src/types/IpcBuffer.ts"
import { numberOf } from "../../src/types/Kind.ts"
import * as MessageInfo from "../../src/types/MessageInfo.ts"
import type { ObjectType } from "../../src/types/ObjectType.ts"
import { objectTypes, sizeBits } from "../../src/types/ObjectType.ts"
import { type Syscall, syscalls } from "../../src/types/Syscall.ts"
import * as SyscallError from "../../src/types/SyscallError.ts"
import * as Word from "../../src/types/Word.ts"

// —— The machine

const memoryOf = (bytes: Uint8Array): MemoryService => {
  const view = new DataView(bytes.buffer)
  return {
    load8: (address) => view.getUint8(address),
    load16: (address) => view.getUint16(address, true),
    load32: (address) => view.getInt32(address, true),
    store8: (address, value) => view.setUint8(address, value),
    store16: (address, value) => view.setUint16(address, value, true),
    store32: (address, value) => view.setInt32(address, value, true),
    loadWords: (address, words, index, count) => {
      for (let i = 0; i < count; i++) words[index + i] = view.getInt32(address + 4 * i, true)
    },
    storeWords: (address, words, index, count) => {
      for (let i = 0; i < count; i++) view.setInt32(address + 4 * i, words[index + i]!, true)
    },
    words: new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2),
    indexOf: (address) => (address < bytes.length ? address >>> 2 : -1),
    copy: (from, to, length) => bytes.copyWithin(to, from, from + length),
    zero: (address, length) => bytes.fill(0, address, address + length)
  }
}

export interface TestTime extends TimeService {
  /** Instructions retire. */
  readonly pass: (nanoseconds: number) => void
  readonly deadline: () => number | undefined
  /** An interrupt waits from the `n`th time on that the kernel looks for one: 0 is never. */
  readonly interruptAfter: (looks: number) => void
}

const timeOf = (): TestTime => {
  let now = 0
  let deadline: number | undefined
  let looks = 0
  return {
    now: () => now,
    charge: (instructions) => {
      now += instructions
    },
    setDeadline: (time) => {
      deadline = time
    },
    clearDeadline: () => {
      deadline = undefined
    },
    interruptPending: () => looks > 0 && --looks === 0,
    endOfInterrupt: () => {},
    pass: (nanoseconds) => {
      now += nanoseconds
    },
    deadline: () => deadline,
    interruptAfter: (count) => {
      looks = count
    }
  }
}

// —— The architecture

/** Sixteen registers, the first of which have a part in system calls. */
export const register = {
  capability: 0,
  info: 1,
  message: [2, 3, 4, 5],
  reply: 6,
  destination: 7,
  pc: 8,
  next: 9,
  sp: 10
}
const frameRegisters = [8, 10, 0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13]
const tlsBase = 14

const wordOf = (thread: number, index: number) => thread + architectureAt + 8 * index

/** Interrupts that do not come. */
const maskedBy = new WeakMap<object, Set<number>>()

const architecture: Architecture = {
  convention: register,
  registerLow: ({ memory }, thread, index) => memory.load32(wordOf(thread, index)),
  registerHigh: ({ memory }, thread, index) => memory.load32(wordOf(thread, index) + 4),
  setRegister: ({ memory }, thread, index, low, high) => {
    memory.store32(wordOf(thread, index), low)
    memory.store32(wordOf(thread, index) + 4, high)
  },
  setUserRegister: (state, thread, index, low, high) => architecture.setRegister(state, thread, index, low, high),
  copyMessage: (state, from, to, words) => {
    for (const index of register.message.slice(0, words))
      architecture.setRegister(
        state,
        to,
        index,
        architecture.registerLow(state, from, index),
        architecture.registerHigh(state, from, index)
      )
  },
  frameRegisters,
  integerRegisters: [tlsBase],
  tlsBase,
  sent: { CapFault: [8], UnknownSyscall: [11, 12, 8, 10], UserException: [8, 10], VMFault: [8], Timeout: [] },
  replied: {
    CapFault: [],
    UnknownSyscall: [11, 12, 8, 10],
    UserException: [8, 10],
    VMFault: [],
    Timeout: frameRegisters
  },
  resumeAtRestart: ({ memory }, thread) => memory.copy(wordOf(thread, register.pc), wordOf(thread, register.next), 8),
  restartAtResume: ({ memory }, thread) => memory.copy(wordOf(thread, register.next), wordOf(thread, register.pc), 8),
  registersChanged: () => {},
  syscall: () => false,
  initialise: () => {},
  switchTo: () => {},
  idle: () => {},
  flagsChanged: () => {},
  forget: () => {},
  isAddressSpace: (view, slot) => Capability.kind(view, slot) === numberOf.AddressSpace,
  refuseBuffer: (_view, _slot, address) => (address.lo % 1024 === 0 ? undefined : SyscallError.alignmentError),
  buffer: (view, thread) => {
    const slot = slotOf(thread, tcbSlot.buffer)
    if (Capability.kind(view, slot) !== numberOf.Frame) return 0
    return Capability.address(view, slot) + (Tcb.buffer.loadLo(view.memory, thread) & 4095)
  },
  make: (_state, type, address) => Capability.original(type.makes, address),
  derive: (_view, _slot, cap) => cap,
  update: (_view, cap) => cap,
  finalise: () => {},
  decode: () => SyscallError.illegalOperation,
  interrupts: 4,
  maskInterrupt: ({ memory }, interrupt, masked) => {
    const set = maskedBy.get(memory)!
    if (masked) set.add(interrupt)
    else set.delete(interrupt)
  }
}

// —— The world

const memoryBytes = 2 ** 22
const dataAt = 0x1_0000
const objectsAt = 0x2_0000
/** The depth at which the slots of the world's capability space are named in messages. */
export const depth = 64

/** A thread of the world. `slot` is its TCB's capability, as programs name it. */
export interface Actor {
  readonly name: string
  readonly thread: number
  readonly slot: number
  readonly context: number
  readonly contextSlot: number
  /** The physical address of its IPC buffer. */
  readonly buffer: number
  readonly bufferSlot: number
}

export interface Message {
  readonly label?: number
  readonly words?: ReadonlyArray<number | bigint>
  readonly caps?: ReadonlyArray<number>
}

export interface Sent extends Message {
  readonly capability?: number
  readonly reply?: number
  readonly destination?: number
}

/** What a thread finds when it goes on. */
export interface Found {
  readonly badge: number
  readonly label: number
  readonly words: ReadonlyArray<number>
  readonly extraCaps: number
  readonly unwrapped: number
}

export class World {
  readonly bytes = new Uint8Array(memoryBytes)
  readonly memory = memoryOf(this.bytes)
  readonly time = timeOf()
  readonly printed: Array<string> = []
  readonly masked = new Set<number>()
  readonly state: State = {
    memory: this.memory,
    time: this.time,
    charge: this.time.charge,
    debug: {
      putChar: (byte) => void this.printed.push(String.fromCharCode(byte)),
      print: (line) => void this.printed.push(line),
      snapshot: () => void this.printed.push("snapshot")
    },
    architecture,
    data: dataAt
  }
  readonly kernel: Kernel.KernelService
  readonly cnode: number
  /** The slot of a capability to the world's CNode. */
  readonly root = 1
  readonly space = 2
  readonly schedControl = 3
  #free = objectsAt
  #nextSlot = 16

  constructor(rootBits = 10, paths: Parameters<typeof Kernel.make>[1] = "fast and slow", domains = 1) {
    this.kernel = Kernel.make(this.state, paths)
    maskedBy.set(this.memory, this.masked)
    if (dataAt + kernelDataBytes > objectsAt) throw new Error("the kernel's data ends before the objects")
    Boot.initialise(this.state, domains, domains === 1 ? 0 : this.allocate(16))
    this.cnode = this.allocate(5 + rootBits)
    // The guard takes the bits of an address that no index needs.
    const guard = 64 - rootBits
    Boot.provide(
      this.state,
      this.cnode,
      this.root,
      Capability.withData(Capability.cnode(this.cnode, rootBits), guard, 0)
    )
    Boot.provide(this.state, this.cnode, this.space, Capability.original("AddressSpace", this.allocate(12)))
    Boot.provide(this.state, this.cnode, this.schedControl, Capability.original("SchedControl", 0, 0))
  }

  /** The same memory, under another kernel. */
  elsewhere(): World {
    const other = new World()
    other.bytes.set(this.bytes)
    other.time.pass(this.time.now())
    return other
  }

  /** Memory of 2^bits bytes at a multiple of that. */
  allocate(bits: number): number {
    const size = 2 ** bits
    const at = Math.ceil(this.#free / size) * size
    this.#free = at + size
    if (this.#free > memoryBytes) throw new Error("the world is full")
    return at
  }

  /** A slot that holds nothing. */
  emptySlot(): number {
    return this.#nextSlot++
  }

  /** The slot that was filled last. */
  get lastSlot(): number {
    return this.#nextSlot - 1
  }

  /** The address of a slot of the world's CNode. */
  at(slot: number): number {
    return this.cnode + 32 * slot
  }

  /** An original capability in a new slot. */
  give(cap: Capability.Capability): number {
    const slot = this.emptySlot()
    Boot.provide(this.state, this.cnode, slot, cap)
    return slot
  }

  /** An object in a new slot. */
  object(type: ObjectType, given = 0): { readonly slot: number; readonly at: number } {
    const at = this.allocate(sizeBits(objectTypes[type], given))
    return { slot: this.give(Boot.makeObject(this.state, type, at, given)), at }
  }

  untyped(bits: number, isDevice = false): { readonly slot: number; readonly at: number } {
    const at = this.allocate(bits)
    return { slot: this.give(Untyped.make(at, bits, isDevice)), at }
  }

  /** A copy of a capability, with a badge. */
  minted(slot: number, badge: number): number {
    const to = this.emptySlot()
    this.#copy(slot, to, (cap) => Capability.withData(cap, badge, 0))
    return to
  }

  /** A copy of a capability, with what a rights word leaves. */
  diminished(slot: number, rightsWord: number): number {
    const to = this.emptySlot()
    this.#copy(slot, to, (cap) => Capability.mask(cap, rightsWord))
    return to
  }

  /** A copy of a capability in this slot. */
  duplicate(slot: number, to: number): void {
    this.#copy(slot, to, (cap) => cap)
  }

  #copy(from: number, to: number, change: (cap: Capability.Capability) => Capability.Capability): void {
    Derivation.insert(this.state, this.at(from), this.at(to), change(Capability.read(this.state, this.at(from))))
  }

  /** A thread in the world's spaces, ready to run; `passive` has no scheduling context, `stopped` is not resumed. */
  actor(
    name: string,
    options: { priority?: number; passive?: boolean; stopped?: boolean; withoutBuffer?: boolean } = {}
  ): Actor {
    const tcb = this.object("TCB")
    const context = this.object("SchedContext", 8)
    const frame = this.object("Page4K")
    const priority = options.priority ?? 100
    Boot.install(this.state, tcb.at, tcbSlot.cspace, this.at(this.root))
    Boot.install(this.state, tcb.at, tcbSlot.addressSpace, this.at(this.space))
    if (options.withoutBuffer !== true) Boot.install(this.state, tcb.at, tcbSlot.buffer, this.at(frame.slot))
    Boot.prepare(this.state, {
      thread: tcb.at,
      schedContext: context.at,
      priority,
      timeSlice: 5_000_000,
      buffer: 0,
      name
    })
    Tcb.mcp.store(this.memory, tcb.at, 255)
    const actor = {
      name,
      thread: tcb.at,
      slot: tcb.slot,
      context: context.at,
      contextSlot: context.slot,
      buffer: frame.at,
      bufferSlot: frame.slot
    }
    if (options.stopped === true) Scheduler.dequeue(this.state, tcb.at)
    if (options.stopped === true) Tcb.state.store(this.memory, tcb.at, ThreadState.inactive)
    if (options.passive === true) {
      Scheduler.dequeue(this.state, tcb.at)
      Tcb.schedContext.store(this.memory, tcb.at, 0)
      Refill.SchedContextFields.thread.store(this.memory, context.at, 0)
    }
    return actor
  }

  /** The current thread, by its name. */
  get running(): string {
    const thread = Scheduler.currentThread(this.state)
    return this.nameOf(thread)
  }

  nameOf(thread: number): string {
    let name = ""
    for (let at = thread + 0x1c0; this.bytes[at] !== 0; at++) name += String.fromCharCode(this.bytes[at]!)
    return name || "nobody"
  }

  /** Let whoever can run do so. */
  start(): void {
    this.kernel.start()
  }

  /** It is this thread's turn, whatever others there are. */
  turn(actor: Actor): void {
    const { state, memory } = this
    const current = Scheduler.currentThread(state)
    if (current === actor.thread) return
    if (!Scheduler.isSchedulable(state, actor.thread)) throw new Error(`${actor.name} cannot run`)
    Scheduler.updateTime(state)
    if (Scheduler.isSchedulable(state, current)) Scheduler.append(state, current)
    Scheduler.dequeue(state, actor.thread)
    KernelData.currentThread.store(memory, dataAt, actor.thread)
    KernelData.consumed.store(memory, dataAt, 0)
    KernelData.currentContext.store(memory, dataAt, Tcb.schedContext.load(memory, actor.thread))
    if (Tcb.state.load(memory, actor.thread) === ThreadState.restart) {
      architecture.resumeAtRestart(state, actor.thread)
      Tcb.state.store(memory, actor.thread, ThreadState.running)
    }
  }

  set(actor: Actor, index: number, value: number | bigint): void {
    const { lo, hi } = Word.fromBigInt(BigInt(value))
    architecture.setRegister(this.state, actor.thread, index, lo, hi)
  }

  get(actor: Actor, index: number): number {
    return Word.toNumber(
      architecture.registerLow(this.state, actor.thread, index),
      architecture.registerHigh(this.state, actor.thread, index)
    )
  }

  /** The actor makes a system call, in its turn. */
  syscall(actor: Actor, name: Syscall, sent: Sent = {}): void {
    this.prepare(actor, sent)
    this.kernel.handleSyscall(syscalls[name], -1)
  }

  /** It is the actor's turn, and its registers say what it will ask for. */
  prepare(actor: Actor, sent: Sent): void {
    this.turn(actor)
    const { label = 0, words = [], caps = [] } = sent
    this.set(actor, register.capability, sent.capability ?? 0)
    this.set(actor, register.reply, sent.reply ?? 0)
    this.set(actor, register.destination, sent.destination ?? 0)
    this.set(
      actor,
      register.info,
      MessageInfo.toBigInt({ label, capsUnwrapped: 0, extraCaps: caps.length, length: words.length })
    )
    for (const [index, word] of words.entries()) {
      if (index < 4) this.set(actor, register.message[index]!, word)
      else this.storeWord(actor.buffer + messageWord(index), word)
    }
    for (const [index, cap] of caps.entries()) this.storeWord(actor.buffer + capOrBadge(index), cap)
  }

  storeWord(at: number, value: number | bigint): void {
    const { lo, hi } = Word.fromBigInt(BigInt(value))
    this.memory.store32(at, lo)
    this.memory.store32(at + 4, hi)
  }

  /** Where capabilities that arrive go. */
  receiveInto(actor: Actor, slot: number): void {
    IpcBuffer.receiveCNode.store(this.memory, actor.buffer, this.root, 0)
    IpcBuffer.receiveIndex.store(this.memory, actor.buffer, slot, 0)
    IpcBuffer.receiveDepth.store(this.memory, actor.buffer, depth)
  }

  /** What the actor finds in its registers and its buffer. */
  found(actor: Actor): Found {
    const low = architecture.registerLow(this.state, actor.thread, register.info)
    const high = architecture.registerHigh(this.state, actor.thread, register.info)
    const length = MessageInfo.length(low)
    const words = Array.from({ length }, (_, index) =>
      index < 4
        ? this.get(actor, register.message[index]!)
        : Word.toNumber(
            this.memory.load32(actor.buffer + messageWord(index)),
            this.memory.load32(actor.buffer + messageWord(index) + 4)
          )
    )
    return {
      badge: this.get(actor, register.capability),
      label: MessageInfo.label(low, high),
      words,
      extraCaps: MessageInfo.extraCaps(low),
      unwrapped: MessageInfo.capsUnwrapped(low)
    }
  }

  /** The actor invokes an object; the kernel's answer. */
  invoke(actor: Actor, capability: number, message: Message): Found {
    this.syscall(actor, "Call", { capability, ...message })
    return this.found(actor)
  }

  stateOf(actor: Actor): string {
    const number = Tcb.state.load(this.memory, actor.thread)
    return Object.entries(ThreadState).find(([, value]) => value === number)![0]
  }

  /** The kind of what is in a slot; undefined of an empty one. */
  kindIn(slot: number): string | undefined {
    const number = Capability.kind(this.state, this.at(slot))
    return Object.entries(numberOf).find(([, value]) => value === number)?.[0]
  }
}

export const labelOf = SyscallError.labels
