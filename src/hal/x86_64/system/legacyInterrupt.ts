/**
 * Exceptions and interrupts outside of IA-32e mode: through the interrupt vector table of real-address mode, and through gates of 16 and 32 bits.
 *
 * SDM vol. 2A, "INT n/INTO/INT3/INT1", operation; vol. 3A, "Interrupt and Exception Handling in Real-Address Mode".
 */
import { fault, raised } from "../memory/Access.ts"
import { mode } from "../memory/Tlb.ts"
import { isVirtual8086 } from "../processor/Meaning.ts"
import { at, segments } from "../processor/State.ts"
import type { Core } from "./Core.ts"
import {
  bits,
  checkPresent,
  code,
  dplOf,
  fetchCode,
  isConforming,
  isProtected,
  limitOf,
  loadReal,
  makeNull,
  markAccessed,
  setCode,
  setStack
} from "./descriptors.ts"
import { innerStack, type LegacyStack, stackInForce } from "./LegacyStack.ts"
import { CR4, RFLAGS, system, vector } from "./registers.ts"
import { innerPointer } from "./taskState.ts"
import { pushErrorCode, taskGate, throughTaskGate } from "./taskSwitch.ts"

/** What is delivered: `errorCode` is undefined if none is pushed. */
export interface Delivery {
  readonly which: number
  readonly errorCode: number | undefined
  readonly flags: number
  readonly isSoftware: boolean
  /** It is INT n, and neither INT3 nor INTO. */
  readonly isIntN: boolean
}

export const enterLegacy = (core: Core, delivery: Delivery): void =>
  isProtected(core.mode) || isVirtual8086(core.mode) ? enterProtected(core, delivery) : enterReal(core, delivery)

const clear = (core: Core, flags: number): void => {
  core.i32[at.rflags >> 2]! &= ~flags
}

/** "The interrupt vector table": an offset and a segment of 16 bits for each vector. */
const enterReal = (core: Core, { which, flags }: Delivery): void => {
  if (which * 4 + 3 > core.low(system.idtrLimit)) core.raise(vector.GP)
  const [pointer] = core.wordAt(core.readTable(system.idtrBase, which * 4, 32), 32)
  const stack = stackInForce(core)
  stack.push(flags, 16)
  stack.push(core.selector(segments.cs), 16)
  stack.push(core.low(at.rip), 16)
  loadReal(core, segments.cs, pointer >>> 16)
  core.set(at.rip, pointer & 0xffff, 0)
  stack.settle()
  clear(core, RFLAGS.IF | RFLAGS.TF | RFLAGS.AC)
  core.accessModeChanged()
}

/**
 * INT n in virtual-8086 mode: with CR4.VME, the bit map in the TSS says whether it goes to the program's own handler, or as in protected mode,
 * which is only for IOPL = 3. Table "Software Interrupt Handling Methods While in Virtual-8086 Mode".
 */
const redirects = (core: Core, which: number, flags: number): boolean => {
  const isLimited = (flags & RFLAGS.IOPL) !== RFLAGS.IOPL
  const isRedirected = (core.low(at.cr4) & CR4.VME) !== 0 && isInBitMap(core, which)
  if (isRedirected) enterProgram(core, which, flags, isLimited)
  else if (isLimited) core.raise(vector.GP)
  return isRedirected
}

/** "The software interrupt redirection bit map": the 32 bytes below the I/O bit map; a bit is 0 for what the program handles. */
const isInBitMap = (core: Core, which: number): boolean => {
  const tr = core.segmentBase(segments.tr)
  const [map] = core.wordAt(core.readTable(tr, 102, 16), 16)
  const offset = map - 32 + (which >>> 3)
  if (offset < 0 || offset > core.segmentLimit(segments.tr)) core.raise(vector.GP)
  return ((core.view.getUint8(core.readTable(tr, offset, 8)) >>> (which & 7)) & 1) === 0
}

/** The program's table is at linear address 0. With IOPL < 3, VIF is its IF. */
const enterProgram = (core: Core, which: number, flags: number, isLimited: boolean): void => {
  const host = core.mmu.readAs(mode.supervisor, which * 4, 0, 32)
  if (host === fault) throw raised
  const [pointer] = core.wordAt(host, 32)
  const virtual = (flags & ~RFLAGS.IF) | RFLAGS.IOPL | (flags & RFLAGS.VIF ? RFLAGS.IF : 0)
  const stack = stackInForce(core)
  stack.push(isLimited ? virtual : flags, 16)
  stack.push(core.selector(segments.cs), 16)
  stack.push(core.low(at.rip), 16)
  loadReal(core, segments.cs, pointer >>> 16)
  core.set(at.rip, pointer & 0xffff, 0)
  stack.settle()
  clear(core, RFLAGS.TF | (isLimited ? RFLAGS.VIF : RFLAGS.IF))
}

/** Types of gates. */
const [interrupt16, trap16, interrupt32, trap32] = [6, 7, 14, 15] as const

const enterProtected = (core: Core, { which, errorCode, flags, isSoftware, isIntN }: Delivery): void => {
  const external = isSoftware ? 0 : 1
  const inIdt = (which << 3) | 2 | external
  const isVirtual = isVirtual8086(core.mode)
  if (isIntN && isVirtual && redirects(core, which, flags)) return
  if (which * 8 + 7 > core.low(system.idtrLimit)) core.raise(vector.GP, inIdt)
  const host = core.readTable(system.idtrBase, which * 8, 64)
  const [low, high] = [core.view.getInt32(host, true), core.view.getInt32(host + 4, true)]
  const type = (high >>> 8) & 31
  if (![interrupt16, trap16, interrupt32, trap32, taskGate].includes(type)) core.raise(vector.GP, inIdt)
  if (isSoftware && dplOf(high) < core.privilege) core.raise(vector.GP, inIdt)
  if (!(high & bits.P)) core.raise(vector.NP, inIdt)
  if (type === taskGate) {
    throughTaskGate(core, { low, high, base: 0, offset: 0 }, "interrupt", flags, external)
    pushErrorCode(core, errorCode, external)
    return
  }

  const selector = low >>> 16
  const target = { ...fetchCode(core, selector, external) }
  if (dplOf(target.high) > core.privilege) core.raise(vector.GP, code(selector) | external)
  checkPresent(core, target.high, selector, external)
  const privilege = isConforming(target.high) ? core.privilege : dplOf(target.high)
  if (isVirtual && privilege !== 0) core.raise(vector.GP, code(selector) | external)
  const size = type & 8 ? 32 : 16
  const offset = (size === 32 ? (low & 0xffff) | (high & 0xffff_0000) : low & 0xffff) >>> 0

  const inner = privilege < core.privilege ? innerPointer(core, privilege, external) : undefined
  const stack = inner
    ? innerStack(core, inner.descriptor, inner.pointer, code(inner.selector) | external)
    : stackInForce(core)
  if (offset > limitOf(target.low, target.high)) core.raise(vector.GP, external)
  if (isVirtual) pushData(core, stack, size)
  if (inner) {
    stack.push(core.selector(segments.ss), size)
    stack.push(core.low(at.general + 4 * 8), size)
  }
  stack.push(flags, size)
  stack.push(core.selector(segments.cs), size)
  stack.push(core.low(at.rip), size)
  if (errorCode !== undefined) stack.push(errorCode, size)

  const isInterrupt = type === interrupt16 || type === interrupt32
  clear(core, RFLAGS.TF | RFLAGS.VM | RFLAGS.NT | (isInterrupt ? RFLAGS.IF : 0))
  markAccessed(core, target)
  if (inner) {
    markAccessed(core, inner.descriptor)
    setStack(core, inner.selector, inner.descriptor)
  }
  setCode(core, selector, target, privilege)
  if (isVirtual) for (const each of [segments.gs, segments.fs, segments.ds, segments.es]) makeNull(core, each, 0)
  core.set(at.rip, offset | 0, 0)
  stack.settle()
}

/** "INT-FROM-VIRTUAL-8086-MODE": the data segments are the monitor's to give back. */
const pushData = (core: Core, stack: LegacyStack, size: 16 | 32): void => {
  for (const each of [segments.gs, segments.fs, segments.ds, segments.es]) stack.push(core.selector(each), size)
}
