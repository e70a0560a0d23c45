/**
 * Far transfers outside of 64-bit mode: far JMP, CALL and RET, through call gates too. SDM vol. 2A, "CALL", "JMP"; vol. 2B, "RET", operation.
 */
import { at, segments } from "../processor/State.ts"
import type { Core } from "./Core.ts"
import { callGateAt, callThrough as callThroughLong, jumpThrough } from "./callGate.ts"
import {
  bits,
  checkPresent,
  code,
  type Descriptor,
  dplOf,
  dropPrivileged,
  fetch,
  fetchCode,
  fetchStack,
  isCode,
  isConforming,
  isNull,
  isProtected,
  limitOf,
  loadReal,
  markAccessed,
  rplOf,
  setCode,
  setStack,
  typeOf
} from "./descriptors.ts"
import { innerStack, stackInForce } from "./LegacyStack.ts"
import { vector } from "./registers.ts"
import { innerPointer } from "./taskState.ts"
import { isTss, pushErrorCode, taskGate, throughTaskGate, toTask } from "./taskSwitch.ts"

type Size = 16 | 32

/** "#GP(0) if the target offset is beyond the code segment limit." 64-bit code has none. */
const checkOffset = (core: Core, { low, high }: Descriptor, offset: number): void => {
  const isLong = core.isLongActive && (high & bits.L) !== 0
  if (!isLong && offset > limitOf(low, high)) core.raise(vector.GP)
}

/** Code that a program may go to without changing its privilege. */
const check = (core: Core, selector: number, descriptor: Descriptor, rpl: number): void => {
  const { high } = descriptor
  const { privilege } = core
  const allowed = isConforming(high) ? dplOf(high) <= privilege : rpl <= privilege && dplOf(high) === privilege
  if (!isCode(high) || !allowed || (core.isLongActive && (high & (bits.L | bits.D)) === (bits.L | bits.D)))
    core.raise(vector.GP, code(selector))
  checkPresent(core, high, selector)
}

const go = (core: Core, selector: number, descriptor: Descriptor, offset: number, privilege = core.privilege): void => {
  markAccessed(core, descriptor)
  setCode(core, selector, descriptor, privilege)
  core.set(at.rip, offset | 0, 0)
}

/** Real-address and virtual-8086 mode: "#GP(0) if the target is beyond the limit". */
const goReal = (core: Core, selector: number, offset: number): void => {
  if (offset > core.segmentLimit(segments.cs)) core.raise(vector.GP)
  loadReal(core, segments.cs, selector)
  core.set(at.rip, offset | 0, 0)
}

export const jump = (core: Core, selector: number, offset: number): void => {
  if (!isProtected(core.mode)) {
    goReal(core, selector, offset)
    return
  }
  const found = target(core, selector, "jump")
  if (found === undefined) return
  if ("gate" in found) {
    const descriptor = { ...fetchCode(core, found.selector) }
    check(core, found.selector, descriptor, 0)
    checkOffset(core, descriptor, found.offset)
    go(core, found.selector, descriptor, found.offset)
    return
  }
  check(core, selector, found, rplOf(selector))
  checkOffset(core, found, offset)
  go(core, selector, found, offset)
}

export const call = (core: Core, selector: number, offset: number, size: Size): void => {
  if (!isProtected(core.mode)) {
    if (offset > core.segmentLimit(segments.cs)) core.raise(vector.GP)
    pushReturn(core, size)
    goReal(core, selector, offset)
    return
  }
  const found = target(core, selector, "call")
  if (found === undefined) return
  if ("gate" in found) {
    callThrough(core, found)
    return
  }
  check(core, selector, found, rplOf(selector))
  checkOffset(core, found, offset)
  const stack = stackInForce(core)
  stack.push(core.selector(segments.cs), size)
  stack.push(core.low(at.rip), size)
  go(core, selector, found, offset)
  stack.settle()
}

const pushReturn = (core: Core, size: Size): void => {
  const stack = stackInForce(core)
  stack.push(core.selector(segments.cs), size)
  stack.push(core.low(at.rip), size)
  stack.settle()
}

interface Gate {
  readonly gate: true
  readonly selector: number
  readonly offset: number
  readonly size: Size
  readonly parameters: number
}

const [gate16, gate32] = [4, 12] as const

/** What a far pointer's selector leads to: code, or a call gate. Undefined: to a task, or 64-bit code, and the processor is there. */
const target = (core: Core, selector: number, reason: "jump" | "call"): Descriptor | Gate | undefined => {
  if (isNull(selector)) core.raise(vector.GP)
  const descriptor = { ...fetch(core, selector) }
  const { low, high } = descriptor
  if (high & bits.S) return descriptor
  if (core.isLongActive) {
    const gate = callGateAt(core, selector)!
    if (reason === "jump") jumpThrough(core, gate)
    else callThroughLong(core, gate)
    return undefined
  }
  const type = typeOf(high)
  if (type !== gate16 && type !== gate32 && type !== taskGate && !isTss(type)) core.raise(vector.GP, code(selector))
  if (dplOf(high) < core.privilege || dplOf(high) < rplOf(selector)) core.raise(vector.GP, code(selector))
  if (isTss(type)) {
    toTask(core, selector, descriptor, reason)
    return undefined
  }
  checkPresent(core, high, selector)
  if (type === taskGate) {
    throughTaskGate(core, descriptor, reason, core.rflags(), 0)
    pushErrorCode(core, undefined, 0)
    return undefined
  }
  return {
    gate: true,
    selector: low >>> 16,
    offset: (type === gate32 ? (low & 0xffff) | (high & 0xffff_0000) : low & 0xffff) >>> 0,
    size: type === gate32 ? 32 : 16,
    parameters: high & 31
  }
}

const callThrough = (core: Core, gate: Gate): void => {
  const { selector, offset, size } = gate
  const descriptor = { ...fetchCode(core, selector) }
  const { high } = descriptor
  if (dplOf(high) > core.privilege) core.raise(vector.GP, code(selector))
  checkPresent(core, high, selector)
  if (!isConforming(high) && dplOf(high) < core.privilege) {
    callInner(core, gate, descriptor)
    return
  }
  checkOffset(core, descriptor, offset)
  const stack = stackInForce(core)
  stack.push(core.selector(segments.cs), size)
  stack.push(core.low(at.rip), size)
  go(core, selector, descriptor, offset)
  stack.settle()
}

/** "MORE-PRIVILEGE": to the stack that the TSS names, with the parameters. */
const callInner = (core: Core, { selector, offset, size, parameters }: Gate, descriptor: Descriptor): void => {
  const privilege = dplOf(descriptor.high)
  const inner = innerPointer(core, privilege, 0)
  const stack = innerStack(core, inner.descriptor, inner.pointer, code(inner.selector))
  checkOffset(core, descriptor, offset)
  const old = stackInForce(core)
  const pointer = old.pointer
  const words = Array.from({ length: parameters }, () => old.pop(size))
  stack.push(core.selector(segments.ss), size)
  stack.push(pointer, size)
  for (const word of words.toReversed()) stack.push(word, size)
  stack.push(core.selector(segments.cs), size)
  stack.push(core.low(at.rip), size)
  markAccessed(core, inner.descriptor)
  setStack(core, code(inner.selector) | privilege, inner.descriptor)
  go(core, selector, descriptor, offset, privilege)
  stack.settle()
}

export const return_ = (core: Core, size: Size, release: number): void => {
  const stack = stackInForce(core)
  const offset = stack.pop(size)
  const selector = stack.pop(size) & 0xffff
  stack.release(release)
  if (!isProtected(core.mode)) {
    goReal(core, selector, offset)
    stack.settle()
    return
  }
  const descriptor = returnCode(core, selector)
  checkOffset(core, descriptor, offset)
  const privilege = rplOf(selector)
  if (privilege === core.privilege) {
    go(core, selector, descriptor, offset)
    stack.settle()
    return
  }
  const pointer = stack.pop(size)
  const outer = stack.pop(size) & 0xffff
  returnOuter(core, { selector, descriptor, offset, pointer: pointer + release, stack: outer })
}

/** The code that RET and IRET go back to. */
export const returnCode = (core: Core, selector: number): Descriptor => {
  const descriptor = { ...fetchCode(core, selector) }
  const { high } = descriptor
  const privilege = rplOf(selector)
  const dpl = dplOf(high)
  if (privilege < core.privilege || (isConforming(high) ? dpl > privilege : dpl !== privilege))
    core.raise(vector.GP, code(selector))
  checkPresent(core, high, selector)
  if (core.isLongActive && (high & (bits.L | bits.D)) === (bits.L | bits.D)) core.raise(vector.GP, code(selector))
  return descriptor
}

interface Outer {
  readonly selector: number
  readonly descriptor: Descriptor
  readonly offset: number
  readonly pointer: number
  readonly stack: number
}

/** To an outer ring: SS and ESP are popped, and segments that it may not have become null. */
export const returnOuter = (core: Core, { selector, descriptor, offset, pointer, stack }: Outer): void => {
  const privilege = rplOf(selector)
  if (isNull(stack) && !(core.isLongActive && descriptor.high & bits.L)) core.raise(vector.GP)
  const stackDescriptor = fetchStack(core, stack, privilege)
  setStack(core, stack, stackDescriptor)
  go(core, selector, descriptor, offset, privilege)
  core.setStackPointer(pointer | 0, 0)
  dropPrivileged(core)
}

const framePointer = at.general + 5 * 8

/** ENTER: the frame pointer is pushed, `level` - 1 frame pointers are copied, and `size` bytes are made room for. */
export const enter = (core: Core, bytes: number, level: number, size: Size): void => {
  const stack = stackInForce(core)
  const frames = stackInForce(core)
  frames.pointer = core.low(framePointer)
  frames.release(0)
  stack.push(core.low(framePointer), size)
  const frame = stack.pointer
  for (let n = 1; n < level; n++) {
    frames.release(-size / 8)
    stack.push(frames.peek(size), size)
  }
  if (level > 0) stack.push(frame, size)
  stack.release(-bytes)
  // "#SS, #PF if a write to the new top of the stack would raise it."
  stack.probe()
  core.setRegister(5, size, frame | 0, 0)
  stack.settle()
}
