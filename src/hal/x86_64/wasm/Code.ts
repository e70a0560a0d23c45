import {
  constants,
  control,
  emptyBlock,
  type Load,
  loads,
  type Numeric,
  numeric,
  type Store,
  stores,
  type ValueType,
  valueTypes
} from "./instructions.ts"
import { type Simd, simd, simdPrefix, vectorMemory } from "./simd.ts"

/** Bytes that grow at their end, and the numbers of the binary format. WebAssembly Core Specification, "Values". */
export class Bytes {
  private buffer: Uint8Array<ArrayBuffer>
  length = 0

  constructor(capacity = 256) {
    this.buffer = new Uint8Array(capacity)
  }

  /** What was written so far. Later writes may or may not show in it. */
  get written(): Uint8Array<ArrayBuffer> {
    return this.buffer.subarray(0, this.length)
  }

  byte(value: number): this {
    if (this.length === this.buffer.length) this.grow(this.length + 1)
    this.buffer[this.length++] = value
    return this
  }

  append({ written }: Bytes): this {
    if (this.length + written.length > this.buffer.length) this.grow(this.length + written.length)
    this.buffer.set(written, this.length)
    this.length += written.length
    return this
  }

  /** LEB128 of a number from 0 to 2^32 - 1. */
  unsigned(value: number): this {
    let rest = value
    while (rest >= 0x80) {
      this.byte((rest & 0x7f) | 0x80)
      rest >>>= 7
    }
    return this.byte(rest)
  }

  /** Signed LEB128 of an int32. */
  signed(value: number): this {
    let rest = value
    while (rest < -0x40 || rest >= 0x40) {
      this.byte((rest & 0x7f) | 0x80)
      rest >>= 7
    }
    return this.byte(rest & 0x7f)
  }

  /** Signed LEB128 of 64 bits. */
  signed64(value: bigint): this {
    const small = Number(BigInt.asIntN(32, value))
    let rest = BigInt.asIntN(64, value)
    if (BigInt(small) === rest) return this.signed(small)
    while (rest < -0x40n || rest >= 0x40n) {
      this.byte(Number(rest & 0x7fn) | 0x80)
      rest >>= 7n
    }
    return this.byte(Number(rest & 0x7fn))
  }

  private grow(least: number) {
    const larger = new Uint8Array(Math.max(least, this.buffer.length * 2))
    larger.set(this.written)
    this.buffer = larger
  }
}

/** A function's body, or a part of one, as it is written: one method per kind of instruction. */
export class Code extends Bytes {
  numeric(name: Numeric): this {
    return this.byte(numeric[name])
  }
  select(): this {
    return this.byte(control.select)
  }
  drop(): this {
    return this.byte(control.drop)
  }
  i32(value: number): this {
    return this.byte(constants["i32.const"]).signed(value)
  }
  i64(value: bigint): this {
    return this.byte(constants["i64.const"]).signed64(value)
  }

  get(local: number): this {
    return this.byte(control["local.get"]).unsigned(local)
  }
  set(local: number): this {
    return this.byte(control["local.set"]).unsigned(local)
  }
  tee(local: number): this {
    return this.byte(control["local.tee"]).unsigned(local)
  }

  /** Memory at the address on the stack plus `offset`. Nothing is promised of alignment. */
  load(name: Load, offset = 0): this {
    return this.byte(loads[name]).unsigned(0).unsigned(offset)
  }
  store(name: Store, offset = 0): this {
    return this.byte(stores[name]).unsigned(0).unsigned(offset)
  }

  /** Vector instructions; `lane` of those that name one. */
  simd(name: Simd, lane?: number): this {
    this.byte(simdPrefix).unsigned(simd[name])
    return lane === undefined ? this : this.byte(lane)
  }
  /** The bytes of the result, by their places in two vectors. */
  shuffle(bytes: ReadonlyArray<number>): this {
    this.simd("i8x16.shuffle")
    for (const byte of bytes) this.byte(byte)
    return this
  }
  v128(value: bigint): this {
    this.byte(simdPrefix).unsigned(vectorMemory["v128.const"])
    for (let n = 0n; n < 16n; n++) this.byte(Number((value >> (8n * n)) & 0xffn))
    return this
  }
  loadVector(offset = 0): this {
    return this.byte(simdPrefix).unsigned(vectorMemory["v128.load"]).unsigned(0).unsigned(offset)
  }
  storeVector(offset = 0): this {
    return this.byte(simdPrefix).unsigned(vectorMemory["v128.store"]).unsigned(0).unsigned(offset)
  }

  block(result?: ValueType): this {
    return this.open(control.block, result)
  }
  loop(result?: ValueType): this {
    return this.open(control.loop, result)
  }
  if(result?: ValueType): this {
    return this.open(control.if, result)
  }
  else(): this {
    return this.byte(control.else)
  }
  end(): this {
    return this.byte(control.end)
  }
  /** Branches name the enclosing block that they leave (a loop: go back to), from 0, the innermost. */
  br(depth: number): this {
    return this.byte(control.br).unsigned(depth)
  }
  brIf(depth: number): this {
    return this.byte(control.br_if).unsigned(depth)
  }
  brTable(depths: ReadonlyArray<number>, otherwise: number): this {
    this.byte(control.br_table).unsigned(depths.length)
    for (const depth of depths) this.unsigned(depth)
    return this.unsigned(otherwise)
  }
  return(): this {
    return this.byte(control.return)
  }
  call(functionIndex: number): this {
    return this.byte(control.call).unsigned(functionIndex)
  }
  /** The function of the table at the index on the stack, which is of this type. */
  callIndirect(typeIndex: number): this {
    return this.byte(control.call_indirect).unsigned(typeIndex).unsigned(0)
  }
  unreachable(): this {
    return this.byte(control.unreachable)
  }

  private open(opcode: number, result: ValueType | undefined): this {
    return this.byte(opcode).byte(result === undefined ? emptyBlock : valueTypes[result])
  }
}
