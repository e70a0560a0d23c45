/**
 * The opcode map: which form an instruction's first bytes select. SDM vol. 2D, "Opcode Map".
 *
 * What selects is the opcode, the prefixes that count, and for some opcodes bits of ModR/M or REX.B. All combinations are laid out, so
 * that looking one up is two steps.
 */
import { addressWidthOf, type Cursor } from "./Cursor.ts"
import type { Form, OperandName } from "./Form.ts"
import type { Mode } from "./Meaning.ts"
import { hasGeneralRegister } from "./notation.ts"
import { operandReader, type ReadOperand } from "./operands.ts"

/** A form, ready to be read from bytes. */
export interface Line {
  readonly form: Form
  readonly operands: ReadonlyArray<ReadOperand>
  /** What ModRM.mod must say: 3 (`register`), not 3 (`memory`), or anything. */
  readonly rm: "register" | "memory" | "any"
  /** VEX.vvvv is an operand; else it must say nothing. */
  readonly vvvv: boolean
}

/** All that goes with one opcode. */
export interface Opcode {
  readonly hasModrm: boolean
  /** What of the bytes after the prefixes selects among the lines. */
  readonly selector: "nothing" | "REX.B" | "ModRM"
  /** By slot and, within each, by selector. */
  readonly lines: ReadonlyArray<Line | undefined>
}

/** The number of what the prefixes say. */
export const slotOf = ({ repeat, size66, rex, address67 }: Cursor): number =>
  (repeat === 0xf3 ? 16 : repeat === 0xf2 ? 8 : 0) | (size66 ? 4 : 0) | ((rex & 8) >> 2) | (address67 ? 1 : 0)
const slots = 24

const selectorValues = { nothing: 1, "REX.B": 2, ModRM: 128 } as const

export const lineOf = (opcode: Opcode, slot: number, { rex, modrm }: Cursor): Line | undefined => {
  switch (opcode.selector) {
    case "nothing":
      return opcode.lines[slot]
    case "REX.B":
      return opcode.lines[slot * 2 + (rex & 1)]
    case "ModRM":
      return opcode.lines[slot * 128 + selectorOfModrm(modrm)]
  }
}

/** Whether mod is 3, and reg and rm without REX. */
const selectorOfModrm = (modrm: number): number => (modrm >= 0xc0 ? 64 : 0) | (modrm & 63)

/** The number of an opcode's map: one-byte, 0F, 0F 38, 0F 3A; and those that a VEX prefix with L = 0, and one with L = 1, can name. */
export const mapNumber = (map: number, L?: 0 | 1): number => (L === undefined ? map : 4 + vexMaps * L + map)
const vexMaps = 32
const mapCount = 4 + 2 * vexMaps

/** The maps that a form is in. */
const mapsOf = ({ map, vex }: Form["encoding"]): ReadonlyArray<number> => {
  if (vex === false) return [mapNumber(map)]
  return vex.L === "ignored" ? [mapNumber(map, 0), mapNumber(map, 1)] : [mapNumber(map, vex.L)]
}

/** The opcodes of a set of forms, by map and number. Each is laid out when it is first asked for. */
export class OpcodeMap {
  private readonly forms: ReadonlyArray<Array<Array<Form>>> = Array.from({ length: mapCount }, () => [])
  private readonly laidOut: ReadonlyArray<Array<Opcode | undefined>> = Array.from({ length: mapCount }, () => [])

  private readonly bits: Mode["bits"]

  constructor(forms: ReadonlyArray<Form>, bits: Mode["bits"]) {
    this.bits = bits
    for (const form of forms) {
      const { opcode, plusRegister } = form.encoding
      for (const map of mapsOf(form.encoding))
        for (let i = opcode; i < opcode + (plusRegister ? 8 : 1); i++)
          (this.forms[map]![i] ?? this.none(map, i)).push(form)
    }
  }
  private none(map: number, opcode: number): Array<Form> {
    const none: Array<Form> = []
    this.forms[map]![opcode] = none
    return none
  }

  /** @throws if two lines claim the same encoding, and neither is more special than the other. */
  find(map: number, opcode: number): Opcode | undefined {
    const known = this.laidOut[map]?.[opcode]
    if (known !== undefined) return known
    const forms = this.forms[map]?.[opcode]
    if (forms === undefined) return undefined
    const laidOut = opcodeOf(forms, this.bits)
    this.laidOut[map]![opcode] = laidOut
    return laidOut
  }
}

const opcodeOf = (forms: ReadonlyArray<Form>, bits: Mode["bits"]): Opcode => {
  const selector = selectorFor(forms)
  const has16 = forms.some(({ sizes }) => sizes.every((size) => size === 16))
  const values = selectorValues[selector]
  const lines = new Array<Line | undefined>(slots * values).fill(undefined)
  const claims = new Array<number>(lines.length).fill(0)
  const matches = selector === "ModRM" ? matchesModrm : matchesRexB
  for (const line of forms.map(lineFor)) {
    const claimed = Array.from({ length: values }, (_, value) => value).filter((value) => matches(line, value) !== 0)
    for (let slot = 0; slot < slots; slot++) {
      const ofSlot = matchesSlot(line.form, slot, has16, bits)
      if (ofSlot === 0) continue
      for (const value of claimed) {
        const place = slot * values + value
        const claim = ofSlot + matches(line, value)
        if (claim === claims[place])
          throw new Error(`${line.form.opcode} ${line.form.name} is ${lines[place]!.form.name} as well`)
        if (claim < claims[place]!) continue
        claims[place] = claim
        lines[place] = line
      }
    }
  }
  return { hasModrm: forms.some(({ encoding }) => encoding.modrm !== "none"), selector, lines }
}

const selectorFor = (forms: ReadonlyArray<Form>): Opcode["selector"] => {
  if (forms.some((form) => typeof form.encoding.modrm === "object" || form.operands.some(isNoMemory))) return "ModRM"
  const plus = forms.filter(({ encoding }) => encoding.plusRegister).length
  return plus > 0 && plus < forms.length ? "REX.B" : "nothing"
}

/** ModRM.rm is a register, though another line may have memory there. */
const isNoMemory = (operand: OperandName): boolean => /^[XYP]/.test(operand)

const lineFor = (form: Form): Line => {
  const { operands, encoding } = form
  const digit = typeof encoding.modrm === "object" && "digit" in encoding.modrm
  const isMemory = operands.some((operand) => /^v?m(?!offs)[^@]*$/.test(operand))
  const isRegister = digit && operands.some((operand) => /^(?:r\d+|st#)$/.test(operand))
  return {
    form,
    operands: operands.map((operand) => operandReader(form, operand)),
    rm: isMemory ? "memory" : isRegister || operands.some(isNoMemory) ? "register" : "any",
    vvvv: operands.some((operand) => /^(?:r\d+b|[xy]v)$/.test(operand))
  }
}

/** What makes a line's claim to an encoding special: each counts more than all before it together. No worth at all: no claim. */
const worth = { opcode: 1, rexW: 2, digit: 4, wholeByte: 8, ownPrefix: 16 } as const

/** `has16`: the opcode has a line of 16 bits, so that 66 says the operand size, and so does the size of code. */
const matchesSlot = (
  { encoding, sizes, addressWidth, operands }: Form,
  slot: number,
  has16: boolean,
  bits: Mode["bits"]
): number => {
  const repeat = (["", "F2", "F3"] as const)[slot >> 3]
  const [size66, rexW, address67] = [(slot & 4) !== 0, (slot & 2) !== 0, (slot & 1) !== 0]
  if (addressWidth !== undefined && addressWidth !== addressWidthOf(bits, address67)) return 0
  const is66 = encoding.prefix === "66"
  const isSmall = size66 !== (bits === 16 && has16)
  // "VEX.W is ignored outside of 64-bit mode" where it is an operand size.
  const ignoresW = encoding.vex !== false && bits !== 64 && hasGeneralRegister(operands)
  if (!sizes.includes(rexW && !ignoresW ? 64 : isSmall && !is66 && encoding.vex === false ? 16 : 32)) return 0
  const special = worth.opcode + (encoding.rexW ? worth.rexW : 0)
  switch (encoding.prefix) {
    case "any":
      return special
    case "NP":
      return repeat === "" && (!size66 || (has16 && sizes.length < 3)) ? special + worth.ownPrefix : 0
    case "66":
      return repeat === "" && size66 ? special + worth.ownPrefix : 0
    default:
      return repeat === encoding.prefix ? special + worth.ownPrefix : 0
  }
}

const matchesModrm = ({ form, rm }: Line, value: number): number => {
  const isRegister = value >= 64
  if ((rm === "memory" && isRegister) || (rm === "register" && !isRegister)) return 0
  const { modrm } = form.encoding
  if (modrm === "/r") return worth.opcode
  if (modrm === "none") throw new Error(`${form.opcode} shares its opcode with lines that have ModR/M`)
  if ("digit" in modrm) return modrm.digit === ((value >> 3) & 7) ? worth.digit : 0
  return value === selectorOfModrm(modrm.byte) ? worth.wholeByte : 0
}

/**
 * An opcode that is register 0 of a line with +r as well means its own line without REX.B: 90 is NOP, 41 90 is XCHG. With a prefix of its own it
 * is its own line with REX.B as well: F3 41 90 is PAUSE.
 */
const matchesRexB = ({ form: { encoding } }: Line, rexB: number): number =>
  encoding.plusRegister ? worth.opcode : rexB === 0 || encoding.prefix === "F3" ? worth.wholeByte : 0
