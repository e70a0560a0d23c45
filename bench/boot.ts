/**
 * What a boot takes: Debian's cloud kernel, from the start of the process to the first line of /init, here and in QEMU's translator.
 *
 * Both run the same image with the same memory, one after the other, as processes of their own. QEMU is Debian's qemu-system-x86; where it
 * is not installed, its figure is missing.
 */
import { spawn, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { initrd, kernel } from "../tests/guests/debian.ts"
import type { Benchmark, Figure } from "./Benchmark.ts"

const marker = "the first line of /init"
const memory = "256M"
const append = "console=ttyS0"

/** Milliseconds until the marker is printed; the process ends then. */
const untilMarker = (program: string, typed: ReadonlyArray<string>): Promise<number> =>
  new Promise((resolve, reject) => {
    const started = performance.now()
    const child = spawn(program, typed, { stdio: ["ignore", "pipe", "inherit"] })
    let seen = ""
    child.stdout.on("data", (bytes: Buffer) => {
      seen = (seen + bytes.toString("latin1")).slice(-4096)
      if (!seen.includes(marker)) return
      resolve(performance.now() - started)
      child.kill()
    })
    child.on("error", reject)
    child.on("exit", () => reject(new Error(`${program} ended before /init: ${seen}`)))
  })

const hasQemu = (): boolean => spawnSync("qemu-system-x86_64", ["--version"]).status === 0

export const benchmark: Benchmark = {
  name: "boot of Debian's cloud kernel",
  run: async () => {
    const folder = mkdtempSync(join(tmpdir(), "skyscope-boot-"))
    try {
      const [image, disk] = [join(folder, "vmlinuz"), join(folder, "initrd")]
      writeFileSync(image, kernel())
      writeFileSync(disk, initrd(`echo "${marker}"; sleep 1000`))
      const skyscope = join(import.meta.dirname, "..", "bin", "skyscope.js")
      const figures: Figure[] = []
      const files = ["-m", memory, "-append", append, "-kernel", image, "-initrd", disk]
      const machine = ["--memory", memory, "--append", append, "--kernel", image, "--initrd", disk]
      // biome-ignore format: what belongs together is in a line
      const qemu = ["-accel", "tcg", "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot", ...files]
      const theirs = hasQemu() ? await untilMarker("qemu-system-x86_64", qemu) : undefined
      if (theirs !== undefined) figures.push({ name: "ms to /init, QEMU (TCG)", value: theirs })
      for (const reading of ["interpret", "translate"]) {
        const ours = await untilMarker(process.execPath, [skyscope, "machine", ...machine, "--reading", reading])
        figures.push({ name: `ms to /init, ${reading}`, value: ours })
        if (theirs !== undefined) figures.push({ name: `times QEMU, ${reading}`, value: ours / theirs })
      }
      return figures
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
}
