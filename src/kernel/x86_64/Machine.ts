/**
 * Machine: what this half of the kernel has beside the `State`: the processor's own services, and where its memory is.
 */
import type { Region } from "../../hal/Boot.ts"
import { Halt } from "../../hal/Gates.ts"
import type { InterruptLinesService } from "../../hal/InterruptLines.ts"
import type { PagingService } from "../../hal/Paging.ts"
import type { PortsService } from "../../hal/Ports.ts"
import type { ProcessorService } from "../../hal/Processor.ts"
import type { VirtualizationService } from "../../hal/Virtualization.ts"
import type { Controls } from "./Controls.ts"

/** What runs guests, and what of it is allowed to them. */
export interface Virtualization extends VirtualizationService {
  readonly controls: Controls
}

export interface Machine {
  readonly paging: PagingService
  readonly processor: ProcessorService
  readonly ports: PortsService
  readonly lines: InterruptLinesService
  /** Undefined: the processor runs no guests. */
  readonly virtualization: Virtualization | undefined
  /** The physical address of `ArchData`. */
  readonly archData: number
  /** The kernel's image in physical memory: nothing of it is ever a user's. */
  readonly image: Region
}

/** Of a machine that has something of a guest's: it was made when the processor could run one. */
export const virtualizationOf = ({ virtualization }: Machine): Virtualization => {
  if (virtualization === undefined) throw new Halt("what is a guest's is there only if the processor runs guests")
  return virtualization
}
