/**
 * Message: the words of a message, where a thread has them.
 *
 * The first four are in registers; the others in its IPC buffer, if it has one. A message to or from a thread without a
 * buffer has four words.
 */
import { Charge } from "../hal/Charge.ts"
import { messageWord } from "../types/IpcBuffer.ts"
import * as MessageInfo from "../types/MessageInfo.ts"
import type { Word } from "../types/Word.ts"
import type { State, View } from "./State.ts"

/** Where word `index` lies in an IPC buffer. */
export const at = messageWord

/** Set the message info and the badge that a thread finds. */
export const setInfo = (
  state: State,
  thread: number,
  label: number,
  unwrapped: number,
  extraCaps: number,
  length: number
): void => {
  const { architecture } = state
  architecture.setRegister(
    state,
    thread,
    architecture.convention.info,
    MessageInfo.packLo(label, unwrapped, extraCaps, length),
    MessageInfo.packHi(label)
  )
}

export const setBadge = (state: State, thread: number, low: number, high: number): void =>
  state.architecture.setRegister(state, thread, state.architecture.convention.capability, low, high)

/** The halves of word `index`. `buffer` is the thread's: it has one, if the word is in it. */
export const wordLow = (view: View, thread: number, buffer: number, index: number): number =>
  index < MessageInfo.registerWords
    ? view.architecture.registerLow(view, thread, view.architecture.convention.message[index]!)
    : view.memory.load32(buffer + messageWord(index))

export const wordHigh = (view: View, thread: number, buffer: number, index: number): number =>
  index < MessageInfo.registerWords
    ? view.architecture.registerHigh(view, thread, view.architecture.convention.message[index]!)
    : view.memory.load32(buffer + messageWord(index) + 4)

/** Set word `index`. `buffer` is the thread's, 0 if it has none: then the word is cut off, and false. */
export const setWord = (
  state: State,
  thread: number,
  buffer: number,
  index: number,
  low: number,
  high: number
): boolean => {
  const { architecture, memory } = state
  if (index < MessageInfo.registerWords)
    architecture.setRegister(state, thread, architecture.convention.message[index]!, low, high)
  else if (buffer === 0) return false
  else {
    memory.store32(buffer + messageWord(index), low)
    memory.store32(buffer + messageWord(index) + 4, high)
  }
  state.charge(Charge.messageWord)
  return true
}

/** Set the first `length` words, given by halves. Without a buffer, those that registers hold. */
export const setWords = (state: State, thread: number, buffer: number, halves: Int32Array, length: number): void => {
  const { architecture, memory } = state
  const inRegisters = Math.min(length, MessageInfo.registerWords)
  for (let index = 0; index < inRegisters; index++)
    architecture.setRegister(
      state,
      thread,
      architecture.convention.message[index]!,
      halves[2 * index]!,
      halves[2 * index + 1]!
    )
  state.charge(Charge.messageWord * (buffer === 0 ? inRegisters : length))
  // A buffer is in one page.
  if (buffer !== 0)
    memory.storeWords(buffer + messageWord(inRegisters), halves, 2 * inRegisters, 2 * (length - inRegisters))
}

/** The first `length` words go from one thread to another. How many of them arrived. */
export const copy = (state: State, from: number, to: number, length: number): number => {
  const { architecture, memory } = state
  const inRegisters = Math.min(length, MessageInfo.registerWords)
  state.charge(Charge.messageWord * inRegisters)
  architecture.copyMessage(state, from, to, inRegisters)
  if (length <= MessageInfo.registerWords) return length
  const source = architecture.buffer(state, from, "read")
  const target = architecture.buffer(state, to, "write")
  if (source === 0 || target === 0) return inRegisters
  state.charge(Charge.messageWord * (length - inRegisters))
  const first = at(inRegisters)
  // Two threads may share a buffer: then the words are where they should be.
  if (source !== target) memory.copy(source + first, target + first, 8 * (length - inRegisters))
  return length
}

/** The kernel's own answer to a call: its label and words, no capabilities and no badge. */
export const reply = (state: State, thread: number, label: number, words: ReadonlyArray<Word>): void => {
  const buffer = words.length > MessageInfo.registerWords ? state.architecture.buffer(state, thread, "write") : 0
  let length = 0
  for (const { lo, hi } of words) {
    if (!setWord(state, thread, buffer, length, lo, hi)) break
    length++
  }
  setBadge(state, thread, 0, 0)
  setInfo(state, thread, label, 0, 0, length)
}

/** The kernel's answer to a call that was not refused. */
export const replyWith = (state: State, thread: number, words: ReadonlyArray<Word>): void =>
  reply(state, thread, 0, words)
