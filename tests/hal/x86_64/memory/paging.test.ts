import { assert, describe, it } from "@effect/vitest"
import {
  access,
  fiveLevel,
  fourLevel,
  newWalk,
  noRules,
  type Rules,
  thirtyTwoBit,
  trace,
  walk
} from "../../../../src/hal/x86_64/memory/paging.ts"
import { Board, P, PS, pml4, RW, US, XD } from "../board.ts"

const rules: Rules = { WP: true, SMEP: true, SMAP: true, NXE: true, PKE: true, PKS: true }
const off: Rules = noRules
/** Key 1 may not be accessed, key 2 may not be written: of user pages; of supervisor pages keys 3 and 4. */
const keys = { user: 0b1001_00, supervisor: 0b10_0100_0000 }
const keyed = (key: bigint): bigint => key << 59n

const read = 0
const { write, user, fetch } = access
const page = 0x5000
const address = 0x7f00_1234_5678n

const halves = (a: bigint) => [Number(BigInt.asIntN(32, a)), Number(BigInt.asIntN(32, a >> 32n))] as const

interface Case {
  readonly says: string
  /** Flags of the entry that maps the page. */
  readonly flags: bigint
  readonly kind: number
  readonly rules?: Rules
  /** RFLAGS.AC */
  readonly open?: boolean
  /** The error code, or -1. */
  readonly code: number
}

// biome-ignore format: a case, a line
const cases: readonly Case[] = [
  { says: "a page that is not present",                               flags: 0n,          kind: read,          code: 0b0_0000 },
  { says: "the same, written by a program",                           flags: 0n,          kind: write | user,  code: 0b0_0110 },
  { says: "the same, fetched by a program",                           flags: 0n,          kind: fetch | user,  code: 0b1_0100 },
  { says: "the same, fetched where nothing can forbid fetching",      flags: 0n,          kind: fetch, rules: off, code: 0b0_0000 },
  { says: "a supervisor page, read by the supervisor",                flags: P,           kind: read,          code: -1 },
  { says: "a supervisor page, read by a program",                     flags: P,           kind: read | user,   code: 0b0_0101 },
  { says: "a supervisor page, fetched by a program",                  flags: P,           kind: fetch | user,  code: 0b1_0101 },
  { says: "a user page, read by a program",                           flags: P | US,      kind: read | user,   code: -1 },
  { says: "a user page, written by a program without R/W",            flags: P | US,      kind: write | user,  code: 0b0_0111 },
  { says: "a user page, written by a program with R/W",               flags: P | US | RW, kind: write | user,  code: -1 },
  { says: "a read-only page, written by the supervisor with WP",      flags: P,           kind: write,         code: 0b0_0011 },
  { says: "a read-only page, written by the supervisor without WP",   flags: P,           kind: write, rules: { ...rules, WP: false }, code: -1 },
  { says: "a read-only user page, written without WP and SMAP",       flags: P | US,      kind: write, rules: { ...rules, WP: false, SMAP: false }, code: -1 },
  { says: "a user page, read by the supervisor with SMAP",            flags: P | US,      kind: read,          code: 0b0_0001 },
  { says: "a user page, read by the supervisor with SMAP and AC",     flags: P | US,      kind: read, open: true, code: -1 },
  { says: "a user page, read by the supervisor without SMAP",         flags: P | US,      kind: read, rules: { ...rules, SMAP: false }, code: -1 },
  { says: "a user page, written by the supervisor with SMAP",         flags: P | US | RW, kind: write,         code: 0b0_0011 },
  { says: "a user page, fetched by the supervisor with SMEP",         flags: P | US,      kind: fetch,         code: 0b1_0001 },
  { says: "the same with AC, which is not about fetching",            flags: P | US,      kind: fetch, open: true, code: 0b1_0001 },
  { says: "a user page, fetched by the supervisor without SMEP",      flags: P | US,      kind: fetch, rules: { ...rules, SMEP: false }, code: -1 },
  { says: "a page with XD, fetched",                                  flags: P | XD,      kind: fetch,         code: 0b1_0001 },
  { says: "a page with XD, read",                                     flags: P | XD,      kind: read,          code: -1 },
  { says: "a user page with XD, fetched by a program",                flags: P | US | XD, kind: fetch | user,  code: 0b1_0101 },
  { says: "XD where it is reserved, read",                            flags: P | XD,      kind: read, rules: { ...rules, NXE: false }, code: 0b0_1001 },
  { says: "XD without NXE, fetched where SMEP alone forbids fetching", flags: P, kind: fetch | user, rules: { ...rules, NXE: false }, code: 0b1_0101 },
  { says: "a user page whose key forbids all, read by a program",     flags: P | US | RW | keyed(1n), kind: read | user,  code: 0b10_0101 },
  { says: "the same, fetched: keys are about data",                   flags: P | US | RW | keyed(1n), kind: fetch | user, code: -1 },
  { says: "the same, read by the supervisor with AC",                 flags: P | US | RW | keyed(1n), kind: read, open: true, code: 0b10_0001 },
  { says: "the same without PKE",                                     flags: P | US | RW | keyed(1n), kind: read | user, rules: { ...rules, PKE: false }, code: -1 },
  { says: "a user page whose key forbids writing, read by a program", flags: P | US | RW | keyed(2n), kind: read | user,  code: -1 },
  { says: "the same, written by a program",                           flags: P | US | RW | keyed(2n), kind: write | user, code: 0b10_0111 },
  { says: "the same, written by a program without WP",                flags: P | US | RW | keyed(2n), kind: write | user, rules: { ...rules, WP: false }, code: 0b10_0111 },
  { says: "the same, written by the supervisor without WP",           flags: P | US | RW | keyed(2n), kind: write, open: true, rules: { ...rules, WP: false }, code: -1 },
  { says: "the same, written by the supervisor with WP",              flags: P | US | RW | keyed(2n), kind: write, open: true, code: 0b10_0011 },
  { says: "a read-only page whose key forbids all, written",          flags: P | US | keyed(1n),      kind: write | user, code: 0b10_0111 },
  { says: "a supervisor page whose key PKRU forbids",                 flags: P | RW | keyed(1n),      kind: write, code: -1 },
  { says: "a supervisor page whose key IA32_PKRS forbids",            flags: P | RW | keyed(3n),      kind: read,  code: 0b10_0001 },
  { says: "a supervisor page whose key forbids writing",              flags: P | RW | keyed(4n),      kind: write, code: 0b10_0011 },
  { says: "the same, without PKS",                                    flags: P | RW | keyed(4n),      kind: write, rules: { ...rules, PKS: false }, code: -1 },
  { says: "the same, written by a program, which is refused anyway",  flags: P | RW | keyed(4n),      kind: write | user, code: 0b10_0111 },
  { says: "an address above MAXPHYADDR",                              flags: P | (1n << 40n), kind: read,      code: 0b0_1001 },
  { says: "the same, written by a program",                           flags: P | US | RW | (1n << 51n), kind: write | user, code: 0b0_1111 }
]

const aWalk = (board: Board, kind: number, asked = rules, open = false) => {
  const result = newWalk()
  const [lo, hi] = halves(address)
  const space = { format: fourLevel, root: pml4, registers: new Int32Array(8), rules: asked, keys }
  return walk(board.machine.memory, space, lo, hi, kind, open, result) ? { ...result, errorCode: -1 } : result
}

describe("a walk", () => {
  it.each(cases)("to $says", ({ flags, kind, rules: asked, open, code }) => {
    const board = new Board()
    board.map(address, page, flags)

    assert.strictEqual(aWalk(board, kind, asked, open).errorCode, code)
  })

  it.each([39n, 30n, 21n])("heeds the rights of the entry at bit %s", (shift) => {
    const board = new Board()
    board.map(address, page, P | US | RW)
    const table = board.tableOf(address, shift)
    const index = Number((address >> shift) & 511n)
    const entry = board.entryAt(table, index)

    board.entry(table, index, entry & ~RW)
    assert.strictEqual(aWalk(board, write | user).errorCode, 0b0_0111)
    board.entry(table, index, entry & ~US)
    assert.strictEqual(aWalk(board, read | user).errorCode, 0b0_0101)
    board.entry(table, index, entry | XD)
    assert.strictEqual(aWalk(board, fetch | user).errorCode, 0b1_0101)
    board.entry(table, index, entry & ~P)
    assert.strictEqual(aWalk(board, read | user).errorCode, 0b0_0100)
  })

  it("finds the page", () => {
    const board = new Board()
    board.map(address, page, P | US)

    assert.deepInclude(aWalk(board, user), { page: page >> 12, bits: 12, global: false })
  })

  it("finds the part of a 2-MByte page", () => {
    const board = new Board()
    board.entry(board.tableOf(address, 21n), Number((address >> 21n) & 511n), 0x4000_0000n | P | US | PS)

    assert.deepInclude(aWalk(board, user), { page: 0x4000_0 + Number((address >> 12n) & 511n), bits: 21 })
  })

  it("finds the part of a 1-GByte page", () => {
    const board = new Board()
    board.entry(board.tableOf(address, 30n), Number((address >> 30n) & 511n), 0xc_4000_0000n | P | US | PS)

    assert.deepInclude(aWalk(board, user), { page: 0xc4_0000 + Number((address >> 12n) & 0x3_ffffn), bits: 30 })
  })

  it.each([
    [21n, 1n << 13n],
    [21n, 1n << 20n],
    [30n, 1n << 13n],
    [30n, 1n << 29n]
  ])("refuses a large page at bit %s with bit %s in its address", (shift, bit) => {
    const board = new Board()
    board.entry(board.tableOf(address, shift), Number((address >> shift) & 511n), bit | P | US | PS)

    assert.strictEqual(aWalk(board, user).errorCode, 0b0_1101)
  })

  it("finds a 4-MByte page above 4 GiB by bits 20:13 of its entry, of which bit 21 is reserved", () => {
    const board = new Board()
    const put = (entry: number) => board.view.setUint32(pml4 + (0x1234_5678 >>> 22) * 4, entry, true)
    const walks = () => {
      const result = newWalk()
      const space = { format: thirtyTwoBit, root: pml4, registers: new Int32Array(8), rules, keys }
      const isFound = walk(board.machine.memory, space, 0x1234_5678, 0, user, false, result)
      return isFound ? result.page : -result.errorCode
    }
    put(0x4000_0000 | (0xa5 << 13) | Number(P | US | PS))
    assert.strictEqual(walks(), 0xa54_0345)
    put(0x4000_0000 | (1 << 21) | Number(P | US | PS))
    assert.strictEqual(walks(), -0b0_1101)
  })

  it("begins with a fifth table, by bits 56:48, where addresses have 57 bits", () => {
    const board = new Board()
    board.map(address, page, P | US)
    const [wide, root] = [address | (0x0a5n << 48n), Number(board.newTable())]
    board.entry(root, 0xa5, BigInt(pml4) | 7n)
    const space = { format: fiveLevel, root, registers: new Int32Array(8), rules, keys }
    const result = newWalk()

    assert.isTrue(walk(board.machine.memory, space, ...halves(wide), user, false, result))
    assert.strictEqual(result.page, page >> 12)
    assert.isFalse(walk(board.machine.memory, space, ...halves(address), user, false, result))
    assert.deepStrictEqual(
      trace(board.machine.memory, fiveLevel, root, ...halves(wide)).map(({ entry }) => entry),
      ["PML5E", "PML4E", "PDPTE", "PDE", "PTE"]
    )
  })

  it("that only looks sets no flag, and says which there are", () => {
    const board = new Board()
    board.map(address, page, P | US | RW)
    const before = board.machine.memoryHash()
    const space = { format: fourLevel, root: pml4, registers: new Int32Array(8), rules, keys }
    const result = newWalk()

    assert.isTrue(walk(board.machine.memory, space, ...halves(address), user | write, false, result, false))
    assert.deepInclude(result, { page: page >> 12, flags: 0 })
    assert.strictEqual(board.machine.memoryHash(), before)
  })

  it("refuses PS in a PML4E", () => {
    const board = new Board()
    board.map(address, page, P | US)
    const index = Number((address >> 39n) & 511n)
    board.entry(pml4, index, board.entryAt(pml4, index) | PS)

    assert.strictEqual(aWalk(board, user).errorCode, 0b0_1101)
  })

  it("sets A in every entry, and D in the last when it is for writing", () => {
    const board = new Board()
    board.map(address, page, P | US | RW)
    const low = () => trace(board.machine.memory, fourLevel, pml4, ...halves(address)).map((step) => step.low & 0x60)

    aWalk(board, user)
    assert.deepStrictEqual(low(), [0x20, 0x20, 0x20, 0x20])
    aWalk(board, user | write)
    assert.deepStrictEqual(low(), [0x20, 0x20, 0x20, 0x60])
  })

  it("that faults changes no entry", () => {
    const board = new Board()
    board.map(address, page, P)
    const before = board.machine.memoryHash()

    assert.notStrictEqual(aWalk(board, user | write).errorCode, -1)
    assert.strictEqual(board.machine.memoryHash(), before)
  })

  it("through tables where no RAM is finds ones, which are reserved bits", () => {
    const board = new Board()
    board.entry(pml4, Number((address >> 39n) & 511n), 0x8000_0000n | P | US | RW)

    assert.strictEqual(aWalk(board, user).errorCode, 0b0_1101)
  })
})
