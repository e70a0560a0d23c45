/** VFMADD, VFMSUB, VFNMADD, VFNMSUB, VFMADDSUB, VFMSUBADD: a product and a sum, rounded once. SDM vol. 2C, the pages of the same names. */
import type { Lane } from "../../../wasm/simd.ts"
import type { Form } from "../../Form.ts"
import { avxTernary, computing, type Rule } from "./vector.ts"

/** Which operands are multiplied, and which is added: the digits of the name are in that order. */
const orders = [
  { digits: "132", row: 0x90, order: [0, 2, 1] },
  { digits: "213", row: 0xa0, order: [1, 0, 2] },
  { digits: "231", row: 0xb0, order: [1, 2, 0] }
] as const

// biome-ignore format: an operation, a line
const packedOnly = [
  { name: "fmaddsub", column: 6 },
  { name: "fmsubadd", column: 7 }
] as const
// biome-ignore format: an operation, a line
const operations = [
  { name: "fmadd",  column: 0x8 },
  { name: "fmsub",  column: 0xa },
  { name: "fnmadd", column: 0xc },
  { name: "fnmsub", column: 0xe }
] as const

const packed = [
  { suffix: "ps", shape: "f32x4", line: { W: "W0" } },
  { suffix: "pd", shape: "f64x2", line: { W: "W1" } }
] as const
const scalars = [
  { suffix: "ss", shape: "f32", lane: "i32x4", line: { W: "W0", partial: 32, lengths: ["LIG"] } },
  { suffix: "sd", shape: "f64", lane: "i64x2", line: { W: "W1", partial: 64, lengths: ["LIG"] } }
] as const

const inOrder =
  (order: readonly [0 | 1 | 2, 0 | 1 | 2, 0 | 1 | 2], rule: Rule): Rule =>
  (x, constant, ...sources) => {
    const [a, b, c] = order.map((n) => sources[n]!)
    return rule(x, constant, a!, b!, c!)
  }

/** The other lanes stay. */
const lowest =
  (lane: Lane, rule: Rule): Rule =>
  (x, constant, ...sources) => [x.withLane(lane, sources[0][0], 0, x.lane(lane, rule(x, constant, ...sources)[0], 0))]

const opcode = (row: number, column: number): string => `66 0F 38 ${(row + column).toString(16).toUpperCase()}`

export const forms: ReadonlyArray<Form> = orders.flatMap(({ digits, row, order }) => [
  ...packed.flatMap(({ suffix, shape, line }) =>
    [...packedOnly, ...operations].flatMap(({ name, column }) =>
      avxTernary(opcode(row, column), `v${name}${digits}${suffix}`, inOrder(order, computing(`${shape}.${name}`)), line)
    )
  ),
  ...scalars.flatMap(({ suffix, shape, lane, line }) =>
    operations.flatMap(({ name, column }) =>
      avxTernary(
        opcode(row, column + 1),
        `v${name}${digits}${suffix}`,
        lowest(lane, inOrder(order, computing(`${shape}.${name}`))),
        line
      )
    )
  )
])
