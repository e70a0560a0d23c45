/**
 * Arithmetic: what the compiler can calculate with numbers that stand in a program.
 *
 * It calculates with `Bits`: the binary digits of a number in a string, the lowest first, so that to add is to read from the left.
 * 12 is "0011", and 0 is "": no number ends in zeros that say nothing.
 */

/** `N` zeros: that many bits to the left, and what a multiple of 2^N begins with. */
export type Zeros<N extends number, Sofar extends 0[] = [], Out extends string = ""> = Sofar["length"] extends N
  ? Out
  : Zeros<N, [...Sofar, 0], `${Out}0`>

/** The number that is written in hexadecimal digits, the highest first. */
export type FromHex<Digits extends string, Out extends string = ""> = Digits extends `${infer D}${infer Rest}`
  ? FromHex<Rest, `${Nibbles[D & keyof Nibbles]}${Out}`>
  : Trimmed<Out>

/** The number as a program writes it: "0x1f". */
export type ToHex<
  B extends string,
  Out extends string = ""
> = B extends `${infer a}${infer b}${infer c}${infer d}${infer Rest}`
  ? ToHex<Rest, `${DigitOf<`${a}${b}${c}${d}`>}${Out}`>
  : B extends ""
    ? Out extends ""
      ? "0x0"
      : `0x${Out}`
    : ToHex<`${B}0`, Out>

/** The number without its lowest bits, as many as there are in `Low`. */
export type Above<B extends string, Low extends string> = Low extends `0${infer Fewer}`
  ? B extends `${infer _}${infer Rest}`
    ? Above<Rest, Fewer>
    : ""
  : B

/** One more. */
export type Next<B extends string, Low extends string = ""> = B extends `1${infer Rest}`
  ? Next<Rest, `0${Low}`>
  : B extends `0${infer Rest}`
    ? `${Low}1${Rest}`
    : `${Low}1`

/** How many times 2^n it is, rounded up, where `Low` is n zeros. */
export type RoundedUp<B extends string, Low extends string> = B extends "" | `${Low}${string}`
  ? Above<B, Low>
  : Next<Above<B, Low>>

/** That much times 2^n, where `Low` is n zeros. */
export type Times<B extends string, Low extends string> = B extends "" ? "" : `${Low}${B}`

/** `N` more, but never more than `Most`: then it is undefined. */
export type Plus<
  B extends string,
  N extends number,
  Most extends string,
  Sofar extends 0[] = []
> = Sofar["length"] extends N ? B : B extends Most ? undefined : Plus<Next<B>, N, Most, [...Sofar, 0]>

/** How many times 2^b is in 2^a, where `A` and `B` are so many zeros; undefined if it is not. */
export type Ratio<A extends string, B extends string> = A extends `${B}${infer Left}` ? `${Left}1` : undefined

/** How many zeros there are. */
export type Count<Zeros extends string, Sofar extends 0[] = []> = Zeros extends `0${infer Rest}`
  ? Count<Rest, [...Sofar, 0]>
  : Sofar["length"]

/** Whether one number is less than another. Both are whole, and none is negative. */
export type Less<A extends number, B extends number> = Compared<`${A}`, `${B}`>

/** The longer is the greater; of the same length, the first digits that differ decide. */
type Compared<A extends string, B extends string, First = undefined> = A extends `${infer a}${infer As}`
  ? B extends `${infer b}${infer Bs}`
    ? Compared<As, Bs, First extends undefined ? (a extends b ? undefined : Before<a, b>) : First>
    : false
  : B extends ""
    ? First extends true
      ? true
      : false
    : true
type Before<a extends string, b extends string> = "0123456789" extends `${string}${a}${string}${b}${string}`
  ? true
  : false

// biome-ignore format: the digits in four lines
interface Nibbles {
  "0": "0000"; "1": "1000"; "2": "0100"; "3": "1100"
  "4": "0010"; "5": "1010"; "6": "0110"; "7": "1110"
  "8": "0001"; "9": "1001"; a:   "0101"; b:   "1101"
  c:   "0011"; d:   "1011"; e:   "0111"; f:   "1111"
}
type DigitOf<Bits extends string> = { [D in keyof Nibbles]: Nibbles[D] extends Bits ? D : never }[keyof Nibbles]

/** A hexadecimal digit. */
export type HexDigit = keyof Nibbles

type Trimmed<B extends string> = B extends `${infer Rest}0` ? Trimmed<Rest> : B
