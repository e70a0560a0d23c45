/** Every method of the interface has its typed call, and each call says to the kernel what it was told. */
import { Effect } from "effect"
import { assert, describe, it } from "vitest"
import { type Cap, capUnsafe, consume } from "../../src/types/Capability.ts"
import type { Kind, RightOf } from "../../src/types/Kind.ts"
import { all } from "../../src/types/Methods.ts"
import type { Allocator } from "../../src/user/Allocator.ts"
import * as S from "../../src/user/index.ts"
import type { Syscalls } from "../../src/user/Syscalls.ts"
import { type Called, firstSlot, Kernel } from "./kernel.ts"

const cap = <K extends Kind>(kind: K, slot: number): Cap<K, RightOf<K>> => capUnsafe(kind, BigInt(slot))

const endpoint = cap("Endpoint", 11)
const other = cap("Endpoint", 12)
const bell = cap("Notification", 13)
const frame = cap("Frame", 14)
const space = cap("AddressSpace", 15)
const cnode = cap("CNode", 16)
const thread = cap("TCB", 17)
const second = cap("TCB", 18)
const time = cap("SchedContext", 19)
const answering = cap("Reply", 20)
const ports = cap("IOPort", 21)
const irq = cap("IRQHandler", 22)
const irqs = cap("IRQControl", 23)
const memory = cap("Untyped", 24)
const domains = cap("Domain", 25)
const table = { pdpt: cap("PDPT", 26), directory: cap("PageDirectory", 27), table: cap("PageTable", 28) }
const pool = cap("ASIDPool", 29)

/** Slots that the calls below fill. */
const slot = BigInt(firstSlot)
const place = { cnode, index: 3, depth: 8 }

type Program = Effect.Effect<unknown, unknown, Syscalls | Allocator>

/** A capability that was given up. */
const giveUp = (kind: "Endpoint", slot: number) => {
  const given = cap(kind, slot)
  consume(given)
  return given
}

interface Call {
  readonly name: string
  readonly does: () => Program
  readonly says: Partial<Called>
}

const own = { srcDepth: 64, srcRoot: 2n }

// biome-ignore format: a call, a line
const calls: ReadonlyArray<Call> = [
  { name: "Untyped_Retype",               does: () => S.Untyped_Retype(memory, "CapTable", 4),       says: { method: "Untyped_Retype", on: 24n, type: 4, sizeBits: 4, nodeOffset: firstSlot, numObjects: 1 } },

  { name: "Cap_Copy",                     does: () => S.Cap_Copy(endpoint, ["read"]),                  says: { method: "CNode_Copy", on: 2n, srcIndex: 11n, destIndex: slot, ...own } },
  { name: "Cap_CopyInto",                 does: () => S.Cap_CopyInto(place, endpoint, ["read"]),       says: { method: "CNode_Copy", on: 16n, srcIndex: 11n, destIndex: 3n, destDepth: 8, ...own } },
  { name: "Cap_Mint",                     does: () => S.Cap_Mint(bell, ["write"], { badge: 5n }),      says: { method: "CNode_Mint", on: 2n, srcIndex: 13n, destIndex: slot, badge: 5n, ...own } },
  { name: "Cap_MintInto",                 does: () => S.Cap_MintInto(place, bell, ["write"], { badge: 5n }), says: { method: "CNode_Mint", on: 16n, srcIndex: 13n, destIndex: 3n, destDepth: 8, badge: 5n, ...own } },
  { name: "Cap_Move",                     does: () => S.Cap_Move(place, giveUp("Endpoint", 11)),       says: { method: "CNode_Move", on: 16n, srcIndex: 11n, destIndex: 3n, destDepth: 8, ...own } },
  { name: "Cap_Mutate",                   does: () => S.Cap_Mutate(giveUp("Endpoint", 11), { badge: 6n }), says: { method: "CNode_Mutate", on: 2n, srcIndex: 11n, destIndex: slot, badge: 6n, ...own } },
  { name: "Cap_Rotate",                   does: () => S.Cap_Rotate(place, giveUp("Endpoint", 11), giveUp("Endpoint", 12)), says: { method: "CNode_Rotate", on: 16n, destIndex: 3n, destDepth: 8, pivotIndex: 11n, pivotRoot: 2n, srcIndex: 12n, ...own } },
  { name: "Cap_Delete",                   does: () => S.Cap_Delete(giveUp("Endpoint", 11)),            says: { method: "CNode_Delete", on: 2n, index: 11n, depth: 64 } },
  { name: "Cap_DeleteFrom",               does: () => S.Cap_DeleteFrom(place),                         says: { method: "CNode_Delete", on: 16n, index: 3n, depth: 8 } },
  { name: "Cap_Revoke",                   does: () => S.Cap_Revoke(endpoint),                          says: { method: "CNode_Revoke", on: 2n, index: 11n, depth: 64 } },
  { name: "Cap_RevokeFrom",               does: () => S.Cap_RevokeFrom(place),                         says: { method: "CNode_Revoke", on: 16n, index: 3n, depth: 8 } },
  { name: "Cap_CancelBadgedSends",        does: () => S.Cap_CancelBadgedSends(endpoint),               says: { method: "CNode_CancelBadgedSends", on: 2n, index: 11n, depth: 64 } },

  { name: "TCB_ReadRegisters",            does: () => S.TCB_ReadRegisters(thread),                   says: { method: "TCB_ReadRegisters", on: 17n } },
  { name: "TCB_WriteRegisters",           does: () => S.TCB_WriteRegisters(thread, { rip: 7n }),     says: { method: "TCB_WriteRegisters", on: 17n } },
  { name: "TCB_CopyRegisters",            does: () => S.TCB_CopyRegisters(thread, second, { integer: false }), says: { method: "TCB_CopyRegisters", on: 17n, source: 18n, flags: { suspendSource: 0, resumeTarget: 0, transferFrame: 1, transferInteger: 0, archFlags: 0 } } },
  { name: "TCB_Configure",                does: () => S.TCB_Configure(thread, { vspaceRoot: space, cspaceRoot: cnode, cspaceBits: 8, ipcBuffer: { frame, address: 0x1000 }, priority: 5, authority: second }), says: { method: "TCB_SetMCPriority", on: 17n, authority: 18n, mcp: 5 } },
  { name: "TCB_SetPriority",              does: () => S.TCB_SetPriority(thread, second, 9),          says: { method: "TCB_SetPriority", on: 17n, authority: 18n, priority: 9 } },
  { name: "TCB_SetMCPriority",            does: () => S.TCB_SetMCPriority(thread, second, 9),        says: { method: "TCB_SetMCPriority", on: 17n, authority: 18n, mcp: 9 } },
  { name: "TCB_SetSchedParams",           does: () => S.TCB_SetSchedParams(thread, { authority: second, priority: 4, maximumPriority: 6, schedContext: time, faultHandler: endpoint }), says: { method: "TCB_SetSchedParams", on: 17n, authority: 18n, priority: 4, mcp: 6, schedContext: 19n, faultHandler: 11n } },
  { name: "TCB_SetTimeoutEndpoint",       does: () => S.TCB_SetTimeoutEndpoint(thread, endpoint),    says: { method: "TCB_SetTimeoutEndpoint", on: 17n, timeoutHandler: 11n } },
  { name: "TCB_SetTimeoutEndpoint: none", does: () => S.TCB_SetTimeoutEndpoint(thread),              says: { method: "TCB_SetTimeoutEndpoint", on: 17n, timeoutHandler: 0n } },
  { name: "TCB_SetIPCBuffer",             does: () => S.TCB_SetIPCBuffer(thread, frame, 0x2000),     says: { method: "TCB_SetIPCBuffer", on: 17n, buffer: 0x2000, bufferFrame: 14n } },
  { name: "TCB_SetSpace",                 does: () => S.TCB_SetSpace(thread, { cspaceRoot: cnode, cspaceBits: 8, vspaceRoot: space }), says: { method: "TCB_SetSpace", on: 17n, cspaceRoot: 16n, vspaceRoot: 15n, faultHandler: 0n } },
  { name: "TCB_Suspend",                  does: () => S.TCB_Suspend(thread),                         says: { method: "TCB_Suspend", on: 17n } },
  { name: "TCB_Resume",                   does: () => S.TCB_Resume(thread),                          says: { method: "TCB_Resume", on: 17n } },
  { name: "TCB_BindNotification",         does: () => S.TCB_BindNotification(thread, bell),          says: { method: "TCB_BindNotification", on: 17n, notification: 13n } },
  { name: "TCB_UnbindNotification",       does: () => S.TCB_UnbindNotification(thread),              says: { method: "TCB_UnbindNotification", on: 17n } },
  { name: "TCB_SetTLSBase",               does: () => S.TCB_SetTLSBase(thread, 0x5000n),             says: { method: "TCB_SetTLSBase", on: 17n, tlsBase: 0x5000n } },
  { name: "TCB_SetFlags",                 does: () => S.TCB_SetFlags(thread, { set: 1n }),           says: { method: "TCB_SetFlags", on: 17n, clear: 0n, set: 1n } },

  { name: "SchedControl_Configure",       does: () => S.SchedControl_Configure(cap("SchedControl", 30), time, thread, { budget: 1000, period: 2000 }), says: { method: "SchedContext_Bind", on: 19n, object: 17n } },
  { name: "SchedContext_Bind",            does: () => S.SchedContext_Bind(time, bell),               says: { method: "SchedContext_Bind", on: 19n, object: 13n } },
  { name: "SchedContext_Unbind",          does: () => S.SchedContext_Unbind(time),                   says: { method: "SchedContext_Unbind", on: 19n } },
  { name: "SchedContext_UnbindObject",    does: () => S.SchedContext_UnbindObject(time, thread),     says: { method: "SchedContext_UnbindObject", on: 19n, object: 17n } },
  { name: "SchedContext_Consumed",        does: () => S.SchedContext_Consumed(time),                 says: { method: "SchedContext_Consumed", on: 19n } },
  { name: "SchedContext_YieldTo",         does: () => S.SchedContext_YieldTo(time),                  says: { method: "SchedContext_YieldTo", on: 19n } },

  { name: "IRQControl_GetIOAPIC",         does: () => S.IRQControl_GetIOAPIC(irqs, { ioapic: 0, pin: 2, trigger: "level", polarity: "high", vector: 4 }), says: { method: "IRQControl_GetIOAPIC", on: 23n, index: slot, pin: 2, level: 1, polarity: 0, vector: 4 } },
  { name: "IRQControl_GetMSI",            does: () => S.IRQControl_GetMSI(irqs, { bus: 0, device: 3, function: 1, handle: 2, vector: 5 }), says: { method: "IRQControl_GetMSI", on: 23n, index: slot, pciBus: 0, pciDev: 3, pciFunc: 1, handle: 2, vector: 5 } },
  { name: "IRQHandler_Ack",               does: () => S.IRQHandler_Ack(irq),                         says: { method: "IRQHandler_Ack", on: 22n } },
  { name: "IRQHandler_SetNotification",   does: () => S.IRQHandler_SetNotification(irq, bell),       says: { method: "IRQHandler_SetNotification", on: 22n, notification: 13n } },
  { name: "IRQHandler_Clear",             does: () => S.IRQHandler_Clear(irq),                       says: { method: "IRQHandler_Clear", on: 22n } },

  { name: "DomainSet_Set",                does: () => S.DomainSet_Set(domains, thread, 1),           says: { method: "DomainSet_Set", on: 25n, domain: 1, thread: 17n } },
  { name: "DomainSet_ScheduleConfigure",  does: () => S.DomainSet_ScheduleConfigure(domains, 2, 1, 9), says: { method: "DomainSet_ScheduleConfigure", on: 25n, index: 2, domain: 1, duration: 9 } },
  { name: "DomainSet_ScheduleSetStart",   does: () => S.DomainSet_ScheduleSetStart(domains, 2),      says: { method: "DomainSet_ScheduleSetStart", on: 25n, index: 2 } },

  { name: "AddressSpace_Map",             does: () => S.AddressSpace_Map(space, 0x1000, frame, ["read"]), says: { method: "X86_Page_Map", on: 14n, vaddr: 0x1000, vspace: 15n } },
  { name: "AddressSpace_Unmap",           does: () => S.AddressSpace_Unmap(space, 0x1000),           says: { method: "AddressSpace_Unmap", on: 15n, vaddr: 0x1000 } },
  { name: "Frame_Unmap",                  does: () => S.Frame_Unmap(frame),                          says: { method: "X86_Page_Unmap", on: 14n } },
  { name: "Frame_GetAddress",             does: () => S.Frame_GetAddress(frame),                     says: { method: "X86_Page_GetAddress", on: 14n } },
  { name: "PDPT_Map",                     does: () => S.PDPT_Map(table.pdpt, space, 0x1000),         says: { method: "X86_PDPT_Map", on: 26n, vaddr: 0x1000, vspace: 15n, attr: 0 } },
  { name: "PageDirectory_Map",            does: () => S.PageDirectory_Map(table.directory, space, 0x1000), says: { method: "X86_PageDirectory_Map", on: 27n, vaddr: 0x1000, vspace: 15n, attr: 0 } },
  { name: "PageTable_Map",                does: () => S.PageTable_Map(table.table, space, 0x1000, "uncacheable"), says: { method: "X86_PageTable_Map", on: 28n, vaddr: 0x1000, vspace: 15n, attr: 3 } },
  { name: "PDPT_Unmap",                   does: () => S.PDPT_Unmap(table.pdpt),                      says: { method: "X86_PDPT_Unmap", on: 26n } },
  { name: "PageDirectory_Unmap",          does: () => S.PageDirectory_Unmap(table.directory),        says: { method: "X86_PageDirectory_Unmap", on: 27n } },
  { name: "PageTable_Unmap",              does: () => S.PageTable_Unmap(table.table),                says: { method: "X86_PageTable_Unmap", on: 28n } },
  { name: "ASIDControl_MakePool",         does: () => S.ASIDControl_MakePool(cap("ASIDControl", 31), memory), says: { method: "X86_ASIDControl_MakePool", on: 31n, index: slot, untyped: 24n } },
  { name: "ASIDPool_Assign",              does: () => S.ASIDPool_Assign(pool, space),                says: { method: "X86_ASIDPool_Assign", on: 29n, vspace: 15n } },

  { name: "IOPort_Create",                does: () => S.IOPort_Create(cap("IOPortControl", 32), 1, 2), says: { method: "X86_IOPortControl_Issue", on: 32n, firstPort: 1, lastPort: 2, index: slot } },
  { name: "IOPort_In8",                   does: () => S.IOPort_In8(ports, 0x3f8),                    says: { method: "X86_IOPort_In8", on: 21n, port: 0x3f8 } },
  { name: "IOPort_In16",                  does: () => S.IOPort_In16(ports, 0x3f8),                   says: { method: "X86_IOPort_In16", on: 21n, port: 0x3f8 } },
  { name: "IOPort_In32",                  does: () => S.IOPort_In32(ports, 0x3f8),                   says: { method: "X86_IOPort_In32", on: 21n, port: 0x3f8 } },
  { name: "IOPort_Out8",                  does: () => S.IOPort_Out8(ports, 0x3f8, 1),                says: { method: "X86_IOPort_Out8", on: 21n, port: 0x3f8, data: 1 } },
  { name: "IOPort_Out16",                 does: () => S.IOPort_Out16(ports, 0x3f8, 1),               says: { method: "X86_IOPort_Out16", on: 21n, port: 0x3f8, data: 1 } },
  { name: "IOPort_Out32",                 does: () => S.IOPort_Out32(ports, 0x3f8, 1),               says: { method: "X86_IOPort_Out32", on: 21n, port: 0x3f8, data: 1 } },

  { name: "Send",                         does: () => S.Send(endpoint, { words: [1n] }),             says: { method: "NBSend", on: 11n, words: [1n] } },
  { name: "SendBlocking",                 does: () => S.SendBlocking(endpoint, { words: [1n] }),     says: { method: "Send", on: 11n, words: [1n] } },
  { name: "Call",                         does: () => S.Call(endpoint, { words: [1n] }),             says: { method: "Call", on: 11n, words: [1n] } },
  { name: "Receive",                      does: () => S.Receive(endpoint),                           says: { method: "Wait", on: 11n, reply: 0n } },
  { name: "Receive, to answer",           does: () => S.Receive(endpoint, answering),                says: { method: "Recv", on: 11n, reply: 20n } },
  { name: "ReceivePoll",                  does: () => S.ReceivePoll(endpoint),                       says: { method: "NBWait", on: 11n, reply: 0n } },
  { name: "ReceivePoll, to answer",       does: () => S.ReceivePoll(endpoint, answering),            says: { method: "NBRecv", on: 11n, reply: 20n } },
  { name: "SendReceive",                  does: () => S.SendReceive(other, {}, endpoint),            says: { method: "NBSendWait", on: 11n, destination: 12n, reply: 0n } },
  { name: "SendReceive, to answer",       does: () => S.SendReceive(other, {}, endpoint, answering), says: { method: "NBSendRecv", on: 11n, destination: 12n, reply: 20n } },
  { name: "Reply",                        does: () => S.Reply(answering, { words: [1n] }),           says: { method: "Send", on: 20n, words: [1n] } },
  { name: "ReplyReceive",                 does: () => S.ReplyReceive(endpoint, answering, {}),       says: { method: "ReplyRecv", on: 11n, reply: 20n } },
  { name: "Signal",                       does: () => S.Signal(bell),                                says: { method: "Send", on: 13n } },
  { name: "Wait",                         does: () => S.Wait(bell),                                  says: { method: "Wait", on: 13n } },
  { name: "Poll",                         does: () => S.Poll(bell),                                  says: { method: "NBWait", on: 13n } },
  { name: "Yield",                        does: () => S.Yield,                                       says: { method: "Yield" } }
]

const saidBy = ({ does }: Call): ReadonlyArray<Called> => {
  const kernel = new Kernel()
  kernel.run(Effect.suspend(does))
  return kernel.called
}

describe("a typed call", () => {
  it.each(calls)("$name says to the kernel what it was told", (call) => {
    assert.deepInclude(saidBy(call).at(-1), call.says)
  })
})

/** What there is no typed call for here: who runs guests has them, or the kernel refuses it on this architecture, or it is no part of it yet. */
const elsewhere = /^X86_(?:VCPU|EPT|IOPageTable)|EPT|MapIO|^IRQControl_Get$/

describe("the typed calls", () => {
  it("are of every method of the interface", () => {
    const invoked = new Set(calls.flatMap((call) => saidBy(call).map(({ method }) => method)))
    const methods = all.map(({ name }) => name).filter((name) => !elsewhere.test(name))
    assert.deepStrictEqual(
      methods.filter((name) => !invoked.has(name)),
      []
    )
  })

  it("are of every system call that passes messages", () => {
    const made = new Set(calls.flatMap((call) => saidBy(call).map(({ method }) => method)))
    const passing = [
      "Call",
      "ReplyRecv",
      "NBSendRecv",
      "NBSendWait",
      "Send",
      "NBSend",
      "Recv",
      "NBRecv",
      "Wait",
      "NBWait"
    ]
    assert.deepStrictEqual(
      [...passing, "Yield"].filter((name) => !made.has(name)),
      []
    )
  })
})
