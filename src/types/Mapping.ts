/**
 * Mapping: where a frame can be mapped and with which rights, as far as the text of a program says.
 *
 * An address that stands in the text is written in hexadecimal digits, "0x0040_0000", and judged by the compiler. One that is
 * calculated is a number, and judged by the kernel.
 */
import type { Above, FromHex, HexDigit, Next, Ratio, ToHex, Zeros } from "./Arithmetic.ts"
import type { Frame } from "./Capability.ts"
import type { Keep } from "./Need.ts"
import type { FrameType, objectTypes } from "./ObjectType.ts"

/** An address for `Call` to map a frame of type `S` at: itself, or a sentence. */
export type At<V, Call extends string, S extends FrameType = "Page4K"> = V extends string
  ? string extends V
    ? `⛔ ${Call}: this address is not in the text of the program: give it as a number, and the kernel judges it`
    : Judged<V, Call, S, Written<V>>
  : V

/** The bits of an address as it is written, or undefined. */
export type Written<V extends string> = V extends `0x${infer Digits}` ? Hex<Plain<Lowercase<Digits>>> : undefined
type Plain<Digits extends string> = Digits extends `${infer High}_${infer Low}` ? Plain<`${High}${Low}`> : Digits
type Hex<Digits extends string> = Digits extends ""
  ? undefined
  : IsHex<Digits> extends true
    ? FromHex<Digits>
    : undefined
type IsHex<Digits extends string> = Digits extends `${HexDigit}${infer Rest}`
  ? IsHex<Rest>
  : Digits extends ""
    ? true
    : false

type Judged<V extends string, Call extends string, S extends FrameType, B> = B extends string
  ? Above<B, Zeros<47>> extends ""
    ? B extends "" | `${Low<S>}${string}`
      ? Next<PageOf<B, S>> extends Ratio<Zeros<47>, Low<S>>
        ? `⛔ ${Call}: ${V} is the last ${S} of the addresses of programs, which stays empty`
        : V
      : `⛔ ${Call}: ${V} is no multiple of ${ToHex<`${Low<S>}1`>}, the size of a ${S}`
    : `⛔ ${Call}: ${V} is no address of a program: they end before 0x8000_0000_0000`
  : `⛔ ${Call}: '${V}' is no address: write it in hexadecimal digits, as in 0x0040_0000`

/** The bits of an address that say where in a frame. */
type Low<S extends FrameType> = Zeros<(typeof objectTypes)[S]["bits"]>

/** The number of the page of type `S` that begins at an address. */
export type PageOf<B extends string, S extends FrameType> = Above<B, Low<S>>

/** The larger of two sizes. */
export type Larger<S extends FrameType, T extends FrameType> = "HugePage" extends S | T
  ? "HugePage"
  : "LargePage" extends S | T
    ? "LargePage"
    : "Page4K"

/** The size of a frame; if nobody knows it, the least that there is. */
export type SizeOf<C> = C extends Frame<infer S, infer _R, infer _Q> ? S : "Page4K"

/** The rights of a mapping, of those that the frame's capability has: a list of them, or a sentence. */
export type MapRights<C, Call extends string, List extends ReadonlyArray<string>> =
  Keep<C, Call, List> extends List ? (number extends List["length"] ? List : Allowed<Call, List>) : Keep<C, Call, List>

/** As a processor enforces them: what cannot be read cannot be touched. And what is written is not executed. */
type Allowed<Call extends string, List extends ReadonlyArray<string>> = "read" extends List[number]
  ? "write" | "execute" extends List[number]
    ? `⛔ ${Call}: a mapping is for writing or for executing, not for both`
    : List
  : `⛔ ${Call}: a mapping without 'read' is one that nobody can touch`

/** The number that is written, or the number itself. */
export const addressOf = (address: unknown): number => {
  const number = typeof address === "string" ? Number(address.replaceAll("_", "")) : address
  if (typeof number !== "number" || Number.isNaN(number)) throw new Error(`no address: ${address}`)
  return number
}
