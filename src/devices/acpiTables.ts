/**
 * ACPI tables: what this machine says about itself.
 *
 * ACPI Specification 3.0, "ACPI System Description Tables"; for HPET the IA-PC HPET Specification, "The ACPI 2.0 HPET Description
 * Table", for MCFG the PCI Firmware Specification. A table is a list of its fields: name, bytes, value.
 */
import { pmBase, softOff } from "./acpiPm.ts"
import { irq, memoryMap, pciLine, pciPins, pitPin, portMap, serialPorts, virtioMmio } from "./addresses.ts"
import {
  type Aml,
  busNumbers,
  device,
  eisaId,
  integer,
  interrupt,
  levelInterrupt,
  memory,
  memoryWindow,
  name,
  packageOf,
  ports,
  portWindow,
  resources,
  scope,
  string
} from "./aml.ts"

/** A text fills its bytes with zeros; a number is little-endian. */
type Field = readonly [name: string, bytes: number, value: number | string | Aml]

const encode = (fields: readonly Field[]): number[] =>
  fields.flatMap(([name, bytes, value]) => {
    const encoded = Array.from({ length: bytes }, (_, n) => byteOf(value, n))
    if (typeof value === "number" && value >= 2 ** (8 * bytes)) throw new Error(`${name} does not fit ${bytes} bytes`)
    return encoded
  })

const byteOf = (value: number | string | Aml, n: number): number => {
  if (typeof value === "number") return Math.floor(value / 2 ** (8 * n)) % 256
  return typeof value === "string" ? (n < value.length ? value.charCodeAt(n) : 0) : (value[n] ?? 0)
}

/** All bytes, this one included, add up to 0. */
const checksum = (bytes: Iterable<number>): number => {
  let sum = 0
  for (const byte of bytes) sum += byte
  return -sum & 0xff
}

const oem = "SKYSCP"

/** "System Description Table Header", with what follows it. */
const describe = (signature: string, revision: number, body: readonly number[]): Uint8Array => {
  // biome-ignore format: a table
  const header = encode([
    ["Signature",        4, signature],
    ["Length",           4, 36 + body.length],
    ["Revision",         1, revision],
    ["Checksum",         1, 0],
    ["OEMID",            6, oem],
    ["OEM Table ID",     8, "SKYSCOPE"],
    ["OEM Revision",     4, 1],
    ["Creator ID",       4, "SKYS"],
    ["Creator Revision", 4, 1]
  ])
  const table = Uint8Array.from([...header, ...body])
  table[9] = checksum(table)
  return table
}

/** "Generic Address Structure": memory or IO, and the width in bits. */
const address = (space: "memory" | "io", bits: number, at: number): Aml =>
  // biome-ignore format: a table
  encode([
    ["Address Space ID",    1, space === "io" ? 1 : 0],
    ["Register Bit Width",  1, bits],
    ["Register Bit Offset", 1, 0],
    ["Access Size",         1, 0],
    ["Address",             8, at]
  ])

const none: Aml = []

/** "Root System Description Pointer (RSDP)". Two checksums: of its first 20 bytes, and of all. */
const rsdp = (rsdt: number, xsdt: number): Uint8Array => {
  // biome-ignore format: a table
  const table = Uint8Array.from(encode([
    ["Signature",         8, "RSD PTR "],
    ["Checksum",          1, 0],
    ["OEMID",             6, oem],
    ["Revision",          1, 2],
    ["RsdtAddress",       4, rsdt],
    ["Length",            4, 36],
    ["XsdtAddress",       8, xsdt],
    ["Extended Checksum", 1, 0],
    ["Reserved",          3, 0]
  ]))
  table[8] = checksum(table.subarray(0, 20))
  table[32] = checksum(table)
  return table
}

const rsdt = (tables: readonly number[]): Uint8Array =>
  describe("RSDT", 1, encode(tables.map((at) => ["Entry", 4, at] as const)))

const xsdt = (tables: readonly number[]): Uint8Array =>
  describe("XSDT", 1, encode(tables.map((at) => ["Entry", 8, at] as const)))

/** "Fixed ACPI Description Table Fixed Feature Flags". */
const flags = { WBINVD: 1 << 0, PROC_C1: 1 << 2, SLP_BUTTON: 1 << 5, FIX_RTC: 1 << 6, RESET_REG_SUP: 1 << 10 } as const

/** "IA-PC Boot Architecture Flags". */
const bootArchitecture = { LEGACY_DEVICES: 1 << 0, i8042: 1 << 1, noVga: 1 << 2 } as const

const noLatency = 0xffff

/** The value that resets by port CF9H: SYS_RST and RST_CPU. */
const resetValue = 6

const fadt = (facs: number, dsdt: number): Uint8Array =>
  // biome-ignore format: a table
  describe("FACP", 3, encode([
    ["FIRMWARE_CTRL",        4, facs],
    ["DSDT",                 4, dsdt],
    ["Reserved",             1, 0],
    ["Preferred_PM_Profile", 1, 0],
    ["SCI_INT",              2, irq.sci],
    ["SMI_CMD",              4, 0],
    ["ACPI_ENABLE",          1, 0],
    ["ACPI_DISABLE",         1, 0],
    ["S4BIOS_REQ",           1, 0],
    ["PSTATE_CNT",           1, 0],
    ["PM1a_EVT_BLK",         4, pmBase],
    ["PM1b_EVT_BLK",         4, 0],
    ["PM1a_CNT_BLK",         4, pmBase + 4],
    ["PM1b_CNT_BLK",         4, 0],
    ["PM2_CNT_BLK",          4, 0],
    ["PM_TMR_BLK",           4, pmBase + 8],
    ["GPE0_BLK",             4, 0],
    ["GPE1_BLK",             4, 0],
    ["PM1_EVT_LEN",          1, 4],
    ["PM1_CNT_LEN",          1, 2],
    ["PM2_CNT_LEN",          1, 0],
    ["PM_TMR_LEN",           1, 4],
    ["GPE0_BLK_LEN",         1, 0],
    ["GPE1_BLK_LEN",         1, 0],
    ["GPE1_BASE",            1, 0],
    ["CST_CNT",              1, 0],
    ["P_LVL2_LAT",           2, noLatency],
    ["P_LVL3_LAT",           2, noLatency],
    ["FLUSH_SIZE",           2, 0],
    ["FLUSH_STRIDE",         2, 0],
    ["DUTY_OFFSET",          1, 0],
    ["DUTY_WIDTH",           1, 0],
    ["DAY_ALRM",             1, 0],
    ["MON_ALRM",             1, 0],
    ["CENTURY",              1, 0x32],
    ["IAPC_BOOT_ARCH",       2, bootArchitecture.LEGACY_DEVICES | bootArchitecture.i8042 | bootArchitecture.noVga],
    ["Reserved",             1, 0],
    ["Flags",                4, flags.WBINVD | flags.PROC_C1 | flags.SLP_BUTTON | flags.FIX_RTC | flags.RESET_REG_SUP],
    ["RESET_REG",           12, address("io", 8, portMap.resetControl.base)],
    ["RESET_VALUE",          1, resetValue],
    ["Reserved",             3, 0],
    ["X_FIRMWARE_CTRL",      8, facs],
    ["X_DSDT",               8, dsdt],
    ["X_PM1a_EVT_BLK",      12, address("io", 32, pmBase)],
    ["X_PM1b_EVT_BLK",      12, none],
    ["X_PM1a_CNT_BLK",      12, address("io", 16, pmBase + 4)],
    ["X_PM1b_CNT_BLK",      12, none],
    ["X_PM2_CNT_BLK",       12, none],
    ["X_PM_TMR_BLK",        12, address("io", 32, pmBase + 8)],
    ["X_GPE0_BLK",          12, none],
    ["X_GPE1_BLK",          12, none]
  ]))

/** "Firmware ACPI Control Structure (FACS)": no header, no checksum. */
const facs = (): Uint8Array =>
  // biome-ignore format: a table
  Uint8Array.from(encode([
    ["Signature",                4, "FACS"],
    ["Length",                   4, 64],
    ["Hardware Signature",       4, 0],
    ["Firmware Waking Vector",   4, 0],
    ["Global Lock",              4, 0],
    ["Flags",                    4, 0],
    ["X_Firmware_Waking_Vector", 8, 0],
    ["Version",                  1, 1],
    ["Reserved",                31, none]
  ]))

/** "MPS INTI Flags": polarity in bits 1 and 0, trigger mode in bits 3 and 2. */
const inti = { asBus: 0, levelHigh: 0xd } as const

/** "Multiple APIC Description Table (MADT)". The 8259As are there too. */
const madt = (processors: number): Uint8Array =>
  describe("APIC", 2, [
    // biome-ignore format: a table
    ...encode([
      ["Local APIC Address", 4, memoryMap.localApic.base],
      ["Flags: PCAT_COMPAT", 4, 1]
    ]),
    ...Array.from({ length: processors }, (_, id) => localApic(id)).flat(),
    // biome-ignore format: a table
    ...encode([
      ["Type: I/O APIC",                      1, 1],
      ["Length",                              1, 12],
      ["I/O APIC ID, as reset leaves it",     1, 0],
      ["Reserved",                            1, 0],
      ["I/O APIC Address",                    4, memoryMap.ioApic.base],
      ["Global System Interrupt Base",        4, 0]
    ]),
    ...interruptOverride(irq.pit, pitPin, inti.asBus),
    ...interruptOverride(irq.sci, irq.sci, inti.levelHigh),
    // biome-ignore format: a table
    ...encode([
      ["Type: Local APIC NMI",                1, 4],
      ["Length",                              1, 6],
      ["ACPI Processor ID: all",              1, 0xff],
      ["Flags",                               2, inti.asBus],
      ["Local APIC LINT#",                    1, 1]
    ])
  ])

const localApic = (id: number): readonly number[] =>
  // biome-ignore format: a table
  encode([
    ["Type: Processor Local APIC", 1, 0],
    ["Length",                     1, 8],
    ["ACPI Processor ID",          1, id],
    ["APIC ID",                    1, id],
    ["Flags: Enabled",             4, 1]
  ])

const interruptOverride = (source: number, pin: number, flags: number): readonly number[] =>
  // biome-ignore format: a table
  encode([
    ["Type: Interrupt Source Override", 1, 2],
    ["Length",                          1, 10],
    ["Bus: ISA",                        1, 0],
    ["Source",                          1, source],
    ["Global System Interrupt",         4, pin],
    ["Flags",                           2, flags]
  ])

/** The lower half of the HPET's GCAP_ID, and the least period, in ticks, that no interrupt is lost with. */
const hpetBlockId = 0x8086_a201
const hpetMinimumTick = 100

const hpet = (): Uint8Array =>
  // biome-ignore format: a table
  describe("HPET", 1, encode([
    ["Event Timer Block ID",             4, hpetBlockId],
    ["BASE_ADDRESS",                    12, address("memory", 64, memoryMap.hpet.base)],
    ["HPET Number",                      1, 0],
    ["Main Counter Minimum Clock_tick",  2, hpetMinimumTick],
    ["Page Protection",                  1, 0]
  ]))

/** There is one bus. Software that is told of more asks each function of each of them whether it is there. */
const lastBus = 0

const mcfg = (): Uint8Array =>
  // biome-ignore format: a table
  describe("MCFG", 1, encode([
    ["Reserved",                 8, 0],
    ["Base Address",             8, memoryMap.ecam.base],
    ["PCI Segment Group Number", 2, 0],
    ["Start Bus Number",         1, 0],
    ["End Bus Number",           1, lastBus],
    ["Reserved",                 4, 0]
  ]))

// ---- the definition block

/** "_PRT (PCI Routing Table)": each device's four pins to interrupts of the IOAPIC. */
const routingTable = packageOf(
  ...Array.from({ length: 32 * pciPins.count }, (_, n) => {
    const [slot, pin] = [Math.floor(n / pciPins.count), n % pciPins.count]
    return packageOf(
      integer(slot * 0x1_0000 + 0xffff),
      integer(pin),
      integer(0),
      integer(pciPins.first + pciLine(slot, pin))
    )
  })
)

const rootBridge = device(
  "PCI0",
  name("_HID", eisaId("PNP0A08")),
  name("_CID", eisaId("PNP0A03")),
  name("_UID", integer(0)),
  name("_BBN", integer(0)),
  name(
    "_CRS",
    resources(
      busNumbers(0, 256),
      ports(portMap.pciAddress.base, 8),
      portWindow(0, portMap.pciAddress.base),
      portWindow(portMap.pci.base, portMap.pci.count),
      memoryWindow(memoryMap.pciLow.base, memoryMap.pciLow.bytes),
      memoryWindow(memoryMap.pciHigh.base, memoryMap.pciHigh.bytes)
    )
  ),
  name("_PRT", routingTable)
)

/** A device of a known kind with its resources: one of several, and the only one. */
const numbered = (path: string, id: string, n: number, ...descriptors: readonly Aml[]): Aml =>
  device(path, name("_HID", eisaId(id)), name("_UID", integer(n)), name("_CRS", resources(...descriptors)))
const fixed = (path: string, id: string, ...descriptors: readonly Aml[]): Aml => numbered(path, id, 0, ...descriptors)

const { keyboard, keyboardControl, rtc, acpiPm } = portMap

const serial = serialPorts.map(({ name, base, count, irq: line }, n) =>
  numbered(name, "PNP0501", n, ports(base, count), interrupt(line))
)

/** A driver finds such a device by this name. */
const virtioDevice = (n: number): Aml =>
  device(
    `VIO${n}`,
    name("_HID", string("LNRO0005")),
    name("_UID", integer(n)),
    name(
      "_CRS",
      resources(
        memory(memoryMap.virtio.base + n * virtioMmio.bytes, virtioMmio.bytes),
        levelInterrupt(virtioMmio.pin + n)
      )
    )
  )

const dsdt = (hasHpet: boolean, virtioDevices: number, serialCount: number): Uint8Array =>
  describe("DSDT", 2, [
    ...name("\\_S5", packageOf(integer(softOff), integer(softOff), integer(0), integer(0))),
    ...scope(
      "\\_SB",
      rootBridge,
      // What no other device says it has: the configuration space must be reserved to be used.
      fixed("MBRD", "PNP0C02", memory(memoryMap.ecam.base, memoryMap.ecam.bytes), ports(acpiPm.base, acpiPm.count)),
      ...serial.slice(0, serialCount),
      fixed("KBD", "PNP0303", ports(keyboard.base, 1), ports(keyboardControl.base, 1), interrupt(irq.keyboard)),
      fixed("RTC", "PNP0B00", ports(rtc.base, rtc.count), interrupt(irq.rtc)),
      ...(hasHpet ? [fixed("HPET", "PNP0103", memory(memoryMap.hpet.base, memoryMap.hpet.bytes))] : []),
      ...Array.from({ length: virtioDevices }, (_, n) => virtioDevice(n))
    )
  ])

// ---- all of it

export interface AcpiOptions {
  /** Local APIC IDs are 0 to one less. */
  readonly processors: number
  /** Software is told of the HPET. It is, if not said. */
  readonly hasHpet?: boolean
  /** How many virtio devices there are without a bus: none, if not said. */
  readonly virtioDevices?: number
  /** How many serial ports there are, COM1 first: one, if not said. */
  readonly serialPorts?: number
  /** Whole tables, headers and checksums included, that others contribute. */
  readonly more?: readonly Uint8Array[]
}

export interface AcpiTables {
  /** Where the RSDP is: software looks for it on 16-byte steps from E0000H to FFFFFH, or is told. */
  readonly rsdp: number
  /** All tables, from `start` on. */
  readonly image: Uint8Array
}

/** Tables as they are in memory from `start`, a multiple of 64. */
export const acpiTables = (
  start: number,
  { processors, hasHpet = true, virtioDevices = 0, serialPorts: serialCount = 1, more = [] }: AcpiOptions
): AcpiTables => {
  const parts: { readonly at: number; readonly bytes: Uint8Array }[] = []
  let end = start
  const place = (bytes: Uint8Array): number => {
    const at = Math.ceil(end / 64) * 64
    parts.push({ at, bytes })
    end = at + bytes.length
    return at
  }
  // The RSDP comes first, and is made last: it knows where the others are.
  const pointer = place(new Uint8Array(36))
  const described = [
    fadt(place(facs()), place(dsdt(hasHpet, virtioDevices, serialCount))),
    madt(processors),
    ...(hasHpet ? [hpet()] : []),
    mcfg(),
    ...more
  ].map(place)
  parts[0] = { at: pointer, bytes: rsdp(place(rsdt(described)), place(xsdt(described))) }
  const image = new Uint8Array(end - start)
  for (const { at, bytes } of parts) image.set(bytes, at - start)
  return { rsdp: pointer, image }
}
