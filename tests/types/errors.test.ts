import fc from "fast-check"
import { assert, describe, it } from "vitest"
import * as Fault from "../../src/types/Fault.ts"
import * as LookupFailure from "../../src/types/LookupFailure.ts"
import * as SyscallError from "../../src/types/SyscallError.ts"
import * as Word from "../../src/types/Word.ts"
import * as abi from "./abi.ts"
import { asProgram, bigWord, count, small, word } from "./words.ts"

const tagged = <T extends string, A extends Record<string, fc.Arbitrary<unknown>>>(_tag: T, fields: A) =>
  fc.record({ _tag: fc.constant(_tag), ...fields })

const bitsLeft = small(64)

const failure = fc.oneof(
  tagged("InvalidRoot", {}),
  tagged("MissingCapability", { bitsLeft }),
  tagged("DepthMismatch", { bitsLeft, bitsFound: small(64) }),
  tagged("GuardMismatch", { bitsLeft, guard: word, guardSize: small(58) })
) as fc.Arbitrary<LookupFailure.LookupFailure>

const error = fc.oneof(
  tagged("InvalidArgument", { index: small(119) }),
  tagged("InvalidCapability", { index: small(3) }),
  tagged("IllegalOperation", {}),
  tagged("RangeError", { min: count, max: count }),
  tagged("AlignmentError", {}),
  tagged("FailedLookup", { wasSource: fc.boolean(), failure }),
  tagged("TruncatedMessage", {}),
  tagged("DeleteFirst", {}),
  tagged("RevokeFirst", {}),
  tagged("NotEnoughMemory", { available: count })
) as fc.Arbitrary<SyscallError.SyscallError>

const fault = fc.oneof(
  tagged("CapFault", { address: word, inReceivePhase: fc.boolean(), failure }),
  tagged("UnknownSyscall", { number: word }),
  tagged("UserException", { number: small(255), code: small(2 ** 32 - 1) }),
  tagged("VMFault", { address: word, instructionFetch: fc.boolean(), status: small(2 ** 32 - 1) }),
  tagged("Timeout", { badge: word, consumed: count })
) as fc.Arbitrary<Fault.Fault>

const sent = (words: ReadonlyArray<Word.Word>) => words.map(Word.toBigInt)

describe("LookupFailure", () => {
  it("is read as the kernel wrote it", () => {
    fc.assert(
      fc.property(failure, (failure) => {
        assert.deepStrictEqual<unknown>(
          LookupFailure.fromWords(sent(LookupFailure.toWords(failure))),
          asProgram(failure)
        )
      })
    )
  })

  it("says first which it is", () => {
    const guard = Word.fromBigInt(0xffff_ffff_0000_0001n)
    assert.deepStrictEqual(sent(LookupFailure.toWords(LookupFailure.invalidRoot)), [1n])
    assert.deepStrictEqual(sent(LookupFailure.toWords({ _tag: "MissingCapability", bitsLeft: 7 })), [2n, 7n])
    assert.deepStrictEqual(sent(LookupFailure.toWords({ _tag: "DepthMismatch", bitsLeft: 7, bitsFound: 9 })), [
      3n,
      7n,
      9n
    ])
    assert.deepStrictEqual(sent(LookupFailure.toWords({ _tag: "GuardMismatch", bitsLeft: 7, guard, guardSize: 58 })), [
      4n,
      7n,
      0xffff_ffff_0000_0001n,
      58n
    ])
  })
})

describe("SyscallError", () => {
  it("is read as the kernel wrote it", () => {
    fc.assert(
      fc.property(error, (error) => {
        const label = SyscallError.labels[error._tag]
        assert.deepStrictEqual<unknown>(
          SyscallError.fromWords(label, sent(SyscallError.toWords(error))),
          asProgram(error)
        )
      })
    )
  })

  it("has the labels of the interface", () => {
    const names = [
      "InvalidArgument",
      "InvalidCapability",
      "IllegalOperation",
      "RangeError",
      "AlignmentError",
      "FailedLookup"
    ]
    const others = ["TruncatedMessage", "DeleteFirst", "RevokeFirst", "NotEnoughMemory"]
    assert.deepStrictEqual(
      Object.entries(SyscallError.labels),
      [...names, ...others].map((name, index) => [name, index + 1])
    )
  })

  it("is not what any other label says", () => {
    fc.assert(
      fc.property(fc.oneof(fc.constant(0), fc.integer({ min: 11 })), fc.array(bigWord), (label, words) => {
        assert.isUndefined(SyscallError.fromWords(label, words))
        assert.isFalse(SyscallError.isLabel(label))
      })
    )
  })

  it("of a lookup says whose it was, and why it failed", () => {
    const error = SyscallError.failedLookup("source", { _tag: "MissingCapability", bitsLeft: 7 })
    assert.deepStrictEqual(sent(SyscallError.toWords(error)), [1n, 2n, 7n])
    assert.deepStrictEqual(sent(SyscallError.toWords(SyscallError.rangeError(0, 2 ** 40))), [0n, 2n ** 40n])
  })

  it("of garbage is none, or one", () => {
    fc.assert(fc.property(small(12), fc.array(bigWord), (label, words) => void SyscallError.fromWords(label, words)))
  })
})

describe("Fault", () => {
  it("is read as the kernel wrote it", () => {
    fc.assert(
      fc.property(fault, (fault) => {
        assert.deepStrictEqual<unknown>(Fault.fromWords(fault._tag, sent(Fault.toWords(fault))), asProgram(fault))
      })
    )
  })

  it("has the labels of the interface", () => {
    for (const [name, [label]] of Object.entries(abi.faults)) {
      assert.strictEqual(Fault.tagOf(label), name)
      assert.strictEqual(Fault.labels[name as keyof typeof abi.faults], label)
    }
    assert.isUndefined(Fault.tagOf(0))
    assert.isUndefined(Fault.tagOf(4))
  })
})
