/** Benchmark: something that is measured, and the figures that come of it. */

export interface Figure {
  /** With its unit. */
  readonly name: string
  readonly value: number
}

export interface Benchmark {
  readonly name: string
  readonly run: () => ReadonlyArray<Figure> | Promise<ReadonlyArray<Figure>>
}
