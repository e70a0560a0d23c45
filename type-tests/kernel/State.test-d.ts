/** What a decode and what a perform can do, by their types. */
import { expectAssignable, expectNotAssignable, expectType } from "tsd"
import type * as Capability from "../../src/kernel/Capability.ts"
import type * as CNode from "../../src/kernel/CNode.ts"
import type * as Interrupt from "../../src/kernel/Interrupt.ts"
import type { Invocation } from "../../src/kernel/Invocation.ts"
import type * as SchedContext from "../../src/kernel/SchedContext.ts"
import type * as SchedControl from "../../src/kernel/SchedControl.ts"
import type { Decoded, Outcome, Perform, State, View } from "../../src/kernel/State.ts"
import type * as ThreadMethods from "../../src/kernel/ThreadMethods.ts"
import type * as Untyped from "../../src/kernel/Untyped.ts"
import type { Memory } from "../../src/types/Layout.ts"
import type { SyscallError } from "../../src/types/SyscallError.ts"

declare const view: View
declare const state: State

// Who may change the kernel may read it; who may read it cannot change it.
expectAssignable<View>(state)
expectNotAssignable<State>(view)
expectNotAssignable<Memory>(view.memory)
expectAssignable<Memory>(state.memory)
expectNotAssignable<Parameters<typeof Capability.write>[0]>(view)

// A decode has a view, and no way to write.
type Decode = (view: View, invocation: Invocation) => Decoded
declare const decodes: {
  readonly CNode: typeof CNode.decode
  readonly Interrupt: typeof Interrupt.decode
  readonly SchedContext: typeof SchedContext.decode
  readonly SchedControl: typeof SchedControl.decode
  readonly Thread: typeof ThreadMethods.decode
  readonly Untyped: typeof Untyped.decode
}
expectType<Decode>(decodes.CNode)
expectType<Decode>(decodes.Interrupt)
expectType<Decode>(decodes.SchedContext)
expectType<Decode>(decodes.SchedControl)
expectType<Decode>(decodes.Thread)
expectType<Decode>(decodes.Untyped)

// What was decoded cannot be refused any more.
declare const perform: Perform
declare const refusal: SyscallError
expectType<Outcome>(perform(state))
expectNotAssignable<Outcome>(refusal)
