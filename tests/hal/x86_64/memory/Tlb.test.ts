import { assert, describe, it } from "@effect/vitest"
import { at } from "../../../../src/hal/x86_64/processor/State.ts"
import { writeControl } from "../../../../src/hal/x86_64/system/control.ts"
import { CR4 } from "../../../../src/hal/x86_64/system/registers.ts"
import { Board, G, invlpgRbx, loadRbx, movCr, P, PS, pml4, RW, readings, stackTop, US, withTables } from "../board.ts"

const address = 0x5000_0000n
const [first, second] = [0x30_0000, 0x30_1000]
const large = 2n ** 21n
/** INVPCID RAX, [RBX] */
const invpcid = [0x66, 0x0f, 0x38, 0x82, 0x03]

describe.each(Object.entries(readings))("a translation that was used, read: %s", (_name, reading) => {
  /** `address` leads to a page with 1 in it, and RBX holds it; another page has 2 in it. */
  const aBoard = (flags = P | RW) => {
    const board = new Board(reading).identity(0, stackTop)
    board.put64(first, 1n).put64(second, 2n)
    board.map(address, first, flags)
    return board
  }
  const go = (board: Board, ...code: number[]) => {
    board.start(...code)
    withTables(board)
    return board.set("rbx", address)
  }
  /** Let RAX get what is at [RBX], while the tables say that another page is there. */
  const stale = (board: Board, flags = P | RW) => {
    assert.strictEqual(board.run(1)._tag, "Limit")
    assert.strictEqual(board.get("rax"), 1n)
    board.map(address, second, flags)
    board.set("rax", 0n)
  }

  it("stays in force until it is invalidated", () => {
    const board = go(aBoard(), ...loadRbx, ...loadRbx, ...invlpgRbx, ...loadRbx)
    stale(board)
    board.run(1)
    assert.strictEqual(board.get("rax"), 1n)
    board.run(2)
    assert.strictEqual(board.get("rax"), 2n)
  })

  it("goes with INVLPG of any address in its page", () => {
    const board = go(aBoard(), ...loadRbx, 0x0f, 0x01, 0x7b, 0x7f, ...loadRbx) // INVLPG [RBX + 7FH]
    stale(board)
    board.run(2)
    assert.strictEqual(board.get("rax"), 2n)
  })

  it("stays when another page is invalidated", () => {
    const board = go(aBoard(), ...loadRbx, 0x0f, 0x01, 0xbb, 0, 0x10, 0, 0, ...loadRbx) // INVLPG [RBX + 1000H]
    stale(board)
    board.run(2)
    assert.strictEqual(board.get("rax"), 1n)
  })

  it("of a part of a large page goes with INVLPG of any other part", () => {
    const board = go(aBoard(), ...loadRbx, 0x0f, 0x01, 0xbb, 0, 0x10, 0, 0, ...loadRbx)
    const index = Number((address / large) & 511n)
    board.entry(board.tableOf(address, 21n), index, P | RW | PS | 0x20_0000n)
    board.put64(0x20_0000, 1n).put64(0, 2n)
    board.run(1)
    assert.strictEqual(board.get("rax"), 1n)
    board.entry(board.tableOf(address, 21n), index, P | RW | PS)
    board.run(2)
    assert.strictEqual(board.get("rax"), 2n)
  })

  it("goes with a write to CR3", () => {
    const board = go(aBoard(), ...loadRbx, ...movCr(3, "rcx"), ...loadRbx).set("rcx", BigInt(pml4))
    stale(board)
    board.run(2)
    assert.strictEqual(board.get("rax"), 2n)
  })

  it("stays over a write to CR3 if it is global, and goes with CR4.PGE", () => {
    const board = go(aBoard(P | RW | G), ...loadRbx, ...movCr(3, "rcx"), ...loadRbx, ...movCr(4, "rdx"), ...loadRbx)
    board.set("rcx", BigInt(pml4)).set("rdx", BigInt(CR4.PAE | CR4.PGE))
    stale(board, P | RW | G)
    board.run(2)
    assert.strictEqual(board.get("rax"), 1n)
    board.run(2)
    assert.strictEqual(board.get("rax"), 2n)
  })

  it("may write although the page became read-only, until it is invalidated", () => {
    const board = go(aBoard(), 0x48, 0x89, 0x03, 0x48, 0x89, 0x03, ...invlpgRbx, 0x48, 0x89, 0x03)
    writeControl(board.machine.core, 0, 0x8001_0033 | 0, 0)
    board.run(1)
    board.map(address, first, P)
    board.set("rax", 9n)
    board.run(1)
    assert.strictEqual(board.get64(first), 9n)
    board.run(2)
    assert.strictEqual(board.word(at.cr2), address)
  })

  it("goes with a page fault at its page", () => {
    const board = go(aBoard(P), ...loadRbx, 0x48, 0x89, 0x03) // MOV [RBX], RAX
    writeControl(board.machine.core, 0, 0x8001_0033 | 0, 0)
    stale(board, P)
    board.run(2)
    assert.strictEqual(board.word(at.cr2), address)
    const { mmu } = board.machine.core
    assert.strictEqual(board.machine.memory.i32[mmu.read(Number(address), 0, 32) >> 2], 2)
  })

  it("that faulted is looked up anew", () => {
    const board = go(new Board(reading).identity(0, stackTop), ...loadRbx)
    board.put64(first, 1n)
    board.run(1)
    assert.strictEqual(board.word(at.cr2), address)
    board.map(address, first, P)
    board.machine.start(Number(board.get64(Number(board.get("rsp")) + 8)), pml4)
    board.set("rbx", address)
    board.run(1)
    assert.strictEqual(board.get("rax"), 1n)
  })

  describe("with PCID", () => {
    /** A second address space, at PCID 5, where `address` leads to the page with 2 in it. */
    const other = (board: Board) => {
      writeControl(board.machine.core, 4, CR4.PAE | CR4.PCIDE | CR4.PGE, 0)
      const copy = 0x7_0000
      for (let n = 0; n < 512; n++) board.entry(copy, n, board.entryAt(pml4, n))
      const pdpt = board.newTable()
      const from = Number(board.entryAt(pml4, 0) & ~0xfffn)
      for (let n = 0; n < 512; n++) board.entry(Number(pdpt), n, board.entryAt(from, n))
      board.entry(copy, 0, pdpt | 7n)
      const [pd, pt] = [board.newTable(), board.newTable()]
      board.entry(Number(pdpt), Number((address >> 30n) & 511n), pd | 7n)
      board.entry(Number(pd), Number((address >> 21n) & 511n), pt | 7n)
      board.entry(Number(pt), Number((address >> 12n) & 511n), BigInt(second) | P | RW)
      return BigInt(copy) | 5n
    }
    const keep = 1n << 63n

    it("belongs to its address space, and is there when that comes back", () => {
      const board = go(aBoard(), ...loadRbx, ...movCr(3, "rcx"), ...loadRbx, ...movCr(3, "rdx"), ...loadRbx)
      board.set("rcx", other(board) | keep).set("rdx", BigInt(pml4) | keep)
      board.run(1)
      assert.strictEqual(board.get("rax"), 1n)
      board.run(2)
      assert.strictEqual(board.get("rax"), 2n)
      board.map(address, second, P | RW)
      board.run(2)
      assert.strictEqual(board.get("rax"), 1n, "what was cached for PCID 0 is still in force")
    })

    it("goes when its address space is entered without bit 63", () => {
      const board = go(aBoard(), ...loadRbx, ...movCr(3, "rcx"), ...movCr(3, "rdx"), ...loadRbx)
      board.set("rcx", other(board) | keep).set("rdx", BigInt(pml4))
      stale(board)
      board.run(3)
      assert.strictEqual(board.get("rax"), 2n)
    })

    it.each([
      [0n, "one page", 2n],
      [1n, "one address space", 2n],
      [2n, "everything", 2n],
      [3n, "everything that is not global", 2n]
    ])("goes with INVPCID of type %s, %s", (type, _what, expected) => {
      const board = go(aBoard(), ...loadRbx, ...invpcid, 0x48, 0x8b, 0x02) // MOV RAX, [RDX]
      other(board)
      stale(board)
      board.put64(0x9000, 0n).put64(0x9008, address)
      board.set("rax", type).set("rbx", 0x9000n).set("rdx", address)
      board.run(2)
      assert.strictEqual(board.get("rax"), expected)
    })

    it("stays with INVPCID of another address space", () => {
      const board = go(aBoard(), ...loadRbx, ...invpcid, 0x48, 0x8b, 0x02)
      other(board)
      stale(board)
      board.put64(0x9000, 5n).put64(0x9008, address)
      board.set("rax", 1n).set("rbx", 0x9000n).set("rdx", address)
      board.run(2)
      assert.strictEqual(board.get("rax"), 1n)
    })
  })

  it("for writing tells who decoded from the page", () => {
    const written: number[] = []
    const board = new Board((parts) => ({ ...reading(parts), codeWritten: (page) => written.push(page) }))
    board.map(address, first, P | RW | US)
    board.machine.start(0, pml4)
    const { mmu } = board.machine.core
    const [lo, hi] = [Number(address), 0]
    const host = mmu.read(lo, hi, 64)

    mmu.write(lo, hi, 64)
    assert.deepStrictEqual(written, [])
    mmu.codeDecoded(host >>> 12)
    assert.strictEqual(mmu.modify(lo, hi, 64), at.bounce, "no write is in place from now on")
    mmu.write(lo, hi, 64)
    mmu.write(lo, hi, 64)
    assert.deepStrictEqual(written, [host >>> 12], "once")
    assert.strictEqual(mmu.modify(lo, hi, 64), host)
  })

  it("of more than 16 contexts makes room, the one not used for longest first", () => {
    const board = go(aBoard(), ...loadRbx)
    writeControl(board.machine.core, 4, CR4.PAE | CR4.PCIDE, 0)
    stale(board)
    const enter = (pcid: number) => writeControl(board.machine.core, 3, pml4 | pcid, 1 << 31)
    const { mmu } = board.machine.core
    const seen = () => board.machine.memory.i32[mmu.read(Number(address), 0, 32) >> 2]
    assert.strictEqual(seen(), 1)
    for (let pcid = 1; pcid < 16; pcid++) enter(pcid)
    enter(0)
    assert.strictEqual(seen(), 1)
    for (let pcid = 1; pcid < 17; pcid++) enter(pcid)
    enter(0)
    assert.strictEqual(seen(), 2)
  })
})
