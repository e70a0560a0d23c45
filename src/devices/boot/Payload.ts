/** Payload: what a boot loader is given, and where it leaves the processor. */
import type { Region } from "./Ram.ts"

/** A file to be loaded. */
export interface File {
  readonly name: string
  readonly bytes: Uint8Array
}

/** A file that goes along with a kernel, and what the kernel is told of it. */
export interface Module extends File {
  readonly commandLine: string
}

export interface Payload {
  readonly kernel: File
  /** The first file system of a Linux kernel. To other kernels it is the first module. */
  readonly initrd?: File
  readonly modules?: readonly Module[]
  readonly commandLine: string
}

/** Interrupts are off, segments are flat. */
export type Started =
  /** In 64-bit mode, with tables that show the low 4 GiB at their addresses. */
  | {
      readonly mode: "64-bit"
      readonly entry: number
      readonly pml4: number
      readonly rsi: number
      readonly rbx?: number
    }
  /** In protected mode without paging. */
  | { readonly mode: "protected"; readonly entry: number; readonly eax: number; readonly ebx: number }

/** All files that go along, in order. */
export const modulesOf = ({ initrd, modules = [] }: Payload): readonly Module[] =>
  initrd === undefined ? modules : [{ ...initrd, commandLine: initrd.name }, ...modules]

/** A module in memory. */
export interface Placed {
  readonly at: Region
  readonly commandLine: string
}
