/**
 * CPUID: what this processor has, and nothing that it has not. SDM vol. 2A, "CPUID".
 */
import { widest } from "../memory/Access.ts"
import { physicalBits } from "../memory/PhysicalMemory.ts"
import { at } from "../processor/State.ts"
import type { Core } from "./Core.ts"
import { hasExecuteDisable, hasMonitor, limitsCpuid } from "./msr.ts"
import { CR4 } from "./registers.ts"
import { extendedState } from "./xsave.ts"

interface Feature {
  readonly leaf: number
  readonly register: "eax" | "ebx" | "ecx" | "edx"
  readonly bit: number
  readonly name: string
  /** The instructions that it promises: each must be in the tables. */
  readonly instructions?: readonly string[]
}

// biome-ignore format: a feature, a line
export const features: readonly Feature[] = [
  { leaf: 1,           register: "ecx", bit: 0,  name: "SSE3",         instructions: ["addsubps", "lddqu"] },
  { leaf: 1,           register: "ecx", bit: 3,  name: "MONITOR",      instructions: ["monitor", "mwait"] },
  { leaf: 1,           register: "ecx", bit: 1,  name: "PCLMULQDQ",    instructions: ["pclmulqdq"] },
  { leaf: 1,           register: "ecx", bit: 5,  name: "VMX",          instructions: ["vmxon", "vmlaunch", "vmread", "invept"] },
  { leaf: 1,           register: "ecx", bit: 9,  name: "SSSE3",        instructions: ["pshufb", "palignr"] },
  { leaf: 1,           register: "ecx", bit: 13, name: "CMPXCHG16B",   instructions: ["cmpxchg16b"] },
  { leaf: 1,           register: "ecx", bit: 17, name: "PCID" },
  { leaf: 1,           register: "ecx", bit: 19, name: "SSE4.1",       instructions: ["ptest", "dpps"] },
  { leaf: 1,           register: "ecx", bit: 20, name: "SSE4.2",       instructions: ["pcmpistri", "crc32"] },
  { leaf: 1,           register: "ecx", bit: 21, name: "x2APIC" },
  { leaf: 1,           register: "ecx", bit: 22, name: "MOVBE",        instructions: ["movbe"] },
  { leaf: 1,           register: "ecx", bit: 23, name: "POPCNT",       instructions: ["popcnt"] },
  { leaf: 1,           register: "ecx", bit: 24, name: "TSC-Deadline" },
  { leaf: 1,           register: "ecx", bit: 25, name: "AESNI",        instructions: ["aesenc", "aeskeygenassist"] },
  { leaf: 1,           register: "ecx", bit: 12, name: "FMA",          instructions: ["vfmadd132ps", "vfnmsub231sd"] },
  { leaf: 1,           register: "ecx", bit: 26, name: "XSAVE",        instructions: ["xsave", "xrstor", "xgetbv", "xsetbv"] },
  { leaf: 1,           register: "ecx", bit: 28, name: "AVX",          instructions: ["vaddps", "vperm2f128", "vzeroupper"] },
  { leaf: 1,           register: "ecx", bit: 29, name: "F16C",         instructions: ["vcvtph2ps", "vcvtps2ph"] },
  { leaf: 1,           register: "ecx", bit: 30, name: "RDRAND",       instructions: ["rdrand"] },
  { leaf: 1,           register: "edx", bit: 0,  name: "FPU",          instructions: ["fninit", "fnstsw", "fadd", "fcmove", "fcomi"] },
  { leaf: 1,           register: "edx", bit: 1,  name: "VME" },
  { leaf: 1,           register: "edx", bit: 2,  name: "DE" },
  { leaf: 1,           register: "edx", bit: 3,  name: "PSE" },
  { leaf: 1,           register: "edx", bit: 4,  name: "TSC",          instructions: ["rdtsc"] },
  { leaf: 1,           register: "edx", bit: 5,  name: "MSR",          instructions: ["rdmsr", "wrmsr"] },
  { leaf: 1,           register: "edx", bit: 6,  name: "PAE" },
  { leaf: 1,           register: "edx", bit: 7,  name: "MCE" },
  { leaf: 1,           register: "edx", bit: 12, name: "MTRR" },
  { leaf: 1,           register: "edx", bit: 14, name: "MCA" },
  { leaf: 1,           register: "edx", bit: 19, name: "CLFSH",        instructions: ["clflush"] },
  { leaf: 1,           register: "edx", bit: 8,  name: "CX8",          instructions: ["cmpxchg8b"] },
  { leaf: 1,           register: "edx", bit: 9,  name: "APIC" },
  { leaf: 1,           register: "edx", bit: 11, name: "SEP",          instructions: ["sysenter", "sysexit"] },
  { leaf: 1,           register: "edx", bit: 13, name: "PGE" },
  { leaf: 1,           register: "edx", bit: 15, name: "CMOV",         instructions: ["cmove"] },
  { leaf: 1,           register: "edx", bit: 16, name: "PAT" },
  { leaf: 1,           register: "edx", bit: 17, name: "PSE-36" },
  { leaf: 1,           register: "edx", bit: 23, name: "MMX",          instructions: ["emms", "movq", "packsswb", "pmaddwd"] },
  { leaf: 1,           register: "edx", bit: 24, name: "FXSR",         instructions: ["fxsave", "fxrstor"] },
  { leaf: 1,           register: "edx", bit: 25, name: "SSE",          instructions: ["addps", "ldmxcsr"] },
  { leaf: 1,           register: "edx", bit: 26, name: "SSE2",         instructions: ["addpd", "paddq"] },
  { leaf: 6,           register: "eax", bit: 2,  name: "ARAT" },
  { leaf: 7,           register: "ebx", bit: 0,  name: "FSGSBASE",     instructions: ["rdfsbase", "wrfsbase"] },
  { leaf: 7,           register: "ebx", bit: 1,  name: "IA32_TSC_ADJUST" },
  { leaf: 7,           register: "ebx", bit: 3,  name: "BMI1",         instructions: ["andn", "bextr", "blsi", "blsmsk", "blsr", "tzcnt"] },
  { leaf: 7,           register: "ebx", bit: 5,  name: "AVX2",         instructions: ["vpermd", "vpgatherdd", "vpsllvd"] },
  { leaf: 7,           register: "ebx", bit: 7,  name: "SMEP" },
  { leaf: 7,           register: "ebx", bit: 8,  name: "BMI2",         instructions: ["bzhi", "mulx", "pdep", "pext", "rorx", "sarx", "shlx", "shrx"] },
  { leaf: 7,           register: "ebx", bit: 9,  name: "ERMS" },
  { leaf: 7,           register: "ebx", bit: 10, name: "INVPCID",      instructions: ["invpcid"] },
  { leaf: 7,           register: "ebx", bit: 13, name: "FCS and FDS deprecated" },
  { leaf: 7,           register: "ebx", bit: 19, name: "ADX",          instructions: ["adcx", "adox"] },
  { leaf: 7,           register: "ebx", bit: 18, name: "RDSEED",       instructions: ["rdseed"] },
  { leaf: 7,           register: "ebx", bit: 23, name: "CLFLUSHOPT",   instructions: ["clflushopt"] },
  { leaf: 7,           register: "ebx", bit: 24, name: "CLWB",         instructions: ["clwb"] },
  { leaf: 7,           register: "ecx", bit: 0,  name: "PREFETCHWT1",  instructions: ["prefetchwt1"] },
  { leaf: 7,           register: "ecx", bit: 3,  name: "PKU",          instructions: ["rdpkru", "wrpkru"] },
  { leaf: 7,           register: "ecx", bit: 16, name: "LA57" },
  { leaf: 7,           register: "ecx", bit: 22, name: "RDPID",        instructions: ["rdpid"] },
  { leaf: 7,           register: "ecx", bit: 31, name: "PKS" },
  { leaf: 7,           register: "edx", bit: 26, name: "IBRS and IBPB" },
  { leaf: 7,           register: "edx", bit: 27, name: "STIBP" },
  { leaf: 7,           register: "edx", bit: 28, name: "L1D_FLUSH" },
  { leaf: 7,           register: "edx", bit: 29, name: "IA32_ARCH_CAPABILITIES" },
  { leaf: 7,           register: "edx", bit: 31, name: "SSBD" },
  { leaf: 7,           register: "ebx", bit: 20, name: "SMAP",         instructions: ["clac", "stac"] },
  { leaf: 7,           register: "ebx", bit: 29, name: "SHA",          instructions: ["sha1rnds4", "sha256rnds2"] },
  { leaf: 7,           register: "ecx", bit: 2,  name: "UMIP" },
  { leaf: 0x8000_0001, register: "ecx", bit: 0,  name: "LAHF-SAHF",    instructions: ["lahf", "sahf"] },
  { leaf: 0x8000_0001, register: "ecx", bit: 5,  name: "LZCNT",        instructions: ["lzcnt"] },
  { leaf: 0x8000_0001, register: "edx", bit: 11, name: "SYSCALL",      instructions: ["syscall", "sysret"] },
  { leaf: 0x8000_0001, register: "edx", bit: 20, name: "Execute Disable" },
  { leaf: 0x8000_0001, register: "edx", bit: 26, name: "1-GByte pages" },
  { leaf: 0x8000_0001, register: "edx", bit: 27, name: "RDTSCP",       instructions: ["rdtscp"] },
  { leaf: 0x8000_0001, register: "edx", bit: 29, name: "Intel 64" },
  { leaf: 0x8000_0001, register: "ecx", bit: 8,  name: "PREFETCHW",    instructions: ["prefetchw"] },
  { leaf: 0x8000_0007, register: "edx", bit: 8,  name: "Invariant TSC" },
  { leaf: 0x8000_0008, register: "ebx", bit: 9,  name: "WBNOINVD",     instructions: ["wbnoinvd"] }
]

type Answer = readonly [eax: number, ebx: number, ecx: number, edx: number]

const text = (four: string): number =>
  [...four].reduceRight((word, character) => (word << 8) | character.charCodeAt(0), 0)

const highestBasic = 0x18
const vendor: Answer = [highestBasic, text("Genu"), text("ntel"), text("ineI")]
const brand = "Skyscope x86-64 processor".padEnd(48, "\0")
const brandPart = (n: number): Answer => {
  const word = (i: number) => text(brand.slice(n * 16 + i * 4, n * 16 + i * 4 + 4))
  return [word(0), word(1), word(2), word(3)]
}

/** Family 6, model 3AH, stepping 0. */
export const signature = 0x3_06a0
const TSC = 1_000_000_000
/** Lines of 64 bytes, in units of 8. */
const flushedLine = 8 << 8
/** MONITOR: lines of 64 bytes at least and at most; interrupts break MWAIT even if they are masked; one kind of C1. */
const monitor: Answer = [64, 64, 0b11, 1 << 4]

const secondLevelBytes = 256 * 1024

// biome-ignore format: a leaf, a line
const leaves: ReadonlyMap<number, Answer> = new Map<number, Answer>([
  [0x00,        vendor],
  [0x01,        [signature, flushedLine, 0, 0]],
  // "CPUID leaf 2 does not report cache descriptor information, use CPUID leaf 4"; nor TLBs: leaf 18H.
  [0x02,        [0x00fe_ff01, 0, 0, 0]],
  [0x05,        monitor],
  [0x06,        [0, 0, 0, 0]],
  // There are subleaves to 2.
  [0x07,        [2, 0, 0, 0]],
  [0x0d,        [0, 0, 0, 0]],
  // Core crystal clock: the time-stamp counter itself.
  [0x15,        [1, 1, TSC, 0]],
  [0x16,        [1000, 1000, 1000, 0]],
  [0x8000_0000, [0x8000_0008 | 0, 0, 0, 0]],
  [0x8000_0001, [0, 0, 0, 0]],
  [0x8000_0002, brandPart(0)],
  [0x8000_0003, brandPart(1)],
  [0x8000_0004, brandPart(2)],
  // What leaf 4 says of the second level: KBytes, 8 ways, lines of 64 bytes.
  [0x8000_0006, [0, 0, ((secondLevelBytes >> 10) << 16) | (6 << 12) | 64, 0]],
  [0x8000_0007, [0, 0, 0, 0]],
  [0x8000_0008, [(widest << 8) | physicalBits, 0, 0, 0]]
])

/** "Cache Type Field" and "Cache Level"; those that a processor has, and what all in the package share. */
interface Cache {
  readonly type: number
  readonly level: number
  readonly ways: number
  readonly bytes: number
  readonly isShared?: true
}
const lineBytes = 64
const [data, code, unified] = [1, 2, 3] as const

/** Memory has no caches here: what is said is what software may take for its measure. */
// biome-ignore format: a cache, a line
const caches: readonly Cache[] = [
  { type: data,    level: 1, ways: 8,  bytes: 32 * 1024 },
  { type: code,    level: 1, ways: 8,  bytes: 32 * 1024 },
  { type: unified, level: 2, ways: 8,  bytes: secondLevelBytes },
  { type: unified, level: 3, ways: 16, bytes: 8 * 1024 * 1024, isShared: true }
]

/** Leaf 04H, "Deterministic Cache Parameters"; after the last, nothing. */
const cacheAt = (place: Place, subleaf: number): Answer => {
  const cache = caches[subleaf]
  if (cache === undefined) return [0, 0, 0, 0]
  const { type, level, ways, bytes, isShared } = cache
  const isSelfInitializing = 1 << 8
  const inPackage = (1 << packageBits(place)) - 1
  // Six bits for the cores.
  const cores = Math.min(inPackage, 63) << 26
  const eax = type | (level << 5) | isSelfInitializing | (isShared ? inPackage << 14 : 0) | cores
  return [eax, ((ways - 1) << 22) | (lineBytes - 1), bytes / lineBytes / ways - 1, 0]
}

/** Leaf 7, subleaf 2, EDX: BHI_DIS_S of IA32_SPEC_CTRL is there. */
const BHI_CTRL = 1 << 4
const order = ["eax", "ebx", "ecx", "edx"] as const

const answer = (leaf: number, subleaf: number): Answer => {
  const row = leaves.get(leaf)
  if (leaf === 7 && subleaf === 2) return [0, 0, 0, BHI_CTRL]
  if (!row || (leaf === 7 && subleaf !== 0)) return [0, 0, 0, 0]
  const words = [...row]
  for (const feature of features) {
    if (feature.leaf === leaf) words[order.indexOf(feature.register)]! |= 1 << feature.bit
  }
  return [words[0]!, words[1]!, words[2]!, words[3]!]
}

/** Where a processor is among several: each is a core of its own in one package. */
interface Place {
  readonly apicId: number
  readonly processors: number
}

/** "The nearest power-of-2 integer that is not smaller": so many bits of an APIC ID are within the package. */
const packageBits = ({ processors }: Place): number => 32 - Math.clz32(processors - 1)

/** Bits of leaf 1: "Maximum number of addressable IDs for logical processors in this physical package"; HTT. */
const inPackage = (place: Place): Answer => [
  0,
  ((place.apicId & 0xff) << 24) | ((1 << packageBits(place)) << 16),
  0,
  place.processors > 1 ? 1 << 28 : 0
]

/** Leaf 0BH, "Extended Topology Enumeration": a level of threads, a level of cores, no more. */
const level = (place: Place, subleaf: number): Answer => {
  const [threads, cores] = [0x100, 0x200]
  if (subleaf === 0) return [0, 1, threads, place.apicId]
  if (subleaf === 1) return [packageBits(place), place.processors, cores | 1, place.apicId]
  return [0, 0, subleaf & 0xff, place.apicId]
}

/** Bit of ECX of leaf 1: what CR4.OSXSAVE is. */
const OSXSAVE = 1 << 27

const answerAt = (core: Core, place: Place, leaf: number, subleaf: number): Answer => {
  if (leaf === 0x04) return cacheAt(place, subleaf)
  if (leaf === 0x0b) return level(place, subleaf)
  if (leaf === 0x0d) return extendedState(core, subleaf)
  const [eax, ebx, ecx, edx] = answer(leaf, subleaf)
  if (leaf !== 1) return [eax, ebx, ecx, edx]
  const own = inPackage(place)
  return [eax | own[0], ebx | own[1], ecx | own[2], edx | own[3]]
}

/** What software has switched on or off: OSPKE and OSXSAVE as CR4, MONITOR and others as IA32_MISC_ENABLE, APIC as IA32_APIC_BASE says. */
const asItIs = (core: Core, leaf: number, [eax, ebx, ecx, edx]: Answer): Answer => {
  if (leaf === 0 && limitsCpuid(core)) return [leastBasic, ebx, ecx, edx]
  if (leaf === 0x8000_0001 && !hasExecuteDisable(core)) return [eax, ebx, ecx, edx & ~executeDisable]
  if (leaf === 7 && core.low(at.general + 8) === 0)
    return [eax, ebx, core.low(at.cr4) & CR4.PKE ? ecx | OSPKE : ecx, edx]
  if (leaf !== 1) return [eax, ebx, ecx, edx]
  const withSaving = core.low(at.cr4) & CR4.OSXSAVE ? ecx | OSXSAVE : ecx
  return [eax, ebx, hasMonitor(core) ? withSaving : withSaving & ~MONITOR, core.apic.isEnabled() ? edx : edx & ~APIC]
}
/** "CPUID.00H returns a maximum value in EAX[7:0] of 2." */
const leastBasic = 2
const executeDisable = 1 << 20
const [MONITOR, OSPKE, APIC] = [1 << 3, 1 << 4, 1 << 9] as const

/**
 * "If a value entered for CPUID.EAX is higher than the maximum ... the data for the highest basic information leaf is
 * returned."
 */
export const cpuid = (core: Core): void => {
  const asked = core.low(at.general) >>> 0
  const isBasic = asked < 0x8000_0000
  const known = isBasic ? asked <= highestBasic : asked <= 0x8000_0008
  const place = { apicId: core.apic.initialId, processors: core.surroundings.processors }
  const [eax, ebx, ecx, edx] = asItIs(
    core,
    asked,
    answerAt(core, place, known ? asked : highestBasic, core.low(at.general + 8) >>> 0)
  )
  core.setRegister(0, 32, eax, 0)
  core.setRegister(3, 32, ebx, 0)
  core.setRegister(1, 32, ecx, 0)
  core.setRegister(2, 32, edx, 0)
}
