/**
 * VirtualCpu: one processor of a guest: what its exits mean, and how interrupts come to it.
 *
 * SDM vol. 3C, "VM Exits", "Exit Qualification for ..."; what is done about each basic exit reason is in the table `exits`.
 */
import { external, type LocalApic } from "../devices/localApic.ts"
import { ExitReason, entryFailure } from "../types/x86_64/ExitReason.ts"
import { VmcsField } from "../types/x86_64/VmcsField.ts"
import {
  EntryControl,
  ExitControl,
  Interruption,
  InterruptionType,
  PinBased,
  Primary,
  Secondary
} from "../types/x86_64/VmxControls.ts"
import { registerOrder, type Step, type Stopped } from "../user/VirtualProcessor.ts"
import type { Board, Ending } from "./Board.ts"
import type { HostCpuid } from "./Cpuid.ts"
import type { GuestRam } from "./GuestRam.ts"
import { bit, EFER, entries, type Fields, needed, shadowed, startUp } from "./initialState.ts"
import { readMsr, writeMsr } from "./Msr.ts"
import { access, eptViolation, hex } from "./mmio.ts"
import type { Shift, Worker } from "./Shift.ts"
import { apicAccessAt, type VirtualApic } from "./VirtualApic.ts"
import type { VirtualTimers } from "./VirtualTimers.ts"

/** What a processor of a guest is connected to. */
export interface Connected {
  readonly id: number
  readonly board: Board
  readonly apic: LocalApic
  /** Where the processor has the local APICs of all the guest's processors; `assist` is this one's. */
  readonly assists: ReadonlyArray<VirtualApic>
  readonly assist: VirtualApic
  readonly ram: GuestRam
  readonly timers: VirtualTimers
  readonly cpuid: HostCpuid
  readonly ended: (ending: Ending) => void
  /** A guest asks its monitor for something with VMCALL. @returns what RAX is to hold, if that is known at once. */
  readonly hypercall: (number: bigint) => bigint | undefined
  readonly exits: Exits
  /** Its thread, and which of all that share this guest is at work. */
  readonly worker: Worker
  readonly shift: Shift
  /** Of one of several: the notification that has its thread look at it, a capability pointer. */
  readonly bell?: bigint
  /** When the first event is due that it waits for. */
  readonly due: () => number
  /** Its guest has ended, or begins anew: it is not entered any more. */
  readonly isOver: () => boolean
  /** Its guest is to have the APIC-access page in its memory, and has not, or the other way round: it is not entered before that is mended. */
  readonly isMisplaced: () => boolean
  /** No handler was reached for an exception: what is to be done, if it is not to stop. */
  readonly onTripleFault: "stop" | "reset"
  readonly reset: () => void
  /** Ticks of the preemption timer in a nanosecond: 2^-shift. */
  readonly preemptionShift: number
}

/** Whether its guest's instructions are executed, and what it waits for if not. */
export type Activity = "runs" | "halted" | "waits for startup"

const numberOf = Object.fromEntries(registerOrder.map((name, index) => [name, index])) as {
  readonly [R in (typeof registerOrder)[number]]: number
}
/** General registers by the processor's numbers; RSP, number 4, is elsewhere. */
const byNumber = [
  "rax",
  "rcx",
  "rdx",
  "rbx",
  undefined,
  "rbp",
  "rsi",
  "rdi",
  "r8",
  "r9",
  "r10",
  "r11",
  "r12",
  "r13",
  "r14",
  "r15"
] as const

const vectors = { UD: 6, GP: 13 } as const
const RFLAGS_IF = 1 << 9
/** Blocking by STI, and by MOV SS. */
const blocking = 3

const primary =
  (Primary.HLT_EXITING |
    Primary.MWAIT_EXITING |
    Primary.MONITOR_EXITING |
    Primary.RDPMC_EXITING |
    Primary.USE_TSC_OFFSETTING) >>>
  0

/** Whatever its local APIC is. */
const secondary =
  Secondary.UNRESTRICTED_GUEST | Secondary.ENABLE_INVPCID | Secondary.ENABLE_RDTSCP | Secondary.PAUSE_LOOP_EXITING

/** Its other controls, from the beginning: of those that the processor does not have, the kernel makes nothing. */
export const controls = [
  [VmcsField.PIN_BASED_CONTROLS, BigInt(PinBased.PREEMPTION_TIMER)],
  [VmcsField.SECONDARY_CONTROLS, BigInt(secondary)],
  [VmcsField.EXIT_CONTROLS, BigInt(ExitControl.SAVE_PREEMPTION_TIMER)]
] as const

/**
 * "PAUSE-Loop Exiting": a loop whose PAUSEs are so many instructions apart, and that takes so many, waits for another processor. It is
 * worth an exit that is shorter than a turn of its thread.
 */
const pauseLoops = [
  [VmcsField.PLE_GAP, 128n],
  [VmcsField.PLE_WINDOW, 4096n]
] as const

/** Why a guest was left, counted while it runs. */
export class Exits {
  /** By basic reason. */
  readonly byReason = new Map<number, number>()
  /** What devices were left for: ports, and pages that are no memory. */
  readonly byDevice = new Map<string, number>()
  /** Their names. */
  private readonly ports = new Map<number, string>()
  private readonly pages = new Map<number, string>()

  count(reason: number): void {
    this.byReason.set(reason, (this.byReason.get(reason) ?? 0) + 1)
  }

  countDevice(kind: "port" | "page", number: number): void {
    const names = kind === "port" ? this.ports : this.pages
    const what = names.get(number) ?? `${kind} ${hex(number)}`
    names.set(number, what)
    this.byDevice.set(what, (this.byDevice.get(what) ?? 0) + 1)
  }
}

export class VirtualCpu {
  readonly connected: Connected
  readonly stopped: Stopped
  activity: Activity = "waits for startup"
  /** It has asked for something with VMCALL, and `answer` is to come. */
  isAsking = false
  private hasNmi = false
  /** What others have sent, for its own thread to take. */
  private hasInit = false
  private startUpVector: number | undefined
  private isKicked = false
  /** When the preemption timer is set to end the guest's turn. */
  private armed = Number.NaN

  constructor(connected: Connected, stopped: Stopped) {
    this.connected = connected
    this.stopped = stopped
    stopped.controls = primary
    stopped.fields.push(...controls)
  }

  /** As after a reset it has nothing of what it held. INIT leaves it more: x87 and SSE state, and most model-specific registers. */
  powerUp(): void {
    this.stopped.isReset = true
  }

  /** It begins at `rip` in this state. */
  begin(fields: Fields, rip: number): void {
    const { stopped } = this
    stopped.registers.fill(0n)
    stopped.areChanged = true
    stopped.fields.push(...entries(fields))
    if (this.connected.bell !== undefined) stopped.fields.push(...pauseLoops)
    stopped.rip = BigInt(rip)
    stopped.interruption = 0
    stopped.interruptibility = 0
    this.armed = Number.NaN
    this.hasNmi = false
    this.isAsking = false
    this.activity = "runs"
  }

  // ---- what its local APIC says: its own thread takes it

  /** Its local APIC may have something. */
  noticed(): void {
    const { apic, assist } = this.connected
    if (assist.delivers || apic.pending() >= 0) this.kick()
  }

  nmi(): void {
    this.hasNmi = true
    this.kick()
  }

  /** "MP Initialization Protocol": it waits for a startup IPI. */
  init(): void {
    this.connected.apic.resetByInit()
    this.hasInit = true
    this.startUpVector = undefined
    this.kick()
  }

  startUp(vector: number): void {
    if (this.activity !== "waits for startup" && !this.hasInit) return
    this.startUpVector = vector
    this.kick()
  }

  /** Its thread is to look, soon: it leaves its guest, or waits no longer. */
  kick(): void {
    const { shift, worker, bell } = this.connected
    if (bell === undefined || this.isKicked || shift.isAtWork(worker)) return
    this.isKicked = true
    shift.signal(bell)
  }

  // ---- its thread

  /** Its thread is at work, and makes the accesses from here on. */
  atWork(): void {
    const { shift, worker, board, apic, assists } = this.connected
    shift.begin(worker)
    board.runs(apic)
    for (const assist of assists) assist.take()
    this.isKicked = false
  }

  /** Its thread's work is done: the guest goes on, or another thread. */
  rests(): void {
    const { assists, assist } = this.connected
    for (const each of assists) each.give()
    assist.tell(this.stopped.fields, secondary)
    this.stopped.controls = ((this.stopped.controls & ~Primary.USE_TPR_SHADOW) | assist.primary) >>> 0
  }

  /** What others have sent takes effect. */
  private take(): void {
    if (this.hasInit) {
      this.hasInit = false
      this.hasNmi = false
      this.activity = "waits for startup"
    }
    if (this.activity === "waits for startup" && this.startUpVector !== undefined) {
      this.begin(startUp(this.startUpVector), 0)
      this.startUpVector = undefined
      this.equip(true)
    }
  }

  // ---- registers

  register(name: keyof typeof numberOf): bigint {
    return this.stopped.registers[numberOf[name]]!
  }

  setRegister(name: keyof typeof numberOf, value: bigint): void {
    this.stopped.registers[numberOf[name]] = value
    this.stopped.areChanged = true
  }

  /** By the processor's number. RSP reads as 0, and is not written: no instruction that is emulated here is written with it. */
  byNumber(number: number): bigint {
    const name = byNumber[number]
    return name === undefined ? 0n : this.register(name)
  }

  setByNumber(number: number, value: bigint): void {
    const name = byNumber[number]
    if (name !== undefined) this.setRegister(name, value)
  }

  /** The instruction that left the guest is done. What it blocked interrupts for is over. */
  skip(length = this.stopped.instructionLength): "enter" {
    const { stopped } = this
    stopped.rip = BigInt.asUintN(64, stopped.rip + BigInt(length))
    if (stopped.interruptibility & blocking) {
      stopped.interruptibility &= ~blocking
      stopped.fields.push([VmcsField.GUEST_INTERRUPTIBILITY_STATE, BigInt(stopped.interruptibility)])
    }
    return "enter"
  }

  /** The instruction raises an exception instead. Its error code is 0 where it has one. */
  raise(vector: number): "enter" {
    const errorCode = vector === vectors.GP ? Interruption.ERROR_CODE : 0
    this.stopped.interruption = vector | (InterruptionType.HARDWARE_EXCEPTION << 8) | errorCode | Interruption.VALID
    return "enter"
  }

  invalid(): "enter" {
    return this.raise(vectors.UD)
  }

  protection(): "enter" {
    return this.raise(vectors.GP)
  }

  stop(why: string): "leave" {
    this.connected.ended({ _tag: "Stopped", why })
    return "leave"
  }

  /** What came of what it asked. */
  answer(value: bigint): void {
    this.isAsking = false
    this.setRegister("rax", value)
    this.skip()
    this.equip(true)
  }

  // ---- from exit to entry

  /** What is to be done about an exit. */
  exit = (): Step => {
    const { stopped, connected } = this
    const { reason } = stopped
    this.atWork()
    if (reason >= entryFailure) {
      return this.stop(`the processor does not enter it: exit reason ${hex(reason)}, at ${hex(stopped.rip)}`)
    }
    connected.exits.count(reason)
    const handle = exits.get(reason)
    if (handle === undefined) return this.stop(`it left for reason ${reason}, which nothing is known of`)
    return this.resting(this.prepared(handle(this)))
  }

  private resting(step: Step): Step {
    this.rests()
    return step
  }

  /** Between two turns of the guest: what is due happens, and what it is to be interrupted for is delivered. */
  private prepared(step: Step): Step {
    if (typeof step === "object") {
      return {
        read: step.read,
        goOn: (...values) => {
          this.atWork()
          return this.resting(this.prepared(this.isHeld ? "leave" : step.goOn(...values)))
        }
      }
    }
    this.connected.timers.runDue()
    if (this.isHeld || step === "leave" || this.activity !== "runs") return "leave"
    this.equip(true)
    return this.connected.isMisplaced() ? "leave" : step
  }

  /** Its guest's instructions are not executed any more, from before the one that left it. */
  private get isHeld(): boolean {
    return this.hasInit || this.connected.isOver()
  }

  /** It has what it is to be entered with. `isKnown`: as `deliver` has it. */
  private equip(isKnown: boolean): void {
    this.deliver(isKnown)
    this.arm()
  }

  /**
   * What waits at the local APIC goes to the guest with the next entry, or the guest leaves as soon as it can take it.
   * `isKnown`: the flags of the guest are those of now.
   */
  deliver(isKnown: boolean): void {
    const { stopped, connected } = this
    let windows = 0
    const isFree = (stopped.interruption & Interruption.VALID) === 0
    if (this.hasNmi && isFree && isKnown && (stopped.interruptibility & (blocking | 8)) === 0) {
      this.hasNmi = false
      stopped.interruption = 2 | (InterruptionType.NMI << 8) | Interruption.VALID
    } else if (this.hasNmi) windows |= Primary.NMI_WINDOW_EXITING
    const pending = connected.apic.pending()
    if (pending === external || (pending >= 0 && !connected.assist.delivers)) {
      const isOpen = isKnown && (stopped.rflags & RFLAGS_IF) !== 0 && (stopped.interruptibility & blocking) === 0
      if (isOpen && (stopped.interruption & Interruption.VALID) === 0) {
        stopped.interruption = connected.apic.acknowledge() | Interruption.VALID
        if (connected.apic.pending() >= 0) windows |= Primary.INTERRUPT_WINDOW_EXITING
      } else windows |= Primary.INTERRUPT_WINDOW_EXITING
    }
    stopped.controls = (primary | windows) >>> 0
  }

  /** The guest's turn ends when the next event of a chip is due. */
  private arm(): void {
    const { timers, preemptionShift } = this.connected
    const due = this.connected.due()
    if (due === this.armed) return
    this.armed = due
    const ticks = Math.ceil(Math.max(due - timers.now(), 1) / 2 ** preemptionShift)
    this.stopped.fields.push([VmcsField.PREEMPTION_TIMER_VALUE, BigInt(Math.min(ticks, 0xffff_ffff))])
  }

  /** The preemption timer has run out: set it again, if it was too early. */
  rearm(): "enter" {
    this.armed = Number.NaN
    return "enter"
  }

  /** Something came from outside while the guest ran. */
  interrupted(): Step {
    this.connected.timers.runDue()
    if (this.isHeld || this.activity !== "runs") return this.resting("leave")
    this.equip(false)
    return this.resting("enter")
  }

  /** It does not run: whether it does now. */
  look(): boolean {
    this.connected.timers.runDue()
    this.take()
    if (this.activity === "halted" && this.mayWake()) {
      this.activity = "runs"
      this.equip(true)
    }
    this.rests()
    return this.activity === "runs"
  }

  /** A halted processor goes on for an interrupt that it takes, or an NMI. */
  private mayWake(): boolean {
    const { apic } = this.connected
    return this.hasNmi || ((this.stopped.rflags & RFLAGS_IF) !== 0 && apic.pending() >= 0)
  }

  /** Whether it runs, or could go on without another processor, which alone sends NMIs and startup IPIs. */
  get isAlive(): boolean {
    if (this.activity === "runs" || this.isKicked || this.hasInit) return true
    return this.activity === "halted" && (this.hasNmi || (this.stopped.rflags & RFLAGS_IF) !== 0)
  }
}

type Handle = (cpu: VirtualCpu) => Step

const invalid: Handle = (cpu) => cpu.invalid()
const skipped: Handle = (cpu) => cpu.skip()

const low32 = (value: bigint): number => Number(BigInt.asUintN(32, value))

const cpuid: Handle = (cpu) => {
  const [eax, ebx, ecx, edx] = cpu.connected.cpuid(low32(cpu.register("rax")), low32(cpu.register("rcx")))
  cpu.setRegister("rax", BigInt(eax >>> 0))
  cpu.setRegister("rbx", BigInt(ebx >>> 0))
  cpu.setRegister("rcx", BigInt(ecx >>> 0))
  cpu.setRegister("rdx", BigInt(edx >>> 0))
  return cpu.skip()
}

const halt: Handle = (cpu) => {
  cpu.skip()
  cpu.activity = "halted"
  return "leave"
}

const readRegister: Handle = (cpu) => {
  const number = low32(cpu.register("rcx"))
  const value = readMsr(cpu.connected.apic, number, cpu.connected.timers.now())
  if (value === undefined) return cpu.protection()
  cpu.setRegister("rax", BigInt.asUintN(32, value))
  cpu.setRegister("rdx", value >> 32n)
  return cpu.skip()
}

const writeRegister: Handle = (cpu) => {
  const value = BigInt.asUintN(32, cpu.register("rax")) | (BigInt.asUintN(32, cpu.register("rdx")) << 32n)
  return writeMsr(cpu.connected.apic, low32(cpu.register("rcx")), value) ? cpu.skip() : cpu.protection()
}

/** "Exit Qualification for I/O Instructions". */
const inputOutput: Handle = (cpu) => {
  const { qualification } = cpu.stopped
  const bytes = (qualification & 7) + 1
  const port = qualification >>> 16
  const isIn = (qualification & 8) !== 0
  cpu.connected.exits.countDevice("port", port)
  if (qualification & 0x10) return stringOfPorts(cpu, port, bytes, isIn, (qualification & 0x20) !== 0)
  const { bus } = cpu.connected.board
  const width = (8 * bytes) as 8 | 16 | 32
  const rax = cpu.register("rax")
  if (!isIn) bus.writePort(port, width, low32(BigInt.asUintN(width, rax)))
  else {
    const value = BigInt(bus.readPort(port, width) >>> 0)
    cpu.setRegister("rax", width === 32 ? value : (rax & ~((1n << BigInt(width)) - 1n)) | value)
  }
  return cpu.skip()
}

/** INS and OUTS: an element at an entry, until all are done. The address is the processor's. */
const stringOfPorts = (cpu: VirtualCpu, port: number, bytes: number, isIn: boolean, repeats: boolean): Step => ({
  read: [VmcsField.GUEST_LINEAR_ADDRESS],
  goOn: (linear) => access.ports(cpu, { port, bytes, isIn, repeats, linear: linear! })
})

/** "Exit Qualification for Control-Register Accesses". */
const controlRegister: Handle = (cpu) => {
  const { qualification } = cpu.stopped
  const [number, kind, general] = [qualification & 15, (qualification >>> 4) & 3, (qualification >>> 8) & 15]
  if (number === 8) {
    const { apic } = cpu.connected
    if (kind === 1) cpu.setByNumber(general, BigInt(apic.taskPriority >>> 4))
    else {
      const value = cpu.byNumber(general)
      if (value > 15n) return cpu.protection()
      apic.setTaskPriority(Number(value) << 4)
    }
    return cpu.skip()
  }
  if (kind !== 0 || (number !== 0 && number !== 4)) {
    return cpu.stop(`it accesses CR${number} in a way that is not emulated (${kind})`)
  }
  const value = cpu.byNumber(general)
  if (number === 4) {
    if (value & shadowed.CR4) return cpu.protection()
    cpu.stopped.fields.push([VmcsField.GUEST_CR4, value | needed.CR4], [VmcsField.CR4_READ_SHADOW, value])
    return cpu.skip()
  }
  return {
    read: [VmcsField.GUEST_CR0, VmcsField.GUEST_IA32_EFER, VmcsField.ENTRY_CONTROLS],
    goOn: (cr0, efer, entry) => {
      cpu.stopped.fields.push([VmcsField.GUEST_CR0, value | needed.CR0], [VmcsField.CR0_READ_SHADOW, value])
      // Paging begins or ends: so does IA-32e mode, if it is enabled.
      if ((cr0! ^ value) & bit.CR0.PG && efer! & EFER.LME) {
        const isLong = (value & bit.CR0.PG) !== 0n
        const control = BigInt(EntryControl.IA32E_MODE_GUEST)
        cpu.stopped.fields.push(
          [VmcsField.GUEST_IA32_EFER, isLong ? efer! | EFER.LMA : efer! & ~EFER.LMA],
          [VmcsField.ENTRY_CONTROLS, isLong ? entry! | control : entry! & ~control]
        )
      }
      return cpu.skip()
    }
  }
}

/** XCR0 is what the kernel keeps state for, and nothing else: x87 and SSE. */
const setExtendedControl: Handle = (cpu) =>
  low32(cpu.register("rcx")) === 0 && low32(cpu.register("rax")) === 3 && low32(cpu.register("rdx")) === 0
    ? cpu.skip()
    : cpu.protection()

const vmcall: Handle = (cpu) => {
  const answer = cpu.connected.hypercall(cpu.register("rax"))
  cpu.isAsking = answer === undefined
  if (answer === undefined) return "leave"
  cpu.setRegister("rax", answer)
  return cpu.skip()
}

/** A device's registers, or memory that is none. */
const violation: Handle = (cpu) => {
  cpu.connected.exits.countDevice("page", Math.floor(cpu.stopped.guestPhysical / 4096))
  return access.memory(cpu)
}

const entered: Handle = () => "enter"

// What its local APIC does not do by itself.

/**
 * An access that is not virtualized. "Exit Qualification for APIC-Access VM Exits from Linear Accesses and Guest-Physical Accesses": the offset
 * in bits 11:0, the type in 15:12. It is what an EPT violation there would be.
 */
const apicAccess: Handle = (cpu) => {
  const { stopped } = cpu
  const type = stopped.qualification >>> 12
  stopped.guestPhysical = apicAccessAt + (stopped.qualification & 0xfff)
  stopped.qualification = type < linearTypes.length ? linearTypes[type]! | eptViolation.ofPage : eptViolation.read
  return violation(cpu)
}
/** A read, a write, a fetch, and an access during the delivery of an event. */
const linearTypes = [eptViolation.read, eptViolation.write, eptViolation.fetch, eptViolation.read] as const

/** The write was done on the page. */
const apicWrite: Handle = (cpu) => {
  cpu.connected.assist.written(cpu.stopped.qualification & 0xff0)
  return "enter"
}

const virtualizedEoi: Handle = (cpu) => {
  cpu.connected.apic.ended(cpu.stopped.qualification & 0xff)
  return "enter"
}

/** It waits for another processor, which runs on this one's time if it does not wait for its own. */
const spin: Handle = (cpu) => {
  cpu.stopped.yields = true
  return cpu.skip()
}

/** "Shutdown": no handler was reached for an exception. */
const tripleFault: Handle = (cpu) => {
  if (cpu.connected.onTripleFault === "stop") return reportedFault(cpu)
  cpu.connected.reset()
  return "leave"
}

const reportedFault: Handle = (cpu) => ({
  read: [VmcsField.GUEST_CS_SELECTOR, VmcsField.GUEST_RSP, VmcsField.GUEST_IDTR_BASE, VmcsField.GUEST_IDTR_LIMIT],
  goOn: (...values) => {
    const [cs, rsp, base, limit] = values.map((value) => hex(value))
    const { rip, cr3 } = cpu.stopped
    return cpu.stop(
      `triple fault at CS:RIP ${cs}:${hex(rip)}, RSP ${rsp}, CR3 ${hex(cr3)}, IDT at ${base} with limit ${limit}`
    )
  }
})

// biome-ignore format: a reason, a line
const exits: ReadonlyMap<number, Handle> = new Map<number, Handle>([
  [ExitReason.TRIPLE_FAULT,            tripleFault],
  [ExitReason.INTERRUPT_WINDOW,        entered],
  [ExitReason.NMI_WINDOW,              entered],
  [ExitReason.TASK_SWITCH,             (cpu) => cpu.stop("it switches tasks, which is not emulated")],
  [ExitReason.CPUID,                   cpuid],
  [ExitReason.GETSEC,                  invalid],
  [ExitReason.HLT,                     halt],
  [ExitReason.INVD,                    skipped],
  [ExitReason.RDPMC,                   (cpu) => cpu.protection()],
  [ExitReason.VMCALL,                  vmcall],
  [ExitReason.VMCLEAR,                 invalid],
  [ExitReason.VMLAUNCH,                invalid],
  [ExitReason.VMPTRLD,                 invalid],
  [ExitReason.VMPTRST,                 invalid],
  [ExitReason.VMREAD,                  invalid],
  [ExitReason.VMRESUME,                invalid],
  [ExitReason.VMWRITE,                 invalid],
  [ExitReason.VMXOFF,                  invalid],
  [ExitReason.VMXON,                   invalid],
  [ExitReason.CONTROL_REGISTER_ACCESS, controlRegister],
  [ExitReason.IO_INSTRUCTION,          inputOutput],
  [ExitReason.RDMSR,                   readRegister],
  [ExitReason.WRMSR,                   writeRegister],
  [ExitReason.MWAIT,                   invalid],
  [ExitReason.MONITOR,                 invalid],
  [ExitReason.PAUSE,                   spin],
  [ExitReason.APIC_ACCESS,             apicAccess],
  [ExitReason.VIRTUALIZED_EOI,         virtualizedEoi],
  [ExitReason.EPT_VIOLATION,           violation],
  [ExitReason.INVEPT,                  invalid],
  [ExitReason.PREEMPTION_TIMER,        (cpu) => cpu.rearm()],
  [ExitReason.INVVPID,                 invalid],
  [ExitReason.WBINVD,                  skipped],
  [ExitReason.XSETBV,                  setExtendedControl],
  [ExitReason.APIC_WRITE,              apicWrite],
  [ExitReason.VMFUNC,                  invalid]
])
