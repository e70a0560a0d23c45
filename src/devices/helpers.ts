/**
 * Helpers: devices that QEMU's PC has beside the chips of a PC, by QEMU's names, for images that are built for it.
 */
import type { Bus, BusWidth } from "./Bus.ts"
import { Edu } from "./edu.ts"
import type { FwCfg } from "./fwCfg.ts"
import type { HelperName } from "./helperNames.ts"
import type { Pc } from "./Pc.ts"
import { slot } from "./pciBus.ts"
import { PciTestDevice } from "./pciTestDevice.ts"
import {
  debugConsole,
  debugExit,
  fwCfgPorts,
  helperPorts,
  testDevice,
  testLatch,
  testLines,
  testMemory
} from "./qemuPorts.ts"
import type { Target, Timers } from "./Wires.ts"

/** What helpers are connected to. */
export interface Surroundings {
  readonly bus: Bus
  readonly pc: Pc
  readonly timers: Timers
  readonly fwCfg: FwCfg
  readonly print: (byte: number) => void
  readonly exit: (status: number) => void
}

/** Devices of PCI have these places; a board's own come before them. */
const slots = { edu: 16, test: 17 } as const

const ports = (bus: Bus, name: string, start: number, bytes: number, target: Target, widest: BusWidth = 32): void =>
  bus.addPorts({ name, start, bytes, target, widest })

export const attachHelper: { readonly [H in HelperName]: (to: Surroundings) => void } = {
  "isa-debug-exit": ({ bus, exit }) => ports(bus, "debug exit", helperPorts.debugExit, 4, debugExit(exit)),
  "isa-debugcon": ({ bus, print }) => {
    for (const port of helperPorts.debugConsole) ports(bus, "debug console", port, 1, debugConsole(print))
  },
  fw_cfg: ({ bus, fwCfg }) => ports(bus, "fw_cfg", fwCfgPorts.base, fwCfgPorts.count, fwCfg),
  "pc-testdev": ({ bus, pc }) => {
    const { latch, lines, memory } = testDevice
    const raise = testLines((line, level) => pc.setLine(line, level))
    ports(bus, "test latch", latch.base, latch.count, testLatch())
    ports(bus, "test interrupt lines", lines.base, lines.count, raise, 8)
    bus.addMemory({ name: "test memory", start: memory.base, bytes: memory.bytes, target: testMemory() })
  },
  edu: ({ pc, timers }) => pc.pci.attach(slot(slots.edu), new Edu(timers).fn),
  "pci-testdev": ({ pc }) => pc.pci.attach(slot(slots.test), new PciTestDevice().fn)
}
