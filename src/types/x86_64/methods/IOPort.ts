/** The methods of a range of IO ports. */
import { count, method, short } from "../../Method.ts"

const input = { kind: "IOPort", rights: ["in"], words: { port: short }, results: { result: count } } as const
const output = { kind: "IOPort", rights: ["out"], words: { port: short, data: count } } as const

export const In8 = method({ name: "X86_IOPort_In8", label: 57, ...input })
export const In16 = method({ name: "X86_IOPort_In16", label: 58, ...input })
export const In32 = method({ name: "X86_IOPort_In32", label: 59, ...input })
export const Out8 = method({ name: "X86_IOPort_Out8", label: 60, ...output })
export const Out16 = method({ name: "X86_IOPort_Out16", label: 61, ...output })
export const Out32 = method({ name: "X86_IOPort_Out32", label: 62, ...output })
