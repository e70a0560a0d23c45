/** Pieces of machine code for small guests, which begin in protected mode with flat segments of 32 bits. */

export const bytes = (value: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, n) => Math.floor(value / 2 ** (8 * n)) & 0xff)
export const word = (value: number): readonly number[] => bytes(value, 4)

/** MOV dword [address], value */
export const store = (address: number, value: number): readonly number[] => [0xc7, 5, ...word(address), ...word(value)]
/** The same for what is longer. */
export const put = (address: number, what: readonly number[]): readonly number[] =>
  Array.from({ length: Math.ceil(what.length / 4) }, (_, n) => {
    const [a = 0, b = 0, c = 0, d = 0] = what.slice(4 * n)
    return store(address + 4 * n, a + b * 2 ** 8 + c * 2 ** 16 + d * 2 ** 24)
  }).flat()
/** INC dword [address] */
export const count = (address: number): readonly number[] => [0xff, 5, ...word(address)]
/** PAUSE; CMP dword [address], value; JNE: until they are the same. */
export const until = (address: number, value: number): readonly number[] => [
  ...[0xf3, 0x90, 0x83, 0x3d, ...word(address), value],
  ...[0x75, 0xf5]
]
/** The same until it is not less. */
export const untilAtLeast = (address: number, value: number): readonly number[] => [
  ...until(address, value).slice(0, -2),
  ...[0x72, 0xf5]
]
/** MOV EDX, port; MOV AL, value; OUT DX, AL */
export const out = (port: number, value: number): readonly number[] => [0xba, ...word(port), 0xb0, value, 0xee]
/** MOV EAX, [address]; MOV EDX, F4H; OUT DX, EAX: the guest ends, with twice the value and one more. */
export const exitWith = (address: number): readonly number[] => [0xa1, ...word(address), 0xba, ...word(0xf4), 0xef]
/** CMP dword [address], value; JAE: what follows is done only while it is below. */
export const whileBelow = (address: number, value: number, then: readonly number[]): readonly number[] => [
  ...[0x83, 0x3d, ...word(address), value],
  ...[0x0f, 0x83, ...word(then.length)],
  ...then
]

export const flat = (...code: readonly number[]) =>
  ({ payload: { _tag: "Flat", bytes: Uint8Array.from(code) } }) as const

// ---- several processors: the local APIC's registers of the first are in memory

const ICR = { low: 0xfee0_0300, high: 0xfee0_0310 } as const
export const send = (low: number, to = 0): readonly number[] => [
  ...store(ICR.high, to * 2 ** 24),
  ...store(ICR.low, low)
]
/** Where the others begin. */
const program = 0x8000
const [INIT, startUp, others] = [0x4500, 0x4600 | (program >>> 12), 0xc_0000]
/** The others run this from here on. */
export const begin = (code: readonly number[]): readonly number[] => [
  ...put(program, code),
  ...send(others | INIT),
  ...send(others | startUp)
]

/** What a processor does that a startup IPI has started: 16-bit code in real-address mode. */
export const real = {
  /** LOCK INC dword [address] */
  count: (address: number): readonly number[] => [0xf0, 0x66, 0xff, 6, ...bytes(address, 2)],
  /** MOV ECX, number; MOV EAX, value; XOR EDX, EDX; WRMSR */
  msr: (number: number, value: number): readonly number[] => [
    ...[0x66, 0xb9, ...word(number)],
    ...[0x66, 0xb8, ...word(value)],
    ...[0x66, 0x31, 0xd2, 0x0f, 0x30]
  ],
  /** Its local APIC is in x2APIC mode, and on. */
  x2Apic: (): readonly number[] => [...real.msr(0x1b, 0xfee0_0c00), ...real.msr(0x80f, 0x1ff)],
  /** MOV SP, C000H */
  stack: [0xbc, ...bytes(0xc000, 2)],
  /** The handler of an interrupt counts at `address`, and ends it: EAX, ECX and EDX stay. */
  counts: (address: number): readonly number[] => [
    ...[0x66, 0x50, 0x66, 0x51, 0x66, 0x52],
    ...real.count(address),
    ...real.msr(0x80b, 0),
    ...[0x66, 0x5a, 0x66, 0x59, 0x66, 0x58, 0xcf]
  ],
  /** STI; HLT, again and again. */
  halt: [0xfb, 0xf4, 0xeb, 0xfd],
  /** STI; JMP to itself. */
  spin: [0xfb, 0xeb, 0xfe]
} as const
