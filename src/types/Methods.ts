/** Methods: all of them. */
import type { Kind } from "./Kind.ts"
import type { Method } from "./Method.ts"
import * as AddressSpace from "./methods/AddressSpace.ts"
import * as CNode from "./methods/CNode.ts"
import * as Domain from "./methods/Domain.ts"
import * as IRQControl from "./methods/IRQControl.ts"
import * as IRQHandler from "./methods/IRQHandler.ts"
import * as SchedContext from "./methods/SchedContext.ts"
import * as SchedControl from "./methods/SchedControl.ts"
import * as TCB from "./methods/TCB.ts"
import * as Untyped from "./methods/Untyped.ts"
import * as x86_64 from "./x86_64/Methods.ts"

/** Every method, in no order. */
export const all: ReadonlyArray<Method> = [
  ...[Untyped, TCB, CNode, IRQControl, IRQHandler, Domain, SchedControl, SchedContext, AddressSpace].flatMap(
    (methods): ReadonlyArray<Method> => Object.values(methods)
  ),
  ...x86_64.all
]

const labelled = new Map(all.map((method) => [method.label, method]))

/** The method of a kind that has this label. Labels are numbered over all kinds. */
export const byLabel = (kind: Kind, label: number): Method | undefined => {
  const method = labelled.get(label)
  return method?.kind === kind ? method : undefined
}
