/** Programs in C as the first task: built by gcc with a header from the tables of the interface, and run. */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { interfaceHeader } from "../../../scripts/cInterface.ts"
import { type Options, type Ran, runElf } from "../../examples/system.ts"

// biome-ignore format: an option, a word
const options = [
  "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-Wno-unused-variable", "-ffreestanding", "-nostdlib",
  "-static", "-mgeneral-regs-only", "-mfsgsbase", "-fno-pie", "-no-pie", "-fno-stack-protector", "-fcf-protection=none",
  "-fno-asynchronous-unwind-tables", "-fno-builtin", "-Wl,--build-id=none", "-Wl,-z,noexecstack"
]

interface Source {
  readonly folder?: string
  /** Macros, as 'NAME=value'. */
  readonly defines?: ReadonlyArray<string>
}

/** The ELF of a program: of this folder, if no other is said. */
export const build = (name: string, { folder: place = import.meta.dirname, defines = [] }: Source = {}): Uint8Array => {
  const folder = mkdtempSync(join(tmpdir(), "skyscope-programs-"))
  try {
    writeFileSync(join(folder, "interface.h"), interfaceHeader())
    const program = join(folder, "program.elf")
    const source = join(place, `${name}.c`)
    const { status, stderr } = spawnSync(
      "gcc",
      [...options, ...defines.map((define) => `-D${define}`), `-I${folder}`, "-o", program, source],
      {
        encoding: "utf8"
      }
    )
    if (status !== 0) throw new Error(`gcc builds ${name}.c:\n${stderr}`)
    return readFileSync(program)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Build and run it. */
export const run = (name: string, options?: Options): Ran => runElf(build(name), options)
