/** Random instructions: bytes that decode as a given form. */
import { decode } from "../../../../src/hal/x86_64/processor/decode.ts"
import type { Form } from "../../../../src/hal/x86_64/processor/Form.ts"
import type { Mode } from "../../../../src/hal/x86_64/processor/Meaning.ts"
import type { Chance } from "./chance.ts"

const escapes = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]] as const

/** Registers that programs keep addresses in are drawn more often. */
const modrmOf = (chance: Chance, reg: number): number => {
  const mod = chance.of([0, 1, 1, 2, 3, 3])
  const rm = mod === 3 ? chance.below(8) : chance.of([3, 3, 3, 6, 7, 5, 4, chance.below(8)])
  return (mod << 6) | (reg << 3) | rm
}

const prefixesOf = ({ encoding, sizes, addressWidth }: Form, chance: Chance): ReadonlyArray<number> => {
  const prefixes: Array<number> = []
  if (addressWidth === 32 || (addressWidth === undefined && chance.oneIn(20))) prefixes.push(0x67)
  if (encoding.prefix === "66" || !(sizes.includes(32) || sizes.includes(64))) prefixes.push(0x66)
  if (encoding.prefix === "F2" || encoding.prefix === "F3") prefixes.push(Number.parseInt(encoding.prefix, 16))
  if (chance.oneIn(15)) prefixes.push(chance.of([0x64, 0x65]))
  if (encoding.rexW || chance.oneIn(2))
    prefixes.push(0x40 | (encoding.rexW ? 8 : 0) | (chance.oneIn(3) ? chance.below(8) : 0))
  return prefixes
}

/** Bytes of an instruction of this form; undefined if chance made none. */
export const encode = (form: Form, mode: Mode, chance: Chance): Uint8Array | undefined => {
  const { encoding } = form
  const bytes: Array<number> = [...prefixesOf(form, chance), ...escapes[encoding.map]]
  bytes.push(encoding.opcode | (encoding.plusRegister ? chance.below(8) : 0))
  if (encoding.modrm === "/r") bytes.push(modrmOf(chance, chance.below(8)))
  else if (encoding.modrm !== "none")
    bytes.push("byte" in encoding.modrm ? encoding.modrm.byte : modrmOf(chance, encoding.modrm.digit))
  // Displacements and constants: small ones are more telling than any.
  const small = chance.oneIn(2)
  while (bytes.length < 15) bytes.push(small ? chance.of([0, 0, 0, 1, 8, 0xff, 0x7f]) : chance.below(256))
  const found = decode(Uint8Array.from(bytes), 0, 15, mode)
  return typeof found === "string" || found.form !== form ? undefined : Uint8Array.from(bytes.slice(0, found.length))
}
