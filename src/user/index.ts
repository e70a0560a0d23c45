/** What a program for Skyscope is written with. */

export type { AnyCap, Cap, Endpoint, Frame, Region, Untyped } from "../types/Capability.ts"
export { consume } from "../types/Capability.ts"
export { capOf, endpointOf, protocol } from "../types/Protocol.ts"
export { Allocator, type NotMade, type OutOfMemory, type OutOfSlots } from "./Allocator.ts"
export { BootInfo, type Full, type UntypedMemory } from "./BootInfo.ts"
export {
  Cap_CancelBadgedSends,
  Cap_Copy,
  Cap_CopyInto,
  Cap_Delete,
  Cap_DeleteFrom,
  Cap_Mint,
  Cap_MintInto,
  Cap_Move,
  Cap_Mutate,
  Cap_Revoke,
  Cap_RevokeFrom,
  Cap_Rotate,
  CNode_Create,
  give,
  withRevocable
} from "./Capabilities.ts"
export { toCapdl } from "./Capdl.ts"
export { ask, type NotAnswered } from "./Client.ts"
export { Console, com1Ports, consoleTask, print, startConsole } from "./Console.ts"
export { Debug_CapIdentify } from "./Debug.ts"
export { distribution, type Entry, show } from "./Distribution.ts"
export { DomainSet_ScheduleConfigure, DomainSet_ScheduleSetStart, DomainSet_Set } from "./Domains.ts"
export { Endpoint_Create } from "./Endpoint.ts"
export { budgetsOf, FairShare, NoShare, type PerMember, type Policy, shareFairly, shareTime } from "./FairShare.ts"
export { Fault_Receive, Fault_Reply, type FaultReceived } from "./Fault.ts"
export {
  IRQControl_GetIOAPIC,
  IRQControl_GetMSI,
  IRQHandler_Ack,
  IRQHandler_Clear,
  IRQHandler_SetNotification
} from "./Interrupts.ts"
export type { Refusal } from "./Invocation.ts"
export {
  Call,
  Poll,
  Receive,
  ReceivePoll,
  Reply,
  ReplyReceive,
  Send,
  SendBlocking,
  SendReceive,
  Signal,
  Wait,
  Yield
} from "./Ipc.ts"
export {
  AddressSpace_Create,
  AddressSpace_Map,
  AddressSpace_Unmap,
  create,
  Frame_Create,
  Frame_Unmap,
  Memory_Read,
  Memory_Write,
  Untyped_Retype
} from "./Memory.ts"
export {
  ASIDControl_MakePool,
  ASIDPool_Assign,
  Frame_GetAddress,
  PageDirectory_Map,
  PageDirectory_Unmap,
  PageTable_Map,
  PageTable_Unmap,
  PDPT_Map,
  PDPT_Unmap
} from "./PageTables.ts"
export { type Plan, perform, plan } from "./Plan.ts"
export {
  IOPort_Create,
  IOPort_In8,
  IOPort_In16,
  IOPort_In32,
  IOPort_Out8,
  IOPort_Out16,
  IOPort_Out32
} from "./Ports.ts"
export { isRootTask, type RootServices, type RootTask, rootTask } from "./RootTask.ts"
export { reply, replyError, serve } from "./Server.ts"
export { Shared_Read, Shared_Write } from "./Shared.ts"
export { type Options, Spawner, type Started, spawn, spawnElf } from "./Spawn.ts"
export { Syscalls } from "./Syscalls.ts"
export { defineSystem, type System, startSystem, task } from "./System.ts"
export {
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
} from "./ThreadSettings.ts"
export {
  Debug_NameThread,
  SchedContext_Bind,
  SchedContext_Consumed,
  SchedContext_Unbind,
  SchedContext_UnbindObject,
  SchedContext_YieldTo,
  SchedControl_Configure,
  SchedControl_SetBudget,
  TCB_Configure,
  TCB_Create,
  TCB_ReadRegisters,
  TCB_Resume,
  TCB_Suspend,
  TCB_WriteRegisters
} from "./Threads.ts"
export {
  type Alarm,
  alarmSlots,
  sleepBy,
  timerGrants,
  timerObjects,
  timerTask,
  withAlarm
} from "./Timer.ts"
export { Untyped_Carve, Untyped_Clear, Untyped_Create, Untyped_Uncount } from "./Untyped.ts"
