import { assert, describe, it } from "@effect/vitest"
import { Tcb, ThreadState } from "../../../src/kernel/Tcb.ts"
import { ArchData } from "../../../src/kernel/x86_64/ArchData.ts"
import { Offset } from "../../../src/kernel/x86_64/Image.ts"
import { Vector } from "../../../src/kernel/x86_64/Vectors.ts"
import { syscalls } from "../../../src/types/Syscall.ts"
import { linked, machine } from "./booted.ts"

/** A machine in which the root task runs. */
const running = () => {
  const pc = machine()
  pc.boot()
  const thread = ArchData.running.load(pc.memory, pc.image.start + Offset.archData)
  const state = () => Tcb.state.load(pc.memory, thread)
  const call = (number: number) => {
    pc.set("rdx", BigInt.asUintN(64, BigInt(number)))
    return pc.syscall()
  }
  return { pc, thread, state, call }
}

describe("a system call", () => {
  it("comes back behind its instruction, by SYSRET, with every other register as it was", () => {
    const { pc, call } = running()
    for (const name of ["rax", "rbx", "rsp", "rbp", "r12", "r13", "r14", "fsBase", "gsBase"] as const) pc.set(name, 77n)
    pc.set("rip", 0x40_0123n)
    assert.deepStrictEqual(call(syscalls.Yield), { by: "sysret", rflags: 0x202n })
    assert.strictEqual(pc.get("rip"), 0x40_0123n)
    for (const name of ["rax", "rbx", "rsp", "rbp", "r12", "r13", "r14", "fsBase", "gsBase"] as const)
      assert.strictEqual(pc.get(name), 77n)
  })

  it("that faults without a handler leaves the processor idle", () => {
    const { pc, call } = running()
    pc.set("rdi", 0n)
    assert.strictEqual(call(syscalls.Recv).by, "idle")
  })

  it("of no number that there is, is a fault: a thread without handler stops", () => {
    const { pc, call, state } = running()
    assert.strictEqual(call(0).by, "idle")
    assert.strictEqual(state(), ThreadState.inactive)
    assert.deepStrictEqual(pc.printed.length, 1)
  })
})

describe("an exception of a program's", () => {
  it("stops a thread without handler, and the processor idles in the kernel's own address space", () => {
    const { pc, state } = running()
    assert.deepStrictEqual(pc.interrupt(Vector.UD), { by: "idle", rflags: 0x202n })
    assert.strictEqual(state(), ThreadState.inactive)
    assert.strictEqual(pc.get("rsp"), linked + BigInt(Offset.stackTop))
  })
})

describe("a timer's interrupt", () => {
  it("comes back where the program was, by IRET, and is told to be over", () => {
    const { pc } = running()
    pc.set("rip", 0x40_0777n)
    pc.set("rsp", 0x7000n)
    pc.set("rcx", 5n)
    assert.deepStrictEqual(pc.interrupt(Vector.timer, { rflags: 0x283n }), { by: "iret", rflags: 0x283n })
    assert.strictEqual(pc.get("rip"), 0x40_0777n)
    assert.strictEqual(pc.get("rsp"), 0x7000n)
    assert.strictEqual(pc.get("rcx"), 5n)
    assert.strictEqual(pc.time.handled, 1)
  })

  it("while nobody runs leaves nobody running", () => {
    const { pc } = running()
    pc.interrupt(Vector.UD)
    pc.set("rip", linked + BigInt(Offset.idle) + 2n)
    assert.strictEqual(pc.interrupt(Vector.timer, { cs: 8n }).by, "idle")
  })
})

describe("a spurious interrupt", () => {
  it("comes back, and is not told to be over", () => {
    const { pc } = running()
    pc.set("rip", 0x40_0777n)
    assert.strictEqual(pc.interrupt(Vector.spurious).by, "iret")
    assert.strictEqual(pc.get("rip"), 0x40_0777n)
    assert.strictEqual(pc.time.handled, 0)
  })
})

describe("an exception of the kernel's own", () => {
  it("stops the machine, naming the exception, where it was and which address was refused", () => {
    const { pc } = running()
    pc.set("rip", linked + BigInt(Offset.syscall))
    assert.throws(
      () => pc.interrupt(Vector.PF, { cs: 8n, code: 3n, cr2: 0xffff_8000_0010_0000n }),
      /#PF \(error code 3\) at RIP FFFFFFFF800000[0-9A-F]+H, address FFFF800000100000H/
    )
    assert.throws(() => pc.interrupt(Vector.GP, { cs: 8n }), /#GP/)
  })

  it("while idling is one too", () => {
    const { pc } = running()
    pc.set("rip", linked + BigInt(Offset.idle))
    assert.throws(() => pc.interrupt(Vector.UD, { cs: 8n }), /#UD/)
  })

  it("cannot be a double fault or a machine check of a program's", () => {
    for (const vector of [Vector.DF, Vector.MC, Vector.NMI]) {
      const { pc } = running()
      assert.throws(() => pc.interrupt(vector), /while a program ran/)
    }
  })
})
