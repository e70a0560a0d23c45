/**
 * CPUID as a guest sees it: what the processor has, less what a guest of this monitor does not get.
 *
 * SDM vol. 2A, "CPUID". A guest's x87 and SSE state is what is kept for it: no state component beyond those, and no instruction that
 * needs one. Virtual-machine extensions and what would show one guest the other's doings are hidden.
 */

import { Effect } from "effect"

export type Words = readonly [eax: number, ebx: number, ecx: number, edx: number]

/** What the processor answers, by leaf and subleaf: asked with CPUID itself. */
export type HostCpuid = (leaf: number, subleaf: number) => Words

/** The first leaves of the two ranges: in EAX they say which is the last. */
const ranges = [0, 0x8000_0000] as const

/** All that it answers: of who can ask it. */
export const learn = <E, R>(ask: (leaf: number, subleaf: number) => Effect.Effect<Words, E, R>) =>
  Effect.gen(function* () {
    const known = new Map<string, Words>()
    for (const first of ranges) {
      let last: number = first
      for (let leaf: number = first; leaf <= last; leaf++) {
        for (let subleaf = 0; subleaf < (subleaves[leaf] ?? 1); subleaf++) {
          const words = yield* ask(leaf, subleaf)
          known.set(`${leaf}.${subleaf}`, words)
          if (leaf === first) last = Math.max(first, words[0] >>> 0)
        }
      }
    }
    const host: HostCpuid = (leaf, subleaf) => known.get(`${leaf >>> 0}.${subleaf}`) ?? [0, 0, 0, 0]
    return host
  })

interface Feature {
  readonly leaf: number
  readonly subleaf?: number
  readonly word: "eax" | "ebx" | "ecx" | "edx"
  readonly bits: Readonly<Record<string, number>>
}

const order = ["eax", "ebx", "ecx", "edx"] as const

/** Features that a guest does not get. */
// biome-ignore format: a table
const hidden: ReadonlyArray<Feature> = [
  { leaf: 1, word: "ecx", bits: { DTES64: 2, MONITOR: 3, "DS-CPL": 4, VMX: 5, SMX: 6, EIST: 7, TM2: 8, SDBG: 11, FMA: 12, PDCM: 15, DCA: 18, XSAVE: 26, OSXSAVE: 27, AVX: 28, F16C: 29 } },
  { leaf: 1, word: "edx", bits: { MCE: 7, MTRR: 12, MCA: 14, DS: 21, ACPI: 22, HTT: 28, TM: 29, PBE: 31 } },
  { leaf: 7, word: "ebx", bits: { TSC_ADJUST: 1, SGX: 2, HLE: 4, AVX2: 5, RTM: 11, "RDT-M": 12, MPX: 14, "RDT-A": 15, AVX512F: 16, AVX512DQ: 17, AVX512_IFMA: 21, PT: 25, AVX512PF: 26, AVX512ER: 27, AVX512CD: 28, AVX512BW: 30, AVX512VL: 31 } },
  { leaf: 7, word: "ecx", bits: { AVX512_VBMI: 1, PKU: 3, OSPKE: 4, WAITPKG: 5, AVX512_VBMI2: 6, CET_SS: 7, VAES: 9, VPCLMULQDQ: 10, AVX512_VNNI: 11, AVX512_BITALG: 12, TME: 13, AVX512_VPOPCNTDQ: 14, LA57: 16, KL: 23, BUS_LOCK_DETECT: 24, ENQCMD: 29, SGX_LC: 30, PKS: 31 } },
  { leaf: 7, word: "edx", bits: { AVX512_4VNNIW: 2, AVX512_4FMAPS: 3, UINTR: 5, AVX512_VP2INTERSECT: 8, PCONFIG: 18, ARCH_LBR: 19, CET_IBT: 20, AMX_BF16: 22, AVX512_FP16: 23, AMX_TILE: 24, AMX_INT8: 25, IBRS: 26, STIBP: 27, L1D_FLUSH: 28, CORE_CAPABILITIES: 30, SSBD: 31 } }
]

/** Features that a guest gets although the processor has none such: they are this monitor's. */
// biome-ignore format: a table
const added: ReadonlyArray<Feature> = [
  { leaf: 1, word: "ecx", bits: { x2APIC: 21, "TSC-Deadline": 24, "a hypervisor is present": 31 } },
  { leaf: 7, word: "edx", bits: { ARCH_CAPABILITIES: 29 } }
]

/** Leaves of which nothing is said: all words are 0. Monitor, thermal and power, cache allocation, performance, extended state, SGX, trace. */
const empty: ReadonlySet<number> = new Set([2, 4, 5, 6, 9, 0xa, 0xd, 0xf, 0x10, 0x12, 0x14, 0x17, 0x18])

const text = (four: string): number =>
  [...four].reduceRight((word, character) => (word << 8) | character.charCodeAt(0), 0)

/** "0x4000_0000 to 0x4FFF_FFFF: no existing or future CPU will return processor identification or feature information". */
const hypervisor = { first: 0x4000_0000, last: 0x4000_00ff } as const
const signature: Words = [hypervisor.first, text("Skys"), text("cope"), text("VMM\0")]

const bitsOf = (list: ReadonlyArray<Feature>, leaf: number, subleaf: number): Words => {
  const words: [number, number, number, number] = [0, 0, 0, 0]
  for (const feature of list) {
    if (feature.leaf !== leaf || (feature.subleaf ?? 0) !== subleaf) continue
    for (const bit of Object.values(feature.bits)) words[order.indexOf(feature.word)]! |= 1 << bit
  }
  return words
}

/** The leaves that look at ECX, and how many subleaves a processor is asked for. Of all others ECX may be anything. */
export const subleaves: Readonly<Record<number, number>> = { 4: 4, 7: 2, 11: 2, 13: 2, 31: 2 }

/** What one of `count` processors answers, whose APIC ID is `id`. */
export const cpuidOf =
  (host: HostCpuid, id: number, count: number): HostCpuid =>
  (asked, within) => {
    const leaf = asked >>> 0
    const subleaf = leaf in subleaves ? within : 0
    if (leaf >= hypervisor.first && leaf <= hypervisor.last) return leaf === hypervisor.first ? signature : [0, 0, 0, 0]
    if (empty.has(leaf)) return [0, 0, 0, 0]
    if (leaf === 0xb || leaf === 0x1f) return topology(subleaf, id, count)
    const [from, plus] = [host(leaf, subleaf), bitsOf(added, leaf, subleaf)]
    const minus = bitsOf(hidden, leaf, subleaf)
    const [eax, ebx, ecx, edx] = order.map((_, n) => (from[n]! & ~minus[n]!) | plus[n]!) as [
      number,
      number,
      number,
      number
    ]
    // "Initial APIC ID", "Maximum number of addressable IDs for logical processors".
    return leaf === 1
      ? [eax, (id << 24) | (count << 16) | (ebx & 0xffff), ecx, edx | (count > 1 ? 1 << 28 : 0)]
      : [eax, ebx, ecx, edx]
  }

/** "Extended Topology Enumeration Leaf": every processor is a core of one package. */
const topology = (subleaf: number, id: number, count: number): Words => {
  const bits = Math.ceil(Math.log2(count))
  if (subleaf === 0) return [0, 1, 0x100, id]
  if (subleaf === 1) return [bits, count, 0x201, id]
  return [0, 0, subleaf, id]
}
