/** The kernel that was asked for, and the files that go along with it. */
import { existsSync } from "node:fs"
import { takesModules } from "../devices/boot/kernel.ts"
import type { File, Module, Payload } from "../devices/boot/Payload.ts"
import type { Given } from "./Command.ts"
import { type BadFile, badFile, contentsOf } from "./files.ts"

const fileOf = (name: string): File | BadFile => {
  const bytes = contentsOf(name)
  return "_tag" in bytes ? bytes : { name, bytes }
}

/** A module is a file and what it is told, which is all that was typed. */
const moduleOf = (typed: string): Module | BadFile => {
  const file = fileOf(typed.split(" ")[0]!)
  return "_tag" in file ? file : { ...file, commandLine: typed }
}

export const payloadOf = (kernelName: string, { options, lists }: Given): Payload | BadFile => {
  const kernel = fileOf(kernelName)
  if ("_tag" in kernel) return kernel
  const commandLine = typeof options.append === "string" ? options.append : ""
  const typed = typeof options.initrd === "string" ? options.initrd : undefined
  const named = lists.module ?? []
  if (!takesModules(kernel)) {
    if (named.length > 0) return badFile(kernelName, "it is a Linux kernel, which takes an --initrd and no --module")
    const initrd = typed === undefined ? undefined : fileOf(typed)
    if (initrd !== undefined && "_tag" in initrd) return initrd
    return { kernel, commandLine, ...(initrd !== undefined && { initrd }) }
  }
  // As on boards of QEMU, a kernel of another kind has a list of modules as its initial RAM disk.
  const first = typed === undefined ? [] : existsSync(typed) ? [typed] : typed.split(",")
  const modules: Module[] = []
  for (const one of [...first, ...named]) {
    const module = moduleOf(one)
    if ("_tag" in module) return module
    modules.push(module)
  }
  return { kernel, modules, commandLine }
}
