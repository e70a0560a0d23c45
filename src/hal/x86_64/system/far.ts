/**
 * Far transfers within 64-bit mode, and ENTER. SDM vol. 2A, "CALL", "JMP", "ENTER"; vol. 2B, "RET": operation of far
 * transfers in IA-32e mode.
 *
 * A selector that names a system descriptor names a call gate (callGate.ts). Where compatibility mode begins, processors cut the offset to 32 bits
 * before they compare it with the limit, and the stack is one of 32 bits already.
 */
import { inStack } from "../memory/Access.ts"
import { at, segments } from "../processor/State.ts"
import { type Core, highOf, lowOf } from "./Core.ts"
import { callGateAt, callThrough, jumpThrough } from "./callGate.ts"
import {
  bits,
  checkPresent,
  type Descriptor,
  dplOf,
  dropPrivileged,
  fetchCode,
  fetchStack,
  isConforming,
  isNull,
  limitOf,
  markAccessed,
  rplOf,
  setCode,
  setStack
} from "./descriptors.ts"
import { vector } from "./registers.ts"

type Halves = readonly [lo: number, hi: number]
const rsp = at.general + 4 * 8
const rbp = at.general + 5 * 8

/** Whether code in this segment is 64-bit code. */
const isLongCode = ({ high }: Descriptor): boolean => (high & bits.L) !== 0

/** An offset in this code, as it will be in RIP: canonical in 64-bit code, within the limit in other code. @throws `raised` #GP(0) */
export const offsetIn = (core: Core, code: Descriptor, [lo, hi]: Halves): Halves => {
  if (isLongCode(code)) {
    core.checkCanonical(hi)
    return [lo, hi]
  }
  if (lo >>> 0 > limitOf(code.low, code.high)) core.raise(vector.GP)
  return [lo, 0]
}

/** A code segment of the same privilege. */
const check = (core: Core, selector: number): Descriptor => {
  const descriptor = { ...fetchCode(core, selector) }
  const { high } = descriptor
  const { privilege } = core
  const allowed = isConforming(high)
    ? dplOf(high) <= privilege
    : (selector & 3) <= privilege && dplOf(high) === privilege
  if (!allowed || (high & (bits.L | bits.D)) === (bits.L | bits.D)) core.raise(vector.GP, selector & ~3)
  checkPresent(core, high, selector)
  return descriptor
}

const go = (core: Core, selector: number, descriptor: Descriptor, offset: Halves): void => {
  markAccessed(core, descriptor)
  setCode(core, selector, descriptor, core.privilege)
  core.set(at.rip, ...offset)
}

export const jump = (core: Core, selector: number, lo: number, hi: number): void => {
  const gate = callGateAt(core, selector)
  if (gate !== undefined) {
    jumpThrough(core, gate)
    return
  }
  const descriptor = check(core, selector)
  go(core, selector, descriptor, offsetIn(core, descriptor, [lo, hi]))
}

export const call = (core: Core, selector: number, lo: number, hi: number, width: number): void => {
  const gate = callGateAt(core, selector)
  if (gate !== undefined) {
    callThrough(core, gate)
    return
  }
  const step = width / 8
  const descriptor = check(core, selector)
  // The return address is below the stack pointer until all of it is there: only then the pointer moves.
  const below = (by: number): Halves => {
    const [low, high] = offset(core, rsp, by)
    return [low, isLongCode(descriptor) ? high : 0]
  }
  const push = (by: number, low: number, high: number): void => {
    core.set(at.bounce, low, high)
    core.write(...below(by), width | inStack)
  }
  push(-step, core.selector(segments.cs), 0)
  push(-2 * step, core.low(at.rip), core.high(at.rip))
  // "IF stack not large enough for return address THEN #SS(0)" stands before what is asked of the offset.
  go(core, selector, descriptor, offsetIn(core, descriptor, [lo, hi]))
  core.set(rsp, ...below(-2 * step))
}

export const return_ = (core: Core, width: number, release: number): void => {
  const step = width / 8
  const popped = load(core, rsp, 0, width)
  const selector = load(core, rsp, step, width)[0] & 0xffff
  const privilege = rplOf(selector)
  const descriptor = { ...fetchCode(core, selector) }
  const { high } = descriptor
  const dpl = dplOf(high)
  if (privilege < core.privilege || (isConforming(high) ? dpl > privilege : dpl !== privilege))
    core.raise(vector.GP, selector & ~3)
  if ((high & (bits.L | bits.D)) === (bits.L | bits.D)) core.raise(vector.GP, selector & ~3)
  checkPresent(core, high, selector)
  const target = offsetIn(core, descriptor, popped)
  if (privilege === core.privilege) {
    markAccessed(core, descriptor)
    setCode(core, selector, descriptor, privilege)
    add(core, rsp, 2 * step + release)
  } else {
    const [rspLow, rspHigh] = load(core, rsp, 2 * step + release, width)
    const stack = load(core, rsp, 3 * step + release, width)[0] & 0xffff
    if (isNull(stack) && !(high & bits.L)) core.raise(vector.GP)
    const stackDescriptor = fetchStack(core, stack, privilege)
    markAccessed(core, descriptor)
    setStack(core, stack, stackDescriptor)
    setCode(core, selector, descriptor, privilege)
    core.set(rsp, rspLow, rspHigh)
    add(core, rsp, release)
    dropPrivileged(core)
  }
  core.set(at.rip, ...target)
}

/** ENTER: RBP is pushed, `level` - 1 frame pointers are copied, and `size` bytes are made room for. */
export const enter = (core: Core, size: number, level: number, width: number): void => {
  const step = width / 8
  const frame = -step
  store(core, rsp, frame, core.low(rbp), core.high(rbp), width)
  for (let n = 1; n < level; n++) {
    const [lo, hi] = load(core, rbp, -n * step, width)
    store(core, rsp, frame - n * step, lo, hi, width)
  }
  const [frameLow, frameHigh] = offset(core, rsp, frame)
  if (level > 0) store(core, rsp, frame - level * step, frameLow, frameHigh, width)
  const below = frame - level * step - size
  // "#SS, #PF if a write to the new top of the stack would raise it": the frame is probed before anything changes.
  const [lo, hi] = offset(core, rsp, below)
  if (core.mmu.modify(lo, hi, 8 | inStack) === -1) core.write(lo, hi, 8 | inStack)
  core.setRegister(5, width, frameLow, frameHigh)
  core.set(rsp, lo, hi)
}

/** The address in a register, and `by`. */
const offset = (core: Core, register: number, by: number): Halves => {
  const lo = core.low(register)
  return [lowOf(lo, by), highOf(lo, core.high(register), by)]
}

const add = (core: Core, register: number, by: number): void => core.set(register, ...offset(core, register, by))

const load = (core: Core, register: number, by: number, width: number): Halves =>
  core.wordAt(core.readStack(register, by, width), width)

const store = (core: Core, register: number, by: number, lo: number, hi: number, width: number): void => {
  core.set(at.bounce, lo, hi)
  core.writeStack(register, by, width)
}
