/**
 * Loader: puts a kernel and its modules into RAM and the processor at the kernel's entry, as firmware and a boot
 * loader would.
 *
 * The kernel starts in 64-bit mode, interrupts off, with flat segments, and with page tables of the loader's that
 * show the low 4 GiB of physical memory at address 0 and again at PML4 slot 256. It has no stack, no GDT and no IDT.
 */

import type { ElfError } from "../../devices/boot/BootError.ts"
import { parse } from "../../devices/boot/elf.ts"
import { leaveTables, rsdpBytes } from "../../devices/boot/firmware.ts"
import { mapPages, writeMap } from "../../devices/boot/identityMap.ts"
import { windowHigh } from "../../types/x86_64/KernelSpace.ts"
import type { BootService, Region } from "../Boot.ts"

import { gateRom } from "./gate.ts"
import { pageSize } from "./memory/layout.ts"
import type { PhysicalMemory } from "./memory/PhysicalMemory.ts"

export interface Module {
  readonly name: string
  readonly bytes: Uint8Array
}

export interface Payload {
  readonly kernel: Module
  readonly modules: readonly Module[]
  readonly commandLine: string
  /** The PCI functions, by number, that may be bus masters: none, if nothing is said. */
  readonly trusted?: readonly number[]
}

export interface Loaded {
  readonly entry: number
  readonly pml4: number
  readonly boot: BootService
}

/** What a PC keeps for itself below 1 MiB is left alone. */
const lowest = 0x10_0000

const processors = 1

const window = (windowHigh >>> 7) & 0x1ff

export const load = (memory: PhysicalMemory, { kernel, modules, commandLine }: Payload): Loaded | ElfError => {
  const ram: Region = { start: lowest, end: memory.ramBytes }
  const elf = parse(kernel.name, kernel.bytes, ram)
  if ("_tag" in elf) return elf
  for (const { physical, bytes } of elf.segments) memory.ram(physical.start, bytes.length).set(bytes)
  const image: Region = {
    start: toPage(Math.min(...elf.segments.map(({ physical }) => physical.start)), Math.floor),
    end: toPage(Math.max(...elf.segments.map(({ physical }) => physical.end)))
  }

  // From the top of memory down: the modules, then the loader's tables, so that what is free stays in one piece.
  let top = toPage(memory.ramBytes, Math.floor)
  const take = (name: string, bytes: number): Region | ElfError => {
    const region = { start: top - toPage(bytes), end: top }
    const free = { start: image.end, end: top }
    if (region.start < free.start) return { _tag: "OutsideMemory", name, at: 0, region, memory: free }
    top = region.start
    return region
  }
  const placed: { readonly name: string; readonly at: Region }[] = []
  for (const { name, bytes } of modules) {
    const region = take(name, bytes.length)
    if ("_tag" in region) return region
    memory.ram(region.start, bytes.length).set(bytes)
    placed.push({ name, at: { start: region.start, end: region.start + bytes.length } })
  }
  const tables = take("the boot map", mapPages * pageSize)
  if ("_tag" in tables) return tables
  writeMap(memory, tables.start, [window])

  return {
    entry: elf.entry,
    pml4: tables.start,
    boot: {
      memory: [ram],
      image,
      loader: tables,
      modules: placed,
      commandLine,
      descriptionTables: memory.ram(leaveTables(memory, { processors }), rsdpBytes).slice(),
      gateRom
    }
  }
}

const toPage = (bytes: number, round: (n: number) => number = Math.ceil): number => round(bytes / pageSize) * pageSize
