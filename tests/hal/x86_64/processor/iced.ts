/** A second opinion on encodings: the disassembler iced-x86. */
import { CpuidFeature, Decoder, DecoderOptions, Formatter, FormatterSyntax, MemorySizeOptions } from "iced-x86"

export interface Opinion {
  readonly length: number
  readonly text: string
  /** What a processor must have for it: "INTEL8086", "SSE2"... */
  readonly features: ReadonlyArray<string>
}

const formatter = new Formatter(FormatterSyntax.Intel)
Object.assign(formatter, {
  hexPrefix: "0x",
  hexSuffix: "",
  uppercaseHex: false,
  smallHexNumbersInDecimal: false,
  addLeadingZeroToHexNumbers: false,
  branchLeadingZeros: false,
  spaceAfterOperandSeparator: true,
  alwaysShowScale: true,
  showBranchSize: false,
  ripRelativeAddresses: true,
  signedMemoryDisplacements: true,
  usePseudoOps: false,
  memorySizeOptions: MemorySizeOptions.Always
})

/** Of up to 15 bytes at an address, as code of this size; nothing if they are no instruction. */
export const opinion = (bytes: Uint8Array, rip: bigint, bits: 16 | 32 | 64 = 64): Opinion | undefined => {
  const decoder = new Decoder(bits, bytes.subarray(0, 15), DecoderOptions.None)
  decoder.ip = rip
  const instruction = decoder.decode()
  const found = instruction.isInvalid
    ? undefined
    : {
        length: instruction.length,
        text: formatter.format(instruction),
        features: Array.from(instruction.cpuidFeatures(), (feature) => CpuidFeature[feature]!)
      }
  instruction.free()
  decoder.free()
  return found
}

/** A text without what the two say differently: prefixes that change nothing, implied operands, names of the same thing. */
// biome-ignore format: a difference, a line
export const common = (text: string): string =>
  text
    .replace(/\b(?:addr32|data16|data64|hint-taken|hint-not-taken|xacquire|xrelease|bnd|notrack) /g, "")
    .replace(/^(v?maskmov\w+) qword ptr (?:(\w\w):)?\[\w+\], (\w+, \w+)$/, (_, name, segment, registers) =>
      segment === undefined ? `${name} ${registers}` : `${name} ${registers}, ${segment}`
    )
    .replace(/\bes:/g, "")
    .replace(/^repne (?=movs|lods|stos|ins|outs)/, "rep ")
    .replace(/^((?:rep\w* )?(?:stos|lods|scas)\w) (?:(?:al|ax|eax|rax), )?(.*?)(?:, (?:al|ax|eax|rax))?$/, "$1 $2")
    .replace(/^(lea .*)[fg]s:/, "$1")
    .replace(/^xchg (\w+), (\w+)$/, (_, a: string, b: string) => `xchg ${[a, b].sort().join(", ")}`)
    .replace(/^imul (\w+), \1, /, "imul $1, ")
    .replace(/^(lar|lsl) (\w+), (?:\w+)$/, "$1 $2")
    .replace(/^((?:p?blendv\w+|sha256rnds2) [^,]+, [^,]+), xmm0$/, "$1")
    .replace(/^ret far/, "retf")
    .replace(/fpu\w+ ptr /, "")
    .replace(/^(f\w+) st, (?=\w+ ptr|\w*:?\[)/, "$1 ")
    .replace(/^(f\w+ .*\]), st$/, "$1")
    .replace(/^(fld|fcomp?|fucomp?|fxch) st, /, "$1 ")
    .replace(/^(fstp?|fstpnce) (st\(\d\)), st$/, "$1 $2")
    .replace(/^(fcomp?|fucomp?|fxch) st\(1\)$/, "$1")
    .replace(/^(f(?:add|mul|subr?|divr?)p) st\(1\), st$/, "$1")
    .replace(/^fnstsw ax$/, "fnstsw")
    .replace(/^iret$/, "iretw")
    .replace(/^(?:\ws )?monitor\b.*$/, "monitor")
    .replace(/^rep ret\b/, "ret")
    .replace(/^xchg (ax|rax), \1$/, "nop")
    .replace(/^(?:xchg (?:r8, rax|eax, r8d|ax, r8w)|pause)$/, "pause")
    .replace(/^([sl][gi]dt) \w+ ptr /, "$1 ")
    .replace(/^(?:nop|prefetch\w*|cldemote|prefetchit.|endbr..|rdssp.)\b.*$/, "nop")

/** Extensions of which nothing is here. */
const otherFeatures =
  /^(?!INTEL|FPU|X64$|CMOV$|CX8$|CMPXCHG16B$|BMI1$|BMI2$|ADX$|LZCNT$|POPCNT$|MOVBE$|FSGSBASE$|SYSCALL$|MSR$|TSC$|CPUID$|RDTSCP$|SMAP$|INVPCID$|MMX$|SSE(?!4A)|SSSE3$|AES$|PCLMULQDQ$|SHA$|FXSR$|XSAVE|AVX2?$|FMA$|F16C$)/
/** UD0 and UD1 are #UD, as all that is not decoded; so is RSM outside of system management mode. */
export const undecoded = /^(?:ud[01]|rsm)\b/

export const isOfOtherFeature = ({ features }: Opinion): boolean =>
  features.some((feature) => otherFeatures.test(feature))
