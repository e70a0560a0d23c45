/** Chance that repeats: a 32-bit generator (mulberry32), and choices made with it. */
export class Random {
  private state: number
  constructor(seed: number) {
    this.state = seed
  }
  /** From 0 to 2^32 - 1. */
  bits(): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  /** From 0 to `n` - 1. */
  below(n: number): number {
    return this.bits() % n
  }
  /** Once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0
  }
  of<A>(choices: ReadonlyArray<A>): A {
    return choices[this.below(choices.length)]!
  }
  word(): bigint {
    return (BigInt(this.bits()) << 32n) | BigInt(this.bits())
  }
  /** Words in which errors like to show: around 0 and the ends of each width, sparse ones, any. */
  interesting(): bigint {
    switch (this.below(6)) {
      case 0:
        return BigInt(this.below(256))
      case 1:
        return BigInt.asUintN(64, -BigInt(this.below(256)))
      case 2:
        return BigInt.asUintN(64, (1n << BigInt(this.of([7, 8, 15, 16, 31, 32, 63, 64]))) - BigInt(this.below(3)))
      case 3:
        return this.word() & this.word() & this.word()
      case 4:
        return this.word() >> BigInt(this.below(64))
      default:
        return this.word()
    }
  }
}
