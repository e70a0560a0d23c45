/**
 * PVH: an ELF kernel that says in a note where it is entered in protected mode, as Xen's "x86/HVM direct boot ABI" has it.
 *
 * EBX is the address of struct hvm_start_info, version 1. An ELF file without the note is told of the machine in the same way: in EBX,
 * or in RBX, when its class makes it enter 64-bit mode.
 */
import type { BootError } from "./BootError.ts"
import { type Elf, noteOf } from "./elf.ts"
import { memoryMap } from "./firmware.ts"
import { mapPages, writeMap } from "./identityMap.ts"
import { parseElf, place, placeBlock } from "./image.ts"
import { modulesOf, type Payload, type Placed, type Started } from "./Payload.ts"
import { put32, type Ram, text } from "./Ram.ts"
import { pageBytes } from "./Room.ts"

/** XEN_ELFNOTE_PHYS32_ENTRY. */
const [owner, PHYS32_ENTRY] = ["Xen", 18]

/** struct hvm_start_info. */
const [magic, version] = [0x336e_c578, 1]
const startInfoBytes = 56

/** @param rsdp where the ACPI tables begin */
export const loadElf = (memory: Ram, payload: Payload, rsdp: number): Started | BootError => {
  const elf = parseElf(payload.kernel, memory)
  if ("_tag" in elf) return elf
  const placed = place(memory, payload.kernel, elf.segments, modulesOf(payload))
  if ("_tag" in placed) return placed
  const block = placeBlock(memory, placed.room, (base) => inform(base, memory.ramBytes, payload, placed.modules, rsdp))
  if ("_tag" in block) return block

  const entry = phys32Entry(elf)
  if (entry !== undefined || elf.bits === 32)
    return { mode: "protected", entry: entry ?? elf.entry, eax: 0, ebx: block.start }
  const tables = placeBlock(memory, placed.room, () => new Uint8Array(mapPages * pageBytes))
  if ("_tag" in tables) return tables
  writeMap(memory, tables.start)
  return { mode: "64-bit", entry: elf.entry, pml4: tables.start, rsi: 0, rbx: block.start }
}

/** Where the note says; it has 4 or 8 bytes. */
export const phys32Entry = (elf: Elf): number | undefined => {
  const said = noteOf(elf, owner, PHYS32_ENTRY)
  return said === undefined || said.length < 4
    ? undefined
    : new DataView(said.buffer, said.byteOffset, said.byteLength).getUint32(0, true)
}

const inform = (
  base: number,
  ramBytes: number,
  { commandLine }: Payload,
  modules: readonly Placed[],
  rsdp: number
): Uint8Array => {
  const map = memoryMap(ramBytes)
  const bytes: number[] = Array.from({ length: startInfoBytes }, () => 0)
  const add = (part: ArrayLike<number>): number => {
    const at = base + bytes.length
    bytes.push(...Array.from(part))
    while (bytes.length % 8 !== 0) bytes.push(0)
    return at
  }
  const strings = modules.map(({ commandLine }) => add(text(commandLine)))
  const list = add(wide(modules.flatMap(({ at }, n) => [at.start, at.end - at.start, strings[n]!, 0])))
  const entries = add(wide(map.flatMap(({ start, end, type }) => [start, end - start, type])))
  const line = add(text(commandLine))
  const head = new Uint8Array(startInfoBytes)
  put32(head, 0, magic)
  put32(head, 4, version)
  put32(head, 12, modules.length)
  head.set(wide([modules.length === 0 ? 0 : list, line, rsdp, entries]), 16)
  put32(head, 48, map.length)
  const all = Uint8Array.from(bytes)
  all.set(head)
  return all
}

/** 64 bits each. */
const wide = (values: readonly number[]): Uint8Array => {
  const bytes = new Uint8Array(values.length * 8)
  for (const [n, value] of values.entries()) put32(bytes, n * 8, value)
  return bytes
}
