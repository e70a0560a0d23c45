/** The frames by which the root task is told what it has: `types/BootInfo` says how they lie. */
import type { BootService, Region } from "../../hal/Boot.ts"
import type { MemoryService } from "../../hal/Memory.ts"
import { BootInfo, ChunkHeader, chunkIds, rootCNodeBits, UntypedEntry, untypedEntry } from "../../types/BootInfo.ts"
import { layout, overBytes, u32, u64 } from "../../types/Layout.ts"
import { pageBytes } from "./BootMemory.ts"
import type { Block } from "./Regions.ts"

/** A range of slots: [start, end). */
export type Slots = Region

export interface UntypedMemory extends Block {
  readonly isDevice: boolean
}

export interface Contents {
  /** The address of the IPC buffer as the root task sees it. */
  readonly ipcBuffer: number
  readonly extraLength: number
  readonly empty: Slots
  readonly userImageFrames: Slots
  readonly userImagePaging: Slots
  readonly extraBIPages: Slots
  readonly schedControl: Slots
  readonly untyped: Slots
  /** What those untyped slots hold, in their order. */
  readonly untypedList: readonly UntypedMemory[]
}

export const write = (memory: MemoryService, frame: number, contents: Contents): void => {
  const set = (field: keyof typeof BootInfo, value: number) => BootInfo[field].store(memory, frame, value)
  set("extraLength", contents.extraLength)
  set("numNodes", 1)
  set("ipcBuffer", contents.ipcBuffer)
  set("initThreadCNodeSizeBits", rootCNodeBits)
  for (const name of [
    "empty",
    "userImageFrames",
    "userImagePaging",
    "extraBIPages",
    "schedControl",
    "untyped"
  ] as const) {
    set(`${name}Start`, contents[name].start)
    set(`${name}End`, contents[name].end)
  }
  contents.untypedList.forEach(({ start, sizeBits, isDevice }, index) => {
    const entry = frame + untypedEntry(index)
    UntypedEntry.address.store(memory, entry, start)
    UntypedEntry.sizeBits.store(memory, entry, sizeBits)
    UntypedEntry.isDevice.store(memory, entry, isDevice ? 1 : 0)
  })
}

/** The time stamp counter counts instructions, and an instruction takes a nanosecond. */
const tscMegahertz = 1000

/** The chunks after the first frame: whole frames, the rest of the last one a chunk of padding. */
export const extra = ({ descriptionTables, memory }: BootService): Uint8Array => {
  const frequency = new Uint8Array(4)
  overBytes(frequency).store32(0, tscMegahertz)
  const chunks = [chunk(chunkIds.tscFrequency, frequency), chunk(chunkIds.multibootMemoryMap, memoryMap(memory))]
  if (descriptionTables !== undefined) chunks.push(chunk(chunkIds.acpiRsdp, descriptionTables))
  const used = chunks.reduce((sum, { length }) => sum + length, 0)
  const whole = Math.ceil((used + headerBytes) / pageBytes) * pageBytes
  chunks.push(chunk(chunkIds.padding, new Uint8Array(whole - used - headerBytes)))
  const bytes = new Uint8Array(whole)
  let at = 0
  for (const part of chunks) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

const headerBytes = 16

/** An entry of a memory map. Multiboot Specification, "Boot information format": `size` does not count itself. */
const mapEntryBytes = 24
const MapEntry = layout(mapEntryBytes, { size: u32(0), base: u64(4), length: u64(12), type: u32(20) })
const available = 1

/** The bytes of the entries, then the entries: one for each region of memory. */
const memoryMap = (regions: readonly Region[]): Uint8Array => {
  const bytes = new Uint8Array(4 + regions.length * mapEntryBytes)
  const memory = overBytes(bytes)
  memory.store32(0, regions.length * mapEntryBytes)
  for (const [index, { start, end }] of regions.entries()) {
    const entry = 4 + index * mapEntryBytes
    MapEntry.size.store(memory, entry, mapEntryBytes - 4)
    MapEntry.base.store(memory, entry, start)
    MapEntry.length.store(memory, entry, end - start)
    MapEntry.type.store(memory, entry, available)
  }
  return bytes
}

const chunk = (id: number, contents: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(headerBytes + Math.ceil(contents.length / 4) * 4)
  const memory = overBytes(bytes)
  ChunkHeader.id.store(memory, 0, id)
  ChunkHeader.length.store(memory, 0, bytes.length)
  bytes.set(contents, headerBytes)
  return bytes
}
