/** A landlord whose tenant asks for what there is not. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { cptrOf } from "../../src/types/Capability.ts"
import { VmcsField } from "../../src/types/x86_64/VmcsField.ts"
import { ask } from "../../src/user/Client.ts"
import { Signal, Wait } from "../../src/user/Ipc.ts"
import { rootTask } from "../../src/user/RootTask.ts"
import { done, Syscalls } from "../../src/user/Syscalls.ts"
import { defineSystem, task } from "../../src/user/System.ts"
import { VCPU_ReadVMCS } from "../../src/user/VirtualProcessor.ts"
import { Landlord } from "../../src/vmm/Landlord.ts"
import { startGuests } from "../../src/vmm/virtualMachines.ts"
import { started } from "./machine.ts"
import { random } from "./randomCode.ts"

const MiB = 2 ** 20

/** What no block has for its number, but for one. */
const numbers = [-1, -0, 0.5, 2, 2 ** 40, 2 ** 53, 1e300, Number.NaN, Number.POSITIVE_INFINITY]

describe("a landlord", { timeout: 60_000 }, () => {
  it("gives a tenant nothing by a number of nothing, goes on whatever it is sent, and serves it still", () => {
    const heard: Record<string, ReadonlyArray<unknown>> = {}
    const tenant = task(
      { vcpu: "VCPU", wake: "Notification", ring: "Notification", landlord: Landlord },
      ({ vcpu, wake, ring, landlord }) =>
        Effect.gen(function* () {
          yield* Signal(ring)
          yield* Wait(wake)
          yield* VCPU_ReadVMCS(vcpu, VmcsField.GUEST_RIP)
          heard.lease = yield* Effect.forEach(numbers, (n) => ask(landlord, "lease", n))
          heard.release = yield* Effect.forEach(numbers, (n) => ask(landlord, "release", n))

          const { call } = yield* Syscalls
          const next = random(1)
          for (let n = 0; n < 200; n++) {
            const words = Array.from({ length: next() % 5 }, () => (BigInt(next()) << 32n) ^ BigInt(next()))
            const label = next() % 12
            yield* call({ syscall: "Call", capability: cptrOf(landlord), label, words, caps: [], reply: 0n }, done)
          }
          for (const isThere of [false, false, true, true, false]) yield* ask(landlord, "apicAccessPage", isThere)
          yield* ask(landlord, "leave")
          yield* ask(landlord, "leave")
          heard.atLast = [yield* ask(landlord, "lease", 1), yield* ask(landlord, "release", 1)]
        })
    )
    const system = defineSystem({
      objects: { landlord: { starter: Landlord }, "odd.vcpu": "VCPU", "odd.wake": "Notification" },
      tasks: {
        odd: {
          program: tenant,
          priority: 100,
          grants: {
            vcpu: { to: "odd.vcpu", rights: ["readState"] },
            wake: { to: "odd.wake", rights: ["read"] },
            ring: { to: "odd.wake", rights: ["write"] },
            landlord: { to: "landlord", rights: ["write", "grantReply"], badge: 1n }
          }
        }
      }
    })
    const root = rootTask(startGuests(system, [{ name: "odd", memoryBytes: 32 * MiB }]))
    const { system: machine, notes } = started(root, { memoryBytes: 128 * MiB })
    machine.run(2e8)
    assert.deepStrictEqual(notes, [])
    assert.deepStrictEqual(heard, {
      // Block 0 is there already, and given up by the number -0.
      lease: numbers.map(() => false),
      release: numbers.map((n) => n === 0),
      atLast: [true, true]
    })
  })
})
