/**
 * The size of the trusted base: the lines of every file of the kernel, and of the parts of `hal` that it stands on, as the
 * table at the end of docs/specification.md.
 *
 *     node scripts/trustedBase.ts --write
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")
const document = join(root, "docs", "specification.md")

/** Lines with something on them that is no comment. */
export const codeLines = (source: string): number => {
  let isComment = false
  return source.split("\n").filter((line) => {
    const text = line.trim()
    if (text.startsWith("/*")) isComment = true
    const counts = !isComment && text !== "" && !text.startsWith("//")
    if (text.endsWith("*/")) isComment = false
    return counts
  }).length
}

const filesIn = (folder: string): ReadonlyArray<string> =>
  readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory()
      ? filesIn(join(folder, entry.name))
      : entry.name.endsWith(".ts")
        ? [join(folder, entry.name)]
        : []
  )

export interface Size {
  readonly name: string
  readonly lines: number
}

const sizeOf = (name: string): Size => ({ name, lines: codeLines(readFileSync(join(root, name), "utf8")) })

/** They check the kernel, or print it: what they get wrong gives nobody authority. */
const outside = new Set(["src/kernel/invariants.ts", "src/kernel/x86_64/invariants.ts"])

/** Every file of the kernel, with its lines of code. */
export const kernelFiles = (): ReadonlyArray<Size> =>
  filesIn("src/kernel")
    .filter((file) => !outside.has(file))
    .sort()
    .map(sizeOf)

/** What the kernel trusts of the machine: that these do what the manual says. */
// biome-ignore format: a part, a line
const trusted: ReadonlyArray<readonly [part: string, why: string]> = [
  ["src/types",                    "the words of the interface, and how methods are read from messages"],
  ["src/hal/x86_64/memory",        "address translation and protection: the MMU and its caches"],
  ["src/hal/x86_64/system",        "privilege, exceptions, control registers, the system instructions"],
  ["src/hal/x86_64/vmx",           "virtual machine extensions"],
  ["src/hal/x86_64/processor",     "the instructions, and how they are run"],
  ["src/hal/x86_64/wasm",          "the code that instructions are turned into"],
  ["src/devices",                  "interrupt controllers, timers, and what does DMA"]
]

export const trustedParts = (): ReadonlyArray<Size & { readonly why: string }> =>
  trusted.map(([name, why]) => ({ name, why, lines: filesIn(name).reduce((sum, file) => sum + sizeOf(file).lines, 0) }))

const heading = "## The trusted base"

const total = (sizes: ReadonlyArray<Size>): number => sizes.reduce((sum, { lines }) => sum + lines, 0)

export const section = (): string => {
  const files = kernelFiles()
  const parts = trustedParts()
  return [
    heading,
    "",
    "Lines of code, without comments and blank lines, as `node scripts/trustedBase.ts --write` counts them.",
    "",
    `The kernel has ${total(files)} lines in ${files.length} files. Checks of it (\`invariants.ts\`) are not part of it.`,
    "",
    "| file | lines |",
    "| --- | ---: |",
    ...files.map(({ name, lines }) => `| \`${name}\` | ${lines} |`),
    "",
    "The kernel trusts the machine, as every kernel does; here the machine is a program as well. Only what a wrong line could turn into",
    "authority for a program is listed. The services between the two are the interfaces in `src/hal`.",
    "",
    "| part | lines | what is trusted of it |",
    "| --- | ---: | --- |",
    ...parts.map(({ name, why, lines }) => `| \`${name}\` | ${lines} | ${why} |`),
    ""
  ].join("\n")
}

if (process.argv[1] === import.meta.filename && process.argv.includes("--write")) {
  const text = readFileSync(document, "utf8")
  const at = text.indexOf(heading)
  writeFileSync(document, (at < 0 ? text : text.slice(0, at)) + section())
}
