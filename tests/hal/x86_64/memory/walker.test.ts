import { assert, describe, it } from "@effect/vitest"
import { fault } from "../../../../src/hal/x86_64/memory/Access.ts"
import { DecodedPages } from "../../../../src/hal/x86_64/memory/DecodedPages.ts"
import { layout, makeMemory, pageSize, processorRoom } from "../../../../src/hal/x86_64/memory/layout.ts"
import { Mmu } from "../../../../src/hal/x86_64/memory/Mmu.ts"
import { anOwner } from "../../../../src/hal/x86_64/memory/Owner.ts"
import { PhysicalMemory } from "../../../../src/hal/x86_64/memory/PhysicalMemory.ts"
import { bit, fiveLevel, fourLevel, pae, type Rules, XD } from "../../../../src/hal/x86_64/memory/paging.ts"
import { mode, table } from "../../../../src/hal/x86_64/memory/Tlb.ts"
import { walking } from "../../../../src/hal/x86_64/memory/walker.ts"
import { at } from "../../../../src/hal/x86_64/processor/State.ts"
import { Ept } from "../../../../src/hal/x86_64/vmx/ept.ts"
import { EptEntry, EptPointer } from "../../../../src/types/x86_64/VmxControls.ts"
import { Random } from "../native/Random.ts"

const ramBytes = 0x10_0000
const pages = ramBytes / pageSize
/** Tables are in these pages, whatever level they are used for. */
const tables = 12
/** And extended page tables in these. */
const extended = pages - 4
/** Entries that addresses select. */
const indices = [0, 1, 2, 511] as const

/** An MMU, its memory, and what it has told its surroundings. */
const aSide = (walksSlowly: boolean) => {
  const memory = makeMemory(ramBytes)
  const heard: string[] = []
  const physical = new PhysicalMemory(memory, ramBytes, { read: () => 0x5a, write: () => {} }, [])
  const code = new DecodedPages(physical, {
    codeWritten: (page) => heard.push(`written ${page}`),
    codeDecoded: (page) => heard.push(`decoded ${page}`)
  })
  const watcher = { codeMapChanged: () => heard.push("code"), globalsDropped: () => heard.push("globals") }
  const room = processorRoom(ramBytes, 0)
  const mmu = new Mmu(physical, code, watcher, room)
  if (walksSlowly) mmu.walkSlowly()
  // Extended page tables of four levels, of which the last maps all that there is: without accessed and dirty flags, and with.
  for (let n = 0; n < 3; n++) physical.store32((extended + n) * pageSize, ((extended + n + 1) * pageSize) | 7)
  const guests = [0, EptPointer.ACCESSED_DIRTY].map((flags, n) => {
    const pointer = (extended * pageSize) | EptPointer.WALK_LENGTH_4 | EptPointer.WRITE_BACK | flags
    const ept = new Ept(physical, pointer, 0, room.guestPhysical, 1 + n)
    return { ept, owner: anOwner(1 + n, 1 + n, ept) }
  })
  return { mmu, physical, code, heard, guests }
}
type Side = ReturnType<typeof aSide>

const anEntry = (random: Random): readonly [low: number, high: number] => {
  const rarely = (flag: number) => (random.below(40) === 0 ? flag : 0)
  const often = (flag: number) => (random.below(20) === 0 ? 0 : flag)
  const isLarge = random.below(5) === 0
  const frame = isLarge
    ? rarely(0x2000 * random.below(512))
    : pageSize * (random.below(4) === 0 ? random.below(pages + 8) : 1 + random.below(tables))
  const flags = often(bit.P) | often(bit.RW) | often(bit.US) | (isLarge ? bit.PS : 0)
  const seen = often(bit.A) | (random.below(2) ? bit.D : 0) | rarely(bit.G) | rarely(bit.PWT) | rarely(bit.largePAT)
  const high = rarely(XD) | rarely(1 << random.below(31)) | rarely(5 << 27)
  return [frame | flags | seen, high]
}

/** A page of a guest's, most often where it is of the machine's, and what is allowed there. */
const anExtended = (random: Random): readonly [page: number, entry: number] => {
  const page = random.below(pages)
  const to = random.below(8) === 0 ? random.below(pages + 8) : page
  const rights = random.below(5) === 0 ? random.below(8) : EptEntry.READ | EptEntry.WRITE | EptEntry.EXECUTE
  const flags = (random.below(2) ? EptEntry.ACCESSED : 0) | (random.below(2) ? EptEntry.DIRTY : 0)
  return [page, (to * pageSize) | rights | flags | (6 << 3)]
}

const someRules = (random: Random): Rules => {
  const may = () => random.below(2) === 0
  const keys = random.below(10) === 0
  return { WP: may(), SMEP: may(), SMAP: may(), NXE: random.below(4) > 0, PKE: keys && may(), PKS: keys && may() }
}

const anAddress = (random: Random): readonly [lo: number, hi: number] => {
  const index = () => BigInt(indices[random.below(indices.length)]!)
  const [a, b, c, d, e] = [index(), index(), index(), index(), index()]
  const offset = BigInt(random.below(8) === 0 ? 4090 + random.below(6) : random.below(4096))
  const linear = (a << 48n) | (b << 39n) | (c << 30n) | (d << 21n) | (e << 12n) | offset
  const bits = random.below(20) === 0 ? 64 : random.below(2) ? 48 : 57
  const signed = BigInt.asIntN(bits, linear)
  return [Number(BigInt.asIntN(32, signed)), Number(BigInt.asIntN(32, signed >> 32n))]
}

/** One thing that happens to both sides, and what each answers. */
const happen = (random: Random): ((side: Side) => unknown) => {
  const pick = <A>(of: Readonly<Record<string, A>>): A => Object.values(of)[random.below(Object.keys(of).length)]!
  const [lo, hi] = anAddress(random)
  switch (random.below(43)) {
    case 0: {
      const [root, pcid] = [pageSize * (random.below(20) === 0 ? pages + 1 : 1 + random.below(tables)), random.below(3)]
      return ({ mmu }) => mmu.setRoot(root, pcid)
    }
    case 1: {
      const rules = someRules(random)
      return ({ mmu }) => mmu.setRules(rules)
    }
    case 2: {
      const format = [fourLevel, fiveLevel, pae][random.below(10) === 0 ? 2 : random.below(2)]!
      return ({ mmu }) => mmu.setFormat(format, new Int32Array(8))
    }
    case 3:
    case 4: {
      const to = pick(mode)
      return ({ mmu }) => mmu.setMode(to)
    }
    case 5: {
      const page = layout.ram / pageSize + random.below(pages)
      return ({ code }) => code.add(page)
    }
    case 6: {
      const everything = random.below(4) === 0
      return ({ mmu }) => (everything ? mmu.tlb.flush(0) : mmu.tlb.invalidate(0, lo, hi))
    }
    case 7: {
      const place = pageSize * (1 + random.below(tables)) + 8 * indices[random.below(indices.length)]!
      const [low, high] = anEntry(random)
      return ({ physical }) => {
        physical.store32(place, low)
        physical.store32(place + 4, high)
      }
    }
    case 8: {
      const page = random.below(3) === 0 ? random.below(pages) : -1
      return ({ mmu }) => mmu.guard(page, { place: (offset) => offset, written: () => {} })
    }
    case 40: {
      const guest = random.below(3)
      const [rules, format] = [someRules(random), [fourLevel, fiveLevel][random.below(2)]!]
      const root = pageSize * (1 + random.below(tables))
      return ({ mmu, guests }) => {
        mmu.enter(guests[guest]?.owner ?? mmu.hostOwner, format, new Int32Array(8), rules)
        mmu.setRoot(root, guest)
      }
    }
    case 41: {
      const [page, entry] = anExtended(random)
      const forgets = random.below(3) > 0
      return ({ physical, mmu, guests }) => {
        physical.store32((extended + 3) * pageSize + 8 * page, entry)
        if (!forgets) return
        for (const { ept } of guests) ept.forget()
        mmu.tlb.flushOwners((number) => number > 0)
      }
    }
    case 42: {
      const guest = random.below(2)
      return ({ mmu }) => mmu.tlb.flushAll(1 + guest)
    }
    default: {
      const width = [8, 16, 32, 64, 128, 256][random.below(6)]!
      const from = random.below(3) === 0 ? pick(mode) : undefined
      const which = pick(table)
      return ({ mmu }) => {
        if (which === table.fetch) return mmu.execute(lo, hi)
        if (from !== undefined)
          return which === table.read ? mmu.readAs(from, lo, hi, width) : mmu.writeAs(from, lo, hi, width)
        return which === table.read
          ? mmu.read(lo, hi, width)
          : width < 64
            ? mmu.modify(lo, hi, width)
            : mmu.write(lo, hi, width)
      }
    }
  }
}

/** All memory but the words that the walker goes by: registers, translation caches, RAM, and what is known of it. */
const isSame = (a: Side, b: Side): boolean => {
  const bytes = ({ physical }: Side) => Buffer.from(physical.memory.buffer)
  const parts = [
    [0, at.walking],
    [at.walking + 0x40, layout.rom],
    [layout.ram, bytes(a).length]
  ] as const
  return parts.every(([from, to]) => bytes(a).subarray(from, to).equals(bytes(b).subarray(from, to)))
}

describe("the walker", () => {
  it.each([1, 2, 3, 4])(
    "does to the bit what the walk of paging.ts and the caches do, over random tables, seed %i",
    (seed) => {
      const random = new Random(seed)
      const [fast, slow] = [aSide(false), aSide(true)]
      const both = (what: (side: Side) => unknown) => [what(fast), what(slow)]
      for (let n = 1; n <= tables; n++)
        for (const index of indices) {
          const [low, high] = anEntry(random)
          both(({ physical }) => {
            physical.store32(n * pageSize + 8 * index, low)
            physical.store32(n * pageSize + 8 * index + 4, high)
          })
        }
      for (let n = 0; n < pages; n++) {
        const [, entry] = anExtended(random)
        const own = (entry & (pageSize - 1)) | (n * pageSize)
        both(({ physical }) => physical.store32((extended + 3) * pageSize + 8 * n, own))
      }
      both(({ mmu }) => mmu.setRoot(pageSize, 0))
      let [found, ofGuests] = [0, 0]
      const { find } = fast.mmu
      Object.assign(fast.mmu, {
        find: (...asked: Parameters<typeof find>) => {
          const host = find(...asked)
          if (host !== -1) found++
          if (host !== -1 && fast.physical.i32[walking.second >>> 2] !== 0) ofGuests++
          return host
        }
      })
      for (let n = 0; n < 12_000; n++) {
        const [one, other] = both(happen(random))
        assert.strictEqual(one, other, `answer ${n}`)
        assert.deepStrictEqual(fast.heard, slow.heard, `heard ${n}`)
        fast.heard.length = 0
        slow.heard.length = 0
        if (n % 500 === 499) assert.isTrue(isSame(fast, slow), `memory ${n}`)
      }
      assert.isAbove(found, 100)
      assert.isAbove(ofGuests, 20)
    }
  )
})

describe.each(["walked fast", "walked slowly"])(
  "a guest's access, where its extended page tables have flags: %s",
  (how) => {
    const leafOf = (page: number) => (extended + 3) * pageSize + 8 * page
    const everything = EptEntry.READ | EptEntry.WRITE | EptEntry.EXECUTE
    /** The guest's tables are in its pages 1 to 5: from 0 on its page 8 is mapped, from 2 MiB on its table of level 1. */
    const aGuest = (readOnly: number) => {
      const side = aSide(how === "walked slowly")
      const { physical, mmu, guests } = side
      for (let page = 0; page < pages; page++)
        physical.store32(leafOf(page), (page * pageSize) | (page === readOnly ? EptEntry.READ : everything) | (6 << 3))
      const seen = bit.P | bit.RW | bit.US | bit.A | bit.D
      for (const [at, page] of [
        [0x1000, 2],
        [0x2000, 3],
        [0x3000, 4],
        [0x3008, 5],
        [0x4000, 8],
        [0x5000, 4],
        [0x5008, 8]
      ] as const)
        physical.store32(at, (page * pageSize) | seen)
      mmu.enter(guests[1]!.owner, fourLevel, new Int32Array(8), mmu.hostOwner.rules)
      mmu.setRoot(pageSize, 0)
      return side
    }
    const found = (host: number) => host - layout.ram

    it("is a write that makes a page dirty, though it was read before", () => {
      const { mmu, physical } = aGuest(0)
      assert.strictEqual(found(mmu.read(0x10, 0, 32)), 8 * pageSize + 0x10)
      assert.strictEqual(physical.load32(leafOf(8)) & EptEntry.DIRTY, 0)
      assert.strictEqual(found(mmu.modify(0x10, 0, 32)), 8 * pageSize + 0x10)
      assert.strictEqual(physical.load32(leafOf(8)) & EptEntry.DIRTY, EptEntry.DIRTY)
    })

    it("is refused, if a table on its way may only be read, though it was read before", () => {
      const { mmu } = aGuest(4)
      assert.strictEqual(found(mmu.read(0x20_0000, 0, 32)), 4 * pageSize)
      assert.strictEqual(found(mmu.read(0x20_1000, 0, 32)), 8 * pageSize)
      assert.strictEqual(mmu.read(0x10, 0, 32), fault)
    })
  }
)

describe("translation caches behind 2 GiB of RAM", () => {
  it.each(["walked fast", "walked slowly"])("keep what was found, and forget it: %s", (how) => {
    const big = 0xa000_0000
    const physical = new PhysicalMemory(makeMemory(big, 2), big, { read: () => 0, write: () => {} }, [])
    const code = new DecodedPages(physical, { codeWritten: () => {}, codeDecoded: () => {} })
    const mmu = new Mmu(physical, code, { codeMapChanged: () => {}, globalsDropped: () => {} }, processorRoom(big, 1))
    if (how === "walked slowly") mmu.walkSlowly()
    const leadTo = (page: number) => physical.store32(0x4028, page | bit.P | bit.RW)
    for (const table of [0x1000, 0x2000, 0x3000]) physical.store32(table, (table + 0x1000) | bit.P | bit.RW)
    leadTo(0x8000)
    mmu.setRoot(0x1000, 0)
    const places = [mmu.read(0x5010, 0, 64)]
    leadTo(0x9000_0000)
    places.push(mmu.read(0x5010, 0, 64))
    mmu.tlb.invalidate(0, 0x5000, 0)
    places.push(mmu.read(0x5010, 0, 64))
    leadTo(0x8000)
    mmu.tlb.flushAll()
    places.push(mmu.read(0x5010, 0, 64))
    assert.deepStrictEqual(
      places.map((host) => host - layout.ram),
      [0x8010, 0x8010, 0x9000_0010, 0x8010]
    )
  })
})
