import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import * as Capability from "../../../src/kernel/Capability.ts"
import * as Mapping from "../../../src/kernel/x86_64/Mapping.ts"
import { slots } from "../../../src/types/BootInfo.ts"
import { numberOf } from "../../../src/types/Kind.ts"
import * as AddressSpace from "../../../src/types/methods/AddressSpace.ts"
import { right } from "../../../src/types/Rights.ts"
import * as ASIDPool from "../../../src/types/x86_64/methods/ASIDPool.ts"
import * as Frame from "../../../src/types/x86_64/methods/Frame.ts"
import * as PageDirectory from "../../../src/types/x86_64/methods/PageDirectory.ts"
import * as PageTable from "../../../src/types/x86_64/methods/PageTable.ts"
import * as PDPT from "../../../src/types/x86_64/methods/PDPT.ts"
import { mappings } from "./machine.ts"
import { boot, copy, invoke, object, remove, type System } from "./system.ts"

/** Two address spaces, two tables of each level, frames of two sizes, and copies as they come. */
const stage = () => {
  const system = boot()
  const at = (index: number) => 0x80_0000 + index * 0x1000
  const objects = [
    object(system, 8, at(0)),
    object(system, 8, at(1)),
    ...[2, 3].map((index) => object(system, 7, at(index))),
    ...[4, 5].map((index) => object(system, 13, at(index))),
    ...[6, 7].map((index) => object(system, 12, at(index))),
    ...[8, 9, 10].map((index) => object(system, 10, at(index))),
    object(system, 11, 0xa0_0000)
  ]
  return { system, held: objects }
}

const methods = [
  Frame.Map,
  Frame.Map,
  Frame.Map,
  Frame.Map,
  Frame.Map,
  Frame.Map,
  Frame.Unmap,
  Frame.GetAddress,
  PDPT.Map,
  PDPT.Unmap,
  PageDirectory.Map,
  PageDirectory.Unmap,
  PageTable.Map,
  PageTable.Unmap,
  AddressSpace.Unmap,
  ASIDPool.Assign
] as const

type Step =
  | {
      readonly _tag: "Invoke"
      readonly method: (typeof methods)[number]
      readonly on: number
      readonly words: readonly bigint[]
      readonly cap: number
    }
  | { readonly _tag: "Copy"; readonly from: number; readonly rights: number }
  | { readonly _tag: "Delete"; readonly which: number }
  | { readonly _tag: "SetUp"; readonly space: number }

const address = fc.constantFrom(0n, 0n, 0x1000n, 0x1000n, 0x20_0000n, 0x4000_0000n, 2n ** 47n - 0x1000n)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      _tag: fc.constant("Invoke" as const),
      method: fc.constantFrom(...methods),
      on: fc.nat(30),
      words: fc.tuple(address, fc.constantFrom(0n, 1n, 2n, 3n, 19n, 2n ** 64n - 1n), fc.bigInt(0n, 7n)),
      cap: fc.nat(30)
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({ _tag: fc.constant("Copy" as const), from: fc.nat(30), rights: fc.constantFrom(15, 2, 19) })
  },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("Delete" as const), which: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("SetUp" as const), space: fc.nat(1) }) }
)

const pick = (held: readonly number[], which: number): number => held[which % held.length] ?? slots.null

const perform = ({ system, held }: { readonly system: System; readonly held: number[] }, step: Step): void => {
  switch (step._tag) {
    case "Invoke": {
      const { method } = step
      // Mostly what the method is for, so that something happens; else anything.
      const some = (kind: number, which: number) => {
        const suitable = held.filter((index) => Capability.kind(system.state, system.slot(index)) === kind)
        return pick(which % 4 === 0 || suitable.length === 0 ? held : suitable, which)
      }
      const target = method === ASIDPool.Assign ? slots.asidPool : some(numberOf[method.kind], step.on)
      invoke(system, target, method.label, step.words, [some(numberOf.AddressSpace, step.cap)])
      return
    }
    case "Copy": {
      const made = copy(system, pick(held, step.from), step.rights)
      if (typeof made === "number" && held.length < 30) held.push(made)
      return
    }
    case "Delete": {
      // Seldom an address space: most would have nothing to map in.
      const index = step.which % 5 === 0 ? step.which % held.length : 2 + (step.which % (held.length - 2))
      if (held.length > 4) remove(system, held.splice(index, 1)[0] ?? slots.null)
      return
    }
    case "SetUp": {
      // What a program would do: so that mappings are likely.
      const [space, pdpt, pd, pt] = [step.space, 2 + step.space, 4 + step.space, 6 + step.space].map((n) =>
        pick(held, n)
      )
      invoke(system, slots.asidPool, ASIDPool.Assign.label, [], [space ?? 0])
      invoke(system, pdpt ?? 0, PDPT.Map.label, [0, 0], [space ?? 0])
      invoke(system, pd ?? 0, PageDirectory.Map.label, [0, 0], [space ?? 0])
      invoke(system, pt ?? 0, PageTable.Map.label, [0, 0], [space ?? 0])
    }
  }
}

/**
 * What must be so of every page that a program can reach: some capability to its frame put it there, with rights that
 * it has.
 */
const check = ({ system, held }: { readonly system: System; readonly held: readonly number[] }): number => {
  const { state, memory, slot, machine } = system
  const kind = (index: number) => Capability.kind(state, slot(index))
  const frames = held
    .filter((index) => kind(index) === numberOf.Frame)
    .map((index) => {
      const [lo, hi] = [memory.load32(slot(index) + 8), memory.load32(slot(index) + 12)]
      return {
        asid: Mapping.asid(lo),
        virtual: BigInt(Mapping.address(lo, hi)),
        physical: Capability.address(state, slot(index)),
        bytes: 2 ** Mapping.frameBits(hi),
        rights: Capability.rights(state, slot(index))
      }
    })
  let seen = 0
  const spaces = new Map(
    held
      .filter((index) => kind(index) === numberOf.AddressSpace && Mapping.isMapped(state, slot(index)))
      .map((index) => [Capability.object(state, slot(index)), Mapping.asid(memory.load32(slot(index) + 8))])
  )
  for (const [root, asid] of spaces) {
    for (const page of mappings(memory, root, "user")) {
      seen++
      assert.isTrue(page.physical >= machine.image.end)
      const { execute, read, write } = right.Frame
      const needed = (page.user ? read : 0) | (page.write ? write : 0) | (page.execute ? execute : 0)
      const by = frames.some(
        (frame) =>
          frame.asid === asid &&
          frame.virtual === page.virtual &&
          frame.physical === page.physical &&
          frame.bytes === page.bytes &&
          (frame.rights & needed) === needed
      )
      assert.isTrue(by, `${page.virtual.toString(16)} is mapped by a capability that somebody holds`)
    }
  }
  return seen
}

describe("whatever programs map, unmap, copy and delete", () => {
  it("what they reach is what somebody holds a capability to, with its rights", () => {
    let seen = 0
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 40 }), (steps) => {
        const world = stage()
        for (const one of [{ _tag: "SetUp", space: 0 } as const, ...steps]) {
          perform(world, one)
          seen += check(world)
        }
      }),
      { numRuns: 60, seed: 20 }
    )
    assert.isTrue(seen > 100, `pages were mapped: ${seen}`)
  })
})
