/** Calls that are made of several, with memory from an allocator: on the kernel and the machine. */
import { Effect } from "effect"
import { assert, describe, it } from "vitest"
import {
  AddressSpace_Create,
  BootInfo,
  Cap_Copy,
  Cap_Mint,
  CNode_Create,
  create,
  Debug_CapIdentify,
  Fault_Receive,
  Frame_Create,
  Frame_GetAddress,
  give,
  SchedControl_Configure,
  TCB_Create,
  TCB_Resume,
  TCB_SetPriority,
  TCB_WriteRegisters
} from "../../src/user/index.ts"
import { runProgram } from "../examples/system.ts"

describe("a composition", () => {
  it("Frame_Create makes the frame at a physical address, once", () => {
    let outcome: unknown
    const hpet = 0xfed0_0000
    runProgram(
      Effect.gen(function* () {
        const frame = yield* Frame_Create(hpet, "Page4K")
        const address = yield* Frame_GetAddress(frame)
        const again = yield* Effect.flip(Frame_Create(hpet, "Page4K"))
        outcome = { address, again: again._tag }
      })
    )
    assert.deepStrictEqual(outcome, { address: hpet, again: "OutOfMemory" })
  })

  it("CNode_Create makes a table that capabilities can be put into", () => {
    let outcome: unknown
    runProgram(
      Effect.gen(function* () {
        const cnode = yield* CNode_Create(4)
        const bell = yield* create("Notification")
        yield* give({ cnode, index: 15, depth: 4 }, yield* Cap_Copy(bell, ["read"]))
        const full = yield* Effect.flip(
          Effect.flatMap(Cap_Copy(bell, ["read"]), (copy) => give({ cnode, index: 15, depth: 4 }, copy))
        )
        outcome = { kind: yield* Debug_CapIdentify(cnode), full: full._tag }
      })
    )
    assert.deepStrictEqual(outcome, { kind: "CNode", full: "DeleteFirst" })
  })

  it("TCB_Create makes a thread in an address space, whose faults its handler hears of", () => {
    let outcome: unknown
    const nowhere = 0x1234_5000n
    runProgram(
      Effect.gen(function* () {
        const { asidPool, schedControl, tcb: own } = yield* BootInfo
        const faults = yield* create("Endpoint")
        const handler = yield* Cap_Mint(faults, ["write", "grant"], { badge: 9n })
        const tcb = yield* TCB_Create(yield* AddressSpace_Create(asidPool), handler)
        yield* TCB_WriteRegisters(tcb, { rip: nowhere, rflags: 0x202n })
        yield* SchedControl_Configure(schedControl[0]!, yield* create("SchedContext", 7), tcb, {
          budget: 1000,
          period: 1000
        })
        yield* TCB_SetPriority(tcb, own, 100)
        yield* TCB_Resume(tcb)
        const { badge, fault } = yield* Fault_Receive(faults, yield* create("Reply"))
        outcome = { badge, tag: fault._tag, address: "address" in fault ? fault.address : undefined }
      })
    )
    assert.deepStrictEqual(outcome, { badge: 9n, tag: "VMFault", address: nowhere })
  })
})
