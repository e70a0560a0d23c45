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
  /** The user wants to leave. */
  readonly isLeft: () => boolean
  /** Waits for a byte, for the end of input, or so many milliseconds. False: nothing will come any more. */
  readonly wait: (milliseconds: number) => Promise<boolean>
  readonly close: () => void
}

/** Control-A, as in QEMU. */
const escapeKey = 0x01
const leave = "x".charCodeAt(0)

export const help = "Control-A X leaves; Control-A twice is one for the machine"

export const open = (input: NodeJS.ReadStream): Terminal => {
  const bytes: Array<number> = []
  let [isEscaped, isLeft, isOver] = [false, false, false]
  let wake: () => void = () => undefined
  const isInteractive = input.isTTY === true

  const take = (byte: number): void => {
    if (isEscaped && byte === leave) isLeft = true
    else if (byte !== escapeKey || isEscaped || !isInteractive) bytes.push(byte)
    isEscaped = isInteractive && byte === escapeKey && !isEscaped
  }
  if (isInteractive) input.setRawMode(true)
  input.on("data", (chunk: Buffer) => {
    for (const byte of chunk) take(byte)
    wake()
  })
  input.on("end", () => {
    isOver = true
    wake()
  })

  return {
    read: () => bytes.shift(),
    isInteractive,
    isLeft: () => isLeft,
    wait: (milliseconds) =>
      new Promise((resolve) => {
        if (bytes.length > 0 || isOver) return resolve(bytes.length > 0)
        const timer = setTimeout(() => wake(), Math.min(milliseconds, 2 ** 31 - 1))
        wake = () => {
          clearTimeout(timer)
          wake = () => undefined
          resolve(!isOver || bytes.length > 0)
        }
      }),
    close: () => {
      if (isInteractive) input.setRawMode(false)
      input.pause()
    }
  }
}
