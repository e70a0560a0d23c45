import type { Mode } from "./Meaning.ts"

/** The address size of code of this size, without and with prefix 67. */
export const addressWidthOf = (bits: Mode["bits"], address67: boolean): 16 | 32 | 64 => {
  if (bits === 64) return address67 ? 32 : 64
  return address67 === (bits === 16) ? 32 : 16
}

/**
 * Cursor: the bytes of one instruction as they are read, and what its first ones have said.
 *
 * A byte that is not there reads as 0, and `missing` remembers it.
 */
export class Cursor {
  private readonly bytes: Uint8Array
  private readonly limit: number
  /** The size of code that these bytes are. */
  readonly bits: Mode["bits"]
  position: number
  missing = false
  /** An operand names a register that does not exist, or VEX comes after what must not be before it. */
  refused = false

  // Prefixes. Of 26, 2E, 36, 3E, 64, 65 the number of the segment, or -1.
  segment = -1
  lock = false
  size66 = false
  address67 = false
  /** 0, F2 or F3: the one that came last. */
  repeat = 0
  /** 0 if there is none, or it is not the last prefix. VEX leaves its bits as REX has them. */
  rex = 0

  /** A register, which only VEX has. */
  vvvv = 0

  /** The opcode's last byte. */
  opcode = 0
  modrm = 0

  constructor(bytes: Uint8Array, start: number, limit: number, bits: Mode["bits"]) {
    this.bytes = bytes
    this.position = start
    this.limit = limit
    this.bits = bits
  }

  /** SDM vol. 1, "Operand-Size and Address-Size Attributes". */
  get addressWidth(): 16 | 32 | 64 {
    return addressWidthOf(this.bits, this.address67)
  }
  /** Of what is neither 64 bits wide by itself nor by REX.W. */
  get operandWidth(): 16 | 32 {
    return this.size66 === (this.bits === 16) ? 32 : 16
  }

  byte(): number {
    if (this.position < this.limit) return this.bytes[this.position++]!
    this.missing = true
    return 0
  }
  /** The next byte, which stays the next. */
  peek(): number {
    const byte = this.byte()
    if (!this.missing) this.position--
    return byte
  }
  /** Sign-extended, as everything of more than one byte here. */
  int8(): number {
    return (this.byte() << 24) >> 24
  }
  int16(): number {
    return ((this.byte() | (this.byte() << 8)) << 16) >> 16
  }
  int32(): number {
    return this.byte() | (this.byte() << 8) | (this.byte() << 16) | (this.byte() << 24)
  }

  /** ModR/M's fields, reg and rm with the bits that REX adds. SDM vol. 2A, "REX Prefixes". */
  get mod(): number {
    return this.modrm >> 6
  }
  get reg(): number {
    return ((this.modrm >> 3) & 7) | ((this.rex & 4) << 1)
  }
  get rm(): number {
    return (this.modrm & 7) | ((this.rex & 1) << 3)
  }
  /** The register in the opcode's low three bits. */
  get opcodeRegister(): number {
    return (this.opcode & 7) | ((this.rex & 1) << 3)
  }
}
