/**
 * The notation of the opcode tables: SDM vol. 2A, "Interpreting the Instruction Reference Pages". Of the opcode column:
 *
 *     REX.W +             the operand size is 64 (after a prefix: F3 REX.W + 0F B8 /r)
 *     NP                  neither F2 nor F3 goes with it, nor 66 where it is not the operand size
 *     66, F2, F3          a prefix that is part of the opcode. Without any of these, F2 and F3 are ignored where no line claims them
 *     /digit              ModR/M; its reg field is part of the opcode
 *     /r                  ModR/M; its reg field is an operand
 *     CA (of 0F 01 CA)    after an opcode that has ModR/M: that byte, whole
 *     +rb +rw +rd         the opcode's low three bits are an operand
 *     ib iw id io         an immediate of 1, 2, 4, 8 bytes, in the order of the operands; cb cw cd  a branch displacement, or a far pointer (cd cp)
 *     VEX.LZ.66.0F38.W0   a VEX prefix with L = 0 (128 as well; 256: L = 1; LIG: any), the prefix that it stands for (or none), the map, and W
 *                         (WIG: any); of general registers, W is an operand size of 32, or 64
 *     /is4                a constant of 1 byte, whose upper half is an operand
 */
import type { Encoding, Form, OperandName, Undefined } from "./Form.ts"
import type { Meaning } from "./Meaning.ts"

/** What a line has besides; by default: valid wherever what it names is, no LOCK, any privilege. */
export interface Remarks {
  readonly long?: false
  readonly legacy?: boolean
  readonly real?: false
  readonly lock?: true
  readonly privileged?: true
  readonly addressWidth?: 16 | 32 | 64
  /** "The operand size is forced to 64 bits in 64-bit mode": 66 changes nothing. SDM vol. 2D, "Superscripts Utilized in Opcode Tables", f64. */
  readonly f64?: true
  /** The operand sizes of a line that has no general operand to tell them. */
  readonly sizes?: Form["sizes"]
  readonly undefined?: ReadonlyArray<Undefined>
  readonly popped?: true
}

/** One line of the manual. */
export const inst = (
  opcode: string,
  name: string,
  operands: ReadonlyArray<OperandName>,
  meaning: Meaning,
  remarks: Remarks = {}
): Form => {
  const encoding = encodingOf(opcode)
  const sizes = remarks.f64 || opcode.includes(".WIG ") ? allSizes : (remarks.sizes ?? sizesOf(encoding, operands))
  return {
    opcode,
    name,
    operands,
    meaning,
    long: remarks.long ?? remarks.addressWidth !== 16,
    legacy: remarks.legacy ?? !isOnlyLong(encoding, operands, remarks),
    real: remarks.real ?? encoding.vex === false,
    lock: remarks.lock ?? false,
    privileged: remarks.privileged ?? false,
    addressWidth: remarks.addressWidth,
    sizes,
    undefined: remarks.undefined ?? [],
    popped: remarks.popped ?? false,
    encoding
  }
}

/** Operands of `sized`: "r", "rm", "ax" and "imm" (of 64: imm32, sign-extended) get their size. */
export type SizedOperandName = OperandName | "r" | "rm" | "ax" | "imm"

/** The lines that the manual has for an operand of 16, 32 and 64 bits; "iz" in the opcode is an immediate of that size, at most 4 bytes. */
export const sized = (
  opcode: string,
  name: string,
  operands: ReadonlyArray<SizedOperandName>,
  meaning: Meaning,
  remarks: Remarks = {}
): ReadonlyArray<Form> =>
  allSizes.map((size) =>
    inst(
      withSize(size === 64 ? withRexW(opcode) : opcode, size),
      name,
      operands.map((o) => operandOfSize(o, size)),
      meaning,
      remarks
    )
  )

/** The same for instructions whose operand size is 64 in 64-bit mode without REX.W, and never 32: d64. */
export const stackSized = (
  opcode: string,
  name: string,
  operands: ReadonlyArray<SizedOperandName>,
  meaning: Meaning,
  remarks: Remarks = {}
): ReadonlyArray<Form> =>
  ([16, 64] as const).map((size) =>
    inst(
      withSize(opcode, size),
      name,
      operands.map((o) => operandOfSize(o, size)),
      meaning,
      remarks
    )
  )

/** The lines of W0 and W1 of an instruction with VEX, which has ".W" for them; "r", "rb" and "rm" get their size. */
export const vexSized = (
  opcode: string,
  name: string,
  operands: ReadonlyArray<SizedOperandName | "rb">,
  meaning: Meaning,
  remarks: Remarks = {}
): ReadonlyArray<Form> =>
  ([32, 64] as const).map((size) =>
    inst(
      opcode.replace(".W ", size === 64 ? ".W1 " : ".W0 "),
      name,
      operands.map((operand): OperandName => (operand === "rb" ? `r${size}b` : operandOfSize(operand, size))),
      meaning,
      remarks
    )
  )

const allSizes = [16, 32, 64] as const

/** REX.W goes after a prefix that is part of the opcode. */
const withRexW = (opcode: string): string => opcode.replace(/^(NP |66 |F2 |F3 )?/, "$1REX.W + ")
const withSize = (opcode: string, size: 16 | 32 | 64): string => opcode.replace("iz", size === 16 ? "iw" : "id")

const accumulators = { 16: "ax", 32: "eax", 64: "rax" } as const
const immediates = { 16: "imm16", 32: "imm32", 64: "simm32" } as const

const operandOfSize = (operand: SizedOperandName, size: 16 | 32 | 64): OperandName => {
  switch (operand) {
    case "r":
    case "rm":
      return `${operand}${size}`
    case "ax":
      return accumulators[size]
    case "imm":
      return immediates[size]
    default:
      return operand
  }
}

/** General registers, and addresses, of 64 bits are in 64-bit mode alone; what is only memory (m64) may be a vector's or the FPU's. */
const isOnlyLong = (
  { rexW, vex }: Encoding,
  operands: ReadonlyArray<OperandName>,
  { addressWidth }: Remarks
): boolean =>
  (rexW && (vex === false || hasGeneralRegister(operands))) ||
  addressWidth === 64 ||
  operands.some((operand) => /^(?:r|rm|R|moffs|imm)64|^m16.64|^m64@r/.test(operand))

/** An operand is a general register, or may be. */
export const hasGeneralRegister = (operands: ReadonlyArray<OperandName>): boolean =>
  operands.some((operand) => /^rm?\d/.test(operand))

/** The operand sizes that a line is for: what its first general operand says. One of 64 bits without REX.W has that size by default. */
const sizesOf = ({ rexW, vex }: Encoding, operands: ReadonlyArray<OperandName>): Form["sizes"] => {
  if (rexW) return [64]
  if (vex !== false) return [32]
  const size = operands.map(generalSize).find((width) => width !== undefined)
  return size === undefined ? allSizes : size === 64 ? [32, 64] : [size]
}

const generalSize = (operand: OperandName): 16 | 32 | 64 | undefined => {
  const size = /^(?:r|rm|m|moffs)(16|32|64)(?:@.*|m(?:8|16|32))?$/.exec(operand)?.[1]
  if (size !== undefined) return Number(size) as 16 | 32 | 64
  return operand === "ax" ? 16 : operand === "eax" ? 32 : operand === "rax" ? 64 : undefined
}

const maps: Readonly<Record<string, Encoding["map"]>> = { "": 0, "0F": 1, "0F38": 2, "0F3A": 3 }

/** @throws if the opcode column is not in the notation above. */
const encodingOf = (column: string): Encoding => {
  const vex = column.startsWith("VEX")
  const parts = column.match(vex ? vexPattern : columnPattern)?.groups
  if (parts === undefined) throw new Error(`"${column}" is not in the manual's notation`)
  const { prefix = vex ? "NP" : "any", rexW, map = "", opcode, plusRegister, modrm, length } = parts
  return {
    prefix: prefix as Encoding["prefix"],
    rexW: rexW === "REX.W" || rexW === "1",
    vex: length === undefined ? false : { L: length === "LIG" ? "ignored" : length === "256" ? 1 : 0 },
    map: maps[map.replace(" ", "")]!,
    opcode: Number.parseInt(opcode!, 16),
    plusRegister: plusRegister !== undefined,
    modrm: modrmOf(modrm)
  }
}

const columnPattern =
  /^(?:(?<prefix>NP|66|F2|F3) )?(?:(?<rexW>REX\.W) (?:\+ )?)?(?:(?<map>0F(?: 38| 3A)?) )?(?<opcode>[0-9A-F]{2})(?<plusRegister>\+r[bwdo])?(?: (?<modrm>\/[r0-7]|[0-9A-F]{2}))?(?: [ic][bwdop])*$/
const vexPattern =
  /^VEX\.(?<length>LZ|LIG|128|256)\.(?:(?<prefix>66|F2|F3)\.)?(?<map>0F(?:38|3A)?)\.W(?<rexW>[01]|IG) (?<opcode>[0-9A-F]{2})(?: (?<modrm>\/[r0-7]))?(?: ib| \/is4)?$/

const modrmOf = (text: string | undefined): Encoding["modrm"] => {
  if (text === undefined) return "none"
  if (text === "/r") return text
  return text.startsWith("/") ? { digit: Number(text[1]) } : { byte: Number.parseInt(text, 16) }
}
