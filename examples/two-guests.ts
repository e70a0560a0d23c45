/**
 * Two guests, and all that they are run by, in one literal: their monitors, and the servers that have the machine's devices.
 *
 *     npx skyscope run examples/two-guests.ts [--disk FILE]
 *     npx skyscope inspect examples/two-guests.ts
 *
 * A monitor is a task like any other. It has its guest's virtual processor, and a page and a bell for each server: no device, no port, no
 * memory of another guest. The servers have the devices, and of guests only those pages. Grant a monitor the serial port, take the disk
 * server's page of alice away, declare the guests isolated, who have a network in common: the field itself says what is wrong.
 *
 * The guests' memory is with the first task, which lends it: to whom, it says at the end.
 */
import { defineSystem, rootTask } from "skyscope"
import {
  consoles,
  diskGrants,
  diskObjects,
  disks,
  greeting,
  guestObjects,
  machineObjects,
  monitorGrants,
  monitorTask,
  network,
  networkGrants,
  networkObjects,
  priorities,
  startGuests,
  timer
} from "skyscope/vmm"

const guests = ["alice", "bob"] as const

/** A small guest that says hello, measures what its monitor costs it, and powers off. Alice has the machine's disk, if there is one. */
const guest = (name: string, last: number) => ({
  name,
  memoryBytes: 16 * 2 ** 20,
  payload: { _tag: "Flat", bytes: greeting } as const,
  mac: Uint8Array.of(0x52, 0x54, 0, 0, 0, last)
})
const [alice, bob] = [guest("alice", 1), guest("bob", 2)]

export const system = defineSystem({
  objects: { ...machineObjects, ...guestObjects(guests), ...networkObjects(guests), ...diskObjects([["alice", 0]]) },
  tasks: {
    timer: timer(guests),
    console: consoles(guests),
    network: network(guests),
    disk: disks(["alice"]),
    alice: {
      program: monitorTask(alice, ["network", "disk"]),
      priority: priorities.monitor,
      time: { budget: 6000, period: 9000 },
      grants: { ...monitorGrants("alice", 0), ...networkGrants("alice", 0), ...diskGrants("alice", 0) }
    },
    bob: {
      program: monitorTask(bob, ["network"]),
      priority: priorities.monitor,
      time: { budget: 3000, period: 9000 },
      grants: { ...monitorGrants("bob", 1), ...networkGrants("bob", 1) }
    }
  }
})

export default rootTask(
  startGuests(system, [
    { name: "alice", memoryBytes: alice.memoryBytes },
    { name: "bob", memoryBytes: bob.memoryBytes }
  ])
)
