/**
 * What is written of a meaning outside of the tables: of the functions that it computes with, and of the operation of the machine in which it ends.
 *
 * Of an operation that is its entry in system/operations.ts, what that names there, and the modules of system/ in which the rest is, with what they
 * import. Core.ts and registers.ts, by which all of them read and write alike, are none of what one means. Of a function it is the module that it is
 * in, with what that imports; State.ts, which says where things are, is none of it.
 */
import { readFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import type { FunctionName, SystemName } from "../../../../src/hal/x86_64/processor/Meaning.ts"
import { cryptoFunctions } from "../../../../src/hal/x86_64/processor/vectorCrypto.ts"
import { floatFunctions } from "../../../../src/hal/x86_64/processor/vectorFloat.ts"
import type { VectorFunction } from "../../../../src/hal/x86_64/processor/vectorFunctions.ts"
import { integerFunctions } from "../../../../src/hal/x86_64/processor/vectorInteger.ts"
import { stringFunctions } from "../../../../src/hal/x86_64/processor/vectorStrings.ts"

const hal = join(import.meta.dirname, "../../../../src/hal/x86_64")
const [processor, system] = [join(hal, "processor"), join(hal, "system")]
/** What is in a file: it may be something else in a test. */
export type ReadFile = (path: string) => string
const readText: ReadFile = (path) => readFileSync(path, "utf8")

/** Texts that are the same as long as nothing of what they are about is written otherwise. */
export interface Written {
  readonly operation: (name: SystemName) => string
  readonly computes: (name: VectorFunction | FunctionName) => string
}

export const writtenIn = (read: ReadFile = readText): Written => ({
  operation: operationsIn(read),
  computes: (name) => modulesText(modulesFrom(join(processor, moduleOf(name)), processor, read), read)
})

// ---- functions

const moduleOf = (name: string): string => {
  if (name in stringFunctions) return "vectorStrings.ts"
  if (name in cryptoFunctions) return "vectorCrypto.ts"
  if (name in integerFunctions) return "vectorInteger.ts"
  return name in floatFunctions ? "vectorFloat.ts" : "functions.ts"
}

// ---- operations

const operationsIn = (read: ReadFile): Written["operation"] => {
  const source = read(join(system, "operations.ts"))
  const own = declarationsOf(source)
  const entries = entriesOf(own.get("operations") ?? "")
  const imported = importsOf(source)
  return (name) => {
    const texts: Array<string> = []
    const modules = new Set<string>()
    const seen = new Set<string>(["operations"])
    const reach = (text: string): void => {
      texts.push(text)
      for (const word of wordsOf(text)) {
        if (seen.has(word)) continue
        seen.add(word)
        const from = imported.get(word)
        if (from !== undefined) for (const path of modulesFrom(join(system, from), system, read)) modules.add(path)
        const declared = own.get(word)
        if (declared !== undefined) reach(declared)
      }
    }
    const entry = entries.get(name)
    if (entry === undefined) throw new Error(`system/operations.ts has no entry ${name}`)
    reach(entry)
    return [...texts, modulesText(modules, read)].join("\n")
  }
}

const wordsOf = (text: string): ReadonlyArray<string> => text.match(/\w+/g) ?? []

const importPattern = /^import (type )?(?:\* as )?\{?([^"]*?)\}? from "(\.[^"]*)"/gm

/** Names that are imported as values, and from where. */
const importsOf = (source: string): ReadonlyMap<string, string> =>
  new Map(
    [...source.matchAll(importPattern)].flatMap(([, isType, names, from]) =>
      isType === undefined ? names!.split(",").map((name) => [name.trim(), from!] as const) : []
    )
  )

/** Functions and constants of a module, as they are written. */
const declarationsOf = (source: string): ReadonlyMap<string, string> =>
  new Map(
    source.split(/^(?=\S)/m).flatMap((text) => {
      const found = /^(?:export )?const (?:(\w+)|\[([^\]]*)\])/.exec(text)
      const names = found?.[1] ?? found?.[2]
      return names === undefined ? [] : names.split(",").map((name) => [name.trim(), text] as const)
    })
  )

/** What a record says of each name: its own lines are indented by two. */
const entriesOf = (record: string): ReadonlyMap<string, string> =>
  new Map(record.split(/^ {2}(?=\w)/m).map((text) => [/^\w*/.exec(text)![0], text]))

// ---- modules

/** By which all read and write alike. */
const ofAll: ReadonlySet<string> = new Set(["Core.ts", "registers.ts", "State.ts"])

/** A module and what it imports, as far as that is in the folder. */
const modulesFrom = (first: string, folder: string, read: ReadFile): Iterable<string> => {
  const found = new Set<string>()
  const add = (path: string): void => {
    if (found.has(path) || !path.startsWith(folder) || ofAll.has(basename(path))) return
    found.add(path)
    for (const from of importsOf(read(path)).values()) add(join(dirname(path), from))
  }
  add(first)
  return found
}

const modulesText = (modules: Iterable<string>, read: ReadFile): string =>
  [...modules]
    .sort()
    .map((path) => `${basename(path)}\n${read(path)}`)
    .join("\n")
