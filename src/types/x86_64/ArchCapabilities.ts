/**
 * IA32_ARCH_CAPABILITIES: what this processor is not prone to, as it does nothing ahead of time. The machine says so, and a monitor to
 * its guests. SDM vol. 4, "Architectural MSRs"; a kernel that reads it leaves out what guards against the flaws.
 */
const immunities = {
  RDCL_NO: 0,
  IBRS_ALL: 1,
  SKIP_L1DFL_VMENTRY: 3,
  SSB_NO: 4,
  MDS_NO: 5,
  IF_PSCHANGE_MC_NO: 6,
  TAA_NO: 8,
  SBDR_SSDP_NO: 13,
  FBSDP_NO: 14,
  PSDP_NO: 15,
  BHI_NO: 20,
  PBRSB_NO: 24,
  GDS_NO: 26,
  RFDS_NO: 27,
  ITS_NO: 62
} as const

export const archCapabilities: bigint = Object.values(immunities).reduce((bits, bit) => bits | (1n << BigInt(bit)), 0n)
