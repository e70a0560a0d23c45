/**
 * Operations of a guest: those that leave it, and those that do something else in VMX non-root operation. SDM vol. 3C, "Instructions That Cause
 * VM Exits Unconditionally", "Instructions That Cause VM Exits Conditionally", "Changes to Instruction Behavior in VMX Non-Root Operation".
 */
import { ExitReason } from "../../../types/x86_64/ExitReason.ts"
import { Primary, Secondary } from "../../../types/x86_64/VmxControls.ts"
import { type SystemName, systemNames } from "../processor/Meaning.ts"
import { at } from "../processor/State.ts"
import type { Core } from "../system/Core.ts"
import * as control from "../system/control.ts"
import { checkUmip } from "../system/descriptors.ts"
import { checkMonitor } from "../system/monitor.ts"
import { checkTsc, type Operation, operations } from "../system/operations.ts"
import { checkPorts } from "../system/ports.ts"
import { CR0, CR4, vector } from "../system/registers.ts"
import {
  hasImmediatePort,
  instructionOf,
  interceptWithOperands,
  linearAddress,
  registerNumber,
  stringInformation
} from "./instructionInformation.ts"
import { place } from "./Vmcs.ts"
import { readVirtualMsr, readVirtualTpr, writeVirtualMsr, writeVirtualTpr } from "./virtualApic.ts"

const input = (core: Core, n: number): number => core.low(at.inputs + n * 8)
const inputHigh = (core: Core, n: number): number => core.high(at.inputs + n * 8)

const primary = (core: Core, bit: number): boolean => (core.vmx.primary & bit) !== 0
const secondary = (core: Core, bit: number): boolean => core.vmx.hasSecondary(bit)

/** The operation, unless `isIntercepted`: then it is a VM exit for that reason. */
const unless =
  (name: SystemName, reason: number, isIntercepted: (core: Core) => boolean): Operation =>
  (core) => {
    if (isIntercepted(core)) core.vmx.intercept(reason)
    operations[name](core)
  }

const always =
  (reason: number): Operation =>
  (core) =>
    core.vmx.intercept(reason)

// ---- control registers: table "Exit Qualification for Control-Register Accesses"

const crAccess = { movTo: 0, movFrom: 1, clts: 2, lmsw: 3 } as const
const lmswOfMemory = 1 << 6

const interceptCr = (core: Core, number: number, access: number, rest = 0): never =>
  core.vmx.intercept(ExitReason.CONTROL_REGISTER_ACCESS, number | (access << 4) | rest)

/** The number of the general register at this place among the operands. */
const generalRegister = (core: Core, operand: number): number =>
  registerNumber(instructionOf(core).operands[operand]!) << 8

/** "The value that the guest reads": bits that are the host's come from the read shadow. */
const seen = (value: number, mask: number, shadow: number): number => (value & ~mask) | (shadow & mask)
export const guestCr0 = (core: Core): number => seen(core.low(at.cr0), core.vmx.cr0Mask, core.vmx.cr0Shadow)
export const guestCr4 = (core: Core): number => seen(core.low(at.cr4), core.vmx.cr4Mask, core.vmx.cr4Shadow)

const movFromControl: Operation = (core) => {
  const [register, number] = [input(core, 0), input(core, 1)]
  const intercepted =
    (number === 3 && primary(core, Primary.CR3_STORE_EXITING)) ||
    (number === 8 && primary(core, Primary.CR8_STORE_EXITING))
  if (intercepted) interceptCr(core, number, crAccess.movFrom, register << 8)
  if (number === 8 && primary(core, Primary.USE_TPR_SHADOW)) core.setRegister(register, 64, readVirtualTpr(core), 0)
  else if (number === 0) core.setRegister(register, 64, guestCr0(core), core.high(at.cr0))
  else if (number === 4) core.setRegister(register, 64, guestCr4(core), core.high(at.cr4))
  else operations.movFromControl(core)
}

const isTarget = (core: Core, lo: number, hi: number): boolean => {
  const { vmcs } = core.vmx
  const count = vmcs.low(place.CR3_TARGET_COUNT)
  const targets = [
    place.CR3_TARGET_VALUE_0,
    place.CR3_TARGET_VALUE_1,
    place.CR3_TARGET_VALUE_2,
    place.CR3_TARGET_VALUE_3
  ]
  return targets.slice(0, count).some((of) => vmcs.low(of) === lo && vmcs.high(of) === hi)
}

/** A write to CR0 or CR4 leaves the guest if it gives a bit of the host's another value than the read shadow has; else those bits stay. */
const writeMasked = (core: Core, number: 0 | 4, lo: number, hi: number): void => {
  const { vmx } = core
  const [mask, shadow] = number === 0 ? [vmx.cr0Mask, vmx.cr0Shadow] : [vmx.cr4Mask, vmx.cr4Shadow]
  if ((lo ^ shadow) & mask) interceptCr(core, number, crAccess.movTo, generalRegister(core, 1))
  const old = core.low(number === 0 ? at.cr0 : at.cr4)
  control.writeControl(core, number, (lo & ~mask) | (old & mask), hi)
}

const movToControl: Operation = (core) => {
  const [number, lo, hi] = [input(core, 0), input(core, 1), inputHigh(core, 1)]
  if (number === 0 || number === 4) return writeMasked(core, number, lo, hi)
  if (number === 3 && primary(core, Primary.CR3_LOAD_EXITING) && !isTarget(core, lo, hi))
    interceptCr(core, 3, crAccess.movTo, generalRegister(core, 1))
  if (number === 8 && primary(core, Primary.CR8_LOAD_EXITING))
    interceptCr(core, 8, crAccess.movTo, generalRegister(core, 1))
  if (number === 8 && primary(core, Primary.USE_TPR_SHADOW)) writeVirtualTpr(core, lo, hi)
  else operations.movToControl(core)
}

/** "CLTS causes a VM exit if the bits in position 3 are set in both mask and shadow"; if only in the mask, it does nothing. */
const clts: Operation = (core) => {
  const { cr0Mask, cr0Shadow } = core.vmx
  if (!(cr0Mask & CR0.TS)) return operations.clts(core)
  if (cr0Shadow & CR0.TS) interceptCr(core, 0, crAccess.clts)
}

/** PE can be set and not cleared: it leaves the guest if that is the host's and would change, as do MP, EM and TS. */
const lmsw: Operation = (core) => {
  const { cr0Mask, cr0Shadow } = core.vmx
  const value = input(core, 0) & 0xffff
  const changed = (value ^ cr0Shadow) & cr0Mask & (CR0.MP | CR0.EM | CR0.TS)
  const enables = value & ~cr0Shadow & cr0Mask & CR0.PE
  if (changed | enables) {
    const [operand] = instructionOf(core).operands
    if (operand?.kind === "mem") {
      const exit = core.vmx.begin(ExitReason.CONTROL_REGISTER_ACCESS)
      exit.qualificationLow = (crAccess.lmsw << 4) | lmswOfMemory | (value << 16)
      const [lo, hi] = linearAddress(core, operand)
      exit.linearLow = lo
      exit.linearHigh = hi
      core.vmx.leave()
    }
    interceptCr(core, 0, crAccess.lmsw, value << 16)
  }
  const kept = core.low(at.cr0) & cr0Mask & 15
  control.loadStatusWord(core, (value & ~(cr0Mask & 15)) | kept)
}

// ---- debug registers: table "Exit Qualification for MOV DR"

const onDebug =
  (name: "movToDebug" | "movFromDebug"): Operation =>
  (core) => {
    if (primary(core, Primary.MOV_DR_EXITING)) {
      const isFrom = name === "movFromDebug"
      const number = input(core, isFrom ? 1 : 0)
      if (number > 7 || ((number === 4 || number === 5) && core.low(at.cr4) & CR4.DE)) core.raise(vector.UD)
      const register = isFrom ? input(core, 0) << 8 : generalRegister(core, 1)
      core.vmx.intercept(ExitReason.MOV_DR, number | (isFrom ? 1 << 4 : 0) | register)
    }
    operations[name](core)
  }

// ---- IO: table "Exit Qualification for I/O Instructions"

const ioQualification = { input: 1 << 3, string: 1 << 4, repeated: 1 << 5, immediate: 1 << 6 } as const

/** Whether any port of the access has a 1 in the bitmaps; one that wraps around FFFFH has. */
const isPortIntercepted = (core: Core, port: number, bytes: number): boolean => {
  if (!primary(core, Primary.USE_IO_BITMAPS)) return primary(core, Primary.UNCONDITIONAL_IO_EXITING)
  if (port + bytes > 0x1_0000) return true
  for (let n = port; n < port + bytes; n++) {
    const bitmap = core.vmx.vmcs.address(n < 0x8000 ? place.IO_BITMAP_A : place.IO_BITMAP_B)
    const bit = n & 0x7fff
    const word = core.mmu.memory.load32(bitmap + (bit >>> 5) * 4)
    if ((word >>> (bit & 31)) & 1) return true
  }
  return false
}

const onPort =
  (name: "in" | "out"): Operation =>
  (core) => {
    const [port, width] = [input(core, 0) & 0xffff, input(core, 1)]
    // "General-protection exceptions that are based on checking I/O permission bits in the task-state segment" come first.
    checkPorts(core, port, width)
    if (isPortIntercepted(core, port, width / 8)) {
      core.vmx.end(
        ExitReason.IO_INSTRUCTION,
        (width / 8 - 1) |
          (name === "in" ? ioQualification.input : 0) |
          (hasImmediatePort(core) ? ioQualification.immediate : 0) |
          (port << 16)
      )
    } else operations[name](core)
  }

const dx = at.general + 2 * 8
const onString =
  (name: "ins" | "outs"): Operation =>
  (core) => {
    const [port, width, addressWidth, repeat] = [core.low(dx) & 0xffff, input(core, 1), input(core, 2), input(core, 3)]
    checkPorts(core, port, width)
    if (isPortIntercepted(core, port, width / 8)) {
      const exit = core.vmx.begin(ExitReason.IO_INSTRUCTION)
      const isInput = name === "ins"
      exit.qualificationLow =
        (width / 8 - 1) |
        ioQualification.string |
        (isInput ? ioQualification.input : 0) |
        (repeat ? ioQualification.repeated : 0) |
        (port << 16)
      exit.linearLow = input(core, 0)
      exit.linearHigh = inputHigh(core, 0)
      exit.instructionInformation = stringInformation(core, isInput, addressWidth)
      core.vmx.leave()
    }
    operations[name](core)
  }

// ---- MSRs

const ecx = (core: Core): number => core.low(at.general + 8) >>> 0

/** "MSR-Bitmap Address": 1 KByte each for reads and writes of MSRs from 0 and from C0000000H on; all others leave the guest. */
export const isMsrIntercepted = (core: Core, isWrite: boolean): boolean => {
  if (!primary(core, Primary.USE_MSR_BITMAPS)) return true
  const number = ecx(core)
  const isHigh = number >= 0xc000_0000
  const bit = isHigh ? number - 0xc000_0000 : number
  if (bit > 0x1fff) return true
  const at = core.vmx.vmcs.address(place.MSR_BITMAPS) + (isHigh ? 0x400 : 0) + (isWrite ? 0x800 : 0)
  return ((core.mmu.memory.load32(at + (bit >>> 5) * 4) >>> (bit & 31)) & 1) !== 0
}

const [eax, edx] = [at.general, at.general + 2 * 8]

const rdmsr: Operation = (core) => {
  if (isMsrIntercepted(core, false)) core.vmx.intercept(ExitReason.RDMSR)
  const virtual = readVirtualMsr(core, ecx(core))
  if (virtual === undefined) return operations.rdmsr(core)
  core.set(eax, virtual[0], 0)
  core.set(edx, virtual[1], 0)
}

const wrmsr: Operation = (core) => {
  if (isMsrIntercepted(core, true)) core.vmx.intercept(ExitReason.WRMSR)
  if (!writeVirtualMsr(core, ecx(core), core.low(eax), core.low(edx))) operations.wrmsr(core)
}

// ---- PAUSE: "PAUSE-Loop Exiting"

const pause: Operation = (core) => {
  if (primary(core, Primary.PAUSE_EXITING)) core.vmx.intercept(ExitReason.PAUSE)
  if (secondary(core, Secondary.PAUSE_LOOP_EXITING) && core.privilege === 0) noteLoop(core)
  operations.pause(core)
}

const noteLoop = (core: Core): void => {
  const { vmx } = core
  const now = core.clock.now()
  if (now - vmx.lastPause > vmx.vmcs.low(place.PLE_GAP) >>> 0) vmx.firstPause = now
  else if (now - vmx.firstPause > vmx.vmcs.low(place.PLE_WINDOW) >>> 0) vmx.intercept(ExitReason.PAUSE)
  vmx.lastPause = now
}

// ---- descriptor tables: tables "Format of the VM-Exit Instruction-Information Field as Used for LIDT, LGDT, SIDT, or SGDT", "for LLDT, LTR, SLDT, and STR"

const identities = { sgdt: 0, sidt: 1, lgdt: 2, lidt: 3, lldt: 2, ltr: 3 } as const
const identityShift = 28
const size32 = 1 << 11

const onTable =
  (name: "sgdt" | "sidt" | "lgdt" | "lidt"): Operation =>
  (core) => {
    if (secondary(core, Secondary.DESCRIPTOR_TABLE_EXITING)) {
      if (name.startsWith("s")) checkUmip(core)
      const size = input(core, 1) === 16 ? 0 : size32
      interceptWithOperands(core, ExitReason.GDTR_OR_IDTR_ACCESS, (identities[name] << identityShift) | size)
    }
    operations[name](core)
  }

const onSelector =
  (name: "lldt" | "ltr"): Operation =>
  (core) => {
    if (secondary(core, Secondary.DESCRIPTOR_TABLE_EXITING))
      interceptWithOperands(core, ExitReason.LDTR_OR_TR_ACCESS, identities[name] << identityShift)
    operations[name](core)
  }

// ---- the time-stamp counter

const onTsc =
  (name: "rdtsc" | "rdtscp", reason: number): Operation =>
  (core) => {
    if (name === "rdtscp" && !secondary(core, Secondary.ENABLE_RDTSCP)) core.raise(vector.UD)
    checkTsc(core)
    if (primary(core, Primary.RDTSC_EXITING)) core.vmx.intercept(reason)
    operations[name](core)
  }

/** "Enable XSAVES/XRSTORS". No state is the supervisor's, so that none of them leaves the guest. */
const onExtendedStates =
  (name: "xsaves" | "xrstors"): Operation =>
  (core) => {
    if (!secondary(core, Secondary.ENABLE_XSAVES)) core.raise(vector.UD)
    operations[name](core)
  }

// biome-ignore format: an operation, a line
const overrides: Partial<Readonly<Record<SystemName, Operation>>> = {
  /** The host's, not the guest's. */
  gate:            (core) => core.raise(vector.UD),

  cpuid:           always(ExitReason.CPUID),
  hlt:             unless("hlt", ExitReason.HLT, (core) => primary(core, Primary.HLT_EXITING)),
  invd:            always(ExitReason.INVD),
  xsaves:          onExtendedStates("xsaves"),
  xrstors:         onExtendedStates("xrstors"),
  wbinvd:          unless("wbinvd", ExitReason.WBINVD, (core) => secondary(core, Secondary.WBINVD_EXITING)),
  xsetbv:          always(ExitReason.XSETBV),
  invlpg:          (core) => {
    if (primary(core, Primary.INVLPG_EXITING)) core.vmx.intercept(ExitReason.INVLPG, input(core, 0), inputHigh(core, 0))
    operations.invlpg(core)
  },
  invpcid:         (core) => {
    if (!secondary(core, Secondary.ENABLE_INVPCID)) core.raise(vector.UD)
    if (primary(core, Primary.INVLPG_EXITING)) interceptWithOperands(core, ExitReason.INVPCID)
    operations.invpcid(core)
  },
  rdpmc:           (core) => {
    if (core.privilege > 0 && !(core.low(at.cr4) & CR4.PCE)) core.raise(vector.GP)
    if (primary(core, Primary.RDPMC_EXITING)) core.vmx.intercept(ExitReason.RDPMC)
    operations.rdpmc(core)
  },
  rdtsc:           onTsc("rdtsc", ExitReason.RDTSC),
  rdtscp:          onTsc("rdtscp", ExitReason.RDTSCP),
  rdmsr,
  wrmsr,
  pause,
  /** Nothing that a guest asks to be watched is: MWAIT is never armed. */
  monitor:         (core) => {
    checkMonitor(core)
    if (primary(core, Primary.MONITOR_EXITING)) core.vmx.intercept(ExitReason.MONITOR)
    operations.monitor(core)
  },
  mwait:           (core) => {
    checkMonitor(core)
    if (primary(core, Primary.MWAIT_EXITING)) core.vmx.intercept(ExitReason.MWAIT)
    operations.mwait(core)
  },
  sgdt:            onTable("sgdt"),
  sidt:            onTable("sidt"),
  lgdt:            onTable("lgdt"),
  lidt:            onTable("lidt"),
  lldt:            onSelector("lldt"),
  ltr:             onSelector("ltr"),
  movFromControl,
  movToControl,
  clts,
  lmsw,
  movFromDebug:    onDebug("movFromDebug"),
  movToDebug:      onDebug("movToDebug"),
  in:              onPort("in"),
  out:             onPort("out"),
  ins:             onString("ins"),
  outs:            onString("outs")
}

/** By the number that is in `at.detail`. */
export const guestOperationOf: readonly Operation[] = systemNames.map((name) => overrides[name] ?? operations[name])
