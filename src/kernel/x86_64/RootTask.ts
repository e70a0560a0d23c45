/**
 * RootTask: the first task. It gets all there is: what the machine has, and what the kernel did not need for itself.
 *
 * Its objects are made as programs make theirs, out of memory, with capabilities to them; only that no capability was
 * there before. Where each capability goes is said in `types/BootInfo`.
 */
import type { BootService, Region } from "../../hal/Boot.ts"
import { Allow } from "../../hal/Paging.ts"
import { firstFreeSlot, maxUntyped, rootCNodeBits, slots } from "../../types/BootInfo.ts"
import { numberOf } from "../../types/Kind.ts"
import { slotBits, untypedBits } from "../../types/ObjectType.ts"
import { heldAll } from "../../types/Rights.ts"
import { asidPoolBits } from "../../types/x86_64/ObjectType.ts"
import * as KernelBoot from "../Boot.ts"
import * as Capability from "../Capability.ts"
import * as Derivation from "../Derivation.ts"
import type { State } from "../State.ts"
import { slotOf, tcbBytes, tcbSlot } from "../Tcb.ts"
import * as UntypedData from "../UntypedData.ts"
import * as Asid from "./Asid.ts"
import { poolCapability } from "./AsidPool.ts"
import { stop } from "./BootError.ts"
import * as BootInfoFrame from "./BootInfoFrame.ts"
import { type BootMemory, pageBytes } from "./BootMemory.ts"
import type { Machine } from "./Machine.ts"
import * as Mapping from "./Mapping.ts"
import { extent, type Program } from "./Program.ts"
import { blocks, without } from "./Regions.ts"
import { frameOf, load, mapPage, mapTables, type Page } from "./RootSpace.ts"
import { Register } from "./ThreadContext.ts"
import type { Live } from "./Translation.ts"

/** What the first task runs: a program of its own, or a fiber of the host, which it enters by the gate. */
export type Root = { readonly _tag: "Program"; readonly program: Program } | { readonly _tag: "Gate" }

/** Where a task without a program finds the gate. */
export const gateAddress = 0x40_0000

const priority = 255
/** Nanoseconds. */
const timeSlice = 5_000_000
const firstAsid = 1
const schedContextBits = 7

/** Capabilities that stand for the machine, not for an object. */
const machineWide = [
  [slots.irqControl, "IRQControl"],
  [slots.asidControl, "ASIDControl"],
  [slots.ioPortControl, "IOPortControl"],
  [slots.domain, "Domain"]
] as const

export interface Boot {
  readonly state: State
  readonly machine: Machine
  readonly free: BootMemory
  readonly boot: BootService
}

/** The root CNode: its slots by their index, and the next one that is free. */
interface RootCNode {
  readonly slot: (index: number) => number
  readonly take: () => number
  readonly next: () => number
}

/** A root task in the making. */
interface Making extends Boot {
  readonly cnode: RootCNode
  readonly space: Live
}

/** Make the root task, ready to run. The answer is its thread. */
export const create = (boot: Boot, root: Root): number => {
  const making = begin(boot)
  const { state, machine, free, cnode, space } = making
  const extra = BootInfoFrame.extra(boot.boot)
  const image = root._tag === "Program" ? extent(root.program) : { start: gateAddress, end: gateAddress + pageBytes }
  const ipcBuffer = image.end
  const bootInfo = ipcBuffer + pageBytes
  const end = bootInfo + pageBytes + extra.length

  const userImagePaging = filledBy(cnode, () =>
    mapTables(state, machine, free, space, { start: image.start, end }, cnode.take)
  )
  place(making, cnode.slot(slots.ipcBuffer), ownPage(free, "the root task's IPC buffer", ipcBuffer))
  const infoFrame = ownPage(free, "the boot information", bootInfo)
  place(making, cnode.slot(slots.bootInfoFrame), infoFrame)
  const extraBIPages = filledBy(cnode, () => placeBytes(making, bootInfo + pageBytes, extra))
  const userImageFrames = filledBy(cnode, () => {
    if (root._tag === "Gate") cnode.take()
    else for (const page of load(state.memory, free, root.program)) place(making, cnode.take(), page)
  })
  const entry = root._tag === "Program" ? root.program.entry : gateAddress
  const thread = makeThread(making, { entry, bootInfo, ipcBuffer })

  for (const { at } of boot.boot.modules) free.give(at)
  free.give(boot.boot.loader)
  const untypedList = untypedMemory(boot.boot, free.left())
  const untyped = filledBy(cnode, () => {
    for (const block of untypedList) Derivation.insertFirst(state, cnode.take(), untypedCapability(block))
  })
  if (root._tag === "Gate") {
    const source = untypedList.findIndex(({ start }) => start === boot.boot.gateRom)
    placeGate(making, cnode.slot(untyped.start + source), cnode.slot(userImageFrames.start))
  }
  const schedControl = filledBy(cnode, () =>
    Derivation.insertFirst(state, cnode.take(), Capability.original("SchedControl", 0))
  )
  BootInfoFrame.write(state.memory, infoFrame.physical, {
    ipcBuffer,
    extraLength: extra.length,
    empty: { start: cnode.next(), end: 2 ** rootCNodeBits },
    userImageFrames,
    userImagePaging,
    extraBIPages,
    schedControl,
    untyped,
    untypedList
  })
  return thread
}

/** The root CNode with what does not depend on the program, and an address space with nothing in it. */
const begin = (boot: Boot): Making => {
  const { state, machine, free } = boot
  const node = free.take("the root CNode", 2 ** (rootCNodeBits + slotBits))
  const cnode = rootCNode(node)
  const put = (index: number, cap: Capability.Capability) => Derivation.insertFirst(state, cnode.slot(index), cap)
  put(slots.cnode, Capability.withData(Capability.cnode(node, rootCNodeBits), 64 - rootCNodeBits, 0))
  for (const [index, kind] of machineWide) put(index, Capability.original(kind, 0))

  const pool = free.take("an ASID pool", 2 ** asidPoolBits)
  Asid.setPool(state, machine, 0, pool)
  put(slots.asidPool, poolCapability(pool, 0))
  const root = free.take("the root task's PML4", pageBytes)
  Asid.assign(state, machine, Mapping.By.addressSpace, { asid: firstAsid, root })
  put(slots.addressSpace, Capability.original("AddressSpace", root, firstAsid))
  return { ...boot, cnode, space: { root, asid: firstAsid } }
}

const rootCNode = (node: number): RootCNode => {
  let next = firstFreeSlot
  const slot = (index: number) => node + 2 ** slotBits * index
  return {
    slot,
    take: () => {
      if (next === 2 ** rootCNodeBits) return stop({ _tag: "NoMemory", what: "the root CNode", bytes: 2 ** slotBits })
      return slot(next++)
    },
    next: () => next
  }
}

/** The slots that `fill` takes. */
const filledBy = ({ next }: RootCNode, fill: () => void): BootInfoFrame.Slots => {
  const start = next()
  fill()
  return { start, end: next() }
}

const ownPage = (free: BootMemory, what: string, address: number): Page => ({
  address,
  physical: free.take(what, pageBytes),
  allow: Allow.write,
  isDevice: false
})

/** The page is mapped, and the slot holds a capability to its frame. */
const place = ({ state, machine, space }: Making, slot: number, page: Page): void => {
  Derivation.insertFirst(state, slot, frameOf(page))
  mapPage(state, machine, space, slot, page)
}

/** Pages of the root task's from `address` on hold these bytes. */
const placeBytes = (making: Making, address: number, bytes: Uint8Array): void => {
  for (let offset = 0; offset < bytes.length; offset += pageBytes) {
    const page = ownPage(making.free, "the boot information", address + offset)
    place(making, making.cnode.take(), page)
    for (const [at, byte] of bytes.subarray(offset, offset + pageBytes).entries())
      making.state.memory.store8(page.physical + at, byte)
  }
}

/**
 * The gate's frame is an object like any other: made of the untyped memory in `source`, which has room for nothing
 * else.
 */
const placeGate = ({ state, machine, space, boot }: Making, source: number, slot: number): void => {
  const gate = { address: gateAddress, physical: boot.gateRom, allow: Allow.execute, isDevice: true }
  Derivation.insertObject(state, source, slot, frameOf(gate))
  UntypedData.fill(state, source)
  mapPage(state, machine, space, slot, gate)
}

/** Where the root task's thread begins, and what it is told there. */
interface Beginning {
  readonly entry: number
  readonly bootInfo: number
  readonly ipcBuffer: number
}

const makeThread = ({ state, free, cnode: { slot } }: Making, { entry, bootInfo, ipcBuffer }: Beginning): number => {
  const thread = free.take("the root task's thread", pageBytes)
  KernelBoot.provide(state, slot(0), slots.tcb, KernelBoot.makeObject(state, "TCB", thread))
  for (const [from, to] of [
    [slots.cnode, tcbSlot.cspace],
    [slots.addressSpace, tcbSlot.addressSpace],
    [slots.ipcBuffer, tcbSlot.buffer]
  ] as const) {
    const copy = Derivation.derive(state, slot(from), Capability.read(state, slot(from)))
    if ("_tag" in copy) throw new Error("what the root task is made of can be copied")
    Derivation.insert(state, slot(from), slotOf(thread, to), copy)
  }
  const set = (register: number, value: number) =>
    state.architecture.setUserRegister(state, thread, register, value | 0, Math.floor(value / 2 ** 32))
  set(Register.rip, entry)
  set(Register.rdi, bootInfo)
  state.architecture.resumeAtRestart(state, thread)

  // The rest of the page has room for it.
  const schedContext = thread + tcbBytes
  const time = KernelBoot.makeObject(state, "SchedContext", schedContext, schedContextBits)
  KernelBoot.provide(state, slot(0), slots.schedContext, time)
  KernelBoot.prepare(state, { thread, schedContext, priority, timeSlice, buffer: ipcBuffer, name: "root" })
  return thread
}

/** The machine's own pages among devices: the registers of IOAPIC and local APIC. */
const reserved: readonly Region[] = [
  { start: 0xfec0_0000, end: 0xfec0_1000 },
  { start: 0xfee0_0000, end: 0xfee0_1000 }
]

/**
 * All that is not memory is a device's; the gate is a block of its own. A reference of 0 stands for no object, so none
 * may lie at address 0: memory there is nobody's.
 */
const untypedMemory = (
  { memory, gateRom }: BootService,
  left: readonly Region[]
): readonly BootInfoFrame.UntypedMemory[] => {
  const all = { start: 0, end: 2 ** untypedBits.most }
  const gate = { start: gateRom, end: gateRom + pageBytes }
  const devices = without([all], [...memory, ...reserved, gate])
  const list = [
    ...[...devices, gate]
      .toSorted((a, b) => a.start - b.start)
      .flatMap((region) => blocks(region, untypedBits.least, untypedBits.most))
      .map((block) => ({ ...block, isDevice: true })),
    ...without(left, [{ start: 0, end: pageBytes }])
      .flatMap((region) => blocks(region, untypedBits.least, untypedBits.most))
      .map((block) => ({ ...block, isDevice: false }))
  ]
  if (list.length <= maxUntyped) return list
  // The boot information has room for so many: the smallest are left out.
  const least = list.map(({ sizeBits }) => sizeBits).toSorted((a, b) => b - a)[maxUntyped - 1]!
  return list.filter(({ start, sizeBits }) => sizeBits > least || start === gateRom)
}

const untypedCapability = ({ start, sizeBits, isDevice }: BootInfoFrame.UntypedMemory): Capability.Capability =>
  Capability.make(numberOf.Untyped, heldAll("Untyped"), start, 0, UntypedData.fresh(sizeBits, isDevice))
