/**
 * Segment registers and their bases: MOV, LSS, LFS, LGS, RDFSBASE and its like, SWAPGS, LAR, LSL, VERR, VERW, SLDT, STR. SDM vol. 2, the pages
 * of the same names. PUSH and POP of FS and GS: stack.ts.
 */
import { widest } from "../../memory/Access.ts"
import type { Form } from "../Form.ts"
import { zeroFlag } from "../flags.ts"
import type { Machine, Meaning } from "../Meaning.ts"
import { inst } from "../notation.ts"
import { canonical } from "./jump.ts"
import { anySize, does, number, operandSizes, privileged } from "./operation.ts"
import { selectorForms, storeUnprotected } from "./selector.ts"

const segmentNames = ["es", "cs", "ss", "ds", "fs", "gs"] as const

const movFrom =
  (segment: (typeof segmentNames)[number]): Meaning =>
  (x, dest) =>
    x.write(dest, x.get(segment))
const movTo =
  (segment: number): Meaning =>
  (x, _segment, src) =>
    x.system("movToSegment", number(x, segment), x.read(src))

const loadFarPointer =
  (segment: number, width: 16 | 32 | 64): Meaning =>
  (x, register, memory) => {
    x.reach(memory, width / 8 + 2, false)
    x.system("loadFarPointer", number(x, segment), x.read(register), x.linear(memory), number(x, width))
  }

/** "#UD if CR4.FSGSBASE = 0." Of a base written, "#GP(0) if the source operand contains a non-canonical address". */
const requireFsGsBase = <V, B>(x: Machine<V, B>): void => x.raise("#UD", x.not(x.bit(x.get("cr4"), 16)))
const rdBase =
  (word: "fsBase" | "gsBase"): Meaning =>
  (x, dest) => {
    requireFsGsBase(x)
    x.write(dest, x.get(word))
  }
const wrBase =
  (word: "fsBase" | "gsBase"): Meaning =>
  (x, src) => {
    requireFsGsBase(x)
    x.set(word, canonical(x, x.read(src), widest))
  }

/** LAR, LSL: the register is one that they write or leave, as ZF says. */
const describe =
  (name: "lar" | "lsl", width: 16 | 32 | 64): Meaning =>
  (x, register, selector) =>
    x.system(name, x.read(selector), x.read(register), number(x, width))

/** Only in 64-bit mode. Prefix 66 changes nothing. */
const base = { legacy: false, sizes: [16, 32] } as const

/** "Not recognized in real-address and virtual-8086 mode": they are about descriptors. */
const descriptors = { real: false } as const

/** The destination's RPL becomes at least the source's. ZF says whether it changed. */
const arpl: Meaning = (x, dest, src) => {
  const [rpl, selector] = [x.constant(3n), x.read(dest)]
  const wanted = x.and(x.read(src), rpl)
  const raises = x.below(x.and(selector, rpl), wanted)
  x.write(dest, x.choose(raises, x.or(x.and(selector, x.constant(0xfffcn)), wanted), selector))
  x.flags(zeroFlag, 64, [x.number(raises), x.status()])
}

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  ...segmentNames.flatMap((name, n) => selectorForms(`8C /${n}`, "mov", [name], movFrom(name))),
  // CS is loaded by far transfers alone: /1 is #UD.
  ...segmentNames.flatMap((name, n) => (name === "cs" ? [] : [inst(`8E /${n}`, "mov", [name, "rm16"], movTo(n), anySize)])),

  inst("0F 01 F8", "swapgs", [], does("swapgs"), { ...privileged, legacy: false }),
  inst("F3 0F AE /0", "rdfsbase", ["r32"], rdBase("fsBase"), base),
  inst("F3 REX.W + 0F AE /0", "rdfsbase", ["r64"], rdBase("fsBase")),
  inst("F3 0F AE /1", "rdgsbase", ["r32"], rdBase("gsBase"), base),
  inst("F3 REX.W + 0F AE /1", "rdgsbase", ["r64"], rdBase("gsBase")),
  inst("F3 0F AE /2", "wrfsbase", ["r32"], wrBase("fsBase"), base),
  inst("F3 REX.W + 0F AE /2", "wrfsbase", ["r64"], wrBase("fsBase")),
  inst("F3 0F AE /3", "wrgsbase", ["r32"], wrBase("gsBase"), base),
  inst("F3 REX.W + 0F AE /3", "wrgsbase", ["r64"], wrBase("gsBase")),

  ...operandSizes.flatMap(({ width, rexW, remarks }) => [
    inst(`${rexW}0F B2 /r`, "lss", [`r${width}#`, `m16:${width}`], loadFarPointer(2, width), remarks),
    inst(`${rexW}0F B4 /r`, "lfs", [`r${width}#`, `m16:${width}`], loadFarPointer(4, width), remarks),
    inst(`${rexW}0F B5 /r`, "lgs", [`r${width}#`, `m16:${width}`], loadFarPointer(5, width), remarks),
    ...(width === 64 ? [] : [
      inst("C5 /r", "lds", [`r${width}#`, `m16:${width}`], loadFarPointer(3, width), { ...remarks, long: false }),
      inst("C4 /r", "les", [`r${width}#`, `m16:${width}`], loadFarPointer(0, width), { ...remarks, long: false })
    ]),
    inst(`${rexW}0F 02 /r`, "lar", [`r${width}#`, "rm16"], describe("lar", width), { ...remarks, ...descriptors }),
    inst(`${rexW}0F 03 /r`, "lsl", [`r${width}#`, "rm16"], describe("lsl", width), { ...remarks, ...descriptors })
  ]),
  inst("0F 00 /4", "verr", ["rm16"], does("verr"), { ...anySize, ...descriptors }),
  inst("0F 00 /5", "verw", ["rm16"], does("verw"), { ...anySize, ...descriptors }),

  ...selectorForms("0F 00 /0", "sldt", [], storeUnprotected("ldtr"), descriptors),
  ...selectorForms("0F 00 /1", "str", [], storeUnprotected("tr"), descriptors),
  inst("63 /r", "arpl", ["rm16", "r16"], arpl, { long: false, ...anySize, ...descriptors }),
  inst("0F 00 /2", "lldt", ["rm16"], does("lldt"), { ...privileged, ...anySize, ...descriptors }),
  inst("0F 00 /3", "ltr", ["rm16"], does("ltr"), { ...privileged, ...anySize, ...descriptors })
]
