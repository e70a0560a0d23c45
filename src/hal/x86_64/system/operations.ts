/**
 * The operations of the whole machine that instructions end in: `systemInputs` in processor/Meaning.ts says what each
 * is given.
 *
 * The instruction is counted and RIP is behind it. An operation that refuses raises (`raised`): the loop then puts
 * RIP and the count back.
 */
import { isVirtual8086, type SystemName, systemNames } from "../processor/Meaning.ts"
import { at, segments } from "../processor/State.ts"
import { vmxInstructions } from "../vmx/instructions.ts"
import { type Core, highOf, lowOf } from "./Core.ts"
import * as control from "./control.ts"
import { cpuid } from "./cpuid.ts"
import * as descriptors from "./descriptors.ts"
import * as far from "./far.ts"
import { fxrstor, fxsave } from "./fxsave.ts"
import * as legacyFar from "./legacyFar.ts"
import { gather, maskedLoad, maskedStore } from "./masked.ts"
import { monitor, mwait } from "./monitor.ts"
import { readMsr, readOwnTsc, writeMsr } from "./msr.ts"
import { poppableFlags, popVirtualFlags } from "./poppedFlags.ts"
import * as ports from "./ports.ts"
import { activity, CR4, RFLAGS, shadowOf, system, vector } from "./registers.ts"
import { interruptReturn } from "./return.ts"
import { swapgs, syscall, sysret } from "./syscall.ts"
import { sysenter, sysexit } from "./sysenter.ts"
import { x87 } from "./x87/operations.ts"
import { xgetbv, xrstor, xrstors, xsave, xsavec, xsaveopt, xsaves, xsetbv } from "./xsave.ts"

export type Operation = (core: Core) => void

/** "Delays execution of the next instruction an implementation-specific amount of time", in instructions. SDM vol. 2B, "PAUSE". */
const pauseTime = 64

/** Input `n`: its lower half is enough for numbers, widths and selectors. */
const input = (core: Core, n: number): number => core.low(at.inputs + n * 8)
const inputHigh = (core: Core, n: number): number => core.high(at.inputs + n * 8)

const [rax, rcx, rdx] = [0, 1, 2] as const
const edxEax = (core: Core, [lo, hi]: readonly [lo: number, hi: number]): void => {
  core.setRegister(rax, 32, lo, 0)
  core.setRegister(rdx, 32, hi, 0)
}
const ecx = (core: Core): number => core.low(at.general + rcx * 8) >>> 0

/** "If CR4.TSD = 1 and CPL > 0: #GP(0)." */
export const checkTsc = (core: Core): void => {
  if (core.low(at.cr4) & CR4.TSD && core.privilege > 0) core.raise(vector.GP)
}

const setFlag = (core: Core, flag: number, value: boolean): void => {
  const old = core.low(at.rflags)
  core.i32[at.rflags >> 2] = value ? old | flag : old & ~flag
}

/**
 * CLI, STI: with CPL > IOPL "#GP(0)", unless it is VIF that they change: in virtual-8086 mode with CR4.VME, in ring 3 of protected mode with
 * CR4.PVI. SDM vol. 3A, "Protected-Mode Virtual Interrupts", "Class 2—Maskable Hardware Interrupt Handling in Virtual-8086 Mode Using the Virtual
 * Interrupt Mechanism".
 */
const flagOfInterrupts = (core: Core): number => {
  const flags = core.low(at.rflags)
  if (core.privilege <= (flags & RFLAGS.IOPL) >>> 12) return RFLAGS.IF
  const allows = flags & RFLAGS.VM ? CR4.VME : CR4.PVI
  return core.privilege === 3 && core.low(at.cr4) & allows ? RFLAGS.VIF : core.raise(vector.GP)
}

const setAc = (core: Core, value: boolean): void => {
  if (core.privilege > 0) core.raise(vector.UD)
  setFlag(core, RFLAGS.AC, value)
  core.accessModeChanged()
}

/** LAR, LSL, VERR, VERW: ZF says whether the selector was good for it. */
const answerZf = (core: Core, value: boolean): void => {
  const flags = core.rflags()
  const ZF = 1 << 6
  core.setRflags(value ? flags | ZF : flags & ~ZF)
}

const movToSegment = (core: Core, of: number, selector: number): void => {
  descriptors.loadData(core, of, selector & 0xffff)
  // "Loading the SS register ... inhibits all interrupts until after the execution of the next instruction."
  if (of === segments.ss) core.castShadow(shadowOf.movSs)
}

export const operations: Readonly<Record<SystemName, Operation>> = {
  gate: (core) => core.surroundings.gate(input(core, 0)),
  cpuid,

  rdtsc: (core) => {
    checkTsc(core)
    edxEax(core, readOwnTsc(core))
  },
  rdtscp: (core) => {
    checkTsc(core)
    edxEax(core, readOwnTsc(core))
    core.setRegister(rcx, 32, core.low(at.tscAux), 0)
  },
  rdmsr: (core) => edxEax(core, readMsr(core, ecx(core))),
  wrmsr: (core) => writeMsr(core, ecx(core), core.low(at.general + rax * 8), core.low(at.general + rdx * 8)),
  /** There are no performance counters. */
  rdpmc: (core) => core.raise(vector.GP),

  syscall,
  sysret: (core) => sysret(core, input(core, 0)),
  swapgs,
  iret: (core) => interruptReturn(core, input(core, 0)),
  int: (core) => core.surroundings.interrupt(input(core, 0), "software"),
  int3: (core) => core.surroundings.interrupt(vector.BP, "softwareException"),
  int1: (core) => core.surroundings.interrupt(vector.DB, "privileged"),

  into: (core) => {
    if (input(core, 0) !== 0) core.surroundings.interrupt(vector.OF, "softwareException")
  },
  sysenter,
  sysexit: (core) => sysexit(core, input(core, 0)),

  hlt: (core) => {
    core.i32[system.activity >> 2] = activity.halted
  },
  cli: (core) => setFlag(core, flagOfInterrupts(core), false),
  sti: (core) => {
    const flag = flagOfInterrupts(core)
    const old = core.low(at.rflags)
    if (flag === RFLAGS.VIF && old & RFLAGS.VIP) core.raise(vector.GP)
    if (flag === RFLAGS.IF && !(old & RFLAGS.IF)) core.castShadow(shadowOf.sti)
    setFlag(core, flag, true)
  },
  popf: (core) => {
    if (isVirtual8086(core.mode) && (core.low(at.rflags) & RFLAGS.IOPL) !== RFLAGS.IOPL) {
      popVirtualFlags(core, input(core, 0))
      return
    }
    const changes = poppableFlags(core, input(core, 1))
    core.setRflags((core.rflags() & ~changes & ~RFLAGS.RF) | (input(core, 0) & changes))
  },
  clac: (core) => setAc(core, false),
  stac: (core) => setAc(core, true),

  movFromControl: (core) => core.setRegister(input(core, 0), 64, ...control.readControl(core, input(core, 1))),
  movToControl: (core) => control.writeControl(core, input(core, 0), input(core, 1), inputHigh(core, 1)),
  movFromDebug: (core) => core.setRegister(input(core, 0), 64, ...control.readDebug(core, input(core, 1))),
  movToDebug: (core) => control.writeDebug(core, input(core, 0), input(core, 1), inputHigh(core, 1)),
  lmsw: (core) => control.loadStatusWord(core, input(core, 0)),
  clts: control.clearTaskSwitched,
  invlpg: (core) => control.invalidatePage(core, input(core, 0), inputHigh(core, 0)),
  invpcid: (core) =>
    control.invalidateByPcid(core, input(core, 0), inputHigh(core, 0), input(core, 1), inputHigh(core, 1)),

  lgdt: (core) =>
    descriptors.loadTableRegister(
      core,
      input(core, 0),
      inputHigh(core, 0),
      input(core, 1),
      system.gdtrLimit,
      system.gdtrBase
    ),
  lidt: (core) =>
    descriptors.loadTableRegister(
      core,
      input(core, 0),
      inputHigh(core, 0),
      input(core, 1),
      system.idtrLimit,
      system.idtrBase
    ),
  sgdt: (core) =>
    descriptors.storeTableRegister(
      core,
      input(core, 0),
      inputHigh(core, 0),
      input(core, 1),
      system.gdtrLimit,
      system.gdtrBase
    ),
  sidt: (core) =>
    descriptors.storeTableRegister(
      core,
      input(core, 0),
      inputHigh(core, 0),
      input(core, 1),
      system.idtrLimit,
      system.idtrBase
    ),
  lldt: (core) => descriptors.loadLocal(core, input(core, 0) & 0xffff),
  ltr: (core) => descriptors.loadTask(core, input(core, 0) & 0xffff),

  movToSegment: (core) => movToSegment(core, input(core, 0), input(core, 1)),
  popToSegment: (core) => {
    movToSegment(core, input(core, 0), input(core, 1))
    core.setStackPointer(input(core, 2), inputHigh(core, 2))
  },
  loadFarPointer: (core) => {
    const [lo, hi, width] = [input(core, 2), inputHigh(core, 2), input(core, 3)]
    const offset = core.wordAt(core.read(lo, hi, width), width)
    const [selector] = core.wordAt(core.read(lowOf(lo, width / 8), highOf(lo, hi, width / 8), 16), 16)
    movToSegment(core, input(core, 0), selector)
    core.setRegister(input(core, 1), width, ...offset)
  },
  farJump: (core) =>
    core.mode.bits !== 64
      ? legacyFar.jump(core, input(core, 0) & 0xffff, input(core, 1) >>> 0)
      : far.jump(core, input(core, 0) & 0xffff, input(core, 1), inputHigh(core, 1)),
  farCall: (core) =>
    core.mode.bits !== 64
      ? legacyFar.call(core, input(core, 0) & 0xffff, input(core, 1) >>> 0, input(core, 2) === 16 ? 16 : 32)
      : far.call(core, input(core, 0) & 0xffff, input(core, 1), inputHigh(core, 1), input(core, 2)),
  farReturn: (core) =>
    core.mode.bits !== 64
      ? legacyFar.return_(core, input(core, 0) === 16 ? 16 : 32, input(core, 1))
      : far.return_(core, input(core, 0), input(core, 1)),
  enter: (core) =>
    core.mode.bits !== 64
      ? legacyFar.enter(core, input(core, 0), input(core, 1), input(core, 2) === 16 ? 16 : 32)
      : far.enter(core, input(core, 0), input(core, 1), input(core, 2)),

  lar: (core) => {
    const found = descriptors.look(core, input(core, 0) & 0xffff, descriptors.accepts.rights)
    if (found) core.setRegister(input(core, 1), input(core, 2), found.high & 0x00ff_ff00, 0)
    answerZf(core, found !== undefined)
  },
  lsl: (core) => {
    const found = descriptors.look(core, input(core, 0) & 0xffff, descriptors.accepts.limit)
    if (found) core.setRegister(input(core, 1), input(core, 2), descriptors.limitOf(found.low, found.high) | 0, 0)
    answerZf(core, found !== undefined)
  },
  verr: (core) =>
    answerZf(core, descriptors.look(core, input(core, 0) & 0xffff, descriptors.accepts.read) !== undefined),
  verw: (core) =>
    answerZf(core, descriptors.look(core, input(core, 0) & 0xffff, descriptors.accepts.write) !== undefined),

  in: (core) => ports.input(core, input(core, 0), input(core, 1)),
  out: (core) => ports.output(core, input(core, 0), input(core, 1)),
  ins: (core) =>
    ports.inputString(core, input(core, 0), inputHigh(core, 0), input(core, 1), input(core, 2), input(core, 3)),
  outs: (core) =>
    ports.outputString(core, input(core, 0), inputHigh(core, 0), input(core, 1), input(core, 2), input(core, 3)),

  /** Memory has no cache in front of it. */
  wbinvd: () => {},
  invd: () => {},
  pause: (core) => {
    core.clock.charge(pauseTime)
    core.surroundings.pause()
  },
  xgetbv,
  xsetbv,
  x87,
  fxsave: (core) => fxsave(core, input(core, 0), inputHigh(core, 0), input(core, 1)),
  fxrstor: (core) => fxrstor(core, input(core, 0), inputHigh(core, 0), input(core, 1)),
  ...vmxInstructions,
  xsave: (core) => xsave(core, input(core, 0), inputHigh(core, 0), input(core, 1)),
  xsaveopt: (core) => xsaveopt(core, input(core, 0), inputHigh(core, 0), input(core, 1)),
  xsavec: (core) => xsavec(core, input(core, 0), inputHigh(core, 0), input(core, 1)),
  xsaves: (core) => xsaves(core, input(core, 0), inputHigh(core, 0), input(core, 1)),
  xrstor: (core) => xrstor(core, input(core, 0), inputHigh(core, 0), input(core, 1)),
  xrstors: (core) => xrstors(core, input(core, 0), inputHigh(core, 0), input(core, 1)),
  maskedLoad,
  maskedStore,
  gather,
  rdpkru: control.readKeys,
  wrpkru: control.writeKeys,
  monitor: (core) => monitor(core, input(core, 0), inputHigh(core, 0)),
  mwait
}

/** By the number that is in `at.detail`. */
export const operationOf: readonly Operation[] = systemNames.map((name) => operations[name])

/**
 * Operations after which no interrupt can be taken that could not be before, unless they ask for attention: they set neither RFLAGS.IF
 * nor RFLAGS.TF, cast no shadow, and do not stop the processor.
 */
// biome-ignore format: in groups
const quiet: ReadonlySet<SystemName> = new Set<SystemName>([
  "rdtsc", "rdtscp", "pause", "cpuid", "rdmsr", "wrmsr", "in", "out",
  "cli", "clac", "stac", "swapgs", "syscall",
  "movFromControl", "movToControl", "clts", "invlpg", "invpcid",
  "fxsave", "fxrstor", "x87"
])
export const isQuiet: readonly boolean[] = systemNames.map((name) => quiet.has(name))
