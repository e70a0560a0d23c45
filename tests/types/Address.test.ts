import { assert, describe, it } from "vitest"
import { isPhysAddr, isVirtAddr, PhysAddr, VirtAddr } from "../../src/types/Address.ts"

describe("a physical address", () => {
  it("is below 2^52", () => {
    assert.strictEqual(PhysAddr(2 ** 52 - 1), 2 ** 52 - 1)
    assert.throws(() => PhysAddr(2 ** 52), "below 2^52")
  })

  it("is a whole number of bytes from 0", () => {
    assert.isTrue(isPhysAddr(0))
    for (const none of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) assert.isFalse(isPhysAddr(none), String(none))
  })
})

describe("a user address", () => {
  it("lies in the user half", () => {
    assert.strictEqual(VirtAddr(2 ** 47 - 1), 2 ** 47 - 1)
    assert.throws(() => VirtAddr(2 ** 47), "below 2^47")
    assert.isFalse(isVirtAddr(-4096))
  })
})
