/** The methods of a thread. */
import { type UserRegister, userContext } from "../Architecture.ts"
import { cap, count, type Field, lowBits, method, optional, packed, word } from "../Method.ts"
import type { Word } from "../Word.ts"

const registers = Object.fromEntries(userContext.map((name) => [name, word])) as {
  readonly [R in UserRegister]: Field<Word, bigint>
}

/** A fault handler must be able to be called: the kernel sends to it, and waits for its answer. */
const faultHandler = optional({ Endpoint: ["write", ["grant", "grantReply"]] })
const cspaceRoot = cap({ CNode: ["take"] })
const vspaceRoot = cap({ AddressSpace: ["bind"] })
/** What the thread may do with its buffer is found when a message needs it. */
const bufferFrame = optional({ Frame: [] })
/** The thread whose maximum controlled priority is the ceiling. */
const authority = cap({ TCB: ["schedule"] })

/** Read the first `count` registers. Suspending the thread before needs the right to run it. */
export const ReadRegisters = method({
  name: "TCB_ReadRegisters",
  label: 2,
  kind: "TCB",
  rights: ["readRegisters"],
  words: { flags: packed({ suspendSource: [0, 0], archFlags: [15, 8] }), count },
  results: registers
})

/** Write the first `count` registers. Resuming the thread after needs the right to run it. */
export const WriteRegisters = method({
  name: "TCB_WriteRegisters",
  label: 3,
  kind: "TCB",
  rights: ["writeRegisters"],
  words: { flags: packed({ resumeTarget: [0, 0], archFlags: [15, 8] }), count },
  rest: userContext
})

/** Copy registers from another thread. Suspending the one or resuming the other needs the right to run it. */
export const CopyRegisters = method({
  name: "TCB_CopyRegisters",
  label: 4,
  kind: "TCB",
  rights: ["writeRegisters"],
  words: {
    flags: packed({
      suspendSource: [0, 0],
      resumeTarget: [1, 1],
      transferFrame: [2, 2],
      transferInteger: [3, 3],
      archFlags: [15, 8]
    })
  },
  caps: { source: cap({ TCB: ["readRegisters"] }) }
})

/** Give it a capability space, an address space and an IPC buffer. */
export const Configure = method({
  name: "TCB_Configure",
  label: 5,
  kind: "TCB",
  rights: ["configure"],
  words: { cspaceRootData: word, vspaceRootData: word, buffer: lowBits },
  caps: { cspaceRoot, vspaceRoot, bufferFrame }
})

export const SetPriority = method({
  name: "TCB_SetPriority",
  label: 6,
  kind: "TCB",
  rights: ["schedule"],
  words: { priority: count },
  caps: { authority }
})

/** Set the highest priority that it can give. */
export const SetMCPriority = method({
  name: "TCB_SetMCPriority",
  label: 7,
  kind: "TCB",
  rights: ["schedule"],
  words: { mcp: count },
  caps: { authority }
})

/** Set both priorities, its scheduling context and its fault handler. */
export const SetSchedParams = method({
  name: "TCB_SetSchedParams",
  label: 8,
  kind: "TCB",
  rights: ["configure", "schedule"],
  words: { mcp: count, priority: count },
  caps: { authority, schedContext: optional({ SchedContext: ["bind"] }), faultHandler }
})

/** Say who hears that its budget is used up. */
export const SetTimeoutEndpoint = method({
  name: "TCB_SetTimeoutEndpoint",
  label: 9,
  kind: "TCB",
  rights: ["configure"],
  caps: { timeoutHandler: faultHandler }
})

export const SetIPCBuffer = method({
  name: "TCB_SetIPCBuffer",
  label: 10,
  kind: "TCB",
  rights: ["configure"],
  words: { buffer: lowBits },
  caps: { bufferFrame }
})

/** Set its fault handler, its capability space and its address space. */
export const SetSpace = method({
  name: "TCB_SetSpace",
  label: 11,
  kind: "TCB",
  rights: ["configure"],
  words: { cspaceRootData: word, vspaceRootData: word },
  caps: { faultHandler, cspaceRoot, vspaceRoot }
})

export const Suspend = method({ name: "TCB_Suspend", label: 12, kind: "TCB", rights: ["run"] })

export const Resume = method({ name: "TCB_Resume", label: 13, kind: "TCB", rights: ["run"] })

/** Let signals of the notification reach it while it receives from an endpoint. */
export const BindNotification = method({
  name: "TCB_BindNotification",
  label: 14,
  kind: "TCB",
  rights: ["configure"],
  caps: { notification: cap({ Notification: ["read"] }) }
})

export const UnbindNotification = method({
  name: "TCB_UnbindNotification",
  label: 15,
  kind: "TCB",
  rights: ["configure"]
})

export const SetTLSBase = method({
  name: "TCB_SetTLSBase",
  label: 16,
  kind: "TCB",
  rights: ["writeRegisters"],
  words: { tlsBase: word }
})

export const SetFlags = method({
  name: "TCB_SetFlags",
  label: 17,
  kind: "TCB",
  rights: ["configure"],
  words: { clear: word, set: word },
  results: { flags: word }
})
