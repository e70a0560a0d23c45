/** Architecture: what the interface takes from the machine's architecture. Which one it is, only this file says. */

export { gateRom } from "./x86_64/GateRom.ts"
export type { InterruptSource } from "./x86_64/InterruptSource.ts"
export { type PlacingCall, type PlacingRight, rightsOf, type Single, type Structure } from "./x86_64/Kind.ts"
export { objectTypes } from "./x86_64/ObjectType.ts"
export { type UserContext, type UserRegister, userContext } from "./x86_64/Registers.ts"
