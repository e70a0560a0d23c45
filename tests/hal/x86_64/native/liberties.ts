/**
 * Liberties: where processors differ from one another, because the manual leaves them free or because some depart from it. Nothing else may
 * differ in the comparison.
 */
import type { Case } from "./cases.ts"
import { type Difference, differences, type Outcome } from "./outcome.ts"
import { areNeighbours, stops } from "./x87.ts"

/** Some differences of a case that are no mistake. */
export interface Liberty {
  /** What is done differently, and why that may be. */
  readonly reason: string
  /** The differences that it accounts for, by their names. */
  readonly of: RegExp
  /** `native` is the real processor's. */
  readonly covers: (test: Case, native: Outcome, ours: Outcome, difference: Difference) => boolean
}

const named =
  (names: RegExp) =>
  ({ instruction }: Case): boolean =>
    names.test(instruction.form.name)
const both = (native: Outcome, ours: Outcome): boolean => native.exception !== undefined && ours.exception !== undefined

const isString = named(/^(?:rep\w* )?(?:movs|cmps|scas|lods|stos|ins|outs)[bwdq]$/)
const isCompare = named(/^(?:rep\w* )?cmps[bwdq]$/)
const isRepeatedCompare = named(/^rep\w* (?:cmps|scas)[bwdq]$/)

export const liberties: ReadonlyArray<Liberty> = [
  {
    reason:
      "a repetition with addresses of 32 bits clears the upper halves of RCX, RSI and RDI even if no iteration is completed, or leaves them",
    of: /^r(?:cx|si|di)$/,
    covers: (test, _native, _ours, { one, other }) =>
      isString(test) &&
      test.instruction.form.addressWidth === 32 &&
      BigInt.asUintN(32, one as bigint) === BigInt.asUintN(32, other as bigint)
  },
  {
    reason: "of the two operands of CMPS, either is accessed first",
    of: /^(?:vector|error code|address)$/,
    covers: (test, native, ours) => isCompare(test) && both(native, ours)
  },
  {
    reason:
      "REPE CMPS and SCAS that end in an exception leave the flags of the last iteration, or those from before the first",
    of: /^flags$/,
    covers: (test, native, ours) => isRepeatedCompare(test) && both(native, ours)
  },
  {
    reason: "a CALL whose target cannot be gone to has written the return address, or not",
    of: /^byte /,
    covers: (test, native, ours) => named(/^call$/)(test) && both(native, ours)
  },
  {
    reason: "a store of 80 bits that faults in its second page has written to the first, or not",
    of: /^byte /,
    covers: (test, native, ours) => named(/^f(?:st|bst)p$/)(test) && both(native, ours)
  },
  {
    reason: "XRSTOR looks at its header before it accesses the rest of its area, or after",
    of: /^(?:vector|error code|address)$/,
    covers: (test, native, ours) => named(/^xrstor/)(test) && both(native, ours)
  },
  {
    reason: "an MMX instruction that ends in an exception has made the transition from x87 state, or not",
    of: /^(?:fsw|ftw|st\d)$/,
    covers: ({ instruction }, native, ours) =>
      both(native, ours) && instruction.form.operands.some((operand) => /^p(?:32|64)?$/i.test(operand))
  },
  {
    reason: "of several products that are no numbers, DPPS and DPPD give one or another",
    of: /^ymm\d+$/,
    covers: (test, _native, _ours, { one, other }) =>
      named(/^v?dpp[sd]$/)(test) &&
      (areNumbersAlike(one as bigint, other as bigint, 32n) || areNumbersAlike(one as bigint, other as bigint, 64n))
  },
  {
    reason: "a denormal number of which VCVTPS2PH makes an underflow that is not masked is noted to be inexact, or not",
    of: /^mxcsr$/,
    covers: (test, _native, ours, { one, other }) =>
      named(/^vcvtps2ph$/)(test) && (one as number) === ((other as number) | PE) && (ours.mxcsr & DE) !== 0
  },
  {
    reason: "a reciprocal is approximated, within the error that the manual allows",
    of: /^ymm\d+$/,
    covers: (test, _native, _ours, { one, other }) =>
      named(/^v?r(?:cp|sqrt)[ps]s$/)(test) && areNear(one as bigint, other as bigint)
  },
  {
    reason:
      "MASKMOVDQU and VPMASKMOV name the first byte of a part that cannot be accessed, or another that would be written",
    of: /^(?:address|error code)$/,
    covers: (test, native, ours) => named(/^v?p?maskmov/)(test) && both(native, ours)
  },
  {
    reason:
      "an x87 store of an invalid operand, with that exception unmasked, ends without accessing memory, or asks for memory first",
    of: /^(?:fsw|ftw|rip|vector|error code|address|st\d)$/,
    covers: (test, native, ours) =>
      named(/^f(?:i|b)?stt?p?$/)(test) &&
      native.exception === undefined &&
      ours.exception !== undefined &&
      isSignalled(native.x87)
  },
  {
    reason:
      "whether a result that is approximated is noted to be tiny, or invalid by a denormal operand, differs with its last bit",
    of: /^(?:fsw|st\d)$/,
    covers: (test, _native, _ours, { name, one, other }) =>
      named(/^f(?:2xm1|yl2x|yl2xp1|ptan|patan|sin|cos|sincos)$/)(test) &&
      (name === "fsw"
        ? ((one as number) ^ (other as number)) === UE
        : areNeighboursButForBias(one as bigint, other as bigint))
  }
]

/** Reciprocals have a relative error of at most 1.5 * 2^-12 each: SDM vol. 2B, "RCPPS", "RSQRTPS". */
const areNear = (one: bigint, other: bigint): boolean =>
  Array.from({ length: 8 }, (_, n) => 32n * BigInt(n)).every((shift) => {
    const [a, b] = [one, other].map((vector) => Number(BigInt.asUintN(32, vector >> shift))) as [number, number]
    return a === b || Math.abs(singleOf(a) / singleOf(b) - 1) <= 3.01 * 2 ** -12
  })
const single = new DataView(new ArrayBuffer(4))
const singleOf = (bits: number): number => {
  single.setUint32(0, bits)
  return single.getFloat32(0)
}

/** Lanes of so many bits are the same, or neither is a number. */
const areNumbersAlike = (one: bigint, other: bigint, width: 32n | 64n): boolean =>
  Array.from({ length: Number(256n / width) }, (_, n) => width * BigInt(n)).every((shift) => {
    const [a, b] = [one, other].map((vector) => BigInt.asUintN(Number(width), vector >> shift)) as [bigint, bigint]
    const infinity = width === 32n ? 0x7f80_0000n : 0x7ff0_0000_0000_0000n
    const isNan = (lane: bigint) => BigInt.asUintN(Number(width) - 1, lane) > infinity
    return a === b || (isNan(a) && isNan(b))
  })

/** Where two outcomes differ in what the manual defines, beyond the liberties; `took` hears of each of those that was taken. */
export const differing = (
  test: Case,
  native: Outcome,
  ours: Outcome,
  took: (liberty: Liberty) => void = () => {}
): ReadonlyArray<Difference> =>
  differences(test, native, ours).filter((difference) => {
    const liberty = liberties.find(
      ({ of, covers }) => of.test(difference.name) && covers(test, native, ours, difference)
    )
    if (liberty !== undefined) took(liberty)
    return liberty === undefined
  })

/** An underflow that is not masked delivers the result with 24 576 added to its exponent. SDM vol. 1, "Numeric Underflow Exception (#U)". */
const underflowBias = 24_576n << 64n
const areNeighboursButForBias = (one: bigint, other: bigint): boolean =>
  areNeighbours(one, other - underflowBias) || areNeighbours(one - underflowBias, other)

/** Flags of a status word and of MXCSR. */
const [DE, UE, PE] = [2, 0x10, 0x20]
/** ES: an exception that is not masked. */
const isSignalled = (image: Uint8Array): boolean => stops(image) || (image[2]! & 0x80) !== 0
