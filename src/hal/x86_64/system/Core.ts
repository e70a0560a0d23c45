/**
 * Core: one processor's registers and what is wired to it, for the operations of this folder.
 */
import type { Bus } from "../../../devices/Bus.ts"
import type { LocalApic } from "../../../devices/localApic.ts"
import { PinBased } from "../../../types/x86_64/VmxControls.ts"
import type { Clock } from "../Clock.ts"
import { fault, inStack, isCanonical, raised, widest } from "../memory/Access.ts"
import type { Mmu } from "../memory/Mmu.ts"
import type { Rules } from "../memory/paging.ts"
import { type AccessMode, mode } from "../memory/Tlb.ts"
import { explicit, ruleNumber } from "../processor/flags.ts"
import type { Mode, Privilege } from "../processor/Meaning.ts"
import { at, isLong, modeNumber, modeOf, segment, segments } from "../processor/State.ts"
import { isFlat, setBounds } from "../processor/segmentation.ts"
import type { Source } from "../vmx/events.ts"
import { Vmx } from "../vmx/Vmx.ts"
import { msrAt } from "./msr.ts"
import { CR0, CR4, EFER, nmi, RFLAGS, system, vector } from "./registers.ts"

/** What an operation asks of whoever runs the processor. */
export interface Surroundings {
  /** How many processors there are. */
  readonly processors: number
  /** PAUSE: what runs waits for another processor to do something. */
  readonly pause: () => void
  /** Of random numbers. */
  readonly seed: number
  /** The status flags, at their places in RFLAGS. */
  readonly status: () => number
  /** The gate instruction was executed: it is honoured, or #UD. */
  readonly gate: (number: number) => void
  /** Stores to this physical page are watched from now on, for MWAIT; undefined: none are. */
  readonly monitor: (page: number | undefined) => void
  /** Nothing is done until a store to the watched page, or an interrupt: one that is masked too, if that is said. */
  readonly wait: (breaksIfMasked: boolean) => void
  /** Go to the handler of this vector in place of the next instruction. */
  readonly interrupt: (vector: number, source: Source) => void
  /** Something has happened that a processor which waits goes on for. */
  readonly noticed: () => void
  /** The processor cannot go on. */
  readonly shutdown: (why: string) => void
  /** It goes to a handler. Whoever hears of it changes nothing. */
  readonly delivered?: (vector: number, errorCode: number, source: Source) => void
}

/** The numbers of 64-bit mode, by privilege: with linear addresses of 48 bits, and of 57. */
const longModes = ([0, 1, 2, 3] as const).map((privilege) => modeNumber({ bits: 64, privilege }))
const wideModes = ([0, 1, 2, 3] as const).map((privilege) => modeNumber({ bits: 64, privilege, isWide: true }))

export class Core {
  readonly mmu: Mmu
  readonly clock: Clock
  readonly bus: Bus
  readonly apic: LocalApic
  readonly surroundings: Surroundings
  readonly i32: Int32Array
  readonly view: DataView
  readonly vmx: Vmx

  constructor(mmu: Mmu, clock: Clock, bus: Bus, apic: LocalApic, surroundings: Surroundings) {
    this.mmu = mmu
    this.clock = clock
    this.bus = bus
    this.apic = apic
    this.surroundings = surroundings
    this.i32 = mmu.memory.i32
    this.view = mmu.memory.view
    this.vmx = new Vmx(mmu.memory, mmu.room.guestPhysical)
  }

  // ---- words of the state block

  low(offset: number): number {
    return this.i32[offset >>> 2]!
  }

  high(offset: number): number {
    return this.i32[(offset + 4) >>> 2]!
  }

  set(offset: number, lo: number, hi: number): void {
    this.i32[offset >>> 2] = lo
    this.i32[(offset + 4) >>> 2] = hi
  }

  copy(from: number, to: number): void {
    this.set(to, this.low(from), this.high(from))
  }

  /** A general register, written as an instruction does: 32 bits clear the upper half, 8 and 16 leave the rest. */
  setRegister(number: number, width: number, lo: number, hi: number): void {
    const offset = at.general + number * 8
    if (width === 64) this.set(offset, lo, hi)
    else if (width === 32) this.set(offset, lo, 0)
    else if (width === 16) this.view.setUint16(offset, lo & 0xffff, true)
    else this.view.setUint8(offset, lo & 0xff)
  }

  /** RSP, ESP or SP, as wide as the stack is. */
  setStackPointer(lo: number, hi: number): void {
    const { mode } = this
    this.setRegister(4, mode.bits === 64 ? 64 : mode.stack, lo, hi)
  }

  // ---- exceptions

  raise(vector: number, errorCode = 0): never {
    this.i32[at.vector >> 2] = vector
    this.i32[at.errorCode >> 2] = errorCode
    throw raised
  }

  /** #GP(0) unless the address is canonical. */
  checkCanonical(hi: number): void {
    if (!this.isCanonical(hi)) this.raise(vector.GP)
  }

  /** As linear addresses are now: with 57 bits if CR4.LA57 = 1. */
  isCanonical(hi: number): boolean {
    return isCanonical(hi, this.low(at.cr4) & CR4.LA57 ? 57 : 48)
  }

  /** The same of what may be loaded before CR4.LA57 is set: bases of segments and tables, and registers of the model. */
  checkWidest(hi: number): void {
    if (!isCanonical(hi, widest)) this.raise(vector.GP)
  }

  // ---- privilege

  get privilege(): Privilege {
    return (this.i32[at.mode >> 2]! & 3) as Privilege
  }

  /** CS says how to decode and with what privilege; with RFLAGS.AC and CR4.SMAP, which translations are in force. */
  enterMode(bits: Mode["bits"], privilege: Privilege): void {
    this.noteMode(bits, privilege)
    this.accessModeChanged()
  }

  private noteMode(bits: Mode["bits"], privilege: Privilege): void {
    if (bits === 64) {
      const isWide = (this.low(at.cr4) & CR4.LA57) !== 0
      this.i32[at.mode >> 2] = (isWide ? wideModes : longModes)[privilege]!
    } else {
      for (let of = 0; of <= segments.gs; of++) setBounds(this.view, of)
      this.noteLegacyMode(bits, privilege)
    }
  }

  private noteLegacyMode(bits: 16 | 32, privilege: Privilege): void {
    const [stack, isProtected] = [this.stackWidth(), this.isProtected()]
    this.i32[at.mode >> 2] = modeNumber({ bits, privilege, stack, isProtected, isFlat: isFlat(this.view) })
  }

  /** CR0 has another PE or PG: what CS says of code may be something else now. */
  modeChanged(): void {
    this.enterMode(this.codeSize(this.segmentAccess(segments.cs)), this.privilege)
  }

  /** What a code segment with these access rights holds: L counts in IA-32e mode alone. */
  codeSize(access: number): Mode["bits"] {
    return this.isLongActive && access & 0x2000 ? 64 : access & 0x4000 ? 32 : 16
  }

  /** IA-32e mode is active: 64-bit or compatibility mode. */
  get isLongActive(): boolean {
    return (this.low(msrAt.IA32_EFER) & EFER.LMA) !== 0
  }

  /** SS.B. */
  private stackWidth(): 16 | 32 {
    return this.segmentAccess(segments.ss) & 0x4000 ? 32 : 16
  }

  private isProtected(): boolean {
    return (this.low(at.cr0) & CR0.PE) !== 0 && (this.low(at.rflags) & RFLAGS.VM) === 0
  }

  get mode(): Mode {
    return modeOf(this.i32[at.mode >> 2]!)
  }

  accessModeChanged(): void {
    this.mmu.setMode(this.accessMode)
  }

  /** How what runs reaches memory. */
  get accessMode(): AccessMode {
    return this.privilege === 3 ? this.userMode() : this.supervisorMode()
  }

  private userMode(): AccessMode {
    const isAligned = (this.i32[at.rflags >> 2]! & RFLAGS.AC) !== 0 && (this.i32[at.cr0 >> 2]! & CR0.AM) !== 0
    return isAligned ? mode.aligned : mode.user
  }

  /** How the supervisor reaches memory, as RFLAGS.AC says. */
  supervisorMode(): AccessMode {
    const isOpen = (this.i32[at.rflags >> 2]! & RFLAGS.AC) !== 0 && (this.i32[at.cr4 >> 2]! & CR4.SMAP) !== 0
    return isOpen ? mode.open : mode.supervisor
  }

  /** Control registers or IA32_EFER say something else about paging. */
  rulesChanged(efer: number): void {
    this.mmu.setRules(this.rules(efer))
    this.keysChanged()
    this.accessModeChanged()
  }

  /** What control registers and IA32_EFER say about paging. */
  rules(efer: number): Rules {
    const [cr0, cr4] = [this.low(at.cr0), this.low(at.cr4)]
    return {
      WP: (cr0 & CR0.WP) !== 0,
      SMEP: (cr4 & CR4.SMEP) !== 0,
      SMAP: (cr4 & CR4.SMAP) !== 0,
      NXE: (efer & EFER.NXE) !== 0,
      PKE: (cr4 & CR4.PKE) !== 0,
      PKS: (cr4 & CR4.PKS) !== 0
    }
  }

  /** PKRU or IA32_PKRS says something else about protection keys. */
  keysChanged(): void {
    this.mmu.setKeys(this.low(at.pkru), this.low(msrAt.IA32_PKRS))
  }

  // ---- RFLAGS

  /** All of it, RF as the instruction that runs finds it. */
  rflags(): number {
    return this.i32[at.rflags >> 2]! | this.status() | (this.isResuming() ? RFLAGS.RF : 0)
  }

  /** The status flags, which after a system call or an interrupt are just what was put there. */
  private status(): number {
    return this.i32[at.flagRule >> 2]! <= explicitRule ? this.i32[at.flagInput >> 2]! : this.surroundings.status()
  }

  setRflags(value: number): void {
    const old = this.i32[at.rflags >> 2]!
    this.i32[at.rflags >> 2] = (value & ~(RFLAGS.status | RFLAGS.RF)) | RFLAGS.one
    this.setStatus(value)
    if (value & RFLAGS.RF) this.view.setFloat64(system.resume, this.clock.now(), true)
    if ((old ^ value) & RFLAGS.AC) this.accessModeChanged()
  }

  /** The same, where another access mode is put in force anyway. */
  loadFlags(value: number): void {
    this.i32[at.rflags >> 2] = (value & ~(RFLAGS.status | RFLAGS.RF)) | RFLAGS.one
    this.setStatus(value)
    if (value & RFLAGS.RF) this.view.setFloat64(system.resume, this.clock.now(), true)
  }

  setStatus(value: number): void {
    this.i32[at.flagRule >> 2] = explicitRule
    this.set(at.flagInput, value & RFLAGS.status, 0)
  }

  /** RFLAGS.RF: "the processor clears the RF flag after the instruction that follows". */
  isResuming(): boolean {
    return this.view.getFloat64(system.resume, true) === this.clock.now()
  }

  /** No interrupt between this instruction and the next: `shadowOf` says because of which. */
  castShadow(by: number): void {
    this.i32[system.shadowBy >> 2] = by
    this.view.setFloat64(system.shadow, this.clock.now(), true)
  }

  /** The instruction whose operation is under way, and is counted, came between two that no interrupt goes between. */
  cameInShadow(): boolean {
    return this.view.getFloat64(system.shadow, true) === this.clock.now() - 1
  }

  inShadow(): boolean {
    return this.view.getFloat64(system.shadow, true) === this.clock.now()
  }

  /**
   * IRET ends the blocking of NMIs. SDM vol. 3C, "Changes to Instruction Behavior in VMX Non-Root Operation": of virtual ones, if there are any;
   * of none, if those from outside leave the guest.
   */
  unblockNmis(): void {
    const { pinBased, isGuest } = this.vmx
    const ends = !isGuest || !(pinBased & PinBased.NMI_EXITING) ? nmi.blocked | nmi.virtualBlocked : nmi.virtualBlocked
    this.i32[system.nmiBlocked >> 2]! &= ~ends
    this.vmx.isUnblocking = false
  }

  /** IRET begins. "It unblocks NMIs even if the instruction causes a fault": if that leaves a guest, it says so. */
  beginInterruptReturn(): void {
    const { pinBased, isGuest } = this.vmx
    const blocking = pinBased & PinBased.VIRTUAL_NMIS ? nmi.virtualBlocked : nmi.blocked
    const wasBlocked = isGuest && (this.i32[system.nmiBlocked >> 2]! & blocking) !== 0
    this.unblockNmis()
    this.vmx.isUnblocking = wasBlocked
  }

  // ---- segments

  selector(of: number): number {
    return this.view.getUint16(at.segment + of * segment.bytes + segment.selector, true)
  }

  segmentAccess(of: number): number {
    return this.view.getUint16(at.segment + of * segment.bytes + segment.access, true)
  }

  segmentLimit(of: number): number {
    return this.view.getUint32(at.segment + of * segment.bytes + segment.limit, true)
  }

  segmentBase(of: number): number {
    return of === segments.fs
      ? at.fsBase
      : of === segments.gs
        ? at.gsBase
        : at.segment + of * segment.bytes + segment.base
  }

  setSegment(of: number, selector: number, access: number, limit: number, baseLow: number, baseHigh: number): void {
    this.putSegment(of, selector, access, limit, baseLow, baseHigh)
    if (isLong(this.i32[at.mode >> 2]!) || of > segments.gs) return
    const { mode } = this
    setBounds(this.view, of)
    if (mode.bits !== 64) this.noteLegacyMode(mode.bits, mode.privilege)
  }

  /** The same where the mode is entered afterwards. */
  putSegment(of: number, selector: number, access: number, limit: number, baseLow: number, baseHigh: number): void {
    const offset = at.segment + of * segment.bytes
    this.view.setUint16(offset + segment.selector, selector, true)
    this.view.setUint16(offset + segment.access, access, true)
    this.view.setUint32(offset + segment.limit, limit, true)
    this.set(this.segmentBase(of), baseLow, baseHigh)
  }

  // ---- memory

  /** The host address of what an instruction reads. @throws `raised` */
  read(lo: number, hi: number, width: number): number {
    return this.accessible(this.mmu.read(lo, hi, width))
  }

  /** The bytes in `at.bounce` are written. @throws `raised` */
  write(lo: number, hi: number, width: number): void {
    this.accessible(this.mmu.write(lo, hi, width))
  }

  /**
   * What the processor reads of its own tables, `by` bytes after the address at `base`, whatever its privilege.
   * @throws `raised`
   */
  readTable(base: number, by: number, width: number): number {
    const lo = this.low(base)
    return this.accessible(this.mmu.readAs(mode.supervisor, lowOf(lo, by), highOf(lo, this.high(base), by), width))
  }

  writeTable(base: number, by: number, width: number): void {
    const lo = this.low(base)
    this.accessible(this.mmu.writeAs(mode.supervisor, lowOf(lo, by), highOf(lo, this.high(base), by), width))
  }

  /** The bytes in `at.bounce` are written, as `from` may. @throws `raised` */
  writeAs(from: AccessMode, lo: number, hi: number, width: number): void {
    this.accessible(this.mmu.writeAs(from, lo, hi, width))
  }

  /** The word `by` bytes above the address in a general register that points into the stack. @throws `raised` */
  readStack(register: number, by: number, width: number): number {
    const lo = this.low(register)
    return this.read(lowOf(lo, by), highOf(lo, this.high(register), by), width | inStack)
  }

  writeStack(register: number, by: number, width: number): void {
    const lo = this.low(register)
    this.write(lowOf(lo, by), highOf(lo, this.high(register), by), width | inStack)
  }

  /** The halves of a word of 16, 32 or 64 bits in host memory. */
  wordAt(host: number, width: number): readonly [lo: number, hi: number] {
    const lo = width === 16 ? this.view.getUint16(host, true) : this.view.getInt32(host, true)
    return [lo, width === 64 ? this.view.getInt32(host + 4, true) : 0]
  }

  /** The address in RAM of a table that the processor reads by its physical address: a guest's leads through EPT. @throws `raised` */
  physicalTable(address: number): number {
    return this.accessible(this.mmu.physicalEntry(address))
  }

  private accessible(host: number): number {
    if (host === fault) throw raised
    return host
  }
}

/**
 * The rule whose input is the status flags themselves. It is the first: its numbers, for the four widths, are 0 to 3.
 */
const explicitRule = ruleNumber(explicit, 64)

/** The halves of an address and `by`, which may be negative. */
export const lowOf = (lo: number, by: number): number => (lo + by) | 0
export const highOf = (lo: number, hi: number, by: number): number => (hi + Math.floor(((lo >>> 0) + by) / 2 ** 32)) | 0
