/** What a system of guests says of the field that is wrong. */
import { defineSystem } from "../../src/user/System.ts"
import {
  consoles,
  diskGrants,
  diskObjects,
  disks,
  guestObjects,
  machineObjects,
  monitorGrants,
  monitorTask,
  network,
  networkGrants,
  networkObjects,
  processorGrants,
  processorObjects,
  timer
} from "../../src/vmm/guests.ts"

const guest = { name: "", memoryBytes: 0, payload: { _tag: "Flat", bytes: new Uint8Array(0) } } as const
const names = ["ann", "bob"] as const
const o = { ...machineObjects, ...guestObjects(names) }
const servers = { timer: timer(names), console: consoles(names) }
const ann = { program: monitorTask(guest, []), priority: 100, grants: monitorGrants("ann", 0) } as const
const bob = { program: monitorTask(guest, []), priority: 100, grants: monitorGrants("bob", 1) } as const
const all = { ...servers, ann, bob }

// A monitor: what it needs for its guest, and no more.
// biome-ignore format: a refusal, a line
export const monitors = [
  defineSystem({ objects: o, tasks: all }),
  defineSystem({ objects: o, tasks: { ...all, ann: { ...ann, grants: { ...ann.grants, port: { to: "com1", rights: ["in", "out"] } } } } }), //! TS2322 ⛔ over-privileged: task 'ann' is granted 'port', of which its program knows nothing
  defineSystem({ objects: o, tasks: { ...all, ann: { ...ann, grants: { ...ann.grants, "processor1.kick": { to: "ann.wake", rights: ["write"] } } } } }), //! TS2322 ⛔ over-privileged: task 'ann' is granted 'processor1.kick', of which its program knows nothing
  defineSystem({ objects: o, tasks: { ...all, ann: { ...ann, grants: { ...ann.grants, other: { to: "bob.screen", rights: ["read"] } } } } }), //! TS2322 ⛔ over-privileged: task 'ann' is granted 'other', of which its program knows nothing
  defineSystem({ objects: o, tasks: { ...all, ann: { ...ann, grants: { ...ann.grants, vcpu: { to: "ann.vcpu", rights: ["readState", "writeState"] } } } } }),
  defineSystem({ objects: o, tasks: { ...all, ann: { ...ann, grants: { ...ann.grants, vcpu: { to: "ann.vcpu", rights: ["readState", "writeState", "bind"] } } } } }), //! TS2322 ⛔ over-privileged: task 'ann' is granted right 'bind' to 'vcpu' and never uses it
  defineSystem({ objects: o, tasks: { ...all, ann: { ...ann, grants: { ...ann.grants, vcpu: { to: "ann.vcpu", rights: ["readState"] } } } } }), //! TS2322 ⛔ under-privileged: task 'ann' uses right 'writeState' to 'vcpu', which it is not granted
  defineSystem({ objects: o, tasks: { ...all, ann: { ...ann, grants: { ...ann.grants, landlord: { to: "landlord", rights: ["write", "grantReply"] } } } } }),
  defineSystem({ objects: o, tasks: { ...all, ann: { ...ann, grants: { ...ann.grants, landlord: { to: "screenBell", rights: ["write", "grantReply"] } } } } }), //! TS2322 ⛔ task 'ann' uses 'landlord' as an Endpoint; 'screenBell' is a Notification
]

// A processor more: its virtual processor, its thread, what that waits for, and what rings it.
const [two, second] = [{ ...o, ...processorObjects(["ann"], ["processor1"]) }, processorGrants("ann", ["processor1"])]
const double = { ...ann, program: monitorTask(guest, ["processor1"]), grants: { ...ann.grants, ...second } } as const
const { kick: _kick, ...unheard } = double.grants
// biome-ignore format: a refusal, a line
export const processors = [
  defineSystem({ objects: two, tasks: { ...all, ann: double } }),
  defineSystem({ objects: two, tasks: { ...all, ann: { ...double, grants: unheard } } }), //! TS2322 ⛔ under-privileged: task 'ann' uses 'kick', which it is not granted
  defineSystem({ objects: two, tasks: { ...all, ann: { ...double, grants: { ...double.grants, "processor1.thread": { to: "ann.processor1.thread", rights: ["writeRegisters", "run", "schedule"] } } } } }), //! TS2322 ⛔ over-privileged: task 'ann' is granted right 'schedule' to 'processor1.thread' and never uses it
  defineSystem({ objects: two, tasks: { ...all, ann: { ...double, grants: { ...double.grants, "processor1.thread": { to: "ann.processor1.thread", rights: ["run", "writeRegisters"] } } } } }),
  defineSystem({ objects: two, tasks: { ...all, ann: { ...double, grants: { ...double.grants, "processor1.thread": { to: "ann.processor1.thread", rights: ["run"] } } } } }), //! TS2322 ⛔ under-privileged: task 'ann' uses right 'writeRegisters' to 'processor1.thread', which it is not granted
]

// A server: a page and a bell of each client that it is for.
const { "bob.page": _, ...withoutBob } = servers.timer.grants
// biome-ignore format: a refusal, a line
export const serving = [
  defineSystem({ objects: o, tasks: { ...all, timer: { ...servers.timer, grants: { ...servers.timer.grants } } } }),
  defineSystem({ objects: o, tasks: { ...all, timer: { ...servers.timer, grants: withoutBob } } }), //! TS2322 ⛔ under-privileged: task 'timer' uses 'bob.page', which it is not granted
  defineSystem({ objects: o, tasks: { ...all, timer: timer(["ann", "bob"]) } }),
  defineSystem({ objects: { ...o, ...diskObjects([["ann", 0]]) }, tasks: { ...all, disk: disks(["ann"]), ann: { ...ann, program: monitorTask(guest, ["disk"]), grants: { ...ann.grants, ...diskGrants("ann", 0) } } } }),
]

// Guests that are to learn nothing of each other have nothing in common: no network, no server, and no landlord.
const alone = <const G extends string>(name: G) => ({ timer: timer([name]), console: consoles([name]) })
const hermit = { program: monitorTask(guest, []), priority: 100, grants: { ...monitorGrants("ann", 0) } } as const
const n = { ...o, ...networkObjects(names) }
const joined = {
  ...all,
  network: network(names),
  ann: { ...ann, program: monitorTask(guest, ["network"]), grants: { ...ann.grants, ...networkGrants("ann", 0) } },
  bob: { ...bob, program: monitorTask(guest, ["network"]), grants: { ...bob.grants, ...networkGrants("bob", 1) } }
}
// biome-ignore format: a refusal, a line
export const isolated = [
  defineSystem({ objects: { ...machineObjects, ...guestObjects(["ann"]) }, tasks: { ...alone("ann"), ann: hermit }, isolated: [] }),
  defineSystem({ objects: n, tasks: joined, isolated: [] }),
  defineSystem({ objects: n, tasks: joined, isolated: [["ann", "bob"]] }), //! TS2322 ⛔ not isolated: 'ann' → landlord → 'bob'
  defineSystem({ objects: o, tasks: all, isolated: [] }),
  defineSystem({ objects: o, tasks: all, isolated: [["ann", "bob"]] }) //! TS2322 ⛔ not isolated: 'ann' → landlord → 'bob'
]

// Or what they have in common, they have with servers that keep them apart, and say so.
// biome-ignore format: a refusal, a line
export const trusting = [
  defineSystem({ objects: o, tasks: all, isolated: [["ann", "bob"]], trusted: ["timer", "console", "landlord"] }),
  defineSystem({ objects: o, tasks: all, isolated: [["ann", "bob"]], trusted: ["timer", "console"] }), //! TS2322 ⛔ not isolated: 'ann' → landlord → 'bob'
  defineSystem({ objects: o, tasks: all, isolated: [["ann", "bob"]], trusted: ["timer", "console", "landlord", "konsole"] }), //! TS2322 ⛔ 'konsole' is no task, and no endpoint where the starter answers
  defineSystem({ objects: o, tasks: all, isolated: [["ann", "bob"]], trusted: ["timer", "console", "landlord", "com1"] }), //! TS2322 ⛔ 'com1' is no task, and no endpoint where the starter answers
  defineSystem({ objects: n, tasks: joined, isolated: [["ann", "bob"]], trusted: ["timer", "console", "landlord", "network"] }),
]
