/**
 * Machine: what this half of the kernel has beside the `State`: the processor's own services, and where its memory is.
 */
import type { Region } from "../../hal/Boot.ts"
import type { InterruptLinesService } from "../../hal/InterruptLines.ts"
import type { PagingService } from "../../hal/Paging.ts"
import type { PortsService } from "../../hal/Ports.ts"
import type { ProcessorService } from "../../hal/Processor.ts"

export interface Machine {
  readonly paging: PagingService
  readonly processor: ProcessorService
  readonly ports: PortsService
  readonly lines: InterruptLinesService
  /** The physical address of `ArchData`. */
  readonly archData: number
  /** The kernel's image in physical memory: nothing of it is ever a user's. */
  readonly image: Region
}
