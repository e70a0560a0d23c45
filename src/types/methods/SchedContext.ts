/** The methods of a scheduling context. */
import { cap, count, method } from "../Method.ts"

/** Who can run on it: a thread, or the thread that waits for a notification. */
const object = cap({ TCB: ["schedule"], Notification: [] })

export const Bind = method({
  name: "SchedContext_Bind",
  label: 34,
  kind: "SchedContext",
  rights: ["bind"],
  caps: { object }
})

/** Take it from all who have it. */
export const Unbind = method({ name: "SchedContext_Unbind", label: 35, kind: "SchedContext", rights: ["bind"] })

export const UnbindObject = method({
  name: "SchedContext_UnbindObject",
  label: 36,
  kind: "SchedContext",
  rights: ["bind"],
  caps: { object }
})

/** The microseconds used since this was last told. */
export const Consumed = method({
  name: "SchedContext_Consumed",
  label: 37,
  kind: "SchedContext",
  rights: ["consume"],
  results: { consumed: count }
})

/** Let its thread run before the caller goes on, and tell what it has consumed. */
export const YieldTo = method({
  name: "SchedContext_YieldTo",
  label: 38,
  kind: "SchedContext",
  rights: ["consume"],
  results: { consumed: count }
})
