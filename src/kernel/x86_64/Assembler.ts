/**
 * A small assembler: code as a table of names and bytes.
 *
 * Only the instructions that the kernel's stubs are made of, each written as in the manual's opcode table. They are all
 * in the plain base set of 64-bit mode (SDM vol. 2), but for the gate.
 */

/** A byte, or the 32-bit distance to a name: from the end of those four bytes, as relative jumps count it. */
export type Part = number | { readonly to: string }

/** A name for the first byte of some code. */
export interface Stub {
  readonly name: string
  readonly code: readonly Part[]
}

const imm32 = (value: number) => [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >> 24) & 0xff]

/** An encoding the manual leaves undefined: the processor enters the host's half of the kernel, at `entry`. */
export const GATE = (entry: number): Part[] => [0x0f, 0x04, entry]
export const CLAC: readonly Part[] = [0x0f, 0x01, 0xca]
export const PUSH = (value: number): Part[] => [0x68, ...imm32(value)]
export const JMP = (to: string): Part[] => [0xe9, { to }]
export const SYSRETQ: readonly Part[] = [0x48, 0x0f, 0x07]
export const IRETQ: readonly Part[] = [0x48, 0xcf]
export const STI: readonly Part[] = [0xfb]
export const VMLAUNCH: readonly Part[] = [0x0f, 0x01, 0xc2]
export const VMRESUME: readonly Part[] = [0x0f, 0x01, 0xc3]
export const HLT: readonly Part[] = [0xf4]
/** Undefined for ever: where execution never comes. */
export const UD2: readonly Part[] = [0x0f, 0x0b]

export interface Assembled {
  readonly bytes: Uint8Array
  /** Where each stub begins, as an offset in `bytes`. */
  readonly offsets: ReadonlyMap<string, number>
}

/** The stubs one after the other, each aligned to `alignment` bytes. What is between them traps: INT3. */
export const assemble = (stubs: readonly Stub[], alignment: number): Assembled => {
  const offsets = new Map<string, number>()
  let end = 0
  for (const { name, code } of stubs) {
    if (offsets.has(name)) throw new Error(`two stubs are named ${name}`)
    const start = Math.ceil(end / alignment) * alignment
    offsets.set(name, start)
    end = start + code.reduce((size: number, part) => size + sizeOf(part), 0)
  }
  const bytes = new Uint8Array(end).fill(INT3)
  const view = new DataView(bytes.buffer)
  for (const { name, code } of stubs) {
    let at = offsetOf(offsets, name)
    for (const part of code) {
      if (typeof part === "number") view.setUint8(at, part)
      else view.setInt32(at, offsetOf(offsets, part.to) - (at + sizeOf(part)), true)
      at += sizeOf(part)
    }
  }
  return { bytes, offsets }
}

const INT3 = 0xcc

const sizeOf = (part: Part) => (typeof part === "number" ? 1 : 4)

export const offsetOf = (offsets: ReadonlyMap<string, number>, name: string): number => {
  const offset = offsets.get(name)
  if (offset === undefined) throw new Error(`no stub is named ${name}`)
  return offset
}
