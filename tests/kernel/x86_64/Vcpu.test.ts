import { assert, describe, it } from "@effect/vitest"
import { ArchData, msrBitmap, Vpid, vpidAt, vpids, x2ApicBitmap } from "../../../src/kernel/x86_64/ArchData.ts"
import { Vector } from "../../../src/kernel/x86_64/Vectors.ts"
import { slots } from "../../../src/types/BootInfo.ts"
import { objectTypes } from "../../../src/types/ObjectType.ts"
import { right, wordKeeping } from "../../../src/types/Rights.ts"
import { invalidCapability } from "../../../src/types/SyscallError.ts"
import * as FrameMethods from "../../../src/types/x86_64/methods/Frame.ts"
import * as IOPortControl from "../../../src/types/x86_64/methods/IOPortControl.ts"
import * as Methods from "../../../src/types/x86_64/methods/VCPU.ts"
import { SystemRegister } from "../../../src/types/x86_64/SystemRegister.ts"
import { VmcsField } from "../../../src/types/x86_64/VmcsField.ts"
import { PinBased, Primary, Secondary } from "../../../src/types/x86_64/VmxControls.ts"
import { boot, copy, invoke, object, remove, type System } from "./system.ts"

const type = { TCB: 1, VCPU: 15 } as const
const at = (index: number) => 0x80_0000 + index * 0x4000

const vcpu = (system: System, index = 0): number => object(system, type.VCPU, at(index))
const thread = (system: System, index: number): number => object(system, type.TCB, 0xa0_0000 + index * 0x800)

const write = (system: System, target: number, field: number, value: number | bigint) =>
  invoke(system, target, Methods.WriteVMCS.label, [field, value])
const read = (system: System, target: number, field: number) => invoke(system, target, Methods.ReadVMCS.label, [field])
const setTcb = (system: System, target: number, tcb: number) => invoke(system, target, Methods.SetTCB.label, [], [tcb])

const fieldOf = (system: System, index: number, field: number): number =>
  Number(system.virtualization.structures.get(at(index))?.get(field) ?? 0n)

/** Whether a guest's use of a port is an exit. */
const exits = ({ memory }: System, port: number, index = 0): boolean =>
  ((memory.load8(at(index) + 0x1000 + (port >>> 3)) >>> (port & 7)) & 1) !== 0

const ports = (system: System, first: number, last: number): number => {
  const slot = system.empty()
  const answer = invoke(system, slots.ioPortControl, IOPortControl.Issue.label, [first, last, slot, 64], [slots.cnode])
  assert.deepStrictEqual(answer, [])
  return slot
}
const enable = (system: System, target: number, cap: number, low: number, high: number) =>
  invoke(system, target, Methods.EnableIOPort.label, [low, high], [cap])

describe("a virtual processor", () => {
  it("is made so that interrupts end its turn, and that it has no IO port and no register of the machine's", () => {
    const system = boot()
    vcpu(system)
    assert.strictEqual(fieldOf(system, 0, VmcsField.PIN_BASED_CONTROLS) & PinBased.EXTERNAL_INTERRUPT_EXITING, 1)
    const primary = fieldOf(system, 0, VmcsField.PRIMARY_CONTROLS)
    for (const needed of [Primary.USE_IO_BITMAPS, Primary.USE_MSR_BITMAPS, Primary.CR8_LOAD_EXITING])
      assert.strictEqual(primary & needed, needed)
    for (const port of [0, 0x3f8, 0x7fff, 0x8000, 0xffff]) assert.isTrue(exits(system, port))
  })

  it("takes what a monitor writes to it, as wide as the field is", () => {
    const system = boot()
    const target = vcpu(system)
    assert.deepStrictEqual(write(system, target, VmcsField.GUEST_RSP, 0xfedc_ba98_7654_3210n), [0xfedc_ba98_7654_3210n])
    assert.deepStrictEqual(read(system, target, VmcsField.GUEST_RSP), [0xfedc_ba98_7654_3210n])
    assert.deepStrictEqual(write(system, target, VmcsField.GUEST_CS_SELECTOR, 0x1_2345), [0x2345n])
    assert.deepStrictEqual(read(system, target, VmcsField.GUEST_CS_SELECTOR), [0x2345n])
    assert.deepStrictEqual(write(system, target, VmcsField.GUEST_CS_LIMIT, 0x1_ffff_ffffn), [0xffff_ffffn])
  })

  it("keeps the controls that the kernel needs and gets none that is not offered, whatever a monitor writes", () => {
    const system = boot()
    const target = vcpu(system)
    const cases = [
      [VmcsField.PIN_BASED_CONTROLS, 0, PinBased.EXTERNAL_INTERRUPT_EXITING, true],
      [VmcsField.PIN_BASED_CONTROLS, -1, PinBased.PROCESS_POSTED_INTERRUPTS, false],
      [VmcsField.PRIMARY_CONTROLS, 0, Primary.USE_IO_BITMAPS, true],
      [VmcsField.PRIMARY_CONTROLS, 0, Primary.CR8_LOAD_EXITING, true],
      [VmcsField.PRIMARY_CONTROLS, -1, Primary.USE_TPR_SHADOW, false],
      [VmcsField.SECONDARY_CONTROLS, 0, Secondary.ENABLE_EPT, true],
      [VmcsField.SECONDARY_CONTROLS, 0, Secondary.ENABLE_VPID, true],
      [VmcsField.SECONDARY_CONTROLS, -1, Secondary.ENABLE_PML, false],
      [VmcsField.SECONDARY_CONTROLS, -1, Secondary.VMCS_SHADOWING, false],
      [VmcsField.SECONDARY_CONTROLS, -1, Secondary.ENABLE_VM_FUNCTIONS, false],
      [VmcsField.SECONDARY_CONTROLS, -1, Secondary.VIRTUALIZE_APIC_ACCESSES, false]
    ] as const
    for (const [field, value, bit, isSet] of cases) {
      const written = write(system, target, field, value >>> 0)
      assert(Array.isArray(written))
      assert.strictEqual((Number(BigInt.asIntN(32, written[0] as bigint)) & bit) !== 0, isSet, `${field} ${bit}`)
      assert.deepStrictEqual(read(system, target, field), written)
    }
  })

  it("is active or waits for an interrupt: in no state in which interrupts would not end its turn", () => {
    const system = boot()
    const target = vcpu(system)
    assert.deepStrictEqual(
      [0, 1, 2, 3, 0xffff_ffff].map((state) => write(system, target, VmcsField.GUEST_ACTIVITY_STATE, state)),
      [[0n], [1n], [1n], [1n], [1n]]
    )
  })

  it("has no protection keys, which nobody switches", () => {
    const system = boot()
    const target = vcpu(system)
    const PKE = 1n << 22n
    assert.deepStrictEqual(write(system, target, VmcsField.GUEST_CR4, PKE | 0x20n), [0x2020n])
    assert.deepStrictEqual(write(system, target, VmcsField.CR4_GUEST_HOST_MASK, 0), [PKE])
  })

  it("shows and takes nothing that is the kernel's", () => {
    const system = boot()
    const target = vcpu(system)
    const kernels = Object.entries(VmcsField).filter(
      ([name]) =>
        name.startsWith("HOST_") || /ADDRESS$|BITMAPS|_BITMAP_[AB]|POINTER|VPID|MSR_.*COUNT|DESCRIPTOR/.test(name)
    )
    const reported = ["GUEST_PHYSICAL_ADDRESS", "GUEST_LINEAR_ADDRESS"]
    for (const [name, field] of kernels) {
      if (!reported.includes(name))
        assert.deepStrictEqual(read(system, target, field), { _tag: "IllegalOperation" }, name)
      assert.deepStrictEqual(write(system, target, field, 0), { _tag: "IllegalOperation" }, name)
    }
    assert.deepStrictEqual(read(system, target, 0xdead), { _tag: "IllegalOperation" })
    assert.deepStrictEqual(write(system, target, 2 ** 40, 0), { _tag: "IllegalOperation" })
  })

  it("forgets translations when what they were made by is written", () => {
    const system = boot()
    const target = vcpu(system)
    setTcb(system, target, thread(system, 0))
    system.virtualization.log.length = 0
    for (const field of [VmcsField.GUEST_CR0, VmcsField.GUEST_CR3, VmcsField.GUEST_CR4, VmcsField.GUEST_IA32_EFER])
      write(system, target, field, 0)
    write(system, target, VmcsField.GUEST_RSP, 0)
    assert.deepStrictEqual(system.virtualization.log, Array(4).fill("guest one 1"))
  })

  it("has system-call registers, with what the processor takes", () => {
    const system = boot()
    const target = vcpu(system)
    const writeMsr = (register: number, value: bigint) =>
      invoke(system, target, Methods.WriteMSR.label, [register, value])
    const { IA32_LSTAR, IA32_FMASK, IA32_STAR, IA32_KERNEL_GS_BASE, IA32_EFER } = SystemRegister
    assert.deepStrictEqual(writeMsr(IA32_LSTAR, 0xffff_8000_0000_1000n), [0xffff_8000_0000_1000n])
    assert.deepStrictEqual(invoke(system, target, Methods.ReadMSR.label, [IA32_LSTAR]), [0xffff_8000_0000_1000n])
    for (const register of [IA32_LSTAR, IA32_KERNEL_GS_BASE])
      assert.deepStrictEqual(writeMsr(register, 0x8000_0000_0000n), { _tag: "InvalidArgument", index: 1 })
    assert.deepStrictEqual(writeMsr(IA32_FMASK, 1n << 32n), { _tag: "InvalidArgument", index: 1 })
    assert.deepStrictEqual(writeMsr(IA32_STAR, 2n ** 64n - 1n), [2n ** 64n - 1n])
    assert.deepStrictEqual(writeMsr(IA32_EFER, 0n), { _tag: "IllegalOperation" })
  })

  it("refuses what the capability has no right to", () => {
    const system = boot()
    const target = vcpu(system)
    const readOnly = copy(system, target, wordKeeping("VCPU", right.VCPU.readState, false).bits)
    assert(typeof readOnly === "number")
    assert.deepStrictEqual(read(system, readOnly, VmcsField.GUEST_RIP), [0n])
    assert.deepStrictEqual(write(system, readOnly, VmcsField.GUEST_RIP, 0), { _tag: "IllegalOperation" })
    assert.deepStrictEqual(setTcb(system, readOnly, slots.tcb), { _tag: "IllegalOperation" })
  })

  it("leaves the debug registers of another as they were", () => {
    const system = boot()
    const [first, second] = [vcpu(system, 0), vcpu(system, 1)]
    read(system, first, VmcsField.GUEST_RIP)
    system.processor.system.set(SystemRegister.DR0, 0x1234n)
    read(system, second, VmcsField.GUEST_RIP)
    assert.strictEqual(system.processor.system.get(SystemRegister.DR0), 0n)
    read(system, first, VmcsField.GUEST_RIP)
    assert.strictEqual(system.processor.system.get(SystemRegister.DR0), 0x1234n)
  })

  it("is of no use on a machine that runs no guests: every method is refused", () => {
    const system = boot(undefined, undefined, undefined, "no guests")
    const target = vcpu(system)
    for (const { label } of Object.values(Methods))
      assert.deepStrictEqual(invoke(system, target, label, Array(15).fill(0), [slots.tcb]), {
        _tag: "IllegalOperation"
      })
    remove(system, target)
  })
})

describe("a page that the processor uses for a virtual processor", () => {
  const { VIRTUAL_APIC_ADDRESS, APIC_ACCESS_ADDRESS, POSTED_INTERRUPT_DESCRIPTOR } = VmcsField
  const { PIN_BASED_CONTROLS, PRIMARY_CONTROLS, SECONDARY_CONTROLS, MSR_BITMAPS } = VmcsField
  const page4K = objectTypes.Page4K.number
  const pageAt = (n: number) => 0xb0_0000 + n * 0x1000
  const frame = (system: System, n = 0): number => object(system, page4K, pageAt(n))
  const setPage = (system: System, target: number, field: number, cap: number) =>
    invoke(system, target, Methods.SetPage.label, [field], [cap])
  const unmap = (system: System, cap: number) => invoke(system, cap, FrameMethods.Unmap.label)
  const virtualRegisters =
    Secondary.VIRTUALIZE_X2APIC_MODE | Secondary.APIC_REGISTER_VIRTUALIZATION | Secondary.VIRTUAL_INTERRUPT_DELIVERY
  const assists = [
    [PIN_BASED_CONTROLS, PinBased.PROCESS_POSTED_INTERRUPTS],
    [PRIMARY_CONTROLS, Primary.USE_TPR_SHADOW],
    [SECONDARY_CONTROLS, Secondary.VIRTUALIZE_APIC_ACCESSES | virtualRegisters]
  ] as const
  /** What of the assists the processor takes when a monitor asks for all. */
  const asked = (system: System, target: number) =>
    assists.map(([field, bits]) => {
      write(system, target, field, 0xffff_ffff)
      return fieldOf(system, 0, field) & bits
    })
  const none = assists.map(() => 0)
  const all = assists.map(([, bits]) => bits)

  it("is where its field says, and has a right to be written", () => {
    const system = boot()
    const target = vcpu(system)
    for (const [n, field] of [VIRTUAL_APIC_ADDRESS, APIC_ACCESS_ADDRESS, POSTED_INTERRUPT_DESCRIPTOR].entries()) {
      assert.deepStrictEqual(setPage(system, target, field, frame(system, n)), [])
      assert.strictEqual(fieldOf(system, 0, field), pageAt(n))
    }
    const other = vcpu(system, 1)
    for (const kept of [right.Frame.read, right.Frame.write]) {
      const less = copy(system, frame(system, 3), wordKeeping("Frame", kept, false).bits)
      assert(typeof less === "number")
      assert.deepStrictEqual(setPage(system, other, VIRTUAL_APIC_ADDRESS, less), {
        _tag: "InvalidCapability",
        index: 1
      })
    }
  })

  it("is memory of 4 KiB, no device's, that is mapped nowhere, and not there already", () => {
    const system = boot()
    const target = vcpu(system)
    const invalid = invalidCapability(1)
    const large = object(system, objectTypes.LargePage.number, 0xc0_0000)
    const device = object(system, page4K, 0xfe00_0000, true)
    assert.deepStrictEqual(setPage(system, target, VIRTUAL_APIC_ADDRESS, large), invalid)
    assert.deepStrictEqual(setPage(system, target, VIRTUAL_APIC_ADDRESS, device), invalid)
    assert.deepStrictEqual(setPage(system, target, VIRTUAL_APIC_ADDRESS, slots.cnode), invalid)
    const page = frame(system)
    for (const field of [VmcsField.EPT_POINTER, VIRTUAL_APIC_ADDRESS + 1, 0, 2 ** 40])
      assert.deepStrictEqual(setPage(system, target, field, page), { _tag: "InvalidArgument", index: 0 })
    setPage(system, target, VIRTUAL_APIC_ADDRESS, page)
    assert.deepStrictEqual(setPage(system, target, APIC_ACCESS_ADDRESS, page), invalid)
    assert.deepStrictEqual(setPage(system, target, VIRTUAL_APIC_ADDRESS, frame(system, 1)), { _tag: "DeleteFirst" })
    const second = copy(system, page)
    assert(typeof second === "number")
    assert.deepStrictEqual(setPage(system, target, APIC_ACCESS_ADDRESS, second), [])
  })

  it("is needed for what uses it, and CR8 is the guest's own only on one", () => {
    const system = boot()
    const target = vcpu(system)
    assert.deepStrictEqual(asked(system, target), none)
    setPage(system, target, VIRTUAL_APIC_ADDRESS, frame(system, 0))
    assert.deepStrictEqual(asked(system, target), [0, Primary.USE_TPR_SHADOW, virtualRegisters])
    setPage(system, target, APIC_ACCESS_ADDRESS, frame(system, 1))
    setPage(system, target, POSTED_INTERRUPT_DESCRIPTOR, frame(system, 2))
    assert.deepStrictEqual(asked(system, target), all)
    const taskPriority = Primary.CR8_LOAD_EXITING | Primary.CR8_STORE_EXITING
    write(system, target, PRIMARY_CONTROLS, Primary.USE_TPR_SHADOW)
    assert.strictEqual(fieldOf(system, 0, PRIMARY_CONTROLS) & taskPriority, 0)
    write(system, target, PRIMARY_CONTROLS, 0)
    assert.strictEqual(fieldOf(system, 0, PRIMARY_CONTROLS) & taskPriority, taskPriority)
  })

  it("goes with the capability that gave it, and with it what used it", () => {
    const ways: ReadonlyArray<(system: System, cap: number) => unknown> = [unmap, remove]
    for (const [n, way] of ways.entries()) {
      const system = boot()
      const target = vcpu(system)
      const caps = [VIRTUAL_APIC_ADDRESS, APIC_ACCESS_ADDRESS, POSTED_INTERRUPT_DESCRIPTOR].map((field, index) => {
        const cap = frame(system, index)
        setPage(system, target, field, cap)
        return cap
      })
      asked(system, target)
      way(system, caps[2]!)
      assert.strictEqual(fieldOf(system, 0, POSTED_INTERRUPT_DESCRIPTOR), 0)
      assert.strictEqual(fieldOf(system, 0, PIN_BASED_CONTROLS) & PinBased.PROCESS_POSTED_INTERRUPTS, 0)
      assert.strictEqual(fieldOf(system, 0, PRIMARY_CONTROLS) & Primary.USE_TPR_SHADOW, Primary.USE_TPR_SHADOW)
      way(system, caps[0]!)
      assert.strictEqual(fieldOf(system, 0, VIRTUAL_APIC_ADDRESS), 0)
      assert.deepStrictEqual(
        assists.map(([field, bits]) => fieldOf(system, 0, field) & bits),
        [0, 0, Secondary.VIRTUALIZE_APIC_ACCESSES],
        `way ${n}`
      )
      assert.strictEqual(fieldOf(system, 0, PRIMARY_CONTROLS) & Primary.CR8_LOAD_EXITING, Primary.CR8_LOAD_EXITING)
      assert.deepStrictEqual(setPage(system, target, VIRTUAL_APIC_ADDRESS, frame(system, 4)), [])
    }
  })

  it("is nobody's when its virtual processor is gone, whoever has the number next", () => {
    const system = boot()
    const first = vcpu(system, 0)
    const page = frame(system)
    setPage(system, first, VIRTUAL_APIC_ADDRESS, page)
    remove(system, first)
    const second = vcpu(system, 1)
    setPage(system, second, VIRTUAL_APIC_ADDRESS, frame(system, 1))
    assert.deepStrictEqual(unmap(system, page), [])
    assert.strictEqual(fieldOf(system, 1, VmcsField.VPID), 1)
    assert.strictEqual(fieldOf(system, 1, VIRTUAL_APIC_ADDRESS), pageAt(1))
  })

  it("has registers of the x2APIC for the guest, if none of them is then the processor's own", () => {
    const system = boot()
    const target = vcpu(system)
    const { archData } = system.machine
    setPage(system, target, VIRTUAL_APIC_ADDRESS, frame(system))
    for (const bits of [0, Secondary.VIRTUALIZE_X2APIC_MODE, virtualRegisters & ~Secondary.VIRTUALIZE_X2APIC_MODE]) {
      write(system, target, SECONDARY_CONTROLS, bits)
      assert.strictEqual(fieldOf(system, 0, MSR_BITMAPS), msrBitmap(archData))
    }
    write(system, target, SECONDARY_CONTROLS, virtualRegisters)
    const bitmap = fieldOf(system, 0, MSR_BITMAPS)
    assert.strictEqual(bitmap, x2ApicBitmap(archData))
    const exitsOn = (register: number, part: number) =>
      ((system.memory.load8(bitmap + part * 0x400 + (register >>> 3)) >>> (register & 7)) & 1) !== 0
    const [reads, writes] = [0, 2].map((part) => (register: number) => exitsOn(register, part)) as [
      (register: number) => boolean,
      (register: number) => boolean
    ]
    const { X2APIC_TPR, X2APIC_EOI, X2APIC_SELF_IPI, IA32_TSC_DEADLINE } = SystemRegister
    const [icr, currentCount] = [0x830, 0x839]
    assert.deepStrictEqual([X2APIC_TPR, icr].map(reads), [false, false])
    assert.deepStrictEqual([X2APIC_EOI, currentCount, IA32_TSC_DEADLINE].map(reads), [true, true, true])
    assert.deepStrictEqual([X2APIC_TPR, X2APIC_EOI, X2APIC_SELF_IPI].map(writes), [false, false, false])
    assert.deepStrictEqual([icr, currentCount, IA32_TSC_DEADLINE].map(writes), [true, true, true])
  })

  it("is notified of posted interrupts by a vector that is no other's", () => {
    const system = boot()
    vcpu(system)
    const vector = fieldOf(system, 0, VmcsField.POSTED_INTERRUPT_NOTIFICATION)
    assert.isTrue(vector >= Vector.firstInterrupt && vector < Vector.firstUser)
  })
})

describe("the registers that a virtual processor's control structure does not have", () => {
  const reset = (system: System, target: number) => invoke(system, target, Methods.ResetRegisters.label)
  const { IA32_LSTAR, IA32_TSC_AUX, DR0, DR6 } = SystemRegister
  const registerAt = (system: System, offset: number, index = 0) => system.memory.load32(at(index) + 0x3000 + offset)

  it("are as after a reset when a monitor says so, and those of another stay", () => {
    const system = boot()
    const [target, other] = [vcpu(system, 0), vcpu(system, 1)]
    for (const each of [other, target]) {
      invoke(system, each, Methods.WriteMSR.label, [IA32_LSTAR, 0x1234n])
      invoke(system, each, Methods.WriteMSR.label, [IA32_TSC_AUX, 7n])
      invoke(system, each, Methods.WriteRegisters.label, Array(15).fill(9n))
    }
    read(system, target, VmcsField.GUEST_RIP)
    system.processor.system.set(DR0, 0x1234n)
    system.processor.system.set(DR6, 0xffff_0ff1n)
    system.memory.store32(at(0) + 0x3100 + 160, 5)
    assert.deepStrictEqual(reset(system, target), [])
    const msr = (of: number, register: number) => invoke(system, of, Methods.ReadMSR.label, [register])
    assert.deepStrictEqual(msr(target, IA32_LSTAR), [0n])
    assert.deepStrictEqual(msr(target, IA32_TSC_AUX), [0n])
    assert.deepStrictEqual(
      [0, 8, 0x78].map((offset) => registerAt(system, offset)),
      [0, 0, 0]
    )
    assert.strictEqual(system.processor.system.get(DR0), 0n)
    assert.strictEqual(system.processor.system.get(DR6), 0xffff_0ff0n)
    assert.strictEqual(system.memory.load32(at(0) + 0x3100 + 160), 0)
    assert.strictEqual(system.memory.load16(at(0) + 0x3100), 0x37f)
    assert.deepStrictEqual(msr(other, IA32_TSC_AUX), [7n])
    assert.strictEqual(registerAt(system, 0, 1), 9)
  })

  it("need the right to write its state", () => {
    const system = boot()
    const readOnly = copy(system, vcpu(system), wordKeeping("VCPU", right.VCPU.readState, false).bits)
    assert(typeof readOnly === "number")
    assert.deepStrictEqual(reset(system, readOnly), { _tag: "IllegalOperation" })
  })
})

describe("the number of a virtual processor", () => {
  it("is its own, and is given again when it is gone", () => {
    const system = boot()
    const [first, second] = [vcpu(system, 0), vcpu(system, 1)]
    setTcb(system, first, thread(system, 0))
    setTcb(system, second, thread(system, 1))
    assert.deepStrictEqual(
      [0, 1].map((index) => fieldOf(system, index, VmcsField.VPID)),
      [1, 2]
    )
    system.virtualization.log.length = 0
    remove(system, first)
    assert.include(system.virtualization.log, "guest one 1")
    setTcb(system, vcpu(system, 2), thread(system, 2))
    assert.strictEqual(fieldOf(system, 2, VmcsField.VPID), 1)
  })

  it("must be free: who comes after the last is refused", () => {
    const system = boot()
    const { archData } = system.machine
    for (let number = 1; number < vpids; number++) Vpid.vcpu.store(system.memory, vpidAt(archData, number), at(9))
    assert.deepStrictEqual(setTcb(system, vcpu(system), slots.tcb), { _tag: "DeleteFirst" })
  })
})

describe("IO ports of a guest", () => {
  it("are those that its monitor has a capability to", () => {
    const system = boot()
    const target = vcpu(system)
    const serial = ports(system, 0x3f8, 0x3ff)
    assert.deepStrictEqual(enable(system, target, serial, 0x3f7, 0x3ff), { _tag: "InvalidArgument", index: 0 })
    assert.deepStrictEqual(enable(system, target, serial, 0x3f8, 0x400), { _tag: "InvalidArgument", index: 1 })
    assert.deepStrictEqual(enable(system, target, serial, 0x3fa, 0x3f9), { _tag: "InvalidArgument", index: 1 })
    assert.deepStrictEqual(enable(system, target, serial, 0x3f8, 0x3fe), [])
    // A port's number has 16 bits.
    assert.deepStrictEqual(enable(system, target, serial, 0x1_03f8, 0x1_03fe), [])
    assert.deepStrictEqual(
      [0x3f7, 0x3f8, 0x3fe, 0x3ff].map((port) => exits(system, port)),
      [true, false, false, true]
    )
  })

  it("are exits again when they are disabled, or the capability is deleted", () => {
    const system = boot()
    const target = vcpu(system)
    const serial = ports(system, 0x3f8, 0x3ff)
    enable(system, target, serial, 0x3f8, 0x3ff)
    invoke(system, target, Methods.DisableIOPort.label, [0x3f8, 0x3fb])
    assert.isTrue(exits(system, 0x3fb))
    assert.isFalse(exits(system, 0x3fc))
    remove(system, serial)
    assert.isTrue(exits(system, 0x3fc))
  })

  it("are used by one guest through one capability: a copy is for another", () => {
    const system = boot()
    const [first, second] = [vcpu(system, 0), vcpu(system, 1)]
    const serial = ports(system, 0x3f8, 0x3ff)
    enable(system, first, serial, 0x3f8, 0x3ff)
    assert.deepStrictEqual(enable(system, second, serial, 0x3f8, 0x3ff), { _tag: "InvalidCapability", index: 1 })
    const other = copy(system, serial)
    assert(typeof other === "number")
    assert.deepStrictEqual(enable(system, second, other, 0x3f8, 0x3ff), [])
    remove(system, serial)
    assert.deepStrictEqual([exits(system, 0x3f8, 0), exits(system, 0x3f8, 1)], [true, false])
  })

  it("are never another's: the guest's number may be given again, and memory used again", () => {
    const system = boot()
    const first = vcpu(system, 0)
    const serial = ports(system, 0x3f8, 0x3ff)
    const mouse = ports(system, 0x60, 0x64)
    enable(system, first, serial, 0x3f8, 0x3ff)
    remove(system, first)
    system.memory.zero(at(0), 0x4000)
    const second = vcpu(system, 0)
    enable(system, second, mouse, 0x60, 0x64)
    const again = copy(system, serial)
    assert(typeof again === "number")
    enable(system, second, again, 0x3f8, 0x3ff)
    // The first guest's capability goes: the second keeps what it has by its own.
    remove(system, serial)
    assert.isFalse(exits(system, 0x3f8))
    assert.isFalse(exits(system, 0x60))
    assert.strictEqual(Vpid.generation.load(system.memory, vpidAt(system.machine.archData, 1)), 2)
    assert.strictEqual(ArchData.vcpu.load(system.memory, system.machine.archData), at(0))
  })
})
