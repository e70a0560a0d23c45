/** The kinds of capability that only this architecture has. */

// biome-ignore format: a kind, a line
export const rightsOf = {
  /** The tables below a PML4, from the root down. */
  PDPT:          [["map", 4], ["unmap", 5]],
  PageDirectory: [["map", 4], ["unmap", 5]],
  PageTable:     [["map", 4], ["unmap", 5]],
  /** The right to give out ranges of IO ports. */
  IOPortControl: [["issue", 4]],
  /** A range of IO ports. */
  IOPort:        [["in", 4], ["out", 5]],
  /** What one device can reach. */
  IOSpace:       [["map", 4], ["unmap", 5]],
  IOPageTable:   [["map", 4], ["unmap", 5]],
  /** A virtual processor. */
  VCPU:          [["bind", 4], ["readState", 5], ["writeState", 6], ["enablePorts", 7]],
  /** The tables of a guest's physical memory, from the root down. */
  EPTPML4:       [["map", 4], ["unmap", 5], ["assign", 6], ["bind", 7]],
  EPTPDPT:       [["map", 4], ["unmap", 5]],
  EPTPD:         [["map", 4], ["unmap", 5]],
  EPTPT:         [["map", 4], ["unmap", 5]]
} as const

/** What there is once: there are no copies of the capability. */
export type Single = "IOPortControl"

/** What is nothing before it has a place in a translation: a root of tables its identifier, a table its address. */
export type Structure = Exclude<keyof typeof rightsOf, "IOPortControl" | "IOPort" | "IOSpace" | "VCPU"> | "AddressSpace"

/** The right by which it gets that place. A guest's root gets its identifier without one. */
export type PlacingRight<S extends Structure> = S extends "AddressSpace"
  ? "assign"
  : S extends "EPTPML4"
    ? never
    : "map"

/** The call that gives it that. */
export type PlacingCall<S extends Structure> = S extends "AddressSpace" | "EPTPML4" ? "ASIDPool_Assign" : `${S}_Map`
