/** Random code for guests: more of it leaves a guest, or does much, than chance would have it. */

export const random = (seed: number) => () => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) | 0
  return seed >>> 8
}

/** What leaves a guest, and what does much: so that random code meets more of it than it would by chance. */
const pieces: ReadonlyArray<ReadonlyArray<number>> = [
  [0x0f, 0xa2], // cpuid
  [0x0f, 0x01, 0xc1], // vmcall
  [0x0f, 0x32], // rdmsr
  [0x0f, 0x30], // wrmsr
  [0xec], // in al, dx
  [0xee], // out dx, al
  [0xed], // in eax, dx
  [0xef], // out dx, eax
  [0xf3, 0x6e], // rep outsb
  [0x0f, 0x22, 0xc0], // mov cr0, eax
  [0x0f, 0x22, 0xe0], // mov cr4, eax
  [0x0f, 0x22, 0xd8], // mov cr3, eax
  [0xfb, 0xf4], // sti, hlt
  [0x89, 0x01], // mov [ecx], eax
  [0x8b, 0x01], // mov eax, [ecx]
  [0x0f, 0x01, 0xc2], // vmlaunch
  [0x0f, 0x08], // invd
  [0xcd, 0x20] // int 20H
]
const numbers = [
  0, 1, 0xf4, 0x3f8, 0xcf8, 0x1b, 0x6e0, 0x80b, 0x830, 0xc000_0080, 0xfee0_0300, 0xfec0_0000, 0xe000_0000, 0x8000_0011,
  0xffff_ffff
]

/** Some hundred bytes, and then a loop. */
export const randomCode = (seed: number): Uint8Array => {
  const next = random(seed)
  const code: Array<number> = []
  while (code.length < 600) {
    const kind = next() % 8
    if (kind < 3) code.push(...pieces[next() % pieces.length]!)
    else if (kind < 6) {
      // mov register, number
      const value = numbers[next() % numbers.length]!
      code.push(0xb8 | (next() % 4), value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24)
    } else code.push(next() & 0xff)
  }
  return Uint8Array.from([...code, 0xeb, 0xfe])
}
