/** Output: what the machine prints, and what is said about it. */
import { closeSync, openSync, writeSync } from "node:fs"
import { type BadFile, because } from "./files.ts"

export interface Output {
  readonly byte: (byte: number) => void
  /** All that was printed is written. */
  readonly flush: () => void
}

const lineFeed = 0x0a
const most = 4096

/** What the machine prints goes out line by line, and to a log as well if there is one. */
export const make = (to: { readonly write: (bytes: Uint8Array) => unknown }, log?: Log): Output => {
  let line: Array<number> = []
  const flush = () => {
    if (line.length > 0) {
      const bytes = Uint8Array.from(line)
      to.write(bytes)
      log?.write(bytes)
    }
    line = []
  }
  return {
    byte: (byte) => {
      line.push(byte)
      if (byte === lineFeed || line.length === most) flush()
    },
    flush
  }
}

/** A file that what happens is written to. */
export interface Log {
  readonly write: (bytes: Uint8Array) => void
  readonly line: (text: string) => void
  readonly close: () => void
}

/** The file begins empty. */
export const log = (file: string): Log | BadFile => {
  try {
    const descriptor = openSync(file, "w")
    return {
      write: (bytes) => void writeSync(descriptor, bytes),
      line: (text) => void writeSync(descriptor, `${text}\n`),
      close: () => closeSync(descriptor)
    }
  } catch (cause) {
    return because(file, cause)
  }
}

/** A line about the run. */
export const note = (line: string): void => {
  process.stderr.write(`skyscope: ${line}\n`)
}
