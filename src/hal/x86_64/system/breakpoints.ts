/**
 * Breakpoints: what DR7 asks to be noticed. SDM vol. 3B, "Debug Registers", "Debug Exceptions".
 *
 * Those on data are the Mmu's, which notices accesses; those on instructions are looked for before each instruction, so
 * that a processor with one goes by single steps; those on IO ports with each access to a port.
 */
import type { Watchpoint } from "../memory/Mmu.ts"
import { at, segments } from "../processor/State.ts"
import type { Core } from "./Core.ts"
import { BTF, msrAt } from "./msr.ts"
import { CR4, system } from "./registers.ts"

/** One of DR0 to DR3, as DR7 has it. */
interface Breakpoint {
  readonly number: number
  readonly lo: number
  readonly hi: number
  readonly bytes: 1 | 2 | 4 | 8
}

/** "R/W0 through R/W3": what the breakpoint is on. */
const condition = { execution: 0, write: 1, port: 2, access: 3 } as const
/** "LEN0 through LEN3". */
const lengths = [1, 2, 8, 4] as const

const debugAt = (number: number): number => system.debug + number * 8
const DR7 = debugAt(7)

/** The breakpoints that are enabled, locally or globally, and on something of these. */
const enabled = (core: Core, ...conditions: readonly number[]): readonly Breakpoint[] =>
  [0, 1, 2, 3].flatMap((number) => {
    const control = core.low(DR7)
    const isOn = (control >>> (2 * number)) & 3
    if (!isOn || !conditions.includes((control >>> (16 + 4 * number)) & 3)) return []
    const bytes = lengths[(control >>> (18 + 4 * number)) & 3]!
    // "The low-order bits of the address are masked by the length."
    return [{ number, lo: core.low(debugAt(number)) & -bytes, hi: core.high(debugAt(number)), bytes }]
  })

/** A debug register, or CR4.DE, has changed. */
export const arm = (core: Core): void => {
  const onData = (reads: boolean): readonly Watchpoint[] =>
    enabled(core, reads ? condition.access : condition.write).map((point) => ({ ...point, reads }))
  core.mmu.watch([...onData(true), ...onData(false)])
}

export const hasInstructionBreakpoints = (core: Core): boolean =>
  (core.low(DR7) & 0xff) !== 0 && enabled(core, condition.execution).length > 0

/** The bits in DR6 of breakpoints on the instruction at RIP: they are on linear addresses. */
export const atInstruction = (core: Core): number => {
  const [lo, hi] =
    core.mode.bits === 64
      ? [core.low(at.rip), core.high(at.rip)]
      : [(core.low(core.segmentBase(segments.cs)) + core.low(at.rip)) | 0, 0]
  return bitsOf(enabled(core, condition.execution).filter((point) => point.lo === lo && point.hi === hi))
}

/** An access to `bytes` ports from this one on: breakpoints on them count only with CR4.DE. */
export const touchPorts = (core: Core, port: number, bytes: number): void => {
  if (!(core.low(DR7) & 0xff) || !(core.low(at.cr4) & CR4.DE)) return
  core.mmu.touched |= bitsOf(
    enabled(core, condition.port).filter((point) => port < point.lo + point.bytes && point.lo < port + bytes)
  )
}

const bitsOf = (points: readonly Breakpoint[]): number => points.reduce((bits, { number }) => bits | (1 << number), 0)

/** DR6 says why there is a #DB: breakpoints by their numbers, BS for a single step, BT for a task switch, and BD for an access that DR7.GD forbids, once. */
export const BS = 1 << 14
/** A task was switched to whose TSS asks for it. */
export const BT = 1 << 15
export const BD = 1 << 13
export const GD = 1 << 13
export const note = (core: Core, bits: number): void => {
  core.i32[debugAt(6) >> 2]! |= bits
  // "The processor clears the BTF flag when it generates a debug exception."
  core.i32[msrAt.IA32_DEBUGCTL >> 2]! &= ~BTF
  if (bits & BD) core.i32[DR7 >> 2]! &= ~GD
}
