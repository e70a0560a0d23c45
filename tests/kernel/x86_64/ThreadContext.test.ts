import { assert, describe, it } from "@effect/vitest"
import { Selector } from "../../../src/kernel/x86_64/Descriptors.ts"
import { Offset } from "../../../src/kernel/x86_64/Image.ts"
import { Frame, initialFlags, make, Register, sanitised } from "../../../src/kernel/x86_64/ThreadContext.ts"
import { processorWords, userContext } from "../../../src/types/x86_64/Registers.ts"
import { memoryOf, processor } from "./machine.ts"

const image = 0x10_0000
const alice = 0x200
const bob = 0x400
const linkedLow = 0x8000_0000 | 0

const names = Object.keys(processorWords) as (keyof typeof processorWords)[]

const stage = () => {
  const memory = memoryOf(new Uint8Array(image + Offset.stackTop))
  const cpu = processor()
  const contexts = make(memory, cpu, image)
  /** Every register has a value of its own, in both halves. */
  const fill = (seed: number) => {
    for (const name of names) {
      cpu.registers[2 * processorWords[name]] = seed + processorWords[name]
      cpu.registers[2 * processorWords[name] + 1] = 0x100 + seed + processorWords[name]
    }
  }
  const register = (name: (typeof names)[number]) => [
    cpu.registers[2 * processorWords[name]],
    cpu.registers[2 * processorWords[name] + 1]
  ]
  const word = (context: number, index: number) => [
    memory.load32(context + 8 * index),
    memory.load32(context + 8 * index + 4)
  ]
  return { memory, cpu, contexts, fill, register, word }
}

describe("a thread's context", () => {
  it("has a word for each register that programs read and write, and one for where it goes on", () => {
    assert.deepStrictEqual(new Set(Object.keys(Register)), new Set([...userContext, "next"]))
    assert.deepStrictEqual(
      Object.values(Register).toSorted((a, b) => a - b),
      Array.from({ length: 21 }, (_, index) => index)
    )
  })

  it("after SYSCALL has RIP at the instruction, and goes on behind it", () => {
    const { contexts, cpu, fill, word } = stage()
    fill(1000)
    cpu.registers.set([0x40_0002, 0], 2 * processorWords.rcx)
    cpu.registers.set([0x246, 0], 2 * processorWords.r11)
    contexts.saveSyscall(alice)
    assert.deepStrictEqual(word(alice, Register.rip), [0x40_0000, 0])
    assert.deepStrictEqual(word(alice, Register.next), [0x40_0002, 0])
    assert.deepStrictEqual(word(alice, Register.rflags), [0x246, 0])
    assert.deepStrictEqual(word(alice, Register.r15), [1015, 0x100 + 1015])
    assert.deepStrictEqual(word(alice, Register.gsBase), [1018, 0x100 + 1018])
  })

  it("borrows from the upper half when SYSCALL lies across 4 GiB", () => {
    const { contexts, cpu, word } = stage()
    cpu.registers.set([1, 7], 2 * processorWords.rcx)
    contexts.saveSyscall(alice)
    assert.deepStrictEqual(word(alice, Register.rip), [-1, 6])
  })

  it("comes back by SYSRET as it was saved, another one having run between", () => {
    const { contexts, cpu, fill, register } = stage()
    const flags = () => cpu.registers.set([0x202, 0], 2 * processorWords.r11)
    fill(1000)
    flags()
    contexts.saveSyscall(alice)
    fill(5000)
    flags()
    contexts.saveSyscall(bob)
    contexts.restore(alice)
    for (const name of names.filter((name) => name !== "rip" && name !== "r11")) {
      assert.deepStrictEqual(register(name), [1000 + processorWords[name], 1256 + processorWords[name]], name)
    }
    assert.deepStrictEqual(register("rip"), [linkedLow + Offset.sysret, -1])
    assert.strictEqual(cpu.registers[2 * processorWords.rsp], 1004)
  })

  it("comes back by IRET where RCX and R11 are the program's own", () => {
    const { contexts, fill, memory, register } = stage()
    fill(1000)
    const frame = new Int32Array(2 * Frame.words)
    frame.set([0x1234, 5], 2 * Frame.rip)
    frame.set([0x202, 0], 2 * Frame.rflags)
    frame.set([0x7000, 6], 2 * Frame.rsp)
    contexts.saveInterrupt(alice, frame)
    fill(5000)
    contexts.restore(alice)
    assert.deepStrictEqual(register("rip"), [linkedLow + Offset.iret, -1])
    const rsp = Offset.stackTop - 40
    assert.deepStrictEqual(register("rsp"), [linkedLow + rsp, -1])
    const pushed = Array.from({ length: 10 }, (_, index) => memory.load32(image + rsp + 4 * index))
    assert.deepStrictEqual(pushed, [0x1234, 5, Selector.userCode, 0, 0x202, 0, 0x7000, 6, Selector.userData, 0])
    assert.deepStrictEqual(register("rcx"), [1001, 0x100 + 1001])
    assert.deepStrictEqual(register("fsBase"), [1017, 0x100 + 1017])
  })

  it("comes back by IRET after a system call that is to be made again", () => {
    const { contexts, fill, memory, register } = stage()
    fill(1000)
    contexts.saveSyscall(alice)
    memory.store32(alice + 8 * Register.next, memory.load32(alice + 8 * Register.rip))
    contexts.restore(alice)
    assert.deepStrictEqual(register("rip"), [linkedLow + Offset.iret, -1])
  })

  it("comes back by IRET with RF, which SYSRET would lose", () => {
    const { contexts, cpu, fill, register } = stage()
    fill(1000)
    cpu.registers.set([0x1_0202, 0], 2 * processorWords.r11)
    contexts.saveSyscall(alice)
    contexts.restore(alice)
    assert.deepStrictEqual(register("rip"), [linkedLow + Offset.iret, -1])
  })
})

describe("a register that a program sets", () => {
  it("keeps a thread interruptible and unprivileged", () => {
    assert.deepStrictEqual(sanitised(Register.rflags, -1, -1), { low: 0xfd7, high: 0 })
    assert.deepStrictEqual(sanitised(Register.rflags, 0, 0), { low: initialFlags, high: 0 })
  })

  it("is no address that the processor would refuse", () => {
    for (const register of [Register.rip, Register.fsBase, Register.gsBase]) {
      assert.deepStrictEqual(sanitised(register, 5, 0x8000), { low: 0, high: 0 })
      assert.deepStrictEqual(sanitised(register, 5, 0xffff_7fff | 0), { low: 0, high: 0 })
      assert.deepStrictEqual(sanitised(register, 5, 0x7fff), { low: 5, high: 0x7fff })
      assert.deepStrictEqual(sanitised(register, 5, 0xffff_8000 | 0), { low: 5, high: 0xffff_8000 | 0 })
    }
    assert.deepStrictEqual(sanitised(Register.rsp, 5, 0x8000), { low: 5, high: 0x8000 })
  })
})
