/** Domains: which threads run in which part of time, and the order of the parts. */
import { Effect } from "effect"
import type { AnyCap, Using } from "../types/Capability.ts"
import * as Domain from "../types/methods/Domain.ts"
import type { Need } from "../types/Need.ts"
import { invoke, pointer, type Refusal } from "./Invocation.ts"
import type { Syscalls } from "./Syscalls.ts"

/** Say in which domain a thread runs. */
export const DomainSet_Set = <C extends AnyCap, T extends AnyCap>(
  control: Need<C, "DomainSet_Set", "Domain", "set">,
  thread: Need<T, "DomainSet_Set", "TCB", "schedule">,
  domain: number
): Effect.Effect<void, Refusal, Syscalls | Using<C, "set"> | Using<T, "schedule">> =>
  Effect.asVoid(invoke(Domain.Set, pointer(control), { domain, thread: pointer(thread) }))

/** Say which domain has turn `index` of the schedule, and for how many nanoseconds. 0 are the end of the schedule. */
export const DomainSet_ScheduleConfigure = <C extends AnyCap>(
  control: Need<C, "DomainSet_ScheduleConfigure", "Domain", "schedule">,
  index: number,
  domain: number,
  duration: number
): Effect.Effect<void, Refusal, Syscalls | Using<C, "schedule">> =>
  Effect.asVoid(invoke(Domain.ScheduleConfigure, pointer(control), { index, domain, duration }))

/** Say with which turn the schedule begins, and begin it now. */
export const DomainSet_ScheduleSetStart = <C extends AnyCap>(
  control: Need<C, "DomainSet_ScheduleSetStart", "Domain", "schedule">,
  index: number
): Effect.Effect<void, Refusal, Syscalls | Using<C, "schedule">> =>
  Effect.asVoid(invoke(Domain.ScheduleSetStart, pointer(control), { index }))
