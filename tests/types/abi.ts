/** The numbers of the binary interface, as its own documents give them. */

/** Label, name, words, extra capabilities and words of the reply. */
// biome-ignore format: an invocation, a line
export const invocations: ReadonlyArray<
  readonly [label: number, name: string, words: number, caps: number, results: number]
> = [
  [1,  "Untyped_Retype",              6,  1, 0],
  [2,  "TCB_ReadRegisters",           2,  0, 20],
  [3,  "TCB_WriteRegisters",          22, 0, 0],
  [4,  "TCB_CopyRegisters",           1,  1, 0],
  [5,  "TCB_Configure",               3,  3, 0],
  [6,  "TCB_SetPriority",             1,  1, 0],
  [7,  "TCB_SetMCPriority",           1,  1, 0],
  [8,  "TCB_SetSchedParams",          2,  3, 0],
  [9,  "TCB_SetTimeoutEndpoint",      0,  1, 0],
  [10, "TCB_SetIPCBuffer",            1,  1, 0],
  [11, "TCB_SetSpace",                2,  3, 0],
  [12, "TCB_Suspend",                 0,  0, 0],
  [13, "TCB_Resume",                  0,  0, 0],
  [14, "TCB_BindNotification",        0,  1, 0],
  [15, "TCB_UnbindNotification",      0,  0, 0],
  [16, "TCB_SetTLSBase",              1,  0, 0],
  [17, "TCB_SetFlags",                2,  0, 1],
  [18, "CNode_Revoke",                2,  0, 0],
  [19, "CNode_Delete",                2,  0, 0],
  [20, "CNode_CancelBadgedSends",     2,  0, 0],
  [21, "CNode_Copy",                  5,  1, 0],
  [22, "CNode_Mint",                  6,  1, 0],
  [23, "CNode_Move",                  4,  1, 0],
  [24, "CNode_Mutate",                5,  1, 0],
  [25, "CNode_Rotate",                8,  2, 0],
  [26, "IRQControl_Get",              3,  1, 0],
  [27, "IRQHandler_Ack",              0,  0, 0],
  [28, "IRQHandler_SetNotification",  0,  1, 0],
  [29, "IRQHandler_Clear",            0,  0, 0],
  [30, "DomainSet_Set",               1,  1, 0],
  [31, "DomainSet_ScheduleConfigure", 3,  0, 0],
  [32, "DomainSet_ScheduleSetStart",  1,  0, 0],
  [33, "SchedControl_ConfigureFlags", 5,  1, 0],
  [34, "SchedContext_Bind",           0,  1, 0],
  [35, "SchedContext_Unbind",         0,  0, 0],
  [36, "SchedContext_UnbindObject",   0,  1, 0],
  [37, "SchedContext_Consumed",       0,  0, 1],
  [38, "SchedContext_YieldTo",        0,  0, 1],
  [39, "X86_PDPT_Map",                2,  1, 0],
  [40, "X86_PDPT_Unmap",              0,  0, 0],
  [41, "X86_VCPU_ReadMSR",            1,  0, 1],
  [42, "X86_VCPU_WriteMSR",           2,  0, 1],
  [43, "X86_PageDirectory_Map",       2,  1, 0],
  [44, "X86_PageDirectory_Unmap",     0,  0, 0],
  [45, "X86_PageTable_Map",           2,  1, 0],
  [46, "X86_PageTable_Unmap",         0,  0, 0],
  [47, "X86_IOPageTable_Map",         1,  1, 0],
  [48, "X86_IOPageTable_Unmap",       0,  0, 0],
  [49, "X86_Page_Map",                3,  1, 0],
  [50, "X86_Page_Unmap",              0,  0, 0],
  [51, "X86_Page_MapIO",              2,  1, 0],
  [52, "X86_Page_GetAddress",         0,  0, 1],
  [53, "X86_Page_MapEPT",             3,  1, 0],
  [54, "X86_ASIDControl_MakePool",    2,  2, 0],
  [55, "X86_ASIDPool_Assign",         0,  1, 0],
  [56, "X86_IOPortControl_Issue",     4,  1, 0],
  [57, "X86_IOPort_In8",              1,  0, 1],
  [58, "X86_IOPort_In16",             1,  0, 1],
  [59, "X86_IOPort_In32",             1,  0, 1],
  [60, "X86_IOPort_Out8",             2,  0, 0],
  [61, "X86_IOPort_Out16",            2,  0, 0],
  [62, "X86_IOPort_Out32",            2,  0, 0],
  [63, "IRQControl_GetIOAPIC",        7,  1, 0],
  [64, "IRQControl_GetMSI",           7,  1, 0],
  [65, "TCB_SetEPTRoot",              0,  1, 0],
  [66, "X86_VCPU_SetTCB",             0,  1, 0],
  [67, "X86_VCPU_ReadVMCS",           1,  0, 1],
  [68, "X86_VCPU_WriteVMCS",          2,  0, 1],
  [69, "X86_VCPU_EnableIOPort",       2,  1, 0],
  [70, "X86_VCPU_DisableIOPort",      2,  0, 0],
  [71, "X86_VCPU_WriteRegisters",     15, 0, 0],
  [72, "X86_EPTPDPT_Map",             2,  1, 0],
  [73, "X86_EPTPDPT_Unmap",           0,  0, 0],
  [74, "X86_EPTPD_Map",               2,  1, 0],
  [75, "X86_EPTPD_Unmap",             0,  0, 0],
  [76, "X86_EPTPT_Map",               2,  1, 0],
  [77, "X86_EPTPT_Unmap",             0,  0, 0]
]

// biome-ignore format: a table
export const syscalls = {
  Call: -1, ReplyRecv: -2, NBSendRecv: -3, NBSendWait: -4, Send: -5, NBSend: -6, Recv: -7, NBRecv: -8, Wait: -9, NBWait: -10,
  Yield: -11, DebugPutChar: -12, DebugDumpScheduler: -13, DebugHalt: -14, DebugCapIdentify: -15, DebugSnapshot: -16,
  DebugNameThread: -17, VMEnter: -32
}

/** Number, and the bits of the size where the type says it. */
// biome-ignore format: a table
export const objectTypes: Readonly<Record<string, readonly [number: number, sizeBits?: number]>> = {
  Untyped: [0], TCB: [1, 11], Endpoint: [2, 4], Notification: [3, 6], CapTable: [4], SchedContext: [5], Reply: [6, 5],
  PDPT: [7, 12], PML4: [8, 12], HugePage: [9, 30], Page4K: [10, 12], LargePage: [11, 21], PageTable: [12, 12],
  PageDirectory: [13, 12], IOPageTable: [14, 12], VCPU: [15, 14], EPTPML4: [16, 12], EPTPDPT: [17, 12], EPTPD: [18, 12],
  EPTPT: [19, 12]
}

// biome-ignore format: a table
export const bootInfo = {
  extraLength: 0, nodeId: 8, numNodes: 16, numIOPTLevels: 24, ipcBuffer: 32, emptyStart: 40, sharedFramesStart: 56,
  userImageFramesStart: 72, userImagePagingStart: 88, ioSpaceCapsStart: 104, extraBIPagesStart: 120,
  initThreadCNodeSizeBits: 136, initThreadDomain: 144, schedControlStart: 152, untypedStart: 168
}
export const bootInfoSize = 3864

/** The words of each fault's message, in order. */
// biome-ignore format: a fault, a line
export const faults = {
  CapFault:       [1, ["rip", "address", "inReceivePhase"]],
  UnknownSyscall: [2, ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip", "rsp", "rflags", "number"]],
  UserException:  [3, ["rip", "rsp", "rflags", "number", "code"]],
  Timeout:        [5, ["badge", "consumed"]],
  VMFault:        [6, ["rip", "address", "instructionFetch", "status"]]
} as const

// biome-ignore format: a table
export const timeoutReply = [
  "rip", "rsp", "rflags", "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp",
  "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "fsBase"
]

// biome-ignore format: a table
export const userContext = [
  "rip", "rsp", "rflags", "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp",
  "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "fsBase", "gsBase"
]
