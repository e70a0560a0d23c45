/**
 * IOPortControl and IOPort: ranges of IO ports.
 *
 * Each port is in at most one range. A range is issued once, and again when the last capability to it is deleted. In a
 * slot, its first port stands for the object; the data has both ends, and the virtual processor that uses ports by this
 * capability: when it goes, they are that one's no longer.
 */
import { numberOf } from "../../types/Kind.ts"
import { heldAll } from "../../types/Rights.ts"
import * as SyscallError from "../../types/SyscallError.ts"
import * as Word from "../../types/Word.ts"
import * as Methods from "../../types/x86_64/methods/IOPort.ts"
import * as ControlMethods from "../../types/x86_64/methods/IOPortControl.ts"
import * as Capability from "../Capability.ts"
import { insertObject } from "../Derivation.ts"
import { type Invocation, low, read } from "../Invocation.ts"
import { type Decoded, isRefusal, type State, type View } from "../State.ts"
import { portWord } from "./ArchData.ts"
import { emptySlot } from "./EmptySlot.ts"
import type { Machine } from "./Machine.ts"
import * as Mapping from "./Mapping.ts"

export interface Range {
  readonly first: number
  readonly last: number
}

const objectUnit = 16

const capability = ({ first, last }: Range): Capability.Capability =>
  Capability.make(numberOf.IOPort, heldAll("IOPort"), first * objectUnit, first | (last << 16))

/** The ports of the capability in a slot. */
export const rangeOf = ({ memory }: View, slot: number): Range => {
  const lo = Mapping.dataLow(memory, slot)
  return { first: lo & 0xffff, last: lo >>> 16 }
}

/** What of a range lies in the words of a map of ports, a bit each: a port of each word, and those in it as a mask. */
export const forWords = ({ first, last }: Range, visit: (port: number, mask: number) => void): void => {
  for (let port = first; port <= last; port = (port | 31) + 1) {
    const end = Math.min(port | 31, last)
    visit(port, (0xffff_ffff >>> (31 - (end - port))) << (port & 31))
  }
}

const isFree = ({ memory }: View, { archData }: Machine, range: Range): boolean => {
  let taken = 0
  forWords(range, (port, mask) => {
    taken |= memory.load32(portWord(archData, port)) & mask
  })
  return taken === 0
}

const mark = ({ memory }: State, { archData }: Machine, range: Range, given: boolean): void =>
  forWords(range, (port, mask) => {
    const at = portWord(archData, port)
    const word = memory.load32(at)
    memory.store32(at, given ? word | mask : word & ~mask)
  })

export const decodeControl = (view: View, machine: Machine, invocation: Invocation): Decoded => {
  if (invocation.label !== ControlMethods.Issue.label) return SyscallError.illegalOperation
  const args = read(view, invocation, ControlMethods.Issue)
  if (isRefusal(args)) return args
  if (args.lastPort < args.firstPort) return SyscallError.invalidArgument(1)
  const range = { first: args.firstPort, last: args.lastPort }
  if (!isFree(view, machine, range)) return SyscallError.revokeFirst
  const slot = emptySlot(view, invocation, ControlMethods.Issue, 0, args)
  if (isRefusal(slot)) return slot
  return (state) => {
    mark(state, machine, range, true)
    insertObject(state, invocation.slot, slot, capability(range))
    return undefined
  }
}

/** The methods by their labels, and how many bits they move. */
const inputs = new Map([
  [Methods.In8.label, { method: Methods.In8, width: 8 }],
  [Methods.In16.label, { method: Methods.In16, width: 16 }],
  [Methods.In32.label, { method: Methods.In32, width: 32 }]
] as const)
const outputs = new Map([
  [Methods.Out8.label, { method: Methods.Out8, width: 8 }],
  [Methods.Out16.label, { method: Methods.Out16, width: 16 }],
  [Methods.Out32.label, { method: Methods.Out32, width: 32 }]
] as const)

export const decode = (view: View, { ports: bus }: Machine, invocation: Invocation): Decoded => {
  const { first, last } = rangeOf(view, invocation.slot)
  const allowed = (port: number, width: number) => port >= first && port + width / 8 - 1 <= last

  const input = inputs.get(invocation.label)
  if (input !== undefined) {
    const args = read(view, invocation, input.method)
    if (isRefusal(args)) return args
    if (!allowed(args.port, input.width)) return SyscallError.illegalOperation
    return () => [Word.fromNumber(bus.read(args.port, input.width))]
  }
  const output = outputs.get(invocation.label)
  if (output !== undefined) {
    const args = read(view, invocation, output.method)
    if (isRefusal(args)) return args
    if (!allowed(args.port, output.width)) return SyscallError.illegalOperation
    const data = low(view, invocation, 1) >>> 0
    return () => {
      bus.write(args.port, output.width, data % 2 ** output.width)
      return undefined
    }
  }
  return SyscallError.illegalOperation
}

/** The name of the virtual processor that uses ports by the capability in `slot`; 0 if none does. */
export const usedBy = ({ memory }: View, slot: number): number => Mapping.dataHigh(memory, slot)
export const setUsedBy = ({ memory }: State, slot: number, name: number): void => memory.store32(slot + 12, name)

/** A copy of a capability is nobody's yet. */
export const unused = (cap: Capability.Capability): Capability.Capability => Capability.withData(cap, cap.lo, 0)

/** The ports of the capability in `slot` can be given out again. */
export const release = (state: State, machine: Machine, slot: number): void =>
  mark(state, machine, rangeOf(state, slot), false)
