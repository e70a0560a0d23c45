/**
 * FairShare: time by weights, as a policy over budgets.
 *
 * The kernel knows budgets and periods. Who is to have how much of them is a program's business: this one gives each
 * member the part of every period that its weight is of all weights. What it gives, the kernel enforces. It is either all
 * that a member may have (`parts`), or the length of its turn (`turns`): then who wants its time has it by the weights of
 * those who do, and nothing is lost when one waits.
 */
import { Effect, Schema } from "effect"
import type { Cap, Endpoint } from "../types/Capability.ts"
import { protocol } from "../types/Protocol.ts"
import type { Refusal } from "./Invocation.ts"
import { reply, replyError, serve } from "./Server.ts"
import type { Syscalls } from "./Syscalls.ts"
import { SchedControl_SetBudget, type SchedulingParameters } from "./Threads.ts"

/** The kernel gives no budget below this: microseconds. */
const leastBudget = 20

/** A member would have less time than there can be, or is none. */
export class NoShare extends Schema.TaggedError<NoShare>()("NoShare", { member: Schema.String }) {}

/** What can be asked of who shares out the time: another weight for a member. The answer is its budget in microseconds. */
export class FairShare extends protocol("fair share", {
  weigh: {
    request: Schema.Struct({ member: Schema.String, weight: Schema.Finite }),
    reply: Schema.Int,
    error: NoShare
  }
}) {}

/** What a member's budget is: the most it has in a period, or its turn among its equals, in rounds of a period when all are ready. */
export type Sharing = "parts" | "turns"

/** As the kernel takes it: "with both the same, equals take turns of that length". */
export const timeOf = (sharing: Sharing, budget: number, period: number): SchedulingParameters => ({
  budget,
  period: sharing === "turns" ? budget : period
})

/** By the names of members: weights, or budgets in microseconds. */
export type PerMember = Readonly<Record<string, number>>

/** Each member's part of a period in microseconds: together at most the whole of it. */
export const budgetsOf = (period: number, weights: PerMember): PerMember | NoShare => {
  const all = Object.values(weights).reduce((sum, weight) => sum + weight, 0)
  const budgets: Record<string, number> = {}
  for (const [member, weight] of Object.entries(weights)) {
    const budget = Math.floor((period * weight) / all)
    // Of a weight that is none, nothing is known.
    if (!(weight > 0 && budget >= leastBudget)) return new NoShare({ member })
    budgets[member] = budget
  }
  return budgets
}

/** Who shares out the time of one core among the threads that run on these scheduling contexts. */
export interface Policy {
  readonly schedControl: Cap<"SchedControl", "configure">
  readonly members: Readonly<Record<string, Cap<"SchedContext", "configure">>>
  /** Microseconds: in each period, every member has its part of `shared`; the rest is for others. */
  readonly period: number
  readonly shared: number
  /** Members that take turns have one priority. */
  readonly sharing: Sharing
}

/** Give every member its budget. Nobody's changes if one's would be too little. */
export const shareFairly = (
  { schedControl, members, period, shared, sharing }: Policy,
  weights: PerMember
): Effect.Effect<PerMember, NoShare | Refusal, Syscalls> =>
  Effect.gen(function* () {
    const budgets = budgetsOf(shared, weights)
    if (budgets instanceof NoShare) return yield* Effect.fail(budgets)
    for (const [member, schedContext] of Object.entries(members)) {
      const budget = budgets[member]
      if (budget === undefined) return yield* Effect.fail(new NoShare({ member }))
      yield* SchedControl_SetBudget(schedControl, schedContext, timeOf(sharing, budget, period))
    }
    return budgets
  })

/** The policy as a task's program: it gives every member its first budget, and another when it is asked to. */
export const shareTime = (
  endpoint: Endpoint<FairShare, "read">,
  answers: Cap<"Reply", "send" | "receive">,
  policy: Policy,
  first: PerMember
): Effect.Effect<never, NoShare | Refusal, Syscalls> => {
  let weights = first
  return Effect.andThen(
    shareFairly(policy, weights),
    serve(endpoint, answers, {
      weigh: ({ member, weight }, to) => {
        const wanted = { ...weights, [member]: weight }
        const budgets = Object.hasOwn(weights, member) ? budgetsOf(policy.shared, wanted) : new NoShare({ member })
        if (budgets instanceof NoShare) return replyError(to, budgets)
        weights = wanted
        return Effect.flatMap(shareFairly(policy, weights), (budgets) => reply(to, budgets[member] ?? 0))
      }
    })
  )
}
