/**
 * Transaction: what one operation of a program asks of the machine, request by request.
 *
 * A message of more than four words, or with capabilities, goes through the thread's IPC buffer: written before the system call,
 * read after it. Nothing else of the same thread may come between, so an operation is one transaction.
 */
import { Exit } from "effect"
import type { Answer, Fiber, Request } from "../types/Gate.ts"
import { capOrBadge, IpcBuffer, messageWord } from "../types/IpcBuffer.ts"
import * as MessageInfo from "../types/MessageInfo.ts"
import type { Method } from "../types/Method.ts"
import { type Syscall, syscalls } from "../types/Syscall.ts"
import * as Word from "../types/Word.ts"
import type { MessageCall, Outcome, Registers, RegistersAfter } from "./Syscalls.ts"

export interface Transaction<A, E = never> {
  /** What to ask first. */
  readonly first: Request
  /** What to ask after this answer; undefined if it was the last. */
  readonly next: (answer: Answer) => Request | undefined
  /** What came of it: after the last answer. */
  readonly result: () => Exit.Exit<A, E>
}

type Tag = Answer["_tag"]
type Of<T extends Tag> = Extract<Answer, { readonly _tag: T }>

/** Requests as a generator yields them, each of which is answered. It asks for at least one thing. */
export const steps = <A>(requests: Generator<Request, A, Answer>): Transaction<A> => {
  const first = requests.next()
  if (first.done) throw new Error("a transaction asks for something")
  let last: { readonly value: A } | undefined
  return {
    first: first.value,
    next: (answer) => {
      const step = requests.next(answer)
      if (!step.done) return step.value
      last = step
      return undefined
    },
    result: () => Exit.succeed(last!.value)
  }
}

/** One request, one answer. */
const single = <T extends Tag, A>(first: Request, tag: T, result: (answer: Of<T>) => A): Transaction<A> => {
  let came: Of<T> | undefined
  return {
    first,
    next: (answer) => {
      came = expect(answer, tag)
      return undefined
    },
    result: () => Exit.succeed(result(came!))
  }
}

const expect = <T extends Tag>(answer: Answer, tag: T): Of<T> => {
  if (answer._tag !== tag) throw new Error(`a machine answers what was asked: ${tag}, not ${answer._tag}`)
  return answer as Of<T>
}

export const raw = (registers: Registers): Transaction<RegistersAfter> =>
  single({ _tag: "Syscall", ...registers }, "Syscall", (answer) => answer)

export const read = (address: bigint, length: number): Transaction<Uint8Array> =>
  single({ _tag: "Read", address, length }, "Read", ({ bytes }) => bytes)

export const write = (address: bigint, bytes: Uint8Array): Transaction<void> =>
  single({ _tag: "Write", address, bytes }, "Written", () => undefined)

export const fork = (fiber: Fiber): Transaction<number> =>
  single({ _tag: "Fork", fiber }, "Forked", (answer) => answer.fiber)

/**
 * A system call with its whole message. Without an IPC buffer the message says its whole length all the same,
 * and the kernel cuts it to what the registers hold.
 */
export const message = <A, E>(
  call: MessageCall,
  buffer: bigint | undefined,
  outcome: Outcome<A, E>
): Transaction<A, E> => new MessageTransaction(call, buffer, outcome)

class MessageTransaction<A, E> implements Transaction<A, E> {
  readonly first: Request
  private readonly buffer: bigint | undefined
  /** What is asked after `first`, the next one last. */
  private readonly rest: Array<Request> | undefined
  private readonly outcome: Outcome<A, E>
  private registers: Of<"Syscall"> | undefined = undefined
  private fromBuffer: Uint8Array | undefined = undefined

  constructor(call: MessageCall, buffer: bigint | undefined, outcome: Outcome<A, E>) {
    this.buffer = buffer
    this.outcome = outcome
    const asks = buffer === undefined || isInRegisters(call) ? undefined : writeBuffer(call, buffer)
    this.rest = asks
    this.first = asks === undefined ? inRegisters(call) : asks.pop()!
  }

  next(answer: Answer): Request | undefined {
    if (answer._tag === "Written") return this.rest!.pop()!
    if (this.registers !== undefined) {
      this.fromBuffer = expect(answer, "Read").bytes
      return undefined
    }
    this.registers = expect(answer, "Syscall")
    return this.buffer === undefined ? undefined : readBuffer(this.registers.info, this.buffer)
  }

  result(): Exit.Exit<A, E> {
    const { badge, info, mr0, mr1, mr2, mr3 } = this.registers!
    const { label, capsUnwrapped, extraCaps, length } = MessageInfo.fromBigInt(info)
    const buffer = this.fromBuffer
    const words = length === 1 ? [mr0] : length === 0 ? none : [mr0, mr1, mr2, mr3].slice(0, length)
    return this.outcome({
      badge,
      label,
      words: buffer === undefined ? words : [...words, ...bufferWords(buffer, length)],
      extraCaps,
      unwrapped: capsUnwrapped,
      badges: buffer === undefined ? none : bufferBadges(buffer, extraCaps)
    })
  }
}

/** What a system call answered. */
export const syscallOf = (answer: Answer): Of<"Syscall"> => expect(answer, "Syscall")

/** Calling a method of an object, for who makes many calls in one transaction: the words that registers hold; the rest is in the IPC buffer. */
export const invocation = (
  capability: bigint,
  { label }: Method,
  length: number,
  mr0: bigint,
  mr1 = 0n,
  mr2 = 0n,
  mr3 = 0n
): Request => ({
  _tag: "Syscall",
  number: numbers.Call,
  capability,
  info: MessageInfo.toBigInt({ label, capsUnwrapped: 0, extraCaps: 0, length }),
  mr0,
  mr1,
  mr2,
  mr3,
  reply: 0n,
  destination: 0n
})

/** Its answer: a label, 0 unless it was refused, and the first word. */
export const replyOf = (answer: Answer): { readonly label: number; readonly value: bigint } => {
  const { info, mr0 } = syscallOf(answer)
  return { label: MessageInfo.fromBigInt(info).label, value: mr0 }
}

const none: ReadonlyArray<bigint> = []

const inRegisters = ({ syscall, capability, destination, label, words, caps, reply }: MessageCall): Request => ({
  _tag: "Syscall",
  // Most are one of these two.
  number: syscall === "Call" ? numbers.Call : syscall === "ReplyRecv" ? numbers.ReplyRecv : numbers[syscall],
  capability,
  info: MessageInfo.toBigInt({ label, capsUnwrapped: 0, extraCaps: caps.length, length: words.length }),
  mr0: words[0] ?? 0n,
  mr1: words[1] ?? 0n,
  mr2: words[2] ?? 0n,
  mr3: words[3] ?? 0n,
  reply,
  destination: destination ?? 0n
})

export const numbers = Object.fromEntries(
  Object.entries(syscalls).map(([name, number]) => [name, BigInt.asUintN(64, BigInt(number))])
) as { readonly [S in keyof typeof syscalls]: bigint }

const firstBufferWord = messageWord(MessageInfo.registerWords)

/** How many words of a message registers hold: the name of a thread is all in the buffer. */
const registerWordsOf = (syscall: Syscall): number => (syscall === "DebugNameThread" ? 0 : MessageInfo.registerWords)

/** Nothing is to be written before. */
const isInRegisters = ({ syscall, words, caps, receiveInto }: MessageCall): boolean =>
  words.length <= registerWordsOf(syscall) && caps.length === 0 && receiveInto === undefined

/** The call, and what is written before: the words that no register holds, the capabilities, and where one that arrives goes. Last comes first. */
const writeBuffer = (call: MessageCall, buffer: bigint): Array<Request> => {
  const { syscall, words, caps, receiveInto } = call
  const asks = [inRegisters(call)]
  if (receiveInto !== undefined) {
    const { root, index, depth } = receiveInto
    asks.push(writeWords(buffer, IpcBuffer.receiveCNode.at, [root, index, BigInt(depth)]))
  }
  if (caps.length > 0) asks.push(writeWords(buffer, capOrBadge(0), caps))
  const held = registerWordsOf(syscall)
  if (words.length > held) asks.push(writeWords(buffer, messageWord(held), words.slice(held)))
  return asks
}

const writeWords = (buffer: bigint, offset: number, words: ReadonlyArray<bigint>): Request => ({
  _tag: "Write",
  address: buffer + BigInt(offset),
  bytes: new Uint8Array(BigUint64Array.from(words).buffer)
})

/** What of the message lies in the buffer, in one piece; undefined if nothing does. */
const readBuffer = (info: bigint, buffer: bigint): Request | undefined => {
  const lo = Word.lowOf(info)
  const [length, extraCaps] = [MessageInfo.length(lo), MessageInfo.extraCaps(lo)]
  if (length <= MessageInfo.registerWords && extraCaps === 0) return undefined
  const end = extraCaps > 0 ? capOrBadge(extraCaps - 1) + 8 : messageWord(length - 1) + 8
  return { _tag: "Read", address: buffer + BigInt(firstBufferWord), length: end - firstBufferWord }
}

const wordsAt = (bytes: Uint8Array, offset: number, count: number): ReadonlyArray<bigint> => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: count }, (_, index) => view.getBigUint64(offset + 8 * index, true))
}

const bufferWords = (bytes: Uint8Array, length: number): ReadonlyArray<bigint> =>
  wordsAt(bytes, 0, Math.max(0, length - MessageInfo.registerWords))

const bufferBadges = (bytes: Uint8Array, extraCaps: number): ReadonlyArray<bigint> =>
  extraCaps === 0 ? [] : wordsAt(bytes, capOrBadge(0) - firstBufferWord, extraCaps)
