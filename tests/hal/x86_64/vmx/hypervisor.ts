/** A host in machine code that enters a guest, and finds itself at `HLT` when the guest is left. */

import type { MakeReading } from "../../../../src/hal/x86_64/processor/Reading.ts"
import { at } from "../../../../src/hal/x86_64/processor/State.ts"
import { writeControl } from "../../../../src/hal/x86_64/system/control.ts"
import { readMsr, writeMsr } from "../../../../src/hal/x86_64/system/msr.ts"
import { CR4, system } from "../../../../src/hal/x86_64/system/registers.ts"
import { virtualization } from "../../../../src/hal/x86_64/vmx/service.ts"
import { VmcsField, type VmcsFieldName } from "../../../../src/types/x86_64/VmcsField.ts"
import { EntryControl, ExitControl, Primary, Secondary } from "../../../../src/types/x86_64/VmxControls.ts"
import { Board, gdt, hlt, idt, MiB, stackTop, tss, withTables } from "../board.ts"

/** IA32_FEATURE_CONTROL. */
const featureControl = 0x3a
export const vmxonRegion = 0x5_0000
export const vmcsRegion = 0x5_1000
export const msrBitmaps = 0x5_2000
export const ioBitmapA = 0x5_3000
export const ioBitmapB = 0x5_4000
/** The root of the guest's extended page tables, and where the rest of them are. */
export const eptRoot = 0x5_8000
const eptTables = 0x5_9000

/** The guest's physical memory: 2 MiB from here on. */
export const guestMemory = 2 * MiB
export const guestBytes = 2 * MiB
/** In the guest's physical memory. */
export const guestCode = 0x1_0000
export const guestStack = 0x8_0000
export const guestPml4 = 0x1000

export const vmlaunch = [0x0f, 0x01, 0xc2]
export const vmresume = [0x0f, 0x01, 0xc3]
export const vmcall = [0x0f, 0x01, 0xc1]
export const cpuid = [0x0f, 0xa2]

const hostCode = 0x10_0000
/** Where the host goes on after a VM exit: HLT; VMRESUME; HLT. */
export const hostEntry = hostCode + 0x100

export class Hypervisor {
  readonly board: Board
  readonly vmx: ReturnType<typeof virtualization>
  private isLaunched = false

  constructor(reading?: MakeReading) {
    this.board = new Board(reading, 8 * MiB).identity(0, 2 * MiB)
    this.board.start(...vmlaunch, ...hlt)
    withTables(this.board)
    this.board.put(hostEntry, ...hlt, ...vmresume, ...hlt)
    const { core } = this.board.machine
    writeMsr(core, featureControl, 5, 0)
    writeControl(core, 4, core.low(at.cr4) | CR4.VMXE, 0)
    writeControl(core, 0, core.low(at.cr0) | 0x20, 0)
    this.vmx = virtualization(core)
    for (const region of [vmxonRegion, vmcsRegion]) this.board.put64(region, BigInt(readMsr(core, 0x480)[0]))
    this.vmx.begin(vmxonRegion)
    this.vmx.clear(vmcsRegion)
    this.vmx.load(vmcsRegion)
    this.mapGuest()
    this.writeControls()
    this.writeHost()
  }

  // ---- fields

  set(name: VmcsFieldName, value: number | bigint): this {
    const word = BigInt.asUintN(64, BigInt(value))
    this.vmx.setField(VmcsField[name], Number(BigInt.asIntN(32, word)), Number(BigInt.asIntN(32, word >> 32n)))
    return this
  }

  get(name: VmcsFieldName): bigint {
    const field = VmcsField[name]
    return (BigInt(this.vmx.fieldHigh(field) >>> 0) << 32n) | BigInt(this.vmx.fieldLow(field) >>> 0)
  }

  number(name: VmcsFieldName): number {
    return Number(this.get(name))
  }

  /** Bits of a word of controls become 1, or 0. */
  with(name: VmcsFieldName, bits: number): this {
    return this.set(name, this.vmx.fieldLow(VmcsField[name]) | bits)
  }

  without(name: VmcsFieldName, bits: number): this {
    return this.set(name, this.vmx.fieldLow(VmcsField[name]) & ~bits)
  }

  // ---- running

  /** Run the guest until it is left, or the host is done: at most so many instructions. */
  enter(most = 100_000) {
    const { machine } = this.board
    machine.core.set(at.rip, this.isLaunched ? hostEntry + 1 : hostCode, 0)
    this.isLaunched = true
    machine.core.i32[system.activity >> 2] = 0
    return this.board.run(most)
  }

  /** Controls and host state are what they were at first. */
  restore(): this {
    this.writeControls()
    this.writeHost()
    return this
  }

  /** The next entry is by VMLAUNCH. */
  launchAgain(): this {
    this.isLaunched = false
    return this
  }

  get reason(): number {
    return this.number("EXIT_REASON") & 0xffff
  }

  // ---- the guest

  /** Bytes in the guest's physical memory. */
  put(address: number, ...bytes: readonly number[]): this {
    this.board.put(guestMemory + address, ...bytes)
    return this
  }

  put64(address: number, value: bigint): this {
    this.board.put64(guestMemory + address, value)
    return this
  }

  get64(address: number): bigint {
    return this.board.get64(guestMemory + address)
  }

  /** The guest's first 2 MiB by pages of 4 KiB, readable, writable and executable. */
  private mapGuest(): void {
    this.board.entry(eptRoot, 0, BigInt(eptTables) | 7n)
    this.board.entry(eptTables, 0, BigInt(eptTables + 0x1000) | 7n)
    this.board.entry(eptTables + 0x1000, 0, BigInt(eptTables + 0x2000) | 7n)
    for (let page = 0; page < guestBytes; page += 0x1000) this.ept(page, BigInt(guestMemory + page) | 0x37n)
  }

  /** The EPT entry of a page of the guest's. */
  ept(address: number, entry: bigint): this {
    this.board.entry(eptTables + 0x2000, address >> 12, entry)
    return this
  }

  eptEntry(address: number): bigint {
    return this.board.entryAt(eptTables + 0x2000, address >> 12)
  }

  /** 64-bit mode, its first 2 MiB mapped to themselves by a large page. */
  long(...code: readonly number[]): this {
    this.put64(guestPml4, 0x2007n).put64(0x2000, 0x3007n).put64(0x3000, 0x87n)
    this.put(guestCode, ...code)
    this.writeGuest({ cr0: 0x8000_0021n, cr3: BigInt(guestPml4), cr4: 0x2020n, isLong: true })
    return this.with("ENTRY_CONTROLS", EntryControl.IA32E_MODE_GUEST)
  }

  /** Real-address mode. */
  real(...code: readonly number[]): this {
    this.put(guestCode, ...code)
    this.writeGuest({ cr0: 0x20n, cr3: 0n, cr4: 0x2000n, isLong: false })
    return this.without("ENTRY_CONTROLS", EntryControl.IA32E_MODE_GUEST)
  }

  private writeControls(): void {
    const { core } = this.board.machine
    const needed = (msr: number) => readMsr(core, msr)[0]
    this.set("PIN_BASED_CONTROLS", needed(0x48d))
    this.set("PRIMARY_CONTROLS", needed(0x48e) | Primary.ACTIVATE_SECONDARY_CONTROLS | Primary.HLT_EXITING)
    this.set("SECONDARY_CONTROLS", Secondary.ENABLE_EPT | Secondary.UNRESTRICTED_GUEST | Secondary.ENABLE_VPID)
    this.set("EXIT_CONTROLS", needed(0x48f) | ExitControl.HOST_ADDRESS_SPACE_SIZE)
    this.set("ENTRY_CONTROLS", needed(0x490))
    this.set("VPID", 1)
    this.set("EPT_POINTER", eptRoot | 0x1e)
    this.set("MSR_BITMAPS", msrBitmaps).set("IO_BITMAP_A", ioBitmapA).set("IO_BITMAP_B", ioBitmapB)
    this.set("VMCS_LINK_POINTER", -1n)
  }

  private writeHost(): void {
    const { core } = this.board.machine
    this.set("HOST_CR0", core.low(at.cr0) >>> 0)
      .set("HOST_CR3", core.low(at.cr3))
      .set("HOST_CR4", core.low(at.cr4))
    this.set("HOST_CS_SELECTOR", 8).set("HOST_SS_SELECTOR", 0x10).set("HOST_TR_SELECTOR", 0x28)
    this.set("HOST_GDTR_BASE", gdt).set("HOST_IDTR_BASE", idt).set("HOST_TR_BASE", tss)
    this.set("HOST_RSP", stackTop).set("HOST_RIP", hostEntry)
  }

  private writeGuest({
    cr0,
    cr3,
    cr4,
    isLong
  }: {
    readonly cr0: bigint
    readonly cr3: bigint
    readonly cr4: bigint
    readonly isLong: boolean
  }): void {
    this.set("GUEST_CR0", cr0).set("GUEST_CR3", cr3).set("GUEST_CR4", cr4)
    for (const name of ["ES", "CS", "SS", "DS", "FS", "GS"] as const) {
      this.set(`GUEST_${name}_SELECTOR`, isLong ? (name === "CS" ? 8 : 0x10) : name === "CS" ? guestCode >> 4 : 0)
      this.set(`GUEST_${name}_BASE`, isLong || name !== "CS" ? 0 : guestCode)
      this.set(`GUEST_${name}_LIMIT`, isLong ? 0xffff_ffff : 0xffff)
      this.set(`GUEST_${name}_ACCESS_RIGHTS`, isLong ? (name === "CS" ? 0xa09b : 0xc093) : name === "CS" ? 0x9b : 0x93)
    }
    this.set("GUEST_TR_SELECTOR", 0x28).set("GUEST_TR_LIMIT", 0x67).set("GUEST_TR_ACCESS_RIGHTS", 0x8b)
    this.set("GUEST_LDTR_ACCESS_RIGHTS", 0x1_0000)
    this.set("GUEST_GDTR_LIMIT", 0x37).set("GUEST_IDTR_LIMIT", 0xfff)
    this.set("GUEST_RIP", isLong ? guestCode : 0)
      .set("GUEST_RSP", guestStack)
      .set("GUEST_RFLAGS", 2)
    this.set("GUEST_DR7", 0x400)
  }
}
