/** Functions of vectors as bytes: their three inputs lie one after another in the state block, and the result where it is wanted. */
export type ByteFunction = (view: DataView, inputs: number, into: number) => void

/** The 32 bits at place `n` of a vector. */
export const wordAt = (view: DataView, vector: number, n: number): number => view.getInt32(vector + 4 * n, true)

/** A vector of four words, the lowest first. */
export const putWords = (view: DataView, into: number, a: number, b: number, c: number, d: number): void => {
  view.setInt32(into, a, true)
  view.setInt32(into + 4, b, true)
  view.setInt32(into + 8, c, true)
  view.setInt32(into + 12, d, true)
}
