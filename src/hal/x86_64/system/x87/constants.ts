/** The constants that instructions load, in each rounding. SDM vol. 1, "Load Constant Instructions"; "Approximation of Pi". */
import { bias, type Extended, one, zero } from "./Extended.ts"
import { type RoundingControl, toInteger } from "./round.ts"

/** 128 bits of each: 1 to 2 times 2^exponent. */
// biome-ignore format: a table
const digits = {
  log2Ten:  { significand: 0xd49a784bcd1b8afe492bf6ff4dafdb4cn, exponent: 1 },
  log2E:    { significand: 0xb8aa3b295c17f0bbbe87fed0691d3e88n, exponent: 0 },
  pi:       { significand: 0xc90fdaa22168c234c4c6628b80dc1cd1n, exponent: 1 },
  log10Two: { significand: 0x9a209a84fbcff7988f8959ac0b7c9178n, exponent: -2 },
  lnTwo:    { significand: 0xb17217f7d1cf79abc9e3b39803f2f6afn, exponent: -1 }
} as const

type Roundings = readonly [Extended, Extended, Extended, Extended]

const roundings = (of: (rounding: RoundingControl) => Extended): Roundings => [of(0), of(1), of(2), of(3)]

const rounded = (name: keyof typeof digits): Roundings =>
  roundings((rounding) => {
    const { significand: magnitude, exponent } = digits[name]
    const { value } = toInteger({ sign: 0, magnitude, scale: -64 }, rounding)
    return { sign: 0, exponent: bias + exponent, significand: value }
  })

/** By the rounding-control field. */
export const constants = {
  one: roundings(() => one),
  zero: roundings(() => zero(0)),
  log2Ten: rounded("log2Ten"),
  log2E: rounded("log2E"),
  pi: rounded("pi"),
  log10Two: rounded("log10Two"),
  lnTwo: rounded("lnTwo")
} as const
