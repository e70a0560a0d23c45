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

/** The number, from 1, of the first entry of a list that is not allowed, or with which `move` does not succeed; or 0. */
const firstBad = (
  core: Core,
  address: number,
  count: number,
  isAllowed: (index: number) => boolean,
  move: (index: number, data: number) => void
): number => {
  const { vmcs } = core.vmx
  const entries = vmcs.low(count) >>> 0
  if (entries === 0) return 0
  const { memory } = core.mmu
  const first = vmcs.address(address)
  for (let n = 0; n < entries; n++) {
    const at = first + n * entryBytes
    const index = memory.load32(at) >>> 0
    const isGood = n < mostMsrs && memory.load32(at + 4) === 0 && isAllowed(index) && isDone(() => move(index, at + 8))
    if (!isGood) return n + 1
  }
  return 0
}

/** The number, from 1, of the entry that could not be loaded, or 0. */
export const loadMsrs = (core: Core, address: number, count: number): number => {
  const { memory } = core.mmu
  return firstBad(
    core,
    address,
    count,
    (index) => !isExcluded(index),
    (index, data) => writeMsr(core, index, memory.load32(data), memory.load32(data + 4))
  )
}

/** Whether all could be stored. */
export const storeMsrs = (core: Core, address: number, count: number): boolean => {
  const { memory } = core.mmu
  const bad = firstBad(
    core,
    address,
    count,
    (index) => index >>> 8 !== 8,
    (index, data) => {
      const [lo, hi] = readMsr(core, index)
      memory.store32(data, lo)
      memory.store32(data + 4, hi)
    }
  )
  return bad === 0
}

/** "VMX Aborts": the reason is in the VMCS region, and the processor is shut down. */
export const abort = (core: Core, why: number): void => {
  setAbort(core.mmu.memory, core.vmx.vmcs.pointer, why)
  core.surroundings.shutdown(`VMX abort ${why}`)
}
