/**
 * Frame: memory that can be mapped, or given to the processor for a guest.
 *
 * A capability to a frame is mapped in at most one place, and only by that capability is it unmapped: whoever wants two
 * mappings copies it. Nothing that is a frame is, or can become, memory of the kernel's.
 */
import { Halt } from "../../hal/Gates.ts"
import { Allow } from "../../hal/Paging.ts"
import { masked, right } from "../../types/Rights.ts"
import * as SyscallError from "../../types/SyscallError.ts"
import * as Word from "../../types/Word.ts"
import * as Methods from "../../types/x86_64/methods/Frame.ts"
import * as Capability from "../Capability.ts"
import { extraCap, type Invocation, read } from "../Invocation.ts"
import { type Decoded, isRefusal, type State, type View } from "../State.ts"
import * as Asid from "./Asid.ts"
import type { Machine } from "./Machine.ts"
import * as Mapping from "./Mapping.ts"
import { overlaps } from "./Regions.ts"
import { entryAt, invalidatePage, type Live, levelOf, setEntry, tablesOf } from "./Translation.ts"
import * as Vcpu from "./Vcpu.ts"

/** PWT, PCD, PAT: the entry of the page attribute table that says how the page is cached. */
const memoryTypes = 0b111

export const decode = (view: View, machine: Machine, invocation: Invocation): Decoded => {
  switch (invocation.label) {
    case Methods.Map.label:
      return decodeMap(view, machine, invocation)
    case Methods.MapEPT.label:
      return decodeMapEpt(view, machine, invocation)
    case Methods.Unmap.label:
      return (state) => unmap(state, machine, invocation.slot)
    case Methods.GetAddress.label: {
      const address = Word.fromNumber(Capability.address(view, invocation.slot))
      return () => [address]
    }
    default:
      return SyscallError.illegalOperation
  }
}

const decodeMap = (view: View, machine: Machine, invocation: Invocation): Decoded => {
  const { paging } = machine
  const { slot } = invocation
  const args = read(view, invocation, Methods.Map)
  if (isRefusal(args)) return args
  const vspace = extraCap(view, invocation, Methods.Map, 0)
  if (isRefusal(vspace)) return vspace
  const asid = Mapping.asid(Mapping.dataLow(view.memory, vspace))
  if (asid === 0) return SyscallError.invalidCapability(1)

  const hi = Mapping.dataHigh(view.memory, slot)
  const bits = Mapping.frameBits(hi)
  if (Mapping.isMapped(view, slot)) {
    // To map it again where it is changes its rights and attributes.
    const lo = Mapping.dataLow(view.memory, slot)
    if (Mapping.asid(lo) !== asid) return SyscallError.invalidCapability(1)
    if (Mapping.by(hi) !== Mapping.By.addressSpace) return SyscallError.illegalOperation
    if (Mapping.address(lo, hi) !== args.vaddr) return SyscallError.invalidArgument(0)
  } else if (args.vaddr + 2 ** bits >= paging.userEnd) {
    // The last page of the user half stays empty: behind a SYSCALL at its end lies no canonical address.
    return SyscallError.invalidArgument(0)
  }

  const space = Asid.live(view, machine, vspace, 1)
  if (isRefusal(space)) return space
  if (args.vaddr % 2 ** bits !== 0) return SyscallError.alignmentError

  const level = levelOf(paging, bits)
  const entry = entryAt(view, paging, space.root, level, args.vaddr)
  if (isRefusal(entry)) return entry
  const old = view.memory.load32(entry)
  if (paging.present(old) && !paging.mapsPage(level, old)) return SyscallError.deleteFirst

  const page = Capability.address(view, slot)
  const allow = allowed(masked(Capability.rights(view, slot), args.rights.bits))
  const memoryType = args.attr.lo & memoryTypes
  return (state) => {
    assertUsers(machine, page, bits)
    Mapping.set(state, slot, { asid, address: args.vaddr }, Mapping.By.addressSpace)
    const low = paging.pageLow(level, page, allow, memoryType)
    setEntry(state, entry, low, paging.pageHigh(level, page, allow, memoryType))
    if (paging.present(old)) invalidatePage(machine, Mapping.By.addressSpace, space, args.vaddr)
    return undefined
  }
}

/** SDM vol. 3C, "Memory Type Used for Translated Guest-Physical Addresses": the types that there are. */
const guestMemoryTypes: ReadonlySet<number> = new Set([0, 1, 4, 5, 6])

const decodeMapEpt = (view: View, machine: Machine, invocation: Invocation): Decoded => {
  const { virtualization } = machine
  const { slot } = invocation
  const args = read(view, invocation, Methods.MapEPT)
  if (isRefusal(args)) return args
  if (virtualization === undefined) return SyscallError.illegalOperation
  const { tables } = virtualization
  const root = extraCap(view, invocation, Methods.MapEPT, 0)
  if (isRefusal(root)) return root
  if (Mapping.isMapped(view, slot)) return SyscallError.invalidCapability(0)
  const bits = Mapping.frameBits(Mapping.dataHigh(view.memory, slot))
  if (args.gpa + 2 ** bits > tables.userEnd) return SyscallError.invalidArgument(0)
  if (!guestMemoryTypes.has(args.attr)) return SyscallError.invalidArgument(2)
  const guest = Asid.live(view, machine, root, 1)
  if (isRefusal(guest)) return guest
  if (args.gpa % 2 ** bits !== 0) return SyscallError.alignmentError

  const level = levelOf(tables, bits)
  const entry = entryAt(view, tables, guest.root, level, args.gpa)
  if (isRefusal(entry)) return entry
  if (tables.present(view.memory.load32(entry))) return SyscallError.deleteFirst

  const page = Capability.address(view, slot)
  const allow = allowed(masked(Capability.rights(view, slot), args.rights.bits))
  return (state) => {
    assertUsers(machine, page, bits)
    Mapping.set(state, slot, { asid: guest.asid, address: args.gpa }, Mapping.By.guest)
    const low = tables.pageLow(level, page, allow, args.attr)
    setEntry(state, entry, low, tables.pageHigh(level, page, allow, args.attr))
    return undefined
  }
}

/** Without the right to read, a page is mapped and yet nobody's: its user cannot touch it. */
const allowed = (rights: number): number => {
  const { read, write, execute } = right.Frame
  if ((rights & read) === 0) return 0
  return Allow.user | (rights & write ? Allow.write : 0) | (rights & execute ? Allow.execute : 0)
}

/** Frames come out of untyped memory, and the kernel's own is never in it. */
const assertUsers = ({ image }: Machine, page: number, bits: number): void => {
  if (overlaps(image, { start: page, end: page + 2 ** bits }))
    throw new Halt(`a frame at ${page} is the kernel's own memory`)
}

/** The frame of the capability in `slot` is no longer where this capability mapped it. */
export const unmap = (state: State, machine: Machine, slot: number): undefined => {
  const lo = Mapping.dataLow(state.memory, slot)
  const hi = Mapping.dataHigh(state.memory, slot)
  const by = Mapping.by(hi)
  if (by === Mapping.By.nothing) return undefined
  Mapping.clear(state, slot)
  if (by === Mapping.By.virtualProcessor) return takeFrom(state, machine, lo, hi)
  const asid = Mapping.asid(lo)
  const root = Asid.find(state, machine, by, asid)
  if (root === 0) return undefined
  removePage(state, machine, by, { root, asid }, Mapping.address(lo, hi), {
    bits: Mapping.frameBits(hi),
    page: Capability.address(state, slot)
  })
  return undefined
}

/** The page is no virtual processor's any more. */
const takeFrom = (state: State, machine: Machine, lo: number, hi: number): undefined => {
  const { name, index } = Mapping.user(lo, hi)
  const vcpu = Vcpu.ofName(state, machine, name)
  if (vcpu !== 0) Vcpu.takePage(state, machine, vcpu, index)
  return undefined
}

/** If this page is mapped here, it is no longer. Something else may be: another capability may have mapped over it. */
const removePage = (
  state: State,
  machine: Machine,
  by: number,
  live: Live,
  address: number,
  { bits, page }: { readonly bits: number; readonly page: number }
): void => {
  const { memory } = state
  const paging = tablesOf(machine, by)
  const level = levelOf(paging, bits)
  const entry = entryAt(state, paging, live.root, level, address)
  if (isRefusal(entry)) return
  const low = memory.load32(entry)
  if (!paging.present(low) || !paging.mapsPage(level, low)) return
  if (paging.address(level, low, memory.load32(entry + 4)) !== page) return
  setEntry(state, entry, 0, 0)
  invalidatePage(machine, by, live, address)
}
