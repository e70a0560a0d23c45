/** PUSH, POP, PUSHA, POPA, ENTER, LEAVE, PUSHF, POPF. SDM vol. 2, the pages of the same names. */
import type { Form } from "../Form.ts"
import { implied, stacks } from "../Instruction.ts"
import { isVirtual8086, type Machine, type Meaning, type StateWord, type Width } from "../Meaning.ts"
import { inst, stackSized } from "../notation.ts"
import { registerNames } from "../State.ts"

const bytes = <V, B>(x: Machine<V, B>, width: Width): V => x.constant(BigInt(width / 8))

/** What is pushed and popped with 64 bits is so in 64-bit mode; with other operand sizes the mode says how wide the stack pointer is. */
const stackFor = <V, B>(x: Machine<V, B>, width: Width) =>
  stacks[width === 64 || x.mode.bits === 64 ? 64 : x.mode.stack]

/** Pushes values of one width, the first of them first: where the stack ends then. */
export const pushed = <V, B>(x: Machine<V, B>, width: Width, ...values: ReadonlyArray<V>): void => {
  const { pointer, top } = stackFor(x, width)
  const down = (n: number) => x.constant(BigInt((-n * width) / 8))
  for (const [n, value] of values.entries()) x.store(top, value, width, down(n + 1))
  x.write(pointer, x.add(x.read(pointer), down(values.length)))
}

/** Pops a value, and `more` bytes after it. */
export const popped = <V, B>(x: Machine<V, B>, width: Width, more: V = x.constant(0n)): V => {
  const { pointer, top } = stackFor(x, width)
  const value = x.load(top, width)
  x.write(pointer, x.add(x.add(x.read(pointer), bytes(x, width)), more))
  return value
}

const push: Meaning = (x, src) => pushed(x, src.width, x.read(src))
/** POP RSP: the value wins. Where memory is addressed by RSP, it is RSP after the increment: the decoder has added it. */
const pop: Meaning = (x, dest) => x.write(dest, popped(x, dest.width))

const pushSegment =
  (segment: StateWord, width: 16 | 32 | 64): Meaning =>
  (x) =>
    pushed(x, width, x.get(segment))
const popSegment =
  (number: bigint, width: 16 | 32 | 64): Meaning =>
  (x) => {
    const { pointer, top } = stackFor(x, width)
    const selector = x.low(x.load(top, width), 16)
    x.system("popToSegment", x.constant(number), selector, x.add(x.read(pointer), bytes(x, width)))
  }

const enter =
  (width: 16 | 32 | 64): Meaning =>
  (x, size, level) =>
    x.system("enter", x.read(size), x.and(x.read(level), x.constant(31n)), x.constant(BigInt(width)))
const leave =
  (width: 16 | 32 | 64): Meaning =>
  (x) => {
    const { pointer, framePointer, frame } = stackFor(x, width)
    const old = x.load(frame, width)
    x.write(pointer, x.add(x.read(framePointer), bytes(x, width)))
    x.write(implied("rbp", width), old)
  }

const [IF, IOPL, VIF] = [0x200n, 0x3000n, 0x8_0000n] as const

/** IOPL is less than 3. */
const isLimited = <V, B>(x: Machine<V, B>): B =>
  x.not(x.equal(x.and(x.get("rflags"), x.constant(IOPL)), x.constant(IOPL)))

/** In virtual-8086 mode, with IOPL less than 3, PUSHF and POPF are #GP(0); those of 16 bits are not if CR4.VME is 1. */
const requireIopl = <V, B>(x: Machine<V, B>, width: 16 | 32): void => {
  if (!isVirtual8086(x.mode)) return
  const refused = isLimited(x)
  x.raise("#GP(0)", width === 16 ? x.both(refused, x.not(x.bit(x.get("cr4"), 0))) : refused)
}

/** What PUSHF of 16 bits pushes then: IOPL as 3, and VIF in the place of IF. */
const virtualFlags = <V, B>(x: Machine<V, B>, flags: V): V => {
  const virtual = x.shr(x.and(flags, x.constant(VIF)), x.constant(10n))
  return x.or(x.or(x.and(flags, x.constant(~IF)), x.constant(IOPL)), virtual)
}

/** "The RF and VM flags are cleared in the image." */
const pushf =
  (width: 16 | 32 | 64): Meaning =>
  (x) => {
    if (width !== 64) requireIopl(x, width)
    const flags = x.and(x.or(x.get("rflags"), x.status()), x.constant(0xfcffffn))
    const isVirtual = width === 16 && isVirtual8086(x.mode)
    pushed(x, width, isVirtual ? x.choose(isLimited(x), virtualFlags(x, flags), flags) : flags)
  }
const popf =
  (width: 16 | 32 | 64): Meaning =>
  (x) => {
    if (width !== 64) requireIopl(x, width)
    x.system("popf", popped(x, width), x.constant(BigInt(width)))
  }

/** The eight general registers in the order of their numbers: SP as it was before. */
const pusha =
  (width: 16 | 32): Meaning =>
  (x) =>
    pushed(x, width, ...eight.map((name) => x.read(implied(name, width))))
/** The value for SP is left out. */
const popa =
  (width: 16 | 32): Meaning =>
  (x) => {
    const { pointer, top } = stackFor(x, width)
    const above = (n: number) => x.constant(BigInt((n * width) / 8))
    const values = eight.map((name, n) => ({
      name,
      value: name === "rsp" ? undefined : x.load(top, width, above(7 - n))
    }))
    for (const { name, value } of values) if (value !== undefined) x.write(implied(name, width), value)
    x.write(pointer, x.add(x.read(pointer), above(8)))
  }
const eight = registerNames.slice(0, 8)

const [small, whole] = [{ sizes: [16] }, { sizes: [32, 64], legacy: false }] as const
/** The lines of 32 bits, and others that 64-bit mode does not have. */
const legacy = { sizes: [32], long: false } as const
const [legacySmall, legacyLine] = [{ sizes: [16], long: false }, { long: false }] as const

// biome-ignore format: a segment, a line
const pushedSegments = [
  { code: "06", name: "es" },
  { code: "0E", name: "cs" },
  { code: "16", name: "ss" },
  { code: "1E", name: "ds" }
] as const
// biome-ignore format: a segment, a line
const poppedSegments = [
  { code: "07", name: "es", number: 0n },
  { code: "17", name: "ss", number: 2n },
  { code: "1F", name: "ds", number: 3n }
] as const

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  inst("50+rw", "push", ["r16"], push),
  inst("50+rd", "push", ["r64"], push),
  ...stackSized("FF /6", "push", ["rm"], push),
  inst("6A ib", "push", ["simm8"], push, whole),
  inst("6A ib", "push", ["simm8"], push, small),
  inst("68 iw", "push", ["imm16"], push, small),
  inst("68 id", "push", ["simm32"], push, whole),
  inst("0F A0", "push fs", [], pushSegment("fs", 16), small),
  inst("0F A0", "push fs", [], pushSegment("fs", 64), whole),
  inst("0F A8", "push gs", [], pushSegment("gs", 16), small),
  inst("0F A8", "push gs", [], pushSegment("gs", 64), whole),

  inst("58+rw", "pop", ["r16"], pop),
  inst("58+rd", "pop", ["r64"], pop),
  ...stackSized("8F /0", "pop", ["rm"], pop, { popped: true }),
  inst("0F A1", "pop fs", [], popSegment(4n, 16), small),
  inst("0F A1", "pop fs", [], popSegment(4n, 64), whole),
  inst("0F A9", "pop gs", [], popSegment(5n, 16), small),
  inst("0F A9", "pop gs", [], popSegment(5n, 64), whole),

  inst("C8 iw ib", "enter", ["imm16", "imm8"], enter(16), small),
  inst("C8 iw ib", "enter", ["imm16", "imm8"], enter(64), whole),
  inst("C9", "leave", [], leave(16), small),
  inst("C9", "leave", [], leave(64), whole),

  inst("9C", "pushf", [], pushf(16), small),
  inst("9C", "pushfq", [], pushf(64), whole),
  inst("9D", "popf", [], popf(16), small),
  inst("9D", "popfq", [], popf(64), whole),

  inst("50+rd", "push", ["r32"], push, legacyLine),
  inst("FF /6", "push", ["rm32"], push, legacyLine),
  inst("6A ib", "push", ["simm8"], push, legacy),
  inst("68 id", "push", ["imm32"], push, legacy),
  inst("58+rd", "pop", ["r32"], pop, legacyLine),
  inst("8F /0", "pop", ["rm32"], pop, { popped: true, ...legacyLine }),
  inst("C8 iw ib", "enter", ["imm16", "imm8"], enter(32), legacy),
  inst("C9", "leave", [], leave(32), legacy),
  inst("9C", "pushfd", [], pushf(32), legacy),
  inst("9D", "popfd", [], popf(32), legacy),
  inst("60", "pusha", [], pusha(16), legacySmall),
  inst("60", "pushad", [], pusha(32), legacy),
  inst("61", "popa", [], popa(16), legacySmall),
  inst("61", "popad", [], popa(32), legacy),
  inst("0F A0", "push fs", [], pushSegment("fs", 32), legacy),
  inst("0F A8", "push gs", [], pushSegment("gs", 32), legacy),
  inst("0F A1", "pop fs", [], popSegment(4n, 32), legacy),
  inst("0F A9", "pop gs", [], popSegment(5n, 32), legacy),
  ...pushedSegments.flatMap(({ code, name }) => [
    inst(code, `push ${name}`, [], pushSegment(name, 16), legacySmall),
    inst(code, `push ${name}`, [], pushSegment(name, 32), legacy)
  ]),
  ...poppedSegments.flatMap(({ code, name, number }) => [
    inst(code, `pop ${name}`, [], popSegment(number, 16), legacySmall),
    inst(code, `pop ${name}`, [], popSegment(number, 32), legacy)
  ])
]
