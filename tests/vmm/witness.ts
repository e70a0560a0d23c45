/**
 * The witness: a guest that works like a system with two processors, and says what came of it.
 *
 * Its second processor sleeps, and is woken by the timer of its local APIC. The first fills a page, and looks whether the page holds what
 * was put there; says so by a letter, polling the serial port as a kernel does; and waits until the second was woken once more.
 */
import { begin, count, exitWith, put, real, store, untilAtLeast, word } from "./code.ts"

const [handler, ticks, done] = [0xa000, 0x9010, 0x9020]
const page = 0x2_0000
const doublewords = 1024
const letters = 26

/** MOV EDX, 3FDH; IN AL, DX; TEST AL, 20H; JZ to IN; MOV EDX, 3F8H; MOV AL, letter; OUT DX, AL */
const say = (letter: number) => [
  ...[0xba, ...word(0x3fd), 0xec, 0xa8, 0x20, 0x74, 0xfb],
  ...[0xba, ...word(0x3f8), 0xb0, letter, 0xee]
]
/** MOV EDI, page; MOV ECX, doublewords; MOV EAX, value */
const toPage = (value: number) => [0xbf, ...word(page), 0xb9, ...word(doublewords), 0xb8, ...word(value)]
const wrong = say("!".charCodeAt(0))
/** CLD; REP STOSD; REPE SCASD; JE over what is said if they are not all the same. */
const fill = (value: number) => [
  ...[0xfc, ...toPage(value), 0xf3, 0xab],
  ...[...toPage(value), 0xf3, 0xaf, 0x74, wrong.length, ...wrong]
]

/** Vector 40H every 200 000 ns. */
const timer = [...real.msr(0x83e, 0xb), ...real.msr(0x832, 0x2_0040), ...real.msr(0x838, 200_000)]
const second = [...real.stack, ...real.x2Apic(), ...timer, ...real.halt]

const first = Array.from({ length: letters }, (_, n) => [
  ...fill(0x1234_5601 * (n + 1)),
  ...say("A".charCodeAt(0) + n),
  ...untilAtLeast(ticks, n + 1),
  ...count(done)
]).flat()

export const witness = {
  processors: 2,
  payload: {
    _tag: "Flat",
    bytes: Uint8Array.from([
      ...[...put(handler, real.counts(ticks)), ...store(4 * 0x40, handler), ...begin(second)],
      ...[...first, ...say("\n".charCodeAt(0)), ...exitWith(done)]
    ])
  }
} as const

/** What it says and how it ends if it notices nothing. */
export const expected = {
  said: String.fromCharCode(...Array.from({ length: letters }, (_, n) => "A".charCodeAt(0) + n)),
  status: 2 * letters + 1
} as const
