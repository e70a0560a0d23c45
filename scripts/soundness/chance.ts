/** Chance that repeats: the same numbers for the same seed. */

export interface Chance {
  /** A number from 0 to below this. */
  readonly below: (end: number) => number
  readonly one: <T>(of: ReadonlyArray<T>) => T
  /** True once in so many times. */
  readonly rarely: (times: number) => boolean
}

/** "xorshift32". */
export const chanceOf = (seed: number): Chance => {
  let state = (seed * 2654435761 + 1) | 0
  const below = (end: number): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % end
  }
  return { below, one: (of) => of[below(of.length)]!, rarely: (times) => below(times) === 0 }
}
