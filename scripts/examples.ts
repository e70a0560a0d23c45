/**
 * Builds the C programs of examples, benchmarks and tests: the header that says the kernel's interface and the examples' protocol
 * in C, from the tables that the kernel reads, and a static ELF beside each source.
 *
 *     npm run examples
 */
import { spawnSync } from "node:child_process"
import { globSync, writeFileSync } from "node:fs"
import { join, relative } from "node:path"
import { skyscopeHeader } from "./cHeader.ts"

const root = join(import.meta.dirname, "..")
const folder = join(root, "examples", "pingpong")

writeFileSync(join(folder, "skyscope.h"), skyscopeHeader())

const sources = ["examples/pingpong", "bench/ipc", "tests/examples"].flatMap((at) => globSync(join(root, at, "*.c")))
for (const source of sources) {
  const program = source.replace(/\.c$/, ".elf")
  // biome-ignore format: an option, a word
  const options = [
    `-I${folder}`,
    "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-nostdlib", "-static", "-mgeneral-regs-only", "-fno-pie", "-no-pie",
    "-fno-stack-protector", "-fcf-protection=none", "-fno-asynchronous-unwind-tables", "-Wl,--build-id=none", "-Wl,-z,noexecstack", "-Wl,-z,noseparate-code", "-s"
  ]
  const { status } = spawnSync("gcc", [...options, "-o", program, source], { stdio: "inherit" })
  if (status !== 0) process.exit(1)
  console.log(`${relative(root, program)}`)
}
