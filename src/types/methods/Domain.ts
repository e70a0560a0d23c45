/** The methods of the scheduling domains. */
import { byte, cap, count, method } from "../Method.ts"

/** Say in which domain a thread runs. */
export const Set = method({
  name: "DomainSet_Set",
  label: 30,
  kind: "Domain",
  rights: ["set"],
  words: { domain: byte },
  caps: { thread: cap({ TCB: ["schedule"] }) }
})

/** Say which domain has turn `index` of the schedule, and for how many nanoseconds. 0 are the end of the schedule. */
export const ScheduleConfigure = method({
  name: "DomainSet_ScheduleConfigure",
  label: 31,
  kind: "Domain",
  rights: ["schedule"],
  words: { index: count, domain: byte, duration: count }
})

/** Say with which turn the schedule begins, and begin it now. */
export const ScheduleSetStart = method({
  name: "DomainSet_ScheduleSetStart",
  label: 32,
  kind: "Domain",
  rights: ["schedule"],
  words: { index: count }
})
