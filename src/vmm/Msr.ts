/**
 * Model-specific registers as a guest sees them, of those that the processor does not give it itself.
 *
 * SDM vol. 4, "Architectural MSRs". A number that is in no table is #GP.
 */
import type { Halves, LocalApic } from "../devices/localApic.ts"
import * as Word from "../types/Word.ts"
import { archCapabilities } from "../types/x86_64/ArchCapabilities.ts"

/** Where an MSR is read and written. Undefined and false: #GP. */
export interface Msr {
  readonly read: (apic: LocalApic, now: number) => bigint | undefined
  readonly write: (apic: LocalApic, value: bigint) => boolean
}

const lowBits = (value: bigint): number => Word.lowOf(value) >>> 0
const highBits = (value: bigint): number => Word.highOf(value) >>> 0
const joined = ([lo, hi]: Halves): bigint => Word.ofHalves(lo, hi)

/** It holds this, whatever is written. */
const fixed = (value: bigint): Msr => ({ read: () => value, write: () => true })
const readOnly = (value: bigint): Msr => ({ read: () => value, write: () => false })

/** Addresses beyond those that the guest's CPUID says are reserved in IA32_APIC_BASE. */
const maxAddress = 2 ** 39

// biome-ignore format: a register, a line
const registers: ReadonlyMap<number, Msr> = new Map<number, Msr>([
  /* IA32_TIME_STAMP_COUNTER */ [0x10,  { read: (_, now) => BigInt(now), write: () => true }],
  /* IA32_PLATFORM_ID */        [0x17,  readOnly(0n)],
  /* IA32_APIC_BASE */          [0x1b,  { read: (apic) => joined(apic.readBase()), write: (apic, value) => apic.writeBase(lowBits(value), highBits(value), maxAddress) }],
  /* IA32_FEATURE_CONTROL */    [0x3a,  readOnly(1n)],
  /* IA32_BIOS_UPDT_TRIG */     [0x79,  fixed(0n)],
  /* IA32_BIOS_SIGN_ID */       [0x8b,  fixed(0n)],
  /* IA32_ARCH_CAPABILITIES */  [0x10a, readOnly(archCapabilities)],
  /* IA32_MISC_ENABLE */        [0x1a0, fixed(1n)],
  /* IA32_TSC_DEADLINE */       [0x6e0, {
    read: (apic) => joined(apic.readDeadline()),
    write: (apic, value) => { apic.writeDeadline(lowBits(value), highBits(value)); return true }
  }]
])

const isX2Apic = (number: number): boolean => number >= 0x800 && number < 0x900

export const readMsr = (apic: LocalApic, number: number, now: number): bigint | undefined => {
  if (!isX2Apic(number)) return registers.get(number)?.read(apic, now)
  const halves = apic.readMsr(number)
  return halves && joined(halves)
}

export const writeMsr = (apic: LocalApic, number: number, value: bigint): boolean =>
  isX2Apic(number)
    ? apic.writeMsr(number, lowBits(value), highBits(value))
    : (registers.get(number)?.write(apic, value) ?? false)
