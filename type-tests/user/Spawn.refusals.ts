/** What starting tasks, and making spaces and frames for them, says to those who lack a right, or have something else. */
import { Effect } from "effect"
import { type Cap, consume, type Made } from "../../src/types/Capability.ts"
import { withRevocable } from "../../src/user/Capabilities.ts"
import { Signal, Wait } from "../../src/user/Ipc.ts"
import { AddressSpace_Create, Frame_Unmap } from "../../src/user/Memory.ts"
import { spawn, spawnElf } from "../../src/user/Spawn.ts"

declare const pool: Cap<"ASIDPool", "assign">
declare const poolNone: Cap<"ASIDPool", never>
declare const frame: Cap<"Frame", "read">
declare const bell: Cap<"Notification", "read" | "write">
declare const bellW: Cap<"Notification", "write">
declare const faults: Cap<"Endpoint", "write" | "grant">
declare const faultsW: Cap<"Endpoint", "write">
declare const file: Uint8Array
declare const space: Cap<"AddressSpace", "map">
declare const bare: Made<"PML4">
declare const irqs: Cap<"IRQControl", "issue">
declare const old: Cap<"Notification", "read">

export const spaces = Effect.gen(function* () {
  yield* AddressSpace_Create(pool)
  yield* AddressSpace_Create(poolNone) //! TS2345 ⛔ AddressSpace_Create needs right 'assign'; this ASIDPool capability holds no rights
  yield* AddressSpace_Create(frame) //! TS2345 ⛔ AddressSpace_Create needs an ASIDPool capability, got Frame
  yield* Frame_Unmap(frame)
  yield* Frame_Unmap(pool) //! TS2345 ⛔ Frame_Unmap needs a Frame capability, got ASIDPool
})

export const tasks = Effect.gen(function* () {
  yield* spawn({ name: "bob", gives: { bell } }, ({ bell }) => Wait(bell))
  yield* spawn({ name: "bob", gives: { bell: bellW } }, ({ bell }) => Wait(bell)) //! TS2345 ⛔ Wait needs right 'read'; this Notification capability holds 'write'
  yield* spawn({ name: "bob", gives: { space } }, () => Effect.void)
  yield* spawn({ name: "bob", gives: { space: bare } }, () => Effect.void) //! TS2322 ⛔ spawn: this AddressSpace has no place yet: ASIDPool_Assign gives it one
  yield* spawn({ name: "bob", gives: { space: irqs } }, () => Effect.void) //! TS2322 ⛔ spawn: of an IRQControl there are no copies
  consume(old)
  yield* spawn({ name: "bob", gives: { space } }, () => Effect.void)
  yield* spawn({ name: "bob", gives: { space: old } }, () => Effect.void) //! TS2322 ⛔ spawn: capability was already moved, deleted or revoked
  yield* spawnElf({ name: "bob", gives: { space } }, file)
  yield* spawnElf({ name: "bob", gives: { space: bare } }, file) //! TS2322 ⛔ spawnElf: this AddressSpace has no place yet: ASIDPool_Assign gives it one
  yield* spawn({ name: "bob", faultHandler: faults }, () => Effect.void)
  yield* spawn({ name: "bob", faultHandler: faultsW }, () => Effect.void) //! TS2322 ⛔ spawn needs right 'grant' or 'grantReply'; this Endpoint capability holds 'write'
  yield* spawnElf({ name: "bob", faultHandler: faults }, file)
  yield* spawnElf({ name: "bob", faultHandler: faultsW }, file) //! TS2322 ⛔ spawnElf needs right 'grant' or 'grantReply'; this Endpoint capability holds 'write'
})

export const loans = [
  withRevocable(bell, ["write"], () => spawn({ name: "bob", gives: { bell } }, ({ bell }) => Signal(bell))),
  withRevocable(bell, ["write"], (bell) => spawn({ name: "bob", gives: { bell } }, ({ bell }) => Signal(bell))) //! TS2375 Type 'Region<Loan>' is not assignable to type
]
