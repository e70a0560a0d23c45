/**
 * BootInfo: what the first task has, by kind and right.
 *
 * The kernel says it in a frame, as `types/BootInfo` lays out; the slots named there are capabilities with every right.
 */
import { Context, Effect } from "effect"
import * as Layout from "../types/BootInfo.ts"
import { type Cap, capUnsafe } from "../types/Capability.ts"
import type { Kind, RightOf } from "../types/Kind.ts"
import { overBytes } from "../types/Layout.ts"
import { Syscalls } from "./Syscalls.ts"

/** A capability with every right that there is to its kind. */
export type Full<K extends Kind> = Cap<K, RightOf<K>>

/** Untyped memory, and what it is. */
export interface UntypedMemory {
  readonly cap: Full<"Untyped">
  readonly address: number
  readonly bits: number
  readonly isDevice: boolean
}

export interface BootInfoService {
  readonly tcb: Full<"TCB">
  readonly cnode: Full<"CNode">
  readonly addressSpace: Full<"AddressSpace">
  readonly irqControl: Full<"IRQControl">
  readonly asidControl: Full<"ASIDControl">
  readonly asidPool: Full<"ASIDPool">
  readonly ioPortControl: Full<"IOPortControl">
  readonly domain: Full<"Domain">
  readonly schedContext: Full<"SchedContext">
  /** The time of each core. */
  readonly schedControl: ReadonlyArray<Full<"SchedControl">>
  readonly bootInfoFrame: Full<"Frame">
  readonly ipcBufferFrame: Full<"Frame">
  /** The frames of the program itself, in the order of their addresses. */
  readonly imageFrames: ReadonlyArray<Full<"Frame">>
  readonly untyped: ReadonlyArray<UntypedMemory>
  /** Slots of the CNode that are empty: [start, end). */
  readonly empty: { readonly start: number; readonly end: number }
  /** The address of the IPC buffer. */
  readonly ipcBuffer: bigint
  /** The frequency of the time stamp counter in MHz; undefined if it was not said. */
  readonly tscMegahertz: number | undefined
}

export class BootInfo extends Context.Service<BootInfo, BootInfoService>()("skyscope/user/BootInfo") {}

/** Read the boot information at `address`, which is where the first task's argument says. */
export const read = (address: bigint): Effect.Effect<BootInfoService, never, Syscalls> =>
  Effect.gen(function* () {
    const syscalls = yield* Syscalls
    const frame = yield* syscalls.read(address, Layout.size)
    const extraLength = Layout.BootInfo.extraLength.load(overBytes(frame), 0)
    const extra =
      extraLength === 0 ? undefined : yield* syscalls.read(address + 2n ** BigInt(Layout.sizeBits), extraLength)
    return decode(frame, extra)
  })

const decode = (frame: Uint8Array, extra: Uint8Array | undefined): BootInfoService => {
  const memory = overBytes(frame)
  const field = (name: keyof typeof Layout.BootInfo) => Layout.BootInfo[name].load(memory, 0)
  const { slots } = Layout
  const all = <K extends Kind>(kind: K, start: number, end: number): ReadonlyArray<Full<K>> =>
    Array.from({ length: end - start }, (_, index) => full(kind, start + index))
  return {
    tcb: full("TCB", slots.tcb),
    cnode: full("CNode", slots.cnode),
    addressSpace: full("AddressSpace", slots.addressSpace),
    irqControl: full("IRQControl", slots.irqControl),
    asidControl: full("ASIDControl", slots.asidControl),
    asidPool: full("ASIDPool", slots.asidPool),
    ioPortControl: full("IOPortControl", slots.ioPortControl),
    domain: full("Domain", slots.domain),
    schedContext: full("SchedContext", slots.schedContext),
    schedControl: all("SchedControl", field("schedControlStart"), field("schedControlEnd")),
    bootInfoFrame: full("Frame", slots.bootInfoFrame),
    ipcBufferFrame: full("Frame", slots.ipcBuffer),
    imageFrames: all("Frame", field("userImageFramesStart"), field("userImageFramesEnd")),
    untyped: all("Untyped", field("untypedStart"), field("untypedEnd")).map((cap, index) => {
      const entry = Layout.untypedEntry(index)
      return {
        cap,
        address: Layout.UntypedEntry.address.load(memory, entry),
        bits: Layout.UntypedEntry.sizeBits.load(memory, entry),
        isDevice: Layout.UntypedEntry.isDevice.load(memory, entry) !== 0
      }
    }),
    empty: { start: field("emptyStart"), end: field("emptyEnd") },
    ipcBuffer: BigInt(field("ipcBuffer")),
    tscMegahertz: extra && tscMegahertz(extra)
  }
}

const full = <K extends Kind>(kind: K, slot: number): Full<K> => capUnsafe<K, RightOf<K>>(kind, BigInt(slot))

/** The chunks follow one another; each says its own length. */
const tscMegahertz = (extra: Uint8Array): number | undefined => {
  const memory = overBytes(extra)
  let at = 0
  while (at + headerBytes <= extra.length) {
    const length = Layout.ChunkHeader.length.load(memory, at)
    if (length < headerBytes) return undefined
    if (Layout.ChunkHeader.id.load(memory, at) === Layout.chunkIds.tscFrequency) return memory.load32(at + headerBytes)
    at += length
  }
  return undefined
}

const headerBytes = 16
