/**
 * VirtualApic: a guest's local APIC where the processor has it, so that the guest is not left for what it does there most: interrupts are
 * delivered to it, and it ends them, without its monitor.
 *
 * SDM vol. 3C, "APIC Virtualization and Virtual Interrupts". The registers are on the virtual-APIC page, which is true while the guest
 * runs, and this task's copy of them while this is at work: they are taken at the beginning of each turn, and given back at its end.
 *
 * Where it has them in memory, it is by accesses to the APIC-access page. A processor whose registers are not there (its local APIC is disabled,
 * in x2APIC mode or elsewhere) would find memory: while there is one, the guest has no such page (`Landlord.apicAccessPage`).
 */

import { memoryMap } from "../devices/addresses.ts"
import type { LocalApic } from "../devices/localApic.ts"
import type { ThreadMemory } from "../types/Gate.ts"
import { VmcsField } from "../types/x86_64/VmcsField.ts"
import { Primary, Secondary } from "../types/x86_64/VmxControls.ts"

/** Where the virtual-APIC page of a guest's processor is in the address space of its monitor: a page for each. */
export const virtualApicAt = (processor: number): number => 0x3fff_0000_0000 + processor * pageBytes
const pageBytes = 0x1000
/** What the guest takes for the page of its local APIC's registers. */
export const apicAccessAt = memoryMap.localApic.base

/** By which accesses the guest reaches its registers. None: each of them is an exit. */
type Access = "memory" | "registers" | "none"

const virtual = Secondary.APIC_REGISTER_VIRTUALIZATION | Secondary.VIRTUAL_INTERRUPT_DELIVERY
/** "Definitions of Secondary Processor-Based VM-Execution Controls". */
const controlsOf: Readonly<Record<Access, number>> = {
  memory: virtual | Secondary.VIRTUALIZE_APIC_ACCESSES,
  registers: virtual | Secondary.VIRTUALIZE_X2APIC_MODE,
  none: 0
}

/** Of the page: TPR to ICR is what the processor itself changes; up to DIVIDE there are registers. */
const changed = { start: 0x80, end: 0x320 } as const
const used = { start: 0x20, end: 0x3f0 } as const
const [servedAt, modesAt, requestedAt] = [0x100, 0x180, 0x200]

const eoiExits = [
  VmcsField.EOI_EXIT_BITMAP_0,
  VmcsField.EOI_EXIT_BITMAP_1,
  VmcsField.EOI_EXIT_BITMAP_2,
  VmcsField.EOI_EXIT_BITMAP_3
] as const

type Written = Array<readonly [field: number, value: bigint]>

export class VirtualApic {
  private readonly apic: LocalApic
  private readonly memory: ThreadMemory
  private readonly at: number
  private readonly page = new Uint32Array(pageBytes / 4)
  private readonly bytes = new Uint8Array(this.page.buffer)
  private readonly changed = this.bytes.subarray(changed.start, changed.end)
  private readonly used = this.bytes.subarray(used.start, used.end)
  /** What is on the page. */
  private readonly there = new Uint32Array(this.page.length)
  private access: Access = "none"
  /** Interrupts are requested or served that the processor does not know of. */
  private isNews = false
  /** The controls of the guest's processor are not those of `access`. */
  private isSwitched = false
  /** What `EOI_EXIT_BITMAP` has. */
  private readonly exits = new Uint32Array(8)

  constructor(apic: LocalApic, memory: ThreadMemory, at: number) {
    this.apic = apic
    this.memory = memory
    this.at = at
  }

  /** The processor delivers interrupts by itself: all but those of an 8259A. */
  get delivers(): boolean {
    return this.access !== "none"
  }

  /** Primary controls that it needs. */
  get primary(): number {
    return this.access === "none" ? 0 : Primary.USE_TPR_SHADOW
  }

  /** What the guest did to its registers is known. */
  take(): void {
    if (this.access === "none") return
    this.memory.read(this.at + changed.start, this.changed)
    this.there.set(this.page)
    this.apic.takeRegisters(this.page)
  }

  /** "APIC-Write Exits": what the guest has written at this offset of the page takes effect. */
  written(offset: number): void {
    this.memory.read(this.at + used.start, this.used)
    this.there.set(this.page)
    const value = this.page[offset / 4]!
    if (this.access === "registers") this.apic.writeMsr(0x800 | (offset / 16), value, 0)
    else this.apic.write(offset, 32, value)
  }

  /** The registers go to the page. */
  give(): void {
    const access = accessOf(this.apic)
    if (access !== this.access) {
      this.access = access
      this.isSwitched = true
      this.isNews = true
    }
    if (access === "none") return
    this.apic.putRegisters(this.page)
    let isSame = true
    for (let at = used.start / 4; at < used.end / 4; at++) {
      if (this.page[at] === this.there[at]) continue
      isSame = false
      if (isInterrupts(at * 4)) this.isNews = true
    }
    if (isSame) return
    this.memory.write(this.at + used.start, this.used)
    this.there.set(this.page)
  }

  /** What the processor is to be told before it enters the guest; `secondary`: other controls that the guest has. */
  tell(fields: Written, secondary: number): void {
    if (this.isSwitched) fields.push([VmcsField.SECONDARY_CONTROLS, BigInt(secondary | controlsOf[this.access])])
    this.isSwitched = false
    if (!this.isNews) return
    this.isNews = false
    // "Guest interrupt status": RVI in the lower byte, SVI in the upper one.
    fields.push([VmcsField.GUEST_INTERRUPT_STATUS, BigInt((this.highest(servedAt) << 8) | this.highest(requestedAt))])
    // The end of an interrupt that is a level is for its IOAPIC to know.
    for (const [n, field] of eoiExits.entries()) {
      const [low, high] = [this.page[(modesAt + n * 32) / 4]!, this.page[(modesAt + n * 32 + 16) / 4]!]
      if (this.exits[2 * n] === low && this.exits[2 * n + 1] === high) continue
      this.exits[2 * n] = low
      this.exits[2 * n + 1] = high
      fields.push([field, (BigInt(high) << 32n) | BigInt(low)])
    }
  }

  /** The highest vector in an array of the page, or 0. */
  private highest(array: number): number {
    for (let n = 7; n >= 0; n--) {
      const bits = this.page[(array + n * 16) / 4]!
      if (bits !== 0) return n * 32 + 31 - Math.clz32(bits)
    }
    return 0
  }
}

/** ISR, TMR and IRR. */
const isInterrupts = (offset: number): boolean => offset >= servedAt && offset < requestedAt + 0x80

const accessOf = (apic: LocalApic): Access =>
  apic.isX2() ? "registers" : apic.window() === apicAccessAt ? "memory" : "none"
