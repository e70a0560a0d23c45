import { Context } from "effect"

/** A part of physical memory: [start, end), in bytes. */
export interface Region {
  readonly start: number
  readonly end: number
}

/** What the machine's loader tells the kernel it starts. */
export interface BootService {
  /** Memory, lowest first. What is in no region is not memory. */
  readonly memory: readonly Region[]
  /** Parts of `memory` that hold something already: the kernel's image and the modules. */
  readonly image: Region
  /** What the loader itself needs, its page tables, until the kernel has its own. */
  readonly loader: Region
  /** Files that the loader put into memory, page-aligned. */
  readonly modules: readonly { readonly name: string; readonly at: Region }[]
  readonly commandLine: string
  /** The architecture's tables that describe the machine (ACPI's RSDP), if there are any. */
  readonly descriptionTables: Uint8Array | undefined
  /** The page whose gate a program may enter: DESIGN "Programs". */
  readonly gateRom: number
}

export class Boot extends Context.Service<Boot, BootService>()("skyscope/hal/Boot") {}
