/** The instructions of XMM registers. */
import type { Form } from "../../Form.ts"
import { forms as float } from "./float.ts"
import { forms as integer } from "./integer.ts"
import { forms as move } from "./move.ts"
import { forms as shuffle } from "./shuffle.ts"

export const forms: ReadonlyArray<Form> = [...float, ...integer, ...move, ...shuffle]
