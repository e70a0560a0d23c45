/** Where the chips of this PC are, and which interrupts they have. Software learns it from the ACPI tables, or knows it as every PC's. */

// biome-ignore format: a table
export const memoryMap = {
  /** PCI devices' memory: below and above the configuration space. RAM ends below. */
  pciLow:    { base: 0xc000_0000, bytes: 0x2000_0000 },
  /** PCI Express configuration space, ECAM: 1 MiB for each of 256 buses. */
  ecam:      { base: 0xe000_0000, bytes: 0x1000_0000 },
  pciHigh:   { base: 0xf000_0000, bytes: 0x0ec0_0000 },
  ioApic:    { base: 0xfec0_0000, bytes: 0x1000 },
  hpet:      { base: 0xfed0_0000, bytes: 0x400 },
  /** Virtio devices without a bus, `virtioMmio.bytes` for each. */
  virtio:    { base: 0xfed1_0000, bytes: 0x1000 },
  localApic: { base: 0xfee0_0000, bytes: 0x1000 }
} as const

// biome-ignore format: a table
export const portMap = {
  pic:          { base: 0x20,  count: 2 },
  pit:          { base: 0x40,  count: 4 },
  keyboard:     { base: 0x60,  count: 1 },
  pitControl:   { base: 0x61,  count: 1 },
  keyboardControl: { base: 0x64, count: 1 },
  rtc:          { base: 0x70,  count: 4 },
  /** System control port A. */
  systemControl: { base: 0x92, count: 1 },
  slavePic:     { base: 0xa0,  count: 2 },
  edgeLevel:    { base: 0x4d0, count: 2 },
  acpiPm:       { base: 0x600, count: 12 },
  pciAddress:   { base: 0xcf8, count: 4 },
  resetControl: { base: 0xcf9, count: 1 },
  pciData:      { base: 0xcfc, count: 4 },
  /** PCI devices' ports. */
  pci:          { base: 0xc000, count: 0x4000 }
} as const

/** ISA interrupts. The 8254's comes to IOAPIC pin 2, every other one to the pin of its number. */
// biome-ignore format: a table
export const irq = { pit: 0, keyboard: 1, rtc: 8, sci: 9 } as const

/** The serial ports of every PC, COM1 first. They share two interrupts. */
// biome-ignore format: a port, a line
export const serialPorts = [
  { name: "COM1", base: 0x3f8, count: 8, irq: 4 },
  { name: "COM2", base: 0x2f8, count: 8, irq: 3 },
  { name: "COM3", base: 0x3e8, count: 8, irq: 4 },
  { name: "COM4", base: 0x2e8, count: 8, irq: 3 }
] as const
export const pitPin = 2

/** Virtio devices without a bus: the memory of each, and their IOAPIC pins, from here on. */
export const virtioMmio = { bytes: 0x400, pin: 20 } as const

/** PCI's INTA# to INTD#, wired from device to device one further: to IOAPIC pins from here, low active, and in PIC mode to these IRQs. */
export const pciPins = { first: 16, count: 4 } as const
export const pciIrqs = [10, 11, 10, 11] as const

/** Bus, device and function by which chips that are not on the PCI bus send messages. The DMAR table says the same. */
export const requester = { ioApic: 0xff00, hpet: 0xff08 } as const

/** Which of the four lines a function's interrupt pin (0 is INTA#) is. */
export const pciLine = (device: number, pin: number): number => (device + pin) % pciPins.count
