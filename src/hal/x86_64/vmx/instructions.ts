/**
 * The VMX instructions. SDM vol. 3C, "VMX Instructions", their operation.
 *
 * Each is a function that answers with its status, and an operation that puts it into the flags: "Conventions", VMsucceed, VMfailInvalid,
 * VMfailValid.
 */
import { ExitReason, VmInstructionError } from "../../../types/x86_64/ExitReason.ts"
import { isCanonical, widest } from "../memory/Access.ts"
import { isVirtual8086 } from "../processor/Meaning.ts"
import { at } from "../processor/State.ts"
import type { Core } from "../system/Core.ts"
import { isProtected } from "../system/descriptors.ts"
import { msrAt } from "../system/msr.ts"
import { CR4, vector } from "../system/registers.ts"
import { enterGuest } from "./entry.ts"
import { isEptPointer } from "./ept.ts"
import { areCr0Bits, areCr4Bits } from "./fixedBits.ts"
import { interceptWithOperands } from "./instructionInformation.ts"
import { isPhysical } from "./rules.ts"
import { hasField, isReadOnly, makeClear, place, regionBytes, revision, revisionAt } from "./Vmcs.ts"
import { noPointer } from "./Vmx.ts"

/** 0: it succeeded. `invalid`: it failed, and no VMCS is current. Else: it failed, and this is the error's number. */
export type Status = number
export const succeeded: Status = 0
export const invalid: Status = -1

/** "VMfail(ErrorNumber)": valid if there is a current VMCS. */
const fail = (core: Core, error: number): Status => {
  const { vmcs } = core.vmx
  if (vmcs.pointer === noPointer) return invalid
  vmcs.willChange()
  vmcs.set(place.VM_INSTRUCTION_ERROR, error, 0)
  return error
}

const CF = 1 << 0
const ZF = 1 << 6
const answer = (core: Core, status: Status): void =>
  core.setStatus(status === succeeded ? 0 : status === invalid ? CF : ZF)

/** A region's address: a multiple of 4 KBytes, within the physical-address width. -1 if it is none. */
const regionAt = (lo: number, hi: number): number =>
  lo % regionBytes === 0 && isPhysical(hi) ? hi * 2 ** 32 + (lo >>> 0) : noPointer

// ---- what they do

/** IA32_FEATURE_CONTROL: locked, and VMX allowed outside SMX operation. */
const enabled = 0x5

export const vmxon = (core: Core, lo: number, hi: number): Status => {
  const { vmx } = core
  if (vmx.isOn) return fail(core, VmInstructionError.VMXON_IN_VMX_ROOT)
  const isFixed =
    areCr0Bits(core.low(at.cr0), core.high(at.cr0), false) && areCr4Bits(core.low(at.cr4), core.high(at.cr4))
  if (!isFixed || (core.low(msrAt.IA32_FEATURE_CONTROL) & enabled) !== enabled) core.raise(vector.GP)
  const region = regionAt(lo, hi)
  if (region === noPointer || revisionAt(core.mmu.memory, region) !== revision) return invalid
  vmx.vmxonPointer = region
  vmx.vmcs.use(noPointer)
  vmx.isOn = true
  return succeeded
}

export const vmxoff = (core: Core): Status => {
  core.vmx.isOn = false
  core.vmx.vmxonPointer = noPointer
  core.vmx.vmcs.use(noPointer)
  return succeeded
}

export const vmclear = (core: Core, lo: number, hi: number): Status => {
  const { vmx } = core
  const region = regionAt(lo, hi)
  if (region === noPointer) return fail(core, VmInstructionError.VMCLEAR_INVALID_ADDRESS)
  if (region === vmx.vmxonPointer) return fail(core, VmInstructionError.VMCLEAR_VMXON_POINTER)
  makeClear(core.mmu.memory, region)
  if (region === vmx.vmcs.pointer) vmx.vmcs.use(noPointer)
  return succeeded
}

export const vmptrld = (core: Core, lo: number, hi: number): Status => {
  const { vmx } = core
  const region = regionAt(lo, hi)
  if (region === noPointer) return fail(core, VmInstructionError.VMPTRLD_INVALID_ADDRESS)
  if (region === vmx.vmxonPointer) return fail(core, VmInstructionError.VMPTRLD_VMXON_POINTER)
  if (revisionAt(core.mmu.memory, region) !== revision) return fail(core, VmInstructionError.VMPTRLD_WRONG_REVISION)
  vmx.vmcs.use(region)
  return succeeded
}

/** Whether VMREAD and VMWRITE find a field. */
const checkField = (core: Core, encodingLow: number, encodingHigh: number): Status => {
  if (core.vmx.vmcs.pointer === noPointer) return invalid
  return encodingHigh === 0 && hasField(encodingLow) ? succeeded : fail(core, VmInstructionError.UNSUPPORTED_COMPONENT)
}

export const vmwrite = (core: Core, encodingLow: number, encodingHigh: number, lo: number, hi: number): Status => {
  const status = checkField(core, encodingLow, encodingHigh)
  if (status !== succeeded) return status
  if (isReadOnly(encodingLow)) return fail(core, VmInstructionError.VMWRITE_READ_ONLY)
  core.vmx.vmcs.write(encodingLow, lo, hi)
  return succeeded
}

export const inveptType = { single: 1, all: 2 } as const

export const invept = (core: Core, type: number, lo: number, hi: number): Status => {
  if (type !== inveptType.single && type !== inveptType.all)
    return fail(core, VmInstructionError.INVALID_OPERAND_TO_INVEPT_INVVPID)
  if (type === inveptType.single && !isEptPointer(lo, hi))
    return fail(core, VmInstructionError.INVALID_OPERAND_TO_INVEPT_INVVPID)
  core.mmu.tlb.flushOwners(core.vmx.forgetEpt(type === inveptType.single ? [lo, hi] : undefined))
  return succeeded
}

export const invvpidType = { address: 0, single: 1, all: 2, singleButGlobals: 3 } as const

export const invvpid = (core: Core, type: number, vpid: number, lo: number, hi: number): Status => {
  const { tlb } = core.mmu
  const error = VmInstructionError.INVALID_OPERAND_TO_INVEPT_INVVPID
  if (type < 0 || type > 3) return fail(core, error)
  if (type !== invvpidType.all && vpid === 0) return fail(core, error)
  if (type === invvpidType.address && !isCanonical(hi, widest)) return fail(core, error)
  switch (type) {
    case invvpidType.address:
      tlb.invalidateEverywhere(vpid, lo, hi)
      break
    case invvpidType.single:
      tlb.flushAll(vpid)
      break
    case invvpidType.singleButGlobals:
      tlb.flushLocal(vpid)
      break
    default:
      for (const each of core.vmx.vpids()) if (each !== 0) tlb.flushAll(each)
  }
  return succeeded
}

// ---- as instructions

/**
 * What all but VMXON begin with. "#UD if not in VMX operation, CR0.PE = 0, RFLAGS.VM = 1, or IA32_EFER.LMA = 1 and CS.L = 0"; a guest's is a
 * VM exit, at any privilege; "#GP(0) if the current privilege level is not 0".
 */
const check = (core: Core, reason: number): void => {
  if (!core.vmx.isOn) core.raise(vector.UD)
  checkMode(core)
  if (core.vmx.isGuest) interceptWithOperands(core, reason)
  if (core.privilege !== 0) core.raise(vector.GP)
}

const checkMode = (core: Core): void => {
  const { mode } = core
  if (!isProtected(mode) || isVirtual8086(mode) || (core.isLongActive && mode.bits !== 64)) core.raise(vector.UD)
}

const input = (core: Core, n: number): readonly [lo: number, hi: number] => [
  core.low(at.inputs + n * 8),
  core.high(at.inputs + n * 8)
]
/** 64 bits of memory at the address that is input `n`. */
const quadword = (core: Core, n: number): readonly [lo: number, hi: number] =>
  core.wordAt(core.read(...input(core, n), 64), 64)

const onRegion =
  (reason: number, act: (core: Core, lo: number, hi: number) => Status) =>
  (core: Core): void => {
    check(core, reason)
    answer(core, act(core, ...quadword(core, 0)))
  }

/** A descriptor of 128 bits, and a type in a register. */
const onDescriptor =
  (reason: number, act: (core: Core, type: number, words: readonly [number, number, number, number]) => Status) =>
  (core: Core): void => {
    check(core, reason)
    const [typeLow, typeHigh] = input(core, 0)
    const host = core.read(...input(core, 1), 128)
    const word = (n: number) => core.view.getInt32(host + 4 * n, true)
    answer(core, act(core, typeHigh === 0 ? typeLow : -1, [word(0), word(1), word(2), word(3)]))
  }

/** VMREAD of the field whose encoding is input 0; `give` is called if there is one. */
const read =
  (give: (core: Core, lo: number, hi: number) => void) =>
  (core: Core): void => {
    check(core, ExitReason.VMREAD)
    const encoding = input(core, 0)
    const status = checkField(core, ...encoding)
    if (status === succeeded) give(core, core.vmx.vmcs.readLow(encoding[0]), core.vmx.vmcs.readHigh(encoding[0]))
    answer(core, status)
  }

const operandWidth = (core: Core): 32 | 64 => (core.mode.bits === 64 ? 64 : 32)

const enter = (core: Core, reason: number, isLaunch: boolean): void => {
  check(core, reason)
  const status = enterGuest(core, isLaunch)
  if (status === undefined) return
  answer(core, status < 0 ? status : fail(core, status))
}

export const vmxInstructions = {
  vmxon: (core: Core): void => {
    if (!(core.low(at.cr4) & CR4.VMXE)) core.raise(vector.UD)
    checkMode(core)
    if (core.vmx.isGuest) interceptWithOperands(core, ExitReason.VMXON)
    if (core.privilege !== 0) core.raise(vector.GP)
    answer(core, vmxon(core, ...quadword(core, 0)))
  },
  vmxoff: (core: Core): void => {
    check(core, ExitReason.VMXOFF)
    answer(core, vmxoff(core))
  },
  // A guest's is an exit in every mode: "ELSIF in VMX non-root operation THEN VM exit" comes first.
  vmcall: (core: Core): void => {
    if (core.vmx.isGuest) core.vmx.intercept(ExitReason.VMCALL)
    check(core, ExitReason.VMCALL)
    answer(core, fail(core, VmInstructionError.VMCALL_IN_VMX_ROOT))
  },
  vmlaunch: (core: Core): void => enter(core, ExitReason.VMLAUNCH, true),
  vmresume: (core: Core): void => enter(core, ExitReason.VMRESUME, false),
  vmclear: onRegion(ExitReason.VMCLEAR, vmclear),
  vmptrld: onRegion(ExitReason.VMPTRLD, vmptrld),
  vmptrst: (core: Core): void => {
    check(core, ExitReason.VMPTRST)
    const { pointer } = core.vmx.vmcs
    core.set(at.bounce, pointer | 0, Math.floor(pointer / 2 ** 32))
    core.write(...input(core, 0), 64)
    answer(core, succeeded)
  },
  vmread: read((core, lo, hi) => core.setRegister(core.low(at.inputs + 8), operandWidth(core), lo, hi)),
  vmreadToMemory: read((core, lo, hi) => {
    core.set(at.bounce, lo, hi)
    core.write(...input(core, 1), operandWidth(core))
  }),
  vmwrite: (core: Core): void => {
    check(core, ExitReason.VMWRITE)
    answer(core, vmwrite(core, ...input(core, 0), ...input(core, 1)))
  },
  vmwriteFromMemory: (core: Core): void => {
    check(core, ExitReason.VMWRITE)
    const width = operandWidth(core)
    answer(core, vmwrite(core, ...input(core, 0), ...core.wordAt(core.read(...input(core, 1), width), width)))
  },
  invept: onDescriptor(ExitReason.INVEPT, (core, type, [lo, hi]) => invept(core, type, lo, hi)),
  invvpid: onDescriptor(ExitReason.INVVPID, (core, type, [vpid, reserved, lo, hi]) =>
    vpid >>> 16 === 0 && reserved === 0
      ? invvpid(core, type, vpid, lo, hi)
      : fail(core, VmInstructionError.INVALID_OPERAND_TO_INVEPT_INVVPID)
  )
} as const
