/**
 * What is written of an operation of the machine: its entry in system/operations.ts, what that names there, and the modules of system/ in which the
 * rest is, with what they import. Core.ts and registers.ts, by which all of them read and write alike, are none of what one means.
 */
import { readFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import type { SystemName } from "../../../../src/hal/x86_64/processor/Meaning.ts"

const folder = join(import.meta.dirname, "../../../../src/hal/x86_64/system")
/** What is in a file: it may be another one in a test. */
export type ReadFile = (path: string) => string
const readText: ReadFile = (path) => readFileSync(path, "utf8")

/** A text for each operation, the same as long as nothing of it is written otherwise. */
export const operationTexts = (read: ReadFile = readText): ((name: SystemName) => string) => {
  const source = read(join(folder, "operations.ts"))
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
        if (from !== undefined) addModules(join(folder, from), modules, read)
        const declared = own.get(word)
        if (declared !== undefined) reach(declared)
      }
    }
    const entry = entries.get(name)
    if (entry === undefined) throw new Error(`system/operations.ts has no entry ${name}`)
    reach(entry)
    return [...texts, ...[...modules].sort().map((path) => `${basename(path)}\n${read(path)}`)].join("\n")
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

const ofAll: ReadonlySet<string> = new Set(["Core.ts", "registers.ts"])

const addModules = (path: string, to: Set<string>, read: ReadFile): void => {
  if (to.has(path) || !path.startsWith(folder) || ofAll.has(basename(path))) return
  to.add(path)
  for (const from of importsOf(read(path)).values()) addModules(join(dirname(path), from), to, read)
}
