/** Cases by the batch: those of a thousand have a seed of their own, so that they are the same whichever run comes to them. */
import type { Case } from "./cases.ts"
import type { Line } from "./kinds.ts"
import type { Round } from "./native.ts"
import { Random } from "./Random.ts"
import { caseAt, copyWords, putCase, type States, statesOf } from "./states.ts"
import { dataFrom, freedomOf, type Pools, vary } from "./variation.ts"

/** So many cases are a batch, except for the last; and so many of them have one instruction. */
export const batchCases = 1000
const ofOneInstruction = 200

/** Cases that have one instruction. */
export interface Group {
  readonly like: Case
  readonly first: number
  readonly end: number
}
export interface Batch extends Round {
  readonly groups: ReadonlyArray<Group>
}

/** Cases of whole batches: all are written before they are read. */
const rooms: Array<States> = []
const roomFor = (batch: number): States => {
  const room = rooms[batch] ?? statesOf(batchCases * caseAt.bytes)
  rooms[batch] = room
  return room
}

/** The cases of a line from one number, the first of a batch, up to another. They are there until this is asked again. */
export const batchesOf = (line: Line, from: number, to: number, seed: number, pools: Pools): ReadonlyArray<Batch> => {
  const batches: Array<Batch> = []
  for (let first = from; first < to; first += batchCases) {
    const random = new Random(seed ^ hashOf(line.name) ^ Math.imul(1 + first / batchCases, 0x9e37_79b1))
    const count = Math.min(batchCases, to - first)
    const room = count === batchCases ? roomFor(batches.length) : statesOf(count * caseAt.bytes)
    batches.push(batchOf(line, count, room, random, pools))
  }
  return batches
}

const hashOf = (text: string): number => {
  let hash = 0x811c_9dc5
  for (const character of text) hash = Math.imul(hash ^ character.charCodeAt(0), 0x0100_0193)
  return hash
}

const batchOf = ({ form, kind }: Line, count: number, cases: States, random: Random, pools: Pools): Batch => {
  const groups: Array<Group> = []
  const data = kind.dataOf(dataFrom(pools, random), random)
  for (let first = 0; first < count; first += ofOneInstruction) {
    const like = kind.make(form, random)
    const free = freedomOf(kind, like)
    const end = Math.min(count, first + ofOneInstruction)
    putCase(cases.view, first * caseAt.bytes, like)
    for (let n = first + 1; n < end; n++) {
      copyWords(cases.words, (first * caseAt.bytes) >> 2, cases.words, (n * caseAt.bytes) >> 2, caseAt.bytes >> 2)
      vary(cases, n * caseAt.bytes, like, free, pools, random)
    }
    groups.push({ like, first, end })
  }
  return { cases, data, groups }
}
