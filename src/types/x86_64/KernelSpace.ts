/**
 * The kernel's half of every address space: where the machine finds what it reaches on the kernel's behalf.
 *
 * Both begin at a multiple of 512 GiB or 1 GiB, so that a PML4E or a PDPTE holds them. Addresses as programs write
 * them.
 */

/** Physical memory as the kernel reaches it: physical address `p` at `window + p`. */
export const window = 0xffff_8000_0000_0000n

/** The kernel's image: what is at physical address `image + p` is linked at `linked + p`. */
export const linked = 0xffff_ffff_8000_0000n

/** The upper halves of both, as `Processor` and page walks take them. The lower halves are 0 and 8000_0000H. */
export const windowHigh = 0xffff_8000 | 0
export const linkedHigh = 0xffff_ffff | 0
export const linkedLow = 0x8000_0000 | 0
