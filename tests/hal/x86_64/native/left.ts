/** Lines of 64-bit mode that are not compared: what user mode would show of them is not what the processor does. */
import type { Form } from "../../../../src/hal/x86_64/processor/Form.ts"
import { forms } from "../../../../src/hal/x86_64/processor/instructions/index.ts"

interface Left {
  readonly why: string
  readonly names: RegExp
}

const reasons: ReadonlyArray<Left> = [
  {
    why: "they go to the operating system, or come from it",
    names: /^(?:syscall|sysretq?|sysenter|int[13]?)$/
  },
  {
    why: "what they give is the host's own: which processor it is, its time, its chance, its tables and what it has switched on",
    names: /^(?:cpuid|rdtscp?|rdpmc|rdpid|rdrand|rdseed|xgetbv|rdpkru|wrpkru|s[gi]dt|sldt|str|smsw)$/
  },
  {
    why: "FS and GS are the comparison's own",
    names: /^(?:rdfsbase|wr[fg]sbase|l[fg]s|(?:mov|pop) [fg]s)$/
  },
  {
    why: "VMX is the hypervisor's below",
    names: /^(?:vm(?:call|launch|resume|xon|xoff|clear|ptrld|ptrst|read|write)|inv(?:ept|vpid))$/
  },
  { why: "it is this machine's own", names: /^gate$/ }
]

/** `mov fs`: the register that it is about is a part of what it is. */
const nameOf = ({ name, operands }: Form): string =>
  operands[0] === "fs" || operands[0] === "gs" ? `${name} ${operands[0]}` : name

/** Why a line is left out; undefined: it is compared. */
export const whyLeft = (form: Form): string | undefined => reasons.find(({ names }) => names.test(nameOf(form)))?.why

/** The lines that are left out, by why. */
export const leftOut = (): ReadonlyMap<string, ReadonlyArray<Form>> =>
  Map.groupBy(
    forms.filter((form) => form.long && whyLeft(form) !== undefined),
    (form) => whyLeft(form)!
  )
