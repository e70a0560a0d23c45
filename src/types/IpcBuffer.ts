/**
 * IpcBuffer: the memory of a thread that holds what of a message does not fit the registers.
 *
 * It lies at a multiple of its size, so it never crosses a page.
 */
import { layout, u64, word } from "./Layout.ts"
import { maxExtraCaps, maxLength } from "./MessageInfo.ts"

export const sizeBits = 10

// biome-ignore format: a field, a line
export const IpcBuffer = layout(2 ** sizeBits, {
  tag:           word(0),
  /** For the program's own use. */
  userData:      word(968),
  /** Where a capability that arrives goes: a CNode, and a slot in it. */
  receiveCNode:  word(1000),
  receiveIndex:  word(1008),
  receiveDepth:  u64(1016)
})

const messageAt = 8
const capsOrBadgesAt = 976

/** The offset of word `index` of a message: 0 to 119. Words 0 to 3 have a place here too, which the kernel does not use. */
export const messageWord = (index: number): number => {
  if (index >= maxLength) throw new Error(`a message has ${maxLength} words: ${index}`)
  return messageAt + 8 * index
}

/** The offset of extra capability `index` as it is sent, and of its badge where it arrived unwrapped: 0 to 2. */
export const capOrBadge = (index: number): number => {
  if (index >= maxExtraCaps) throw new Error(`a message has ${maxExtraCaps} extra capabilities: ${index}`)
  return capsOrBadgesAt + 8 * index
}
