/** Program: what a file has in it that can be run as the first task. */
import { readFileSync } from "node:fs"
import { registerHooks } from "node:module"
import { basename, dirname, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import * as Elf from "../user/Elf.ts"
import type { Ended } from "../user/Task.ts"
import type { First } from "./System.ts"

/** The file cannot be run: the sentence that says why. */
export interface BadFile {
  readonly _tag: "BadFile"
  readonly why: string
}

const badFile = (file: string, why: string): BadFile => ({ _tag: "BadFile", why: `${file}: ${why}` })

const elfMagic = [0x7f, 0x45, 0x4c, 0x46]
const scripts = /\.[mc]?[tj]s$/

/** The program in a file. `ended` is told how each of its tasks ends. */
export const read = async (file: string, ended: Ended): Promise<First | BadFile> => {
  const bytes = contentsOf(file)
  if ("_tag" in bytes) return bytes
  if (elfMagic.every((byte, index) => bytes[index] === byte)) {
    const program = Elf.read(bytes)
    return "why" in program ? badFile(file, program.why) : { _tag: "Elf", name: basename(file), bytes }
  }
  if (scripts.test(file)) return readScript(file, ended)
  if (bytes.length === 0) return badFile(file, "it is empty")
  return badFile(file, "it is no program: neither an ELF file, nor TypeScript by its name")
}

const contentsOf = (file: string): Uint8Array | BadFile => {
  try {
    return readFileSync(file)
  } catch (cause) {
    return badFile(file, reasons[codeOf(cause)] ?? String(cause))
  }
}

const codeOf = (cause: unknown): string =>
  typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : ""

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a folder",
  EACCES: "it may not be read"
}

const readScript = async (file: string, ended: Ended): Promise<First | BadFile> => {
  resolveOwnPackages()
  const path = resolve(file)
  const module = await load(path)
  if ("_tag" in module) return badFile(file, module.why)
  const { isRootTask } = await import("../user/RootTask.ts")
  if (!("default" in module.exports)) return badFile(file, "it exports no root task: nothing is exported by default")
  const root = module.exports.default
  if (!isRootTask(root)) return badFile(file, "what it exports by default is no root task: make one with rootTask")
  const contents: Record<string, Uint8Array> = {}
  for (const [name, wanted] of Object.entries(root.files)) {
    const bytes = contentsOf(resolve(dirname(path), wanted))
    if ("_tag" in bytes) return badFile(file, `of the files it wants, ${bytes.why}`)
    contents[name] = bytes
  }
  return { _tag: "Fiber", fiber: root.fiber({ name: "root", ended }, contents) }
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
      specifier === "skyscope" || specifier === "effect" || specifier.startsWith("effect/")
        ? next(specifier, { ...context, parentURL: import.meta.url })
        : next(specifier, context)
  })
}
