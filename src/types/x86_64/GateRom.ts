/**
 * GateRom: the page of physical memory, outside RAM, whose gate instruction a program may execute (DESIGN "Programs").
 *
 * It holds `GATE 0; SYSCALL; JMP` back to the gate. Whoever holds the device memory that it is in can map it. A thread enters
 * it at its beginning, with RBX holding the number of the fiber that it runs, and a sequence number above that, 0 at first.
 */
export const gateRom = { address: 0xfec8_0000, bits: 12 } as const
