/**
 * Processor: the loop around a reading. It delivers exceptions and interrupts, does system operations, and keeps
 * time.
 *
 * It is the same for all readings: what the machine does next depends on its state alone, never on who ran the
 * instructions before. Of several processors one runs at a time (Processors.ts).
 */
import { Halt } from "../Gates.ts"
import { raised } from "./memory/Access.ts"
import { isAtRepeated, straightOn } from "./peek.ts"
import { systemNames } from "./processor/Meaning.ts"
import type { Reading } from "./processor/Reading.ts"
import { at, cause } from "./processor/State.ts"
import { another, none, sequel } from "./sequel.ts"
import { atInstruction, BS, BT, hasInstructionBreakpoints } from "./system/breakpoints.ts"
import type { Core } from "./system/Core.ts"
import { deliver, type Source } from "./system/exceptions.ts"
import { BTF, msrAt } from "./system/msr.ts"
import { isQuiet, operationOf } from "./system/operations.ts"
import { activity, CR4, nmi, RFLAGS, shadowOf, system, vector } from "./system/registers.ts"
import { initialize, startUp } from "./system/reset.ts"
import {
  exitFor,
  exitOnSignal,
  exitsAfterInstruction,
  exitsBetweenInstructions,
  isDebugDeferred,
  isExit,
  isSoftware,
  isSomethingDue,
  isVirtualInterruptDue,
  noteTrapFlag,
  singleSteps,
  takePendingDebug
} from "./vmx/events.ts"
import { guestOperationOf } from "./vmx/guestOperations.ts"
import { breakpoints } from "./vmx/transition.ts"
import { takeVirtualInterrupt } from "./vmx/virtualApic.ts"

/** Why the machine is not running. */
export type Stop =
  /** As many instructions as were asked for have been retired. */
  | { readonly _tag: "Limit" }
  /** It is halted, and nothing will happen that wakes it. */
  | { readonly _tag: "Idle" }
  /** The kernel has given up. */
  | { readonly _tag: "Halt"; readonly report: string }
  /** No handler was reached, for an exception or for the double fault that it became. */
  | { readonly _tag: "TripleFault" }
  /** Software has asked for the end, with a status. */
  | { readonly _tag: "Exit"; readonly status: number }
  /** Software has turned the machine off, or has asked for a reset. */
  | { readonly _tag: "PowerOff" }
  | { readonly _tag: "Reset" }

/** When a processor stops that it has not decided by itself: one of these is shared by all of a machine. */
export interface Bounds {
  /** Why the machine stops after the instruction that runs. */
  stopped: Stop | undefined
  /** The turn of the processor that runs is over when the clock is at this. */
  turnEnds: number
}

export class Processor {
  readonly core: Core
  private readonly reading: Reading
  private readonly bounds: Bounds
  /** Operations that follow one another are done at once. */
  private readonly followsOn: boolean
  /** The operation under way has gone to a handler. */
  private isGone = false
  /** An NMI waits; and none is delivered before the IRET of the handler. */
  private isNmiPending = false
  /** An INIT waits; and after it, or without it, the vector of a start-up message. */
  private isInitPending = false
  private startUpVector: number | undefined
  /** The physical page that MONITOR has watched, until there is a store to it. */
  private monitored: number | undefined
  /** Debug exceptions that MOV to SS has put off: bits of DR6. */
  private putOff = 0
  /** MWAIT ends at an interrupt that is masked, too. */
  private breaksIfMasked = false
  /** It has nothing to do before something arrives. */
  waits = false
  /** It waits, and an interrupt would wake it. */
  isWakeable = true

  constructor(core: Core, reading: Reading, bounds: Bounds, followsOn: boolean) {
    this.core = core
    this.followsOn = followsOn
    this.reading = reading
    this.bounds = bounds
  }

  private stop(reason: Stop): void {
    this.bounds.stopped ??= reason
    this.core.i32[at.attention >> 2] = 1
  }

  /**
   * Run until the limit, the end of the turn, or a reason to stop; or until this processor `waits`. Called again, it goes on as if it
   * had not stopped.
   */
  run(limit: number): void {
    const { core, bounds } = this
    let single = false
    this.waits = false
    for (;;) {
      core.clock.runDue()
      if (bounds.stopped || core.clock.now() >= Math.min(limit, bounds.turnEnds)) return
      this.takeSignals()
      const doing = core.low(system.activity)
      if (doing === activity.waitForSipi) {
        this.wait(false)
        return
      }
      const isNmi = this.isNmiPending && !(core.low(system.nmiBlocked) & nmi.blocked)
      const waits = core.apic.pending() >= 0
      if (core.vmx.isGuest) {
        if (exitsAfterInstruction(core)) continue
        const debug = takePendingDebug(core)
        if (debug !== 0) {
          this.go(vector.DB, debug, "trap")
          continue
        }
      }
      if (core.vmx.isGuest && exitsBetweenInstructions(core, { nmi: isNmi, interrupt: waits })) {
        // Only an exit that was due to the NMI leaves it blocked.
        if (isNmi && core.low(system.nmiBlocked) & nmi.blocked) this.isNmiPending = false
        continue
      }
      if (core.vmx.isGuest && isVirtualInterruptDue(core)) {
        this.go(takeVirtualInterrupt(core), 0, "interrupt")
        continue
      }
      if (isNmi && !core.inShadow()) {
        this.isNmiPending = false
        core.i32[system.nmiBlocked >> 2] = nmi.blocked
        this.go(vector.NMI, 0, "nmi")
        continue
      }
      if (waits && this.isInterruptible()) {
        this.go(core.apic.acknowledge(), 0, "interrupt")
        continue
      }
      if (doing === activity.mwait) {
        const wakes = (core.low(at.rflags) & RFLAGS.IF) !== 0 || this.breaksIfMasked
        if (this.monitored !== undefined && !(waits && wakes)) {
          this.wait(wakes)
          return
        }
        this.monitored = undefined
        core.i32[system.activity >> 2] = activity.active
      }
      if (core.low(system.activity) !== activity.active) {
        this.wait(core.vmx.isGuest || (core.low(at.rflags) & RFLAGS.IF) !== 0)
        return
      }
      core.clock.aim(Math.min(limit, bounds.turnEnds))
      core.i32[at.attention >> 2] = 0
      const before = core.clock.now()
      single = this.goOn(single || (waits && core.inShadow()) || (core.vmx.isGuest && singleSteps(core)))
      // A reading that cannot fit its next block into the countdown goes on by single instructions.
      single = single && core.low(at.countdown) > 0 && (core.clock.now() === before || core.low(at.countdown) < few)
    }
  }

  private isInterruptible(): boolean {
    return (this.core.low(at.rflags) & RFLAGS.IF) !== 0 && !this.core.inShadow()
  }

  private wait(isWakeable: boolean): void {
    this.waits = true
    this.isWakeable = isWakeable
  }

  /** INIT, and then a start-up message: of no effect on a processor that does not wait for one. */
  private takeSignals(): void {
    const { core } = this
    // "INIT signals are blocked in VMX root operation"; in a guest, they leave it.
    if (this.isInitPending && (!core.vmx.isOn || core.vmx.isGuest)) {
      this.isInitPending = false
      if (core.vmx.isGuest) exitOnSignal(core, "INIT")
      else {
        this.isNmiPending = false
        initialize(core)
      }
    }
    if (this.startUpVector === undefined) return
    if (core.low(system.activity) === activity.waitForSipi) {
      if (core.vmx.isGuest) exitOnSignal(core, "SIPI", this.startUpVector)
      else startUp(core, this.startUpVector)
    }
    this.startUpVector = undefined
  }

  /** Run, and deal with why the reading stopped. True if it was the countdown. */
  private goOn(single: boolean): boolean {
    const { core } = this
    for (;;) {
      if (this.isVirtualInterruptDue()) {
        this.go(vector.GP, 0, "fault")
        return false
      }
      const stepped = core.low(at.rflags) & RFLAGS.TF ? BS : 0
      const straight = stepped && core.low(msrAt.IA32_DEBUGCTL) & BTF ? straightOn(core) : undefined
      const breaks = hasInstructionBreakpoints(core)
      if (breaks && this.break()) return false
      core.mmu.touched = 0
      const iterates = stepped || breaks ? core.low(at.rip) : undefined
      if (single || stepped || breaks || this.putOff !== 0) this.reading.step()
      else this.runOn()
      if (core.vmx.isGuest) noteTrapFlag(core)
      switch (core.low(at.cause)) {
        case cause.fault:
          this.go(core.low(at.vector), core.low(at.errorCode), "fault")
          return false
        case cause.system:
          if (!this.operate()) return false
          if (core.low(at.rip) === iterates) this.noteIteration()
          this.trap(this.isBranch(iterates, straight) ? this.steppedBy(stepped) : 0)
          if (!this.followsOn || single || stepped || breaks || this.putOff !== 0 || !this.follow()) return false
          // What is left of the countdown is the reading's again: whoever has shortened it needs no more attention.
          core.i32[at.attention >> 2] = 0
          break
        default:
          if (core.low(at.rip) === iterates) this.noteIteration()
          this.trap(this.isBranch(iterates, straight) ? stepped : 0)
          return core.low(at.attention) === 0
      }
    }
  }

  /** Do the operations that follow one another. True if what comes next is a reading's business, and nobody else's. */
  private follow(): boolean {
    const { core } = this
    for (;;) {
      core.mmu.touched = 0
      const next = sequel(core)
      if (next === none || next === another) return next === another
      if (!this.operate()) return false
      this.trap(this.steppedBy(0))
    }
  }

  /** Run, and on after operations that leave nothing to ask between two instructions. */
  private runOn(): void {
    const { core, reading } = this
    for (;;) {
      reading.run()
      if (core.low(at.cause) !== cause.system || !isQuiet[core.low(at.detail)]) return
      const isDone = this.operate()
      if (!isDone) core.mmu.touched = 0
      const isQuietSince =
        core.low(at.attention) === 0 && core.mmu.touched === 0 && !(core.vmx.isGuest && isSomethingDue(core))
      if (isDone && core.low(at.countdown) > 0 && isQuietSince) continue
      // Between two instructions, as after any.
      core.i32[at.cause >> 2] = cause.countdown
      return
    }
  }

  /**
   * SDM vol. 3B, "Virtual Interrupt Flag Support": "if the processor finds that both the VIF and VIP flags are set at the beginning of an
   * instruction, it generates a general-protection exception", where it looks at them.
   */
  private isVirtualInterruptDue(): boolean {
    const { core } = this
    const flags = core.low(at.rflags)
    if ((flags & bothVirtual) !== bothVirtual || core.privilege !== 3) return false
    return (core.low(at.cr4) & (flags & RFLAGS.VM ? CR4.VME : CR4.PVI)) !== 0
  }

  /** "Single-Stepping on Branches": with BTF, it is neither behind the instruction that it was at, nor at another iteration of it. */
  private isBranch(from: number | undefined, straight: number | undefined): boolean {
    const rip = this.core.low(at.rip)
    return straight === undefined || (rip !== straight && rip !== from)
  }

  /**
   * Whether the instruction just done is stepped over, if TF was so before it. Of SYSCALL and SYSRET it counts how TF is after them: a kernel whose
   * IA32_FMASK has TF is not stepped into, and behind SYSRET, which brings TF back, the program stops as if SYSCALL had just been done.
   */
  private steppedBy(before: number): number {
    const { core } = this
    if (!isFastTransfer[core.low(at.detail)]) return before
    return core.low(at.rflags) & RFLAGS.TF ? BS : 0
  }

  /**
   * "For any trap-class exception generated by any iteration of a repeated string instruction but the last iteration, the value pushed for RF is 1",
   * and for interrupts too; a breakpoint on the instruction is not on its other iterations. Where nobody looks for breakpoints it makes no difference.
   */
  private noteIteration(): void {
    const { core } = this
    if (isAtRepeated(core)) core.view.setFloat64(system.resume, core.clock.now(), true)
  }

  /** MOV or POP to SS came just before: "debug exceptions" wait until the next instruction is done. SDM vol. 3A, "Masking Exceptions and Interrupts When Switching Stacks". */
  private isSwitchingStacks(): boolean {
    return this.core.inShadow() && this.core.low(system.shadowBy) === shadowOf.movSs
  }

  /** "Instruction-Breakpoint Exception Condition": #DB before the instruction, unless RF says that it was handled. */
  private break(): boolean {
    const hits = this.core.isResuming() || this.isSwitchingStacks() ? 0 : atInstruction(this.core)
    if (hits === 0) return false
    this.go(vector.DB, hits, "fault")
    return true
  }

  /** #DB after an instruction that began with TF = 1, or touched what a breakpoint is on. */
  private trap(stepped: number): void {
    const why = stepped | this.core.mmu.touched | this.putOff
    if (why === 0) return
    this.core.mmu.touched = 0
    this.putOff = 0
    if (isDebugDeferred(this.core)) this.core.vmx.pendingDebug |= why
    else if (this.isSwitchingStacks()) this.putOff = why
    else this.go(vector.DB, why, "trap")
  }

  /** The system operation that an instruction ends in. False if it has gone to a handler instead. */
  private operate(): boolean {
    this.isGone = false
    try {
      const operations = this.core.vmx.isGuest ? guestOperationOf : operationOf
      operations[this.core.low(at.detail)]!(this.core)
      if (this.core.vmx.isEnding) {
        this.core.vmx.isEnding = false
        this.refuse()
      }
    } catch (reason) {
      if (reason instanceof Halt) this.stop({ _tag: "Halt", report: reason.report })
      else if (reason === raised) this.refuse()
      else throw reason
    }
    return !this.isGone
  }

  /** The operation raises an exception: the instruction has not happened. */
  private refuse(): void {
    const { core } = this
    core.copy(at.stoppedAt, at.rip)
    core.clock.charge(-1)
    this.go(core.low(at.vector), core.low(at.errorCode), "fault")
  }

  /** Nothing has arrived. */
  reset(): void {
    this.isNmiPending = false
    this.isInitPending = false
    this.startUpVector = undefined
    this.waits = false
    this.monitored = undefined
    this.putOff = 0
  }

  /** MONITOR has this page watched. */
  monitor(page: number | undefined): void {
    this.monitored = page
  }

  /** MWAIT: nothing to wait for if nothing is watched, or has been written since. */
  mwait(breaksIfMasked: boolean): void {
    if (this.monitored === undefined) return
    this.breaksIfMasked = breaksIfMasked
    this.core.i32[system.activity >> 2] = activity.mwait
  }

  /** There is a store to this physical page. True if the processor has watched it. */
  written(page: number): boolean {
    if (this.monitored !== page) return false
    this.monitored = undefined
    return true
  }

  /** A non-maskable interrupt arrives; while one waits, another is the same one. */
  nmi(): void {
    this.isNmiPending = true
  }

  /** An INIT arrives. */
  init(): void {
    this.isInitPending = true
    this.startUpVector = undefined
  }

  /** A start-up message arrives. */
  startUp(which: number): void {
    this.startUpVector = which
  }

  /** What INT asks for. */
  interrupt(which: number, source: Source): void {
    this.go(which, 0, source)
  }

  private go(which: number, errorCode: number, source: Source): void {
    const { core } = this
    this.isGone = true
    if (isExit(which)) {
      exitFor(core, which)
      return
    }
    // INT n is one instruction, its delivery included. It is not stepped over, but what has touched a breakpoint before it is heard of behind it.
    const late = isSoftware(source) ? this.putOff & breakpoints : 0
    this.putOff = 0
    if (isSoftware(source)) core.clock.charge(-1)
    core.surroundings.delivered?.(which, errorCode, source)
    if (!deliver(core, which, errorCode, source)) this.stop({ _tag: "TripleFault" })
    else if (core.mmu.touched & BT) {
      core.mmu.touched = 0
      this.go(vector.DB, BT, "trap")
    } else if (late !== 0) this.go(vector.DB, late, "trap")
  }
}

const bothVirtual = RFLAGS.VIF | RFLAGS.VIP
const isFastTransfer: readonly boolean[] = systemNames.map((name) => name === "syscall" || name === "sysret")
/** So few instructions are left that a reading may have no block that short. */
const few = 64
