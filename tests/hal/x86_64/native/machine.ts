/** Cases run by a whole machine, in user mode: instructions, and the system operations that they end in. */
import { raised } from "../../../../src/hal/x86_64/memory/Access.ts"
import { makePlain } from "../../../../src/hal/x86_64/processor/plain.ts"
import type { Reading } from "../../../../src/hal/x86_64/processor/Reading.ts"
import { at, cause } from "../../../../src/hal/x86_64/processor/State.ts"
import type { Core } from "../../../../src/hal/x86_64/system/Core.ts"
import { loadTask, setFlat } from "../../../../src/hal/x86_64/system/descriptors.ts"
import { writeMsr } from "../../../../src/hal/x86_64/system/msr.ts"
import { operationOf } from "../../../../src/hal/x86_64/system/operations.ts"
import { CR4, EFER, system } from "../../../../src/hal/x86_64/system/registers.ts"
import { Board, gdt, P, pml4, RW, tss, US, XD } from "../board.ts"
import { gsBase, place } from "./cases.ts"
import { descriptors, userCode, userData } from "./operations.ts"
import type { Runner } from "./read.ts"
import { caseAt, completed, copyWords, outcomeAt, putRest, putWord, type States } from "./states.ts"
import { allState } from "./vectors.ts"
import { putX87State, takeX87State } from "./x87.ts"

const [dataAt, codeAt] = [0x20_0000, 0x21_0000] as const
const task = 0x40
const kernel = 0xffff_8000_0000_0000n
const upper = Number(BigInt.asIntN(32, kernel >> 32n))
const IA32_EFER = 0xc000_0080

export class MachineRunner implements Runner {
  readonly memory: Uint8Array
  readonly hasWritten = true
  private readonly core: Core
  private readonly reading: Reading
  private readonly data: Uint8Array
  private readonly code: Uint8Array
  private original: Uint8Array = new Uint8Array(0)

  constructor() {
    let reading: Reading | undefined
    const board = new Board((parts) => {
      reading = makePlain(parts)
      return reading
    })
    this.reading = reading!
    const { core, memory } = board.machine
    this.core = core
    board.machine.start(place.start, pml4)
    core.set(at.cr4, CR4.PAE | CR4.OSFXSR | CR4.OSXMMEXCPT | CR4.OSXSAVE, 0)
    core.set(at.xcr0, Number(allState), 0)
    writeMsr(core, IA32_EFER, EFER.LME | EFER.LMA | EFER.NXE, 0)
    for (let offset = 0; offset < place.readable; offset += 0x1000)
      board.map(BigInt(place.data + offset), dataAt + offset, P | US | XD | (offset < place.writable ? RW : 0n))
    board.map(BigInt(place.code), codeAt, P | US | RW)
    // Where the operating system's own memory is.
    board.map(kernel + BigInt(gdt), gdt, P | RW)
    for (const [selector, descriptor] of descriptors) board.put64(gdt + selector, descriptor)
    core.set(system.gdtrBase, gdt, upper)
    core.set(system.gdtrLimit, 0x7f, 0)
    // A TSS without a map of ports: none is allowed.
    board.put64(gdt + task, 0x0000_8900_0000_0067n | (BigInt(tss) << 16n)).put64(gdt + task + 8, kernel >> 32n)
    board.put(tss + 102, 0x68, 0)
    loadTask(core, task)
    this.memory = memory.ram(dataAt, place.writable)
    this.data = memory.ram(dataAt, place.readable)
    this.code = memory.ram(codeAt, place.codeBytes)
  }

  setData(data: Uint8Array): void {
    this.original = data.subarray(0, place.writable)
    this.data.set(data)
  }

  setCode(code: Uint8Array): void {
    this.code.fill(0xcc)
    this.code.set(code, place.start - place.code)
  }

  run(cases: States, start: number, outcomes: States, into: number): void {
    const { core } = this
    const { i32 } = core
    const [{ words }, from] = [cases, start >> 2]
    this.memory.set(this.original)
    setFlat(core, userCode, userData, 3, 64)
    copyWords(words, from + (caseAt.registers >> 2), i32, at.general >> 2, 32)
    copyWords(words, from + (caseAt.vectors >> 2), i32, at.vectors >> 2, 128)
    copyWords(words, from + (caseAt.mxcsr >> 2), i32, at.mxcsr >> 2, 2)
    putX87State(i32, words, from + (caseAt.x87 >> 2))
    core.set(at.gsBase, Number(gsBase), 0)
    core.set(at.rip, place.start, 0)
    core.setRflags(words[from + (caseAt.rflags >> 2)]!)
    const isRaised = !this.step()

    const to = outcomes.words
    const put = into >> 2
    copyWords(i32, at.general >> 2, to, put + (outcomeAt.registers >> 2), 32)
    copyWords(i32, at.vectors >> 2, to, put + (outcomeAt.vectors >> 2), 128)
    copyWords(i32, at.mxcsr >> 2, to, put + (outcomeAt.mxcsr >> 2), 2)
    copyWords(i32, at.rip >> 2, to, put + (outcomeAt.rip >> 2), 2)
    copyWords(i32, at.faultAddress >> 2, to, put + (outcomeAt.cr2 >> 2), 2)
    takeX87State(i32, to, put + (outcomeAt.x87 >> 2))
    putWord(to, put + (outcomeAt.rflags >> 2), core.rflags())
    putWord(to, put + (outcomeAt.vector >> 2), isRaised ? core.low(at.vector) : completed)
    putWord(to, put + (outcomeAt.error >> 2), isRaised ? core.low(at.errorCode) : 0)
    putRest(to, into)
  }

  /** False: it raised the exception in the state block. A repetition goes on to its end. */
  private step(): boolean {
    const { core } = this
    for (let most = 100_000; most > 0; most--) {
      if (!this.stepOnce()) return false
      if (core.low(at.rip) !== place.start) return true
    }
    throw new Error("an instruction does not end")
  }

  private stepOnce(): boolean {
    const { core } = this
    this.reading.step()
    if (core.low(at.cause) === cause.fault) return false
    if (core.low(at.cause) !== cause.system) return true
    try {
      operationOf[core.low(at.detail)]!(core)
      return true
    } catch (reason) {
      if (reason !== raised) throw reason
      core.copy(at.stoppedAt, at.rip)
      return false
    }
  }
}
