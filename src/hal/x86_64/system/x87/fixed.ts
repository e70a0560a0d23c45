/**
 * Elementary functions of fixed-point numbers: integers that stand for themselves divided by 2^places. Each is right but for some of the last bits, of
 * which there are many more than a result keeps.
 */
import { squareRootOf } from "./arithmetic.ts"

export const places = 320
export const unit = 1n << BigInt(places)

const multiply = (a: bigint, b: bigint): bigint => (a * b) >> BigInt(places)
const divide = (a: bigint, b: bigint): bigint => (a << BigInt(places)) / b

/** Terms until one is 0: each is the last one times `factor(n)`. */
const series = (first: bigint, next: (term: bigint, n: bigint) => bigint): bigint => {
  let sum = 0n
  for (let [term, n] = [first, 1n]; term !== 0n && term !== -1n; n++) {
    sum += term
    term = next(term, n)
  }
  return sum
}

/** e^x - 1, for x from -1 to 1. */
export const exponentialLessOne = (x: bigint): bigint => series(x, (term, n) => multiply(term, x) / (n + 1n))

export const sine = (x: bigint): bigint => {
  const square = multiply(x, x)
  return series(x, (term, n) => -multiply(term, square) / (2n * n * (2n * n + 1n)))
}

export const cosine = (x: bigint): bigint => {
  const square = multiply(x, x)
  return series(unit, (term, n) => -multiply(term, square) / ((2n * n - 1n) * (2n * n)))
}

/** Sum of `sign`^n z^(2n+1) / (2n+1). */
const oddPowers = (z: bigint, sign: 1n | -1n): bigint => {
  const square = multiply(z, z) * sign
  let sum = 0n
  for (let [power, n] = [z, 1n]; power !== 0n && power !== -1n; n += 2n) {
    sum += power / n
    power = multiply(power, square)
  }
  return sum
}

/** Natural logarithm of x from 1/2 to 2: 2 artanh((x - 1) / (x + 1)). */
export const logarithm = (x: bigint): bigint => 2n * oddPowers(divide(x - unit, x + unit), 1n)

/** Of x from 0 to 1; each halving of the angle makes the series shorter. */
export const arcTangent = (x: bigint): bigint => {
  let z = x
  const halvings = 3
  for (let n = 0; n < halvings; n++) z = divide(z, unit + squareRootOf((unit << BigInt(places)) + z * z))
  return oddPowers(z, -1n) << BigInt(halvings)
}

export const lnTwo = logarithm(2n * unit)
/** 16 arctan(1/5) - 4 arctan(1/239). */
export const pi = 16n * oddPowers(unit / 5n, -1n) - 4n * oddPowers(unit / 239n, -1n)
