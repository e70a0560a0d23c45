/**
 * Gates: the instruction 0F 04 ib, by which the processor hands over to the host.
 *
 * At CPL 0 the kernel's handler is called, once it is installed. At CPL 3 the gate is honoured only where it is
 * fetched from the gate ROM: RBX holds the number of a fiber (lower half) and a sequence number (upper half), and the
 * fiber goes on. Everything else is #UD.
 *
 * A gate at CPL 3 is restarted like a string instruction: it goes on until the fiber asks for a system call (RIP
 * moves on to SYSCALL), until something is due (RIP stays, an interrupt is taken, the next entry goes on), or until
 * an access faults (RIP stays, the next entry tries it again). Whenever it is left after the fiber has done
 * something, the sequence number counts up; a thread with copied registers then holds a number that is past.
 */

import type { Answer, Fiber, Request, ThreadMemory } from "../../types/Gate.ts"
import * as Word from "../../types/Word.ts"
import { general, syscall, type UserRegister } from "../../types/x86_64/Registers.ts"
import { Charge } from "../Charge.ts"
import { fault, raised } from "./memory/Access.ts"
import { layout, pageSize } from "./memory/layout.ts"
import type { PhysicalMemory } from "./memory/PhysicalMemory.ts"
import { mode } from "./memory/Tlb.ts"
import { at } from "./processor/State.ts"
import { type Core, highOf, lowOf } from "./system/Core.ts"
import { vector } from "./system/registers.ts"

/** Where the gate ROM is, in physical memory. */
export const gateRom = 0xfec8_0000

/** GATE 0; SYSCALL; JMP to the gate. Behind it nothing but UD2. */
const romCode = [0x0f, 0x04, 0x00, 0x0f, 0x05, 0xeb, 0xf9, 0x90] as const
export const writeGateRom = (page: Uint8Array): void => {
  for (let n = 0; n < page.length; n += 2) page.set([0x0f, 0x0b], n)
  page.set(romCode)
}

/** What the fiber's next answer is made of. */
type Waiting =
  | { readonly _tag: "Start" }
  /** The registers, when it is entered again. */
  | { readonly _tag: "Registers" }
  /** What the access gives, when it succeeds. */
  | { readonly _tag: "Access"; readonly request: Request & { readonly _tag: "Read" | "Write" } }
  | { readonly _tag: "Answer"; readonly answer: Answer }

interface Entry {
  readonly fiber: Fiber
  /** int32, as it is in RBX. */
  sequence: number
  waiting: Waiting
  /** Of the processor that ran it last. */
  memory: (ThreadMemory & { readonly core: Core }) | undefined
}

const registers: Waiting = { _tag: "Registers" }

const placeOf = (register: UserRegister): number => at.general + general[register as keyof typeof general] * 8
const rbx = placeOf("rbx")

export class Gate {
  private supervisor: ((entry: number) => void) | undefined
  /** By number; those that have ended are no more. */
  private readonly fibers: Array<Entry | undefined> = []
  /** The count at which the machine stops: a fiber does not run past it. */
  limit = Number.POSITIVE_INFINITY

  /** @throws if there is one already: a machine has one kernel. */
  install(supervisor: (entry: number) => void): void {
    if (this.supervisor) throw new Error("a machine has one kernel")
    this.supervisor = supervisor
  }

  /** The number by which threads enter this fiber. */
  add(fiber: Fiber): number {
    return this.fibers.push({ fiber, sequence: 0, waiting: { _tag: "Start" }, memory: undefined }) - 1
  }

  /** The gate instruction at `at.stoppedAt`. @throws `raised` #UD where it is not honoured, or what a gate raises. */
  enter(core: Core, input: number): void {
    if (core.privilege === 0 && this.supervisor) {
      this.supervisor(input)
      // Breakpoints are on what instructions do.
      core.mmu.touched = 0
      return
    }
    if (core.privilege !== 3 || !isInRom(core)) core.raise(vector.UD)
    const number = core.low(rbx) >>> 0
    const entry = number < this.fibers.length ? this.fibers[number] : undefined
    if (entry !== undefined && entry.sequence === core.high(rbx)) this.run(core, entry, number)
    else core.raise(vector.UD)
  }

  private run(core: Core, entry: Entry, number: number): void {
    if (entry.memory?.core !== core) entry.memory = threadMemory(core)
    let answer = answerOf(core, entry.waiting)
    for (;;) {
      if (answer === undefined) throw raised
      core.clock.charge(Charge.gate)
      const request = entry.fiber.resume(answer, core.clock.now(), entry.memory)
      switch (request._tag) {
        case "Syscall":
          setSyscall(core, request)
          entry.waiting = registers
          count(core, entry)
          return
        case "Read":
        case "Write":
          entry.waiting = { _tag: "Access", request }
          answer = perform(core, request)
          if (answer === undefined) {
            count(core, entry)
            throw raised
          }
          break
        case "Compute":
          core.clock.charge(request.operations * Charge.operation)
          answer = { _tag: "Continue" }
          break
        case "Fork":
          answer = { _tag: "Forked", fiber: this.add(request.fiber) }
          break
        case "Exit":
          this.fibers[number] = undefined
          stay(core)
          return
      }
      if (core.clock.isDue()) {
        entry.waiting = { _tag: "Answer", answer }
        count(core, entry)
        stay(core)
        return
      }
      if (core.clock.now() >= this.limit) {
        // The machine stops here and nobody can tell from its state: the gate is as good as not entered yet.
        entry.waiting = { _tag: "Answer", answer }
        core.clock.charge(-1)
        stay(core)
        return
      }
    }
  }
}

/** The gate is the first instruction of the ROM. */
const isInRom = (core: Core): boolean => {
  const low = core.low(at.stoppedAt)
  const found = core.mmu.executable(low, core.high(at.stoppedAt))
  return found !== fault && core.mmu.host(found, low) === layout.rom
}

/** RIP stays at the gate. */
const stay = (core: Core): void => core.copy(at.stoppedAt, at.rip)

const count = (core: Core, entry: Entry): void => {
  entry.sequence = (entry.sequence + 1) | 0
  core.set(rbx, core.low(rbx), entry.sequence)
}

/** The answer that a fiber waits for; undefined if its access raises an exception again. */
const answerOf = (core: Core, waiting: Waiting): Answer | undefined => {
  switch (waiting._tag) {
    case "Start":
      return { _tag: "Start", argument: core.mmu.memory.u64[wordOf("rdi")]! }
    case "Registers": {
      const { memory } = core.mmu
      return {
        _tag: "Syscall",
        badge: wordAt(memory, word.capability),
        info: wordAt(memory, word.info),
        mr0: wordAt(memory, word.mr0),
        mr1: wordAt(memory, word.mr1),
        mr2: wordAt(memory, word.mr2),
        mr3: wordAt(memory, word.mr3)
      }
    }
    case "Access":
      return perform(core, waiting.request)
    case "Answer":
      return waiting.answer
  }
}

/** Where the words of a system call are: numbers of words of the state block. */
const wordOf = (register: UserRegister): number => placeOf(register) / 8
const word = {
  number: wordOf(syscall.number),
  capability: wordOf(syscall.capability),
  info: wordOf(syscall.info),
  reply: wordOf(syscall.reply),
  destination: wordOf(syscall.destination),
  mr0: wordOf(syscall.message[0]),
  mr1: wordOf(syscall.message[1]),
  mr2: wordOf(syscall.message[2]),
  mr3: wordOf(syscall.message[3])
} as const

/** Bigints that need not be made: most words are one of them. */
const small: ReadonlyArray<bigint> = Array.from({ length: 0x400 }, (_, value) => BigInt(value))

const wordAt = ({ i32, u64 }: PhysicalMemory, index: number): bigint => {
  const lo = i32[2 * index]! >>> 0
  return lo < small.length && i32[2 * index + 1] === 0 ? small[lo]! : u64[index]!
}

/** Of what is more than 64 bits, the lower 64. */
const setSyscall = (core: Core, request: Request & { readonly _tag: "Syscall" }): void => {
  const { u64 } = core.mmu.memory
  u64[word.number] = request.number
  u64[word.capability] = request.capability
  u64[word.info] = request.info
  u64[word.reply] = request.reply
  u64[word.destination] = request.destination
  u64[word.mr0] = request.mr0
  u64[word.mr1] = request.mr1
  u64[word.mr2] = request.mr2
  u64[word.mr3] = request.mr3
}

/** What a fiber asked of its thread's memory. Undefined if it raises an exception: what was written stays, to be written again. */
const perform = (core: Core, request: Request & { readonly _tag: "Read" | "Write" }): Answer | undefined => {
  const [lo, hi] = [Word.lowOf(request.address), Word.highOf(request.address)]
  if (request._tag === "Write") return access(core, "Write", lo, hi, request.bytes) ? { _tag: "Written" } : undefined
  const bytes = new Uint8Array(request.length)
  return access(core, "Read", lo, hi, bytes) ? { _tag: "Read", bytes } : undefined
}

const threadMemory = (core: Core): ThreadMemory & { readonly core: Core } => ({
  core,
  read: (address, into) => access(core, "Read", address | 0, Math.floor(address / 2 ** 32) | 0, into),
  write: (address, bytes) => access(core, "Write", address | 0, Math.floor(address / 2 ** 32) | 0, bytes)
})

/** An access to the thread's memory by its own rights, page by page. False if an exception is to be raised. */
const access = (core: Core, way: "Read" | "Write", startLow: number, startHigh: number, bytes: Uint8Array): boolean => {
  core.clock.charge(Charge.access + Math.ceil(bytes.length / 8) * Charge.accessWord)
  for (let done = 0; done < bytes.length; ) {
    const [lo, hi] = [lowOf(startLow, done), highOf(startLow, startHigh, done)]
    const part = bytes.subarray(done, Math.min(bytes.length, done + pageSize - (lo & 0xfff)))
    const isDone =
      way === "Read" ? core.mmu.readBytes(mode.user, lo, hi, part) : core.mmu.writeBytes(mode.user, lo, hi, part)
    if (!isDone) return false
    done += part.length
  }
  return true
}
