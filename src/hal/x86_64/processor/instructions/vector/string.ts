/** PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM. SDM vol. 2B, the pages of the same names. */

import type { Form } from "../../Form.ts"
import { explicit } from "../../flags.ts"
import { implied } from "../../Instruction.ts"
import type { Machine, Meaning } from "../../Meaning.ts"
import { avx, extended, setWhole, sse, xmm0 } from "./vector.ts"

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

/** `clears`: XMM0 is written with VEX. */
const compare =
  (gives: "index" | "mask", width: 32 | 64 | undefined, clears = false): Meaning =>
  (x, one, other, constant) => {
    const inputs = [x.vector(one), x.vector(other), control(x, x.literal(constant), width)]
    const found = x.lane("i64x2", x.compute("strings.index", [inputs])[0]!, 0)
    if (gives === "index") x.write(implied("rcx", 32), x.low(found, 32))
    else {
      const [mask] = x.compute("strings.mask", [inputs])
      if (clears) setWhole(x, xmm0, [mask!])
      else x.setVector(xmm0, mask!)
    }
    x.flags(explicit, 8, [x.shr(found, x.constant(32n))])
  }

const small = { sizes: [16, 32] } as const
const operands = ["x", "x128", "lit8"] as const

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  sse("66 0F 3A 60 /r ib", "pcmpestrm", operands, compare("mask", 32), small),
  sse("66 REX.W + 0F 3A 60 /r ib", "pcmpestrm64", operands, compare("mask", 64), { legacy: false }),
  sse("66 0F 3A 61 /r ib", "pcmpestri", operands, compare("index", 32), small),
  sse("66 REX.W + 0F 3A 61 /r ib", "pcmpestri64", operands, compare("index", 64), { legacy: false }),
  sse("66 0F 3A 62 /r ib", "pcmpistrm", operands, compare("mask", undefined)),
  sse("66 0F 3A 63 /r ib", "pcmpistri", operands, compare("index", undefined)),

  avx("VEX.128.66.0F3A.W0 60 /r ib", "vpcmpestrm", operands, compare("mask", 32, true)),
  avx("VEX.128.66.0F3A.W1 60 /r ib", "vpcmpestrm64", operands, compare("mask", 64, true), { legacy: false }),
  avx("VEX.128.66.0F3A.W0 61 /r ib", "vpcmpestri", operands, compare("index", 32)),
  avx("VEX.128.66.0F3A.W1 61 /r ib", "vpcmpestri64", operands, compare("index", 64), { legacy: false }),
  avx("VEX.128.66.0F3A.WIG 62 /r ib", "vpcmpistrm", operands, compare("mask", undefined, true)),
  avx("VEX.128.66.0F3A.WIG 63 /r ib", "vpcmpistri", operands, compare("index", undefined))
]
