import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Gateway } from "../../src/devices/net/Gateway.ts"
import { slot } from "../../src/devices/pciBus.ts"
import { NetworkDevice } from "../../src/devices/virtio/network.ts"
import { VirtioPci } from "../../src/devices/virtio/VirtioPci.ts"
import { Signal, Wait } from "../../src/user/Ipc.ts"
import { rootTask } from "../../src/user/RootTask.ts"
import { Shared_Address } from "../../src/user/Shared.ts"
import { Syscalls } from "../../src/user/Syscalls.ts"
import { defineSystem, startSystem, task } from "../../src/user/System.ts"
import { cable } from "../../src/vmm/channels.ts"
import { FrameRing } from "../../src/vmm/FrameRing.ts"
import { cardSlot, networkObjects, uplink, uplinkObjects } from "../../src/vmm/guests.ts"
import { started } from "./machine.ts"

const own = [0x52, 0x54, 0, 0, 0, 1]
const everybody = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff]
/** RFC 826: who has 10.0.2.2? says 10.0.2.15. */
const question = Uint8Array.from([
  ...[...everybody, ...own, 0x08, 0x06],
  ...[0, 1, 0x08, 0, 6, 4, 0, 1],
  ...[...own, 10, 0, 2, 15, 0, 0, 0, 0, 0, 0, 10, 0, 2, 2]
])
/** More than the card has buffers for at once. */
const questions = 40

describe("a network with a card of the machine", { timeout: 60_000 }, () => {
  it("leads to what is at the other end of its wire, and back", () => {
    const answers: Array<Uint8Array> = []
    const station = task({ cable: "Frame", bell: "Notification", wake: "Notification" }, (has) =>
      Effect.gen(function* () {
        const { memory } = yield* Syscalls
        const at = yield* Shared_Address(has.cable)
        const out = new FrameRing(memory, at + cable.fromGuest.at, cable.fromGuest.bytes)
        const incoming = new FrameRing(memory, at + cable.toGuest.at, cable.toGuest.bytes)
        for (let n = 0; n < questions; n++) out.send(question)
        yield* Signal(has.bell)
        while (answers.length < questions) {
          yield* Wait(has.wake)
          for (let frame = incoming.receive(); frame !== undefined; frame = incoming.receive()) answers.push(frame)
        }
      })
    )
    const system = defineSystem({
      objects: { ...networkObjects(["anna"]), ...uplinkObjects, "anna.wake": "Notification" },
      tasks: {
        network: uplink(["anna"]),
        anna: {
          program: station,
          priority: 100,
          grants: {
            cable: { to: "anna.cable", rights: ["read", "write"] },
            bell: { to: "networkBell", rights: ["write"], badge: 1n },
            wake: { to: "anna.wake", rights: ["read"] }
          }
        }
      }
    })
    const { system: booted, notes } = started(rootTask(startSystem(system)), {
      memoryBytes: 32 * 2 ** 20,
      trusted: [slot(cardSlot)]
    })
    const { pc, timers } = booted.machine
    // What the gateway says is on its way for a while.
    const late: { readonly frames: Array<Uint8Array> } = { frames: [] }
    const gateway = new Gateway(timers, (frame) => late.frames.push(frame))
    const card = new NetworkDevice(Uint8Array.of(0x52, 0x54, 0, 0, 0, 0xff), (frame) => gateway.receive(frame))
    pc.pci.attach(slot(cardSlot), new VirtioPci(card).fn)
    for (let n = 0; n < 200 && answers.length < questions; n++) {
      booted.run(booted.machine.instructions + 100_000)
      for (const frame of late.frames.splice(0, 7)) card.receive(frame)
    }
    assert.deepStrictEqual(notes, [])
    assert.strictEqual(answers.length, questions)
    // An answer, to who has asked.
    assert.deepStrictEqual([...answers[0]!.subarray(0, 6)], own)
    assert.deepStrictEqual([...answers[0]!.subarray(20, 22)], [0, 2])
  })
})
