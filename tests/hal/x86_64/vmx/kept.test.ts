/** Rules that are not asked again at an entry are kept: they look at nothing that may have changed. */
import { assert, describe, it } from "@effect/vitest"
import { controlRules } from "../../../../src/hal/x86_64/vmx/controlRules.ts"
import { guestRules } from "../../../../src/hal/x86_64/vmx/guestRules.ts"
import { hostRules } from "../../../../src/hal/x86_64/vmx/hostRules.ts"
import { moves, steadyFlags } from "../../../../src/hal/x86_64/vmx/Kept.ts"
import { place, Vmcs } from "../../../../src/hal/x86_64/vmx/Vmcs.ts"
import { VmcsField, type VmcsFieldName } from "../../../../src/types/x86_64/VmcsField.ts"
import { hlt } from "../board.ts"
import { Random } from "../native/Random.ts"
import { Hypervisor, vmcsRegion } from "./hypervisor.ts"

const names = Object.keys(VmcsField) as readonly VmcsFieldName[]

/** It notes where it is read, but for the flags that do not move. */
class Watched extends Vmcs {
  readonly read = new Set<number>()
  override low(at: number): number {
    this.read.add(at)
    return super.low(at)
  }
  override high(at: number): number {
    this.read.add(at)
    return super.high(at)
  }
  override has(at: number, bit: number): boolean {
    return at === place.GUEST_RFLAGS && (bit & ~steadyFlags) === 0 ? (super.low(at) & bit) !== 0 : super.has(at, bit)
  }
}

const aFew = [0n, 1n, 2n, 0x80n, 0x8000_0000n, 0x8000_0b0en, 0x1000n, 2n ** 47n, 2n ** 60n, 2n ** 64n - 1n]

/** One thing is written to a field, by VMWRITE or not. */
const change = (random: Random) => {
  const name = names[random.below(names.length)]!
  const bit = 1n << BigInt(random.below(random.oneIn(2) ? 18 : 64))
  const value = aFew[random.below(aFew.length)]!
  const flips = random.oneIn(2)
  const isStore = random.oneIn(4)
  return (hypervisor: Hypervisor) => {
    const to = flips ? hypervisor.get(name) ^ bit : value
    if (isStore) hypervisor.board.put64(vmcsRegion + place[name], to)
    else hypervisor.set(name, to)
  }
}

describe("a rule of VM entry that is not asked again", () => {
  const rules = [...controlRules, ...hostRules, ...guestRules].filter(({ isAskedAgain }) => !isAskedAgain)

  it("looks at fields that do not move, and at nothing else", () => {
    const random = new Random(1)
    const hypervisor = new Hypervisor()
    const watched = new Watched(hypervisor.board.machine.core.mmu.memory)
    watched.use(vmcsRegion)
    const nothing = new Proxy(hypervisor.board.machine.core, {
      get: (_, name) => assert.fail(`it looks at ${String(name)}`)
    })
    const seen = new Set<number>()
    for (let n = 0; n < 400; n++) {
      if (random.oneIn(2)) hypervisor.long(...hlt)
      else hypervisor.real(...hlt)
      for (let changes = 1 + random.below(6); changes > 0; changes--) change(random)(hypervisor)
      for (const { isKept } of rules) isKept(watched, nothing)
      for (const at of watched.read) seen.add(at)
    }
    const moved = names.filter((name) => moves(name) && seen.has(place[name]))
    assert.deepStrictEqual(moved, [])
    assert.isAbove(seen.size, 70)
  })
})

describe("an entry after another", () => {
  it.each([1, 2, 3])("fails where it fails if every rule is asked, seed %i", (seed) => {
    const random = new Random(seed)
    const [quick, thorough] = [new Hypervisor().long(...hlt), new Hypervisor().long(...hlt)]
    const both = [quick, thorough]
    thorough.board.machine.core.vmx.kept.asksAlways = true
    const said = new Map<string | undefined, number>()
    for (let attempt = 0; attempt < 400; attempt++) {
      const repairs = random.oneIn(2)
      const changes = Array.from({ length: random.below(3) }, () => change(random))
      const outcomes = both.map((hypervisor) => {
        if (repairs) hypervisor.restore().long(...hlt)
        for (const each of changes) each(hypervisor)
        if (repairs) hypervisor.set("GUEST_RIP", 0x1_0000)
        const stop = hypervisor.enter(500)
        const { core } = hypervisor.board.machine
        const outcome = [
          core.vmx.lastBroken,
          hypervisor.get("EXIT_REASON"),
          hypervisor.get("VM_INSTRUCTION_ERROR"),
          stop
        ]
        return { isGuest: core.vmx.isGuest, isIdle: stop._tag === "Idle", outcome }
      })
      assert.deepStrictEqual(outcomes[0], outcomes[1])
      const [{ isGuest, isIdle, outcome }] = outcomes as [(typeof outcomes)[0]]
      said.set(outcome[0] as string | undefined, 1 + (said.get(outcome[0] as string | undefined) ?? 0))
      // The host does not get the machine back.
      if (isGuest || !isIdle) break
    }
    assert.isAbove(said.size, 3)
  })
})
