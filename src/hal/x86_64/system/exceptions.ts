/**
 * Exceptions and interrupts: how the processor gets from where it is to the handler that the IDT names.
 *
 * SDM vol. 3A, "64-Bit Mode Exception and Interrupt Handling"; vol. 2A, "INT n", operation.
 */
import { fault, inStack, raised } from "../memory/Access.ts"
import { type AccessMode, mode, table } from "../memory/Tlb.ts"
import { at, segments } from "../processor/State.ts"
import {
  type Event,
  exitFor,
  exitOnException,
  exitOnTripleFault,
  interceptsException,
  isExit,
  isSoftware,
  type Source
} from "../vmx/events.ts"
import { BD, note as noteDebug } from "./breakpoints.ts"
import { type Core, highOf, lowOf } from "./Core.ts"
import {
  bits,
  checkPresent,
  dplOf,
  fetchCode,
  isConforming,
  markAccessed,
  setCode,
  setNullStack,
  systemType,
  typeOf
} from "./descriptors.ts"
import { enterLegacy } from "./legacyInterrupt.ts"
import { activity, pushesErrorCode, RFLAGS, system, vector } from "./registers.ts"

export type { Source } from "../vmx/events.ts"

/**
 * Deliver `which` to its handler. A second exception on the way is delivered in its place, or becomes a double fault;
 * delivery takes the time of one instruction. In a guest, each of them may be a VM exit instead; but not what is injected, with the `flags` that
 * are to be pushed.
 *
 * @param errorCode of #DB, what DR6 says of it
 * @returns whether a handler was reached, or the guest left: if not, it was a triple fault, and the processor is shut down.
 */
export const deliver = (
  core: Core,
  which: number,
  errorCode: number,
  source: Source,
  injected?: { readonly flags: number }
): boolean => {
  const flags = injected?.flags ?? pushedFlags(core, which, errorCode, source)
  let event: Event = { which, errorCode, source, flags }
  if (!injected && core.vmx.isGuest && interceptsException(core, event)) {
    exitOnException(core, event, undefined)
    return true
  }
  core.vmx.isUnblocking = false
  core.i32[system.activity >> 2] = activity.active
  core.clock.charge(1)
  if (!injected) note(core, event)
  for (;;) {
    try {
      enter(core, event)
      return true
    } catch (reason) {
      if (reason !== raised) throw reason
      const second = core.low(at.vector)
      if (isExit(second)) {
        exitFor(core, second, event)
        return true
      }
      if (event.source === "fault" && event.which === vector.DF) return core.vmx.isGuest && shutDownGuest(core, flags)
      const isDouble = doubles(event, second)
      const next: Event = isDouble
        ? { which: vector.DF, errorCode: 0, source: "fault", flags: flags | RFLAGS.RF }
        : { which: second, errorCode: core.low(at.errorCode), source: "fault", flags: flags | RFLAGS.RF }
      if (core.vmx.isGuest && interceptsException(core, next)) {
        exitOnException(core, next, isDouble ? undefined : event)
        return true
      }
      // What forbids INT n is a fault of that instruction.
      if (isSoftware(event.source)) core.copy(at.stoppedAt, at.rip)
      if (second === vector.PF) core.copy(at.faultAddress, at.cr2)
      event = next
    }
  }
}

/**
 * SDM vol. 3B, "Instruction-Breakpoint Exception Condition": "for any fault-class exception except a debug exception generated in response to an
 * instruction breakpoint, the value pushed for RF is 1"; that of software-generated interrupts is 0, any other's is what RF is.
 */
const pushedFlags = (core: Core, which: number, errorCode: number, source: Source): number => {
  const flags = core.rflags()
  if (isSoftware(source)) return flags & ~RFLAGS.RF
  const isBreakpoint = which === vector.DB && !(errorCode & BD)
  return source === "fault" && !isBreakpoint ? flags | RFLAGS.RF : flags
}

/** What the processor notes of an exception that it will deliver. */
const note = (core: Core, { which, errorCode, source }: Event): void => {
  if (source === "fault" && which === vector.PF) core.copy(at.faultAddress, at.cr2)
  if (which === vector.DB) noteDebug(core, errorCode)
}

const shutDownGuest = (core: Core, flags: number): true => {
  exitOnTripleFault(core, flags)
  return true
}

const contributory: ReadonlySet<number> = new Set([vector.DE, vector.TS, vector.NP, vector.SS, vector.GP])

/** Table "Conditions for Generating a Double Fault". */
const doubles = ({ which: first, source }: Event, second: number): boolean => {
  if (source === "interrupt" || source === "nmi" || isSoftware(source)) return false
  if (first === vector.PF) return second === vector.PF || contributory.has(second)
  return contributory.has(first) && contributory.has(second)
}

const enter = (core: Core, { which, errorCode, source, flags }: Event): void => {
  if (!core.isLongActive) {
    // Real-address mode has no error codes: nothing looks at them there.
    const pushes = source === "fault" && pushesErrorCode(which)
    enterLegacy(core, {
      which,
      errorCode: pushes ? errorCode : undefined,
      flags,
      isSoftware: isSoftware(source),
      isIntN: source === "software"
    })
    return
  }
  // "EXT: the exception occurred during delivery of an event external to the program, such as an interrupt or an
  // earlier exception"
  const external = isSoftware(source) ? 0 : 1
  const inIdt = (which << 3) | 2 | external
  const gate = readGate(core, which, inIdt)
  if (isSoftware(source) && dplOf(gate.high) < core.privilege) core.raise(vector.GP, inIdt)
  if (!(gate.high & bits.P)) core.raise(vector.NP, inIdt)

  const selector = gate.low >>> 16
  const target = fetchCode(core, selector, external)
  const { high } = target
  if (dplOf(high) > core.privilege) core.raise(vector.GP, (selector & ~3) | external)
  checkPresent(core, high, selector, external)
  if ((high & (bits.L | bits.D)) !== bits.L) core.raise(vector.GP, (selector & ~3) | external)
  const privilege = isConforming(high) ? core.privilege : dplOf(high)
  const changes = privilege < core.privilege
  const [low, descriptor] = [(gate.low & 0xffff) | (gate.high & 0xffff_0000), { ...target }]

  const stack = gate.high & 7
  const sameStack = stack === 0 && !changes
  const [rspLow, rspHigh] = sameStack
    ? [core.low(rsp), core.high(rsp)]
    : readTss(core, stack === 0 ? 4 + privilege * 8 : 0x1c + stack * 8, external)
  if (!core.isCanonical(gate.upper)) core.raise(vector.GP, external)
  markAccessed(core, descriptor)
  const pushes = source === "fault" && pushesErrorCode(which)
  push(core, rspLow & ~15, rspHigh, flags, pushes ? errorCode : none, external)

  setCode(core, selector, descriptor, privilege)
  if (changes) setNullStack(core, privilege)
  core.set(at.rip, low, gate.upper)
  const clears = RFLAGS.TF | RFLAGS.NT | RFLAGS.VM | (typeOf(gate.high) === systemType.interruptGate ? RFLAGS.IF : 0)
  core.i32[at.rflags >> 2]! &= ~clears
}

const none = -1
const rsp = at.general + 4 * 8
const gateWords = { low: 0, high: 0, upper: 0 }

/** Figure "64-Bit IDT Gate Descriptors". */
const readGate = (core: Core, which: number, inIdt: number): typeof gateWords => {
  const offset = which * 16
  if (offset + 15 > core.low(system.idtrLimit)) core.raise(vector.GP, inIdt)
  const host = core.readTable(system.idtrBase, offset, 128)
  gateWords.low = core.view.getInt32(host, true)
  gateWords.high = core.view.getInt32(host + 4, true)
  gateWords.upper = core.view.getInt32(host + 8, true)
  const type = (gateWords.high >>> 8) & 31
  if (type !== systemType.interruptGate && type !== systemType.trapGate) core.raise(vector.GP, inIdt)
  return gateWords
}

/** A stack pointer in the TSS. Figure "64-Bit TSS Format". */
export const readTss = (core: Core, offset: number, external: number): readonly [lo: number, hi: number] => {
  if (offset + 7 > core.segmentLimit(segments.tr)) core.raise(vector.TS, (core.selector(segments.tr) & ~3) | external)
  const top = core.wordAt(core.readTable(core.segmentBase(segments.tr), offset, 64), 64)
  if (!core.isCanonical(top[1])) core.raise(vector.SS, external)
  return top
}

/**
 * SS, RSP, `flags`, CS, RIP and the error code go below a top that is a multiple of 16. RSP itself changes once all are
 * in memory.
 */
const push = (
  core: Core,
  topLow: number,
  topHigh: number,
  flags: number,
  errorCode: number,
  external: number
): void => {
  // They are the handler's accesses: supervisor's, and RFLAGS.AC counts unless it was a program's.
  const from = core.privilege === 3 ? mode.supervisor : core.supervisorMode()
  const bytes = errorCode === none ? frameBytes : frameBytes + 8
  const [lo, hi] = [lowOf(topLow, -bytes), highOf(topLow, topHigh, -bytes)]
  const host = core.mmu.cached(from, table.write, lo, hi, bytes)
  if (host === fault) pushEach(core, from, topLow, topHigh, flags, errorCode, external)
  else {
    const frame = errorCode === none ? host : host + 8
    core.copy(at.rip, frame)
    core.set(frame + 8, core.selector(segments.cs), 0)
    core.set(frame + 16, flags, 0)
    core.copy(rsp, frame + 24)
    core.set(frame + 32, core.selector(segments.ss), 0)
    if (errorCode !== none) core.set(host, errorCode, 0)
  }
  core.set(rsp, lo, hi)
}

const frameBytes = 40

/** The same by an access for each word: whichever is refused is the exception. */
const pushEach = (
  core: Core,
  from: AccessMode,
  topLow: number,
  topHigh: number,
  flags: number,
  errorCode: number,
  external: number
): void => {
  let pushed = 0
  const word = (lo: number, hi: number) => {
    pushed += 8
    core.set(at.bounce, lo, hi)
    const place = [lowOf(topLow, -pushed), highOf(topLow, topHigh, -pushed)] as const
    if (core.mmu.writeAs(from, ...place, 64 | inStack) === 0) return
    // A stack that is not canonical is #SS with EXT; #PF has its own error code.
    if (core.low(at.vector) === vector.SS) core.raise(vector.SS, external)
    throw raised
  }
  word(core.selector(segments.ss), 0)
  word(core.low(rsp), core.high(rsp))
  word(flags, 0)
  word(core.selector(segments.cs), 0)
  word(core.low(at.rip), core.high(at.rip))
  if (errorCode !== none) word(errorCode, 0)
}
