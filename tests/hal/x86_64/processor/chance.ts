/** Chance that repeats: a linear congruential generator and what tests draw from it. */
export class Chance {
  private state: number

  constructor(seed: number) {
    this.state = seed >>> 0
  }

  /** From 0 to `limit` - 1. */
  below(limit: number): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0
    return Math.floor((this.state / 2 ** 32) * limit)
  }
  of<A>(list: ReadonlyArray<A>): A {
    return list[this.below(list.length)]!
  }
  oneIn(times: number): boolean {
    return this.below(times) === 0
  }
  /** 64 bits. */
  word(): bigint {
    return (BigInt(this.below(2 ** 32)) << 32n) | BigInt(this.below(2 ** 32))
  }
}
