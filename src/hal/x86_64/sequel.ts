/**
 * Sequels: system instructions that follow one another, done without a reading between them.
 *
 * The way into a kernel and out of it is made of them: SYSCALL, a gate, SYSRET; and of a program that is the host's, the
 * gate, SYSCALL, and the jump back. What is done here is what every reading does with these instructions: it is fetched,
 * counted, and left to its operation. Whatever else stands there, or has to be looked after first, is the loop's
 * business (Processor.ts).
 */
import { sooner } from "./Clock.ts"
import { fault } from "./memory/Access.ts"
import { systemNames } from "./processor/Meaning.ts"
import { at, modeNumber } from "./processor/State.ts"
import type { Core } from "./system/Core.ts"
import { activity, RFLAGS, system } from "./system/registers.ts"

const kernelMode = modeNumber({ bits: 64, privilege: 0 })
const userMode = modeNumber({ bits: 64, privilege: 3 })
const [gate, syscall, sysret] = (["gate", "syscall", "sysret"] as const).map((name) => systemNames.indexOf(name)) as [
  number,
  number,
  number
]

/** There is none: the loop goes on. */
export const none = -1
/** Another instruction comes next, and nothing has to be looked after before it. */
export const another = -2

/** Nothing has to be looked after before the next instruction: no event, no interrupt, no step. */
const goesOn = ({ i32, apic, vmx }: Core): boolean =>
  (i32[at.attention >> 2]! & ~sooner) === 0 &&
  i32[at.countdown >> 2]! > 0 &&
  i32[system.activity >> 2] === activity.active &&
  (i32[at.rflags >> 2]! & RFLAGS.TF) === 0 &&
  !vmx.isGuest &&
  ((i32[at.rflags >> 2]! & RFLAGS.IF) === 0 || apic.pending() < 0)

/** How far an instruction here may reach, so that none crosses a page. */
const lastByte = 0xffd

/**
 * The number of the operation that comes next, with its inputs, the instruction counted and RIP behind it; or `none` or
 * `another`, and nothing has happened but for jumps between such instructions.
 */
export const sequel = (core: Core): number => {
  const { i32, mmu } = core
  const { u8 } = mmu.memory
  // What jumps more than once is a loop of the program's, and a reading's business.
  for (let jumps = 0; jumps < 2 && goesOn(core); jumps++) {
    const rip = i32[at.rip >> 2]!
    const mode = i32[at.mode >> 2]
    if ((rip & 0xfff) > lastByte || (mode !== kernelMode && mode !== userMode)) return none
    const found = mmu.executable(rip, i32[(at.rip >> 2) + 1]!)
    if (found === fault) return none
    const code = mmu.host(found, rip)
    switch (u8[code]) {
      case 0x0f:
        if (u8[code + 1] === 0x04) return take(core, gate, 3, u8[code + 2]!)
        return u8[code + 1] === 0x05 ? take(core, syscall, 2, 0) : another
      case 0x48:
        return mode === kernelMode && u8[code + 1] === 0x0f && u8[code + 2] === 0x07
          ? take(core, sysret, 3, 64)
          : another
      // JMP rel8.
      case 0xeb:
        advance(core, 2 + ((u8[code + 1]! << 24) >> 24))
        break
      default:
        return another
    }
  }
  return none
}

const take = (core: Core, operation: number, length: number, input: number): number => {
  const { i32 } = core
  core.copy(at.rip, at.stoppedAt)
  advance(core, length)
  i32[at.detail >> 2] = operation
  core.set(at.inputs, input, 0)
  return operation
}

/** One instruction is done, and the next one is so many bytes further on. */
const advance = (core: Core, bytes: number): void => {
  const { i32 } = core
  const low = (i32[at.rip >> 2]! >>> 0) + bytes
  i32[at.rip >> 2] = low | 0
  if (low < 0 || low >= 2 ** 32) i32[(at.rip >> 2) + 1]! += low < 0 ? -1 : 1
  i32[at.countdown >> 2]! -= 1
}
