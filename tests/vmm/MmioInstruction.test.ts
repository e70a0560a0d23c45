import { assert, describe, it } from "@effect/vitest"
import { makePlain } from "../../src/hal/x86_64/processor/plain.ts"
import { at } from "../../src/hal/x86_64/processor/State.ts"
import { type Arithmetic, compute, decode } from "../../src/vmm/MmioInstruction.ts"
import { Board, code, stackTop } from "../hal/x86_64/board.ts"
import { opinion } from "../hal/x86_64/processor/iced.ts"

/** A sequence of numbers that is the same in every run. */
const random = (seed: number) => () => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) | 0
  return seed >>> 8
}

const [carryFromRdx, pushfq, popRcx] = [[0x0f, 0xba, 0xe2, 0], [0x9c], [0x59]]

const opcodes = [
  ...Array.from({ length: 8 }, (_, n) => [8 * n, 8 * n + 1, 8 * n + 2, 8 * n + 3]).flat(),
  ...[0x80, 0x81, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0xa0, 0xa1, 0xa2, 0xa3],
  ...[0xa4, 0xa5, 0xaa, 0xab, 0xac, 0xad, 0xc6, 0xc7, 0xf6, 0xf7, 0x0fb6, 0x0fb7, 0x0fbe, 0x0fbf]
]

describe("an instruction that reaches a device's register", () => {
  it.each([64, 32] as const)("of %i-bit code is as long as a disassembler says", (bits) => {
    const next = random(bits)
    let found = 0
    for (const opcode of opcodes) {
      for (let n = 0; n < 200; n++) {
        const prefixes = [0x66, 0x67, 0xf3, 0x2e].filter(() => next() % 4 === 0)
        const rex = bits === 64 && next() % 2 === 0 ? [0x40 | (next() & 15)] : []
        const bytes = Uint8Array.from([
          ...prefixes,
          ...rex,
          ...(opcode > 0xff ? [0x0f, opcode & 0xff] : [opcode]),
          ...Array.from({ length: 15 }, () => next() & 0xff)
        ])
        const ours = decode(bytes, bits === 64)
        if (ours === undefined) continue
        const theirs = opinion(bytes, 0n, bits)
        assert.strictEqual(ours.length, theirs?.length, `${Buffer.from(bytes).toString("hex")}: ${theirs?.text}`)
        assert.match(theirs!.text, /\[/, "it has a memory operand")
        found++
      }
    }
    assert.isAbove(found, 4000)
  })

  it.each([
    ["mov [rdi], eax", [0x89, 0x07], { _tag: "Store", bytes: 4, from: { _tag: "Register", number: 0, high: false } }],
    ["mov r9b, [rax]", [0x44, 0x8a, 0x08], { _tag: "Load", bytes: 1, toBytes: 1, to: { number: 9, high: false } }],
    ["mov ah, [rax]", [0x8a, 0x20], { _tag: "Load", bytes: 1, to: { number: 0, high: true } }],
    [
      "mov qword ptr [rax], -1",
      [0x48, 0xc7, 0x00, 0xff, 0xff, 0xff, 0xff],
      { _tag: "Store", bytes: 8, from: { value: 2n ** 64n - 1n } }
    ],
    ["movsx rcx, word ptr [rax]", [0x48, 0x0f, 0xbf, 0x08], { _tag: "Load", bytes: 2, toBytes: 8, isSigned: true }],
    ["or dword ptr [rax], 1", [0x83, 0x08, 0x01], { _tag: "Modify", operation: "or", bytes: 4, by: { value: 1n } }],
    ["and edx, [rax]", [0x23, 0x10], { _tag: "Accumulate", operation: "and", bytes: 4, to: { number: 2 } }],
    ["rep stosd", [0xf3, 0xab], { _tag: "String", kind: "stos", repeats: true, bytes: 4 }]
  ])("is understood: %s", (_text, bytes, expected) => {
    assert.containSubset(decode(Uint8Array.from(bytes), true), expected)
  })

  it("that does something else, or is cut off, is not understood", () => {
    for (const bytes of [[0x0f, 0xa2], [0x8b, 0xc0], [0xff, 0x00], [0xc7, 0x00, 1], []])
      assert.isUndefined(decode(Uint8Array.from(bytes), true), `${bytes}`)
  })

  it("computes what the processor computes, flags and all", () => {
    const opcodeOf: Readonly<Record<Arithmetic, number>> = {
      add: 0x01,
      or: 0x09,
      adc: 0x11,
      sbb: 0x19,
      and: 0x21,
      sub: 0x29,
      xor: 0x31,
      cmp: 0x39,
      test: 0x85
    }
    const next = random(1)
    const edge = [0n, 1n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 0x8000_0000_0000_0000n, 2n ** 64n - 1n]
    const value = () => (next() % 2 ? edge[next() % edge.length]! : (BigInt(next()) << 40n) ^ BigInt(next()))
    for (const [operation, opcode] of Object.entries(opcodeOf) as ReadonlyArray<[Arithmetic, number]>) {
      const board = new Board(makePlain).identity(0, stackTop)
      board.start(...carryFromRdx, 0x48, opcode, 0xd8, ...pushfq, ...popRcx)
      for (let n = 0; n < 40; n++) {
        const [a, b, carry] = [value(), value(), next() & 1]
        board.machine.core.set(at.rip, code, 0)
        board
          .set("rax", a)
          .set("rbx", b)
          .set("rdx", BigInt(carry))
          .set("rsp", BigInt(stackTop - 64))
        board.machine.run(board.machine.instructions + 4)
        const ours = compute(operation, a, b, 8, 2 | carry)
        const changes = operation !== "cmp" && operation !== "test"
        assert.strictEqual(changes ? ours.value : a, board.get("rax"), operation)
        // AF is undefined after AND, OR, XOR and TEST.
        const defined = ["and", "or", "xor", "test"].includes(operation) ? 0x8c5n : 0x8d5n
        assert.strictEqual(BigInt(ours.rflags) & defined, board.get("rcx") & defined, `${operation} ${a} ${b}`)
      }
    }
  })
})
