/** PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM. SDM vol. 2B, the pages of the same names. */

import type { Form } from "../../Form.ts"
import { explicit } from "../../flags.ts"
import { implied } from "../../Instruction.ts"
import type { Machine, Meaning } from "../../Meaning.ts"
import { extended, sse, xmm0 } from "./vector.ts"

/** The length that a register gives: its absolute value, and at most 16. */
const length = <V, B, X>(x: Machine<V, B, X>, name: "rax" | "rdx", width: 32 | 64): V => {
  const value = x.signed(x.read(implied(name, width)), width)
  const magnitude = x.choose(x.less(value, x.constant(0n)), x.sub(x.constant(0n), value), value)
  return x.choose(x.below(magnitude, x.constant(16n)), magnitude, x.constant(16n))
}

/** The constant, and the lengths if they are given: `comparisonOf` in vectorStrings.ts. */
const control = <V, B, X>(x: Machine<V, B, X>, constant: number, width: 32 | 64 | undefined): X => {
  if (width === undefined) return x.vectorConstant(BigInt(constant))
  const lengths = x.or(x.shl(length(x, "rax", width), x.constant(8n)), x.shl(length(x, "rdx", width), x.constant(16n)))
  return extended(x, x.or(lengths, x.constant(BigInt(constant | (1 << 24)))))
}

const compare =
  (gives: "index" | "mask", width: 32 | 64 | undefined): Meaning =>
  (x, one, other, constant) => {
    const inputs = [x.vector(one), x.vector(other), control(x, x.literal(constant), width)]
    const found = x.lane("i64x2", x.compute("strings.index", ...inputs), 0)
    if (gives === "index") x.write(implied("rcx", 32), x.low(found, 32))
    else x.setVector(xmm0, x.compute("strings.mask", ...inputs))
    x.flags(explicit, 8, [x.shr(found, x.constant(32n))])
  }

const small = { sizes: [16, 32] } as const

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  sse("66 0F 3A 60 /r ib", "pcmpestrm", ["x", "x128", "lit8"], compare("mask", 32), small),
  sse("66 REX.W + 0F 3A 60 /r ib", "pcmpestrm64", ["x", "x128", "lit8"], compare("mask", 64)),
  sse("66 0F 3A 61 /r ib", "pcmpestri", ["x", "x128", "lit8"], compare("index", 32), small),
  sse("66 REX.W + 0F 3A 61 /r ib", "pcmpestri64", ["x", "x128", "lit8"], compare("index", 64)),
  sse("66 0F 3A 62 /r ib", "pcmpistrm", ["x", "x128", "lit8"], compare("mask", undefined)),
  sse("66 0F 3A 63 /r ib", "pcmpistri", ["x", "x128", "lit8"], compare("index", undefined))
]
