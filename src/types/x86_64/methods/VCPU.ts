/** The methods of a virtual processor. */
import { cap, count, method, short, word } from "../../Method.ts"

/** Say which thread runs it. */
export const SetTCB = method({
  name: "X86_VCPU_SetTCB",
  label: 66,
  kind: "VCPU",
  rights: ["bind"],
  caps: { tcb: cap({ TCB: ["configure"] }) }
})

/** Read a field of its VMCS, by the field's encoding. */
export const ReadVMCS = method({
  name: "X86_VCPU_ReadVMCS",
  label: 67,
  kind: "VCPU",
  rights: ["readState"],
  words: { field: count },
  results: { value: word }
})

/** Write a field of its VMCS. The result is what was written: some bits are not free. */
export const WriteVMCS = method({
  name: "X86_VCPU_WriteVMCS",
  label: 68,
  kind: "VCPU",
  rights: ["writeState"],
  words: { field: count, value: word },
  results: { written: word }
})

export const ReadMSR = method({
  name: "X86_VCPU_ReadMSR",
  label: 41,
  kind: "VCPU",
  rights: ["readState"],
  words: { field: count },
  results: { value: word }
})

export const WriteMSR = method({
  name: "X86_VCPU_WriteMSR",
  label: 42,
  kind: "VCPU",
  rights: ["writeState"],
  words: { field: count, value: word },
  results: { written: word }
})

/** Let the guest use IO ports itself. */
export const EnableIOPort = method({
  name: "X86_VCPU_EnableIOPort",
  label: 69,
  kind: "VCPU",
  rights: ["enablePorts"],
  words: { low: short, high: short },
  caps: { ioPort: cap({ IOPort: ["in", "out"] }) }
})

export const DisableIOPort = method({
  name: "X86_VCPU_DisableIOPort",
  label: 70,
  kind: "VCPU",
  rights: ["enablePorts"],
  words: { low: short, high: short }
})

/**
 * Give the processor a page that it uses for the guest by its physical address: the virtual-APIC page, the APIC-access page,
 * or the one that begins with the posted-interrupt descriptor. `field` is the encoding of the field that will hold the address.
 * The frame is mapped by this as it is in an address space: what unmaps it, takes it back.
 */
export const SetPage = method({
  name: "X86_VCPU_SetPage",
  label: 0x1001,
  kind: "VCPU",
  rights: ["writeState"],
  words: { field: count },
  caps: { frame: cap({ Frame: ["read", "write"] }) }
})

/**
 * The registers that are no fields of its VMCS are as after a reset: the general ones, CR2, those of debugging, of
 * SYSCALL, x87 and SSE, IA32_KERNEL_GS_BASE and IA32_TSC_AUX. RDX, too, is 0.
 */
export const ResetRegisters = method({
  name: "X86_VCPU_ResetRegisters",
  label: 0x1002,
  kind: "VCPU",
  rights: ["writeState"]
})

export const WriteRegisters = method({
  name: "X86_VCPU_WriteRegisters",
  label: 71,
  kind: "VCPU",
  rights: ["writeState"],
  // biome-ignore format: the order of the message
  words: {
    eax: word, ebx: word, ecx: word, edx: word, esi: word, edi: word, ebp: word,
    r8: word, r9: word, r10: word, r11: word, r12: word, r13: word, r14: word, r15: word
  }
})
