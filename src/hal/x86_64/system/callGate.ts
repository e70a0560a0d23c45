/** Call gates of IA-32e mode: 16 bytes, and they lead to 64-bit code. SDM vol. 3A, "IA-32e Mode Call Gates"; vol. 2A, "CALL", operation. */
import { inStack } from "../memory/Access.ts"
import { mode } from "../memory/Tlb.ts"
import { at, segments } from "../processor/State.ts"
import { type Core, highOf, lowOf } from "./Core.ts"
import {
  bits,
  checkPresent,
  code,
  type Descriptor,
  dplOf,
  fetch,
  fetchCode,
  isConforming,
  isNull,
  markAccessed,
  rplOf,
  setCode,
  setNullStack,
  typeOf
} from "./descriptors.ts"
import { readTss } from "./exceptions.ts"
import { vector } from "./registers.ts"

type Halves = readonly [lo: number, hi: number]

interface CallGate {
  readonly selector: number
  readonly target: Descriptor
  readonly offset: Halves
}

const callGate = 12
const rsp = at.general + 4 * 8

/** The gate at this selector, if it leads to a system descriptor: that it is a call gate, and may be used. */
export const callGateAt = (core: Core, selector: number): CallGate | undefined => {
  if (isNull(selector)) core.raise(vector.GP)
  const { low, high } = { ...fetch(core, selector) }
  if (high & bits.S) return undefined
  if (typeOf(high) !== callGate || dplOf(high) < core.privilege || dplOf(high) < rplOf(selector))
    core.raise(vector.GP, code(selector))
  checkPresent(core, high, selector)
  const upper = { ...fetch(core, selector + 8) }
  if (upper.high & 0x1f00) core.raise(vector.GP, code(selector))
  const to = low >>> 16
  const target = { ...fetchCode(core, to) }
  if (dplOf(target.high) > core.privilege || (target.high & (bits.L | bits.D)) !== bits.L)
    core.raise(vector.GP, code(to))
  checkPresent(core, target.high, to)
  const offset: Halves = [(low & 0xffff) | (high & 0xffff_0000), upper.low]
  core.checkCanonical(offset[1])
  return { selector: to, target, offset }
}

const go = (core: Core, { selector, target, offset }: CallGate, privilege = core.privilege): void => {
  markAccessed(core, target)
  setCode(core, selector, target, privilege)
  core.set(at.rip, ...offset)
}

/** JMP: "#GP if the DPL of nonconforming code is not CPL". */
export const jumpThrough = (core: Core, gate: CallGate): void => {
  if (!isConforming(gate.target.high) && dplOf(gate.target.high) !== core.privilege)
    core.raise(vector.GP, code(gate.selector))
  go(core, gate)
}

/** CALL: to an inner ring on the stack that the TSS has for it, SS null; what is pushed has 64 bits, and nothing is copied. */
export const callThrough = (core: Core, gate: CallGate): void => {
  const privilege = isConforming(gate.target.high) ? core.privilege : dplOf(gate.target.high)
  const isInner = privilege < core.privilege
  const top: Halves = isInner ? readTss(core, 4 + privilege * 8, 0) : stackPointer(core)
  const old = isInner ? [[core.selector(segments.ss), 0] as const, stackPointer(core)] : []
  const words: readonly Halves[] = [...old, [core.selector(segments.cs), 0], [core.low(at.rip), core.high(at.rip)]]
  const from = isInner ? mode.supervisor : core.accessMode
  for (const [n, word] of words.entries()) {
    core.set(at.bounce, ...word)
    core.writeAs(from, ...below(top, (n + 1) * 8), 64 | inStack)
  }
  go(core, gate, privilege)
  if (isInner) setNullStack(core, privilege)
  core.set(rsp, ...below(top, words.length * 8))
}

const stackPointer = (core: Core): Halves => [core.low(rsp), core.mode.bits === 64 ? core.high(rsp) : 0]
const below = ([lo, hi]: Halves, bytes: number): Halves => [lowOf(lo, -bytes), highOf(lo, hi, -bytes)]
