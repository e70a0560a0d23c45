/**
 * Multiboot: a kernel with a Multiboot header, started as the Multiboot Specification, version 0.6.96, says.
 *
 * In "Machine state": protected mode, EAX = 2BADB002H, EBX = the information structure. What is not said there is as boards of QEMU
 * have it: the command line begins with the kernel's name.
 */
import { BootError } from "./BootError.ts"
import type { Segment } from "./elf.ts"
import { memoryMap } from "./firmware.ts"
import { parseElf, place, placeBlock } from "./image.ts"
import { modulesOf, type Payload, type Placed, type Started } from "./Payload.ts"
import { put32, type Ram, text } from "./Ram.ts"

const magic = 0x1bad_b002
const handed = 0x2bad_b002
const searched = 8192

/** "The layout of the Multiboot header". */
// biome-ignore format: a table
const header = { flags: 4, checksum: 8, header_addr: 12, load_addr: 16, load_end_addr: 20, bss_end_addr: 24, entry_addr: 28 } as const
const [headerBytes, withAddresses] = [12, 32]

/** Bits of its flags. What a kernel must have and nobody knows is among the low 16. */
const flag = { pageAligned: 1, memory: 2, video: 4, known: 7, required: 0xffff, addresses: 0x1_0000 } as const

/** "Boot information format". */
// biome-ignore format: a table
const information = {
  flags: 0, mem_lower: 4, mem_upper: 8, cmdline: 16, mods_count: 20, mods_addr: 24, mmap_length: 44, mmap_addr: 48, boot_loader_name: 64
} as const
const informationBytes = 116
const told = { memory: 1, commandLine: 4, modules: 8, memoryMap: 0x40, loaderName: 0x200 } as const
const mapEntryBytes = 24

/** Where the header is: "contained completely within the first 8192 bytes", "32-bit aligned". Undefined: there is none. */
export const headerAt = (file: Uint8Array): number | undefined => {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  for (let at = 0; at + headerBytes <= Math.min(file.length, searched); at += 4) {
    if (view.getUint32(at, true) !== magic) continue
    const sum = magic + view.getUint32(at + header.flags, true) + view.getUint32(at + header.checksum, true)
    if (sum % 2 ** 32 === 0) return at
  }
  return undefined
}

export const loadMultiboot = (memory: Ram, payload: Payload, at: number): Started | BootError => {
  const { name, bytes: file } = payload.kernel
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const flags = view.getUint32(at + header.flags, true)
  const unknown = flags & flag.required & ~flag.known
  if (unknown !== 0)
    return BootError.Unsupported({ name, at: at + header.flags, what: `what no loader knows (flags ${hex(unknown)})` })

  const image = flags & flag.addresses ? byAddresses(memory, payload, at) : parseElf(payload.kernel, memory)
  if ("_tag" in image) return image
  const placed = place(memory, payload.kernel, image.segments, modulesOf(payload))
  if ("_tag" in placed) return placed
  const commandLine = payload.commandLine === "" ? name : `${name} ${payload.commandLine}`
  const block = placeBlock(memory, placed.room, (base) => inform(base, memory.ramBytes, commandLine, placed.modules))
  if ("_tag" in block) return block
  return { mode: "protected", entry: image.entry, eax: handed, ebx: block.start }
}

const hex = (n: number): string => `${n.toString(16).toUpperCase()}H`

/** "The address fields of Multiboot header": the file from some place on is one part. */
const byAddresses = (
  memory: Ram,
  { kernel: { name, bytes: file } }: Payload,
  at: number
): { readonly entry: number; readonly segments: readonly Segment[] } | BootError => {
  if (at + withAddresses > file.length)
    return BootError.Truncated({ name, at, needs: withAddresses, what: "the Multiboot header" })
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const field = (name: keyof typeof header) => view.getUint32(at + header[name], true)
  const [start, loadEnd, bssEnd] = [field("load_addr"), field("load_end_addr"), field("bss_end_addr")]
  return partOf(memory, name, file, {
    start,
    offset: at - (field("header_addr") - start),
    // "If the value is zero, the boot loader assumes that the text and data segments occupy the whole file": and that there is no bss.
    loadEnd,
    bssEnd,
    entry: field("entry_addr")
  })
}

export interface Addresses {
  readonly start: number
  readonly offset: number
  readonly loadEnd: number
  readonly bssEnd: number
  readonly entry: number
}

/** Of both versions: a part of the file that goes to an address. */
export const partOf = (
  memory: Ram,
  name: string,
  file: Uint8Array,
  { start, offset, loadEnd, bssEnd, entry }: Addresses
): { readonly entry: number; readonly segments: readonly Segment[] } | BootError => {
  const length = loadEnd === 0 ? file.length - offset : loadEnd - start
  if (offset < 0 || length < 0 || offset + length > file.length)
    return BootError.Truncated({ name, at: Math.max(offset, 0), needs: Math.max(length, 0), what: "the kernel" })
  const physical = { start, end: Math.max(start + length, bssEnd) }
  const room = { start: 0, end: memory.ramBytes }
  if (physical.end > room.end) return BootError.OutsideMemory({ name, at: offset, region: physical, memory: room })
  if (entry < physical.start || entry >= physical.end)
    return BootError.OutsideMemory({ name, at: offset, region: { start: entry, end: entry + 1 }, memory: physical })
  return { entry, segments: [{ physical, bytes: file.subarray(offset, offset + length) }] }
}

/** KiB below 640 KiB, and from 1 MiB on. */
export const memoryKiB = (ramBytes: number): { readonly lower: number; readonly upper: number } => ({
  lower: memoryMap(ramBytes)[0]!.end / 1024,
  upper: (ramBytes - 2 ** 20) / 1024
})

export const loaderName = "Skyscope"

/** The information structure with all that it points to, for a place. */
const inform = (base: number, ramBytes: number, commandLine: string, modules: readonly Placed[]): Uint8Array => {
  const map = memoryMap(ramBytes)
  const bytes: number[] = []
  const add = (part: Uint8Array): number => {
    const at = base + bytes.length
    bytes.push(...part)
    while (bytes.length % 4 !== 0) bytes.push(0)
    return at
  }
  const head = new Uint8Array(informationBytes)
  const put = (field: keyof typeof information, value: number) => put32(head, information[field], value)
  add(head)
  const { lower, upper } = memoryKiB(ramBytes)
  put("mem_lower", lower)
  put("mem_upper", upper)
  put("cmdline", add(text(commandLine)))
  put("boot_loader_name", add(text(loaderName)))
  put("mods_count", modules.length)
  const strings = modules.map(({ commandLine }) => add(text(commandLine)))
  put("mods_addr", add(words(modules.flatMap(({ at }, n) => [at.start, at.end, strings[n]!, 0]))))
  put("mmap_length", map.length * mapEntryBytes)
  put(
    "mmap_addr",
    add(words(map.flatMap(({ start, end, type }) => [mapEntryBytes - 4, start, 0, end - start, 0, type])))
  )
  put("flags", told.memory | told.commandLine | told.modules | told.memoryMap | told.loaderName)
  return Uint8Array.from([...head, ...bytes.slice(informationBytes)])
}

/** 32 bits each. */
const words = (values: readonly number[]): Uint8Array => {
  const bytes = new Uint8Array(values.length * 4)
  for (const [n, value] of values.entries()) put32(bytes, n * 4, value)
  return bytes
}
