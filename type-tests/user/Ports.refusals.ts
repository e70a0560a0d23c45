/** What calls on IO ports say to those who lack a right, or have something else. */
import { Effect } from "effect"
import { type Cap, consume } from "../../src/types/Capability.ts"
import { IOPort_Create, IOPort_In8, IOPort_Out8 } from "../../src/user/Ports.ts"

declare const control: Cap<"IOPortControl", "issue">
declare const controlNone: Cap<"IOPortControl", never>
declare const port: Cap<"IOPort", "in" | "out">
declare const portIn: Cap<"IOPort", "in">
declare const portOut: Cap<"IOPort", "out">

export const ports = Effect.gen(function* () {
  yield* IOPort_Create(control, 0x3f8, 0x3ff)
  yield* IOPort_Create(controlNone, 0x3f8, 0x3ff) //! TS2345 ⛔ IOPort_Create needs right 'issue'; this IOPortControl capability holds no rights
  yield* IOPort_Create(port, 0x3f8, 0x3ff) //! TS2345 ⛔ IOPort_Create needs an IOPortControl capability, got IOPort
  yield* IOPort_In8(portIn, 0x3f8)
  yield* IOPort_In8(portOut, 0x3f8) //! TS2345 ⛔ IOPort_In8 needs right 'in'; this IOPort capability holds 'out'
  yield* IOPort_Out8(portOut, 0x3f8, 65)
  yield* IOPort_Out8(portIn, 0x3f8, 65) //! TS2345 ⛔ IOPort_Out8 needs right 'out'; this IOPort capability holds 'in'
  yield* IOPort_Out8(control, 0x3f8, 65) //! TS2345 ⛔ IOPort_Out8 needs an IOPort capability, got IOPortControl
  consume(port)
  yield* IOPort_In8(portIn, 0x3f8)
  yield* IOPort_In8(port, 0x3f8) //! TS2345 ⛔ IOPort_In8: capability was already moved, deleted or revoked
})
