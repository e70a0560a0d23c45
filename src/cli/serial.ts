/** --serial: where what the machine sends on COM2 to COM4 goes. */
import type { Hardware } from "../hal/x86_64/Machine.ts"
import { type UsageError, usageError } from "./Command.ts"
import type { BadFile } from "./files.ts"
import * as Output from "./Output.ts"

export interface Asked {
  /** COM2 to COM4. */
  readonly port: 2 | 3 | 4
  readonly file: string
}

export const serialOf = (given: ReadonlyArray<string> = []): ReadonlyArray<Asked> | UsageError => {
  const asked: Asked[] = []
  for (const one of given) {
    const [, port, file] = /^([234])=(.+)$/.exec(one) ?? []
    if (file === undefined)
      return usageError(`'${one}' is no serial port and file: 2=FILE is, to 4=FILE; COM1 is the terminal`)
    if (asked.some((other) => String(other.port) === port)) return usageError(`COM${port} was given two files`)
    asked.push({ port: Number(port) as Asked["port"], file })
  }
  return asked
}

export interface Opened {
  readonly lines: NonNullable<Hardware["serial"]>
  /** All that was sent is written. */
  readonly close: () => void
}

/** Files begin empty; nothing is read from them. */
export const open = (asked: ReadonlyArray<Asked>): Opened | BadFile => {
  const files = new Map<number, { readonly output: Output.Output; readonly log: Output.Log }>()
  const close = () => {
    for (const { output, log } of files.values()) {
      output.flush()
      log.close()
    }
  }
  for (const { port, file } of asked) {
    const log = Output.log(file)
    if ("_tag" in log) {
      close()
      return log
    }
    files.set(port, { output: Output.make(log), log })
  }
  const line = (port: Asked["port"]) => {
    const to = files.get(port)
    return to && { write: to.output.byte }
  }
  return { lines: [line(2), line(3), line(4)], close }
}
