/**
 * DomainSchedule: which domain's turn it is.
 *
 * seL4 manual, "Domains": time is cut into turns, and each is a domain's. While it lasts only threads of that domain run;
 * if none of them can, nobody does. The turns stand in a list, which ends before the first that lasts no time at all; then
 * it begins again with the turn that programs say.
 *
 * Where there is one domain, its turn does not end.
 */
import { Charge } from "../hal/Charge.ts"
import {
  bitmapAt,
  bitmapBytes,
  KernelData,
  queuesAt,
  queuesBytes,
  roomBytes,
  Turn,
  turnAt,
  turns
} from "./KernelData.ts"
import type { State, View } from "./State.ts"

/** Nanoseconds of a turn that does not end: programs can ask for more, and mean this. */
export const endless = 2 ** 50

export const domains = ({ memory, data }: View): number => KernelData.domains.load(memory, data)
export const firstTurn = ({ memory, data }: View): number => KernelData.firstTurn.load(memory, data)
export const duration = ({ memory, data }: View, index: number): number =>
  Turn.duration.load(memory, turnAt(data, index))

/** Where the ready queues of a domain are: those of the one that runs have their place in `KernelData` itself. */
export const queuesOf = (view: View, domain: number): number =>
  domain === KernelData.currentDomain.load(view.memory, view.data) ? view.data : roomOf(view, domain)

const roomOf = ({ memory, data }: View, domain: number): number =>
  KernelData.rooms.load(memory, data) + roomBytes * domain

/** Turn `index` is this domain's from the next time on that it comes: 0 nanoseconds are the end of the list. */
export const configure = ({ memory, data }: State, index: number, domain: number, duration: number): void => {
  Turn.domain.store(memory, turnAt(data, index), domain)
  Turn.duration.store(memory, turnAt(data, index), Math.min(duration, endless))
}

/** The list begins with turn `index` from now on: what runs does not run on. */
export const beginWith = ({ memory, data }: State, index: number): void => {
  KernelData.firstTurn.store(memory, data, index)
  KernelData.turn.store(memory, data, turns - 1)
  KernelData.turnEnds.store(memory, data, KernelData.now.load(memory, data))
}

/** When the turn ends: a time, or never. */
export const ends = ({ memory, data }: View): number => {
  const time = KernelData.turnEnds.load(memory, data)
  return time === 0 ? Infinity : time
}

/** The turn has ended. */
export const isOver = (view: View): boolean => ends(view) <= KernelData.now.load(view.memory, view.data)

/** The next turn begins. */
export const next = (state: State): void => {
  const { memory, data } = state
  const after = KernelData.turn.load(memory, data) + 1
  const turn = after < turns && duration(state, after) > 0 ? after : firstTurn(state)
  const lasts = duration(state, turn)
  const isEndless = lasts === endless || domains(state) === 1
  KernelData.turn.store(memory, data, turn)
  KernelData.turnEnds.store(memory, data, isEndless ? 0 : KernelData.now.load(memory, data) + lasts)
  KernelData.reprogram.store(memory, data, 1)
  runDomain(state, Turn.domain.load(memory, turnAt(data, turn)))
}

/** Its ready queues come to the place of those that run, which go to theirs. */
const runDomain = (state: State, domain: number): void => {
  const { memory, data } = state
  const before = KernelData.currentDomain.load(memory, data)
  if (before === domain) return
  moveQueues(state, data, roomOf(state, before))
  moveQueues(state, roomOf(state, domain), data)
  KernelData.currentDomain.store(memory, data, domain)
}

const moveQueues = ({ memory, charge }: State, from: number, to: number): void => {
  charge(Charge.schedule + (queuesBytes / 256) * Charge.zeroChunk)
  memory.copy(from + queuesAt, to + queuesAt, queuesBytes)
  memory.copy(from + bitmapAt, to + bitmapAt, bitmapBytes)
  KernelData.readyWords.store(memory, to, KernelData.readyWords.load(memory, from))
}
