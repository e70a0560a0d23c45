/**
 * VirtualProcessor: a processor for a guest, and the memory that the guest takes for the machine's.
 *
 * A thread that a virtual processor is bound to runs its guest: `VCPU_Run` enters it again and again, and asks what is to be done
 * about each exit. What the guest can reach is what was mapped for it with `EPT_Map`, and no more.
 */
import { Effect } from "effect"
import { type AnyCap, cptrOf, type Using } from "../types/Capability.ts"
import type { Answer, Request, ThreadMemory } from "../types/Gate.ts"
import { messageWord } from "../types/IpcBuffer.ts"
import * as MessageInfo from "../types/MessageInfo.ts"
import type { Need } from "../types/Need.ts"
import type { ObjectType } from "../types/ObjectType.ts"
import * as Rights from "../types/Rights.ts"
import * as ASIDPool from "../types/x86_64/methods/ASIDPool.ts"
import * as EPTPD from "../types/x86_64/methods/EPTPD.ts"
import * as EPTPDPT from "../types/x86_64/methods/EPTPDPT.ts"
import * as EPTPT from "../types/x86_64/methods/EPTPT.ts"
import * as Frame from "../types/x86_64/methods/Frame.ts"
import * as Guest from "../types/x86_64/methods/TCB.ts"
import * as VCPU from "../types/x86_64/methods/VCPU.ts"
import type { VmcsField } from "../types/x86_64/VmcsField.ts"
import * as VmEnter from "../types/x86_64/VmEnter.ts"
import type { Allocator, NotMade } from "./Allocator.ts"
import type { Full } from "./BootInfo.ts"
import { held, invoke, pointer, type Refusal } from "./Invocation.ts"
import { create, makingTables } from "./Memory.ts"
import { done, Syscalls } from "./Syscalls.ts"
import { invocation, numbers, replyOf, steps, syscallOf } from "./Transaction.ts"

export { TCB_BindNotification } from "./ThreadSettings.ts"

// What a guest takes for physical memory.

/** A guest's physical memory, in which nothing is mapped. */
export const GuestMemory_Create = <C extends AnyCap>(
  pool: Need<C, "GuestMemory_Create", "ASIDPool", "assign">
): Effect.Effect<Full<"EPTPML4">, NotMade, Syscalls | Allocator | Using<C, "assign">> =>
  Effect.gen(function* () {
    const root = yield* create("EPTPML4")
    yield* invoke(ASIDPool.Assign, pointer(pool), { vspace: pointer(root) })
    return root
  })

/** Memory type 6. SDM vol. 3C, "EPT and Memory Typing". */
const writeBack = 6

/** Map a frame at an address of a guest's memory, a multiple of its size. Tables that are not there yet are made. */
export const EPT_Map = <C extends AnyCap, F extends AnyCap>(
  root: Need<C, "EPT_Map", "EPTPML4", "map">,
  address: number,
  frame: Need<F, "EPT_Map", "Frame">
): Effect.Effect<void, NotMade, Syscalls | Allocator | Using<C, "map"> | Using<F>> =>
  Effect.suspend(() => {
    const where = { gpa: address, attr: writeBack, eptpml4: pointer(root) }
    const rights = Rights.wordKeeping("Frame", Rights.heldAll("Frame"), false)
    return makingTables(invoke(Frame.MapEPT, pointer(frame), { ...where, rights }), (bits) => {
      const { type, map } = tables[bits]!
      const gpa = Math.floor(address / 2 ** bits) * 2 ** bits
      return Effect.flatMap(create(type), (table) => invoke(map, pointer(table), { ...where, gpa }))
    })
  })

/** The table that translates an address from its bit `bits` down. */
const tables: {
  readonly [bits: number]: {
    readonly type: ObjectType
    readonly map: typeof EPTPDPT.Map | typeof EPTPD.Map | typeof EPTPT.Map
  }
} = {
  39: { type: "EPTPDPT", map: EPTPDPT.Map },
  30: { type: "EPTPD", map: EPTPD.Map },
  21: { type: "EPTPT", map: EPTPT.Map }
}

/** Say what is the physical memory of the guest that a thread runs. */
export const TCB_SetEPTRoot = <C extends AnyCap, R extends AnyCap>(
  tcb: Need<C, "TCB_SetEPTRoot", "TCB", "configure">,
  root: Need<R, "TCB_SetEPTRoot", "EPTPML4", "bind">
): Effect.Effect<void, Refusal, Syscalls | Using<C, "configure"> | Using<R, "bind">> =>
  Effect.asVoid(invoke(Guest.SetEPTRoot, pointer(tcb), { eptpml4: pointer(root) }))

// The virtual processor.

/** Say which thread runs a virtual processor. */
export const VCPU_SetTCB = <C extends AnyCap, T extends AnyCap>(
  vcpu: Need<C, "VCPU_SetTCB", "VCPU", "bind">,
  tcb: Need<T, "VCPU_SetTCB", "TCB", "configure">
): Effect.Effect<void, Refusal, Syscalls | Using<C, "bind"> | Using<T, "configure">> =>
  Effect.asVoid(invoke(VCPU.SetTCB, pointer(vcpu), { tcb: pointer(tcb) }))

/** A field of its control structure, by the encoding in the manual. SDM vol. 3D, "Field Encoding in VMCS". */
export const VCPU_ReadVMCS = <C extends AnyCap>(
  vcpu: Need<C, "VCPU_ReadVMCS", "VCPU", "readState">,
  field: number
): Effect.Effect<bigint, Refusal, Syscalls | Using<C, "readState">> =>
  Effect.map(invoke(VCPU.ReadVMCS, pointer(vcpu), { field }), ({ value }) => value)

/** Write a field. @returns what it holds then: some bits are not free. */
export const VCPU_WriteVMCS = <C extends AnyCap>(
  vcpu: Need<C, "VCPU_WriteVMCS", "VCPU", "writeState">,
  field: number,
  value: bigint
): Effect.Effect<bigint, Refusal, Syscalls | Using<C, "writeState">> =>
  Effect.map(invoke(VCPU.WriteVMCS, pointer(vcpu), { field, value }), ({ written }) => written)

/** A page that the processor uses by its physical address: the field that holds the address. */
export type PageField = (typeof VmcsField)[
  | "VIRTUAL_APIC_ADDRESS"
  | "APIC_ACCESS_ADDRESS"
  | "POSTED_INTERRUPT_DESCRIPTOR"]

/** Give the processor a page that it uses for the guest, until the capability is unmapped or deleted. */
export const VCPU_SetPage = <C extends AnyCap, F extends AnyCap>(
  vcpu: Need<C, "VCPU_SetPage", "VCPU", "writeState">,
  field: PageField,
  frame: Need<F, "VCPU_SetPage", "Frame", "read" | "write">
): Effect.Effect<void, Refusal, Syscalls | Using<C, "writeState"> | Using<F, "read" | "write">> =>
  Effect.asVoid(invoke(VCPU.SetPage, pointer(vcpu), { field, frame: pointer(frame) }))

/** Registers that its control structure does not have are as after a reset. */
export const VCPU_ResetRegisters = <C extends AnyCap>(
  vcpu: Need<C, "VCPU_ResetRegisters", "VCPU", "writeState">
): Effect.Effect<void, Refusal, Syscalls | Using<C, "writeState">> =>
  Effect.asVoid(invoke(VCPU.ResetRegisters, pointer(vcpu), {}))

// Running it.

/** The order of the guest's registers in messages. */
export const registerOrder = VmEnter.registers

/** A guest between an exit and the next entry. The words of an exit's message, of which a handler changes what is to be different. */
export class Stopped {
  /** Where the guest goes on. */
  rip = 0n
  /** "Primary Processor-Based VM-Execution Controls". */
  controls = 0
  /** "VM-Entry Interruption-Information Field": what is delivered to the guest at the entry. */
  interruption = 0
  /** General registers, in `registerOrder`. Who changes one sets `areChanged`. */
  readonly registers = new BigUint64Array(registerOrder.length)
  areChanged = false
  /** Before all else, the registers that the control structure does not have become what they are after a reset. */
  isReset = false
  /** Fields of the control structure to be written before the entry. */
  readonly fields: Array<readonly [field: number, value: bigint]> = []
  /** Notifications to be signalled before the entry: capability pointers. */
  readonly signals: Array<bigint> = []
  /** Other threads run before the entry. */
  yields = false

  reason = 0
  qualification = 0
  instructionLength = 0
  guestPhysical = 0
  rflags = 0
  interruptibility = 0
  cr3 = 0
}

/** What a handler says after an exit: enter again, return to who called `VCPU_Run`, or first read these fields. */
export type Step = "enter" | "leave" | Reading
export interface Reading {
  readonly read: ReadonlyArray<number>
  readonly goOn: (...values: ReadonlyArray<bigint>) => Step
}

export interface Handler {
  /** The guest did something that is not for the processor to do. */
  readonly exit: (stopped: Stopped) => Step
  /** The thread's notification was signalled: by these badges. */
  readonly notified: (badge: bigint, stopped: Stopped) => Step
}

/** The kernel refused to go on: its label. The virtual processor is gone, or another thread's. */
export interface NotRun {
  readonly _tag: "NotRun"
  readonly label: number
}

/** Run the guest from `stopped` on until a handler says to leave. */
export const VCPU_Run = <C extends AnyCap>(
  vcpu: Need<C, "VCPU_Run", "VCPU", "readState" | "writeState">,
  stopped: Stopped,
  handler: Handler
): Effect.Effect<void, NotRun, Syscalls | Using<C, "readState" | "writeState">> =>
  Effect.flatMap(Syscalls, ({ memory, transact }) =>
    Effect.flatMap(
      transact((buffer) => steps(running(cptrOf(held(vcpu)), stopped, handler, memory, Number(buffer)))),
      (label) => (label === 0 ? Effect.void : Effect.fail<NotRun>({ _tag: "NotRun", label }))
    )
  )

/** Signal what the guest is to be entered after, without entering it. */
export const VCPU_Signal = ({ signals }: Stopped): Effect.Effect<void, never, Syscalls> =>
  Effect.flatMap(Syscalls, ({ call }) =>
    Effect.forEach(
      signals.splice(0),
      (capability) => call({ syscall: "NBSend", capability, label: 0, words: [], caps: [], reply: 0n }, done),
      { discard: true }
    )
  )

const wordBytes = 8
/** What VMEnter returns. */
const exited = 1n
/** Words of an exit's message, beyond those in registers, as they are in the IPC buffer. */
const bufferWords = 6 + registerOrder.length

/** @returns the label of what was refused, or 0. */
function* running(
  vcpu: bigint,
  stopped: Stopped,
  handler: Handler,
  memory: ThreadMemory,
  buffer: number
): Generator<Request, number, Answer> {
  const words = new BigUint64Array(bufferWords)
  const bytes = new Uint8Array(words.buffer)
  const halves = new Uint32Array(words.buffer)
  /** The registers but for the first, which is in one. */
  const others = new Uint8Array(stopped.registers.buffer, wordBytes)
  const inBuffer = buffer + messageWord(MessageInfo.registerWords)
  for (;;) {
    if (stopped.isReset) {
      const { label } = replyOf(yield invocation(vcpu, VCPU.ResetRegisters, 0, 0n))
      if (label !== 0) return label
      stopped.isReset = false
    }
    for (const [field, value] of stopped.fields) {
      const { label } = replyOf(yield invocation(vcpu, VCPU.WriteVMCS, 2, BigInt(field), value))
      if (label !== 0) return label
    }
    stopped.fields.length = 0
    for (const notification of stopped.signals) yield signal(notification)
    stopped.signals.length = 0
    if (stopped.yields) yield yielding
    stopped.yields = false

    const { areChanged } = stopped
    if (areChanged) memory.write(inBuffer, others)
    stopped.areChanged = false
    const answer = syscallOf(yield enter(stopped, areChanged))
    stopped.rip = answer.mr0
    stopped.controls = Number(answer.mr1)
    stopped.interruption = Number(answer.mr2)
    let step: Step
    if (answer.info === exited) {
      memory.read(inBuffer, bytes)
      stopped.reason = Number(answer.mr3)
      stopped.qualification = wordAt(halves, 0)
      stopped.instructionLength = halves[2]!
      stopped.guestPhysical = wordAt(halves, 2)
      stopped.rflags = halves[6]!
      stopped.interruptibility = halves[8]!
      stopped.cr3 = wordAt(halves, 5)
      stopped.registers.set(words.subarray(6))
      step = handler.exit(stopped)
    } else step = handler.notified(answer.badge, stopped)
    while (typeof step === "object") {
      const values: Array<bigint> = []
      for (const field of step.read) {
        const { label, value } = replyOf(yield invocation(vcpu, VCPU.ReadVMCS, 1, BigInt(field)))
        if (label !== 0) return label
        values.push(value)
      }
      step = step.goOn(...values)
    }
    if (step === "leave") return 0
  }
}

/** A word of fewer than 54 bits, by its halves. */
const wordAt = (halves: Uint32Array, index: number): number => halves[2 * index + 1]! * 2 ** 32 + halves[2 * index]!

const none = { capability: 0n, info: 0n, mr0: 0n, mr1: 0n, mr2: 0n, mr3: 0n, reply: 0n, destination: 0n } as const

const signal = (capability: bigint): Request => ({ ...none, _tag: "Syscall", number: numbers.Send, capability })

const yielding: Request = { ...none, _tag: "Syscall", number: numbers.Yield }

const withRegisters = BigInt(VmEnter.callWithRegisters)

const enter = ({ rip, controls, interruption, registers }: Stopped, areChanged: boolean): Request => ({
  _tag: "Syscall",
  number: numbers.VMEnter,
  capability: 0n,
  info: areChanged ? withRegisters : 0n,
  mr0: rip,
  mr1: BigInt(controls >>> 0),
  mr2: BigInt(interruption >>> 0),
  mr3: areChanged ? registers[0]! : 0n,
  reply: 0n,
  destination: 0n
})
