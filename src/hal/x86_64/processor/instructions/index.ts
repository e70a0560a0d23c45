/** All forms: the opcode table. */
import type { Form } from "../Form.ts"
import { forms as arithmetic } from "./arithmetic.ts"
import { forms as bit } from "./bit.ts"
import { forms as bmi } from "./bmi.ts"
import { forms as decimal } from "./decimal.ts"
import { forms as doubleShift } from "./doubleShift.ts"
import { forms as exchange } from "./exchange.ts"
import { forms as far } from "./far.ts"
import { forms as flag } from "./flag.ts"
import { forms as fxsave } from "./fxsave.ts"
import { forms as jump } from "./jump.ts"
import { forms as logic } from "./logic.ts"
import { forms as move } from "./move.ts"
import { forms as multiply } from "./multiply.ts"
import { forms as nop } from "./nop.ts"
import { forms as port } from "./port.ts"
import { forms as random } from "./random.ts"
import { forms as rotate } from "./rotate.ts"
import { forms as segment } from "./segment.ts"
import { forms as shift } from "./shift.ts"
import { forms as stack } from "./stack.ts"
import { forms as string } from "./string.ts"
import { forms as system } from "./system.ts"
import { forms as vector } from "./vector/index.ts"
import { forms as vmx } from "./vmx.ts"
import { forms as x87 } from "./x87.ts"

export const forms: ReadonlyArray<Form> = [
  ...arithmetic,
  ...bit,
  ...bmi,
  ...decimal,
  ...doubleShift,
  ...exchange,
  ...far,
  ...flag,
  ...fxsave,
  ...jump,
  ...logic,
  ...move,
  ...multiply,
  ...nop,
  ...port,
  ...random,
  ...rotate,
  ...segment,
  ...shift,
  ...stack,
  ...vector,
  ...string,
  ...system,
  ...vmx,
  ...x87
]
