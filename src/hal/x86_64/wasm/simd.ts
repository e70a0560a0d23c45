/** Vector instructions of WebAssembly, under the specification's names: each is a prefix and this number. WebAssembly Core Specification, "Vector Instructions". */

export const simdPrefix = 0xfd

/** What the lanes of 128 bits are. */
export type Lane = "i8x16" | "i16x8" | "i32x4" | "i64x2"

/** From vectors to a vector. */
// biome-ignore format: a table
export const laneOperations = {
  "i8x16.swizzle": 14,
  "i8x16.eq":      35, "i8x16.gt_s":    39,
  "i16x8.eq":      45, "i16x8.gt_s":    49,
  "i32x4.eq":      55, "i32x4.gt_s":    59,
  "v128.not": 77, "v128.and": 78, "v128.andnot": 79, "v128.or": 80, "v128.xor": 81, "v128.bitselect": 82,

  "i8x16.abs":     96, "i8x16.neg":     97,
  "i8x16.narrow_i16x8_s": 101, "i8x16.narrow_i16x8_u": 102,
  "i8x16.add":     110, "i8x16.add_sat_s": 111, "i8x16.add_sat_u": 112,
  "i8x16.sub":     113, "i8x16.sub_sat_s": 114, "i8x16.sub_sat_u": 115,
  "i8x16.min_s":   118, "i8x16.min_u":   119, "i8x16.max_s": 120, "i8x16.max_u": 121, "i8x16.avgr_u": 123,

  "i16x8.extadd_pairwise_i8x16_u": 125, "i32x4.extadd_pairwise_i16x8_u": 127,
  "i16x8.abs":     128, "i16x8.neg":     129,
  "i16x8.narrow_i32x4_s": 133, "i16x8.narrow_i32x4_u": 134,
  "i16x8.extend_low_i8x16_s": 135, "i16x8.extend_high_i8x16_s": 136, "i16x8.extend_low_i8x16_u": 137, "i16x8.extend_high_i8x16_u": 138,
  "i16x8.add":     142, "i16x8.add_sat_s": 143, "i16x8.add_sat_u": 144,
  "i16x8.sub":     145, "i16x8.sub_sat_s": 146, "i16x8.sub_sat_u": 147,
  "i16x8.mul":     149,
  "i16x8.min_s":   150, "i16x8.min_u":   151, "i16x8.max_s": 152, "i16x8.max_u": 153, "i16x8.avgr_u": 155,

  "i32x4.abs":     160, "i32x4.neg":     161,
  "i32x4.extend_low_i16x8_s": 167, "i32x4.extend_low_i16x8_u": 169,
  "i32x4.add":     174, "i32x4.sub":     177, "i32x4.mul": 181,
  "i32x4.min_s":   182, "i32x4.min_u":   183, "i32x4.max_s": 184, "i32x4.max_u": 185,
  "i32x4.dot_i16x8_s": 186,
  "i32x4.extmul_low_i16x8_s": 188, "i32x4.extmul_high_i16x8_s": 189, "i32x4.extmul_low_i16x8_u": 190, "i32x4.extmul_high_i16x8_u": 191,

  "i64x2.extend_low_i32x4_s": 199, "i64x2.extend_low_i32x4_u": 201,
  "i64x2.add":     206, "i64x2.sub":     209,
  "i64x2.eq":      214, "i64x2.gt_s":    217,
  "i64x2.extmul_low_i32x4_s": 220, "i64x2.extmul_low_i32x4_u": 222
} as const

/** Of floating-point numbers, from vectors to a vector: for native arithmetic (processor/nativeFloat.ts). */
// biome-ignore format: a table
export const floatOperations = {
  "f32x4.eq":       65, "f32x4.ne":       66, "f32x4.lt":      67, "f32x4.gt":      68, "f32x4.le":      69, "f32x4.ge":      70,
  "f64x2.eq":       71, "f64x2.ne":       72, "f64x2.lt":      73, "f64x2.gt":      74, "f64x2.le":      75, "f64x2.ge":      76,
  "f32x4.abs":     224, "f32x4.sqrt":    227, "f32x4.add":    228, "f32x4.sub":    229, "f32x4.mul":    230, "f32x4.div":    231,
  "f64x2.abs":     236, "f64x2.sqrt":    239, "f64x2.add":    240, "f64x2.sub":    241, "f64x2.mul":    242, "f64x2.div":    243,
  "f32x4.demote_f64x2_zero": 94, "f64x2.promote_low_f32x4": 95, "f64x2.trunc": 122,
  "i32x4.trunc_sat_f64x2_s_zero": 252, "f64x2.convert_low_i32x4_s": 254
} as const

/** From a vector and a count (i32, modulo the lanes' width) to a vector. */
// biome-ignore format: a table
export const laneShifts = {
  "i16x8.shl": 139, "i16x8.shr_s": 140, "i16x8.shr_u": 141,
  "i32x4.shl": 171, "i32x4.shr_s": 172, "i32x4.shr_u": 173,
  "i64x2.shl": 203, "i64x2.shr_u": 205
} as const

/** From one lane to a vector, and back; of bytes and 16 bits zero-extended. i64x2 has values of i64, the others of i32. */
// biome-ignore format: a table
export const laneMoves = {
  "i8x16.splat": 15, "i16x8.splat": 16, "i32x4.splat": 17, "i64x2.splat": 18,
  "i8x16.extract_lane_u": 22, "i16x8.extract_lane_u": 25, "i32x4.extract_lane": 27, "i64x2.extract_lane": 29,
  "i8x16.replace_lane": 23, "i16x8.replace_lane": 26, "i32x4.replace_lane": 28, "i64x2.replace_lane": 30
} as const

/** From a vector to an i32: whether any bit is 1, and the lanes' highest bits. */
// biome-ignore format: a table
export const laneTests = {
  "v128.any_true": 83,
  "i8x16.bitmask": 100, "i32x4.bitmask": 164, "i64x2.bitmask": 196
} as const

export const shuffle = { "i8x16.shuffle": 13 } as const

export const simd = {
  ...laneOperations,
  ...floatOperations,
  ...laneShifts,
  ...laneMoves,
  ...laneTests,
  ...shuffle
} as const
export const vectorMemory = { "v128.load": 0, "v128.store": 11, "v128.const": 12 } as const

export type LaneOperation = keyof typeof laneOperations
export type LaneShift = keyof typeof laneShifts
export type Bitmask = Exclude<keyof typeof laneTests, "v128.any_true">
export type Simd = keyof typeof simd
