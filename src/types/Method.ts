/**
 * Method: one invocation of an object, described once. The kernel reads messages by it, programs write them by it.
 *
 * To invoke an object is to send its capability a message: the label says which method, the words and the extra
 * capabilities are its arguments in the order of the description, and the words of the reply are its results.
 */
import type { Kind, RightOf } from "./Kind.ts"
import * as Rights from "./Rights.ts"
import * as Word from "./Word.ts"

/** How a value travels in a word: what the kernel reads in it, and what programs write and read. */
export interface Field<Kernel, Program> {
  readonly read: (lo: number, hi: number) => Kernel
  readonly encode: (value: Program) => bigint
  readonly decode: (word: bigint) => Program
}

/** 64 bits that are moved or compared for equality: a badge, a guard, an address in a capability space, a register. */
export const word: Field<Word.Word, bigint> = {
  read: Word.make,
  encode: (value) => BigInt.asUintN(64, value),
  decode: (word) => word
}

/** A number that has bounds: an address, a size, an index. The kernel's is inexact above 2^53, where all bounds are passed. */
export const count: Field<number, number> = { read: Word.toNumber, encode: BigInt, decode: Number }

/** A number of 8 bits, as programs write it. The kernel looks at all of the word: one that has more is out of bounds. */
export const byte: Field<number, number> = { ...count, encode: (value) => BigInt(value & 0xff) }

/** A number of which the kernel uses low bits only: whatever is above them does not matter. */
export const lowBits: Field<Word.Word, number> = { ...count, read: Word.make }

/** A number of which only the low 16 bits are looked at. */
export const short: Field<number, number> = {
  read: (lo) => lo & 0xffff,
  encode: (value) => BigInt(value & 0xffff),
  decode: (word) => Number(word) & 0xffff
}

/** Which rights a copy or a mapping may have: see `Rights`. */
export const rights: Field<Rights.RightsWord, Rights.RightsWord> = {
  read: (lo, hi) => ({ bits: lo, derive: hi < 0 }),
  encode: ({ bits, derive }) => (derive ? 1n << 63n : 0n) | BigInt(bits >>> 0),
  decode: (word) => ({ bits: Word.lowOf(word), derive: word >> 63n !== 0n })
}

/** Several small numbers in one word: each by the highest and lowest of its bits, all below bit 32. */
export const packed = <const P extends Readonly<Record<string, readonly [high: number, low: number]>>>(
  parts: P
): Field<{ readonly [N in keyof P]: number }, { readonly [N in keyof P]: number }> => {
  const rows = Object.entries(parts).map(([name, [high, low]]) => ({ name, low, mask: 2 ** (high - low + 1) - 1 }))
  const read = (lo: number) =>
    Object.fromEntries(rows.map(({ name, low, mask }) => [name, (lo >>> low) & mask])) as { [N in keyof P]: number }
  return {
    read,
    encode: (values) =>
      BigInt(rows.reduce((word, { name, low, mask }) => (word | (((values[name] ?? 0) & mask) << low)) >>> 0, 0)),
    decode: (word) => read(Word.lowOf(word))
  }
}

/** Any field at all. Whoever encodes by it has a value of its own type: a method's parameter is compared both ways. */
export interface AnyField {
  readonly read: (lo: number, hi: number) => unknown
  encode(value: unknown): bigint
  readonly decode: (word: bigint) => unknown
}
export type Fields = Readonly<Record<string, AnyField>>

/** A right that is needed, or several of which one is. */
export type Need<Right extends string> = Right | ReadonlyArray<Right>

/** The kinds of capability that an argument may be, and the rights that it must have. */
export type Accepts = { readonly [K in Kind]?: ReadonlyArray<Need<RightOf<K>>> }

/** An argument that is a capability. A call with another than it accepts is refused: `InvalidCapability`, counted from 1. */
export interface CapArgument<A extends Accepts = Accepts, Optional extends boolean = boolean> {
  readonly accepts: A
  /** It may be the null capability, which means none. */
  readonly optional: Optional
  /** For each kind accepted, sets of rights: of each set the capability must have one. */
  readonly needs: { readonly [K in Kind]?: ReadonlyArray<Rights.Rights> }
}
export type CapArguments = Readonly<Record<string, CapArgument>>

export const cap = <const A extends Accepts>(accepts: A): CapArgument<A, false> => ({
  accepts,
  optional: false,
  needs: needsOf(accepts)
})

export const optional = <const A extends Accepts>(accepts: A): CapArgument<A, true> => ({
  accepts,
  optional: true,
  needs: needsOf(accepts)
})

const needsOf = (accepts: Accepts): CapArgument["needs"] =>
  Object.fromEntries(
    Object.entries(accepts).map(([kind, needs]: [string, ReadonlyArray<Need<RightOf<Kind>>>]) => [
      kind,
      needs.map((need) => Rights.fromNames(kind as Kind, typeof need === "string" ? [need] : need))
    ])
  )

/** Whether an argument may be a capability of this kind that holds these rights. */
export const accepted = ({ needs }: CapArgument, kind: Kind, held: Rights.Rights): boolean =>
  needs[kind]?.every((oneOf) => (held & oneOf) !== 0) ?? false

export interface Method<
  K extends Kind = Kind,
  R extends string = string,
  W extends Fields = Fields,
  C extends CapArguments = CapArguments,
  Out extends Fields = Fields,
  Rest extends string = string
> {
  /** Its name in the interface. */
  readonly name: string
  readonly label: number
  /** What it is a method of. */
  readonly kind: K
  /** The rights that the capability invoked must have, by name and as a set. Without them the call is an `IllegalOperation`. */
  readonly rights: ReadonlyArray<R>
  readonly needs: Rights.Rights
  readonly words: W
  /** A message with fewer words is truncated. */
  readonly length: number
  /** Words that may follow, in this order, as many of them as the arguments say. */
  readonly rest: ReadonlyArray<Rest>
  readonly caps: C
  readonly results: Out
}

type None = Readonly<Record<never, never>>

export const method = <
  const K extends Kind,
  const R extends RightOf<K>,
  const W extends Fields = None,
  const C extends CapArguments = None,
  const Out extends Fields = None,
  const Rest extends string = never
>({
  name,
  label,
  kind,
  rights,
  words,
  rest,
  caps,
  results
}: {
  readonly name: string
  readonly label: number
  readonly kind: K
  readonly rights: ReadonlyArray<R>
  readonly words?: W
  readonly rest?: ReadonlyArray<Rest>
  readonly caps?: C
  readonly results?: Out
}): Method<K, R, W, C, Out, Rest> => ({
  name,
  label,
  kind,
  rights,
  needs: Rights.fromNames(kind, rights),
  words: words ?? ({} as W),
  length: Object.keys(words ?? {}).length,
  rest: rest ?? [],
  caps: caps ?? ({} as C),
  results: results ?? ({} as Out)
})

/** The words of a message as the kernel finds them. */
export interface MessageWords {
  readonly lo: (index: number) => number
  readonly hi: (index: number) => number
}

/** What the kernel reads in the words of a message. */
export type Arguments<M extends Method> = { readonly [N in keyof M["words"]]: ReturnType<M["words"][N]["read"]> }

/** Read the words of a message that has at least `method.length` of them. */
export const decode = <M extends Method>(method: M, message: MessageWords): Arguments<M> => {
  const args: Record<string, unknown> = {}
  let index = 0
  for (const name in method.words) {
    args[name] = method.words[name]!.read(message.lo(index), message.hi(index))
    index++
  }
  return args as Arguments<M>
}

/** What a program gives: a value for each word, a capability pointer for each capability. */
export type Given<M extends Method> = { readonly [N in keyof M["words"]]: Parameters<M["words"][N]["encode"]>[0] } & {
  readonly [N in keyof M["caps"] as M["caps"][N]["optional"] extends true ? never : N]: bigint
} & {
  readonly [N in keyof M["caps"] as M["caps"][N]["optional"] extends true ? N : never]?: bigint
} & (M["rest"][number] extends never ? unknown : { readonly rest: { readonly [N in M["rest"][number]]: bigint } })

/** A message that invokes an object. */
export interface Invocation {
  readonly label: number
  readonly words: ReadonlyArray<bigint>
  /** Capability pointers. */
  readonly caps: ReadonlyArray<bigint>
}

/** Write the message. */
export const encode = <M extends Method>(method: M, given: Given<M>): Invocation => {
  const values = given as Readonly<Record<string, unknown>>
  const rest = values.rest as Readonly<Record<string, bigint>> | undefined
  return {
    label: method.label,
    words: [
      ...Object.entries(method.words).map(([name, field]) => field.encode(values[name])),
      ...(rest === undefined ? [] : method.rest.map((name) => word.encode(rest[name]!)))
    ],
    caps: Object.keys(method.caps).map((name) => (values[name] ?? 0n) as bigint)
  }
}

/** What a program is answered. */
export type Results<M extends Method> = { readonly [N in keyof M["results"]]: ReturnType<M["results"][N]["decode"]> }

/** Read the words of the reply to a call that was not refused. */
export const results = <M extends Method>(method: M, words: ReadonlyArray<bigint>): Results<M> =>
  Object.fromEntries(
    Object.entries(method.results).map(([name, field], index) => [name, field.decode(words[index] ?? 0n)])
  ) as Results<M>
