/**
 * Two guests, and all that they are run by, in one literal: their monitors, and the servers that have the machine's devices.
 *
 *     npx skyscope run examples/two-guests.ts [--disk FILE]
 *     npx skyscope inspect examples/two-guests.ts
 *
 * A monitor is a task like any other. It has its guest's virtual processors, the threads that run them, and a page and a bell for each server:
 * no device, no port, no memory of another guest. The servers have the devices, and of guests only those pages. Grant a monitor the serial port, take the disk
 * server's page of alice away, trust the console no longer, join the guests by a network: the field itself says what is wrong.
 *
 * The guests are isolated, by what the compiler sees: neither learns anything of the other, but through the servers that both have, which
 * are trusted to keep them apart.
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
  priorities,
  processorGrants,
  processorObjects,
  startGuests,
  timer
} from "skyscope/vmm"

const guests = ["alice", "bob"] as const

/** A small guest that says hello, measures what its monitor costs it, and powers off. Alice has the machine's disk, if there is one; Bob has a processor more. */
const guest = (name: string) => ({
  name,
  memoryBytes: 16 * 2 ** 20,
  payload: { _tag: "Flat", bytes: greeting } as const
})
const [alice, bob] = [guest("alice"), guest("bob")]

export const system = defineSystem({
  objects: {
    ...machineObjects,
    ...guestObjects(guests),
    ...diskObjects([["alice", 0]]),
    ...processorObjects(["bob"], ["processor1"])
  },
  tasks: {
    timer: timer(guests),
    console: consoles(guests),
    disk: disks(["alice"]),
    alice: {
      program: monitorTask(alice, ["disk"]),
      priority: priorities.monitor,
      time: { budget: 6000, period: 9000 },
      grants: { ...monitorGrants("alice", 0), ...diskGrants("alice", 0) }
    },
    bob: {
      program: monitorTask(bob, ["processor1"]),
      priority: priorities.monitor,
      time: { budget: 3000, period: 9000 },
      grants: { ...monitorGrants("bob", 1), ...processorGrants("bob", ["processor1"]) }
    }
  },
  isolated: [["alice", "bob"]],
  trusted: ["timer", "console", "landlord"]
})

export default rootTask(
  startGuests(system, [
    { name: "alice", memoryBytes: alice.memoryBytes },
    { name: "bob", memoryBytes: bob.memoryBytes }
  ])
)
