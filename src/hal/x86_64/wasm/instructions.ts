/** The instructions of WebAssembly that the readings use, under the specification's names. WebAssembly Core Specification, "Binary Format", "Instructions". */

export type ValueType = "i32" | "i64" | "v128"

/** "Value Types". */
export const valueTypes = { i32: 0x7f, i64: 0x7e, v128: 0x7b } as const satisfies Record<ValueType, number>

/** The type of a block that leaves nothing. */
export const emptyBlock = 0x40

/** "Control Instructions", "Parametric Instructions", "Variable Instructions". */
// biome-ignore format: a table
export const control = {
  "unreachable": 0x00,
  "block":       0x02,
  "loop":        0x03,
  "if":          0x04,
  "else":        0x05,
  "end":         0x0b,
  "br":          0x0c,
  "br_if":       0x0d,
  "br_table":    0x0e,
  "return":      0x0f,
  "call":        0x10,
  "call_indirect": 0x11,
  "drop":        0x1a,
  "select":      0x1b,
  "local.get":   0x20,
  "local.set":   0x21,
  "local.tee":   0x22
} as const

/** "Memory Instructions" that take a value out. */
// biome-ignore format: a table
export const loads = {
  "i32.load":     0x28,
  "i64.load":     0x29,
  "i32.load8_u":  0x2d,
  "i32.load16_u": 0x2f,
  "i64.load8_u":  0x31,
  "i64.load16_u": 0x33,
  "i64.load32_s": 0x34,
  "i64.load32_u": 0x35
} as const

/** "Memory Instructions" that put a value in. */
// biome-ignore format: a table
export const stores = {
  "i32.store":   0x36,
  "i64.store":   0x37,
  "i32.store8":  0x3a,
  "i64.store8":  0x3c,
  "i64.store16": 0x3d,
  "i64.store32": 0x3e
} as const

/** "Numeric Instructions", without the constants. */
// biome-ignore format: a table
export const numeric = {
  "i32.eqz":          0x45,
  "i32.eq":           0x46,
  "i32.ne":           0x47,
  "i32.lt_s":         0x48,
  "i32.lt_u":         0x49,
  "i32.gt_s":         0x4a,
  "i32.gt_u":         0x4b,
  "i32.ge_s":         0x4e,
  "i64.eqz":          0x50,
  "i64.eq":           0x51,
  "i64.ne":           0x52,
  "i64.lt_s":         0x53,
  "i64.lt_u":         0x54,
  "i64.ge_s":         0x59,
  "i64.ge_u":         0x5a,
  "i32.add":          0x6a,
  "i32.sub":          0x6b,
  "i32.mul":          0x6c,
  "i32.and":          0x71,
  "i32.or":           0x72,
  "i32.xor":          0x73,
  "i32.shl":          0x74,
  "i32.shr_s":        0x75,
  "i32.shr_u":        0x76,
  "i64.clz":          0x79,
  "i64.ctz":          0x7a,
  "i64.popcnt":       0x7b,
  "i64.add":          0x7c,
  "i64.sub":          0x7d,
  "i64.mul":          0x7e,
  "i64.div_s":        0x7f,
  "i64.div_u":        0x80,
  "i64.rem_s":        0x81,
  "i64.rem_u":        0x82,
  "i64.and":          0x83,
  "i64.or":           0x84,
  "i64.xor":          0x85,
  "i64.shl":          0x86,
  "i64.shr_s":        0x87,
  "i64.shr_u":        0x88,
  "i64.rotl":         0x89,
  "i64.rotr":         0x8a,
  "i32.wrap_i64":     0xa7,
  "i64.extend_i32_s": 0xac,
  "i64.extend_i32_u": 0xad,
  "i64.extend8_s":    0xc2,
  "i64.extend16_s":   0xc3,
  "i64.extend32_s":   0xc4
} as const

export const constants = { "i32.const": 0x41, "i64.const": 0x42 } as const

export type Load = keyof typeof loads
export type Store = keyof typeof stores
export type Numeric = keyof typeof numeric
