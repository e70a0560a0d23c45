import { Context } from "effect"

/** The separate space of device registers that some architectures have: 65536 addresses. `width` is in bits; values are unsigned. */
export interface PortsService {
  readonly read: (port: number, width: 8 | 16 | 32) => number
  readonly write: (port: number, width: 8 | 16 | 32, value: number) => void
}

export class Ports extends Context.Service<Ports, PortsService>()("skyscope/hal/Ports") {}
