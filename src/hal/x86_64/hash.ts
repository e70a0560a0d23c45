/**
 * A hash of memory, to see whether two runs ended alike. Not to be trusted against somebody who wants two to collide.
 */

/** MurmurHash3 (x86, 32 bits) of whole words, Austin Appleby. */
const murmur3 = (words: Int32Array, seed: number): number => {
  let h = seed
  for (let n = 0; n < words.length; n++) {
    let k = Math.imul(words[n]!, 0xcc9e_2d51)
    k = Math.imul((k << 15) | (k >>> 17), 0x1b87_3593)
    h ^= k
    h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe654_6b64) | 0
  }
  h ^= words.length * 4
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** Two hashes of 32 bits, as 16 hexadecimal digits. */
export const hash = (words: Int32Array): string =>
  [murmur3(words, 0), murmur3(words, 0x9e37_79b9)].map((half) => half.toString(16).padStart(8, "0")).join("")
