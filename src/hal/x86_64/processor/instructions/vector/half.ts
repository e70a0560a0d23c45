/** VCVTPH2PS, VCVTPS2PH: numbers of 16 bits. SDM vol. 2C, the pages of the same names. */
import type { Form } from "../../Form.ts"
import type { Meaning } from "../../Meaning.ts"
import { avx, computing, computingWith, extended, type Length, partial, partsIn, places, setWhole } from "./vector.ts"

const toSingle =
  (length: Length): Meaning =>
  (x, dest, src) => {
    const a = length === 128 ? partial(x, src, 64) : x.vector(src)
    const above = x.shuffle(a, a, places(64, [1, 1]))
    setWhole(x, dest, computing("f32x4.from_f16x4")(x, 0, length === 128 ? [a] : [a, above]))
  }

/** Half as many bits: of a register, the rest is cleared. */
const toHalf =
  (length: Length): Meaning =>
  (x, dest, src, how) => {
    const [lower, above] = computingWith("f16x4.from_f32x4")(x, x.literal(how), partsIn(x, src, length))
    if (above !== undefined) {
      const all = x.shuffle(lower, above, places(64, [0, 2]))
      if (dest.kind === "mem") x.setVector(dest, all)
      else setWhole(x, dest, [all])
    } else if (dest.kind === "mem") x.store(dest, x.lane("i64x2", lower, 0), 64)
    else setWhole(x, dest, [extended(x, x.lane("i64x2", lower, 0))])
  }

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  avx("VEX.128.66.0F38.W0 13 /r", "vcvtph2ps", ["x", "x64"], toSingle(128)),
  avx("VEX.256.66.0F38.W0 13 /r", "vcvtph2ps", ["y", "x128"], toSingle(256)),
  avx("VEX.128.66.0F3A.W0 1D /r ib", "vcvtps2ph", ["x64", "x", "lit8"], toHalf(128)),
  avx("VEX.256.66.0F3A.W0 1D /r ib", "vcvtps2ph", ["x128", "y", "lit8"], toHalf(256))
]
