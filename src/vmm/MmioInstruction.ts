/**
 * MmioInstruction: what an instruction wants of a device's register, of those that compilers use on registers in memory.
 *
 * SDM vol. 2, "Opcode Map". Where the memory is, the processor has said when the instruction left the guest; what is found here is which
 * way the data goes, how wide it is, and what is done with it. Encodings are of 64-bit mode, or of 32-bit protected mode.
 */

export type Arithmetic = "add" | "or" | "adc" | "sbb" | "and" | "sub" | "xor" | "cmp" | "test"

/** Where a value comes from or goes to, that is not the memory: a general register, by its number and its lowest bit, or what the instruction says. */
export type Operand =
  | { readonly _tag: "Register"; readonly number: number; readonly high: boolean }
  | { readonly _tag: "Immediate"; readonly value: bigint }

interface Common {
  /** Bytes of the memory operand. */
  readonly bytes: 1 | 2 | 4 | 8
  /** Of the whole instruction. */
  readonly length: number
}

export type MmioInstruction = Common &
  (
    | { readonly _tag: "Store"; readonly from: Operand }
    /** `to` gets `toBytes`, extended from those of the memory. */
    | {
        readonly _tag: "Load"
        readonly to: Operand & { readonly _tag: "Register" }
        readonly toBytes: number
        readonly isSigned: boolean
      }
    /** Memory becomes memory OP operand; of `cmp` and `test` only the flags change. */
    | { readonly _tag: "Modify"; readonly operation: Arithmetic; readonly by: Operand }
    /** The register becomes register OP memory. */
    | {
        readonly _tag: "Accumulate"
        readonly operation: Arithmetic
        readonly to: Operand & { readonly _tag: "Register" }
      }
    | { readonly _tag: "Exchange"; readonly with: Operand & { readonly _tag: "Register" } }
    | { readonly _tag: "String"; readonly kind: "movs" | "stos" | "lods"; readonly repeats: boolean }
  )

/** "Instruction Prefixes" that change nothing of this: segment overrides, LOCK, REPNE. */
const ignored: ReadonlySet<number> = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0xf0, 0xf2])

const arithmetic: ReadonlyArray<Arithmetic> = ["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"]

/** @returns undefined for any other instruction, or one that goes on behind `code`. */
export const decode = (code: Uint8Array, is64Bit: boolean): MmioInstruction | undefined => {
  let at = 0
  let [operandSize, repeats, rex, addressSize] = [false, false, 0, false]
  for (; at < code.length; at++) {
    const byte = code[at]!
    if (byte === 0x66) operandSize = true
    else if (byte === 0x67) addressSize = true
    else if (byte === 0xf3) repeats = true
    else if (!ignored.has(byte)) break
  }
  if (is64Bit && (code[at]! & 0xf0) === 0x40) rex = code[at++]!
  const wide = rex & 8 ? 8 : operandSize ? 2 : 4
  let opcode = code[at++]!
  if (opcode === 0x0f) opcode = 0x0f00 | code[at++]!
  const width = (isByte: boolean): 1 | 2 | 4 | 8 => (isByte ? 1 : wide)

  /** ModR/M and what belongs to it. */
  const modrm = () => {
    const byte = code[at++]!
    const [mod, rm] = [byte >>> 6, byte & 7]
    if (mod === 3) return undefined
    if (addressSize && !is64Bit) at += mod === 1 ? 1 : mod === 2 || (mod === 0 && rm === 6) ? 2 : 0
    else {
      const base = rm === 4 ? code[at++]! & 7 : rm
      at += mod === 1 ? 1 : mod === 2 || (mod === 0 && base === 5) ? 4 : 0
    }
    return (byte >>> 3) & 7
  }
  const register = (field: number, bytes: number): Operand & { readonly _tag: "Register" } => {
    const number = field | (rex & 4 ? 8 : 0)
    const high = bytes === 1 && rex === 0 && number >= 4
    return { _tag: "Register", number: high ? number - 4 : number, high }
  }
  const accumulator: Operand & { readonly _tag: "Register" } = { _tag: "Register", number: 0, high: false }
  /** Sign-extended, as far as any operand is wide. */
  const immediate = (bytes: number): Operand => {
    let value = 0n
    for (let n = 0; n < bytes; n++) value |= BigInt(code[at++] ?? 0) << BigInt(8 * n)
    return { _tag: "Immediate", value: BigInt.asUintN(64, BigInt.asIntN(8 * bytes, value)) }
  }
  const done = <T extends object>(bytes: 1 | 2 | 4 | 8, rest: T) =>
    at <= code.length ? { ...rest, bytes, length: at } : undefined

  const isByte = (opcode & 1) === 0
  const bytes = width(isByte)
  const ofImmediate = Math.min(bytes, 4)

  if (opcode < 0x40 && (opcode & 7) < 4) {
    const field = modrm()
    if (field === undefined) return undefined
    const operation = arithmetic[opcode >>> 3]!
    const operand = register(field, bytes)
    return (opcode & 2) === 0
      ? done(bytes, { _tag: "Modify", operation, by: operand } as const)
      : done(bytes, { _tag: "Accumulate", operation, to: operand } as const)
  }
  switch (opcode) {
    case 0x80:
    case 0x81:
    case 0x83: {
      const field = modrm()
      if (field === undefined) return undefined
      const by = immediate(opcode === 0x81 ? ofImmediate : 1)
      return done(bytes, { _tag: "Modify", operation: arithmetic[field]!, by } as const)
    }
    case 0x84:
    case 0x85: {
      const field = modrm()
      return field === undefined
        ? undefined
        : done(bytes, { _tag: "Modify", operation: "test", by: register(field, bytes) } as const)
    }
    case 0x86:
    case 0x87: {
      const field = modrm()
      return field === undefined ? undefined : done(bytes, { _tag: "Exchange", with: register(field, bytes) } as const)
    }
    case 0x88:
    case 0x89: {
      const field = modrm()
      return field === undefined ? undefined : done(bytes, { _tag: "Store", from: register(field, bytes) } as const)
    }
    case 0x8a:
    case 0x8b: {
      const field = modrm()
      if (field === undefined) return undefined
      return done(bytes, { _tag: "Load", to: register(field, bytes), toBytes: bytes, isSigned: false } as const)
    }
    case 0xa0:
    case 0xa1:
    case 0xa2:
    case 0xa3: {
      at += is64Bit ? (addressSize ? 4 : 8) : addressSize ? 2 : 4
      return opcode < 0xa2
        ? done(bytes, { _tag: "Load", to: accumulator, toBytes: bytes, isSigned: false } as const)
        : done(bytes, { _tag: "Store", from: accumulator } as const)
    }
    case 0xa4:
    case 0xa5:
      return done(bytes, { _tag: "String", kind: "movs", repeats } as const)
    case 0xaa:
    case 0xab:
      return done(bytes, { _tag: "String", kind: "stos", repeats } as const)
    case 0xac:
    case 0xad:
      return done(bytes, { _tag: "String", kind: "lods", repeats } as const)
    case 0xc6:
    case 0xc7: {
      if (modrm() !== 0) return undefined
      return done(bytes, { _tag: "Store", from: immediate(ofImmediate) } as const)
    }
    case 0xf6:
    case 0xf7: {
      if (modrm() !== 0) return undefined
      return done(bytes, { _tag: "Modify", operation: "test", by: immediate(ofImmediate) } as const)
    }
    case 0x0fb6:
    case 0x0fb7:
    case 0x0fbe:
    case 0x0fbf: {
      const field = modrm()
      if (field === undefined) return undefined
      const to = register(field, wide)
      return done(opcode & 1 ? 2 : 1, { _tag: "Load", to, toBytes: wide, isSigned: opcode >= 0x0fbe } as const)
    }
  }
  return undefined
}

/** The longest instruction. */
export const mostBytes = 15

/** RFLAGS that arithmetic sets. */
const flag = { CF: 1, PF: 4, AF: 0x10, ZF: 0x40, SF: 0x80, OF: 0x800 } as const
const all = Object.values(flag).reduce((sum, one) => sum | one, 0)

/** `a` OP `b`, of so many bytes, and the flags after it. SDM vol. 1, "Status Flags". */
export const compute = (
  operation: Arithmetic,
  a: bigint,
  b: bigint,
  bytes: number,
  rflags: number
): { readonly value: bigint; readonly rflags: number } => {
  const bits = 8 * bytes
  const [x, y] = [BigInt.asUintN(bits, a), BigInt.asUintN(bits, b)]
  const carryIn = BigInt(rflags & flag.CF)
  const isSubtraction = operation === "sub" || operation === "cmp" || operation === "sbb"
  const isAddition = operation === "add" || operation === "adc"
  const carried = operation === "adc" || operation === "sbb" ? carryIn : 0n
  const wide = isAddition
    ? x + y + carried
    : isSubtraction
      ? x - y - carried
      : operation === "or"
        ? x | y
        : operation === "xor"
          ? x ^ y
          : x & y
  const value = BigInt.asUintN(bits, wide)
  const sign = 1n << BigInt(bits - 1)
  let set = value === 0n ? flag.ZF : 0
  if (value & sign) set |= flag.SF
  let parity = Number(value & 0xffn)
  parity ^= parity >>> 4
  parity ^= parity >>> 2
  parity ^= parity >>> 1
  if ((parity & 1) === 0) set |= flag.PF
  if (isAddition || isSubtraction) {
    if (wide !== value) set |= flag.CF
    if ((x ^ y ^ value) & 0x10n) set |= flag.AF
    const overflows = isAddition ? (x ^ value) & (y ^ value) : (x ^ y) & (x ^ value)
    if (overflows & sign) set |= flag.OF
  }
  return { value, rflags: (rflags & ~all) | set }
}
