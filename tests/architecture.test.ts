/** The map of ARCHITECTURE.md, and that the sources keep to it. */

import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { assert, describe, it } from "vitest"

interface Layer {
  readonly folder: string
  readonly is: string
  readonly mayImport: ReadonlyArray<string>
}

/** The layers, lowest first, and what each may import beside itself. */
// biome-ignore format: a table
const layers: ReadonlyArray<Layer> = [
  { folder: "src/types",         is: "the words everyone shares",                                   mayImport: [] },
  { folder: "src/devices",       is: "chips of a PC, each a state machine that is wired elsewhere", mayImport: ["src/types"] },
  { folder: "src/hal",           is: "what a machine offers a kernel, as services",                 mayImport: ["src/types"] },
  { folder: "src/hal/x86_64",    is: "one machine: processor, memory, loaders, its board wired",    mayImport: ["src/types", "src/devices", "src/hal"] },
  { folder: "src/spec",          is: "what the kernel means: values, transitions, invariants",      mayImport: ["src/types"] },
  { folder: "src/kernel",        is: "what the kernel does, on any machine",                        mayImport: ["src/types", "src/hal"] },
  { folder: "src/kernel/x86_64", is: "the kernel's half of one architecture",                       mayImport: ["src/types", "src/hal", "src/kernel"] },
  { folder: "src/user",          is: "what a program sees: calls, boot information, allocators",    mayImport: ["src/types"] },
  { folder: "src/vmm",           is: "the virtual machine monitor: a program like any other",       mayImport: ["src/types", "src/devices", "src/user"] },
  { folder: "src/cli",           is: "the command line: machine, kernel and programs together",     mayImport: ["src/types", "src/devices", "src/hal", "src/hal/x86_64", "src/spec", "src/kernel", "src/kernel/x86_64", "src/user", "src/vmm"] }
]

/** What names an architecture, however it stands in an identifier. */
const architecture =
  /x86|amd64|i386|\bia-?32|\bintel\b|\bx64\b|X64|CR[0-48](?!\d)|\bcr[0-48]\b|(?<![A-Z])(?:MSR|EPT|VMCS|APIC|VPID|PCID|PML4|PDPTE?|GDT|IDT|TSS|CPUID|[RE]FLAGS|SWAPGS|IRETQ?|SYSRETQ?)(?![A-Z])|\b(?:r[abcd]x|r[sd]i|r[bsi]p|r(?:8|9|1[0-5]))\b/

/** What names a chip or a board. */
const chip = /16550|8259|8254|i8042|\bQ35\b|ICH9|PIIX/

const root = join(import.meta.dirname, "..")

const filesIn = (folder: string): ReadonlyArray<string> =>
  existsSync(join(root, folder))
    ? readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
        .filter((file) => file.endsWith(".ts"))
        .map((file) => join(folder, file))
        .sort()
    : []

const textOf = (file: string): string => readFileSync(join(root, file), "utf8")

const codeOf = (file: string): string => textOf(file).replace(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*/g, "")

/** `import type`, `export from` and `import("…")` are imports like any other. */
const importsOf = (file: string): ReadonlyArray<string> =>
  Array.from(codeOf(file).matchAll(/(?<![.\w])(?:from|import)\s*\(?\s*["']([^"']+)["']/g), ([, path]) => path!)

const layerOf = (file: string): Layer | undefined =>
  layers
    .filter(({ folder }) => file.startsWith(`${folder}/`))
    .reduce<Layer | undefined>((a, b) => (a !== undefined && a.folder.length > b.folder.length ? a : b), undefined)

const sourcesOf = (layer: string): ReadonlyArray<string> => sources.filter((file) => layerOf(file)?.folder === layer)

/** The lines of a file that match, as a reader can click on them. */
const linesWith = (pattern: RegExp, file: string, text = textOf(file)): ReadonlyArray<string> =>
  text.split("\n").flatMap((line, index) => (pattern.test(line) ? [`${file}:${index + 1}: ${line.trim()}`] : []))

const sources = filesIn("src")

describe("the map", () => {
  it("is the one in ARCHITECTURE.md", () => {
    const rows = layers.map(({ folder, is, mayImport }) => {
      const below = mayImport.length === layers.length - 1 ? ["all"] : mayImport.map((path) => `\`${path.slice(4)}\``)
      return `| \`${folder}\` | ${is} | ${below.join(", ") || "–"} |`
    })
    assert.deepStrictEqual(
      textOf("ARCHITECTURE.md")
        .split("\n")
        .filter((line) => line.startsWith("| `src/")),
      rows
    )
  })

  it("goes one way", () => {
    layers.forEach(({ folder, mayImport }, index) => {
      const lower = layers.slice(0, index).map((layer) => layer.folder)
      assert.includeMembers(lower, [...mayImport], folder)
    })
  })

  it("has room for every source", () => {
    assert.deepStrictEqual(
      sources.filter((file) => layerOf(file) === undefined),
      []
    )
  })
})

describe("the layers", () => {
  it.each(layers)("$folder imports only from itself and those it names", ({ folder, mayImport }) => {
    const outside = sourcesOf(folder).flatMap((file) =>
      importsOf(file)
        .filter((path) => path.startsWith("."))
        .map((path) => join(dirname(file), path))
        .filter((target) => ![folder, ...mayImport].includes(layerOf(target)?.folder ?? "none"))
        .map((target) => `${file} imports ${target}`)
    )
    assert.deepStrictEqual(outside, [])
  })
})

describe("only src/cli knows Node", () => {
  const elsewhere = sources.filter((file) => !file.startsWith("src/cli/"))

  it("no other file imports a package but effect", () => {
    const packages = elsewhere.flatMap((file) =>
      importsOf(file)
        .filter((path) => !/^(?:\.|effect(?:\/|$))/.test(path))
        .map((path) => `${file} imports ${path}`)
    )
    assert.deepStrictEqual(packages, [])
  })

  it("no other file uses Buffer or process", () => {
    const uses = /(?<![.\w])(?:Buffer|process)\s*(?:\??\.|\[|\()/
    assert.deepStrictEqual(
      elsewhere.flatMap((file) => linesWith(uses, file, codeOf(file))),
      []
    )
  })
})

describe("the kernel names no machine", () => {
  it.each(["src/kernel", "src/hal"])("%s names no architecture", (layer) => {
    assert.deepStrictEqual(
      sourcesOf(layer).flatMap((file) => linesWith(architecture, file)),
      []
    )
  })

  it("no part of it names a chip or a board", () => {
    assert.deepStrictEqual(
      filesIn("src/kernel").flatMap((file) => linesWith(chip, file)),
      []
    )
  })
})

it("nothing outside type-tests silences the compiler", () => {
  const silenced = /(?:(?<!["'`])\/\/|\/\*|^\s*\*)\s*@ts-(?:ignore|nocheck|expect-error)/
  const files = ["src", "tests", "bench", "scripts", "examples"].flatMap(filesIn)
  assert.deepStrictEqual(
    files.flatMap((file) => linesWith(silenced, file)),
    []
  )
})
