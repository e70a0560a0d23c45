/** What calls on threads and their time say to those who lack a right, or have something else. */
import { Effect } from "effect"
import { type Cap, consume } from "../../src/types/Capability.ts"
import { Fault_Receive, Fault_Reply, type FaultReceived } from "../../src/user/Fault.ts"
import {
  SchedContext_Bind,
  SchedContext_Consumed,
  SchedContext_Unbind,
  SchedControl_Configure,
  TCB_Configure,
  TCB_Create,
  TCB_ReadRegisters,
  TCB_Resume,
  TCB_Suspend,
  TCB_WriteRegisters
} from "../../src/user/Threads.ts"

declare const tcb: Cap<"TCB", "configure" | "schedule" | "run" | "readRegisters" | "writeRegisters">
declare const tcbRun: Cap<"TCB", "run">
declare const tcbRead: Cap<"TCB", "readRegisters">
declare const old: Cap<"TCB", "run" | "readRegisters" | "writeRegisters">
declare const space: Cap<"AddressSpace", "bind" | "map">
declare const spaceMap: Cap<"AddressSpace", "map">
declare const cnode: Cap<"CNode", "take" | "put">
declare const cnodePut: Cap<"CNode", "put">
declare const frame: Cap<"Frame", "read" | "write">
declare const faults: Cap<"Endpoint", "read" | "write" | "grant">
declare const faultsW: Cap<"Endpoint", "write">
declare const answering: Cap<"Reply", "send" | "receive">
declare const answeringR: Cap<"Reply", "receive">
declare const control: Cap<"SchedControl", "configure">
declare const time: Cap<"SchedContext", "configure" | "bind" | "consume">
declare const timeBind: Cap<"SchedContext", "bind">
declare const bell: Cap<"Notification", "read">
declare const received: FaultReceived

const turns = { budget: 1000, period: 1000 }
const runsIn = { vspaceRoot: space, cspaceRoot: cnode, cspaceBits: 8, priority: 1, authority: tcb } as const

export const creating = Effect.gen(function* () {
  yield* TCB_Create(space)
  yield* TCB_Create(spaceMap) //! TS2345 ⛔ TCB_Create needs right 'bind'; this AddressSpace capability holds 'map'
  yield* TCB_Create(cnode) //! TS2345 ⛔ TCB_Create needs an AddressSpace capability, got CNode
  yield* TCB_Create(space, faults)
  yield* TCB_Create(space, faultsW) //! TS2345 ⛔ TCB_Create needs right 'grant' or 'grantReply'; this Endpoint capability holds 'write'
  yield* TCB_Create(space, bell) //! TS2345 ⛔ TCB_Create needs an Endpoint capability, got Notification
})

export const configuring = Effect.gen(function* () {
  yield* TCB_Configure(tcb, runsIn)
  yield* TCB_Configure(tcbRun, runsIn) //! TS2345 ⛔ TCB_Configure needs right 'configure+schedule'; this TCB capability holds 'run'
  yield* TCB_Configure(space, runsIn) //! TS2345 ⛔ TCB_Configure needs a TCB capability, got AddressSpace
  yield* TCB_Configure(tcb, { ...runsIn, vspaceRoot: space })
  yield* TCB_Configure(tcb, { ...runsIn, vspaceRoot: spaceMap }) //! TS2322 ⛔ TCB_Configure needs right 'bind'; this AddressSpace capability holds 'map'
  yield* TCB_Configure(tcb, { ...runsIn, cspaceRoot: cnode })
  yield* TCB_Configure(tcb, { ...runsIn, cspaceRoot: cnodePut }) //! TS2322 ⛔ TCB_Configure needs right 'take'; this CNode capability holds 'put'
  yield* TCB_Configure(tcb, { ...runsIn, authority: tcb })
  yield* TCB_Configure(tcb, { ...runsIn, authority: tcbRun }) //! TS2322 ⛔ TCB_Configure needs right 'schedule'; this TCB capability holds 'run'
  yield* TCB_Configure(tcb, { ...runsIn, ipcBuffer: { frame, address: 0x1000 } })
  yield* TCB_Configure(tcb, { ...runsIn, ipcBuffer: { frame: bell, address: 0x1000 } }) //! TS2322 ⛔ TCB_Configure needs a Frame capability, got Notification
})

export const running = Effect.gen(function* () {
  yield* TCB_Resume(tcbRun)
  yield* TCB_Resume(tcbRead) //! TS2345 ⛔ TCB_Resume needs right 'run'; this TCB capability holds 'readRegisters'
  yield* TCB_Suspend(tcbRun)
  yield* TCB_Suspend(tcbRead) //! TS2345 ⛔ TCB_Suspend needs right 'run'; this TCB capability holds 'readRegisters'
  yield* TCB_ReadRegisters(tcbRead)
  yield* TCB_ReadRegisters(tcbRun) //! TS2345 ⛔ TCB_ReadRegisters needs right 'readRegisters'; this TCB capability holds 'run'
  yield* TCB_WriteRegisters(tcb, { rip: 0n })
  yield* TCB_WriteRegisters(tcbRead, { rip: 0n }) //! TS2345 ⛔ TCB_WriteRegisters needs right 'writeRegisters'; this TCB capability holds 'readRegisters'
  yield* TCB_WriteRegisters(tcb, { rip: 0n })
  yield* TCB_WriteRegisters(tcb, { eip: 0n }) //! TS2353 'eip' does not exist in type
  consume(old)
  yield* TCB_Resume(tcb)
  yield* TCB_Resume(old) //! TS2345 ⛔ TCB_Resume: capability was already moved, deleted or revoked
})

export const scheduling = Effect.gen(function* () {
  yield* SchedControl_Configure(control, time, tcb, turns)
  yield* SchedControl_Configure(time, time, tcb, turns) //! TS2345 ⛔ SchedControl_Configure needs a SchedControl capability, got SchedContext
  yield* SchedControl_Configure(control, time, tcb, turns)
  yield* SchedControl_Configure(control, timeBind, tcb, turns) //! TS2345 ⛔ SchedControl_Configure needs right 'configure+bind'; this SchedContext capability holds 'bind'
  yield* SchedControl_Configure(control, time, tcb, turns)
  yield* SchedControl_Configure(control, time, tcbRun, turns) //! TS2345 ⛔ SchedControl_Configure needs right 'schedule'; this TCB capability holds 'run'
  yield* SchedContext_Bind(timeBind, bell)
  yield* SchedContext_Bind(timeBind, frame) //! TS2345 ⛔ SchedContext_Bind needs another capability, got Frame
  yield* SchedContext_Bind(timeBind, tcb)
  yield* SchedContext_Bind(timeBind, tcbRun) //! TS2345 ⛔ SchedContext_Bind needs right 'schedule'; this TCB capability holds 'run'
  yield* SchedContext_Unbind(timeBind)
  yield* SchedContext_Unbind(control) //! TS2345 ⛔ SchedContext_Unbind needs a SchedContext capability, got SchedControl
  yield* SchedContext_Consumed(time)
  yield* SchedContext_Consumed(timeBind) //! TS2345 ⛔ SchedContext_Consumed needs right 'consume'; this SchedContext capability holds 'bind'
})

export const faulting = Effect.gen(function* () {
  yield* Fault_Receive(faults, answering)
  yield* Fault_Receive(faultsW, answering) //! TS2345 ⛔ Fault_Receive needs right 'read'; this Endpoint capability holds 'write'
  yield* Fault_Receive(faults, answering)
  yield* Fault_Receive(faults, bell) //! TS2345 ⛔ Fault_Receive needs a Reply capability, got Notification
  yield* Fault_Reply(answering, received)
  yield* Fault_Reply(answeringR, received) //! TS2345 ⛔ Fault_Reply needs right 'send'; this Reply capability holds 'receive'
})
