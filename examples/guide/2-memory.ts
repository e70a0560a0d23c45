/**
 * The guide, step 2: objects are made of memory, and a capability says what may be done with one.
 *
 *     npx skyscope run examples/guide/2-memory.ts
 */
import { Effect } from "effect"
import {
  AddressSpace_Map,
  BootInfo,
  Cap_Mint,
  Memory_Read,
  Memory_Write,
  Poll,
  print,
  rootTask,
  Signal,
  startConsole,
  Untyped_Carve,
  Untyped_Create
} from "skyscope"

export default rootTask(
  Effect.gen(function* () {
    const console = yield* startConsole
    const { addressSpace } = yield* BootInfo

    // 16 KiB, counted by the compiler: what is left is another value, with another type.
    const memory = yield* Untyped_Create(14)
    const [[bell], rest] = yield* Untyped_Carve(memory, "Notification")
    const [[page]] = yield* Untyped_Carve(rest, "Page4K")

    // A copy with fewer rights, and a badge by which the listener knows it.
    const ringer = yield* Cap_Mint(bell, ["write"], { badge: 4n })
    yield* Signal(ringer)
    yield* print(console, `Rung by ${yield* Poll(bell)}.\n`)

    // Memory can be touched where it is mapped, and as it is mapped.
    yield* AddressSpace_Map(addressSpace, "0x1000_0000", page, ["read", "write"])
    yield* Memory_Write(0x1000_0000, new TextEncoder().encode("written"))
    yield* print(console, `Read back: ${new TextDecoder().decode(yield* Memory_Read(0x1000_0000, 7))}.\n`)
  })
)
