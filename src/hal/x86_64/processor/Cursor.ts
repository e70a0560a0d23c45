/**
 * Cursor: the bytes of one instruction as they are read, and what its first ones have said.
 *
 * A byte that is not there reads as 0, and `missing` remembers it.
 */
export class Cursor {
  private readonly bytes: Uint8Array
  private readonly limit: number
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

  // What only VEX has: a register, and the length of vectors.
  vvvv = 0
  vectorLength = 0

  /** The opcode's last byte. */
  opcode = 0
  modrm = 0

  constructor(bytes: Uint8Array, start: number, limit: number) {
    this.bytes = bytes
    this.position = start
    this.limit = limit
  }

  byte(): number {
    if (this.position < this.limit) return this.bytes[this.position++]!
    this.missing = true
    return 0
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
