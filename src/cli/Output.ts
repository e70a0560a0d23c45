/** Output: what the machine prints, and what is said about it. */

export interface Output {
  readonly byte: (byte: number) => void
  /** All that was printed is written. */
  readonly flush: () => void
}

const lineFeed = 0x0a
const most = 4096

/** What the machine prints goes out line by line. */
export const make = (to: { readonly write: (bytes: Uint8Array) => unknown }): Output => {
  let line: Array<number> = []
  const flush = () => {
    if (line.length > 0) to.write(Uint8Array.from(line))
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

/** A line about the run. */
export const note = (line: string): void => {
  process.stderr.write(`skyscope: ${line}\n`)
}
