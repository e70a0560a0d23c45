import { assert, describe, it } from "@effect/vitest"
import { cpuidOf, type HostCpuid, type Words } from "../../src/vmm/Cpuid.ts"

/** A processor that has every feature there will ever be. */
const everything: HostCpuid = (leaf) => (leaf === 0 ? [0x16, 0x756e_6547, 0x6c65_746e, 0x4965_6e69] : [-1, -1, -1, -1])
const nothing: HostCpuid = () => [0, 0, 0, 0]
const guest = cpuidOf(everything, 0, 1)
const bit = (words: Words, word: number, n: number) => ((words[word]! >>> n) & 1) === 1

describe("CPUID of a guest", () => {
  it("names the processor's vendor, and the monitor where software looks for one", () => {
    assert.deepStrictEqual(guest(0, 0), everything(0, 0))
    const [, ebx, ecx, edx] = guest(0x4000_0000, 0)
    const name = new TextDecoder().decode(new Uint8Array(Uint32Array.of(ebx, ecx, edx).buffer))
    assert.strictEqual(name, "SkyscopeVMM\0")
    assert.isTrue(bit(guest(1, 0), 2, 31), "a hypervisor is present")
  })

  it.each([
    ["VMX", 1, 2, 5],
    ["MONITOR", 1, 2, 3],
    ["XSAVE", 1, 2, 26],
    ["OSXSAVE", 1, 2, 27],
    ["AVX", 1, 2, 28],
    ["FMA", 1, 2, 12],
    ["F16C", 1, 2, 29],
    ["AVX2", 7, 1, 5],
    ["AVX-512", 7, 1, 16],
    ["PKU", 7, 2, 3],
    ["57-bit addresses", 7, 2, 16],
    ["VAES", 7, 2, 9]
  ])("does not say that there is %s", (_name, leaf, word, n) => {
    assert.isFalse(bit(guest(leaf, 0), word, n))
  })

  it("says what the processor has of the rest, and no more", () => {
    assert.isTrue(bit(guest(1, 0), 2, 20), "SSE4.2")
    assert.isTrue(bit(guest(7, 0), 1, 8), "BMI2")
    assert.isFalse(bit(cpuidOf(nothing, 0, 1)(1, 0), 2, 20), "SSE4.2")
    assert.isTrue(bit(cpuidOf(nothing, 0, 1)(1, 0), 2, 21), "x2APIC, which is the monitor's")
  })

  it("tells each processor which one it is", () => {
    const [second] = [cpuidOf(everything, 1, 4)]
    assert.strictEqual(second(1, 0)[1] >>> 24, 1)
    assert.strictEqual((second(1, 0)[1] >>> 16) & 0xff, 4)
    assert.deepStrictEqual(second(0xb, 0), [0, 1, 0x100, 1])
    assert.deepStrictEqual(second(0xb, 1), [2, 4, 0x201, 1])
  })

  it("looks at ECX only where a leaf has subleaves", () => {
    assert.deepStrictEqual(guest(0x8000_0001, 0x1234), guest(0x8000_0001, 0))
    assert.deepStrictEqual(guest(1, 7), guest(1, 0))
  })

  it("shows nothing of the state that is not kept for it", () => {
    for (const leaf of [0xd, 0x12, 0x14]) assert.deepStrictEqual(guest(leaf, 0), [0, 0, 0, 0])
  })
})
