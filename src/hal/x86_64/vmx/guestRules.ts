/**
 * SDM vol. 3C, "Checking and Loading Guest State", "Checks on the Guest State Area": broken, the VM entry ends in a VM exit with reason 33 and bit
 * 31, and an exit qualification of 0, unless the rule has another.
 */
import {
  ActivityState,
  EntryControl,
  Interruptibility,
  InterruptionType,
  PinBased,
  Secondary
} from "../../../types/x86_64/VmxControls.ts"
import { isCanonical, widest } from "../memory/Access.ts"
import { BTF, isPat } from "../system/msr.ts"
import { CR0, CR4, EFER, RFLAGS, vector } from "../system/registers.ts"
import { areCr0Bits, areCr4Bits, isCr0 } from "./fixedBits.ts"
import { askedAgain, hasSecondary, isPhysical, type Rule } from "./rules.ts"
import { place, regionBytes, revisionAt, type Vmcs } from "./Vmcs.ts"

/** "Exit Qualification" of an entry failure: 2, a PDPTE; 3, an NMI into blocking by STI; 4, the VMCS link pointer. */
export interface GuestRule extends Rule {
  readonly qualification?: 2 | 3 | 4
}

const entry = (vmcs: Vmcs, bit: number): boolean => vmcs.has(place.ENTRY_CONTROLS, bit)
const isLong = (vmcs: Vmcs): boolean => entry(vmcs, EntryControl.IA32E_MODE_GUEST)
const isUnrestricted = (vmcs: Vmcs): boolean => hasSecondary(vmcs, Secondary.UNRESTRICTED_GUEST)
const cr0 = (vmcs: Vmcs, bit: number): boolean => vmcs.has(place.GUEST_CR0, bit)
const isVirtual8086 = (vmcs: Vmcs): boolean => vmcs.has(place.GUEST_RFLAGS, RFLAGS.VM)
const isCanonicalAt = (vmcs: Vmcs, of: number): boolean => isCanonical(vmcs.high(of), widest)
const implies = (a: boolean, b: boolean): boolean => !a || b

// ---- segments

/** Where the parts of a segment register are. */
interface Segment {
  readonly selector: number
  readonly base: number
  readonly limit: number
  readonly rights: number
}

const segmentAt = (name: "ES" | "CS" | "SS" | "DS" | "FS" | "GS" | "LDTR" | "TR"): Segment => ({
  selector: place[`GUEST_${name}_SELECTOR`],
  base: place[`GUEST_${name}_BASE`],
  limit: place[`GUEST_${name}_LIMIT`],
  rights: place[`GUEST_${name}_ACCESS_RIGHTS`]
})

const [CS, SS, DS, ES] = [segmentAt("CS"), segmentAt("SS"), segmentAt("DS"), segmentAt("ES")]
const [FS, GS, LDTR, TR] = [segmentAt("FS"), segmentAt("GS"), segmentAt("LDTR"), segmentAt("TR")]
const data = [DS, ES, FS, GS] as const
const stackAndData = [SS, ...data] as const
const codeAndData = [CS, ...stackAndData] as const

const selector = (vmcs: Vmcs, of: Segment): number => vmcs.low(of.selector)
const limit = (vmcs: Vmcs, of: Segment): number => vmcs.low(of.limit) >>> 0
const rights = (vmcs: Vmcs, of: Segment): number => vmcs.low(of.rights)

/** Access rights. SDM vol. 3C, table "Format of Access Rights". */
const has = { S: 1 << 4, P: 1 << 7, L: 1 << 13, DB: 1 << 14, G: 1 << 15, unusable: 1 << 16 } as const
const isUsable = (vmcs: Vmcs, of: Segment): boolean => (rights(vmcs, of) & has.unusable) === 0
const typeOf = (vmcs: Vmcs, of: Segment): number => rights(vmcs, of) & 15
const dpl = (vmcs: Vmcs, of: Segment): number => (rights(vmcs, of) >>> 5) & 3
const rpl = (vmcs: Vmcs, of: Segment): number => selector(vmcs, of) & 3
const reservedRights = 0xfffe_0f00 | 0

/** "If any bit in the limit field in the range 11:0 is 0, G must be 0. If any in the range 31:20 is 1, G must be 1." */
const isGranular = (vmcs: Vmcs, of: Segment): boolean => {
  const isBig = (rights(vmcs, of) & has.G) !== 0
  if ((limit(vmcs, of) & 0xfff) !== 0xfff && isBig) return false
  return limit(vmcs, of) < 2 ** 20 || isBig
}

/** Virtual-8086 mode: base, limit and access rights follow from the selector. */
const isOfVirtual8086 = (vmcs: Vmcs, of: Segment): boolean =>
  vmcs.low(of.base) >>> 0 === selector(vmcs, of) << 4 &&
  vmcs.high(of.base) === 0 &&
  limit(vmcs, of) === 0xffff &&
  rights(vmcs, of) === 0xf3

const codeTypes = [9, 11, 13, 15]

/** CS.DPL, by its type. */
const isCodePrivilege = (vmcs: Vmcs): boolean => {
  switch (typeOf(vmcs, CS)) {
    case 3:
      return dpl(vmcs, CS) === 0
    case 9:
    case 11:
      return dpl(vmcs, CS) === dpl(vmcs, SS)
    default:
      return dpl(vmcs, CS) <= dpl(vmcs, SS)
  }
}

const isStackPrivilege = (vmcs: Vmcs): boolean => {
  if (!isUnrestricted(vmcs) && dpl(vmcs, SS) !== rpl(vmcs, SS)) return false
  return implies(typeOf(vmcs, CS) === 3 || !cr0(vmcs, CR0.PE), dpl(vmcs, SS) === 0)
}

/** Data: accessed, and readable if it is code. */
const isDataType = (vmcs: Vmcs, of: Segment): boolean =>
  (typeOf(vmcs, of) & 1) !== 0 && implies((typeOf(vmcs, of) & 8) !== 0, (typeOf(vmcs, of) & 2) !== 0)

const isDataPrivilege = (vmcs: Vmcs, of: Segment): boolean =>
  isUnrestricted(vmcs) || typeOf(vmcs, of) > 11 || dpl(vmcs, of) >= rpl(vmcs, of)

/** What holds of a register that is usable, outside of virtual-8086 mode. */
const ofEach = (of: readonly Segment[], says: string, isKept: (vmcs: Vmcs, of: Segment) => boolean): Rule => ({
  says,
  isKept: (v) => isVirtual8086(v) || of.every((name) => !isUsable(v, name) || isKept(v, name))
})
const ofCode = (says: string, isKept: (vmcs: Vmcs) => boolean): Rule => ({
  says,
  isKept: (v) => isVirtual8086(v) || isKept(v)
})

// biome-ignore format: a rule, a line or two
const segmentRules: readonly GuestRule[] = [
  { says: "TR's selector has TI = 0", isKept: (v) => (selector(v, TR) & 4) === 0 },
  { says: "LDTR's selector has TI = 0, if it is usable", isKept: (v) => !isUsable(v, LDTR) || (selector(v, LDTR) & 4) === 0 },
  { says: "the RPL of SS is the RPL of CS",
    isKept: (v) => isVirtual8086(v) || isUnrestricted(v) || rpl(v, SS) === rpl(v, CS) },
  { says: "the bases of TR, FS and GS are canonical, and that of LDTR if it is usable",
    isKept: (v) => [TR, FS, GS].every((of) => isCanonicalAt(v, of.base)) && (!isUsable(v, LDTR) || isCanonicalAt(v, LDTR.base)) },
  { says: "bits 63:32 of the base of CS are 0, and of those of SS, DS and ES if they are usable",
    isKept: (v) => [CS, SS, DS, ES].every((of) => (of !== CS && !isUsable(v, of)) || v.high(of.base) === 0) },
  { says: "in virtual-8086 mode, the segments are what their selectors make of them",
    isKept: (v) => !isVirtual8086(v) || codeAndData.every((of) => isOfVirtual8086(v, of)) },
  ofCode("the type of CS is 9, 11, 13 or 15, or 3 for an unrestricted guest", (v) => codeTypes.includes(typeOf(v, CS)) || (isUnrestricted(v) && typeOf(v, CS) === 3)),
  ofEach([SS], "the type of SS is 3 or 7", (v) => typeOf(v, SS) === 3 || typeOf(v, SS) === 7),
  ofEach(data, "the types of DS, ES, FS and GS are accessed, and readable", isDataType),
  ofCode("CS is code or data", (v) => (rights(v, CS) & has.S) !== 0),
  ofEach(stackAndData, "SS, DS, ES, FS and GS are code or data", (v, of) => (rights(v, of) & has.S) !== 0),
  ofCode("the DPL of CS goes with its type and with that of SS", isCodePrivilege),
  ofCode("the DPL of SS is its RPL, and 0 in real-address mode", isStackPrivilege),
  ofEach(data, "the DPL of DS, ES, FS and GS is not below their RPL", isDataPrivilege),
  ofCode("CS is present", (v) => (rights(v, CS) & has.P) !== 0),
  ofEach(stackAndData, "SS, DS, ES, FS and GS are present", (v, of) => (rights(v, of) & has.P) !== 0),
  ofCode("reserved bits in the access rights of CS are 0", (v) => (rights(v, CS) & reservedRights) === 0),
  ofEach(stackAndData, "reserved bits in the access rights of SS, DS, ES, FS and GS are 0", (v, of) => (rights(v, of) & reservedRights) === 0),
  ofCode("CS.D/B is 0 if CS.L is 1 in IA-32e mode", (v) => !isLong(v) || (rights(v, CS) & (has.L | has.DB)) !== (has.L | has.DB)),
  ofCode("the granularity of CS goes with its limit", (v) => isGranular(v, CS)),
  ofEach(stackAndData, "the granularity of SS, DS, ES, FS and GS goes with their limits", isGranular),
  { says: "TR is a busy TSS, of 32 or 64 bits in IA-32e mode",
    isKept: (v) => typeOf(v, TR) === 11 || (!isLong(v) && typeOf(v, TR) === 3) },
  { says: "TR is a system segment that is present and usable, its reserved bits are 0, and its granularity goes with its limit",
    isKept: (v) => (rights(v, TR) & (has.S | has.P | has.unusable | reservedRights)) === has.P && isGranular(v, TR) },
  { says: "LDTR, if it is usable, is an LDT that is present, its reserved bits are 0, and its granularity goes with its limit",
    isKept: (v) => !isUsable(v, LDTR) || (typeOf(v, LDTR) === 2 && (rights(v, LDTR) & (has.S | has.P | reservedRights)) === has.P && isGranular(v, LDTR)) }
]

// ---- RIP and RFLAGS

const reservedFlags = 0xffc0_8028 | 0
const isRip64 = (vmcs: Vmcs): boolean => isLong(vmcs) && (rights(vmcs, CS) & has.L) !== 0

// ---- non-register state

const activity = (vmcs: Vmcs): number => vmcs.low(place.GUEST_ACTIVITY_STATE)
const blocked = (vmcs: Vmcs, bit: number): boolean => vmcs.has(place.GUEST_INTERRUPTIBILITY_STATE, bit)
const injects = (vmcs: Vmcs, type?: number): boolean => {
  const information = vmcs.low(place.ENTRY_INTERRUPTION_INFORMATION)
  return information < 0 && (type === undefined || ((information >>> 8) & 7) === type)
}
const injected = (vmcs: Vmcs): number => vmcs.low(place.ENTRY_INTERRUPTION_INFORMATION) & 255

/** "If the VM-entry interruption-information field is valid": what an inactive guest may be woken with. */
const isInjectable = (vmcs: Vmcs): boolean => {
  if (!injects(vmcs)) return true
  const is = (type: number) => injects(vmcs, type)
  switch (activity(vmcs)) {
    case ActivityState.HLT:
      return (
        is(InterruptionType.EXTERNAL_INTERRUPT) ||
        is(InterruptionType.NMI) ||
        (is(InterruptionType.HARDWARE_EXCEPTION) && (injected(vmcs) === vector.DB || injected(vmcs) === vector.MC)) ||
        is(InterruptionType.OTHER_EVENT)
      )
    case ActivityState.SHUTDOWN:
      return is(InterruptionType.NMI) || (is(InterruptionType.HARDWARE_EXCEPTION) && injected(vmcs) === vector.MC)
    default:
      return activity(vmcs) === ActivityState.ACTIVE
  }
}

/** "Pending debug exceptions": bits 11:4, 13, 15 and 63:17 are reserved; 12 and 16 are not, but 16 (RTM) is not supported. */
const reservedPending = 0xffff_aff0 | 0
const BS = 1 << 14
/** "If there is blocking by STI or MOV SS, or the activity is HLT": BS is what TF and BTF make of it. */
const isPendingStep = (vmcs: Vmcs): boolean => {
  if (!blocked(vmcs, Interruptibility.BY_STI | Interruptibility.BY_MOV_SS) && activity(vmcs) !== ActivityState.HLT)
    return true
  const steps = vmcs.has(place.GUEST_RFLAGS, RFLAGS.TF) && !vmcs.has(place.GUEST_IA32_DEBUGCTL, BTF)
  return vmcs.has(place.GUEST_PENDING_DEBUG_EXCEPTIONS, BS) === steps
}

const isLinkPointer = (vmcs: Vmcs, memory: Parameters<typeof revisionAt>[0]): boolean => {
  const [lo, hi] = [vmcs.low(place.VMCS_LINK_POINTER), vmcs.high(place.VMCS_LINK_POINTER)]
  if (lo === -1 && hi === -1) return true
  return (
    lo % regionBytes === 0 &&
    isPhysical(hi) &&
    vmcs.address(place.VMCS_LINK_POINTER) !== vmcs.pointer &&
    revisionAt(memory, vmcs.address(place.VMCS_LINK_POINTER)) === revisionOfLink(memory, vmcs)
  )
}
/** "Bits 30:0 of the first doubleword must be the processor's VMCS revision identifier", bit 31 0 without shadowing. */
const revisionOfLink = (memory: Parameters<typeof revisionAt>[0], vmcs: Vmcs): number =>
  revisionAt(memory, vmcs.pointer)

/** Reserved bits of PDPTEs that are present: table "Format of a PAE Page-Directory-Pointer-Table Entry". */
export const arePdptes = (words: (n: number) => readonly [lo: number, hi: number]): boolean =>
  [0, 1, 2, 3].every((n) => {
    const [lo, hi] = words(n)
    return (lo & 1) === 0 || ((lo & 0x1e6) === 0 && isPhysical(hi))
  })

/** The guest pages with PAE, not in IA-32e mode. */
export const usesPdptes = (vmcs: Vmcs): boolean =>
  cr0(vmcs, CR0.PG) && vmcs.has(place.GUEST_CR4, CR4.PAE) && !isLong(vmcs)
export const pdptePlaces = [place.GUEST_PDPTE_0, place.GUEST_PDPTE_1, place.GUEST_PDPTE_2, place.GUEST_PDPTE_3] as const

const pdptesInMemory = (vmcs: Vmcs, load32: (address: number) => number) => {
  const table = (vmcs.low(place.GUEST_CR3) & ~31) >>> 0
  return (n: number): readonly [lo: number, hi: number] => [load32(table + n * 8), load32(table + n * 8 + 4)]
}

const eferBits = EFER.SCE | EFER.LME | EFER.LMA | EFER.NXE

// biome-ignore format: a rule, a line or two
export const guestRules: readonly GuestRule[] = [
  // "Checks on Guest Control Registers, Debug Registers, and MSRs"
  { says: "CR0 must not set any bit to a value not supported in VMX operation",
    isKept: (v) => areCr0Bits(v.low(place.GUEST_CR0), v.high(place.GUEST_CR0), isUnrestricted(v)) },
  { says: "if CR0.PG is 1, CR0.PE must be 1", isKept: (v) => isCr0(v.low(place.GUEST_CR0)) },
  { says: "CR4 must not set any bit to a value not supported in VMX operation",
    isKept: (v) => areCr4Bits(v.low(place.GUEST_CR4), v.high(place.GUEST_CR4)) },
  { says: "bits reserved in IA32_DEBUGCTL must be 0",
    isKept: (v) => !entry(v, EntryControl.LOAD_DEBUG_CONTROLS) || ((v.low(place.GUEST_IA32_DEBUGCTL) & ~BTF) === 0 && v.high(place.GUEST_IA32_DEBUGCTL) === 0) },
  { says: "in IA-32e mode, CR0.PG and CR4.PAE must be 1",
    isKept: (v) => !isLong(v) || (cr0(v, CR0.PG) && v.has(place.GUEST_CR4, CR4.PAE)) },
  { says: "outside of IA-32e mode, CR4.PCIDE must be 0",
    isKept: (v) => isLong(v) || !v.has(place.GUEST_CR4, CR4.PCIDE) },
  ...askedAgain([{ says: "CR3 must not have bits set beyond the physical-address width", isKept: (v) => isPhysical(v.high(place.GUEST_CR3)) }]),
  { says: "bits 63:32 of DR7 must be 0",
    isKept: (v) => !entry(v, EntryControl.LOAD_DEBUG_CONTROLS) || v.high(place.GUEST_DR7) === 0 },
  { says: "IA32_SYSENTER_ESP and IA32_SYSENTER_EIP must be canonical",
    isKept: (v) => isCanonicalAt(v, place.GUEST_IA32_SYSENTER_ESP) && isCanonicalAt(v, place.GUEST_IA32_SYSENTER_EIP) },
  { says: "IA32_PAT must be one that could be written by WRMSR",
    isKept: (v) => !entry(v, EntryControl.LOAD_IA32_PAT) || (isPat(v.low(place.GUEST_IA32_PAT)) && isPat(v.high(place.GUEST_IA32_PAT))) },
  { says: "bits reserved in IA32_EFER must be 0, LMA be the IA-32e mode guest control, and LME the same if CR0.PG is 1",
    isKept: (v) => {
      if (!entry(v, EntryControl.LOAD_IA32_EFER)) return true
      const efer = v.low(place.GUEST_IA32_EFER)
      return v.high(place.GUEST_IA32_EFER) === 0 && (efer & ~eferBits) === 0 &&
        ((efer & EFER.LMA) !== 0) === isLong(v) && implies(cr0(v, CR0.PG), ((efer & EFER.LME) !== 0) === isLong(v))
    } },

  // "Checks on Guest Segment Registers"
  ...segmentRules,

  // "Checks on Guest Descriptor-Table Registers"
  { says: "the bases of GDTR and IDTR must be canonical",
    isKept: (v) => isCanonicalAt(v, place.GUEST_GDTR_BASE) && isCanonicalAt(v, place.GUEST_IDTR_BASE) },
  { says: "bits 31:16 of the limits of GDTR and IDTR must be 0",
    isKept: (v) => v.low(place.GUEST_GDTR_LIMIT) >>> 16 === 0 && v.low(place.GUEST_IDTR_LIMIT) >>> 16 === 0 },

  // "Checks on Guest RIP, RFLAGS, and SSP"
  ...askedAgain([
    { says: "bits 63:32 of RIP must be 0 outside of 64-bit mode", isKept: (v) => isRip64(v) || v.high(place.GUEST_RIP) === 0 },
    { says: "RIP must be canonical in 64-bit mode", isKept: (v) => !isRip64(v) || isCanonicalAt(v, place.GUEST_RIP) },
    { says: "reserved bits 63:22, 15, 5 and 3 of RFLAGS must be 0, and bit 1 be 1",
      isKept: (v) => v.high(place.GUEST_RFLAGS) === 0 && (v.low(place.GUEST_RFLAGS) & reservedFlags) === 0 && v.has(place.GUEST_RFLAGS, RFLAGS.one) }
  ]),
  { says: "RFLAGS.VM must be 0 in IA-32e mode, or if CR0.PE is 0",
    isKept: (v) => implies(isLong(v) || !cr0(v, CR0.PE), !isVirtual8086(v)) },
  { says: "RFLAGS.IF must be 1 if an external interrupt is injected",
    isKept: (v) => implies(injects(v, InterruptionType.EXTERNAL_INTERRUPT), v.has(place.GUEST_RFLAGS, RFLAGS.IF)) },

  // "Checks on Guest Non-Register State"
  { says: "the activity state must be one that is supported", isKept: (v) => activity(v) >>> 0 <= ActivityState.WAIT_FOR_SIPI },
  { says: "the activity state must not be HLT if the DPL of SS is not 0", isKept: (v) => activity(v) !== ActivityState.HLT || dpl(v, SS) === 0 },
  { says: "the activity state must be active if there is blocking by STI or by MOV SS",
    isKept: (v) => !blocked(v, Interruptibility.BY_STI | Interruptibility.BY_MOV_SS) || activity(v) === ActivityState.ACTIVE },
  { says: "an inactive guest is woken by no other event", isKept: isInjectable },
  { says: "reserved bits 31:5 of the interruptibility state must be 0, and so must bit 4, for enclaves",
    isKept: (v) => (v.low(place.GUEST_INTERRUPTIBILITY_STATE) & ~15) === 0 },
  { says: "there must not be blocking both by STI and by MOV SS",
    isKept: (v) => !(blocked(v, Interruptibility.BY_STI) && blocked(v, Interruptibility.BY_MOV_SS)) },
  { says: "there must not be blocking by STI if RFLAGS.IF is 0",
    isKept: (v) => !blocked(v, Interruptibility.BY_STI) || v.has(place.GUEST_RFLAGS, RFLAGS.IF) },
  { says: "an external interrupt must not be injected into blocking by STI or by MOV SS",
    isKept: (v) => !(injects(v, InterruptionType.EXTERNAL_INTERRUPT) && blocked(v, Interruptibility.BY_STI | Interruptibility.BY_MOV_SS)) },
  { says: "an NMI must not be injected into blocking by MOV SS",
    isKept: (v) => !(injects(v, InterruptionType.NMI) && blocked(v, Interruptibility.BY_MOV_SS)) },
  { says: "there must not be blocking by SMI outside SMM", isKept: (v) => !blocked(v, Interruptibility.BY_SMI) },
  { says: "an NMI must not be injected into blocking by STI", qualification: 3,
    isKept: (v) => !(injects(v, InterruptionType.NMI) && blocked(v, Interruptibility.BY_STI)) },
  { says: "a virtual NMI must not be injected into blocking by NMI",
    isKept: (v) => !(v.has(place.PIN_BASED_CONTROLS, PinBased.VIRTUAL_NMIS) && injects(v, InterruptionType.NMI) && blocked(v, Interruptibility.BY_NMI)) },
  { says: "reserved bits of the pending debug exceptions must be 0",
    isKept: (v) => v.high(place.GUEST_PENDING_DEBUG_EXCEPTIONS) === 0 && (v.low(place.GUEST_PENDING_DEBUG_EXCEPTIONS) & reservedPending) === 0 },
  { says: "a single step is pending if and only if RFLAGS.TF is 1 and IA32_DEBUGCTL.BTF is 0, behind blocking by STI or MOV SS, and in HLT",
    isKept: isPendingStep },
  ...askedAgain<GuestRule>([
    { says: "the VMCS link pointer is all ones, or leads to a VMCS that is not the current one", qualification: 4,
      isKept: (v, core) => isLinkPointer(v, core.mmu.memory) },

    // "Checks on Guest Page-Directory-Pointer-Table Entries"
    { says: "of PDPTEs that are present, the reserved bits must be 0", qualification: 2,
      isKept: (v, core) => {
        if (!usesPdptes(v)) return true
        if (hasSecondary(v, Secondary.ENABLE_EPT)) return arePdptes((n) => [v.low(pdptePlaces[n]!), v.high(pdptePlaces[n]!)])
        return arePdptes(pdptesInMemory(v, (address) => core.mmu.memory.load32(address)))
      } }
  ])
]
