/** Guests that ask for a reset. */
import { assert, describe, it } from "@effect/vitest"
import { greeting } from "../../src/vmm/guest/greeting.ts"
import { count, exitWith, flat, out, put, real, store, until, whileBelow, word } from "./code.ts"
import { run } from "./machine.ts"

const MiB = 2 ** 20
/** Far more instructions than any of them takes. */
const limit = 2e8
const times = 0x9000
const start = 0x10_0000

const ending = (result: ReturnType<typeof run>) => {
  assert.deepStrictEqual(result.notes, [])
  return result.reports.find(({ name }) => name === "guest1")?.ending
}
const exit = (value: number) => ({ _tag: "Exit", status: 2 * value + 1 }) as const

const hlt = 0xf4
/** CF9H: "RST_CPU" with "SYS_RST". */
const reset = [...out(0xcf9, 6), hlt]
/** LIDT of a table of no entries; INT3. */
const tripleFault = [...put(0x8000, [0, 0, 0, 0, 0, 0]), 0x0f, 0x01, 0x1d, 0, 0x80, 0, 0, 0xcc]

/** It counts in memory how often it has begun, and asks for a reset until that is three times. */
const until3 = (...how: readonly number[]) => flat(...count(times), ...whileBelow(times, 3, how), ...exitWith(times))

describe("a guest's reset", { timeout: 120_000 }, () => {
  it.each([
    ["port CF9H", reset],
    ["the keyboard controller", [...out(0x64, 0xfe), hlt]],
    ["a triple fault, where it is to be one", tripleFault]
  ])("by %s starts it again in the same memory, and another does not notice", (_how, how) => {
    const result = run({
      limit,
      guests: [{ ...until3(...how), onTripleFault: "reset" }, { payload: { _tag: "Flat", bytes: greeting } }]
    })
    assert.deepStrictEqual(ending(result), exit(3))
    assert.include(result.seen, "guest2 | It powers off.")
    const late = /late by at most (\d+) ns/.exec(result.seen)
    assert.isBelow(Number(late?.[1]), 10_000)
  })

  it("ends it where that is asked for", () => {
    assert.deepStrictEqual(ending(run({ limit, guests: [{ ...flat(...reset), onReset: "end" }] })), { _tag: "Reset" })
  })

  it("writes its files again where it has written", () => {
    // Its own first instructions become HLT.
    const code = [
      ...count(times),
      ...whileBelow(times, 2, [...store(start, 0xf4f4_f4f4), ...reset]),
      ...exitWith(times)
    ]
    assert.deepStrictEqual(ending(run({ limit, guests: [flat(...code)] })), exit(2))
  })

  it("leaves nothing of its chips and registers", () => {
    // XOR of what a reset makes 0: EBX, ESI, and the masks of the 8259A's first chip as firmware leaves them (FAH), at 9010H.
    const changes = [0xbb, 1, 2, 3, 4, 0xbe, 5, 6, 7, 8, ...out(0x21, 0x55), ...reset]
    const looks = [0xba, 0x21, 0, 0, 0, 0x31, 0xc0, 0xec, 0x34, 0xfa, 0x09, 0xd8, 0x09, 0xf0, 0xa3, 0x10, 0x90, 0, 0]
    const code = [...count(times), ...whileBelow(times, 2, changes), ...looks, ...exitWith(0x9010)]
    assert.deepStrictEqual(ending(run({ limit, guests: [flat(...code)] })), exit(0))
  })

  it("leaves nothing of the registers that a processor does not switch by itself", () => {
    const at = 0x9010
    // MOV EAX, imm32 and EDX, which WRMSR, DR0 and XMM1 take.
    const eax = (value: number) => [0xb8, ...word(value)]
    const ecx = (value: number) => [0xb9, ...word(value)]
    const msrs = [0xc000_0081, 0xc000_0082, 0xc000_0083, 0xc000_0084, 0xc000_0102, 0xc000_0103]
    const osfxsr = [...eax(0x200), 0x0f, 0x22, 0xe0]
    const writeMsr = (register: number) => [...ecx(register), ...eax(0x1234_5670), 0x31, 0xd2, 0x0f, 0x30]
    // MOV DR0..DR3, EAX; MOV CR2, EAX; MOVD XMM1, EAX; FLD1; LDMXCSR of 1FA0H.
    const changes = [
      ...[...msrs.flatMap(writeMsr), ...osfxsr, ...eax(0x1234_5670)],
      ...[0, 1, 2, 3].flatMap((n) => [0x0f, 0x23, 0xc0 | (n << 3)]),
      ...[0x0f, 0x22, 0xd0, 0x66, 0x0f, 0x6e, 0xc8, 0xd9, 0xe8],
      ...[...store(0x9020, 0x1fa0), 0x0f, 0xae, 0x15, ...word(0x9020), ...reset]
    ]
    // OR of what a reset makes 0, in memory: OR [at], EAX.
    const or = [0x09, 0x05, ...word(at)]
    const readMsr = (register: number) => [...ecx(register), 0x0f, 0x32, ...or]
    // XOR EAX, imm32: MXCSR (STMXCSR), and the status and control words (FNSTSW AX, FNSTCW).
    const looks = [
      ...[...store(at, 0), ...osfxsr, ...msrs.flatMap(readMsr)],
      ...[0, 1, 2, 3].flatMap((n) => [0x0f, 0x21, 0xc0 | (n << 3), ...or]),
      ...[0x0f, 0x20, 0xd0, ...or, 0x66, 0x0f, 0x7e, 0xc8, ...or],
      ...[0x0f, 0xae, 0x1d, ...word(0x9020), 0xa1, ...word(0x9020), 0x35, ...word(0x1f80), ...or],
      ...[0x31, 0xc0, 0xdf, 0xe0, ...or],
      // RDTSCP: ECX; MOV EAX, ECX.
      ...[0x0f, 0x01, 0xf9, 0x89, 0xc8, ...or]
    ]
    const code = [...count(times), ...whileBelow(times, 2, changes), ...looks, ...exitWith(at)]
    assert.deepStrictEqual(ending(run({ limit, guests: [flat(...code)] })), exit(0))
  })

  it("leaves no translation of the page tables that it had", () => {
    // 4 MiB pages: 400000H is at 800000H, and is global. CR3; CR4.PSE, PGE; CR0.PG.
    const tables = [...store(0xb000, 0x83), ...store(0xb004, 0x80_0183)]
    const on = [
      ...[0xb8, 0, 0xb0, 0, 0, 0x0f, 0x22, 0xd8],
      ...[0xb8, 0x90, 0, 0, 0, 0x0f, 0x22, 0xe0],
      ...[0x0f, 0x20, 0xc0, 0x0d, 0, 0, 0, 0x80, 0x0f, 0x22, 0xc0]
    ]
    const first = [...store(0x40_0000, 5), ...store(0x80_0000, 6), ...tables, ...on, 0xa1, 0, 0, 0x40, 0, ...reset]
    const code = [...count(times), ...whileBelow(times, 2, first), ...exitWith(0x40_0000)]
    assert.deepStrictEqual(ending(run({ limit, guests: [flat(...code)] })), exit(5))
  })

  it("gives it back the memory that it gave up", () => {
    // VMCALL 2, of the block at 16 MiB.
    const release = [0xbb, 0, 0, 0, 1, 0xb8, 2, 0, 0, 0, 0x0f, 0x01, 0xc1]
    const code = [...count(times), ...whileBelow(times, 2, [...release, ...reset]), ...store(16 * MiB, 9)]
    assert.deepStrictEqual(
      ending(run({ limit, guests: [{ ...flat(...code, ...exitWith(16 * MiB)), memoryBytes: 32 * MiB }] })),
      exit(9)
    )
  })

  it("has its other processors wait to be started again, whichever asked", () => {
    const begun = 0x9020
    const start = (code: readonly number[]) => [
      ...[...put(0x8000, code), ...store(0xfee0_0310, 0)],
      ...[...store(0xfee0_0300, 0xc_4500), ...store(0xfee0_0300, 0xc_4608)]
    ]
    // MOV DX, CF9H; MOV AL, 6; OUT DX, AL
    const resets = [...real.count(begun), 0xba, 0xf9, 0x0c, 0xb0, 6, 0xee, ...real.halt]
    const code = [...count(times), ...whileBelow(times, 3, [...start(resets), hlt])]
    const last = [...start([...real.count(begun), ...real.halt]), ...until(begun, 3), ...exitWith(begun)]
    assert.deepStrictEqual(ending(run({ limit, guests: [{ ...flat(...code, ...last), processors: 2 }] })), exit(3))
  })
})
