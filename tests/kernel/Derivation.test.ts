import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { check } from "../../src/kernel/invariants.ts"
import * as CNode from "../../src/types/methods/CNode.ts"
import { type Actor, World } from "./fixture.ts"

/** What revoke is about, without the list: who was derived from whom. */
class Family {
  readonly #members = new Map<number, { parent: number | undefined; isParent: boolean }>()

  found(slot: number): void {
    this.#members.set(slot, { parent: undefined, isParent: true })
  }

  derive(from: number, slot: number, isParent: boolean): void {
    const source = this.#members.get(from)!
    this.#members.set(slot, { parent: source.isParent ? from : source.parent, isParent })
  }

  move(from: number, slot: number): void {
    this.#members.set(slot, this.#members.get(from)!)
    this.#members.delete(from)
    for (const member of this.#members.values()) if (member.parent === from) member.parent = slot
  }

  remove(slot: number): void {
    const gone = this.#members.get(slot)!
    this.#members.delete(slot)
    for (const member of this.#members.values()) if (member.parent === slot) member.parent = gone.parent
  }

  revoke(slot: number): void {
    for (const [child, { parent }] of [...this.#members]) {
      if (parent !== slot || !this.#members.has(child)) continue
      this.revoke(child)
      this.remove(child)
    }
  }

  get slots(): ReadonlyArray<number> {
    return [...this.#members.keys()].sort((a, b) => a - b)
  }
}

const operation = fc.record({
  what: fc.constantFrom("copy", "copy", "parent", "parent", "move", "swap", "remove", "revoke"),
  which: fc.nat(),
  other: fc.nat()
})

class Player {
  readonly world = new World()
  readonly alice: Actor
  readonly family = new Family()
  readonly #slots: ReadonlyArray<number>

  constructor() {
    const { world } = this
    this.alice = world.actor("alice")
    world.start()
    const first = world.object("Page4K").slot
    this.#slots = [first, ...Array.from({ length: 30 }, () => world.emptySlot())]
    this.family.found(first)
  }

  get inUse(): ReadonlyArray<number> {
    return this.#slots.filter((slot) => this.world.kindIn(slot) !== undefined).sort((a, b) => a - b)
  }

  play({ what, which, other }: { what: string; which: number; other: number }): void {
    const { family } = this
    const used = family.slots
    const free = this.#slots.filter((slot) => !used.includes(slot))
    const from = used[which % used.length]
    const to = free[other % free.length]
    if (from === undefined) return
    const second = used[other % used.length]!
    switch (what) {
      case "copy":
      case "parent": {
        if (to === undefined) return
        const isParent = what === "parent"
        this.#ask(CNode.Copy.label, [to, 64, from, 64, isParent ? (1n << 63n) | 15n : 15n])
        family.derive(from, to, isParent)
        break
      }
      case "move":
        if (to === undefined) return
        this.#ask(CNode.Move.label, [to, 64, from, 64])
        family.move(from, to)
        break
      case "swap":
        if (from === second) return
        this.#ask(CNode.Rotate.label, [from, 64, 0, second, 64, 0, from, 64])
        family.move(from, -1)
        family.move(second, from)
        family.move(-1, second)
        break
      case "remove":
        this.#ask(CNode.Delete.label, [from, 64])
        family.remove(from)
        break
      case "revoke":
        this.#ask(CNode.Revoke.label, [from, 64])
        family.revoke(from)
        break
    }
  }

  #ask(label: number, words: ReadonlyArray<number | bigint>): void {
    const { world } = this
    const answer = world.invoke(this.alice, world.root, { label, words, caps: [world.root, world.root] })
    assert.strictEqual(answer.label, 0)
  }
}

describe("whatever is copied, moved, swapped and deleted", () => {
  it("revoke takes back exactly what was derived, and the list stays well-formed", () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const player = new Player()
        for (const operation of operations) {
          player.play(operation)
          assert.deepStrictEqual(player.inUse, player.family.slots)
          assert.deepStrictEqual(check(player.world.state, [player.world.at(player.world.root)]), [])
        }
      }),
      { numRuns: 60 }
    )
  })
})
