import type { Instruction } from "./Instruction.ts"
import type { Mode } from "./Meaning.ts"

/** Why bytes are no instruction: #UD; longer than 15 bytes, #GP(0); or the first `end - start` bytes do not show it yet. */
export type NoInstruction = "invalid" | "tooLong" | "incomplete"

/** The instruction in the bytes from `start`, of which there are `end` - `start`. */
export type Decode = (bytes: Uint8Array, start: number, end: number, mode: Mode) => Instruction | NoInstruction
