/**
 * VMASKMOV, VPMASKMOV, VGATHER, VPGATHER: of memory, only what a mask selects is accessed. SDM vol. 2C, the pages of the same names.
 *
 * How many accesses there are depends on values: they are operations of the machine (system/masked.ts).
 */
import type { Form, OperandName } from "../../Form.ts"
import type { Meaning, SystemName } from "../../Meaning.ts"
import { number } from "../operation.ts"
import { avx, type Length } from "./vector.ts"

/** Lanes of `width` bits. */
const move =
  (name: "maskedLoad" | "maskedStore", width: 32 | 64, length: Length): Meaning =>
  (x, ...operands) => {
    const memory = operands.find(({ kind }) => kind === "mem")!
    x.system(name satisfies SystemName, x.linear(memory), x.address(memory), number(x, width), number(x, length))
  }

const moves = (load: string, store: string, name: string, width: 32 | 64, W: "W0" | "W1"): ReadonlyArray<Form> =>
  ([128, 256] as const).flatMap((length) => {
    const [register, mask, memory] = length === 128 ? (["x", "xv", "m128"] as const) : (["y", "yv", "m256"] as const)
    return [
      avx(`VEX.${length}.66.0F38.${W} ${load} /r`, name, [register, mask, memory], move("maskedLoad", width, length)),
      avx(`VEX.${length}.66.0F38.${W} ${store} /r`, name, [memory, mask, register], move("maskedStore", width, length))
    ]
  })

/** Elements of `width` bits, at indices of `indexWidth` bits. */
const gather =
  (width: 32 | 64, indexWidth: 32 | 64, length: Length): Meaning =>
  (x) =>
    x.system("gather", number(x, width), number(x, indexWidth), number(x, length))

/** The wider of elements and indices fill the vectors of this length. */
const gathers = (opcode: string, name: string, width: 32 | 64, indexWidth: 32 | 64): ReadonlyArray<Form> =>
  ([128, 256] as const).map((length) => {
    const count = length / Math.max(width, indexWidth)
    const registers: OperandName = count * width > 128 ? "y" : "x"
    const memory: OperandName = `vm${indexWidth}${count * indexWidth > 128 ? "y" : "x"}`
    const W = width === 64 ? "W1" : "W0"
    const operands = [registers, memory, `${registers}v`] as const
    return avx(`VEX.${length}.66.0F38.${W} ${opcode} /r`, name, operands, gather(width, indexWidth, length))
  })

// biome-ignore format: an instruction, a line
export const forms: ReadonlyArray<Form> = [
  ...moves("2C", "2E", "vmaskmovps", 32, "W0"),
  ...moves("2D", "2F", "vmaskmovpd", 64, "W0"),
  ...moves("8C", "8E", "vpmaskmovd", 32, "W0"),
  ...moves("8C", "8E", "vpmaskmovq", 64, "W1"),

  ...gathers("90", "vpgatherdd", 32, 32),
  ...gathers("90", "vpgatherdq", 64, 32),
  ...gathers("91", "vpgatherqd", 32, 64),
  ...gathers("91", "vpgatherqq", 64, 64),
  ...gathers("92", "vgatherdps", 32, 32),
  ...gathers("92", "vgatherdpd", 64, 32),
  ...gathers("93", "vgatherqps", 32, 64),
  ...gathers("93", "vgatherqpd", 64, 64)
]
