/**
 * A kernel that has booted, up to the moment at which the root task would run: its memory, its root CNode, and calls by
 * hand.
 */

import type { BootService } from "../../../src/hal/Boot.ts"
import type { MemoryService } from "../../../src/hal/Memory.ts"
import { paging } from "../../../src/hal/x86_64/entries.ts"
import * as Capability from "../../../src/kernel/Capability.ts"
import * as Derivation from "../../../src/kernel/Derivation.ts"
import type { Invocation } from "../../../src/kernel/Invocation.ts"
import { isRefusal, type State } from "../../../src/kernel/State.ts"
import { ArchData } from "../../../src/kernel/x86_64/ArchData.ts"
import { contextOf, make as makeArchitecture } from "../../../src/kernel/x86_64/Architecture.ts"
import { make as makeBootMemory } from "../../../src/kernel/x86_64/BootMemory.ts"
import { loadAddress, Offset, sections } from "../../../src/kernel/x86_64/Image.ts"
import { build } from "../../../src/kernel/x86_64/KernelTables.ts"
import type { Machine } from "../../../src/kernel/x86_64/Machine.ts"
import { create, type Root } from "../../../src/kernel/x86_64/RootTask.ts"
import { Register } from "../../../src/kernel/x86_64/ThreadContext.ts"
import { start as startVirtualization } from "../../../src/kernel/x86_64/VirtualizationStartup.ts"
import { BootInfo, slots, UntypedEntry, untypedEntry } from "../../../src/types/BootInfo.ts"
import { messageWord } from "../../../src/types/IpcBuffer.ts"
import { ofNumber } from "../../../src/types/ObjectType.ts"
import type { SyscallError } from "../../../src/types/SyscallError.ts"
import * as Word from "../../../src/types/Word.ts"
import { syscall } from "../../../src/types/x86_64/Registers.ts"
import * as doubles from "./machine.ts"

const MiB = 2 ** 20
export const gateRom = 0xfec8_0000

export interface System {
  readonly bytes: Uint8Array
  readonly memory: MemoryService
  readonly state: State
  readonly machine: Machine
  readonly processor: doubles.ProcessorDouble
  readonly ports: doubles.PortsDouble
  readonly lines: doubles.LinesDouble
  readonly time: doubles.TimeDouble
  readonly virtualization: doubles.VirtualizationDouble
  /** The address of a slot of the root CNode. */
  readonly slot: (index: number) => number
  readonly thread: number
  /** The root of the root task's address space. */
  readonly space: number
  /** A field of the boot information. */
  readonly info: (field: keyof typeof BootInfo) => number
  readonly infoFrame: number
  /** An empty slot: its index. */
  readonly empty: () => number
}

export const boot = (
  root: Root = { _tag: "Gate" },
  modules: BootService["modules"] = [],
  at = new Uint8Array(16 * MiB),
  processorRuns: "guests" | "no guests" = "guests"
): System => {
  const memory = doubles.memoryOf(at)
  const image = { start: loadAddress, end: loadAddress + (sections.at(-1)?.end ?? Number.NaN) }
  const loader = { start: 0x1000, end: 0x5000 }
  const ram = doubles.pcMemory(at.length)
  const processor = doubles.processor()
  const ports = doubles.ports()
  const lines = doubles.lines()
  const time = doubles.time()
  const virtualization = doubles.virtualization(memory)
  doubles.offerGuests(processor)
  const archData = image.start + Offset.archData
  const machine: Machine = {
    paging: paging,
    processor,
    ports,
    lines,
    archData,
    image,
    virtualization: startVirtualization(
      { memory, processor, virtualization: processorRuns === "guests" ? virtualization : undefined },
      archData
    )
  }
  const state: State = {
    memory,
    time,
    charge: time.charge,
    data: image.start + Offset.kernelData,
    architecture: makeArchitecture(machine, "fast and slow"),
    debug: { putChar: () => {}, print: () => {}, snapshot: () => {} }
  }
  const free = makeBootMemory(memory, ram, [image, loader, ...modules.map(({ at }) => at)])
  const kernelRoot = build({ memory, paging: paging }, ram, image, () => free.take("a page table", 0x1000))
  ArchData.kernelRoot.store(memory, machine.archData, kernelRoot)
  ArchData.root.store(memory, machine.archData, kernelRoot)
  const thread = create(
    {
      state,
      machine,
      free,
      boot: { memory: ram, image, loader, modules, commandLine: "", descriptionTables: undefined, gateRom }
    },
    root
  )
  return inspect(at, thread, state, machine, { processor, ports, lines, time, virtualization })
}

const inspect = (
  bytes: Uint8Array,
  thread: number,
  state: State,
  machine: Machine,
  devices: Pick<System, "processor" | "ports" | "lines" | "time" | "virtualization">
): System => {
  const { memory } = state
  const node = Capability.object(state, thread)
  const slot = (index: number) => node + 32 * index
  const infoFrame = Capability.address(state, slot(slots.bootInfoFrame))
  const info = (field: keyof typeof BootInfo) => BootInfo[field].load(memory, infoFrame)
  let next = info("emptyStart")
  return {
    bytes,
    memory,
    state,
    machine,
    ...devices,
    slot,
    thread,
    space: Capability.object(state, slot(slots.addressSpace)),
    info,
    infoFrame,
    empty: () => next++
  }
}

/** The entries of the list of untyped memory. */
export const untypedList = ({ info, infoFrame, memory }: System) =>
  Array.from({ length: info("untypedEnd") - info("untypedStart") }, (_, index) => {
    const entry = infoFrame + untypedEntry(index)
    return {
      slot: info("untypedStart") + index,
      start: UntypedEntry.address.load(memory, entry),
      bits: UntypedEntry.sizeBits.load(memory, entry),
      isDevice: UntypedEntry.isDevice.load(memory, entry) !== 0
    }
  })

/**
 * An object of this type in an empty slot, at a place in memory that the test chooses. The answer is the slot's index.
 */
export const object = (system: System, type: number, address: number, isDevice = false): number => {
  const row = ofNumber(type)
  if (row === undefined) throw new Error(`no object type ${type}`)
  const index = system.empty()
  Derivation.insertFirst(
    system.state,
    system.slot(index),
    system.state.architecture.make(system.state, row, address, isDevice)
  )
  return index
}

/** A copy of what is in a slot, with the rights that a word leaves. The answer is its slot's index, or the refusal. */
export const copy = (system: System, from: number, rightsWord = 0xf) => {
  const cap = Derivation.derive(
    system.state,
    system.slot(from),
    Capability.mask(Capability.read(system.state, system.slot(from)), rightsWord)
  )
  if ("_tag" in cap) return cap
  const index = system.empty()
  Derivation.insert(system.state, system.slot(from), system.slot(index), cap)
  return index
}

/** Invoke what is in a slot, as the root task would. The answer: the words of the reply, or the refusal. */
export const invoke = (
  system: System,
  target: number,
  label: number,
  words: readonly (number | bigint)[] = [],
  caps: readonly number[] = []
): readonly bigint[] | SyscallError => {
  const { state, slot, thread } = system
  const buffer = state.architecture.buffer(state, thread, "read")
  words.forEach((word, index) => {
    const { lo, hi } = Word.fromBigInt(BigInt.asUintN(64, BigInt(word)))
    const register = syscall.message[index]
    if (register !== undefined) state.architecture.setRegister(state, thread, Register[register], lo, hi)
    else {
      state.memory.store32(buffer + messageWord(index), lo)
      state.memory.store32(buffer + messageWord(index) + 4, hi)
    }
  })
  const invocation: Invocation = {
    slot: slot(target),
    caller: thread,
    label,
    length: words.length,
    buffer,
    extraCaps: caps.map(slot),
    isCall: true
  }
  const decoded = state.architecture.decode(state, invocation)
  if (isRefusal(decoded)) return decoded
  const outcome = decoded(state)
  if (outcome === "preempted") throw new Error("nothing here is long")
  return (outcome ?? []).map(Word.toBigInt)
}

/** Delete what is in a slot, as CNode_Delete would of a capability without slots of its own. */
export const remove = ({ state, slot }: System, index: number): void => {
  state.architecture.finalise(state, slot(index), Derivation.isFinal(state, slot(index)))
  Derivation.remove(state, slot(index))
}

/** The number of the kind of what is in a slot. */
export const kindIn = (system: System, index: number): number => Capability.kind(system.state, system.slot(index))

/** A register of a thread, as a word. */
export const register = ({ memory }: System, thread: number, name: keyof typeof Register): bigint =>
  Word.toBigInt({
    lo: memory.load32(contextOf(thread) + 8 * Register[name]),
    hi: memory.load32(contextOf(thread) + 8 * Register[name] + 4)
  })
