/** Program: what a file has in it that can be run as the first task. */
import { registerHooks } from "node:module"
import { basename, dirname, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import * as Elf from "../user/Elf.ts"
import type { Options } from "../user/Task.ts"
import { type BadFile, badFile, contentsOf } from "./files.ts"
import type { First } from "./System.ts"

const elfMagic = [0x7f, 0x45, 0x4c, 0x46]
const scripts = /\.[mc]?[tj]s$/

/** Who is told of a program's tasks. */
export type Observers = Pick<Options, "ended" | "logged">

/** The program in a file. */
export const read = async (file: string, observers: Observers): Promise<First | BadFile> => {
  const bytes = contentsOf(file)
  if ("_tag" in bytes) return bytes
  if (elfMagic.every((byte, index) => bytes[index] === byte)) {
    const program = Elf.read(bytes)
    return "why" in program ? badFile(file, program.why) : { _tag: "Elf", name: basename(file), bytes }
  }
  if (scripts.test(file)) return readScript(file, observers)
  if (bytes.length === 0) return badFile(file, "it is empty")
  return badFile(file, "it is no program: neither an ELF file, nor TypeScript by its name")
}

/** What a TypeScript file exports, by name. */
export const exportsOf = async (file: string): Promise<ReadonlyMap<string, unknown> | BadFile> => {
  const bytes = contentsOf(file)
  if ("_tag" in bytes) return bytes
  if (!scripts.test(file)) return badFile(file, "it is no TypeScript by its name")
  resolveOwnPackages()
  const module = await load(resolve(file))
  return "_tag" in module ? badFile(file, module.why) : new Map(Object.entries(module.exports))
}

const readScript = async (file: string, observers: Observers): Promise<First | BadFile> => {
  const exports = await exportsOf(file)
  if ("_tag" in exports) return exports
  const path = resolve(file)
  const { isRootTask } = await import("../user/RootTask.ts")
  if (!exports.has("default")) return badFile(file, "it exports no root task: nothing is exported by default")
  const root = exports.get("default")
  if (!isRootTask(root)) return badFile(file, "what it exports by default is no root task: make one with rootTask")
  const contents: Record<string, Uint8Array> = {}
  for (const [name, wanted] of Object.entries(root.files)) {
    const bytes = contentsOf(resolve(dirname(path), wanted))
    if ("_tag" in bytes) return badFile(file, `of the files it wants, ${bytes.why}`)
    contents[name] = bytes
  }
  return { _tag: "Fiber", fiber: root.fiber({ name: "root", ...observers }, contents) }
}

type Loaded = { readonly exports: object } | { readonly _tag: "NotLoaded"; readonly why: string }

const load = async (path: string): Promise<Loaded> => {
  try {
    const exports: object = await import(pathToFileURL(path).href)
    return { exports }
  } catch (cause) {
    return {
      _tag: "NotLoaded",
      why: `it does not load: ${cause instanceof Error ? (cause.stack ?? cause.message) : cause}`
    }
  }
}

/**
 * A program anywhere may import `skyscope` and `effect`: it gets those of this command, since what runs it must be what it was
 * written with.
 */
const resolveOwnPackages = (): void => {
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === "skyscope" ||
      specifier.startsWith("skyscope/") ||
      specifier === "effect" ||
      specifier.startsWith("effect/")
        ? next(specifier, { ...context, parentURL: import.meta.url })
        : next(specifier, context)
  })
}
