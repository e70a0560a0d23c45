/** Cases run by a whole machine, in user mode: instructions, and the system operations that they end in. */
import { raised } from "../../../../src/hal/x86_64/memory/Access.ts"
import { makePlain } from "../../../../src/hal/x86_64/processor/plain.ts"
import type { Reading } from "../../../../src/hal/x86_64/processor/Reading.ts"
import { at, cause, registerNames } from "../../../../src/hal/x86_64/processor/State.ts"
import type { Core } from "../../../../src/hal/x86_64/system/Core.ts"
import { loadTask, setFlat } from "../../../../src/hal/x86_64/system/descriptors.ts"
import { writeMsr } from "../../../../src/hal/x86_64/system/msr.ts"
import { operationOf } from "../../../../src/hal/x86_64/system/operations.ts"
import { CR4, EFER, system } from "../../../../src/hal/x86_64/system/registers.ts"
import { putImage, takeImage } from "../../../../src/hal/x86_64/system/x87/environment.ts"
import { unitOf } from "../../../../src/hal/x86_64/system/x87/operations.ts"
import { Board, gdt, P, pml4, RW, tss, US, XD } from "../board.ts"
import { type Case, gsBase, place } from "./cases.ts"
import { descriptors, userCode, userData } from "./operations.ts"
import { comparedFlags, type Outcome } from "./outcome.ts"
import { allState, setVectorState, vectorState } from "./vectors.ts"
import { imageBytes, viewOf } from "./x87.ts"

const [dataAt, codeAt] = [0x20_0000, 0x21_0000] as const
const task = 0x40
const kernel = 0xffff_8000_0000_0000n
const upper = Number(BigInt.asIntN(32, kernel >> 32n))
const IA32_EFER = 0xc000_0080

/** What runs a case, and then the next. */
export const machineReader = (data: Uint8Array): ((test: Case) => Outcome) => {
  let reading: Reading | undefined
  const board = new Board((parts) => {
    reading = makePlain(parts)
    return reading
  })
  const { core, memory } = board.machine
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
  const bytes = memory.ram(dataAt, place.writable)
  const original = data.subarray(0, place.writable)
  memory.ram(dataAt, data.length).set(data)

  /** The exception, if there is one. */
  const step = (): boolean => {
    reading!.step()
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

  return (test) => {
    bytes.set(original)
    memory.ram(codeAt, place.codeBytes).fill(0xcc)
    memory.ram(codeAt + place.start - place.code, test.code.length).set(test.code)
    setFlat(core, userCode, userData, 3, 64)
    test.registers.forEach((value, i) => {
      board.set(registerNames[i]!, value)
    })
    setVectorState(core.view, test)
    takeImage(unitOf(core), viewOf(test.x87), true)
    core.set(at.gsBase, Number(gsBase), 0)
    core.set(at.rip, place.start, 0)
    core.setRflags(Number(test.rflags))
    const completed = step()
    const changes = new Map<number, number>()
    for (let i = 0; i < original.length; i++) if (bytes[i] !== original[i]) changes.set(i, bytes[i]!)
    return {
      registers: registerNames.map((name) => board.get(name)),
      ...vectorState(core.view),
      x87: imageOf(core),
      rflags: BigInt(core.rflags()) & comparedFlags,
      rip: board.get("rip"),
      exception: completed
        ? undefined
        : { vector: core.low(at.vector), errorCode: core.low(at.errorCode), address: board.word(at.faultAddress) },
      changes
    }
  }
}

const imageOf = (core: Core): Uint8Array => {
  const image = new Uint8Array(imageBytes)
  putImage(unitOf(core), viewOf(image), true)
  return image
}
