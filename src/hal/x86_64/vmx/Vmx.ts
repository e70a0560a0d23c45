/**
 * What a processor knows of virtual machines: whether it is in VMX operation, which VMCS is current, and of the guest that runs, the controls
 * that decide about its instructions and events.
 *
 * Nothing here is a copy that could differ: controls are read from the VMCS when a guest is entered, and hold until it is left.
 */
import * as Word from "../../../types/Word.ts"
import { ExitReason } from "../../../types/x86_64/ExitReason.ts"
import { Primary, Secondary } from "../../../types/x86_64/VmxControls.ts"
import { raised, vmExit } from "../memory/Access.ts"
import { anOwner, type Owner, owners } from "../memory/Owner.ts"
import type { PhysicalMemory } from "../memory/PhysicalMemory.ts"
import { at } from "../processor/State.ts"
import { Ept, type EptRefusal } from "./ept.ts"
import { Kept } from "./Kept.ts"
import { place, Vmcs } from "./Vmcs.ts"

/** No VMCS is current: FFFFFFFF_FFFFFFFFH. */
export const noPointer = -1

/** What a VM exit records. Tables under "Basic VM-Exit Information" and after it. */
export interface Exit {
  reason: number
  qualificationLow: number
  qualificationHigh: number
  /** Of the instruction that is to blame, 0 if none is. */
  instructionLength: number
  instructionInformation: number
  linearLow: number
  linearHigh: number
  physicalLow: number
  physicalHigh: number
  /** VM-exit interruption information, and its error code. */
  interruption: number
  errorCode: number
  /** IDT-vectoring information, and its error code. */
  vectoring: number
  vectoringErrorCode: number
}

const noExit = (): Exit => ({
  reason: 0,
  qualificationLow: 0,
  qualificationHigh: 0,
  instructionLength: 0,
  instructionInformation: 0,
  linearLow: 0,
  linearHigh: 0,
  physicalLow: 0,
  physicalHigh: 0,
  interruption: 0,
  errorCode: 0,
  vectoring: 0,
  vectoringErrorCode: 0
})

let made = 0

export class Vmx {
  private readonly memory: PhysicalMemory
  private readonly i32: Int32Array
  /** VMX operation, root or not. */
  isOn = false
  /** VMX non-root operation: a guest runs. */
  isGuest = false
  vmxonPointer = noPointer
  readonly vmcs: Vmcs
  readonly kept = new Kept()
  /** Of the exit under way. */
  exit = noExit()
  /** Why the last VM entry failed, in the manual's words: for whoever looks for what is wrong. */
  lastBroken: string | undefined

  // ---- of the guest that runs
  pinBased = 0
  primary = 0
  secondary = 0
  exceptionBitmap = 0
  /** Bits of CR0 and CR4 that are the host's, and what the guest reads of them. */
  cr0Mask = 0
  cr0Shadow = 0
  cr4Mask = 0
  cr4Shadow = 0
  /** No other processor's has this name. */
  readonly timerName = `VMX-preemption timer ${++made}`
  /** What the preemption timer has counted down to 0 when, in instructions; infinity without it. */
  timerEnds = Number.POSITIVE_INFINITY
  /** The exit to be made when the instruction that runs is done, as a reason, or 0; and its qualification. */
  afterInstruction = 0
  afterQualification = 0
  /** The operation under way has come to the exit that has begun, and to nothing else. */
  isEnding = false
  /** IRET is under way, and has ended a blocking of NMIs: "NMI unblocking due to IRET". */
  isUnblocking = false
  /** #DB that is to come before the next instruction: bits of DR6. "Pending debug exceptions". */
  pendingDebug = 0
  /** The physical address of the virtual-APIC page; requesting and servicing virtual interrupt, and whether one is recognized. */
  virtualApic = 0
  rvi = 0
  svi = 0
  isVirtualInterruptPending = false
  /** The offset in the APIC-access page that the operation under way has written, or -1. */
  apicWritten = -1
  /** When the first PAUSE of a loop was, and the last. "PLE_Gap", "PLE_Window". */
  firstPause = 0
  lastPause = 0

  /** By their numbers; the first is the host. */
  private readonly owners: Owner[] = []
  private readonly used: number[] = []
  private uses = 0
  /** The extended page tables by the owners that use them. */
  private readonly epts = new Map<number, Ept>()
  /** Of the guest that runs. */
  private ept: Ept | undefined

  private readonly room: number

  /** `room`: the host address of `guestPhysical` (layout.ts). */
  constructor(memory: PhysicalMemory, room: number) {
    this.memory = memory
    this.room = room
    this.i32 = memory.i32
    this.vmcs = new Vmcs(memory)
  }

  /** PE and PG are the guest's to clear. */
  get isUnrestricted(): boolean {
    return this.isGuest && this.hasSecondary(Secondary.UNRESTRICTED_GUEST)
  }

  hasSecondary(bit: number): boolean {
    return (this.secondary & bit) !== 0
  }

  /** The controls of the current VMCS are in force. */
  enter(): void {
    const { vmcs } = this
    this.isGuest = true
    this.pinBased = vmcs.low(place.PIN_BASED_CONTROLS)
    this.primary = vmcs.low(place.PRIMARY_CONTROLS)
    this.secondary = this.primary & Primary.ACTIVATE_SECONDARY_CONTROLS ? vmcs.low(place.SECONDARY_CONTROLS) : 0
    this.exceptionBitmap = vmcs.low(place.EXCEPTION_BITMAP)
    this.cr0Mask = vmcs.low(place.CR0_GUEST_HOST_MASK)
    this.cr0Shadow = vmcs.low(place.CR0_READ_SHADOW)
    this.cr4Mask = vmcs.low(place.CR4_GUEST_HOST_MASK)
    this.cr4Shadow = vmcs.low(place.CR4_READ_SHADOW)
    this.afterInstruction = 0
    this.afterQualification = 0
    this.virtualApic = vmcs.address(place.VIRTUAL_APIC_ADDRESS)
    const status = vmcs.low(place.GUEST_INTERRUPT_STATUS)
    this.rvi = status & 255
    this.svi = (status >>> 8) & 255
    this.isVirtualInterruptPending = false
    this.isUnblocking = false
    this.apicWritten = -1
    this.lastPause = Number.NEGATIVE_INFINITY
  }

  /** "Time-Stamp Counter Offset and Multiplier": bits 111:48 of the product of the counter and the multiplier, and the offset. */
  guestTsc(lo: number, hi: number): readonly [lo: number, hi: number] {
    if (!(this.primary & Primary.USE_TSC_OFFSETTING)) return [lo, hi]
    const { vmcs } = this
    const [scaledLow, scaledHigh] = this.hasSecondary(Secondary.USE_TSC_SCALING) ? this.scaled(lo, hi) : [lo, hi]
    const sum = (scaledLow >>> 0) + (vmcs.low(place.TSC_OFFSET) >>> 0)
    return [sum | 0, (scaledHigh + vmcs.high(place.TSC_OFFSET) + (sum >= 2 ** 32 ? 1 : 0)) | 0]
  }

  private scaled(lo: number, hi: number): readonly [lo: number, hi: number] {
    const { vmcs } = this
    const multiplier = Word.ofHalves(vmcs.low(place.TSC_MULTIPLIER), vmcs.high(place.TSC_MULTIPLIER))
    const product = (Word.ofHalves(lo, hi) * multiplier) >> 48n
    return [Word.lowOf(product), Word.highOf(product)]
  }

  // ---- exits

  /** A fresh record of an exit for this reason. */
  begin(reason: number): Exit {
    this.exit = noExit()
    this.exit.reason = reason
    return this.exit
  }

  /** The instruction that runs is the hypervisor's business: it does nothing but leave the guest. */
  intercept(reason: number, qualificationLow = 0, qualificationHigh = 0): never {
    const exit = this.begin(reason)
    exit.qualificationLow = qualificationLow
    exit.qualificationHigh = qualificationHigh
    this.leave()
  }

  /** The same, by an operation that returns then: what guests do often. */
  end(reason: number, qualificationLow: number): void {
    const exit = this.begin(reason)
    exit.qualificationLow = qualificationLow
    this.complete()
    this.isEnding = true
  }

  /** A guest switches no tasks: to this TSS, by an instruction or on the way to a handler. */
  interceptTaskSwitch(selector: number, source: number, byInstruction: boolean): never {
    this.begin(ExitReason.TASK_SWITCH).qualificationLow = selector | (source << 30)
    this.leave(byInstruction)
  }

  /** The same, of the exit that has begun. */
  leave(byInstruction = true): never {
    this.complete(byInstruction)
    throw raised
  }

  private complete(byInstruction = true): void {
    if (byInstruction) this.exit.instructionLength = this.instructionLength()
    this.i32[at.vector >> 2] = vmExit.intercepted
  }

  /** Of the instruction whose operation is under way: RIP is behind it. */
  instructionLength(): number {
    return (this.i32[at.rip >> 2]! - this.i32[at.stoppedAt >> 2]!) & 15
  }

  // ---- translations

  /** Whose the guest's translations are. One that is not known takes the place of the one that was used least recently: `forget` it. */
  ownerOf(host: Owner, forget: (number: number) => void): Owner {
    const vpid = this.hasSecondary(Secondary.ENABLE_VPID) ? this.vmcs.low(place.VPID) : 0
    const usesEpt = this.hasSecondary(Secondary.ENABLE_EPT)
    this.ept = undefined
    if (vpid === 0 && !usesEpt) return host
    const [lo, hi] = usesEpt ? [this.vmcs.low(place.EPT_POINTER), this.vmcs.high(place.EPT_POINTER)] : [0, 0]
    const known = this.owners.find(
      (owner) => owner !== undefined && owner.vpid === vpid && this.isRoot(owner, usesEpt, lo, hi)
    )
    const owner = known ?? this.newOwner(vpid, usesEpt ? this.eptAt(lo, hi) : undefined, forget)
    this.used[owner.number] = ++this.uses
    this.ept = this.epts.get(owner.number)
    return owner
  }

  private isRoot(owner: Owner, usesEpt: boolean, lo: number, hi: number): boolean {
    const ept = this.epts.get(owner.number)
    return usesEpt ? ept !== undefined && ept.pointerLow === lo && ept.pointerHigh === hi : ept === undefined
  }

  /** Guests with the same EPT pointer have their guest-physical translations in common. */
  private eptAt(lo: number, hi: number): Ept {
    const slots = new Set<number>()
    for (const ept of this.epts.values()) {
      if (ept.pointerLow === lo && ept.pointerHigh === hi) return ept
      slots.add(ept.slot)
    }
    // There are as many as owners, and the host has none.
    let slot = 0
    while (slots.has(slot)) slot++
    return new Ept(this.memory, lo, hi, this.room, slot)
  }

  private newOwner(vpid: number, ept: Ept | undefined, forget: (number: number) => void): Owner {
    let number = 1
    while (number < owners && this.owners[number] !== undefined) number++
    if (number === owners) {
      number = 1
      for (let n = 2; n < owners; n++) if (this.used[n]! < this.used[number]!) number = n
    }
    forget(number)
    const owner = anOwner(number, vpid, ept)
    this.owners[number] = owner
    if (ept) this.epts.set(number, ept)
    else this.epts.delete(number)
    return owner
  }

  /** Why the guest's physical address was refused. */
  refused(): EptRefusal {
    if (!this.ept) throw new Error("a guest without EPT is refused no physical address")
    return this.ept.refusal
  }

  /** INVEPT: which owners lose their translations, of one EPT root or of all; what is kept of guest-physical addresses is gone. */
  forgetEpt(root: readonly [lo: number, hi: number] | undefined): (owner: number) => boolean {
    const gone = new Set<number>()
    for (const [number, ept] of this.epts) {
      if (root && !((ept.pointerLow & ~0xfff) === (root[0] & ~0xfff) && ept.pointerHigh === root[1])) continue
      ept.forget()
      gone.add(number)
    }
    return (owner) => gone.has(owner)
  }

  /** The VPIDs that have translations. */
  vpids(): ReadonlySet<number> {
    return new Set(this.owners.flatMap((owner) => (owner ? [owner.vpid] : [])))
  }
}
