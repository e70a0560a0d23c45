import { assert, describe, it } from "vitest"
import { Interpreter } from "../../../../../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import type { ReadingParts } from "../../../../../src/hal/x86_64/processor/Reading.ts"
import { cause } from "../../../../../src/hal/x86_64/processor/State.ts"
import { Guest } from "../guest.ts"

const eager = (parts: ReadingParts) => new Interpreter(parts, { patience: 0 })
const code = { at: 0x40_0000n, physical: 0x10_0000, bytes: 0x2000 }
const data = { at: 0x80_0000n, physical: 0x18_0000, bytes: 0x1000 }

const guestWith = (...bytes: ReadonlyArray<number>): Guest => {
  const guest = new Guest(eager, 0x20_0000, [code, data])
  guest.put(code.at, code, Uint8Array.from(bytes))
  guest.rip = code.at
  guest.set("rbx", data.at)
  return guest
}

const incRax = [0x48, 0xff, 0xc0]
const decRcx = [0x48, 0xff, 0xc9]
const jnzTo = (offset: number) => [0x75, offset & 0xff]
const jmpTo = (offset: number) => [0xeb, offset & 0xff]
const hlt = [0xf4]

describe("the interpreter", () => {
  it("stops at the instruction that was asked for, in the middle of a block too", () => {
    const guest = guestWith(...incRax, ...incRax, ...incRax, ...jmpTo(-11))
    for (const [instructions, rax] of [
      [5, 4n],
      [1, 5n],
      [4, 8n],
      [1000, 758n]
    ] as const) {
      // biome-ignore format: pairs
      assert.strictEqual(guest.run(instructions), cause.countdown)
      assert.strictEqual(guest.get("rax"), rax)
    }
    assert.strictEqual(guest.count, 1010n)
  })

  it("stops there after millions of instructions too", () => {
    const guest = guestWith(...incRax, ...jmpTo(-5))
    guest.run(2_500_001)
    assert.deepStrictEqual([guest.rip, guest.get("rax"), guest.count], [code.at + 3n, 1_250_001n, 2_500_001n])
  })

  it("raises an exception with the state as before the instruction", () => {
    // INC RAX; ADD [RBX + 2000H], RAX
    const guest = guestWith(...incRax, 0x48, 0x01, 0x83, 0x00, 0x20, 0x00, 0x00)
    assert.strictEqual(guest.run(10), cause.fault)
    assert.deepStrictEqual([guest.rip, guest.count, guest.get("rax")], [code.at + 3n, 1n, 1n])
  })

  it("reads everything before it writes anything", () => {
    // XADD EDX, ECX, whose flags nobody sees; ADD EAX, EAX; HLT
    const guest = guestWith(0x0f, 0xc1, 0xca, 0x01, 0xc0, ...hlt)
    guest.set("rcx", 2n)
    guest.set("rdx", 0xffff_fffe_0000_0005n)
    assert.strictEqual(guest.run(10), cause.system)
    assert.deepStrictEqual([guest.get("rcx"), guest.get("rdx")], [5n, 7n])
  })

  it("runs what code has become, from the next instruction on", () => {
    // MOV BYTE [RIP + 2], C8H makes INC RAX, two instructions later, DEC RAX.
    const guest = guestWith(0xc6, 0x05, 0x02, 0x00, 0x00, 0x00, 0xc8, ...incRax, ...hlt)
    assert.strictEqual(guest.run(10), cause.system)
    assert.strictEqual(guest.get("rax"), 2n ** 64n - 1n)
  })

  it("follows a jump to where its page leads now", () => {
    // The first page jumps to the second, which counts and jumps back.
    const guest = guestWith(...[0xe9, 0xfb, 0x0f, 0x00, 0x00])
    const back = [0xe9, 0xf8, 0xef, 0xff, 0xff]
    guest.put(code.at + 0x1000n, code, Uint8Array.from([...incRax, ...back]))
    guest.run(300)
    assert.strictEqual(guest.get("rax"), 100n)
    const other = { at: code.at + 0x1000n, physical: 0x1a_0000, bytes: 0x1000 }
    guest.map(other)
    guest.put(other.at, other, Uint8Array.from([...decRcx, ...back]))
    guest.run(30)
    assert.strictEqual(guest.get("rax"), 110n, "a translation in use stays in force")
    guest.forget(other.at)
    guest.run(30)
    assert.deepStrictEqual([guest.get("rax"), guest.get("rcx")], [110n, BigInt.asUintN(64, -10n)])
  })

  it("runs an instruction that goes on in another page, as that page is now", () => {
    const guest = guestWith(...hlt)
    // NOP; MOV EAX, 12345678H over the end of the first page; back.
    guest.put(code.at + 0xffcn, code, Uint8Array.from([0x90, 0xb8, 0x78, 0x56, 0x34, 0x12, ...jmpTo(-8)]))
    guest.rip = code.at + 0xffcn
    guest.run(300)
    assert.deepStrictEqual([guest.get("rax"), guest.count], [0x1234_5678n, 300n])
    guest.put(code.at + 0x1001n, code, Uint8Array.of(0xff))
    guest.run(3)
    assert.strictEqual(guest.get("rax"), 0xff34_5678n)
    const other = { at: code.at + 0x1000n, physical: 0x1a_0000, bytes: 0x1000 }
    guest.map(other)
    guest.forget(other.at)
    guest.put(other.at, other, Uint8Array.from([0x34, 0x55, ...jmpTo(-8)]))
    guest.run(3)
    assert.strictEqual(guest.get("rax"), 0x5534_5678n)
  })

  it("counts each iteration of a repeated instruction", () => {
    // REP STOSB of 5 bytes, then none; HLT
    const guest = guestWith(0xf3, 0xaa, 0xf3, 0xaa, ...hlt)
    guest.set("rcx", 5n)
    guest.set("rdi", data.at)
    guest.run(3)
    assert.deepStrictEqual([guest.rip, guest.get("rcx"), guest.get("rdi")], [code.at, 2n, data.at + 3n])
    assert.strictEqual(guest.run(10), cause.system)
    // Five iterations, the second instruction, HLT.
    assert.strictEqual(guest.count, 7n)
  })

  it("goes on when it has no room for more blocks", () => {
    const nops = Uint8Array.from([...Array.from({ length: 63 }, () => 0x90), ...incRax])
    const guest = guestWith(...nops, ...jnzTo(-68))
    const times = 10_000
    for (let time = 0; time < times; time++) {
      guest.put(code.at, code, nops)
      guest.run(65)
    }
    assert.strictEqual(guest.get("rax"), BigInt(times))
  })
})
