/**
 * Engine: how the host's engine is to compile the machine.
 *
 * A system call of a program goes through some hundred small functions. By itself the engine stops putting them into one
 * another after 920 bytes; with more, a call and its answer take a sixth less.
 */
import { setFlagsFromString } from "node:v8"

const flags = ["--max-inlined-bytecode-size=1000", "--max-inlined-bytecode-size-cumulative=4000"] as const

/** To be called before there is anything to compile. */
export const prepareEngine = (): void => {
  for (const flag of flags) setFlagsFromString(flag)
}
