/**
 * Terminal: standard input as the other end of a serial line.
 *
 * At a terminal every key goes to the machine as it is typed, Control-C among them. `escapeKey` is the only one that does not: the
 * key after it says what to do.
 */

export interface Terminal {
  /** The next byte for the machine, if there is one. */
  readonly read: () => number | undefined
  /** Somebody sits at it, to whom time should pass as it does. */
  readonly isInteractive: boolean
  /** The user, or a signal, wants to leave: with which exit code. */
  readonly left: () => number | undefined
  /** Input has come to its end, and all of it was read. */
  readonly isOver: () => boolean
  /** Waits for a byte, for `wake`, or so many milliseconds. */
  readonly wait: (milliseconds: number) => Promise<void>
  /** Something else has happened that is worth a look. */
  readonly wake: () => void
  readonly close: () => void
}

/** Control-A, as in QEMU. */
const escapeKey = 0x01

/** What the key after the escape key does. */
export interface Commands {
  readonly help: () => void
  readonly report: () => void
  /** Any other key goes to the machine, behind the escape key: somebody there understands it. */
  readonly forwards?: boolean
}

export const help =
  "Control-A X leaves, Control-A R prints registers and where the machine is, Control-A twice is one for the machine"

const signals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const
const longest = 2 ** 31 - 1

export const open = (input: NodeJS.ReadStream, commands: Commands): Terminal => {
  const bytes: Array<number> = []
  let [isEscaped, isOver] = [false, false]
  let left: number | undefined
  let wake: () => void = () => undefined
  const isInteractive = input.isTTY === true

  const take = (byte: number): void => {
    if (!isInteractive) bytes.push(byte)
    else if (isEscaped) {
      isEscaped = false
      const key = String.fromCharCode(byte).toLowerCase()
      if (key === "x") left = 0
      else if (key === "r") commands.report()
      else if (commands.forwards) bytes.push(escapeKey, byte)
      else if (byte === escapeKey) bytes.push(byte)
      else commands.help()
    } else if (byte === escapeKey) isEscaped = true
    else bytes.push(byte)
  }
  const data = (chunk: Buffer): void => {
    for (const byte of chunk) take(byte)
    wake()
  }
  const end = (): void => {
    isOver = true
    wake()
  }
  const leave = (signal: keyof typeof signals): void => {
    left = signals[signal]
    wake()
  }
  if (isInteractive) input.setRawMode(true)
  input.on("data", data)
  input.on("end", end)
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, leave)

  return {
    read: () => bytes.shift(),
    isInteractive,
    left: () => left,
    isOver: () => isOver && bytes.length === 0,
    wait: (milliseconds) =>
      new Promise((resolve) => {
        if (bytes.length > 0 || left !== undefined) return resolve()
        const timer = setTimeout(() => wake(), Math.min(milliseconds, longest))
        wake = () => {
          clearTimeout(timer)
          wake = () => undefined
          resolve()
        }
      }),
    wake: () => wake(),
    close: () => {
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.off(signal, leave)
      input.off("data", data)
      input.off("end", end)
      if (isInteractive) input.setRawMode(false)
      input.pause()
    }
  }
}
