/** What the calls that few programs make say to those who lack a right, or have something else. */
import { Effect } from "effect"
import { type Cap, consume, type Made } from "../../src/types/Capability.ts"
import { VmcsField } from "../../src/types/x86_64/VmcsField.ts"
import {
  Cap_CancelBadgedSends,
  Cap_Copy,
  Cap_DeleteFrom,
  Cap_MintInto,
  Cap_Mutate,
  Cap_RevokeFrom,
  Cap_Rotate,
  give
} from "../../src/user/Capabilities.ts"
import { DomainSet_ScheduleConfigure, DomainSet_ScheduleSetStart, DomainSet_Set } from "../../src/user/Domains.ts"
import {
  IRQControl_GetIOAPIC,
  IRQControl_GetMSI,
  IRQHandler_Ack,
  IRQHandler_Clear,
  IRQHandler_SetNotification
} from "../../src/user/Interrupts.ts"
import { ReceivePoll, SendReceive, Signal_Pointer } from "../../src/user/Ipc.ts"
import { AddressSpace_Map } from "../../src/user/Memory.ts"
import {
  ASIDControl_MakePool,
  ASIDPool_Assign,
  Frame_GetAddress,
  PageDirectory_Map,
  PageDirectory_Unmap,
  PageTable_Map,
  PageTable_Unmap,
  PDPT_Map,
  PDPT_Unmap
} from "../../src/user/PageTables.ts"
import { IOPort_In16, IOPort_In32, IOPort_Out16, IOPort_Out32 } from "../../src/user/Ports.ts"
import { Shared_Address, Shared_Read, Shared_Write } from "../../src/user/Shared.ts"
import {
  TCB_BindNotification,
  TCB_CopyRegisters,
  TCB_SetFlags,
  TCB_SetIPCBuffer,
  TCB_SetMCPriority,
  TCB_SetPriority,
  TCB_SetSchedParams,
  TCB_SetSpace,
  TCB_SetTimeoutEndpoint,
  TCB_SetTLSBase,
  TCB_UnbindNotification
} from "../../src/user/ThreadSettings.ts"
import {
  Debug_NameThread,
  SchedContext_UnbindObject,
  SchedContext_YieldTo,
  SchedControl_SetBudget
} from "../../src/user/Threads.ts"
import {
  EPT_Map,
  GuestMemory_Create,
  type Handler,
  Stopped,
  TCB_SetEPTRoot,
  VCPU_ReadVMCS,
  VCPU_ResetRegisters,
  VCPU_Run,
  VCPU_SetPage,
  VCPU_SetTCB,
  VCPU_WriteVMCS
} from "../../src/user/VirtualProcessor.ts"

declare const tcb: Cap<"TCB", "configure" | "schedule" | "readRegisters" | "writeRegisters">
declare const tcbRun: Cap<"TCB", "run">
declare const all: Cap<"Endpoint", "read" | "write" | "grant" | "grantReply">
declare const hears: Cap<"Endpoint", "read">
declare const sends: Cap<"Endpoint", "write">
declare const handles: Cap<"Endpoint", "write" | "grantReply">
declare const bell: Cap<"Notification", "read" | "write">
declare const bellR: Cap<"Notification", "read">
declare const bellW: Cap<"Notification", "write">
declare const frame: Cap<"Frame", "read">
declare const space: Cap<"AddressSpace", "map" | "bind" | "assign">
declare const spaceU: Cap<"AddressSpace", "unmap">
declare const cnode: Cap<"CNode", "take" | "put" | "delete">
declare const cnodeP: Cap<"CNode", "put">
declare const time: Cap<"SchedContext", "bind" | "consume">
declare const timeC: Cap<"SchedContext", "configure">
declare const answering: Cap<"Reply", "send" | "receive">
declare const answeringS: Cap<"Reply", "send">
declare const irqs: Cap<"IRQControl", "issue">
declare const irqsNone: Cap<"IRQControl", never>
declare const irq: Cap<"IRQHandler", "acknowledge" | "configure">
declare const irqA: Cap<"IRQHandler", "acknowledge">
declare const irqC: Cap<"IRQHandler", "configure">
declare const domains: Cap<"Domain", "set" | "schedule">
declare const domainsSet: Cap<"Domain", "set">
declare const domainsSchedule: Cap<"Domain", "schedule">
declare const memory: Cap<"Untyped", "retype">
declare const memoryNone: Cap<"Untyped", never>
declare const pools: Cap<"ASIDControl", "makePool">
declare const poolsNone: Cap<"ASIDControl", never>
declare const pool: Cap<"ASIDPool", "assign">
declare const poolNone: Cap<"ASIDPool", never>
declare const pdpt: Cap<"PDPT", "map" | "unmap">
declare const pdptU: Cap<"PDPT", "unmap">
declare const pdptM: Cap<"PDPT", "map">
declare const directory: Cap<"PageDirectory", "map" | "unmap">
declare const directoryU: Cap<"PageDirectory", "unmap">
declare const directoryM: Cap<"PageDirectory", "map">
declare const table: Cap<"PageTable", "map" | "unmap">
declare const tableU: Cap<"PageTable", "unmap">
declare const tableM: Cap<"PageTable", "map">
declare const ports: Cap<"IOPort", "in" | "out">
declare const portsIn: Cap<"IOPort", "in">
declare const portsOut: Cap<"IOPort", "out">
declare const old: Cap<"Notification", "read" | "write">

declare const frameRW: Cap<"Frame", "read" | "write">
declare const frameX: Cap<"Frame", "execute">
declare const guest: Cap<"EPTPML4", "map" | "bind">
declare const guestU: Cap<"EPTPML4", "unmap">
declare const bare: Made<"PML4">
declare const bareTable: Made<"PageTable">
declare const placed: Cap<"PageTable", "map" | "unmap">
declare const ioPorts: Cap<"IOPortControl", "issue">
declare const vcpu: Cap<"VCPU", "bind" | "readState" | "writeState">
declare const vcpuP: Cap<"VCPU", "enablePorts">
declare const handler: Handler

declare const control: Cap<"SchedControl", "configure">
declare const controlNone: Cap<"SchedControl", never>
const turns = { budget: 1000, period: 5000 } as const

const at = { cnode, index: 1, depth: 8 }
const pin = { ioapic: 0, pin: 1, trigger: "edge", polarity: "high", vector: 2 } as const
const message = { bus: 0, device: 1, function: 0, handle: 0, vector: 3 } as const
const p = { priority: 1, maximumPriority: 2 } as const
const c = { cspaceBits: 8 } as const

export const threads = Effect.gen(function* () {
  yield* TCB_SetPriority(tcb, tcb, 1)
  yield* TCB_SetPriority(tcbRun, tcb, 1) //! TS2345 ⛔ TCB_SetPriority needs right 'schedule'; this TCB capability holds 'run'
  yield* TCB_SetPriority(frame, tcb, 1) //! TS2345 ⛔ TCB_SetPriority needs a TCB capability, got Frame
  yield* TCB_SetPriority(tcb, tcb, 1)
  yield* TCB_SetPriority(tcb, tcbRun, 1) //! TS2345 ⛔ TCB_SetPriority needs right 'schedule'; this TCB capability holds 'run'
  yield* TCB_SetPriority(tcb, bell, 1) //! TS2345 ⛔ TCB_SetPriority needs a TCB capability, got Notification
  yield* TCB_SetMCPriority(tcb, tcb, 1)
  yield* TCB_SetMCPriority(tcbRun, tcb, 1) //! TS2345 ⛔ TCB_SetMCPriority needs right 'schedule'; this TCB capability holds 'run'
  yield* TCB_SetMCPriority(frame, tcb, 1) //! TS2345 ⛔ TCB_SetMCPriority needs a TCB capability, got Frame
  yield* TCB_SetMCPriority(tcb, tcb, 1)
  yield* TCB_SetMCPriority(tcb, tcbRun, 1) //! TS2345 ⛔ TCB_SetMCPriority needs right 'schedule'; this TCB capability holds 'run'
  yield* TCB_SetMCPriority(tcb, bell, 1) //! TS2345 ⛔ TCB_SetMCPriority needs a TCB capability, got Notification
  yield* TCB_SetSchedParams(tcb, { ...p, authority: tcb })
  yield* TCB_SetSchedParams(tcbRun, { ...p, authority: tcb }) //! TS2345 ⛔ TCB_SetSchedParams needs right 'configure+schedule'; this TCB capability holds 'run'
  yield* TCB_SetSchedParams(frame, { ...p, authority: tcb }) //! TS2345 ⛔ TCB_SetSchedParams needs a TCB capability, got Frame
  yield* TCB_SetSchedParams(tcb, { ...p, authority: tcb })
  yield* TCB_SetSchedParams(tcb, { ...p, authority: tcbRun }) //! TS2322 ⛔ TCB_SetSchedParams needs right 'schedule'; this TCB capability holds 'run'
  yield* TCB_SetSchedParams(tcb, { ...p, authority: tcb, schedContext: time })
  yield* TCB_SetSchedParams(tcb, { ...p, authority: tcb, schedContext: timeC }) //! TS2322 ⛔ TCB_SetSchedParams needs right 'bind'; this SchedContext capability holds 'configure'
  yield* TCB_SetSchedParams(tcb, { ...p, authority: tcb, faultHandler: handles })
  yield* TCB_SetSchedParams(tcb, { ...p, authority: tcb, faultHandler: sends }) //! TS2322 ⛔ TCB_SetSchedParams needs right 'grant' or 'grantReply'; this Endpoint capability holds 'write'
  yield* TCB_SetTimeoutEndpoint(tcb, handles)
  yield* TCB_SetTimeoutEndpoint(tcbRun, handles) //! TS2345 ⛔ TCB_SetTimeoutEndpoint needs right 'configure'; this TCB capability holds 'run'
  yield* TCB_SetTimeoutEndpoint(tcb, handles)
  yield* TCB_SetTimeoutEndpoint(tcb, sends) //! TS2345 ⛔ TCB_SetTimeoutEndpoint needs right 'grant' or 'grantReply'; this Endpoint capability holds 'write'
  yield* TCB_SetTimeoutEndpoint(tcb, bell) //! TS2345 ⛔ TCB_SetTimeoutEndpoint needs an Endpoint capability, got Notification
  yield* TCB_SetIPCBuffer(tcb, frame, 0x1000)
  yield* TCB_SetIPCBuffer(tcbRun, frame, 0x1000) //! TS2345 ⛔ TCB_SetIPCBuffer needs right 'configure'; this TCB capability holds 'run'
  yield* TCB_SetIPCBuffer(tcb, frame, 0x1000)
  yield* TCB_SetIPCBuffer(tcb, bell, 0x1000) //! TS2345 ⛔ TCB_SetIPCBuffer needs a Frame capability, got Notification
  yield* TCB_SetSpace(tcb, { ...c, cspaceRoot: cnode, vspaceRoot: space })
  yield* TCB_SetSpace(tcbRun, { ...c, cspaceRoot: cnode, vspaceRoot: space }) //! TS2345 ⛔ TCB_SetSpace needs right 'configure'; this TCB capability holds 'run'
  yield* TCB_SetSpace(tcb, { ...c, cspaceRoot: cnodeP, vspaceRoot: space }) //! TS2322 ⛔ TCB_SetSpace needs right 'take'; this CNode capability holds 'put'
  yield* TCB_SetSpace(tcb, { ...c, cspaceRoot: cnode, vspaceRoot: spaceU }) //! TS2322 ⛔ TCB_SetSpace needs right 'bind'; this AddressSpace capability holds 'unmap'
  yield* TCB_SetSpace(tcb, { ...c, cspaceRoot: cnode, vspaceRoot: space, faultHandler: handles })
  yield* TCB_SetSpace(tcb, { ...c, cspaceRoot: cnode, vspaceRoot: space, faultHandler: sends }) //! TS2322 ⛔ TCB_SetSpace needs right 'grant' or 'grantReply'; this Endpoint capability holds 'write'
  yield* TCB_BindNotification(tcb, bell)
  yield* TCB_BindNotification(tcbRun, bell) //! TS2345 ⛔ TCB_BindNotification needs right 'configure'; this TCB capability holds 'run'
  yield* TCB_BindNotification(frame, bell) //! TS2345 ⛔ TCB_BindNotification needs a TCB capability, got Frame
  yield* TCB_BindNotification(tcb, bell)
  yield* TCB_BindNotification(tcb, bellW) //! TS2345 ⛔ TCB_BindNotification needs right 'read'; this Notification capability holds 'write'
  yield* TCB_BindNotification(tcb, frame) //! TS2345 ⛔ TCB_BindNotification needs a Notification capability, got Frame
  yield* TCB_UnbindNotification(tcb)
  yield* TCB_UnbindNotification(tcbRun) //! TS2345 ⛔ TCB_UnbindNotification needs right 'configure'; this TCB capability holds 'run'
  yield* TCB_UnbindNotification(frame) //! TS2345 ⛔ TCB_UnbindNotification needs a TCB capability, got Frame
  yield* TCB_SetFlags(tcb, {})
  yield* TCB_SetFlags(tcbRun, {}) //! TS2345 ⛔ TCB_SetFlags needs right 'configure'; this TCB capability holds 'run'
  yield* TCB_SetFlags(frame, {}) //! TS2345 ⛔ TCB_SetFlags needs a TCB capability, got Frame
  yield* TCB_SetTLSBase(tcb, 0n)
  yield* TCB_SetTLSBase(tcbRun, 0n) //! TS2345 ⛔ TCB_SetTLSBase needs right 'writeRegisters'; this TCB capability holds 'run'
  yield* TCB_SetTLSBase(frame, 0n) //! TS2345 ⛔ TCB_SetTLSBase needs a TCB capability, got Frame
  yield* TCB_CopyRegisters(tcb, tcb)
  yield* TCB_CopyRegisters(tcbRun, tcb) //! TS2345 ⛔ TCB_CopyRegisters needs right 'writeRegisters'; this TCB capability holds 'run'
  yield* TCB_CopyRegisters(frame, tcb) //! TS2345 ⛔ TCB_CopyRegisters needs a TCB capability, got Frame
  yield* TCB_CopyRegisters(tcb, tcb)
  yield* TCB_CopyRegisters(tcb, tcbRun) //! TS2345 ⛔ TCB_CopyRegisters needs right 'readRegisters'; this TCB capability holds 'run'
  yield* TCB_CopyRegisters(tcb, frame) //! TS2345 ⛔ TCB_CopyRegisters needs a TCB capability, got Frame
})

export const scheduling = Effect.gen(function* () {
  yield* SchedContext_UnbindObject(time, bell)
  yield* SchedContext_UnbindObject(timeC, bell) //! TS2345 ⛔ SchedContext_UnbindObject needs right 'bind'; this SchedContext capability holds 'configure'
  yield* SchedContext_UnbindObject(frame, bell) //! TS2345 ⛔ SchedContext_UnbindObject needs a SchedContext capability, got Frame
  yield* SchedContext_UnbindObject(time, tcb)
  yield* SchedContext_UnbindObject(time, tcbRun) //! TS2345 ⛔ SchedContext_UnbindObject needs right 'schedule'; this TCB capability holds 'run'
  yield* SchedContext_UnbindObject(time, frame) //! TS2345 ⛔ SchedContext_UnbindObject needs another capability, got Frame
  yield* SchedContext_YieldTo(time)
  yield* SchedContext_YieldTo(timeC) //! TS2345 ⛔ SchedContext_YieldTo needs right 'consume'; this SchedContext capability holds 'configure'
  yield* SchedContext_YieldTo(frame) //! TS2345 ⛔ SchedContext_YieldTo needs a SchedContext capability, got Frame
  yield* SchedControl_SetBudget(control, timeC, turns)
  yield* SchedControl_SetBudget(controlNone, timeC, turns) //! TS2345 ⛔ SchedControl_SetBudget needs right 'configure'; this SchedControl capability holds no rights
  yield* SchedControl_SetBudget(frame, timeC, turns) //! TS2345 ⛔ SchedControl_SetBudget needs a SchedControl capability, got Frame
  yield* SchedControl_SetBudget(control, timeC, turns)
  yield* SchedControl_SetBudget(control, time, turns) //! TS2345 ⛔ SchedControl_SetBudget needs right 'configure'; this SchedContext capability holds 'bind+consume'
  yield* SchedControl_SetBudget(control, frame, turns) //! TS2345 ⛔ SchedControl_SetBudget needs a SchedContext capability, got Frame
  yield* DomainSet_Set(domains, tcb, 1)
  yield* DomainSet_Set(domainsSchedule, tcb, 1) //! TS2345 ⛔ DomainSet_Set needs right 'set'; this Domain capability holds 'schedule'
  yield* DomainSet_Set(frame, tcb, 1) //! TS2345 ⛔ DomainSet_Set needs a Domain capability, got Frame
  yield* DomainSet_Set(domains, tcb, 1)
  yield* DomainSet_Set(domains, tcbRun, 1) //! TS2345 ⛔ DomainSet_Set needs right 'schedule'; this TCB capability holds 'run'
  yield* DomainSet_Set(domains, frame, 1) //! TS2345 ⛔ DomainSet_Set needs a TCB capability, got Frame
  yield* DomainSet_ScheduleConfigure(domains, 0, 1, 5)
  yield* DomainSet_ScheduleConfigure(domainsSet, 0, 1, 5) //! TS2345 ⛔ DomainSet_ScheduleConfigure needs right 'schedule'; this Domain capability holds 'set'
  yield* DomainSet_ScheduleConfigure(frame, 0, 1, 5) //! TS2345 ⛔ DomainSet_ScheduleConfigure needs a Domain capability, got Frame
  yield* DomainSet_ScheduleSetStart(domains, 0)
  yield* DomainSet_ScheduleSetStart(domainsSet, 0) //! TS2345 ⛔ DomainSet_ScheduleSetStart needs right 'schedule'; this Domain capability holds 'set'
  yield* DomainSet_ScheduleSetStart(frame, 0) //! TS2345 ⛔ DomainSet_ScheduleSetStart needs a Domain capability, got Frame
})

export const interrupts = Effect.gen(function* () {
  yield* IRQControl_GetIOAPIC(irqs, pin)
  yield* IRQControl_GetIOAPIC(irqsNone, pin) //! TS2345 ⛔ IRQControl_GetIOAPIC needs right 'issue'; this IRQControl capability holds no rights
  yield* IRQControl_GetIOAPIC(frame, pin) //! TS2345 ⛔ IRQControl_GetIOAPIC needs an IRQControl capability, got Frame
  yield* IRQControl_GetMSI(irqs, message)
  yield* IRQControl_GetMSI(irqsNone, message) //! TS2345 ⛔ IRQControl_GetMSI needs right 'issue'; this IRQControl capability holds no rights
  yield* IRQControl_GetMSI(frame, message) //! TS2345 ⛔ IRQControl_GetMSI needs an IRQControl capability, got Frame
  yield* IRQHandler_Ack(irq)
  yield* IRQHandler_Ack(irqC) //! TS2345 ⛔ IRQHandler_Ack needs right 'acknowledge'; this IRQHandler capability holds 'configure'
  yield* IRQHandler_Ack(frame) //! TS2345 ⛔ IRQHandler_Ack needs an IRQHandler capability, got Frame
  yield* IRQHandler_Clear(irq)
  yield* IRQHandler_Clear(irqA) //! TS2345 ⛔ IRQHandler_Clear needs right 'configure'; this IRQHandler capability holds 'acknowledge'
  yield* IRQHandler_Clear(frame) //! TS2345 ⛔ IRQHandler_Clear needs an IRQHandler capability, got Frame
  yield* IRQHandler_SetNotification(irq, bell)
  yield* IRQHandler_SetNotification(irqA, bell) //! TS2345 ⛔ IRQHandler_SetNotification needs right 'configure'; this IRQHandler capability holds 'acknowledge'
  yield* IRQHandler_SetNotification(frame, bell) //! TS2345 ⛔ IRQHandler_SetNotification needs an IRQHandler capability, got Frame
  yield* IRQHandler_SetNotification(irq, bell)
  yield* IRQHandler_SetNotification(irq, bellR) //! TS2345 ⛔ IRQHandler_SetNotification needs right 'write'; this Notification capability holds 'read'
  yield* IRQHandler_SetNotification(irq, frame) //! TS2345 ⛔ IRQHandler_SetNotification needs a Notification capability, got Frame
})

export const tables = Effect.gen(function* () {
  yield* PDPT_Map(pdpt, space, 0x1000)
  yield* PDPT_Map(pdptU, space, 0x1000) //! TS2345 ⛔ PDPT_Map needs right 'map'; this PDPT capability holds 'unmap'
  yield* PDPT_Map(frame, space, 0x1000) //! TS2345 ⛔ PDPT_Map needs a PDPT capability, got Frame
  yield* PDPT_Map(pdpt, space, 0x1000)
  yield* PDPT_Map(pdpt, spaceU, 0x1000) //! TS2345 ⛔ PDPT_Map needs right 'map'; this AddressSpace capability holds 'unmap'
  yield* PDPT_Map(pdpt, frame, 0x1000) //! TS2345 ⛔ PDPT_Map needs an AddressSpace capability, got Frame
  yield* PDPT_Unmap(pdpt)
  yield* PDPT_Unmap(pdptM) //! TS2345 ⛔ PDPT_Unmap needs right 'unmap'; this PDPT capability holds 'map'
  yield* PDPT_Unmap(frame) //! TS2345 ⛔ PDPT_Unmap needs a PDPT capability, got Frame
  yield* PageDirectory_Map(directory, space, 0x1000)
  yield* PageDirectory_Map(directoryU, space, 0x1000) //! TS2345 ⛔ PageDirectory_Map needs right 'map'; this PageDirectory capability holds 'unmap'
  yield* PageDirectory_Map(frame, space, 0x1000) //! TS2345 ⛔ PageDirectory_Map needs a PageDirectory capability, got Frame
  yield* PageDirectory_Map(directory, space, 0x1000)
  yield* PageDirectory_Map(directory, spaceU, 0x1000) //! TS2345 ⛔ PageDirectory_Map needs right 'map'; this AddressSpace capability holds 'unmap'
  yield* PageDirectory_Map(directory, frame, 0x1000) //! TS2345 ⛔ PageDirectory_Map needs an AddressSpace capability, got Frame
  yield* PageDirectory_Unmap(directory)
  yield* PageDirectory_Unmap(directoryM) //! TS2345 ⛔ PageDirectory_Unmap needs right 'unmap'; this PageDirectory capability holds 'map'
  yield* PageDirectory_Unmap(frame) //! TS2345 ⛔ PageDirectory_Unmap needs a PageDirectory capability, got Frame
  yield* PageTable_Map(table, space, 0x1000)
  yield* PageTable_Map(tableU, space, 0x1000) //! TS2345 ⛔ PageTable_Map needs right 'map'; this PageTable capability holds 'unmap'
  yield* PageTable_Map(frame, space, 0x1000) //! TS2345 ⛔ PageTable_Map needs a PageTable capability, got Frame
  yield* PageTable_Map(table, space, 0x1000)
  yield* PageTable_Map(table, spaceU, 0x1000) //! TS2345 ⛔ PageTable_Map needs right 'map'; this AddressSpace capability holds 'unmap'
  yield* PageTable_Map(table, frame, 0x1000) //! TS2345 ⛔ PageTable_Map needs an AddressSpace capability, got Frame
  yield* PageTable_Unmap(table)
  yield* PageTable_Unmap(tableM) //! TS2345 ⛔ PageTable_Unmap needs right 'unmap'; this PageTable capability holds 'map'
  yield* PageTable_Unmap(frame) //! TS2345 ⛔ PageTable_Unmap needs a PageTable capability, got Frame
  yield* ASIDControl_MakePool(pools, memory)
  yield* ASIDControl_MakePool(poolsNone, memory) //! TS2345 ⛔ ASIDControl_MakePool needs right 'makePool'; this ASIDControl capability holds no rights
  yield* ASIDControl_MakePool(frame, memory) //! TS2345 ⛔ ASIDControl_MakePool needs an ASIDControl capability, got Frame
  yield* ASIDControl_MakePool(pools, memory)
  yield* ASIDControl_MakePool(pools, memoryNone) //! TS2345 ⛔ ASIDControl_MakePool needs right 'retype'; this Untyped capability holds no rights
  yield* ASIDControl_MakePool(pools, frame) //! TS2345 ⛔ ASIDControl_MakePool needs an Untyped capability, got Frame
  yield* ASIDPool_Assign(pool, space)
  yield* ASIDPool_Assign(poolNone, space) //! TS2345 ⛔ ASIDPool_Assign needs right 'assign'; this ASIDPool capability holds no rights
  yield* ASIDPool_Assign(frame, space) //! TS2345 ⛔ ASIDPool_Assign needs an ASIDPool capability, got Frame
  yield* ASIDPool_Assign(pool, space)
  yield* ASIDPool_Assign(pool, spaceU) //! TS2345 ⛔ ASIDPool_Assign needs right 'assign'; this AddressSpace capability holds 'unmap'
  yield* ASIDPool_Assign(pool, frame) //! TS2345 ⛔ ASIDPool_Assign needs an AddressSpace capability, got Frame
  yield* Frame_GetAddress(frame)
  yield* Frame_GetAddress(bell) //! TS2345 ⛔ Frame_GetAddress needs a Frame capability, got Notification
  yield* IOPort_In16(portsIn, 0x60)
  yield* IOPort_In16(portsOut, 0x60) //! TS2345 ⛔ IOPort_In16 needs right 'in'; this IOPort capability holds 'out'
  yield* IOPort_In16(frame, 0x60) //! TS2345 ⛔ IOPort_In16 needs an IOPort capability, got Frame
  yield* IOPort_Out16(portsOut, 0x60, 1)
  yield* IOPort_Out16(portsIn, 0x60, 1) //! TS2345 ⛔ IOPort_Out16 needs right 'out'; this IOPort capability holds 'in'
  yield* IOPort_Out16(frame, 0x60, 1) //! TS2345 ⛔ IOPort_Out16 needs an IOPort capability, got Frame
  yield* IOPort_In32(portsIn, 0x60)
  yield* IOPort_In32(portsOut, 0x60) //! TS2345 ⛔ IOPort_In32 needs right 'in'; this IOPort capability holds 'out'
  yield* IOPort_In32(frame, 0x60) //! TS2345 ⛔ IOPort_In32 needs an IOPort capability, got Frame
  yield* IOPort_Out32(portsOut, 0x60, 1)
  yield* IOPort_Out32(portsIn, 0x60, 1) //! TS2345 ⛔ IOPort_Out32 needs right 'out'; this IOPort capability holds 'in'
  yield* IOPort_Out32(frame, 0x60, 1) //! TS2345 ⛔ IOPort_Out32 needs an IOPort capability, got Frame
})

export const unplaced = Effect.gen(function* () {
  yield* ASIDPool_Assign(pool, bare)
  yield* AddressSpace_Map(space, 0x1000, frame, ["read"])
  yield* AddressSpace_Map(bare, 0x1000, frame, ["read"]) //! TS2345 ⛔ AddressSpace_Map: this AddressSpace has no place yet: ASIDPool_Assign gives it one
  yield* Cap_Copy(space, ["map"])
  yield* Cap_Copy(bare, ["map"]) //! TS2345 ⛔ Cap_Copy: this AddressSpace has no place yet: ASIDPool_Assign gives it one
  yield* Cap_Copy(placed, ["map"])
  yield* Cap_Copy(bareTable, ["map"]) //! TS2345 ⛔ Cap_Copy: this PageTable has no place yet: PageTable_Map gives it one
  yield* PageTable_Unmap(placed)
  yield* PageTable_Unmap(bareTable) //! TS2345 ⛔ PageTable_Unmap: this PageTable has no place yet: PageTable_Map gives it one
  yield* PageTable_Map(bareTable, space, 0x1000)
  yield* PageTable_Map(bareTable, bare, 0x1000) //! TS2345 ⛔ PageTable_Map: this AddressSpace has no place yet: ASIDPool_Assign gives it one
  yield* give(at, space)
  yield* give(at, bare) //! TS2345 ⛔ give: this AddressSpace has no place yet: ASIDPool_Assign gives it one
  yield* give(at, irqs) //! TS2345 ⛔ give: of an IRQControl there are no copies
  yield* Cap_Copy(pools, [])
  yield* Cap_Copy(irqs, []) //! TS2345 ⛔ Cap_Copy: of an IRQControl there are no copies
  yield* Cap_Copy(ioPorts, []) //! TS2345 ⛔ Cap_Copy: of an IOPortControl there are no copies
})

export const guests = Effect.gen(function* () {
  yield* GuestMemory_Create(pool)
  yield* GuestMemory_Create(poolNone) //! TS2345 ⛔ GuestMemory_Create needs right 'assign'; this ASIDPool capability holds no rights
  yield* GuestMemory_Create(frame) //! TS2345 ⛔ GuestMemory_Create needs an ASIDPool capability, got Frame
  yield* EPT_Map(guest, 0x1000, frame)
  yield* EPT_Map(guestU, 0x1000, frame) //! TS2345 ⛔ EPT_Map needs right 'map'; this EPTPML4 capability holds 'unmap'
  yield* EPT_Map(frame, 0x1000, frame) //! TS2345 ⛔ EPT_Map needs an EPTPML4 capability, got Frame
  yield* EPT_Map(guest, 0x1000, frame)
  yield* EPT_Map(guest, 0x1000, bell) //! TS2345 ⛔ EPT_Map needs a Frame capability, got Notification
  yield* TCB_SetEPTRoot(tcb, guest)
  yield* TCB_SetEPTRoot(tcbRun, guest) //! TS2345 ⛔ TCB_SetEPTRoot needs right 'configure'; this TCB capability holds 'run'
  yield* TCB_SetEPTRoot(frame, guest) //! TS2345 ⛔ TCB_SetEPTRoot needs a TCB capability, got Frame
  yield* TCB_SetEPTRoot(tcb, guest)
  yield* TCB_SetEPTRoot(tcb, guestU) //! TS2345 ⛔ TCB_SetEPTRoot needs right 'bind'; this EPTPML4 capability holds 'unmap'
  yield* TCB_SetEPTRoot(tcb, frame) //! TS2345 ⛔ TCB_SetEPTRoot needs an EPTPML4 capability, got Frame
  yield* VCPU_SetTCB(vcpu, tcb)
  yield* VCPU_SetTCB(vcpuP, tcb) //! TS2345 ⛔ VCPU_SetTCB needs right 'bind'; this VCPU capability holds 'enablePorts'
  yield* VCPU_SetTCB(frame, tcb) //! TS2345 ⛔ VCPU_SetTCB needs a VCPU capability, got Frame
  yield* VCPU_SetTCB(vcpu, tcb)
  yield* VCPU_SetTCB(vcpu, tcbRun) //! TS2345 ⛔ VCPU_SetTCB needs right 'configure'; this TCB capability holds 'run'
  yield* VCPU_SetTCB(vcpu, frame) //! TS2345 ⛔ VCPU_SetTCB needs a TCB capability, got Frame
  yield* VCPU_ReadVMCS(vcpu, 0)
  yield* VCPU_ReadVMCS(vcpuP, 0) //! TS2345 ⛔ VCPU_ReadVMCS needs right 'readState'; this VCPU capability holds 'enablePorts'
  yield* VCPU_ReadVMCS(frame, 0) //! TS2345 ⛔ VCPU_ReadVMCS needs a VCPU capability, got Frame
  yield* VCPU_WriteVMCS(vcpu, 0, 0n)
  yield* VCPU_WriteVMCS(vcpuP, 0, 0n) //! TS2345 ⛔ VCPU_WriteVMCS needs right 'writeState'; this VCPU capability holds 'enablePorts'
  yield* VCPU_WriteVMCS(frame, 0, 0n) //! TS2345 ⛔ VCPU_WriteVMCS needs a VCPU capability, got Frame
  yield* VCPU_SetPage(vcpu, VmcsField.VIRTUAL_APIC_ADDRESS, frameRW)
  yield* VCPU_SetPage(vcpuP, VmcsField.VIRTUAL_APIC_ADDRESS, frameRW) //! TS2345 ⛔ VCPU_SetPage needs right 'writeState'; this VCPU capability holds 'enablePorts'
  yield* VCPU_SetPage(frame, VmcsField.VIRTUAL_APIC_ADDRESS, frameRW) //! TS2345 ⛔ VCPU_SetPage needs a VCPU capability, got Frame
  yield* VCPU_SetPage(vcpu, VmcsField.VIRTUAL_APIC_ADDRESS, frameRW)
  yield* VCPU_SetPage(vcpu, VmcsField.VIRTUAL_APIC_ADDRESS, frame) //! TS2345 ⛔ VCPU_SetPage needs right 'write+read'; this Frame capability holds 'read'
  yield* VCPU_SetPage(vcpu, VmcsField.VIRTUAL_APIC_ADDRESS, bell) //! TS2345 ⛔ VCPU_SetPage needs a Frame capability, got Notification
  yield* VCPU_ResetRegisters(vcpu)
  yield* VCPU_ResetRegisters(vcpuP) //! TS2345 ⛔ VCPU_ResetRegisters needs right 'writeState'; this VCPU capability holds 'enablePorts'
  yield* VCPU_ResetRegisters(frame) //! TS2345 ⛔ VCPU_ResetRegisters needs a VCPU capability, got Frame
  yield* VCPU_Run(vcpu, new Stopped(), handler)
  yield* VCPU_Run(vcpuP, new Stopped(), handler) //! TS2345 ⛔ VCPU_Run needs right 'readState+writeState'; this VCPU capability holds 'enablePorts'
  yield* VCPU_Run(frame, new Stopped(), handler) //! TS2345 ⛔ VCPU_Run needs a VCPU capability, got Frame
})

export const others = Effect.gen(function* () {
  yield* Signal_Pointer(bell)
  yield* Signal_Pointer(bellR) //! TS2345 ⛔ Signal_Pointer needs right 'write'; this Notification capability holds 'read'
  yield* Signal_Pointer(frame) //! TS2345 ⛔ Signal_Pointer needs a Notification capability, got Frame
  yield* Shared_Address(frameRW)
  yield* Shared_Address(frame) //! TS2345 ⛔ Shared_Address needs right 'write+read'; this Frame capability holds 'read'
  yield* Shared_Address(bell) //! TS2345 ⛔ Shared_Address needs a Frame capability, got Notification
  yield* Shared_Read(frame, 0, 1)
  yield* Shared_Read(frameX, 0, 1) //! TS2345 ⛔ Shared_Read needs right 'read'; this Frame capability holds 'execute'
  yield* Shared_Read(bell, 0, 1) //! TS2345 ⛔ Shared_Read needs a Frame capability, got Notification
  yield* Shared_Write(frameRW, 0, new Uint8Array(1))
  yield* Shared_Write(frame, 0, new Uint8Array(1)) //! TS2345 ⛔ Shared_Write needs right 'write+read'; this Frame capability holds 'read'
  yield* Shared_Write(bell, 0, new Uint8Array(1)) //! TS2345 ⛔ Shared_Write needs a Frame capability, got Notification
  yield* Debug_NameThread(tcb, "one")
  yield* Debug_NameThread(frame, "one") //! TS2345 ⛔ Debug_NameThread needs a TCB capability, got Frame
})

export const capabilities = Effect.gen(function* () {
  yield* Cap_CancelBadgedSends(all)
  yield* Cap_CancelBadgedSends(hears) //! TS2345 ⛔ Cap_CancelBadgedSends needs right 'write+read+grant+grantReply'; this Endpoint capability holds 'read'
  yield* Cap_CancelBadgedSends(frame) //! TS2345 ⛔ Cap_CancelBadgedSends needs an Endpoint capability, got Frame
  yield* Cap_DeleteFrom({ ...at, cnode })
  yield* Cap_DeleteFrom({ ...at, cnode: cnodeP }) //! TS2322 ⛔ Cap_DeleteFrom needs right 'delete'; this CNode capability holds 'put'
  yield* Cap_DeleteFrom({ ...at, cnode: frame }) //! TS2322 ⛔ Cap_DeleteFrom needs a CNode capability, got Frame
  yield* Cap_RevokeFrom({ ...at, cnode })
  yield* Cap_RevokeFrom({ ...at, cnode: cnodeP }) //! TS2322 ⛔ Cap_RevokeFrom needs right 'delete'; this CNode capability holds 'put'
  yield* Cap_RevokeFrom({ ...at, cnode: frame }) //! TS2322 ⛔ Cap_RevokeFrom needs a CNode capability, got Frame
  yield* Cap_MintInto(at, bell, ["write"], { badge: 1n })
  yield* Cap_MintInto(at, bell, ["grant"], { badge: 1n }) //! TS2345 ⛔ Cap_MintInto: there is no right 'grant' to a Notification
  yield* Cap_MintInto(at, bellW, ["write"], { badge: 1n })
  yield* Cap_MintInto(at, bellR, ["write"], { badge: 1n }) //! TS2345 ⛔ Cap_MintInto cannot keep right 'write'; this Notification capability holds 'read'
  yield* Cap_MintInto(at, frame, ["write"], { badge: 1n }) //! TS2345 ⛔ Cap_MintInto cannot keep right 'write'; this Frame capability holds 'read'
})

export const messages = Effect.gen(function* () {
  yield* ReceivePoll(hears)
  yield* ReceivePoll(sends) //! TS2345 ⛔ ReceivePoll needs right 'read'; this Endpoint capability holds 'write'
  yield* ReceivePoll(frame) //! TS2345 ⛔ ReceivePoll needs an Endpoint capability, got Frame
  yield* ReceivePoll(hears, answering)
  yield* ReceivePoll(hears, answeringS) //! TS2345 ⛔ ReceivePoll needs right 'receive'; this Reply capability holds 'send'
  yield* ReceivePoll(hears, frame) //! TS2345 ⛔ ReceivePoll needs a Reply capability, got Frame
  yield* SendReceive(sends, {}, hears)
  yield* SendReceive(hears, {}, hears) //! TS2345 ⛔ SendReceive needs right 'write'; this Endpoint capability holds 'read'
  yield* SendReceive(frame, {}, hears) //! TS2345 ⛔ SendReceive needs an Endpoint capability, got Frame
  yield* SendReceive(sends, {}, hears)
  yield* SendReceive(sends, {}, sends) //! TS2345 ⛔ SendReceive needs right 'read'; this Endpoint capability holds 'write'
  yield* SendReceive(sends, {}, frame) //! TS2345 ⛔ SendReceive needs an Endpoint capability, got Frame
  yield* SendReceive(sends, {}, hears, answering)
  yield* SendReceive(sends, {}, hears, answeringS) //! TS2345 ⛔ SendReceive needs right 'receive'; this Reply capability holds 'send'
  yield* SendReceive(sends, {}, hears, frame) //! TS2345 ⛔ SendReceive needs a Reply capability, got Frame
})

export const givenUp = Effect.gen(function* () {
  consume(old)
  yield* Cap_Mutate(old, { badge: 1n })
  yield* Cap_Mutate(bell, { badge: 1n }) //! TS2345 ⛔ Cap_Mutate consumes its argument: write `consume(cap)` on the line before
  yield* Cap_Rotate(at, old, old)
  yield* Cap_Rotate(at, bell, old) //! TS2345 ⛔ Cap_Rotate consumes its argument: write `consume(cap)` on the line before
  yield* Cap_Rotate(at, old, bell) //! TS2345 ⛔ Cap_Rotate consumes its argument: write `consume(cap)` on the line before
  yield* TCB_BindNotification(tcb, bell)
  yield* TCB_BindNotification(tcb, old) //! TS2345 ⛔ TCB_BindNotification: capability was already moved, deleted or revoked
})
