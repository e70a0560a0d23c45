/** Image: the parts of a kernel that is no Linux kernel, and its modules, put in place. */
import { BootError } from "./BootError.ts"
import { type Elf, parse, type Segment } from "./elf.ts"
import type { File, Module, Placed } from "./Payload.ts"
import type { Ram, Region } from "./Ram.ts"
import { pageBytes, Room } from "./Room.ts"

/** Below are the interrupt vectors of real mode. */
const lowest = pageBytes

export const parseElf = ({ name, bytes }: File, memory: Ram): Elf | BootError =>
  parse(name, bytes, { start: lowest, end: memory.ramBytes }, [64, 32])

export interface InPlace {
  readonly room: Room
  readonly modules: readonly Placed[]
}

/** Modules follow the image, each on a page of its own. */
export const place = (
  memory: Ram,
  { name }: File,
  segments: readonly Segment[],
  modules: readonly Module[]
): InPlace | BootError => {
  const room = new Room(memory.ramBytes)
  for (const { physical } of segments) {
    if (!room.take(physical)) {
      const free = { start: 2 ** 20, end: memory.ramBytes }
      return BootError.OutsideMemory({ name, at: 0, region: physical, memory: free })
    }
  }
  for (const { physical, bytes } of segments) {
    const target = memory.ram(physical.start, physical.end - physical.start)
    target.set(bytes)
    target.fill(0, bytes.length)
  }
  const end = Math.max(...segments.map(({ physical }) => physical.end))
  const placed: Placed[] = []
  for (const { name, bytes, commandLine } of modules) {
    const at = room.above(placed.at(-1)?.at.end ?? end, bytes.length)
    if (at === undefined) return noRoom(name, bytes.length, { start: end, end: memory.ramBytes })
    memory.ram(at.start, bytes.length).set(bytes)
    placed.push({ at, commandLine })
  }
  return { room, modules: placed }
}

/** The top of conventional memory, less a page of room for the extended BIOS data area. */
const top = 0x9_f000

/** A block that knows its own address: in conventional memory if there is room, else behind everything. */
export const placeBlock = (memory: Ram, room: Room, block: (at: number) => Uint8Array): Region | BootError => {
  const { length } = block(0)
  const at = room.below(top, length) ?? room.above(2 ** 20, length)
  if (at === undefined) return noRoom("what the kernel is told of the machine", length, { start: 0, end: top })
  memory.ram(at.start, length).set(block(at.start))
  return at
}

const noRoom = (name: string, needs: number, memory: Region): BootError => BootError.NoRoom({ name, needs, memory })
