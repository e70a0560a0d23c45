/** CMPXCHG, CMPXCHG8B, CMPXCHG16B, XADD. SDM vol. 2, the pages of the same names. */
import type { Form } from "../Form.ts"
import { addition, subtraction, zeroFlag } from "../flags.ts"
import { implied } from "../Instruction.ts"
import type { Meaning } from "../Meaning.ts"
import { inst, sized } from "../notation.ts"

/** Memory is always written, with what it held if the comparison failed. A register that does not change keeps its upper half. */
const cmpxchg: Meaning = (x, dest, src) => {
  const accumulator = implied("rax", dest.width)
  const [expected, found] = [x.read(accumulator), x.read(dest)]
  const equal = x.equal(expected, found)
  x.write(accumulator, found, x.not(equal))
  if (dest.kind === "mem") x.write(dest, x.choose(equal, x.read(src), found))
  else x.write(dest, x.read(src), equal)
  x.flags(subtraction, dest.width, [expected, found])
}

/** EDX:EAX (RDX:RAX) with memory, against ECX:EBX (RCX:RBX). */
const cmpxchgPair =
  (half: 32 | 64): Meaning =>
  (x, dest) => {
    const [eax, edx, ebx, ecx] = [
      implied("rax", half),
      implied("rdx", half),
      implied("rbx", half),
      implied("rcx", half)
    ]
    const above = x.constant(BigInt(half / 8))
    if (half === 64) {
      // "The destination operand must be 16-byte aligned": else #GP(0).
      const offset = x.and(x.linear(dest), x.constant(15n))
      x.raise("#GP(0)", x.not(x.equal(offset, x.constant(0n))))
    }
    const first = x.load(dest, 64)
    const [lo, hi] = half === 32 ? [x.low(first, 32), x.shr(first, x.constant(32n))] : [first, x.load(dest, 64, above)]
    const equal = x.both(x.equal(lo, x.read(eax)), x.equal(hi, x.read(edx)))
    const [newLo, newHi] = [x.choose(equal, x.read(ebx), lo), x.choose(equal, x.read(ecx), hi)]
    if (half === 32) x.write(dest, x.or(newLo, x.shl(newHi, x.constant(32n))))
    else {
      x.store(dest, newLo, 64)
      x.store(dest, newHi, 64, above)
    }
    x.write(eax, lo, x.not(equal))
    x.write(edx, hi, x.not(equal))
    x.flags(zeroFlag, 64, [x.number(equal), x.status()])
  }

/** Of one register twice, the sum wins. */
const xadd: Meaning = (x, dest, src) => {
  const [a, b] = [x.read(dest), x.read(src)]
  x.write(src, a)
  x.write(dest, x.add(a, b))
  x.flags(addition, dest.width, [a, b])
}

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  inst("0F B0 /r", "cmpxchg", ["rm8", "r8"], cmpxchg, { lock: true }),
  ...sized("0F B1 /r", "cmpxchg", ["rm", "r"], cmpxchg, { lock: true }),
  inst("0F C7 /1", "cmpxchg8b", ["m64"], cmpxchgPair(32), { legacy: true, lock: true, sizes: [16, 32] }),
  inst("REX.W + 0F C7 /1", "cmpxchg16b", ["m128"], cmpxchgPair(64), { lock: true }),
  inst("0F C0 /r", "xadd", ["rm8", "r8"], xadd, { lock: true }),
  ...sized("0F C1 /r", "xadd", ["rm", "r"], xadd, { lock: true })
]
