import { assert, describe, it } from "@effect/vitest"
import * as Kernel from "../../../src/kernel/Kernel.ts"
import * as Notification from "../../../src/kernel/Notification.ts"
import * as Scheduler from "../../../src/kernel/Scheduler.ts"
import { architectureAt, Tcb, ThreadState } from "../../../src/kernel/Tcb.ts"
import * as Thread from "../../../src/kernel/Thread.ts"
import { ArchData, emptyGuest } from "../../../src/kernel/x86_64/ArchData.ts"
import { contextOf } from "../../../src/kernel/x86_64/Architecture.ts"
import { make as makeEntries } from "../../../src/kernel/x86_64/Entry.ts"
import * as Fpu from "../../../src/kernel/x86_64/Fpu.ts"
import { Entry, Offset } from "../../../src/kernel/x86_64/Image.ts"
import * as ThreadContext from "../../../src/kernel/x86_64/ThreadContext.ts"
import { slots } from "../../../src/types/BootInfo.ts"
import { messageWord } from "../../../src/types/IpcBuffer.ts"
import { syscalls } from "../../../src/types/Syscall.ts"
import { ExitReason } from "../../../src/types/x86_64/ExitReason.ts"
import * as ASIDPool from "../../../src/types/x86_64/methods/ASIDPool.ts"
import * as TCB from "../../../src/types/x86_64/methods/TCB.ts"
import * as VCPU from "../../../src/types/x86_64/methods/VCPU.ts"
import { processorWords } from "../../../src/types/x86_64/Registers.ts"
import { SystemRegister } from "../../../src/types/x86_64/SystemRegister.ts"
import { VmcsField } from "../../../src/types/x86_64/VmcsField.ts"
import * as VmEnter from "../../../src/types/x86_64/VmEnter.ts"
import { Primary } from "../../../src/types/x86_64/VmxControls.ts"
import { boot, invoke, object, remove } from "./system.ts"

const at = { vcpu: 0x80_0000, other: 0x80_4000, root: 0x81_0000, notification: 0x82_0000 } as const
const linked = 0xffff_ffff_8000_0000n
const guestRip = 0x7c00n

type RegisterName = keyof typeof processorWords

/** A root task with a virtual processor, whose kernel is entered and left by hand. */
const monitor = () => {
  const system = boot()
  const { state, machine, memory, processor, thread } = system
  const kernel = Kernel.make(state)
  const contexts = ThreadContext.make(memory, processor, machine.image.start)
  const enter = makeEntries({ memory, time: system.time, contexts, kernel, machine })
  const vcpu = object(system, 15, at.vcpu)
  assert.deepStrictEqual(invoke(system, vcpu, VCPU.SetTCB.label, [], [slots.tcb]), [])
  kernel.start()

  const get = (name: RegisterName) => {
    const word = 2 * processorWords[name]
    return (BigInt((processor.registers[word + 1] ?? 0) >>> 0) << 32n) | BigInt((processor.registers[word] ?? 0) >>> 0)
  }
  const set = (name: RegisterName, value: bigint) => {
    const word = 2 * processorWords[name]
    processor.registers[word] = Number(BigInt.asIntN(32, value))
    processor.registers[word + 1] = Number(BigInt.asIntN(32, value >> 32n))
  }
  const fields = (structure: number = at.vcpu) => system.virtualization.structures.get(structure)!
  /** By which of its ways the kernel is left. */
  const way = () =>
    (["sysret", "iret", "idle", "launch", "resume"] as const).find(
      (name) => linked + BigInt(Offset[name]) === get("rip")
    )
  return {
    system,
    kernel,
    thread,
    vcpu,
    get,
    set,
    fields,
    /** The root task's VMEnter. */
    enter: (rip = guestRip, primary = 0n, event = 0n) => {
      set("rdx", BigInt.asUintN(64, BigInt(syscalls.VMEnter)))
      set("r10", rip)
      set("r8", primary)
      set("r9", event)
      set("rcx", 0x40_0010n)
      set("r11", 0x202n)
      enter(Entry.syscall)
      return way()
    },
    /** General registers, in the message of the next call: it has so many words. */
    say: (registers: ReadonlyArray<bigint>, length = BigInt(VmEnter.callWithRegisters)) => {
      set("rsi", length)
      set("r15", registers[0]!)
      const buffer = state.architecture.buffer(state, thread, "write")
      for (const [n, value] of registers.slice(1).entries()) {
        memory.store32(buffer + messageWord(4 + n), Number(BigInt.asIntN(32, value)))
        memory.store32(buffer + messageWord(4 + n) + 4, Number(BigInt.asIntN(32, value >> 32n)))
      }
    },
    /** The guest's exit: what the processor writes to the control structure. */
    exit: (reason: number, written: Readonly<Record<number, bigint>> = {}) => {
      fields().set(VmcsField.EXIT_REASON, BigInt(reason >>> 0))
      for (const [field, value] of Object.entries(written)) fields().set(Number(field), value)
      enter(Entry.guestExit)
      return way()
    },
    refuse: () => {
      enter(Entry.guestRefused)
      return way()
    },
    /** A word of the message that the thread has, once the kernel is left to it. */
    word: (name: VmEnter.ExitWord) => {
      const index = VmEnter.exit.indexOf(name)
      const register = (["r10", "r8", "r9", "r15"] as const)[index]
      if (register !== undefined) return get(register)
      const buffer = state.architecture.buffer(state, thread, "read")
      const place = buffer + messageWord(index)
      return (BigInt(memory.load32(place + 4) >>> 0) << 32n) | BigInt(memory.load32(place) >>> 0)
    },
    threadState: () => Tcb.state.load(memory, thread)
  }
}

const external = (vector: number) => ({ [VmcsField.EXIT_INTERRUPTION_INFORMATION]: 0x8000_0000n | BigInt(vector) })
const timerVector = 0x9e

describe("VMEnter", () => {
  it("runs the guest from where its first word says, with the kernel's controls and no more", () => {
    const it = monitor()
    assert.strictEqual(it.enter(guestRip, BigInt(Primary.HLT_EXITING)), "launch")
    assert.strictEqual(it.fields().get(VmcsField.GUEST_RIP), guestRip)
    const primary = Number(it.fields().get(VmcsField.PRIMARY_CONTROLS))
    assert.strictEqual(primary & Primary.HLT_EXITING, Primary.HLT_EXITING)
    assert.strictEqual(primary & Primary.USE_MSR_BITMAPS, Primary.USE_MSR_BITMAPS)
    assert.strictEqual(it.get("rsp"), linked + BigInt(Offset.stackTop))
    assert.strictEqual(it.threadState(), ThreadState.runsGuest)
  })

  it("takes of an event what has a meaning", () => {
    const it = monitor()
    it.enter(guestRip, 0n, 0xffff_ffff_ffff_ffffn)
    assert.strictEqual(it.fields().get(VmcsField.ENTRY_INTERRUPTION_INFORMATION), 0x8000_0fffn)
  })

  it("begins with the registers that the monitor wrote, and then with those the guest had", () => {
    const it = monitor()
    const values = Array.from({ length: 15 }, (_, index) => 0x1_0000_0000n * BigInt(index + 1) + 7n)
    invoke(it.system, it.vcpu, VCPU.WriteRegisters.label, values)
    assert.strictEqual(it.enter(), "launch")
    assert.deepStrictEqual(
      (["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r15"] as const).map(it.get),
      [0, 1, 2, 3, 4, 5, 6, 7, 14].map((index) => values[index])
    )
    it.set("rbx", 42n)
    it.exit(ExitReason.HLT)
    assert.strictEqual(it.enter(), "resume")
    assert.strictEqual(it.get("rbx"), 42n)
    assert.strictEqual(it.get("r15"), values[14])
  })

  it("begins with the registers that the call says, if its message has as many words: once", () => {
    const it = monitor()
    const values = Array.from({ length: 15 }, (_, index) => 0x1_0000_0000n * BigInt(index + 1) + 7n)
    it.say(values)
    assert.strictEqual(it.enter(), "launch")
    const names = ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r15"] as const
    assert.deepStrictEqual(
      names.map(it.get),
      [0, 1, 2, 3, 4, 5, 6, 7, 14].map((index) => values[index])
    )
    const { state } = it.system
    assert.strictEqual(state.architecture.registerLow(state, it.thread, state.architecture.convention.info), 0)
    it.set("rbx", 42n)
    it.exit(ExitReason.HLT)
    it.say(values, 17n)
    assert.strictEqual(it.enter(), "resume")
    assert.strictEqual(it.get("rbx"), 42n)
  })

  it("gives the guest its own IA32_TSC_AUX, of which programs see nothing", () => {
    const it = monitor()
    const { system } = it.system.processor
    invoke(it.system, it.vcpu, VCPU.WriteMSR.label, [SystemRegister.IA32_TSC_AUX, 7])
    it.enter()
    assert.strictEqual(system.get(SystemRegister.IA32_TSC_AUX), 7n)
    it.exit(ExitReason.HLT)
    assert.strictEqual(system.get(SystemRegister.IA32_TSC_AUX), 0n)
  })

  it("is a system call that there is not for a thread without a virtual processor", () => {
    const it = monitor()
    remove(it.system, it.vcpu)
    const { state } = it.system
    assert.isFalse(state.architecture.syscall(state, it.thread, syscalls.VMEnter))
  })

  it("comes back at once if the bound notification was signalled before", () => {
    const it = monitor()
    const { state } = it.system
    Notification.bind(state, at.notification, it.thread)
    Notification.signal(state, at.notification, 0b101, 0)
    it.enter(guestRip, 5n, 6n)
    assert.strictEqual(it.get("rsi"), BigInt(VmEnter.result.notification))
    assert.strictEqual(it.get("rdi"), 0b101n)
    assert.strictEqual(it.get("r10"), guestRip)
    assert.strictEqual(it.threadState(), ThreadState.running)
  })
})

describe("an exit", () => {
  it("comes back to the monitor with the words of the interface", () => {
    const it = monitor()
    it.enter()
    for (const [index, name] of (["rax", "rbx", "rcx", "r8", "r9", "r10", "r15"] as const).entries())
      it.set(name, 0x1000n + BigInt(index))
    it.exit(ExitReason.EPT_VIOLATION, {
      [VmcsField.GUEST_RIP]: 0x7c05n,
      [VmcsField.EXIT_QUALIFICATION]: 0x182n,
      [VmcsField.EXIT_INSTRUCTION_LENGTH]: 3n,
      [VmcsField.GUEST_PHYSICAL_ADDRESS]: 0xfee0_0300n,
      [VmcsField.GUEST_RFLAGS]: 0x246n,
      [VmcsField.GUEST_INTERRUPTIBILITY_STATE]: 1n,
      [VmcsField.GUEST_CR3]: 0x5000n
    })
    assert.strictEqual(it.get("rsi"), BigInt(VmEnter.result.exit))
    assert.strictEqual(it.get("rdi"), 0n)
    const { word } = it
    assert.deepStrictEqual(
      (["rip", "reason", "qualification", "instructionLength", "guestPhysicalAddress", "rflags"] as const).map(word),
      [0x7c05n, 48n, 0x182n, 3n, 0xfee0_0300n, 0x246n]
    )
    assert.deepStrictEqual((["interruptibility", "cr3"] as const).map(word), [1n, 0x5000n])
    assert.deepStrictEqual(
      (["rax", "rbx", "rcx", "r8", "r9", "r10", "r15"] as const).map(word),
      Array.from({ length: 7 }, (_, index) => 0x1000n + BigInt(index))
    )
    assert.strictEqual(it.get("rcx"), 0x40_0010n)
  })

  it("of a VM entry that failed comes back like others, and the next one begins anew", () => {
    const it = monitor()
    it.enter()
    it.exit(0x8000_0000 | ExitReason.INVALID_GUEST_STATE)
    assert.strictEqual(it.get("rsi"), BigInt(VmEnter.result.exit))
    assert.strictEqual(it.word("reason"), 0x8000_0021n)
    assert.strictEqual(it.enter(), "launch")
  })

  it("of a VM entry that the processor refused does so too, and the floating-point unit is nobody's to see", () => {
    const it = monitor()
    it.enter()
    it.refuse()
    assert.strictEqual(it.get("rsi"), BigInt(VmEnter.result.exit))
    assert.strictEqual(it.word("reason"), BigInt(VmEnter.refused))
    const TS = 1n << 3n
    assert.strictEqual((it.system.processor.system.get(SystemRegister.CR0) ?? 0n) & TS, TS)
    assert.strictEqual(it.enter(), "launch")
  })

  it("for the timer ends the guest's turn, not the call", () => {
    const it = monitor()
    it.enter()
    const way = it.exit(ExitReason.EXTERNAL_INTERRUPT, { ...external(timerVector), [VmcsField.GUEST_RIP]: 0x8000n })
    assert.strictEqual(way, "resume")
    assert.strictEqual(it.system.time.handled, 1)
    assert.strictEqual(it.threadState(), ThreadState.runsGuest)
  })

  it("leaves the kernel's GDT as long as it is, and no guest's way in for a program's system calls", () => {
    const it = monitor()
    const { system } = it.system.processor
    const kernels = system.get(SystemRegister.IA32_LSTAR)
    const { IA32_LSTAR } = SystemRegister
    invoke(it.system, it.vcpu, VCPU.WriteMSR.label, [IA32_LSTAR, 0x1234n])
    it.enter()
    assert.strictEqual(system.get(IA32_LSTAR), 0x1234n)
    system.set(IA32_LSTAR, 0x5678n)
    system.set(SystemRegister.GDTR_LIMIT, 0xffffn)
    it.exit(ExitReason.CPUID)
    assert.strictEqual(system.get(IA32_LSTAR), BigInt.asUintN(64, linked + BigInt(Offset.syscall)), `${kernels}`)
    assert.strictEqual(system.get(SystemRegister.GDTR_LIMIT), 55n)
    assert.deepStrictEqual(invoke(it.system, it.vcpu, VCPU.ReadMSR.label, [IA32_LSTAR]), [0x5678n])
  })

  it("leaves the guest's page-fault address to the guest", () => {
    const it = monitor()
    const { system } = it.system.processor
    it.enter()
    system.set(SystemRegister.CR2, 0x1111n)
    it.exit(ExitReason.CPUID)
    system.set(SystemRegister.CR2, 0x2222n)
    it.enter()
    assert.strictEqual(system.get(SystemRegister.CR2), 0x1111n)
  })
})

describe("a thread that runs a guest", () => {
  it("hears of its bound notification, and can go on where the guest was", () => {
    const it = monitor()
    const { state } = it.system
    Notification.bind(state, at.notification, it.thread)
    it.enter()
    it.exit(ExitReason.EXTERNAL_INTERRUPT, { ...external(timerVector), [VmcsField.GUEST_RIP]: 0x8000n })
    Notification.signal(state, at.notification, 4, 0)
    assert.strictEqual(it.threadState(), ThreadState.running)
    it.kernel.handleTimer()
    ThreadContext.make(state.memory, it.system.processor, it.system.machine.image.start).restore(contextOf(it.thread))
    assert.strictEqual(it.get("rsi"), BigInt(VmEnter.result.notification))
    assert.strictEqual(it.get("rdi"), 4n)
    assert.strictEqual(it.get("r10"), 0x8000n)
  })

  it("makes the call again when it was stopped and is resumed: from where the guest was", () => {
    const it = monitor()
    const { state } = it.system
    it.enter()
    it.exit(ExitReason.EXTERNAL_INTERRUPT, { ...external(timerVector), [VmcsField.GUEST_RIP]: 0x8000n })
    Thread.suspend(state, it.thread)
    Thread.resume(state, it.thread)
    Scheduler.schedule(state)
    Thread.activate(state)
    ThreadContext.make(state.memory, it.system.processor, it.system.machine.image.start).restore(contextOf(it.thread))
    // SYSCALL has two bytes.
    const stack = BigInt(Offset.stackTop - 40)
    const rip =
      it.get("rip") === linked + BigInt(Offset.sysret)
        ? it.get("rcx")
        : it.system.memory.load32(it.system.machine.image.start + Number(stack))
    assert.strictEqual(BigInt(rip), 0x40_000en)
    assert.strictEqual(it.get("r10"), 0x8000n)
  })

  it("runs none when its virtual processor is deleted, or given to another thread", () => {
    for (const end of ["delete", "give"] as const) {
      const it = monitor()
      it.enter()
      if (end === "delete") remove(it.system, it.vcpu)
      else {
        const other = object(it.system, 1, 0x83_0000)
        invoke(it.system, it.vcpu, VCPU.SetTCB.label, [], [other])
      }
      assert.strictEqual(it.threadState(), ThreadState.restart)
    }
  })

  it("has guests' memory from its own root alone, and none when that is gone", () => {
    const it = monitor()
    const { system } = it
    const pointer = () => it.fields().get(VmcsField.EPT_POINTER)
    const none = BigInt(emptyGuest(system.machine.archData)) | 0x1en
    it.enter()
    assert.strictEqual(pointer(), none)
    it.exit(ExitReason.HLT)
    const root = object(system, 16, at.root)
    assert.deepStrictEqual(invoke(system, slots.tcb, TCB.SetEPTRoot.label, [], [root]), { _tag: "IllegalOperation" })
    invoke(system, slots.asidPool, ASIDPool.Assign.label, [], [root])
    assert.deepStrictEqual(invoke(system, slots.tcb, TCB.SetEPTRoot.label, [], [slots.cnode]), {
      _tag: "InvalidCapability",
      index: 1
    })
    assert.deepStrictEqual(invoke(system, slots.tcb, TCB.SetEPTRoot.label, [], [root]), [])
    it.enter()
    assert.strictEqual(pointer(), BigInt(at.root) | 0x1en)
    it.exit(ExitReason.HLT)
    // The pool that gave the root its ASID is deleted.
    remove(system, slots.asidPool)
    it.enter()
    assert.strictEqual(pointer(), none)
  })

  it("shares no floating-point register with its guest", () => {
    const it = monitor()
    const { system } = it
    const images: Array<string> = []
    const { processor } = system
    Object.assign(processor, {
      saveFloatingPoint: (image: number) => void images.push(`save ${image.toString(16)}`),
      loadFloatingPoint: (image: number) => void images.push(`load ${image.toString(16)}`)
    })
    const own = (it.thread + architectureAt + 0x100).toString(16)
    const guests = (at.vcpu + 0x3100).toString(16)
    assert.isTrue(Fpu.take(system.state, system.machine, it.thread))
    it.enter()
    it.exit(ExitReason.HLT)
    it.enter()
    it.exit(ExitReason.HLT)
    assert.isTrue(Fpu.take(system.state, system.machine, it.thread))
    assert.deepStrictEqual(images, [`load ${own}`, `save ${own}`, `load ${guests}`, `save ${guests}`, `load ${own}`])
  })

  it("returns to the address space that it runs in", () => {
    const it = monitor()
    it.enter()
    const { memory, machine } = it.system
    const space = ArchData.root.load(memory, machine.archData) + ArchData.asid.load(memory, machine.archData)
    assert.strictEqual(it.fields().get(VmcsField.HOST_CR3), BigInt(space))
    assert.strictEqual(it.fields().get(VmcsField.HOST_RIP), linked + BigInt(Offset.guestExit))
  })
})
