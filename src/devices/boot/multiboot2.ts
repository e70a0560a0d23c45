/**
 * Multiboot 2: a kernel with a Multiboot 2 header, started as the Multiboot2 Specification, version 2.0, says.
 *
 * In "I386 machine state": protected mode, EAX = 36D76289H, EBX = the boot information.
 */
import { BootError } from "./BootError.ts"
import { memoryMap, rsdpBytes } from "./firmware.ts"
import { parseElf, place, placeBlock } from "./image.ts"
import { loaderName, memoryKiB, partOf } from "./multiboot.ts"
import { modulesOf, type Payload, type Placed, type Started } from "./Payload.ts"
import { put32, type Ram, text } from "./Ram.ts"

const magic = 0xe852_50d6
const handed = 0x36d7_6289
const searched = 32768
const headerBytes = 16
const architecture = { i386: 0 } as const

/** "Header tags". */
// biome-ignore format: a table
const tag = {
  end: 0, informationRequest: 1, address: 2, entryAddress: 3, consoleFlags: 4, framebuffer: 5, moduleAlignment: 6,
  efiBootServices: 7, efiI386Entry: 8, efiAmd64Entry: 9, relocatable: 10
} as const
/** A tag that the loader may pass over. */
const optional = 1

/** "Boot information format". */
// biome-ignore format: a table
const told = {
  end: 0, commandLine: 1, loaderName: 2, module: 3, memory: 4, memoryMap: 6, rsdpV1: 14, rsdpV2: 15
} as const
const mapEntryBytes = 24

/** "contained completely within the first 32768 bytes", "64-bit aligned". Undefined: there is none. */
export const headerAt = (file: Uint8Array): number | undefined => {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  for (let at = 0; at + headerBytes <= Math.min(file.length, searched); at += 8) {
    if (view.getUint32(at, true) !== magic) continue
    const sum = [0, 4, 8, 12].reduce((sum, field) => sum + view.getUint32(at + field, true), 0)
    if (sum % 2 ** 32 === 0) return at
  }
  return undefined
}

/** @param rsdp where the ACPI tables begin */
export const loadMultiboot2 = (memory: Ram, payload: Payload, at: number, rsdp: number): Started | BootError => {
  const { name, bytes: file } = payload.kernel
  const asked = read(name, file, at)
  if ("_tag" in asked) return asked
  const image =
    asked.address === undefined
      ? parseElf(payload.kernel, memory)
      : partOf(memory, name, file, { ...asked.address, entry: asked.entry ?? asked.address.start })
  if ("_tag" in image) return image
  const placed = place(memory, payload.kernel, image.segments, modulesOf(payload))
  if ("_tag" in placed) return placed
  const rsdpAsIs = memory.ram(rsdp, rsdpBytes).slice()
  const block = placeBlock(memory, placed.room, () =>
    inform(memory.ramBytes, payload.commandLine, placed.modules, rsdpAsIs)
  )
  if ("_tag" in block) return block
  return { mode: "protected", entry: asked.entry ?? image.entry, eax: handed, ebx: block.start }
}

interface Asked {
  readonly entry?: number
  readonly address?: {
    readonly start: number
    readonly offset: number
    readonly loadEnd: number
    readonly bssEnd: number
  }
}

/** What the header asks for; what this loader does not know must be optional. */
const read = (name: string, file: Uint8Array, at: number): Asked | BootError => {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const word = (offset: number) => view.getUint32(offset, true)
  if (word(at + 4) !== architecture.i386)
    return BootError.Unsupported({ name, at: at + 4, what: `another architecture (${word(at + 4)}) than x86` })
  const end = at + word(at + 8)
  if (end > file.length) return BootError.Truncated({ name, at, needs: word(at + 8), what: "the Multiboot header" })
  let asked: Asked = {}
  for (let here = at + headerBytes; here + 8 <= end; ) {
    const [type, flags, size] = [view.getUint16(here, true), view.getUint16(here + 2, true), word(here + 4)]
    if (type === tag.end) break
    if (size < 8 || here + size > end)
      return BootError.Truncated({
        name,
        at: here,
        needs: Math.max(size, 8),
        what: `tag ${type} of the Multiboot header`
      })
    switch (type) {
      case tag.address: {
        if (size < 24) return BootError.Truncated({ name, at: here, needs: 24, what: "the address tag" })
        const [headerAddress, start, loadEnd, bssEnd] = [8, 12, 16, 20].map((field) => word(here + field))
        // "-1 means that the file must be loaded from its beginning."
        const offset = start === 0xffff_ffff ? 0 : at - (headerAddress! - start!)
        asked = {
          ...asked,
          address: {
            start: start === 0xffff_ffff ? headerAddress! - at : start!,
            offset,
            loadEnd: loadEnd!,
            bssEnd: bssEnd!
          }
        }
        break
      }
      case tag.entryAddress:
        if (size < 12) return BootError.Truncated({ name, at: here, needs: 12, what: "the entry address tag" })
        asked = { ...asked, entry: word(here + 8) }
        break
      case tag.informationRequest: {
        const wanted = Array.from({ length: (size - 8) / 4 }, (_, n) => word(here + 8 + 4 * n))
        const missing = wanted.find((one) => !Object.values<number>(told).includes(one))
        if (missing !== undefined && !(flags & optional))
          return BootError.Unsupported({ name, at: here, what: `information that is not there (type ${missing})` })
        break
      }
      // Modules are on pages, and an image that may be moved stays where it would like to be. Without a display, EGA text is as good as any.
      case tag.moduleAlignment:
      case tag.relocatable:
      case tag.consoleFlags:
        break
      default:
        if (!(flags & optional))
          return BootError.Unsupported({ name, at: here, what: `what this loader does not have (tag ${type})` })
    }
    here += Math.ceil(size / 8) * 8
  }
  return asked
}

/** "Boot information": a list of tags, each at a multiple of 8. */
const inform = (ramBytes: number, commandLine: string, modules: readonly Placed[], rsdp: Uint8Array): Uint8Array => {
  const { lower, upper } = memoryKiB(ramBytes)
  const map = memoryMap(ramBytes).flatMap(({ start, end, type }) => [start, 0, end - start, 0, type, 0])
  const tags: readonly (readonly [type: number, ...contents: (number | Uint8Array)[]])[] = [
    [told.commandLine, text(commandLine)],
    [told.loaderName, text(loaderName)],
    ...modules.map(({ at, commandLine }) => [told.module, at.start, at.end, text(commandLine)] as const),
    [told.memory, lower, upper],
    [told.memoryMap, mapEntryBytes, 0, ...map],
    // The first 20 bytes are the RSDP of ACPI 1.0, with a checksum of their own.
    [told.rsdpV1, rsdp.subarray(0, 20)],
    [told.rsdpV2, rsdp],
    [told.end]
  ]
  const bytes: number[] = []
  const add = (...values: (number | Uint8Array)[]) => {
    for (const value of values) bytes.push(...(typeof value === "number" ? word(value) : value))
  }
  add(0, 0)
  for (const [type, ...contents] of tags) {
    const length = contents.reduce((sum: number, each) => sum + (typeof each === "number" ? 4 : each.length), 8)
    add(type, length, ...contents)
    while (bytes.length % 8 !== 0) bytes.push(0)
  }
  const all = Uint8Array.from(bytes)
  put32(all, 0, all.length)
  return all
}

const word = (value: number): Uint8Array => {
  const bytes = new Uint8Array(4)
  put32(bytes, 0, value)
  return bytes
}
