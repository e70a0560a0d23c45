/** Kernels of our own, in C, built by gcc. */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"

const folder = import.meta.dirname

// biome-ignore format: what belongs together is in a line
const options = [
  "-m32", "-O1", "-ffreestanding", "-fno-pic", "-fno-stack-protector", "-mgeneral-regs-only", "-fcf-protection=none", "-w",
  "-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none", "-Wl,-n", `-Wl,-T,${join(folder, "link.ld")}`
]

/** The image that gcc makes of a kernel here. */
export const build = (name: string, ...more: ReadonlyArray<string>): Uint8Array =>
  compile(join(folder, `${name}.c`), ...more)

/** The image that gcc makes of a file. */
export const compile = (source: string, ...more: ReadonlyArray<string>): Uint8Array => {
  const to = mkdtempSync(join(tmpdir(), "skyscope-kernel-"))
  try {
    const image = join(to, basename(source, ".c"))
    execFileSync("gcc", [...options, ...more, "-o", image, source], {
      stdio: ["ignore", "ignore", "pipe"]
    })
    return new Uint8Array(readFileSync(image))
  } finally {
    rmSync(to, { recursive: true })
  }
}
