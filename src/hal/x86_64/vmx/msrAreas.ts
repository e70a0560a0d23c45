/** Lists of MSRs that VM entries load, and VM exits store and load. SDM vol. 3C, "Loading MSRs", "Saving MSRs". */
import { raised } from "../memory/Access.ts"
import type { Core } from "../system/Core.ts"
import { readMsr, writeMsr } from "../system/msr.ts"
import { mostMsrs } from "./capabilities.ts"
import { setAbort } from "./Vmcs.ts"

/** Table "Format of an MSR Entry": an index, 32 reserved bits, and data. */
const entryBytes = 16

/** Those that no list may name: bases of FS and GS, which are guest state; x2APIC registers, and IA32_SMM_MONITOR_CTL. */
const isExcluded = (index: number): boolean =>
  index === 0xc000_0100 || index === 0xc000_0101 || index >>> 8 === 8 || index === 0x9b

const isDone = (act: () => void): boolean => {
  try {
    act()
    return true
  } catch (reason) {
    if (reason !== raised) throw reason
    return false
  }
}

/** The number, from 1, of the entry that could not be loaded, or 0. */
export const loadMsrs = (core: Core, address: number, count: number): number => {
  const { vmcs } = core.vmx
  const entries = vmcs.low(count) >>> 0
  if (entries === 0) return 0
  const { memory } = core.mmu
  const first = vmcs.address(address)
  for (let n = 0; n < entries; n++) {
    const at = first + n * entryBytes
    const index = memory.load32(at)
    const isGood =
      n < mostMsrs &&
      memory.load32(at + 4) === 0 &&
      !isExcluded(index >>> 0) &&
      isDone(() => writeMsr(core, index >>> 0, memory.load32(at + 8), memory.load32(at + 12)))
    if (!isGood) return n + 1
  }
  return 0
}

/** Whether all could be stored. */
export const storeMsrs = (core: Core, address: number, count: number): boolean => {
  const { vmcs } = core.vmx
  const entries = vmcs.low(count) >>> 0
  if (entries === 0) return true
  const { memory } = core.mmu
  const first = vmcs.address(address)
  for (let n = 0; n < entries; n++) {
    const at = first + n * entryBytes
    const index = memory.load32(at)
    const isGood =
      n < mostMsrs &&
      memory.load32(at + 4) === 0 &&
      index >>> 8 !== 8 &&
      isDone(() => {
        const [lo, hi] = readMsr(core, index >>> 0)
        memory.store32(at + 8, lo)
        memory.store32(at + 12, hi)
      })
    if (!isGood) return false
  }
  return true
}

/** "VMX Aborts": the reason is in the VMCS region, and the processor is shut down. */
export const abort = (core: Core, why: number): void => {
  setAbort(core.mmu.memory, core.vmx.vmcs.pointer, why)
  core.surroundings.shutdown(`VMX abort ${why}`)
}
