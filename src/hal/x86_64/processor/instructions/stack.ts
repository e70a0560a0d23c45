/** PUSH, POP, ENTER, LEAVE, PUSHF, POPF. SDM vol. 2, the pages of the same names. */
import type { Form } from "../Form.ts"
import { frame, implied, rbp, rsp, stack } from "../Instruction.ts"
import type { Machine, Meaning, StateWord, Width } from "../Meaning.ts"
import { inst, stackSized } from "../notation.ts"

const bytes = <V, B>(x: Machine<V, B>, width: Width): V => x.constant(BigInt(width / 8))

/** Pushes a value: where the stack ends then. */
export const pushed = <V, B>(x: Machine<V, B>, value: V, width: Width): void => {
  const down = x.sub(x.constant(0n), bytes(x, width))
  x.store(stack, value, width, down)
  x.write(rsp, x.add(x.read(rsp), down))
}

/** Pops a value, and `more` bytes after it. */
export const popped = <V, B>(x: Machine<V, B>, width: Width, more: V = x.constant(0n)): V => {
  const value = x.load(stack, width)
  x.write(rsp, x.add(x.add(x.read(rsp), bytes(x, width)), more))
  return value
}

const push: Meaning = (x, src) => pushed(x, x.read(src), src.width)
/** POP RSP: the value wins. Where memory is addressed by RSP, it is RSP after the increment: the decoder has added it. */
const pop: Meaning = (x, dest) => x.write(dest, popped(x, dest.width))

const pushSegment =
  (segment: StateWord, width: 16 | 64): Meaning =>
  (x) =>
    pushed(x, x.get(segment), width)
const popSegment =
  (number: bigint, width: 16 | 64): Meaning =>
  (x) =>
    x.system("popToSegment", x.constant(number), x.low(x.load(stack, width), 16), x.add(x.read(rsp), bytes(x, width)))

const enter =
  (width: 16 | 64): Meaning =>
  (x, size, level) =>
    x.system("enter", x.read(size), x.and(x.read(level), x.constant(31n)), x.constant(BigInt(width)))
const leave =
  (width: 16 | 64): Meaning =>
  (x) => {
    const old = x.load(frame, width)
    x.write(rsp, x.add(x.read(rbp), bytes(x, width)))
    x.write(implied("rbp", width), old)
  }

/** "The RF and VM flags are cleared in the image." */
const pushf =
  (width: 16 | 64): Meaning =>
  (x) =>
    pushed(x, x.and(x.or(x.get("rflags"), x.status()), x.constant(0xfcffffn)), width)
const popf =
  (width: 16 | 64): Meaning =>
  (x) =>
    x.system("popf", popped(x, width), x.constant(BigInt(width)))

const [small, whole] = [{ sizes: [16] }, { sizes: [32, 64], legacy: false }] as const

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
  inst("9D", "popfq", [], popf(64), whole)
]
