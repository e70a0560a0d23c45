/** Programs of a few instructions, as ELF files. */
import { write } from "../../src/kernel/x86_64/Elf.ts"

const base = 0x40_0000n

/** A program that is this code. */
export const elfOf = (code: ReadonlyArray<number>): Uint8Array =>
  write({
    entry: base,
    segments: [
      {
        virtual: base,
        physical: base,
        bytes: Uint8Array.from(code),
        memoryBytes: code.length,
        writable: false,
        executable: true
      }
    ]
  })

/** JMP to itself. */
export const forEver = [0xeb, 0xfe]

/** MOV RAX, imm64; MOV [RAX], AL */
export const writeTo = (address: bigint): ReadonlyArray<number> => [0x48, 0xb8, ...bytesOf(address), 0x88, 0x00]

/** MOV RAX, imm64; MOV AL, [RAX] */
export const readFrom = (address: bigint): ReadonlyArray<number> => [0x48, 0xb8, ...bytesOf(address), 0x8a, 0x00]

/** MOV RAX, imm64; JMP RAX */
export const jumpTo = (address: bigint): ReadonlyArray<number> => [0x48, 0xb8, ...bytesOf(address), 0xff, 0xe0]

const bytesOf = (word: bigint): ReadonlyArray<number> => [...new Uint8Array(BigUint64Array.of(word).buffer)]
