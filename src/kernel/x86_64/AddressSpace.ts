/**
 * AddressSpace: a PML4, the root of the tables by which the addresses of programs are translated.
 *
 * Its upper half is the kernel's, the same in every one. Before it has an ASID nothing can be mapped in it and no
 * thread can run in it.
 */
import { Charge } from "../../hal/Charge.ts"
import * as Methods from "../../types/methods/AddressSpace.ts"
import * as SyscallError from "../../types/SyscallError.ts"
import { type Invocation, read } from "../Invocation.ts"
import { type Decoded, isRefusal, type View } from "../State.ts"
import * as Asid from "./Asid.ts"
import type { Machine } from "./Machine.ts"
import { entryIn, missing, setEntry } from "./Translation.ts"

export const decode = (view: View, machine: Machine, invocation: Invocation): Decoded =>
  invocation.label === Methods.Unmap.label ? decodeUnmap(view, machine, invocation) : SyscallError.illegalOperation

/**
 * What is mapped at an address is unmapped, whichever capability mapped it; that one can map again, or unmap nothing.
 */
const decodeUnmap = (view: View, machine: Machine, invocation: Invocation): Decoded => {
  const { paging, processor } = machine
  const args = read(view, invocation, Methods.Unmap)
  if (isRefusal(args)) return args
  const space = Asid.live(view, machine, invocation.slot, 0)
  if (isRefusal(space)) return space
  if (args.vaddr >= paging.userEnd) return SyscallError.invalidArgument(0)
  const found = pageEntry(view, machine, space.root, args.vaddr)
  if (isRefusal(found)) return found
  if (args.vaddr % 2 ** paging.levels[found.level]!.shift !== 0) return SyscallError.alignmentError
  return (state) => {
    setEntry(state, found.entry, 0, 0)
    processor.invalidatePage(space.asid, args.vaddr | 0, Math.floor(args.vaddr / 2 ** 32))
    return undefined
  }
}

/** The entry that maps the page at an address. */
const pageEntry = (
  view: View,
  { paging }: Machine,
  root: number,
  address: number
): { readonly entry: number; readonly level: number } | SyscallError.SyscallError => {
  let table = root
  for (let level = 0; level < paging.levels.length; level++) {
    view.charge(Charge.lookup)
    const entry = entryIn(paging, table, level, address)
    const low = view.memory.load32(entry)
    if (!paging.present(low)) return missing(paging, level)
    if (paging.mapsPage(level, low)) return { entry, level }
    table = paging.address(level, low, view.memory.load32(entry + 4))
  }
  throw new Error("an entry of the last level maps a page")
}
