/** The instructions of XMM, YMM and MMX registers. */
import type { Form } from "../../Form.ts"
import { forms as crypto } from "./crypto.ts"
import { forms as float } from "./float.ts"
import { forms as fma } from "./fma.ts"
import { forms as half } from "./half.ts"
import { forms as integer } from "./integer.ts"
import { forms as masked } from "./masked.ts"
import { forms as mmx } from "./mmx.ts"
import { forms as move } from "./move.ts"
import { forms as permute } from "./permute.ts"
import { forms as shuffle } from "./shuffle.ts"
import { forms as state } from "./state.ts"
import { forms as string } from "./string.ts"

export const forms: ReadonlyArray<Form> = [
  ...float,
  ...integer,
  ...move,
  ...shuffle,
  ...permute,
  ...fma,
  ...half,
  ...masked,
  ...crypto,
  ...state,
  ...string,
  ...mmx
]
