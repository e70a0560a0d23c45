/**
 * The kernel's image: what of the kernel is bytes in the machine's memory.
 *
 * Three sections, each whole pages with protections of its own: text holds the ways into the kernel and out of it,
 * rodata the tables by which the processor finds them, data what changes. What the kernel does between entry and exit
 * is the host's half, behind the gates.
 */
import { linked } from "../../types/x86_64/KernelSpace.ts"
import { kernelDataBytes } from "../KernelData.ts"
import { archDataBytes } from "./ArchData.ts"
import {
  assemble,
  CLAC,
  GATE,
  HLT,
  IRETQ,
  JMP,
  offsetOf,
  PUSH,
  STI,
  type Stub,
  SYSRETQ,
  UD2,
  VMLAUNCH,
  VMRESUME
} from "./Assembler.ts"
import { gdtBytes, idtBytes, tssBytes, writeGdt, writeIdt, writeTss } from "./Descriptors.ts"
import { type Segment, write } from "./Elf.ts"
import { ownStack, pushesErrorCode, vectors } from "./Vectors.ts"

/** The numbers in the gates: the reasons to enter the kernel. */
export const Entry = { boot: 0, syscall: 1, vector: 2, guestExit: 3, guestRefused: 4 } as const

const pageBytes = 0x1000
const toPage = (bytes: number) => Math.ceil(bytes / pageBytes) * pageBytes

const vectorStub = (vector: number): Stub => ({
  name: `vector ${vector}`,
  // A program's AC must not open the kernel's accesses to user pages: an interrupt, unlike SYSCALL, leaves it set.
  code: [...CLAC, ...(pushesErrorCode(vector) ? [] : PUSH(0)), ...PUSH(vector), ...JMP("vector")]
})

/**
 * The ways in: `boot`, where the loader starts the processor; `syscall`, where SYSCALL goes; a stub for each vector,
 * which make the stack look the same for all (vector, error code, then what the processor pushed). The ways out:
 * `sysret` and `iret` to a program, `idle` to wait for an interrupt, `launch` and `resume` to a guest, whose way in is
 * `guestExit`.
 */
const stubs: readonly Stub[] = [
  { name: "boot", code: [...GATE(Entry.boot), ...UD2] },
  // The gate comes first: it saves every register, RSP included, which still is the program's.
  { name: "syscall", code: [...GATE(Entry.syscall), ...UD2] },
  { name: "vector", code: [...GATE(Entry.vector), ...UD2] },
  { name: "sysret", code: SYSRETQ },
  { name: "iret", code: IRETQ },
  // "STI: ... the processor begins responding to external, maskable interrupts after the next instruction is executed":
  // none is lost before HLT.
  { name: "idle", code: [...STI, ...HLT, ...JMP("idle")] },
  // Behind a VM entry stands what happens if there was none. An exit leads elsewhere: to where the control structure says.
  { name: "launch", code: [...VMLAUNCH, ...GATE(Entry.guestRefused), ...UD2] },
  { name: "resume", code: [...VMRESUME, ...GATE(Entry.guestRefused), ...UD2] },
  { name: "guestExit", code: [...GATE(Entry.guestExit), ...UD2] },
  ...Array.from({ length: vectors }, (_, vector) => vectorStub(vector))
]

/** Parts of the data section: names, sizes in bytes. Each begins on a page. */
// biome-ignore format: a table
const dataParts = {
  /** What the kernel knows beside its objects. */
  kernelData:  kernelDataBytes,
  /** The same of this architecture's half of it. */
  archData:    archDataBytes,
  /** Interrupts from programs and from idling, one at a time. */
  stack:       0x1000,
  /** A stack for each vector that has its own. */
  ownStacks:   ownStack.length * 0x1000
} as const
export type DataPart = keyof typeof dataParts

const sixteen = 16
const text = assemble(stubs, sixteen)

/**
 * Offsets from the image's start: physical addresses count from where it was loaded, others from where it is linked.
 */
const textBytes = toPage(text.bytes.length)
const idtAt = textBytes
const gdtAt = idtAt + idtBytes
const tssAt = gdtAt + Math.ceil(gdtBytes / sixteen) * sixteen
const rodataEnd = toPage(tssAt + tssBytes)

const dataAt = (() => {
  const at = new Map<string, number>()
  let end = rodataEnd
  for (const [name, bytes] of Object.entries(dataParts)) {
    at.set(name, end)
    end += toPage(bytes)
  }
  return { at, end }
})()

/** Where something is in the image, in bytes from its start. */
export const Offset = {
  boot: offsetOf(text.offsets, "boot"),
  syscall: offsetOf(text.offsets, "syscall"),
  sysret: offsetOf(text.offsets, "sysret"),
  iret: offsetOf(text.offsets, "iret"),
  idle: offsetOf(text.offsets, "idle"),
  /** The instruction behind idling's HLT, where an interrupt finds it. */
  idleEnd: offsetOf(text.offsets, "idle") + 7,
  launch: offsetOf(text.offsets, "launch"),
  resume: offsetOf(text.offsets, "resume"),
  guestExit: offsetOf(text.offsets, "guestExit"),
  idt: idtAt,
  gdt: gdtAt,
  tss: tssAt,
  kernelData: offsetOf(dataAt.at, "kernelData"),
  archData: offsetOf(dataAt.at, "archData"),
  stack: offsetOf(dataAt.at, "stack"),
  stackTop: offsetOf(dataAt.at, "stack") + dataParts.stack
} as const

export const Size = { ...dataParts, idt: idtBytes, gdt: gdtBytes } as const

const ownStackTop = (index: number) => offsetOf(dataAt.at, "ownStacks") + (index + 1) * pageBytes

export interface Section {
  readonly name: "text" | "rodata" | "data"
  /** [start, end) from the image's start; both on page boundaries. */
  readonly start: number
  readonly end: number
  readonly writable: boolean
  readonly executable: boolean
}

// biome-ignore format: a table
export const sections: readonly Section[] = [
  { name: "text",   start: 0,         end: textBytes,   writable: false, executable: true },
  { name: "rodata", start: textBytes, end: rodataEnd,   writable: false, executable: false },
  { name: "data",   start: rodataEnd, end: dataAt.end,  writable: true,  executable: false }
]

/** Where the loader puts the image in physical memory: above what a PC keeps for itself. */
export const loadAddress = 0x10_0000

const linkedAt = (offset: number) => linked + BigInt(offset)

const rodata = (): Uint8Array => {
  const bytes = new Uint8Array(rodataEnd - textBytes)
  const part = (at: number, length: number) => new DataView(bytes.buffer, at - textBytes, length)
  writeIdt(part(idtAt, idtBytes), (vector) => linkedAt(offsetOf(text.offsets, `vector ${vector}`)))
  writeGdt(part(gdtAt, gdtBytes), linkedAt(tssAt))
  writeTss(
    part(tssAt, tssBytes),
    linkedAt(Offset.stackTop),
    ownStack.map((_, index) => linkedAt(ownStackTop(index)))
  )
  return bytes
}

/**
 * The image as a file: a static ELF64 with a segment for each section. Its entry is a physical address, for a loader
 * without the kernel's page tables.
 */
export const elf = (): Uint8Array => {
  const contents = { text: text.bytes, rodata: rodata(), data: new Uint8Array(0) }
  return write({
    entry: BigInt(loadAddress + Offset.boot),
    segments: sections.map(
      ({ name, start, end, writable, executable }): Segment => ({
        virtual: linkedAt(start),
        physical: BigInt(loadAddress + start),
        bytes: contents[name],
        memoryBytes: end - start,
        writable,
        executable
      })
    )
  })
}
