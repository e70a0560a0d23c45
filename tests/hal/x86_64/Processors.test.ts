import { assert, describe, it } from "@effect/vitest"
import type { MakeReading } from "../../../src/hal/x86_64/processor/Reading.ts"
import { at } from "../../../src/hal/x86_64/processor/State.ts"
import { Board, bytes, cli, hlt, MiB, P, RW, readings, sti, wrmsr } from "./board.ts"

// ---- what the first processor does: in 64-bit mode, with its local APIC in x2APIC mode

const msr = (number: number, lo: number, hi = 0) => [
  ...[0xb9, ...bytes(number, 4)],
  ...[0xb8, ...bytes(lo, 4)],
  ...[0xba, ...bytes(hi, 4)],
  ...wrmsr
]
const [isBootstrap, isEnabled, isX2] = [0x100, 0x800, 0x400]
const x2Apic = [...msr(0x1b, 0xfee0_0000 | isBootstrap | isEnabled | isX2), ...msr(0x80f, 0x1ff)]
/** The ICR: a delivery mode, a vector, for one or `others`. */
const ipi = (low: number, to = 0) => msr(0x830, low, to)
const modes = { fixed: 0, lowest: 0x100, NMI: 0x400, INIT: 0x500, startUp: 0x600 }
const [others, logical] = [0xc_0000, 0x800]
/** INC dword [address]. */
const count = (address: number) => [0xff, 0x04, 0x25, ...bytes(address, 4)]
/** Until the byte at `address` is not 0: CMP, JE. */
const until = (address: number) => [0x80, 0x3c, 0x25, ...bytes(address, 4), 0, 0x74, 0xf6]
/** So many instructions that do nothing: MOV ECX, then LOOP. */
const rest = (loops: number) => [0xb9, ...bytes(loops, 4), 0xe2, 0xfe]

// ---- what the others do: in real-address mode, from `program` on

const program = 0x8000
const [counter, second, third] = [0x9000, 0x9010, 0x9020]
const real = {
  /** LOCK INC dword [address] */
  count: (address: number) => [0xf0, 0x66, 0xff, 0x06, ...bytes(address, 2)],
  /** MOV [address], EDX and MOV [address], CS */
  storeEdx: (address: number) => [0x66, 0x89, 0x16, ...bytes(address, 2)],
  storeCs: (address: number) => [0x8c, 0x0e, ...bytes(address, 2)],
  /** HLT, again whenever it goes on. */
  halt: [0xf4, 0xeb, 0xfd],
  /** ENABLE x2APIC and software-enable it: MOV ECX; MOV EAX; XOR EDX, EDX; WRMSR. */
  msr: (number: number, lo: number) => [
    ...[0x66, 0xb9, ...bytes(number, 4)],
    ...[0x66, 0xb8, ...bytes(lo, 4)],
    ...[0x66, 0x31, 0xd2],
    ...wrmsr
  ],
  iret: [0xcf]
}
const realX2Apic = [...real.msr(0x1b, 0xfee0_0000 | isEnabled | isX2), ...real.msr(0x80f, 0x1ff)]
const endOfInterrupt = [
  ...[0x66, 0x50, 0x66, 0x51, 0x66, 0x52],
  ...real.msr(0x80b, 0),
  ...[0x66, 0x5a, 0x66, 0x59, 0x66, 0x58]
]
/** SP = C000H + 100H * the APIC ID. CPUID; SHR EBX, 24; SHL BX, 8; ADD BX, C000H; MOV SP, BX. */
const ownStack = [
  ...[0x66, 0xb8, ...bytes(1, 4), 0x0f, 0xa2],
  ...[0x66, 0xc1, 0xeb, 24, 0xc1, 0xe3, 8],
  ...[0x81, 0xc3, ...bytes(0xc000, 2), 0x89, 0xdc]
]
const start = ipi(modes.startUp | others | (program >>> 12))

/** What the others do about a vector below 80H. */
const handle = (board: Board, vector: number, code: readonly number[]): void => {
  const at = 0xa000 + vector * 0x80
  board.put(at, ...code, ...real.iret)
  board.put(vector * 4, ...bytes(at, 2), 0, 0)
}

/** A machine of several, the first about to run this; what the others run is in memory. */
const aBoard = (
  first: readonly number[],
  { reading = readings.plain!, processors = 2, others = real.halt as readonly number[] } = {}
): Board => {
  const board = new Board(reading, 4 * MiB, processors).identity(0, 2 * MiB, P | RW)
  board.start(...x2Apic, ...first)
  board.put(program, ...others)
  return board
}
const word = (board: Board, address: number): number => board.view.getUint32(address, true)

const soon = 50_000
const pause = [0xf3, 0x90]

/** How many of three halted ones the interrupts 40H and 41H reached that the first sends. */
const interrupted = (reading: MakeReading, sends: readonly number[]): readonly number[] => {
  const others = [...ownStack, ...realX2Apic, ...sti, ...real.halt]
  const board = aBoard([...start, ...rest(300), ...sends, ...rest(300), ...hlt], { reading, processors: 4, others })
  handle(board, 0x40, [...real.count(counter), ...endOfInterrupt])
  handle(board, 0x41, [...real.count(second), ...endOfInterrupt])
  assert.deepStrictEqual(board.run(soon)._tag, "Idle")
  return [word(board, counter), word(board, second)]
}

describe.each(Object.entries(readings))("several processors, read: %s", (_name, reading) => {
  it("all but the first wait for a start-up message, and begin at the page that it names in real-address mode", () => {
    const board = aBoard([...rest(100), ...start, ...hlt], {
      reading,
      others: [...real.count(counter), ...real.storeCs(second), ...real.storeEdx(third), ...real.halt]
    })
    board.run(60)
    assert.strictEqual(word(board, counter), 0)
    assert.deepStrictEqual(board.run(soon), { _tag: "Idle" })
    assert.deepStrictEqual([word(board, counter), word(board, second)], [1, program >>> 4])
    assert.strictEqual(word(board, third) & 0xfff0_0f00, 0x0000_0600, "the signature is in EDX")
  })

  it("all of them are started by one message, and each knows its APIC ID and how many there are", () => {
    // CPUID leaf 0BH, subleaf 1: EBX at 9100H + 8 * the APIC ID, and EDX 4 behind it.
    const tells = [
      ...[0x66, 0xb8, ...bytes(0x0b, 4), 0x66, 0xb9, ...bytes(1, 4), 0x0f, 0xa2],
      ...[0x67, 0x66, 0x89, 0x1c, 0xd5, ...bytes(0x9100, 4)],
      ...[0x67, 0x66, 0x89, 0x14, 0xd5, ...bytes(0x9104, 4)],
      ...real.halt
    ]
    const board = aBoard([...start, ...hlt], { reading, processors: 4, others: tells })
    assert.deepStrictEqual(board.run(soon), { _tag: "Idle" })
    const said = [1, 2, 3].map((n) => [word(board, 0x9100 + 8 * n), word(board, 0x9104 + 8 * n)])
    assert.deepStrictEqual(said, [
      [4, 1],
      [4, 2],
      [4, 3]
    ])
  })

  it("one that waits with MWAIT goes on when another stores to what it watches", () => {
    // The page is one that nothing else is stored to. MTRRs: RAM is write-back. MOV EAX; XOR ECX, ECX; XOR EDX, EDX; MONITOR; MWAIT
    const watched = 0xfff0
    const waits = [
      ...real.msr(0x2ff, 0x806),
      ...[0x66, 0xb8, ...bytes(watched, 4), 0x66, 0x31, 0xc9, 0x66, 0x31, 0xd2, 0x0f, 0x01, 0xc8],
      ...real.count(counter),
      ...[0x0f, 0x01, 0xc9],
      ...real.count(second),
      ...real.halt
    ]
    const store = [0xc7, 0x04, 0x25, ...bytes(watched, 4), 1, 0, 0, 0]
    const board = aBoard([...start, ...rest(20_000), ...store, ...rest(300), ...hlt], { reading, others: waits })
    board.run(15_000)
    assert.deepStrictEqual([word(board, counter), word(board, second)], [1, 0])
    assert.deepStrictEqual(board.run(soon), { _tag: "Idle" })
    assert.deepStrictEqual([word(board, counter), word(board, second)], [1, 1])
  })

  it("a start-up message to one that runs is of no effect, and INIT lets it wait for another", () => {
    const board = aBoard(
      [...start, ...start, ...rest(200), ...ipi(modes.INIT | others), ...rest(200), ...start, ...hlt],
      {
        reading,
        others: [...real.count(counter), ...pause, 0xeb, 0xfc]
      }
    )
    board.run(300)
    assert.strictEqual(word(board, counter), 1)
    board.run(soon)
    assert.strictEqual(word(board, counter), 2)
  })

  it("INIT leaves MSRs alone, and takes the mode and the registers back", () => {
    const [TSC_AUX, EFER] = [0xc000_0103, 0xc000_0080]
    const reads = (number: number, address: number) => [
      ...[0x66, 0xb9, ...bytes(number, 4), 0x0f, 0x32],
      ...[0x66, 0xa3, ...bytes(address, 2)]
    ]
    // The first time it sets the two MSRs and EBX; it stores them each time.
    const others = [
      ...[0x66, 0x89, 0x1e, ...bytes(third, 2)],
      ...reads(TSC_AUX, counter),
      ...reads(EFER, second),
      ...real.msr(TSC_AUX, 77),
      ...real.msr(EFER, 0x800),
      ...[0x66, 0xbb, ...bytes(5, 4)],
      ...real.halt
    ]
    const board = aBoard([...start, ...rest(300), ...ipi(modes.INIT, 1), ...start, ...hlt], { reading, others })
    assert.deepStrictEqual(board.run(soon), { _tag: "Idle" })
    assert.deepStrictEqual(
      [counter, second, third].map((address) => word(board, address)),
      [77, 0, 0]
    )
  })

  it("a fixed interrupt reaches one, or all others; a halted one wakes", () => {
    const sends = [...ipi(modes.fixed | 0x40, 2), ...rest(300), ...ipi(modes.fixed | 0x41 | others)]
    assert.deepStrictEqual(interrupted(reading, sends), [1, 3])
  })

  it("a logical address reaches those that it names, and lowest priority one of them", () => {
    const sends = [
      ...ipi(modes.fixed | logical | 0x40, 0b1010),
      ...rest(300),
      ...ipi(modes.lowest | logical | 0x41, 0b1100)
    ]
    assert.deepStrictEqual(interrupted(reading, sends), [2, 1])
  })

  it("an NMI comes through where interrupts are off", () => {
    const board = aBoard(
      [...start, ...rest(500), ...ipi(modes.NMI | others), ...rest(500), ...ipi(modes.NMI, 1), ...hlt],
      {
        reading,
        processors: 3,
        others: [...ownStack, ...cli, ...real.halt]
      }
    )
    handle(board, 2, real.count(counter))
    assert.deepStrictEqual(board.run(soon), { _tag: "Idle" })
    assert.strictEqual(word(board, counter), 3)
  })

  it("what one writes where another runs is what that one runs next", () => {
    // The other counts in a loop; the first puts HLT at the loop's beginning.
    const others = [...real.count(counter), ...pause, 0xeb, 0xf6]
    const puts = [0xc6, 0x04, 0x25, ...bytes(program, 4), 0xf4]
    const board = aBoard([...start, ...until(counter), ...puts, ...hlt], { reading, others })
    assert.deepStrictEqual(board.run(soon), { _tag: "Idle" })
    assert.isAtLeast(word(board, counter), 1)
  })

  it("no interrupt comes between STI and HLT, though turns end there", () => {
    // The second halts with interrupts off but for STI; HLT. A timer of the third ends turns anywhere.
    const sleeps = [...sti, ...hlt, ...cli, 0xeb, 0xfb]
    const timer = [...real.msr(0x83e, 0xb), ...real.msr(0x832, 0x2_0041), ...real.msr(0x838, 61), ...sti, ...real.halt]
    const isThird = [0x66, 0xb9, ...bytes(0x802, 4), 0x0f, 0x32, 0x3c, 2, 0x74, sleeps.length]
    const others = [...ownStack, ...realX2Apic, ...isThird, ...sleeps, ...timer]
    const hltAt = ownStack.length + realX2Apic.length + isThird.length + 1
    // MOV BP, SP; CMP word [BP], the address of HLT; JNE
    const looks = [0x89, 0xe5, 0x81, 0x7e, 0, ...bytes(hltAt, 2), 0x75, real.count(third).length, ...real.count(third)]
    // INC R8D; MOV ECX, R8D; AND ECX, 63; INC ECX; LOOP: another time in each round.
    const restless = [0x41, 0xff, 0xc0, 0x44, 0x89, 0xc1, 0x83, 0xe1, 63, 0xff, 0xc1, 0xe2, 0xfe]
    const round = [...ipi(modes.fixed | 0x40, 1), ...restless, 0xeb, 0]
    round[round.length - 1] = 256 - round.length
    const board = aBoard([...start, ...rest(300), ...round], { reading, processors: 3, others })
    handle(board, 0x40, [...looks, ...real.count(counter), ...endOfInterrupt])
    handle(board, 0x41, [...real.count(second), ...endOfInterrupt])
    board.run(60_000)
    assert.isAbove(word(board, counter), 100)
    assert.isAbove(word(board, second), 100)
    assert.strictEqual(word(board, third), 0)
  })
})

describe("turns", () => {
  /** Three count, and read the time-stamp counter; the first sends interrupts now and then. */
  const busy = (reading = readings.plain!) => {
    const rdtsc = [0x0f, 0x31, 0x66, 0x01, 0x06, ...bytes(third, 2)]
    const counts = [...real.count(counter), ...rdtsc, ...pause, 0xeb]
    const others = [...ownStack, ...realX2Apic, ...sti, ...counts, 256 - counts.length - 1]
    const loop = [...count(second), ...rest(700), ...ipi(modes.fixed | 0x40 | 0xc_0000)]
    const board = aBoard([...start, ...loop, 0xeb, 256 - loop.length - 2], { reading, processors: 4, others })
    handle(board, 0x40, [...real.count(0x9030), ...endOfInterrupt])
    return board
  }
  const stateOf = (board: Board) => [
    board.machine.instructions,
    board.machine.memoryHash(),
    board.word(at.rip),
    board.get("rax"),
    ...[counter, second, third, 0x9030].map((address) => word(board, address))
  ]

  it("come to the same, however often the machine is stopped in between, and in all readings", () => {
    const whole = busy()
    whole.run(40_000)
    assert.isAbove(word(whole, 0x9030), 2)
    for (const reading of Object.values(readings)) {
      const inPieces = busy(reading)
      const { machine } = inPieces
      const end = machine.instructions + 40_000
      // What takes its time, as PAUSE does, may end behind the end of a piece.
      for (let piece = 1; machine.instructions < end; piece = (piece * 7) % 4001)
        inPieces.run(Math.min(piece, end - machine.instructions))
      assert.deepStrictEqual(stateOf(inPieces), stateOf(whole))
    }
  })

  it("end at a PAUSE: who spins hands over", () => {
    const spins = [...real.count(second), ...pause, 0xeb]
    const board = aBoard([...start, ...count(counter), 0xeb, 0xf7], { others: [...spins, 256 - spins.length - 1] })
    board.run(120_000)
    assert.isAbove(word(board, counter), 50_000)
    assert.isBelow(word(board, second), 10)
  })

  it("are the same length for all that run", () => {
    const rounds = [...count(counter), 0xeb, 0xf7]
    const board = aBoard([...start, ...rounds], {
      reading: readings.interpreted!,
      processors: 4,
      others: [...real.count(second), 0xeb, 0xf8]
    })
    board.run(800_000)
    const [first, three] = [word(board, counter), word(board, second)]
    assert.closeTo(three / first, 3, 0.2)
  })
})
