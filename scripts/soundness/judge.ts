/** The compiler as the judge of many programs at once. */
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "../..")

export interface Judged {
  /** Which of the programs do not compile, and what the compiler says first. */
  readonly refused: ReadonlyMap<number, string>
  /** The files, in order, each with so many programs as `perFile`. */
  readonly files: ReadonlyArray<string>
  readonly discard: () => void
}

/** A folder in the project, two below its root: sources are at ../../src. */
const scratch = (): string => {
  mkdirSync(join(root, "dist"), { recursive: true })
  return mkdtempSync(join(root, "dist", "soundness-"))
}

/** Programs, each of some lines, below the same first lines: a file for so many of them. */
export const judge = (head: ReadonlyArray<string>, programs: ReadonlyArray<string>, perFile: number): Judged => {
  const folder = scratch()
  /** Of each file, by line from 1: the program that it is part of. */
  const owners: Array<ReadonlyArray<number>> = []
  const files: Array<string> = []
  for (let from = 0; from < programs.length; from += perFile) {
    const [lines, owner] = [[...head], [0, ...head.map(() => -1)]]
    for (const [index, program] of programs.slice(from, from + perFile).entries()) {
      for (const line of program.split("\n")) {
        lines.push(line)
        owner.push(from + index)
      }
    }
    const file = join(folder, `programs${owners.length}.ts`)
    writeFileSync(file, `${lines.join("\n")}\n`)
    owners.push(owner)
    files.push(file)
  }
  const compilerOptions = { noUnusedLocals: false, noUnusedParameters: false, allowUnreachableCode: true }
  const config = { extends: "../../tsconfig.base.json", compilerOptions, include: ["."] }
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config))
  const tsc = join(root, "node_modules/typescript/bin/tsc")
  const { stdout } = spawnSync(process.execPath, [tsc, "-p", folder, "--pretty", "false"], {
    encoding: "utf8",
    maxBuffer: 2 ** 30
  })
  const refused = new Map<number, string>()
  for (const [, file, line, said] of stdout.matchAll(/programs(\d+)\.ts\((\d+),\d+\): (error .*)/g)) {
    const program = owners[Number(file)]?.[Number(line)] ?? -1
    if (program < 0) throw new Error(`what all programs begin with compiles: ${said}`)
    if (!refused.has(program)) refused.set(program, said!)
  }
  return { refused, files, discard: () => rmSync(folder, { recursive: true }) }
}
