/**
 * Modules: which modules of a kernel a guest on this machine may need, with what they need themselves, and the two lists by which
 * `modprobe` finds them.
 *
 * Each module says of itself, in its section .modinfo, what it depends on and which devices it is for.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { Effect } from "effect"
import { type File, regular } from "./files.ts"
import { output, Unprepared } from "./packages.ts"

/** The drivers of this machine's devices, and the file system that a disk may have. */
const wanted = ["virtio_pci", "virtio_mmio", "virtio_blk", "virtio_net", "virtio_console", "virtio_rng", "ext4"]

interface Module {
  readonly path: string
  readonly bytes: Uint8Array
  readonly depends: ReadonlyArray<string>
  readonly aliases: ReadonlyArray<string>
}

/** In names of modules a dash is an underscore; in names of files it may be either. */
const nameOf = (file: string): string =>
  basename(file)
    .replace(/\.ko(\.xz)?$/, "")
    .replaceAll("-", "_")

/**
 * @param tree the folder lib/modules of a package.
 * @param also names of modules beside those that this machine's devices want.
 */
export const modulesOf = Effect.fnUntraced(function* (tree: string, also: ReadonlyArray<string> = []) {
  const version = existsSync(tree) ? readdirSync(tree)[0] : undefined
  if (version === undefined) return yield* new Unprepared({ why: `${tree}: the kernel's package has no modules` })
  const root = join(tree, version)
  const files = new Map(
    readdirSync(root, { recursive: true, encoding: "utf8" })
      .filter((file) => /\.ko(\.xz)?$/.test(file))
      .map((file) => [nameOf(file), file])
  )
  const builtin = new Set(
    readFileSync(join(root, "modules.builtin"), "utf8")
      .split("\n")
      .map((line) => nameOf(line))
  )

  const found = new Map<string, Module>()
  const open = [...wanted, ...also]
  for (let name = open.shift(); name !== undefined; name = open.shift()) {
    if (found.has(name) || builtin.has(name)) continue
    const path = files.get(name)
    if (path === undefined) return yield* new Unprepared({ why: `${root}: there is no module ${name}` })
    const bytes = yield* contentsOf(join(root, path))
    const says = information(bytes)
    const depends = says("depends").flatMap((names) =>
      names
        .split(",")
        .filter((one) => one !== "")
        .map(nameOf)
    )
    found.set(name, { path: path.replace(/\.xz$/, ""), bytes, depends, aliases: says("alias") })
    open.push(...depends)
  }

  const within = `lib/modules/${version}`
  const pathOf = (name: string): ReadonlyArray<string> => {
    const module = found.get(name)
    return module === undefined ? [] : [module.path]
  }
  const list = (lines: ReadonlyArray<string>): string => lines.map((line) => `${line}\n`).join("")
  /** What a module needs, in the order in which it can be loaded. */
  const needs = (name: string): ReadonlyArray<string> => [
    ...new Set((found.get(name)?.depends ?? []).flatMap((one) => [...needs(one), one]))
  ]
  return [
    ...[...found.values()].map(({ path, bytes }) => regular(`${within}/${path}`, bytes)),
    // Loaded from the last to the first.
    regular(
      `${within}/modules.dep`,
      list([...found].map(([name, { path }]) => `${path}: ${needs(name).toReversed().flatMap(pathOf).join(" ")}`))
    ),
    regular(
      `${within}/modules.alias`,
      list([...found].flatMap(([name, { aliases }]) => aliases.map((alias) => `alias ${alias} ${name}`)))
    )
  ] satisfies ReadonlyArray<File>
})

const contentsOf = (file: string): Effect.Effect<Uint8Array, Unprepared> =>
  file.endsWith(".xz")
    ? output("sh", ["-c", 'xz -dc "$0" | base64 -w0', file]).pipe(Effect.map((text) => Buffer.from(text, "base64")))
    : Effect.sync(() => readFileSync(file))

/** What a module says under a name: strings "name=value", each by itself, that end with a 0. */
const information =
  (bytes: Uint8Array) =>
  (name: string): ReadonlyArray<string> => {
    const text = Buffer.from(bytes).toString("latin1")
    return Array.from(text.matchAll(new RegExp(`(?<![\\x20-\\x7e])${name}=([^\\0]*)\\0`, "g")), ([, value]) => value!)
  }
