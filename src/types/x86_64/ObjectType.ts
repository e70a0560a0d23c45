/** The object types that only this architecture has. */

// biome-ignore format: a type, a line
export const objectTypes = {
  PDPT:          { number: 7,  makes: "PDPT",          bits: 12 },
  PML4:          { number: 8,  makes: "AddressSpace",  bits: 12 },
  HugePage:      { number: 9,  makes: "Frame",         bits: 30 },
  Page4K:        { number: 10, makes: "Frame",         bits: 12 },
  LargePage:     { number: 11, makes: "Frame",         bits: 21 },
  PageTable:     { number: 12, makes: "PageTable",     bits: 12 },
  PageDirectory: { number: 13, makes: "PageDirectory", bits: 12 },
  IOPageTable:   { number: 14, makes: "IOPageTable",   bits: 12 },
  VCPU:          { number: 15, makes: "VCPU",          bits: 14 },
  EPTPML4:       { number: 16, makes: "EPTPML4",       bits: 12 },
  EPTPDPT:       { number: 17, makes: "EPTPDPT",       bits: 12 },
  EPTPD:         { number: 18, makes: "EPTPD",         bits: 12 },
  EPTPT:         { number: 19, makes: "EPTPT",         bits: 12 }
} as const

/** An ASID pool is made from untyped memory of this size, and holds 2^asidPoolIndexBits identifiers. */
export const asidPoolBits = 12
export const asidPoolIndexBits = 9
