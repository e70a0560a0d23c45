/**
 * Task switches: JMP and CALL to a TSS or a task gate, interrupts through a task gate, IRET with NT. SDM vol. 3A, "Task Management".
 *
 * There are none in IA-32e mode. What is wrong before the new task's state is loaded, the old task raises; after that, the new one does, before its
 * first instruction.
 */
import { fault, raised } from "../memory/Access.ts"
import { mode, type Table, table } from "../memory/Tlb.ts"
import { at, segments } from "../processor/State.ts"
import { arm, BT } from "./breakpoints.ts"
import { type Core, lowOf } from "./Core.ts"
import { loadRoot } from "./control.ts"
import {
  accessOf,
  baseOf,
  bits,
  code,
  type Descriptor,
  dplOf,
  fetch,
  isCode,
  isConforming,
  isNull,
  isReadable,
  isWritableData,
  limitOf,
  loadReal,
  makeNull,
  markAccessed,
  rplOf,
  setBusy,
  setCode,
  setData,
  systemType,
  typeOf
} from "./descriptors.ts"
import { stackInForce } from "./LegacyStack.ts"
import { CR0, RFLAGS, system, vector } from "./registers.ts"

/** What asks for the switch. JMP and IRET leave the old task; CALL and interrupts nest the new one in it. */
export type Reason = "jump" | "call" | "return" | "interrupt"

/** Where a TSS has what is saved in it and loaded from it. Figures "32-Bit Task-State Segment (TSS)", "16-Bit TSS Format". */
interface Format {
  readonly width: 16 | 32
  /** A limit below this is #TS. */
  readonly leastLimit: number
  readonly ip: number
  readonly flags: number
  /** EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI. */
  readonly general: number
  /** ES, CS, SS, DS, FS, GS, as many as there are. */
  readonly selectors: readonly number[]
  readonly ldt: number
  readonly cr3: number | undefined
  /** Bit 0: #DB when the task is switched to. */
  readonly trap: number | undefined
}

// biome-ignore format: a table
const formats = {
  32: { width: 32, leastLimit: 0x67, ip: 32, flags: 36, general: 40, selectors: [72, 76, 80, 84, 88, 92], ldt: 96, cr3: 28, trap: 100 },
  16: { width: 16, leastLimit: 0x2b, ip: 14, flags: 16, general: 18, selectors: [34, 36, 38, 40], ldt: 42, cr3: undefined, trap: undefined }
} as const satisfies Readonly<Record<16 | 32, Format>>

/** Bit 3 of a TSS's type. */
const formatOf = (type: number): Format => formats[type & 8 ? 32 : 16]

const [availableTss16, busyTss16] = [1, 3] as const
const isAvailable = (type: number): boolean => type === availableTss16 || type === systemType.availableTss
const isBusy = (type: number): boolean => type === busyTss16 || type === systemType.busyTss
export const isTss = (type: number): boolean => isAvailable(type) || isBusy(type)
export const taskGate = 5

/** JMP or CALL to a TSS: its DPL is checked by then. */
export const toTask = (core: Core, selector: number, descriptor: Descriptor, reason: "jump" | "call"): void => {
  if (!isAvailable(typeOf(descriptor.high))) core.raise(vector.GP, code(selector))
  if (!(descriptor.high & bits.P)) core.raise(vector.NP, code(selector))
  switchTask(core, selector, descriptor, reason, core.rflags(), 0)
  checkStart(core, 0)
}

/** Through a task gate, whose own DPL and P are checked by then. */
export const throughTaskGate = (
  core: Core,
  gate: Descriptor,
  reason: Exclude<Reason, "return">,
  flags: number,
  external: number
): void => {
  const selector = gate.low >>> 16
  const descriptor = taskAt(core, selector, vector.GP, external)
  if (!isAvailable(typeOf(descriptor.high)) || descriptor.high & bits.S)
    core.raise(vector.GP, code(selector) | external)
  if (!(descriptor.high & bits.P)) core.raise(vector.NP, code(selector) | external)
  switchTask(core, selector, descriptor, reason, flags, external)
}

/** An exception's error code goes to the new task's stack. */
export const pushErrorCode = (core: Core, errorCode: number | undefined, external: number): void => {
  if (errorCode !== undefined) {
    const stack = stackInForce(core, external)
    stack.push(errorCode, formatOf(core.segmentAccess(segments.tr)).width)
    stack.settle()
  }
  checkStart(core, external)
}

/** IRET with NT: to the task that the link names. */
export const returnToTask = (core: Core): void => {
  const [selector] = core.wordAt(core.readTable(core.segmentBase(segments.tr), 0, 16), 16)
  const descriptor = taskAt(core, selector, vector.TS, 0)
  if (!isBusy(typeOf(descriptor.high)) || descriptor.high & bits.S) core.raise(vector.TS, code(selector))
  if (!(descriptor.high & bits.P)) core.raise(vector.NP, code(selector))
  switchTask(core, selector, descriptor, "return", core.rflags(), 0)
  core.unblockNmis()
  checkStart(core, 0)
}

/** "The descriptor must be in the GDT." */
const taskAt = (core: Core, selector: number, refusal: number, external: number): Descriptor => {
  if (isNull(selector) || selector & 4) core.raise(refusal, code(selector) | external)
  return { ...fetch(core, selector, refusal, external) }
}

/** "#GP(0) if EIP is not within the code segment's limit." */
const checkStart = (core: Core, external: number): void => {
  if (core.low(at.rip) >>> 0 > core.segmentLimit(segments.cs)) core.raise(vector.GP, external)
}

/** "Task switches are not allowed in VMX non-root operation": table "Exit Qualification for Task Switches". */
// biome-ignore format: a table
const sourceOf: Readonly<Record<Reason, number>> = { call: 0, return: 1, jump: 2, interrupt: 3 }

const switchTask = (
  core: Core,
  selector: number,
  descriptor: Descriptor,
  reason: Reason,
  flags: number,
  external: number
): void => {
  const [format, old] = [formatOf(typeOf(descriptor.high)), formatOf(core.segmentAccess(segments.tr))]
  if (limitOf(descriptor.low, descriptor.high) < format.leastLimit) core.raise(vector.TS, code(selector) | external)
  if (core.vmx.isGuest) core.vmx.interceptTaskSwitch(selector, sourceOf[reason], reason !== "interrupt")
  const base = baseOf(descriptor.low, descriptor.high)
  const oldBase = core.low(core.segmentBase(segments.tr))
  const oldSelector = core.selector(segments.tr)
  const nests = reason === "call" || reason === "interrupt"

  // "Checks that the current (old) TSS, new TSS, and all segment descriptors used in the task switch are paged into system memory."
  probe(core, oldBase + old.ip, oldBase + old.selectors.at(-1)! + 1, table.write)
  probe(core, base, base + format.leastLimit, table.read)
  if (nests) probe(core, base, base + 1, table.write)
  for (const task of [selector, oldSelector]) {
    const row = core.low(system.gdtrBase) + code(task)
    probe(core, row, row + 7, table.write)
  }

  save(core, old, oldBase, reason === "return" ? flags & ~RFLAGS.NT : flags)
  if (!nests) setBusy(core, oldSelector, false)
  if (nests) write(core, base, oldSelector, 16)
  if (reason !== "return") setBusy(core, selector, true)
  const image = read(core, format, base)
  const high = descriptor.high | bits.busy
  core.setSegment(segments.tr, selector, accessOf(high), limitOf(descriptor.low, high), base, 0)
  load(core, format, image, nests)
  loadSegments(core, image, external)
  if (image.trap) core.mmu.touched |= BT
}

/** @throws `raised` unless bytes from `first` to `last` can be accessed so, of which at most two pages are touched. */
const probe = (core: Core, first: number, last: number, which: Table): void => {
  for (const linear of [first, last])
    if (core.mmu.translate(mode.supervisor, which, linear | 0, 0, 0) === fault) throw raised
}

const write = (core: Core, linear: number, value: number, width: 16 | 32): void => {
  core.set(at.bounce, value, 0)
  if (core.mmu.writeAs(mode.supervisor, linear | 0, 0, width) === fault) throw raised
}

const save = (core: Core, { width, ip, flags: flagsAt, general, selectors }: Format, base: number, flags: number) => {
  write(core, base + ip, core.low(at.rip), width)
  write(core, base + flagsAt, flags, width)
  for (let n = 0; n < 8; n++) write(core, base + general + (n * width) / 8, core.low(at.general + n * 8), width)
  for (const [of, offset] of selectors.entries()) write(core, base + offset, core.selector(of), 16)
}

/** What a TSS holds of a task. */
interface Image {
  readonly ip: number
  readonly flags: number
  readonly general: readonly number[]
  /** ES, CS, SS, DS, FS, GS; those that a TSS of 16 bits does not have are null. */
  readonly selectors: readonly number[]
  readonly ldt: number
  readonly cr3: number | undefined
  readonly trap: boolean
}

const read = (core: Core, format: Format, base: number): Image => {
  const word = (offset: number, width: 16 | 32 = format.width): number => {
    const host = core.mmu.readAs(mode.supervisor, lowOf(base, offset), 0, width)
    if (host === fault) throw raised
    return core.wordAt(host, width)[0]
  }
  return {
    ip: word(format.ip),
    flags: word(format.flags),
    general: Array.from({ length: 8 }, (_, n) => word(format.general + (n * format.width) / 8)),
    selectors: Array.from({ length: 6 }, (_, of) =>
      of < format.selectors.length ? word(format.selectors[of]!, 16) : 0
    ),
    ldt: word(format.ldt, 16),
    cr3: format.cr3 === undefined ? undefined : word(format.cr3),
    trap: format.trap !== undefined && (word(format.trap, 16) & 1) !== 0
  }
}

/** The flags that a TSS can set. */
const loadable =
  RFLAGS.status | RFLAGS.TF | RFLAGS.IF | RFLAGS.DF | RFLAGS.IOPL | RFLAGS.NT | RFLAGS.RF | RFLAGS.VM |
  RFLAGS.AC | RFLAGS.VIF | RFLAGS.VIP | RFLAGS.ID // biome-ignore format: flags

/** DR7: L0 to L3, and LE. "The processor automatically clears these flags on every task switch." */
const localBreakpoints = 0x155

const load = (core: Core, format: Format, { ip, flags, general, cr3, selectors }: Image, nests: boolean): void => {
  for (const [n, value] of general.entries()) core.setRegister(n, format.width, value, 0)
  core.set(at.rip, ip, 0)
  // An exception from here on is of the new task, before its first instruction.
  core.set(at.stoppedAt, ip, 0)
  core.setRflags((flags & loadable) | (nests ? RFLAGS.NT : 0))
  core.i32[at.cr0 >> 2]! |= CR0.TS
  core.i32[(system.debug + 7 * 8) >> 2]! &= ~localBreakpoints
  arm(core)
  const isVirtual = (flags & RFLAGS.VM) !== 0
  for (const [of, selector] of selectors.entries()) makeNull(core, of, selector)
  core.enterMode(isVirtual ? 16 : 32, isVirtual ? 3 : rplOf(selectors[segments.cs]!))
  if (cr3 !== undefined && core.low(at.cr0) & CR0.PG) loadRoot(core, cr3)
}

const loadSegments = (core: Core, { selectors, flags, ldt }: Image, external: number): void => {
  loadLdt(core, ldt, external)
  if (flags & RFLAGS.VM) {
    for (const [of, selector] of selectors.entries()) loadReal(core, of, selector)
    return
  }
  const refuse = (which: number, selector: number): never => core.raise(which, code(selector) | external)
  const segment = (selector: number): Descriptor => ({ ...fetch(core, selector, vector.TS, external) })
  const [cs, ss] = [selectors[segments.cs]!, selectors[segments.ss]!]
  const privilege = rplOf(cs)

  if (isNull(cs)) refuse(vector.TS, cs)
  const ofCode = segment(cs)
  const dpl = dplOf(ofCode.high)
  if (!isCode(ofCode.high) || (isConforming(ofCode.high) ? dpl > privilege : dpl !== privilege)) refuse(vector.TS, cs)
  if (!(ofCode.high & bits.P)) refuse(vector.NP, cs)
  markAccessed(core, ofCode)
  setCode(core, cs, ofCode, privilege)

  if (isNull(ss)) refuse(vector.TS, ss)
  const ofStack = segment(ss)
  if (!isWritableData(ofStack.high) || dplOf(ofStack.high) !== privilege || rplOf(ss) !== privilege)
    refuse(vector.TS, ss)
  if (!(ofStack.high & bits.P)) refuse(vector.SS, ss)
  markAccessed(core, ofStack)
  setData(core, segments.ss, ss, ofStack)

  for (const register of [segments.ds, segments.es, segments.fs, segments.gs]) {
    const selector = selectors[register]!
    if (isNull(selector)) continue
    const found = segment(selector)
    const requested = Math.max(rplOf(selector), privilege)
    if (!isReadable(found.high) || (!isConforming(found.high) && dplOf(found.high) < requested))
      refuse(vector.TS, selector)
    if (!(found.high & bits.P)) refuse(vector.NP, selector)
    markAccessed(core, found)
    setData(core, register, selector, found)
  }
}

const loadLdt = (core: Core, selector: number, external: number): void => {
  makeNull(core, segments.ldtr, selector)
  if (isNull(selector)) return
  const refuse = (): never => core.raise(vector.TS, code(selector) | external)
  if (selector & 4) refuse()
  const found = { ...fetch(core, selector, vector.TS, external) }
  if (found.high & bits.S || typeOf(found.high) !== systemType.ldt || !(found.high & bits.P)) refuse()
  setData(core, segments.ldtr, selector, found)
}
