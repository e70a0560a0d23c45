/** BootError: why a kernel and its files cannot be started. `at` is the offset in the file of what is wrong. */
import { Data } from "effect"
import type { Region } from "./Ram.ts"

export type BootError = Data.TaggedEnum<{
  // ---- of any file
  Unknown: { readonly name: string }
  Truncated: { readonly name: string; readonly at: number; readonly needs: number; readonly what: string }
  NoRoom: { readonly name: string; readonly needs: number; readonly memory: Region }
  LongCommandLine: { readonly length: number; readonly most: number }
  // ---- of an ELF file
  NotElf: { readonly name: string }
  WrongKind: {
    readonly name: string
    readonly at: number
    readonly what: string
    readonly found: number
    readonly wanted: number
  }
  OutsideMemory: { readonly name: string; readonly at: number; readonly region: Region; readonly memory: Region }
  Overlapping: { readonly name: string; readonly at: number; readonly region: Region; readonly other: Region }
  Empty: { readonly name: string }
  // ---- of a Linux kernel
  TooOld: { readonly name: string; readonly version: number }
  Not64Bit: { readonly name: string }
  // ---- of what has a Multiboot header
  Unsupported: { readonly name: string; readonly at: number; readonly what: string }
}>
export const BootError = Data.taggedEnum<BootError>()

/** What can be wrong with an ELF file. */
export type ElfError = Extract<
  BootError,
  { readonly _tag: "NotElf" | "Truncated" | "WrongKind" | "OutsideMemory" | "Overlapping" | "Empty" }
>

const hex = (n: number): string => `${n.toString(16).toUpperCase()}H`
const span = ({ start, end }: Region): string => `${hex(start)} to ${hex(end)}`

/** The error as a sentence for whoever gave the file. */
export const describe: (error: BootError) => string = BootError.$match({
  Unknown: ({ name }) =>
    `${name} is no kernel that can be started here: it is neither a Linux kernel (bzImage) nor an ELF file, and has no Multiboot header`,
  Truncated: ({ name, at, needs, what }) => `${name} is cut off: ${what} at offset ${hex(at)} needs ${needs} bytes`,
  NoRoom: ({ name, needs, memory }) => `${name} needs ${needs} bytes; the memory for it is ${span(memory)}`,
  LongCommandLine: ({ length, most }) => `the command line has ${length} characters; the kernel takes ${most}`,
  NotElf: ({ name }) => `${name} is no ELF file: it does not begin with 7F 45 4C 46`,
  WrongKind: ({ name, at, what, found, wanted }) =>
    `${name}: ${what} at offset ${hex(at)} is ${hex(found)}, not ${hex(wanted)}`,
  OutsideMemory: ({ name, at, region, memory }) =>
    `${name}: the segment at offset ${hex(at)} goes to ${span(region)}; memory for it is ${span(memory)}`,
  Overlapping: ({ name, at, region, other }) =>
    `${name}: the segment at offset ${hex(at)} goes to ${span(region)}, where ${span(other)} is already`,
  Empty: ({ name }) => `${name} has nothing to load: it has no PT_LOAD segment with memory`,
  TooOld: ({ name, version }) =>
    `${name} speaks boot protocol ${version >>> 8}.${version & 0xff}; 64-bit kernels speak 2.12 or later`,
  Not64Bit: ({ name }) => `${name} has no 64-bit entry: it is a kernel for another architecture`,
  Unsupported: ({ name, at, what }) => `${name} asks in its Multiboot header, at offset ${hex(at)}, for ${what}`
})
