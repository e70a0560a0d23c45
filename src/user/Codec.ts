/**
 * Codec: the values of a schema as the words of a message.
 *
 *     Void, Null, Literal   no word: the schema says it all
 *     Boolean               0 or 1
 *     Int                   a signed 64-bit number
 *     Number                the bits of a double
 *     BigInt                an unsigned 64-bit number
 *     String                its length in bytes; its UTF-8, 8 bytes a word, the rest of the last 0
 *     Struct, Tuple         each part in its order; before one that may be left out, whether it is there
 *     Array                 how many; each
 *     Union                 which; that
 *     any other             its JSON, as a string
 *
 * What is sent is what the schema encodes to, so that a program in any language can read and write it.
 */
import { Result, Schema, SchemaAST } from "effect"
import type { Operation } from "../types/Protocol.ts"
import * as Word from "../types/Word.ts"

type Data = Operation["request"]

export interface Codec<A> {
  /** @throws what the schema, or 64 bits, cannot hold: whoever calls it has promised a value of the schema's type. */
  readonly encode: (value: A) => ReadonlyArray<bigint>
  /** undefined if the words are those of no value. */
  readonly decode: (words: ReadonlyArray<bigint>) => { readonly value: A } | undefined
}

export const make = <S extends Data>(schema: S): Codec<S["Type"]> => {
  const form = formOf(Schema.toEncoded(schema).ast)
  if (isWhatItEncodesTo(schema.ast)) return { encode: wordsOf(form), decode: (words) => readAll(form, words) }
  const [encoded, decoded] = [Schema.encodeUnknownSync(schema), Schema.decodeUnknownResult(schema)]
  const write = wordsOf(form)
  return {
    encode: (value) => write(encoded(value)),
    decode: (words) => {
      const read = readAll(form, words)
      if (read === undefined) return undefined
      return Result.match(decoded(read.value), { onSuccess: (value) => ({ value }), onFailure: () => undefined })
    }
  }
}

/** How values of one kind are written and read. */
interface Form {
  readonly write: (value: unknown, words: Array<bigint>) => void
  readonly read: (cursor: Cursor) => unknown
  /** Whether a value is of this kind. */
  readonly has: (value: unknown) => boolean
  /** Of a kind whose values are a word each. */
  readonly word?: OneWord
}

interface OneWord {
  readonly of: (value: unknown) => bigint
  readonly value: (word: bigint) => unknown
}

const oneWord = (word: OneWord, has: Form["has"]): Form => ({
  write: (value, words) => words.push(word.of(value)),
  read: (cursor) => word.value(cursor.next()),
  has,
  word
})

/** Where in a message's words a reader is. */
class Cursor {
  readonly #words: ReadonlyArray<bigint>
  #at = 0

  constructor(words: ReadonlyArray<bigint>) {
    this.#words = words
  }

  get ended(): boolean {
    return this.#at === this.#words.length
  }

  next(): bigint {
    const word = this.#words[this.#at++]
    if (word === undefined) throw new Malformed("ends too early")
    return word
  }

  /** A number of things that the rest of the message can hold. */
  count(perWord: number): number {
    const count = Number(this.next())
    if (count > (this.#words.length - this.#at) * perWord) throw new Malformed("promises more than it holds")
    return count
  }
}

class Malformed extends Error {}

const wordsOf = (form: Form): ((value: unknown) => ReadonlyArray<bigint>) => {
  const { word } = form
  if (word !== undefined) return (value) => [word.of(value)]
  return (value) => {
    const words: Array<bigint> = []
    form.write(value, words)
    return words
  }
}

const readAll = (form: Form, words: ReadonlyArray<bigint>): { readonly value: unknown } | undefined => {
  try {
    if (form.word !== undefined) return words.length === 1 ? { value: form.word.value(words[0]!) } : undefined
    const cursor = new Cursor(words)
    const value = form.read(cursor)
    return cursor.ended ? { value } : undefined
  } catch (cause) {
    if (cause instanceof Malformed) return undefined
    throw cause
  }
}

const constant = (value: unknown): Form => ({
  write: () => undefined,
  read: () => value,
  has: (other) => other === value
})

const boolean = oneWord(
  {
    of: (value) => (value === true ? 1n : 0n),
    value: (word) => {
      if (word > 1n) throw new Malformed("holds a truth value that is neither 0 nor 1")
      return word === 1n
    }
  },
  (value) => typeof value === "boolean"
)

const int = oneWord(
  {
    of: (value) => {
      const number = value as number
      if (!Number.isSafeInteger(number)) throw new Error(`an integer is whole, and below 2^53: ${number}`)
      return Word.ofHalves(number, Math.floor(number / 2 ** 32))
    },
    value: (word) => {
      const number = Word.highOf(word) * 2 ** 32 + (Word.lowOf(word) >>> 0)
      if (!Number.isSafeInteger(number)) throw new Malformed("holds a number beyond 2^53")
      return number
    }
  },
  (value) => Number.isSafeInteger(value)
)

const scratch = new DataView(new ArrayBuffer(8))

const double = oneWord(
  {
    of: (value) => {
      scratch.setFloat64(0, value as number)
      return scratch.getBigUint64(0)
    },
    value: (word) => {
      scratch.setBigUint64(0, word)
      return scratch.getFloat64(0)
    }
  },
  (value) => typeof value === "number"
)

const bigint = oneWord(
  {
    of: (value) => {
      if (BigInt.asUintN(64, value as bigint) !== value) throw new Error(`a word holds 64 bits: ${value}`)
      return value
    },
    value: (word) => word
  },
  (value) => typeof value === "bigint"
)

const string: Form = {
  write: (value, words) => {
    const bytes = new TextEncoder().encode(value as string)
    const padded = new Uint8Array(Math.ceil(bytes.length / 8) * 8)
    padded.set(bytes)
    words.push(BigInt(bytes.length), ...new BigUint64Array(padded.buffer))
  },
  read: (cursor) => {
    const length = cursor.count(8)
    const words = BigUint64Array.from({ length: Math.ceil(length / 8) }, () => cursor.next())
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(words.buffer, 0, length))
    } catch {
      throw new Malformed("holds a string that is no UTF-8")
    }
  },
  has: (value) => typeof value === "string"
}

/** One part after another. */
const struct = (
  parts: ReadonlyArray<{ readonly key: PropertyKey; readonly form: Form; readonly optional: boolean }>
): Form => ({
  write: (value, words) => {
    const record = value as Readonly<Record<PropertyKey, unknown>>
    for (const { key, form, optional } of parts) {
      if (optional) words.push(key in record ? 1n : 0n)
      if (!optional || key in record) form.write(record[key], words)
    }
  },
  read: (cursor) => {
    const record: Record<PropertyKey, unknown> = {}
    for (const { key, form, optional } of parts) {
      if (!optional || boolean.read(cursor) === true) record[key] = form.read(cursor)
    }
    return record
  },
  has: (value) =>
    typeof value === "object" &&
    value !== null &&
    parts.every(({ key, form, optional }) => (key in value ? form.has(Reflect.get(value, key)) : optional))
})

const tuple = (parts: ReadonlyArray<Form>): Form => {
  const form = struct(parts.map((part, key) => ({ key, form: part, optional: false })))
  return {
    write: form.write,
    read: (cursor) => parts.map((part) => part.read(cursor)),
    has: (value) => Array.isArray(value) && value.length === parts.length && form.has(value)
  }
}

const array = (item: Form): Form => ({
  write: (value, words) => {
    const items = value as ReadonlyArray<unknown>
    words.push(BigInt(items.length))
    for (const one of items) item.write(one, words)
  },
  read: (cursor) => {
    // Items of no words take no room: what a message can say of them is bounded all the same.
    const count = cursor.count(8)
    return Array.from({ length: count }, () => item.read(cursor))
  },
  has: (value) => Array.isArray(value) && value.every((one) => item.has(one))
})

const union = (members: ReadonlyArray<Form>): Form => ({
  write: (value, words) => {
    const which = members.findIndex((member) => member.has(value))
    if (which < 0) throw new Error("a value of a union is one of its members")
    words.push(BigInt(which))
    members[which]!.write(value, words)
  },
  read: (cursor) => {
    const member = members[Number(cursor.next())]
    if (member === undefined) throw new Malformed("names no member of a union")
    return member.read(cursor)
  },
  has: (value) => members.some((member) => member.has(value))
})

/** What has no form of its own travels as its JSON. */
const json = (ast: SchemaAST.AST): Form => {
  const schema = Schema.fromJsonString(Schema.toCodecJson(Schema.make<Schema.Codec<unknown>>(ast)))
  const [encode, decode] = [Schema.encodeUnknownSync(schema), Schema.decodeUnknownResult(schema)]
  return {
    write: (value, words) => string.write(encode(value), words),
    read: (cursor) =>
      Result.getOrThrowWith(decode(string.read(cursor)), () => new Malformed("holds JSON of something else")),
    has: Schema.is(Schema.make<Schema.Codec<unknown>>(ast))
  }
}

const formOf = (ast: SchemaAST.AST): Form => {
  switch (ast._tag) {
    case "Void":
    case "Undefined":
      return constant(undefined)
    case "Null":
      return constant(null)
    case "Literal":
      return constant(ast.literal)
    case "Boolean":
      return boolean
    case "Number":
      return isInt(ast) ? int : double
    case "BigInt":
      return bigint
    case "String":
      return string
    case "Union":
      return union(ast.types.map(formOf))
    case "Arrays":
      if (ast.rest.length === 0 && !ast.elements.some(SchemaAST.isOptional)) return tuple(ast.elements.map(formOf))
      if (ast.elements.length === 0 && ast.rest.length === 1) return array(formOf(ast.rest[0]!))
      return json(ast)
    case "Objects":
      if (ast.indexSignatures.length > 0) return json(ast)
      return struct(
        ast.propertySignatures.map(({ name, type }) => ({
          key: name,
          form: formOf(type),
          optional: SchemaAST.isOptional(type)
        }))
      )
    default:
      return json(ast)
  }
}

/** Whether what was read is a value without another look: nothing is transformed, and only what reading knows is checked. */
const isWhatItEncodesTo = (ast: SchemaAST.AST): boolean => {
  if (ast.encoding !== undefined) return false
  switch (ast._tag) {
    case "Number":
      return ast.checks === undefined || (isInt(ast) && ast.checks.length === 1)
    case "Void":
    case "Undefined":
    case "Null":
    case "Literal":
    case "Boolean":
    case "BigInt":
    case "String":
      return ast.checks === undefined
    case "Union":
      return ast.checks === undefined && ast.types.every(isWhatItEncodesTo)
    case "Arrays":
      return ast.checks === undefined && [...ast.elements, ...ast.rest].every(isWhatItEncodesTo)
    case "Objects":
      return ast.checks === undefined && ast.propertySignatures.every(({ type }) => isWhatItEncodesTo(type))
    default:
      return false
  }
}

const isInt = (ast: SchemaAST.AST): boolean =>
  ast.checks?.some(
    (check) => check._tag === "Filter" && check.annotations?.representation?.id === "effect/schema/isInt"
  ) ?? false
