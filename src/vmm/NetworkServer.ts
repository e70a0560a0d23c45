/**
 * NetworkServer: a task that joins guests to one network, with a gateway on it that answers ARP, DHCP, DNS and ICMP echo, and leads no
 * further: this task has no way out of the machine.
 */
import { Clock, Effect } from "effect"
import { Gateway } from "../devices/net/Gateway.ts"
import type { Cap } from "../types/Capability.ts"
import { Signal, Wait } from "../user/Ipc.ts"
import { Shared_Address } from "../user/Shared.ts"
import { Syscalls } from "../user/Syscalls.ts"
import { cable } from "./channels.ts"
import { FrameRing } from "./FrameRing.ts"
import { Switch } from "./Switch.ts"
import { VirtualTimers } from "./VirtualTimers.ts"

export interface Client<F, W> {
  readonly page: Cap<"Frame", "read" | "write", F>
  readonly wake: Cap<"Notification", "write", W>
}

export const serveNetwork = <B, F, W>(bell: Cap<"Notification", "read", B>, clients: ReadonlyArray<Client<F, W>>) =>
  Effect.gen(function* () {
    const { memory } = yield* Syscalls
    const clock = yield* Clock.Clock
    const timers = new VirtualTimers(() => Number(clock.currentTimeNanosUnsafe()))
    const stations = yield* Effect.forEach(clients, ({ page, wake }) =>
      Effect.map(Shared_Address(page), (at) => ({
        wake,
        isCalled: false,
        from: new FrameRing(memory, at + cable.fromGuest.at, cable.fromGuest.bytes),
        to: new FrameRing(memory, at + cable.toGuest.at, cable.toGuest.bytes)
      }))
    )
    const gateway: Gateway = new Gateway(timers, (frame) => join.forward(stations.length, frame))
    const join = new Switch([
      ...stations.map((station) => (frame: Uint8Array) => {
        station.isCalled = station.to.send(frame) || station.isCalled
      }),
      (frame) => gateway.receive(frame)
    ])
    for (;;) {
      yield* Wait(bell)
      timers.runDue()
      for (const [port, { from }] of stations.entries()) {
        for (let frame = from.receive(); frame !== undefined; frame = from.receive()) join.forward(port, frame)
      }
      for (const station of stations) {
        if (!station.isCalled) continue
        station.isCalled = false
        yield* Signal(station.wake)
      }
    }
  })
