/** BT, BTS, BTR, BTC, BSF, BSR, TZCNT, LZCNT, POPCNT. SDM vol. 2, the pages of the same names. */
import type { Form } from "../Form.ts"
import { carryFlag, sourceZero, zeroCount } from "../flags.ts"
import type { Machine, Meaning, Width } from "../Meaning.ts"
import { inst, sized } from "../notation.ts"

type Change = <V, B>(x: Machine<V, B>, word: V, mask: V) => V

/**
 * The bit goes to CF, and is changed.
 *
 * A bit offset in a register is signed and not limited to the operand: of a bit string in memory it selects the operand-sized
 * piece that holds the bit. SDM vol. 1, "Bit Strings"; vol. 2A, "Bit(BitBase, BitOffset)".
 */
const bitTest =
  (change?: Change): Meaning =>
  (x, base, offset) => {
    const width = base.width
    const number = x.read(offset)
    const place = x.and(number, x.constant(BigInt(width - 1)))
    const by = base.kind === "mem" && offset.kind === "reg" ? pieceAt(x, number, width) : undefined
    const word = base.kind === "mem" ? x.load(base, width, by) : x.read(base)
    if (change !== undefined) {
      const changed = change(x, word, x.shl(x.constant(1n), place))
      if (base.kind === "mem") x.store(base, changed, width, by)
      else x.write(base, changed)
    }
    x.flags(carryFlag, width, [x.and(x.shr(word, place), x.constant(1n)), x.status()])
  }

/** How many bytes after the base the piece with this bit begins. */
const pieceAt = <V, B>(x: Machine<V, B>, number: V, width: Width): V => {
  const bits = { 8: 3n, 16: 4n, 32: 5n, 64: 6n }[width]
  return x.shl(x.sar(x.signed(number, width), x.constant(bits)), x.constant(bits - 3n))
}

const bt = bitTest()
const bts = bitTest((x, word, mask) => x.or(word, mask))
const btr = bitTest((x, word, mask) => x.and(word, x.xor(mask, x.constant(-1n))))
const btc = bitTest((x, word, mask) => x.xor(word, mask))

type Found = <V, B>(x: Machine<V, B>, value: V, width: Width) => V
const lowest: Found = (x, value) => x.trailingZeros(value)
const highest: Found = (x, value) => x.sub(x.constant(63n), x.leadingZeros(value))

/** If the source is 0, the destination stays as it was, all 64 bits of it. */
const scan =
  (found: Found): Meaning =>
  (x, dest, src) => {
    const value = x.read(src)
    x.write(dest, found(x, value, src.width), x.not(x.equal(value, x.constant(0n))))
    x.flags(sourceZero, src.width, [value])
  }

const count =
  (counted: Found): Meaning =>
  (x, dest, src) => {
    const value = x.read(src)
    const result = counted(x, value, src.width)
    x.write(dest, result)
    x.flags(zeroCount, src.width, [result, value])
  }

/** The operand size where the source is 0. */
const tzcnt = count((x, value, width) => {
  const end = width === 64 ? value : x.or(value, x.constant(1n << BigInt(width)))
  return x.trailingZeros(end)
})
const lzcnt = count((x, value, width) => x.sub(x.leadingZeros(value), x.constant(BigInt(64 - width))))

const popcnt: Meaning = (x, dest, src) => {
  const value = x.read(src)
  x.write(dest, x.ones(value))
  x.flags(sourceZero, src.width, [value])
}

/** DEST := the sum, with the source's bytes added to it. */
const crc32: Meaning = (x, dest, src) =>
  x.write(dest, x.apply("crc32", x.low(x.read(dest), 32), x.read(src), x.constant(BigInt(src.width))))

const afterTest = { undefined: ["OF", "SF", "AF", "PF"] } as const
const lockable = { lock: true, ...afterTest } as const
const afterScan = { undefined: ["CF", "OF", "SF", "AF", "PF"] } as const
const afterCount = { undefined: ["OF", "SF", "AF", "PF"] } as const

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  ...sized("0F A3 /r", "bt", ["rm", "r"], bt, afterTest),
  ...sized("0F BA /4 ib", "bt", ["rm", "imm8"], bt, afterTest),
  ...sized("0F AB /r", "bts", ["rm", "r"], bts, lockable),
  ...sized("0F BA /5 ib", "bts", ["rm", "imm8"], bts, lockable),
  ...sized("0F B3 /r", "btr", ["rm", "r"], btr, lockable),
  ...sized("0F BA /6 ib", "btr", ["rm", "imm8"], btr, lockable),
  ...sized("0F BB /r", "btc", ["rm", "r"], btc, lockable),
  ...sized("0F BA /7 ib", "btc", ["rm", "imm8"], btc, lockable),

  ...sized("0F BC /r", "bsf", ["r", "rm"], scan(lowest), afterScan),
  ...sized("0F BD /r", "bsr", ["r", "rm"], scan(highest), afterScan),
  ...sized("F3 0F BC /r", "tzcnt", ["r", "rm"], tzcnt, afterCount),
  ...sized("F3 0F BD /r", "lzcnt", ["r", "rm"], lzcnt, afterCount),
  ...sized("F3 0F B8 /r", "popcnt", ["r", "rm"], popcnt),

  inst("F2 0F 38 F0 /r", "crc32", ["r32", "rm8"], crc32, { sizes: [16, 32] }),
  inst("F2 REX.W + 0F 38 F0 /r", "crc32", ["r64", "rm8"], crc32),
  inst("F2 0F 38 F1 /r", "crc32", ["r32", "rm16"], crc32, { sizes: [16] }),
  inst("F2 0F 38 F1 /r", "crc32", ["r32", "rm32"], crc32),
  inst("F2 REX.W + 0F 38 F1 /r", "crc32", ["r64", "rm64"], crc32)
]
