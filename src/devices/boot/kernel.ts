/** Kernel: which loader a file is for, and everything that it finds when it begins. */
import type { AcpiOptions } from "../acpiTables.ts"
import { BootError } from "./BootError.ts"
import { isElf } from "./elf.ts"
import { leaveTables, leaveVectors } from "./firmware.ts"
import { isLinux, loadLinux } from "./linux.ts"
import * as multiboot from "./multiboot.ts"
import * as multiboot2 from "./multiboot2.ts"
import type { Payload, Started } from "./Payload.ts"
import { loadElf } from "./pvh.ts"
import type { Ram } from "./Ram.ts"

/** What takes modules with command lines, rather than one initial RAM disk. */
export const takesModules = ({ bytes }: Payload["kernel"]): boolean => !isLinux(bytes)

/** A kernel and its files in memory, and firmware's traces around them. @returns where to begin, or what is wrong with the files. */
export const loadKernel = (memory: Ram, payload: Payload, board: AcpiOptions): Started | BootError => {
  const { name, bytes } = payload.kernel
  leaveVectors(memory, board.serialPorts ?? 1)
  if (isLinux(bytes)) return loadLinux(memory, payload, board)
  const rsdp = leaveTables(memory, board)
  const at = multiboot.headerAt(bytes)
  if (at !== undefined) return multiboot.loadMultiboot(memory, payload, at)
  const at2 = multiboot2.headerAt(bytes)
  if (at2 !== undefined) return multiboot2.loadMultiboot2(memory, payload, at2, rsdp)
  return isElf(bytes) ? loadElf(memory, payload, rsdp) : BootError.Unknown({ name })
}
