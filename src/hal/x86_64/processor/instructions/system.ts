/** Instructions for those who run the machine. SDM vol. 3A, "System Instruction Summary"; vol. 2, the pages of the same names. Segments: segment.ts. */
import type { Form } from "../Form.ts"
import type { Meaning, SystemName } from "../Meaning.ts"
import { inst, type Remarks, sized } from "../notation.ts"
import { anySize, does, number, privileged } from "./operation.ts"
import { selectorForms, storeUnprotected } from "./selector.ts"

const ud: Meaning = (x) => x.raise("#UD", x.truth(true))

/** Descriptor-table registers: a limit of 16 bits and a base of 64 in 64-bit mode, whatever the operand size. */
const table =
  (name: SystemName, width: 16 | 32 | 64): Meaning =>
  (x, memory) => {
    x.reach(memory, width === 64 ? 10 : 6, name.startsWith("s"))
    x.system(name, x.linear(memory), number(x, width))
  }
/** In other modes the base has 32 bits, of which LGDT and LIDT take 24 with an operand size of 16. */
const tables = (opcode: string, name: SystemName, remarks: Remarks = {}): ReadonlyArray<Form> => [
  inst(opcode, name, ["m16&64"], table(name, 64), remarks),
  inst(opcode, name, ["m16&32"], table(name, 32), { ...remarks, sizes: [32], long: false }),
  inst(opcode, name, ["m16&32"], table(name, 16), { ...remarks, sizes: [16], long: false })
]

/** "#UD if CPL is not 0", before its segment is asked. */
const monitor: Meaning = (x, line) => {
  x.raise("#UD", x.truth(x.mode.privilege !== 0))
  x.reach(line, 1, false)
  x.system("monitor", x.linear(line))
}

const invlpg: Meaning = (x, memory) => x.system("invlpg", x.linear(memory))
const invpcid: Meaning = (x, type, descriptor) => {
  x.reach(descriptor, 16, false)
  x.system("invpcid", x.read(type), x.linear(descriptor))
}

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  // No instruction of the manual's: DESIGN, "Programs".
  inst("0F 04 ib", "gate", ["imm8"], does("gate")),
  inst("0F 0B", "ud2", [], ud),
  ...sized("0F B9 /r", "ud1", ["r", "rm"], ud),
  ...sized("0F FF /r", "ud0", ["r", "rm"], ud),

  inst("F4", "hlt", [], does("hlt"), privileged),
  inst("FA", "cli", [], does("cli")),
  inst("FB", "sti", [], does("sti")),
  inst("NP 0F 01 CA", "clac", [], does("clac")),
  inst("NP 0F 01 CB", "stac", [], does("stac")),

  inst("0F A2", "cpuid", [], does("cpuid")),
  inst("0F 31", "rdtsc", [], does("rdtsc")),
  inst("0F 01 F9", "rdtscp", [], does("rdtscp")),
  inst("0F 33", "rdpmc", [], does("rdpmc")),
  inst("0F 32", "rdmsr", [], does("rdmsr"), privileged),
  inst("0F 30", "wrmsr", [], does("wrmsr"), privileged),
  inst("NP 0F 01 D0", "xgetbv", [], does("xgetbv")),
  inst("NP 0F 01 D1", "xsetbv", [], does("xsetbv"), privileged),

  inst("0F 20 /r", "mov", ["R64#", "cr#"], does("movFromControl"), privileged),
  inst("0F 22 /r", "mov", ["cr#", "R64"], does("movToControl"), { ...privileged, f64: true }),
  inst("0F 21 /r", "mov", ["R64#", "dr#"], does("movFromDebug"), privileged),
  inst("0F 23 /r", "mov", ["dr#", "R64"], does("movToDebug"), { ...privileged, f64: true }),
  inst("0F 20 /r", "mov", ["R32#", "cr#"], does("movFromControl"), { ...privileged, long: false }),
  inst("0F 22 /r", "mov", ["cr#", "R32"], does("movToControl"), { ...privileged, long: false }),
  inst("0F 21 /r", "mov", ["R32#", "dr#"], does("movFromDebug"), { ...privileged, long: false }),
  inst("0F 23 /r", "mov", ["dr#", "R32"], does("movToDebug"), { ...privileged, long: false }),
  inst("0F 06", "clts", [], does("clts"), privileged),
  inst("NP 0F 01 EE", "rdpkru", [], does("rdpkru")),
  inst("NP 0F 01 EF", "wrpkru", [], does("wrpkru")),
  inst("NP 0F 01 C8", "monitor", ["m8@rax"], monitor),
  inst("NP 0F 01 C9", "mwait", [], does("mwait")),
  inst("0F 01 /6", "lmsw", ["rm16"], does("lmsw"), { ...privileged, ...anySize }),
  ...selectorForms("0F 01 /4", "smsw", [], storeUnprotected("cr0")),

  ...tables("0F 01 /0", "sgdt"),
  ...tables("0F 01 /1", "sidt"),
  ...tables("0F 01 /2", "lgdt", privileged),
  ...tables("0F 01 /3", "lidt", privileged),

  inst("0F 01 /7", "invlpg", ["m"], invlpg, privileged),
  inst("66 0F 38 82 /r", "invpcid", ["r64", "m128"], invpcid, { ...privileged, f64: true }),
  inst("66 0F 38 82 /r", "invpcid", ["r32", "m128"], invpcid, { ...privileged, long: false }),
  inst("0F 08", "invd", [], does("invd"), privileged),
  inst("0F 09", "wbinvd", [], does("wbinvd"), privileged)
]
