/**
 * Whatever is written to a VMCS, an entry is made, fails or ends in a VM exit as the manual says; and the machine goes on.
 *
 * `VMCS_CAMPAIGN=<seeds>` tries that many instead of a few.
 */
import { assert, describe, it } from "@effect/vitest"
import { Interpreter } from "../../../../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import { makePlain } from "../../../../src/hal/x86_64/processor/plain.ts"
import { VmcsField, type VmcsFieldName } from "../../../../src/types/x86_64/VmcsField.ts"
import { hlt } from "../board.ts"
import { Random } from "../native/Random.ts"
import { Hypervisor, vmcsRegion } from "./hypervisor.ts"

const names = Object.keys(VmcsField) as readonly VmcsFieldName[]

/** Values that are near to what rules are about. */
const values = [0n, 1n, 2n ** 64n - 1n, 0x8000_0000n, 0x1000n, 0x20_0000n, 2n ** 47n, 2n ** 40n, 0xffff_ffffn, 0x0fffn]

const { VMCS_CAMPAIGN = "40" } = process.env

describe("a VMCS of any contents", () => {
  it("does no harm, field by field", () => {
    let [entered, failed] = [0, 0]
    for (let seed = 1; seed <= Number(VMCS_CAMPAIGN); seed++) {
      const random = new Random(seed)
      const hypervisor = new Hypervisor(random.oneIn(2) ? makePlain : (parts) => new Interpreter(parts))
      for (let attempt = 0; attempt < 40; attempt++) {
        if (random.oneIn(2)) hypervisor.long(...hlt)
        else hypervisor.real(...hlt)
        // Anything may be in memory: code, tables, bitmaps, MSR areas.
        for (let n = 0; n < 16; n++) hypervisor.put(0x1_0000 + n, random.below(256))
        for (let n = random.below(3); n >= 0; n--) {
          const name = names[random.below(names.length)]!
          if (name.startsWith("HOST_")) continue
          const bit = 1n << BigInt(random.below(64))
          const old = hypervisor.get(name)
          hypervisor.set(name, random.oneIn(2) ? old ^ bit : values[random.below(values.length)]!)
        }
        hypervisor.launchAgain().vmx.clear(vmcsRegion)
        hypervisor.vmx.load(vmcsRegion)
        const stop = hypervisor.enter(500)
        const { core } = hypervisor.board.machine
        if (core.vmx.isGuest) {
          // It runs on, or waits: the host takes the machine back by starting anew.
          entered++
          break
        }
        if (core.vmx.lastBroken !== undefined) failed++
        else entered++
        if (stop._tag !== "Idle") break
        hypervisor.restore()
      }
    }
    assert.isAbove(entered, 0)
    assert.isAbove(failed, 0)
  }, 600_000)

  it("does no harm as raw memory", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = new Random(seed)
      const hypervisor = new Hypervisor().long(...hlt)
      for (let n = 0; n < 8; n++) hypervisor.board.put(vmcsRegion + 16 + random.below(1200), random.below(256))
      hypervisor.enter(500)
    }
  })
})
