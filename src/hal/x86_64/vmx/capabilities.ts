/**
 * What this processor offers of VMX: the controls that may be 1, and the capability MSRs that say so. SDM vol. 3D, Appendix A, "VMX Capability
 * Reporting Facility".
 */
import { EntryControl, ExitControl, PinBased, Primary, Secondary } from "../../../types/x86_64/VmxControls.ts"
import { highestIndex, regionBytes, revision } from "./Vmcs.ts"

type Halves = readonly [lo: number, hi: number]

/** A word of controls: those that may be 1, and those that are always 1, because nothing else was ever offered. */
export interface Controls {
  readonly offered: number
  /** "Default1" controls that cannot be 0, by the MSR without TRUE in its name and by the other. */
  readonly ones: number
  readonly trueOnes: number
}

const all = (controls: Readonly<Record<string, number>>): number =>
  Object.values(controls).reduce((bits, bit) => bits | bit, 0)

export const pinBased: Controls = {
  offered: all(PinBased),
  ones: 0x16,
  trueOnes: 0x16
}

export const primary: Controls = {
  offered: all(Primary),
  ones: 0x0401_e172,
  trueOnes: 0x0400_6172
}

export const secondary: Controls = {
  offered:
    Secondary.VIRTUALIZE_APIC_ACCESSES |
    Secondary.ENABLE_EPT |
    Secondary.DESCRIPTOR_TABLE_EXITING |
    Secondary.ENABLE_RDTSCP |
    Secondary.VIRTUALIZE_X2APIC_MODE |
    Secondary.ENABLE_VPID |
    Secondary.WBINVD_EXITING |
    Secondary.UNRESTRICTED_GUEST |
    Secondary.APIC_REGISTER_VIRTUALIZATION |
    Secondary.VIRTUAL_INTERRUPT_DELIVERY |
    Secondary.PAUSE_LOOP_EXITING |
    Secondary.RDRAND_EXITING |
    Secondary.ENABLE_INVPCID |
    Secondary.RDSEED_EXITING |
    Secondary.ENABLE_XSAVES |
    Secondary.USE_TSC_SCALING,
  ones: 0,
  trueOnes: 0
}

export const exitControls: Controls = {
  offered: all(ExitControl) & ~ExitControl.LOAD_IA32_PERF_GLOBAL_CTRL,
  ones: 0x0003_6dff,
  trueOnes: 0x0003_6dfb
}

export const entryControls: Controls = {
  offered:
    EntryControl.LOAD_DEBUG_CONTROLS |
    EntryControl.IA32E_MODE_GUEST |
    EntryControl.LOAD_IA32_PAT |
    EntryControl.LOAD_IA32_EFER,
  ones: 0x0000_11ff,
  trueOnes: 0x0000_11fb
}

/** Whether a word of controls is what the TRUE capability MSR allows. */
export const isAllowed = ({ offered, trueOnes }: Controls, value: number): boolean =>
  (value & trueOnes) === trueOnes && (value & ~(offered | trueOnes)) === 0

const report = ({ offered, ones }: Controls): Halves => [ones, offered | ones]
const reportTrue = ({ offered, trueOnes }: Controls): Halves => [trueOnes, offered | trueOnes]

/** "VMX-preemption timer-related information": it counts down by 1 whenever this bit of the time-stamp counter changes. */
export const timerRate = 5
export const cr3Targets = 4
/** Longer MSR lists than this are not processed. */
export const mostMsrs = 512

// biome-ignore format: a bit, a line
const basic: Halves = [
  revision,
  regionBytes |
    (6 << 18) |  // 53:50, regions are write-back memory
    (1 << 22) |  // 54, information on INS and OUTS
    (1 << 23)    // 55, the TRUE MSRs
]

// biome-ignore format: a bit, a line
const miscellaneous: Halves = [
  timerRate |
    (1 << 5) |   // a VM exit stores IA32_EFER.LMA into "IA-32e mode guest"
    (1 << 6) |   // activity state HLT
    (1 << 7) |   // activity state shutdown
    (1 << 8) |   // activity state wait-for-SIPI
    (cr3Targets << 16) |
    (1 << 30),   // software events may be injected for an instruction of length 0
  0
]

// biome-ignore format: a bit, a line
const eptAndVpid: Halves = [
  (1 << 0) |     // execute-only translations
    (1 << 6) |   // walks of 4 levels
    (1 << 7) |   // and of 5
    (1 << 8) |   // paging structures may be uncacheable
    (1 << 14) |  // or write-back
    (1 << 16) |  // pages of 2 MBytes
    (1 << 17) |  // and of 1 GByte
    (1 << 20) |  // INVEPT
    (1 << 21) |  // accessed and dirty flags
    (1 << 22) |  // advanced information on EPT violations
    (1 << 25) |  // INVEPT of one context
    (1 << 26),   // and of all
  (1 << 0) |     // INVVPID
    (1 << 8) |   // of an address
    (1 << 9) |   // of one context
    (1 << 10) |  // of all
    (1 << 11)    // of one but for globals
]

/** CR0 and CR4: bits that are 1 in VMX operation, and bits that may be. */
export const cr0Fixed = { ones: 0x8000_0021 | 0, unrestrictedOnes: 0x20 } as const
export const cr4Ones = 1 << 13

/** The MSRs 480H to 48CH. `cr4` is what may be 1 in CR4. */
// biome-ignore format: a register, a line
export const capabilityMsrs = (cr4: number): ReadonlyMap<number, Halves> =>
  new Map<number, Halves>([
    [0x480, basic],
    [0x481, report(pinBased)],
    [0x482, report(primary)],
    [0x483, report(exitControls)],
    [0x484, report(entryControls)],
    [0x485, miscellaneous],
    [0x486, [cr0Fixed.ones, 0]],
    [0x487, [-1, 0]],
    [0x488, [cr4Ones, 0]],
    [0x489, [cr4, 0]],
    [0x48a, [highestIndex << 1, 0]],
    [0x48b, report(secondary)],
    [0x48c, eptAndVpid],
    [0x48d, reportTrue(pinBased)],
    [0x48e, reportTrue(primary)],
    [0x48f, reportTrue(exitControls)],
    [0x490, reportTrue(entryControls)]
  ])
