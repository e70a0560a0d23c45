/** The VMX-preemption timer: it counts down whenever bit `timerRate` of the time-stamp counter changes. SDM vol. 3C, "VMX-Preemption Timer". */
import { ExitControl } from "../../../types/x86_64/VmxControls.ts"
import type { Core } from "../system/Core.ts"
import { readTsc } from "../system/msr.ts"
import { timerRate } from "./capabilities.ts"
import { place } from "./Vmcs.ts"

const period = 2 ** timerRate

export const startTimer = (core: Core): void => {
  const { vmx, clock } = core
  const value = vmx.vmcs.low(place.PREEMPTION_TIMER_VALUE) >>> 0
  const now = clock.now()
  const [tsc] = readTsc(core)
  vmx.timerEnds = value === 0 ? now : now - (tsc & (period - 1)) + value * period
  clock.schedule(vmx.timerName, vmx.timerEnds, () => core.surroundings.noticed())
}

/** It stops with the VM exit, and its value is saved if that was asked for. */
export const stopTimer = (core: Core): void => {
  const { vmx, clock } = core
  const left = Math.max(0, Math.ceil((vmx.timerEnds - clock.now()) / period))
  vmx.timerEnds = Number.POSITIVE_INFINITY
  clock.cancel(vmx.timerName)
  if (vmx.vmcs.has(place.EXIT_CONTROLS, ExitControl.SAVE_PREEMPTION_TIMER))
    vmx.vmcs.set(place.PREEMPTION_TIMER_VALUE, left | 0, 0)
}
