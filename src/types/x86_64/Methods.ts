/** Methods: those that only this architecture has. */
import type { Method } from "../Method.ts"
import * as ASIDControl from "./methods/ASIDControl.ts"
import * as ASIDPool from "./methods/ASIDPool.ts"
import * as EPTPD from "./methods/EPTPD.ts"
import * as EPTPDPT from "./methods/EPTPDPT.ts"
import * as EPTPT from "./methods/EPTPT.ts"
import * as Frame from "./methods/Frame.ts"
import * as IOPageTable from "./methods/IOPageTable.ts"
import * as IOPort from "./methods/IOPort.ts"
import * as IOPortControl from "./methods/IOPortControl.ts"
import * as IRQControl from "./methods/IRQControl.ts"
import * as PageDirectory from "./methods/PageDirectory.ts"
import * as PageTable from "./methods/PageTable.ts"
import * as PDPT from "./methods/PDPT.ts"
import * as TCB from "./methods/TCB.ts"
import * as VCPU from "./methods/VCPU.ts"

export const all: ReadonlyArray<Method> = [
  ...[PDPT, PageDirectory, PageTable, Frame, ASIDControl, ASIDPool, IOPortControl, IOPort, IRQControl],
  ...[IOPageTable, TCB, VCPU, EPTPDPT, EPTPD, EPTPT]
].flatMap((methods): ReadonlyArray<Method> => Object.values(methods))
