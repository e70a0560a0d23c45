/** Helpers by QEMU's names: what they are, in words. What they are made of is in helpers.ts. */

export const helperNames = {
  "isa-debug-exit": "a write of v to port F4H ends the run with exit code 2v + 1",
  "isa-debugcon": "a byte written to port E9H or 402H is printed",
  fw_cfg: "memory, processors and the kernel's files, at ports 510H to 51BH",
  "pc-testdev": "a latch at ports E0H to E7H, interrupt lines at 2000H to 2017H, memory at FF000000H",
  edu: "QEMU's educational PCI device, 1234:11E8",
  "pci-testdev": "a PCI device for testing accesses, 1B36:0005"
} as const
export type HelperName = keyof typeof helperNames

/** Those that hurt nobody are there if nothing is said; the others are there for who asks. */
export const usualHelpers: ReadonlySet<HelperName> = new Set<HelperName>(["isa-debug-exit", "isa-debugcon", "fw_cfg"])
