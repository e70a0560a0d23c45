/**
 * Faults: a task touches memory that it does not have, and goes on when it has got it.
 *
 *     npx skyscope run examples/faults.ts
 *
 * The access goes through the machine's page tables, whether a program is compiled or, as here, in TypeScript. What they forbid stops the
 * thread, and the kernel sends a message for it to the thread's fault handler: where, and why. To answer is to let the thread try again.
 */
import { Effect } from "effect"
import {
  AddressSpace_Map,
  Cap_Mint,
  create,
  Fault_Receive,
  Fault_Reply,
  Memory_Read,
  Memory_Write,
  print,
  rootTask,
  spawn,
  startConsole
} from "skyscope"

/** Nothing is here. */
const somewhere = 0x1000_0000

const hex = (word: number | bigint) => `${word.toString(16).toUpperCase()}H`

export default rootTask(
  Effect.gen(function* () {
    const console = yield* startConsole
    const faults = yield* create("Endpoint")
    const answering = yield* create("Reply")

    // Whoever handles the faults of several tasks tells them apart by the badge of the capability that each was given for it.
    const faultHandler = yield* Cap_Mint(faults, ["write", "grant"], { badge: 7n })
    const explorer = yield* spawn({ name: "explorer", gives: { console }, faultHandler }, ({ console }) =>
      Effect.gen(function* () {
        yield* Memory_Write(somewhere, new TextEncoder().encode("I was here"))
        const found = yield* Memory_Read(somewhere, 10)
        yield* print(console, `The explorer wrote and reads back: ${new TextDecoder().decode(found)}.\n`)
      })
    )

    const received = yield* Fault_Receive(faults, answering)
    const { badge, fault } = received
    if (fault._tag !== "VMFault") return yield* Effect.fail(fault)
    yield* print(
      console,
      `Task ${badge} may not ${(fault.status & 2) === 0 ? "read" : "write"} at ${hex(fault.address)} (error code ${fault.status}).\n`
    )

    // A page of memory, at the page that the address is in.
    const page = Number(fault.address) & ~0xfff
    yield* AddressSpace_Map(explorer.addressSpace, page, yield* create("Page4K"), ["read", "write"])
    yield* print(console, `It gets a frame at ${hex(page)}, and tries again.\n`)
    yield* Fault_Reply(answering, received)
  })
)
