/**
 * Control and debug registers. SDM vol. 3A, "Control Registers"; vol. 2A and 2B, "MOV—Move to/from Control
 * Registers", "MOV—Move to/from Debug Registers".
 */
import { type Format, fiveLevel, fourLevel, noPaging, pae, thirtyTwoBit, thirtyTwoBitSmall } from "../memory/paging.ts"
import { at, segments } from "../processor/State.ts"
import { areCr0Bits, areCr4Bits } from "../vmx/fixedBits.ts"
import { arm, BD, GD } from "./breakpoints.ts"
import type { Core } from "./Core.ts"
import { msrAt } from "./msr.ts"
import { CR0, CR4, EFER, system, vector, writableCr4 } from "./registers.ts"

const writableCr0 = CR0.PE | CR0.MP | CR0.EM | CR0.TS | CR0.NE | CR0.WP | CR0.AM | CR0.NW | CR0.CD | CR0.PG
/** A control register by its number, and what the instruction says of one that is not there. */
export const readControl = (core: Core, number: number): readonly [lo: number, hi: number] => {
  switch (number) {
    case 0:
      return [core.low(at.cr0), core.high(at.cr0)]
    case 2:
      return [core.low(at.cr2), core.high(at.cr2)]
    case 3:
      return [core.low(at.cr3), core.high(at.cr3)]
    case 4:
      return [core.low(at.cr4), core.high(at.cr4)]
    case 8:
      return [core.apic.taskPriority >>> 4, 0]
    default:
      return core.raise(vector.UD)
  }
}

export const writeControl = (core: Core, number: number, lo: number, hi: number): void => {
  switch (number) {
    case 0:
      writeCr0(core, lo, hi)
      break
    case 2:
      core.set(at.cr2, lo, hi)
      break
    case 3:
      writeCr3(core, lo, hi)
      break
    case 4:
      writeCr4(core, lo, hi)
      break
    case 8:
      if (hi !== 0 || lo & ~15) core.raise(vector.GP)
      core.apic.setTaskPriority(lo << 4)
      break
    default:
      core.raise(vector.UD)
  }
}

const writeCr0 = (core: Core, lo: number, hi: number): void => {
  const has = (bit: number) => (lo & bit) !== 0
  if (hi !== 0 || (has(CR0.PG) && !has(CR0.PE)) || (has(CR0.NW) && !has(CR0.CD))) core.raise(vector.GP)
  if (core.vmx.isOn && !areCr0Bits(lo, hi, core.vmx.isUnrestricted)) core.raise(vector.GP)
  const old = core.low(at.cr0)
  const changed = old ^ lo
  const value = (lo & writableCr0) | CR0.ET
  // "If a MOV to CR0 would modify CR0.CD or CR0.NW with PAE paging, the PDPTEs are loaded."
  if (!(changed & CR0.PG) && changed & (CR0.CD | CR0.NW) && usesPdptes(core)) loadPdptes(core, core.low(at.cr3))
  if (changed & CR0.PG) switchPaging(core, value)
  core.set(at.cr0, value, 0)
  if (changed & CR0.PG) useTables(core)
  if (changed & (CR0.PE | CR0.PG)) core.modeChanged()
  if ((old ^ lo) & CR0.WP) core.rulesChanged(core.low(msrAt.IA32_EFER))
  if ((old ^ lo) & CR0.AM) core.accessModeChanged()
}

/**
 * CR0.PG changes: with IA32_EFER.LME, IA-32e mode begins or ends. SDM vol. 3A, "Initializing IA-32e Mode"; vol. 2B, "MOV—Move to/from Control
 * Registers", exceptions.
 */
const switchPaging = (core: Core, cr0: number): void => {
  const efer = core.low(msrAt.IA32_EFER)
  const cr4 = core.low(at.cr4)
  if (!(cr0 & CR0.PG)) {
    if (core.mode.bits === 64 || cr4 & CR4.PCIDE) core.raise(vector.GP)
    core.set(msrAt.IA32_EFER, efer & ~EFER.LMA, 0)
    return
  }
  if (efer & EFER.LME) {
    // "If an attempt is made to activate IA-32e mode while the TSS is a 16-bit TSS": bit 3 of its type is 0.
    const isSmallTask = !(core.segmentAccess(segments.tr) & 8)
    if (!(cr4 & CR4.PAE) || core.segmentAccess(segments.cs) & longCode || isSmallTask) core.raise(vector.GP)
    core.set(msrAt.IA32_EFER, efer | EFER.LMA, 0)
  } else if (cr4 & CR4.PAE) loadPdptes(core, core.low(at.cr3))
}
/** L, in the access rights of CS. */
const longCode = 1 << 13

/** How CR0, CR4 and IA32_EFER have addresses translated. */
export const formatOf = (core: Core): Format => {
  const cr4 = core.low(at.cr4)
  if (!(core.low(at.cr0) & CR0.PG)) return noPaging
  if (core.low(msrAt.IA32_EFER) & EFER.LMA) return cr4 & CR4.LA57 ? fiveLevel : fourLevel
  if (cr4 & CR4.PAE) return pae
  return cr4 & CR4.PSE ? thirtyTwoBit : thirtyTwoBitSmall
}

/** Another way to translate may be in force. */
export const useTables = (core: Core): void => {
  const registers = core.i32.subarray(system.pdptes >> 2, (system.pdptes >> 2) + 8)
  core.mmu.setFormat(formatOf(core), registers)
  useRoot(core)
}

/** "MOV to CR3 ... loads the PDPTEs": #GP(0) if one that is present has a reserved bit. Table "Format of a PAE Page-Directory-Pointer-Table Entry". */
const loadPdptes = (core: Core, cr3: number): void => {
  const { memory } = core.mmu
  const table = core.physicalTable((cr3 & ~31) >>> 0)
  const words = Array.from({ length: 8 }, (_, n) => memory.load32(table + n * 4))
  for (const n of [0, 2, 4, 6]) {
    if (words[n]! & 1 && (words[n]! & 0x1e6 || words[n + 1]! & ~physicalHigh)) core.raise(vector.GP)
  }
  core.i32.set(words, system.pdptes >> 2)
}

const usesPdptes = (core: Core): boolean => core.mmu.format === pae

const pcidBits = 0xfff
/** Bit 63 of what is written to CR3, with CR4.PCIDE: translations stay. */
const keep = 0x8000_0000 | 0
const physicalHigh = 0xff // bits 39:32

const writeCr3 = (core: Core, lo: number, hi: number): void => {
  const usesPcid = (core.low(at.cr4) & CR4.PCIDE) !== 0
  const keeps = usesPcid && (hi & keep) !== 0
  const high = keeps ? hi & ~keep : hi
  if (high & ~physicalHigh) core.raise(vector.GP)
  if (usesPdptes(core)) loadPdptes(core, lo)
  core.set(at.cr3, lo, high)
  const pcid = usesPcid ? lo & pcidBits : 0
  if (!keeps) core.mmu.tlb.flush(pcid)
  useRoot(core)
}

/** What a task switch loads, while paging is on. */
export const loadRoot = (core: Core, root: number): void => writeCr3(core, root, 0)

/** The tables that CR3 names are in force. */
export const useRoot = (core: Core): void => {
  const [lo, hi] = [core.low(at.cr3), core.high(at.cr3)]
  const usesPcid = (core.low(at.cr4) & CR4.PCIDE) !== 0
  core.mmu.setRoot(hi * 2 ** 32 + ((lo & ~0xfff) >>> 0), usesPcid ? lo & pcidBits : 0)
}

const writeCr4 = (core: Core, lo: number, hi: number): void => {
  const old = core.low(at.cr4)
  const changed = old ^ lo
  if (hi !== 0 || lo & ~writableCr4 || (core.vmx.isOn && !areCr4Bits(lo, hi))) core.raise(vector.GP)
  const isLongActive = (core.low(msrAt.IA32_EFER) & EFER.LMA) !== 0
  // "CR4.LA57 ... cannot be modified while IA-32e mode is active."
  if ((!(lo & CR4.PAE) || changed & CR4.LA57) && isLongActive) core.raise(vector.GP)
  // "CR4.PCIDE can be changed from 0 to 1 only if CR3[11:0] = 000H and IA32_EFER.LMA = 1."
  if (lo & changed & CR4.PCIDE && (core.low(at.cr3) & pcidBits || !(core.low(msrAt.IA32_EFER) & EFER.LMA)))
    core.raise(vector.GP)
  const isPaging = (core.low(at.cr0) & CR0.PG) !== 0
  if (isPaging && !isLongActive && lo & CR4.PAE && changed & (CR4.PAE | CR4.PGE | CR4.PSE | CR4.SMEP))
    loadPdptes(core, core.low(at.cr3))
  core.set(at.cr4, lo, 0)
  if (changed & (CR4.PAE | CR4.PSE)) useTables(core)
  if (changed & (CR4.PGE | CR4.PCIDE | CR4.SMEP | CR4.SMAP | CR4.PKE | CR4.PKS))
    core.rulesChanged(core.low(msrAt.IA32_EFER))
  if (changed & CR4.PCIDE) useRoot(core)
}

/** The low four bits; PE is not cleared. */
export const loadStatusWord = (core: Core, value: number): void => {
  const old = core.low(at.cr0)
  writeCr0(core, (old & ~0xe) | (value & 0xf), 0)
}

export const clearTaskSwitched = (core: Core): void => {
  core.i32[at.cr0 >> 2]! &= ~CR0.TS
}

// ---- debug registers

/** Bits of DR6 and DR7 that are always 1, and those that software may set. Figure "Debug Registers". */
// biome-ignore format: a register, a line
const debugBits = [
  { number: 6, ones: 0xffff_0ff0 | 0, writable: 0x0000_e00f },
  { number: 7, ones: 0x0000_0400,     writable: 0xffff_2bff | 0 }
] as const

const debugAt = (number: number): number => system.debug + number * 8

/** "MOV DRn with DR4 or DR5: #UD if CR4.DE = 1", else DR6 and DR7. With DR7.GD, any access is #DB first. */
const debugNumber = (core: Core, number: number): number => {
  if (number > 7 || (number === 4 || number === 5 ? core.low(at.cr4) & CR4.DE : 0)) core.raise(vector.UD)
  if (core.low(debugAt(7)) & GD) core.raise(vector.DB, BD)
  return number === 4 || number === 5 ? number + 2 : number
}

export const readDebug = (core: Core, number: number): readonly [lo: number, hi: number] => {
  const offset = debugAt(debugNumber(core, number))
  return [core.low(offset), core.high(offset)]
}

export const writeDebug = (core: Core, number: number, lo: number, hi: number): void => {
  const of = debugNumber(core, number)
  const fixed = debugBits.find((row) => row.number === of)
  if (fixed && hi !== 0) core.raise(vector.GP)
  core.set(debugAt(of), fixed ? (lo & fixed.writable) | fixed.ones : lo, hi)
  if (of !== 6) arm(core)
}

/** DR7 as VM entry and VM exit load it. */
export const setDr7 = (core: Core, value: number): void => {
  const { writable, ones } = debugBits[1]
  const bits = (value & writable) | ones
  if (core.low(debugAt(7)) === bits) return
  core.set(debugAt(7), bits, 0)
  arm(core)
}

export const resetDebug = (core: Core): void => {
  for (const { number, ones } of debugBits) core.set(debugAt(number), ones, 0)
  arm(core)
}

// ---- protection keys

/** RDPKRU, WRPKRU: "#UD if CR4.PKE = 0. #GP(0) if ECX ≠ 0", and of WRPKRU, if EDX is not. */
const checkKeys = (core: Core, ...zeros: readonly number[]): void => {
  if (!(core.low(at.cr4) & CR4.PKE)) core.raise(vector.UD)
  if (zeros.some((number) => core.low(at.general + number * 8) !== 0)) core.raise(vector.GP)
}
const [rax, rcx, rdx] = [0, 1, 2] as const

export const readKeys = (core: Core): void => {
  checkKeys(core, rcx)
  core.setRegister(rax, 32, core.low(at.pkru), 0)
  core.setRegister(rdx, 32, 0, 0)
}

export const writeKeys = (core: Core): void => {
  checkKeys(core, rcx, rdx)
  core.set(at.pkru, core.low(at.general + rax * 8), 0)
  core.keysChanged()
}

// ---- translations

/** INVPCID. SDM vol. 2A, "INVPCID", figure "INVPCID Descriptor". */
export const invalidateByPcid = (core: Core, typeLow: number, typeHigh: number, lo: number, hi: number): void => {
  const host = core.read(lo, hi, 128)
  const [pcid, reserved] = [core.view.getInt32(host, true), core.view.getInt32(host + 4, true)]
  const [addressLow, addressHigh] = [core.view.getInt32(host + 8, true), core.view.getInt32(host + 12, true)]
  if (typeHigh !== 0 || typeLow < 0 || typeLow > 3) core.raise(vector.GP)
  const { tlb } = core.mmu
  if (typeLow < 2) {
    const usesPcid = (core.low(at.cr4) & CR4.PCIDE) !== 0
    if (reserved !== 0 || pcid & ~pcidBits || (pcid !== 0 && !usesPcid)) core.raise(vector.GP)
  }
  switch (typeLow) {
    case 0:
      core.checkWidest(addressHigh)
      tlb.invalidate(pcid, addressLow, addressHigh)
      break
    case 1:
      tlb.flush(pcid)
      break
    case 2:
      tlb.flushAll()
      break
    case 3:
      tlb.flushLocal()
      break
  }
}

export const invalidatePage = (core: Core, lo: number, hi: number): void => {
  const usesPcid = (core.low(at.cr4) & CR4.PCIDE) !== 0
  core.mmu.tlb.invalidate(usesPcid ? core.low(at.cr3) & pcidBits : 0, lo, hi)
}
