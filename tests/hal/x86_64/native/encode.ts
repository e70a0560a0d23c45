/** From a line of the opcode table to bytes: the notation read the other way round, by chance where it leaves a choice. */
import { decode } from "../../../../src/hal/x86_64/processor/decode.ts"
import type { Form } from "../../../../src/hal/x86_64/processor/Form.ts"
import type { Random } from "./Random.ts"

/** What addresses in the bytes are to hit. */
export interface Aim {
  /** Where the instruction lies. */
  readonly start: number
  /** An address for an operand that no register moves. */
  readonly data: (random: Random) => number
}

const userMode = { bits: 64, privilege: 3 } as const

/** An instruction of this form, as the decoder confirms. */
export const encode = (form: Form, random: Random, aim: Aim): Uint8Array => {
  for (let attempt = 0; attempt < 100; attempt++) {
    const bytes = Uint8Array.from(attemptAt(form, random, aim))
    const found = decode(bytes, 0, bytes.length, userMode)
    if (typeof found !== "string" && found.form === form && found.length === bytes.length) return bytes
  }
  throw new Error(`no encoding of ${form.opcode} ${form.name} decodes as that`)
}

const hasMemory = (form: Form): boolean =>
  form.operands.some((operand) => /^(?:rm|m|r\d+m|v?m|[xyp]\d{2}|x8)/.test(operand))

const attemptAt = (form: Form, random: Random, aim: Aim): Array<number> =>
  form.encoding.vex ? vexAttemptAt(form, random, aim) : plainAttemptAt(form, random, aim)

/** A register in ModRM.rm, which is no memory. */
const isNoMemory = (operand: string): boolean => /^[XYP]/.test(operand)

const impliedPrefixes = { NP: 0, "66": 1, F3: 2, F2: 3, any: 0 } as const

/** VEX of three bytes, or of two where those can say it. */
const vexAttemptAt = (form: Form, random: Random, aim: Aim): Array<number> => {
  const { prefix, map, rexW, opcode, vex } = form.encoding
  const isWIgnored = form.opcode.includes(".WIG ")
  const L = vex !== false && vex.L !== "ignored" ? vex.L : random.below(2)
  const mod = modrmMod(form, random)
  const usesV = form.operands.some((operand) => /^(?:r\d+b|[xy]v)$/.test(operand))
  const addressing = random.oneIn(10) ? [0x67] : random.oneIn(8) ? [0x65] : []
  const first = ((random.oneIn(2) ? random.below(8) : 7) << 5) | map
  const vvvv = usesV ? random.below(16) : 15
  const W = rexW || (isWIgnored && random.oneIn(2))
  const last = (vvvv << 3) | (L << 2) | impliedPrefixes[prefix]
  const isShort = map === 1 && !W && random.oneIn(2)
  const prefixes = isShort ? [0xc5, (random.oneIn(2) ? 0x80 : 0) | last] : [0xc4, first, (W ? 0x80 : 0) | last]
  const head = [...addressing, ...prefixes, opcode]
  const tail = immediates(form, random)
  if (form.encoding.modrm === "none") return [...head, ...tail]
  return [...head, ...modrm(form, random, aim, mod, head.length, tail.length), ...tail]
}

const plainAttemptAt = (form: Form, random: Random, aim: Aim): Array<number> => {
  const { encoding, sizes, addressWidth, lock } = form
  const withModrm = encoding.modrm !== "none"
  const wantsMemory = withModrm && hasMemory(form)
  const mod = modrmMod(form, random)
  const rexW = encoding.rexW || (!sizes.includes(32) && !sizes.includes(16)) || (sizes.includes(64) && random.oneIn(4))

  const prefixes: Array<number> = []
  if (encoding.prefix === "66" || (!rexW && !sizes.includes(32))) prefixes.push(0x66)
  if (encoding.prefix === "F2" || encoding.prefix === "F3") prefixes.push(encoding.prefix === "F2" ? 0xf2 : 0xf3)
  if (addressWidth === 32 || (addressWidth === undefined && hasMemory(form) && random.oneIn(10))) prefixes.push(0x67)
  if (hasMemory(form) && random.oneIn(8)) prefixes.push(0x65)
  if (random.oneIn(20)) prefixes.push(random.of([0x26, 0x2e, 0x36, 0x3e]))
  if (lock && wantsMemory && mod !== 3 && random.oneIn(6)) prefixes.push(0xf0)
  prefixes.sort(() => random.below(3) - 1)

  const rexBits = random.oneIn(2) ? random.below(8) : 0
  const rex = rexW ? [0x48 | rexBits] : rexBits !== 0 || random.oneIn(4) ? [0x40 | rexBits] : []
  const opcode = [...opcodeMaps[encoding.map]!, encoding.opcode + (encoding.plusRegister ? random.below(8) : 0)]
  const head = [...prefixes, ...rex, ...opcode]
  const isOffset = form.operands.some((operand) => operand.startsWith("moffs"))
  const tail = isOffset ? little(aim.data(random), prefixes.includes(0x67) ? 4 : 8) : immediates(form, random)
  if (!withModrm) return [...head, ...tail]
  return [...head, ...modrm(form, random, aim, mod, head.length, tail.length), ...tail]
}

const opcodeMaps: Readonly<Record<number, ReadonlyArray<number>>> = {
  0: [],
  1: [0x0f],
  2: [0x0f, 0x38],
  3: [0x0f, 0x3a]
}

const modrmMod = (form: Form, random: Random): number => {
  const memoryOnly = form.operands.some((operand) => /^v?m[^@]*$/.test(operand))
  const registerOnly = form.operands.some(isNoMemory) || (typeof form.encoding.modrm === "object" && !hasMemory(form))
  return registerOnly ? 3 : memoryOnly ? random.below(3) : random.oneIn(2) ? 3 : random.below(3)
}

/** ModR/M, SIB and displacement. */
const modrm = (form: Form, random: Random, aim: Aim, mod: number, before: number, after: number): Array<number> => {
  const wanted = form.encoding.modrm
  if (typeof wanted === "object" && "byte" in wanted) return [wanted.byte]
  const reg = typeof wanted === "object" ? wanted.digit : random.below(8)
  const rm = form.operands.some((operand) => operand.startsWith("vm")) ? 4 : random.below(8)
  const first = (mod << 6) | (reg << 3) | rm
  if (mod === 3) return [first]
  const sib = rm === 4 ? [random.below(256)] : []
  if (mod === 1) return [first, ...sib, random.below(256)]
  if (mod === 2) return [first, ...sib, ...little(random.oneIn(2) ? random.below(0x2000) - 0x1000 : random.bits(), 4)]
  if (rm === 5) {
    const end = aim.start + before + 5 + after
    return [first, ...little(aim.data(random) - end, 4)]
  }
  if (rm === 4 && (sib[0]! & 7) === 5) return [first, ...sib, ...little(aim.data(random), 4)]
  return [first, ...sib]
}

/** Little-endian. */
export const little = (value: number, bytes: number): Array<number> =>
  Array.from({ length: bytes }, (_, i) => Number((BigInt(value) >> BigInt(8 * i)) & 0xffn))

const sizesOfImmediates: Readonly<Record<string, number>> = { ib: 1, "/is4": 1, iw: 2, id: 4, io: 8 }

const immediates = (form: Form, random: Random): Array<number> => {
  return form.opcode.split(" ").flatMap((token) => {
    if (token === "cb") return [random.oneIn(2) ? random.below(0x60) : 0x80 + random.below(0x60)]
    if (token === "cd")
      return little(random.oneIn(4) ? random.bits() | 0 : random.of([1, -1]) * (0x40 + random.below(0x600)), 4)
    const bytes = sizesOfImmediates[token] ?? 0
    const value = random.interesting()
    return Array.from({ length: bytes }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn))
  })
}
