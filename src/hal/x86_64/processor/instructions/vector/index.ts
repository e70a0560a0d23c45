/** The instructions of XMM registers. */
import type { Form } from "../../Form.ts"
import { forms as crypto } from "./crypto.ts"
import { forms as float } from "./float.ts"
import { forms as integer } from "./integer.ts"
import { forms as move } from "./move.ts"
import { forms as shuffle } from "./shuffle.ts"
import { forms as state } from "./state.ts"
import { forms as string } from "./string.ts"

export const forms: ReadonlyArray<Form> = [...float, ...integer, ...move, ...shuffle, ...crypto, ...state, ...string]
