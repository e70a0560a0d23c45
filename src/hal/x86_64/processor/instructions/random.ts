/**
 * RDRAND, RDSEED, RDPID. SDM vol. 2B, the pages of the same names.
 *
 * The numbers are as random as a run is: they follow from the seed that the machine was made with, one after the other.
 */
import type { Form } from "../Form.ts"
import { explicit } from "../flags.ts"
import { flagPositions, type Machine, type Meaning } from "../Meaning.ts"
import { inst, sized } from "../notation.ts"
import { anySize } from "./operation.ts"

/** A step of a sequence that comes to all numbers of 64 bits, and what makes a random number of one: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators". */
const step = 0x9e37_79b9_7f4a_7c15n
const mixes = [
  [30n, 0xbf58_476d_1ce4_e5b9n],
  [27n, 0x94d0_49bb_1331_11ebn]
] as const

const mixed = <V, B>(x: Machine<V, B>, value: V): V => {
  const folded = (v: V, by: bigint) => x.xor(v, x.shr(v, x.constant(by)))
  return folded(
    mixes.reduce((v, [by, factor]) => x.mul(folded(v, by), x.constant(factor)), value),
    31n
  )
}

/** There is always a number: CF is 1, and the other status flags are 0. A guest may be left instead: this bit of `intercepts`. */
const random =
  (exits: number): Meaning =>
  (x, dest) => {
    x.raise("VM exit", x.bit(x.get("intercepts"), exits))
    const next = x.add(x.get("random"), x.constant(step))
    x.set("random", next)
    x.write(dest, x.low(mixed(x, next), dest.width))
    x.flags(explicit, 64, [x.constant(1n << BigInt(flagPositions.CF))])
  }

/** IA32_TSC_AUX. A guest may have neither RDTSCP nor this. */
const rdpid: Meaning = (x, dest) => {
  x.raise("#UD", x.bit(x.get("intercepts"), 3))
  x.write(dest, x.get("tscAux"))
}

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  ...sized("NP 0F C7 /6", "rdrand", ["r"], random(1)),
  ...sized("NP 0F C7 /7", "rdseed", ["r"], random(2)),
  inst("F3 0F C7 /7", "rdpid", ["r64"], rdpid, anySize),
  inst("F3 0F C7 /7", "rdpid", ["r32"], rdpid, { ...anySize, long: false })
]
