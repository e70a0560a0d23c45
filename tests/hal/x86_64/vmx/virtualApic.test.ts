import { assert, describe, it } from "@effect/vitest"
import { ExitReason } from "../../../../src/types/x86_64/ExitReason.ts"
import { ExitControl, PinBased, Primary, Secondary } from "../../../../src/types/x86_64/VmxControls.ts"
import { bytes, hex, hlt, nop, readings, sti } from "../board.ts"
import { guestCode, guestMemory, Hypervisor, vmcall } from "./hypervisor.ts"

/** In the machine's memory: the virtual-APIC page; in the guest's, where it believes its local APIC to be. */
const virtualApic = 0x5_5000
const apicAt = 0x4_0000
const posted = 0x5_6000

/** MOV [apicAt + offset], EAX; MOV EAX, [apicAt + offset] */
const store = (offset: number): number[] => [0x89, 0x04, 0x25, ...bytes(apicAt + offset, 4)]
const load = (offset: number): number[] => [0x8b, 0x04, 0x25, ...bytes(apicAt + offset, 4)]
const movEax = (value: number): number[] => [0xb8, ...bytes(value, 4)]
const movEcx = (value: number): number[] => [0xb9, ...bytes(value, 4)]
const movToCr8 = hex("44 0F 22 C0") // MOV CR8, RAX
const movFromCr8 = hex("44 0F 20 C0")
const [rdmsr, wrmsr] = [hex("0F 32"), hex("0F 30")]

const [VTPR, VPPR, VISR, VIRR, EOI, ICR, TIMER] = [0x80, 0xa0, 0x100, 0x200, 0xb0, 0x300, 0x380]

const everything =
  Secondary.VIRTUALIZE_APIC_ACCESSES | Secondary.APIC_REGISTER_VIRTUALIZATION | Secondary.VIRTUAL_INTERRUPT_DELIVERY

describe.each(Object.entries(readings))("a guest's virtual APIC, read: %s", (_name, reading) => {
  const guest = (secondary: number, ...code: number[]) => {
    const hypervisor = new Hypervisor(reading).long(...code)
    hypervisor.with("PRIMARY_CONTROLS", Primary.USE_TPR_SHADOW | Primary.USE_MSR_BITMAPS)
    hypervisor.with("SECONDARY_CONTROLS", secondary)
    hypervisor.set("VIRTUAL_APIC_ADDRESS", virtualApic).set("APIC_ACCESS_ADDRESS", guestMemory + apicAt)
    if (secondary & Secondary.VIRTUAL_INTERRUPT_DELIVERY)
      hypervisor.with("PIN_BASED_CONTROLS", PinBased.EXTERNAL_INTERRUPT_EXITING)
    return hypervisor
  }
  const register = (hypervisor: Hypervisor, offset: number) =>
    hypervisor.board.view.getUint32(virtualApic + offset, true)
  const setRegister = (hypervisor: Hypervisor, offset: number, value: number) =>
    hypervisor.board.view.setUint32(virtualApic + offset, value, true)
  /** Every vector's handler: VMCALL. */
  const withHandlers = (hypervisor: Hypervisor) => {
    const [gdt, idt, handler] = [0x6000, 0x7000, 0x9000]
    hypervisor.put64(gdt + 8, 0x00af_9b00_0000_ffffn).put64(gdt + 16, 0x00cf_9300_0000_ffffn)
    for (let vector = 0; vector < 256; vector++)
      hypervisor.put(idt + vector * 16, ...bytes(handler + vector * 4 + (8 << 16), 4), ...bytes(0x8e00, 4))
    for (let vector = 0; vector < 256; vector++) hypervisor.put(handler + vector * 4, ...vmcall)
    return hypervisor.set("GUEST_GDTR_BASE", gdt).set("GUEST_IDTR_BASE", idt)
  }
  const handlerOf = (vector: number) => 0x9000 + vector * 4

  it("has the TPR that MOV to CR8 writes and MOV from CR8 reads", () => {
    const hypervisor = guest(0, ...movEax(5), ...movToCr8, ...movEax(0), ...movFromCr8, ...hlt)
    hypervisor.enter()
    assert.strictEqual(hypervisor.reason, ExitReason.HLT, hypervisor.board.machine.core.vmx.lastBroken)
    assert.strictEqual(register(hypervisor, VTPR), 0x50)
    assert.strictEqual(hypervisor.board.get("rax"), 5n)
  })

  it("leaves the guest behind the instruction that brings the TPR below its threshold", () => {
    const hypervisor = guest(0, ...movEax(1), ...movToCr8, ...nop, ...hlt).set("TPR_THRESHOLD", 2)
    setRegister(hypervisor, VTPR, 0x30)
    hypervisor.enter()
    assert.strictEqual(hypervisor.reason, ExitReason.TPR_BELOW_THRESHOLD, hypervisor.board.machine.core.vmx.lastBroken)
    assert.strictEqual(hypervisor.number("GUEST_RIP"), guestCode + 9)
  })

  it("leaves at once if the TPR is below the threshold and APIC accesses are virtualized", () => {
    const hypervisor = guest(Secondary.VIRTUALIZE_APIC_ACCESSES, ...hlt).set("TPR_THRESHOLD", 2)
    hypervisor.enter()
    assert.strictEqual(hypervisor.reason, ExitReason.TPR_BELOW_THRESHOLD)
    assert.strictEqual(hypervisor.number("GUEST_RIP"), guestCode)
  })

  it("has its TPR in memory, and every other access to the page leaves the guest", () => {
    const code = [...movEax(0x60), ...store(VTPR), ...movEax(0), ...load(VTPR), ...store(TIMER), ...hlt]
    const hypervisor = guest(Secondary.VIRTUALIZE_APIC_ACCESSES, ...code)
    hypervisor.enter()
    assert.strictEqual(hypervisor.reason, ExitReason.APIC_ACCESS)
    assert.strictEqual(hypervisor.number("EXIT_QUALIFICATION"), TIMER | (1 << 12))
    assert.strictEqual(hypervisor.board.get("rax"), 0x60n)
    assert.strictEqual(hypervisor.number("GUEST_RIP"), guestCode + 5 + 7 + 5 + 7)
  })

  it.each([
    ["a read of it", load(0x20), 0x20],
    ["a fetch from it", [0xe9, ...bytes(apicAt + 0x10 - guestCode - 5, 4)], 0x10 | (2 << 12)],
    ["a read of 64 bits", [0x48, ...load(VTPR)], VTPR],
    ["a read that is not of the register's first bytes", load(VTPR + 4), VTPR + 4]
  ] as const)("is not read or run by %s", (_what, code, qualification) => {
    const hypervisor = guest(Secondary.VIRTUALIZE_APIC_ACCESSES, ...code)
    hypervisor.enter()
    assert.strictEqual(hypervisor.reason, ExitReason.APIC_ACCESS)
    assert.strictEqual(hypervisor.number("EXIT_QUALIFICATION"), qualification)
  })

  it("with APIC-register virtualization is written first, and then left for the write", () => {
    const hypervisor = guest(
      Secondary.VIRTUALIZE_APIC_ACCESSES | Secondary.APIC_REGISTER_VIRTUALIZATION,
      ...movEax(1234),
      ...store(TIMER),
      ...hlt
    )
    hypervisor.enter()
    assert.strictEqual(hypervisor.reason, ExitReason.APIC_WRITE)
    assert.strictEqual(hypervisor.number("EXIT_QUALIFICATION"), TIMER)
    assert.strictEqual(hypervisor.number("GUEST_RIP"), guestCode + 12)
    assert.strictEqual(register(hypervisor, TIMER), 1234)
  })

  it("delivers a virtual interrupt when the guest opens for it, without leaving", () => {
    const hypervisor = withHandlers(guest(everything, ...nop, ...sti, ...nop, ...nop))
    setRegister(hypervisor, VIRR + 0x20, 1 << 0x15) // vector 55H
    hypervisor.set("GUEST_INTERRUPT_STATUS", 0x55)
    hypervisor.enter()
    assert.strictEqual(hypervisor.reason, ExitReason.VMCALL)
    assert.strictEqual(hypervisor.number("GUEST_RIP"), handlerOf(0x55))
    assert.strictEqual(hypervisor.number("GUEST_INTERRUPT_STATUS"), 0x5500)
    assert.strictEqual(register(hypervisor, VISR + 0x20), 1 << 0x15)
    assert.strictEqual(register(hypervisor, VIRR + 0x20), 0)
    assert.strictEqual(register(hypervisor, VPPR), 0x50)
  })

  it("wakes the guest from HLT by a virtual interrupt", () => {
    const hypervisor = withHandlers(guest(everything, ...hlt))
      .set("GUEST_ACTIVITY_STATE", 1)
      .set("GUEST_RFLAGS", 0x202)
    setRegister(hypervisor, VIRR + 0x20, 1 << 0x15)
    hypervisor.set("GUEST_INTERRUPT_STATUS", 0x55)
    hypervisor.enter()
    assert.strictEqual(hypervisor.number("GUEST_RIP"), handlerOf(0x55))
  })

  it("keeps back what is of no higher priority than what it serves", () => {
    const hypervisor = withHandlers(guest(everything, ...sti, ...nop, ...nop, ...hlt))
    setRegister(hypervisor, VIRR + 0x20, 1 << 0x15)
    hypervisor.set("GUEST_INTERRUPT_STATUS", 0x5055)
    hypervisor.enter()
    assert.strictEqual(hypervisor.reason, ExitReason.HLT)
  })

  it("lets the next one come with EOI, and leaves the guest if the EOI-exit bitmap asks", () => {
    const code = [...sti, ...movEax(0), ...store(EOI), ...nop, ...nop, ...hlt]
    const pending = (hypervisor: Hypervisor) => {
      setRegister(hypervisor, VIRR + 0x20, 1 << 0x15)
      setRegister(hypervisor, VISR + 0x30, 1) // 60H is served
      return withHandlers(hypervisor).set("GUEST_INTERRUPT_STATUS", 0x6055)
    }
    const hypervisor = pending(guest(everything, ...code))
    hypervisor.enter()
    assert.strictEqual(hypervisor.number("GUEST_RIP"), handlerOf(0x55))
    assert.strictEqual(register(hypervisor, VISR + 0x30), 0)
    const asked = pending(guest(everything, ...code)).set("EOI_EXIT_BITMAP_1", 1n << 32n)
    asked.enter()
    assert.strictEqual(asked.reason, ExitReason.VIRTUALIZED_EOI)
    assert.strictEqual(asked.number("EXIT_QUALIFICATION"), 0x60)
    assert.strictEqual(asked.number("GUEST_RIP"), guestCode + 1 + 5 + 7)
  })

  it("sends the guest interrupts of its own, to itself", () => {
    const hypervisor = withHandlers(guest(everything, ...sti, ...movEax(0x4_0077), ...store(ICR), ...nop, ...hlt))
    hypervisor.enter()
    assert.strictEqual(hypervisor.number("GUEST_RIP"), handlerOf(0x77))
    const other = withHandlers(guest(everything, ...sti, ...movEax(0x77), ...store(ICR), ...nop, ...hlt))
    other.enter()
    assert.strictEqual(other.reason, ExitReason.APIC_WRITE)
  })

  it("is there in x2APIC mode, by RDMSR and WRMSR", () => {
    const x2 =
      Secondary.VIRTUALIZE_X2APIC_MODE | Secondary.APIC_REGISTER_VIRTUALIZATION | Secondary.VIRTUAL_INTERRUPT_DELIVERY
    const code = [...hex("31 D2"), ...movEcx(0x808), ...movEax(0x40), ...wrmsr, ...movEcx(0x802), ...rdmsr, ...hlt]
    const hypervisor = guest(x2, ...code)
    setRegister(hypervisor, 0x20, 0x1234)
    hypervisor.enter()
    assert.strictEqual(hypervisor.reason, ExitReason.HLT, hypervisor.board.machine.core.vmx.lastBroken)
    assert.strictEqual(register(hypervisor, VTPR), 0x40)
    assert.strictEqual(hypervisor.board.get("rax"), 0x1234n)
    const self = withHandlers(
      guest(x2, ...sti, ...hex("31 D2"), ...movEcx(0x83f), ...movEax(0x77), ...wrmsr, ...nop, ...hlt)
    )
    self.enter()
    assert.strictEqual(self.number("GUEST_RIP"), handlerOf(0x77))
  })

  it("gets interrupts that are posted, by a notification that does not leave the guest", () => {
    const code = [...sti, ...nop, 0xeb, 0xfe]
    const hypervisor = withHandlers(guest(everything, ...code))
    hypervisor.with("PIN_BASED_CONTROLS", PinBased.PROCESS_POSTED_INTERRUPTS)
    hypervisor.with("EXIT_CONTROLS", ExitControl.ACKNOWLEDGE_INTERRUPT)
    hypervisor.set("POSTED_INTERRUPT_NOTIFICATION", 0xf2).set("POSTED_INTERRUPT_DESCRIPTOR", posted)
    const { core } = hypervisor.board.machine
    core.apic.writeBase(0xfee0_0d00, 0, 2 ** 40)
    core.apic.writeMsr(0x80f, 0x1ff, 0)
    core.apic.writeMsr(0x832, (2 << 17) | 0xf2, 0)
    core.apic.writeDeadline(1000, 0)
    hypervisor.board.view.setUint32(posted + 8, 1 << 0x15, true) // vector 55H
    hypervisor.board.view.setUint32(posted + 32, 1, true)
    hypervisor.enter()
    assert.strictEqual(hypervisor.reason, ExitReason.VMCALL, hypervisor.board.machine.core.vmx.lastBroken)
    assert.strictEqual(hypervisor.number("GUEST_RIP"), handlerOf(0x55))
    assert.strictEqual(hypervisor.board.view.getUint32(posted + 32, true), 0)
  })

  describe("on a page that has entries of the guest's paging structures", () => {
    /** The second GByte of the guest's addresses by large pages: MOV EBX, address; MOV EAX, [RBX] */
    const second = 0x4000_0000
    const loadFrom = (address: number): number[] => [0xbb, ...bytes(address, 4), 0x8b, 0x03]
    const guestPhysical = { instruction: 15 << 12, delivery: 10 << 12 }
    const withSecond = (hypervisor: Hypervisor) => {
      hypervisor.put64(0x2008, BigInt(apicAt) | 7n)
      for (let n = 0; n < 512; n++) hypervisor.put64(apicAt + n * 8, 0x87n)
      return hypervisor
    }
    const accesses = Secondary.VIRTUALIZE_APIC_ACCESSES

    it("is left by an access that leads through them, and by none that does not", () => {
      const hypervisor = withSecond(guest(accesses, ...loadFrom(0x5_0000), ...loadFrom(second + 0x5_0000), ...hlt))
      hypervisor.put(0x5_0000, 0x77)
      hypervisor.enter()
      assert.strictEqual(hypervisor.reason, ExitReason.APIC_ACCESS)
      assert.strictEqual(hypervisor.number("EXIT_QUALIFICATION"), guestPhysical.instruction)
      assert.strictEqual(hypervisor.number("IDT_VECTORING_INFORMATION") >>> 31, 0)
      assert.strictEqual(hypervisor.number("GUEST_RIP"), guestCode + 7 + 5)
      assert.strictEqual(hypervisor.board.get("rax"), 0x77n)
      // The entry was not used: its accessed flag is clear.
      assert.strictEqual(hypervisor.get64(apicAt), 0x87n)
    })

    it("is left by a fetch that leads through them", () => {
      const hypervisor = withSecond(guest(accesses, 0xbb, ...bytes(second + guestCode, 4), 0xff, 0xe3))
      hypervisor.enter()
      assert.strictEqual(hypervisor.number("EXIT_QUALIFICATION"), guestPhysical.instruction)
      assert.strictEqual(hypervisor.number("GUEST_RIP"), second + guestCode)
    })

    it("is left by an access whose way was remembered before the page was guarded", () => {
      const hypervisor = withSecond(guest(0, ...loadFrom(second), ...vmcall, ...loadFrom(second + 0x20_0000), ...hlt))
      // No flag is left to be set: nothing but the guard is in the way.
      hypervisor.put64(apicAt + 8, 0xa7n)
      hypervisor.enter()
      assert.strictEqual(hypervisor.reason, ExitReason.VMCALL)
      hypervisor.set("GUEST_RIP", hypervisor.number("GUEST_RIP") + vmcall.length).with("SECONDARY_CONTROLS", accesses)
      hypervisor.enter()
      assert.strictEqual(hypervisor.reason, ExitReason.APIC_ACCESS)
      assert.strictEqual(hypervisor.number("EXIT_QUALIFICATION"), guestPhysical.instruction)
      // And reached again, when it is not.
      hypervisor.without("SECONDARY_CONTROLS", accesses).enter()
      assert.strictEqual(hypervisor.reason, ExitReason.HLT)
    })

    it("is left by the delivery of an event that leads through them, with that event", () => {
      const hypervisor = withSecond(withHandlers(guest(accesses, 0xcd, 0x55))).set("GUEST_IDTR_BASE", second + 0x7000)
      hypervisor.enter()
      assert.strictEqual(hypervisor.reason, ExitReason.APIC_ACCESS)
      assert.strictEqual(hypervisor.number("EXIT_QUALIFICATION"), guestPhysical.delivery)
      assert.strictEqual(hypervisor.number("IDT_VECTORING_INFORMATION"), 0x8000_0455)
      assert.strictEqual(hypervisor.number("EXIT_INSTRUCTION_LENGTH"), 2)
      assert.strictEqual(hypervisor.number("GUEST_RIP"), guestCode)
    })

    it("is left by MOV to CR3 that loads PDPTEs from it", () => {
      // MOV EAX, apicAt; MOV CR3, EAX, in code of 32 bits, with PAE paging
      const hypervisor = guest(accesses).real(...movEax(apicAt), ...hex("0F 22 D8"), ...hlt)
      hypervisor.set("GUEST_CR0", 0x8000_0021).set("GUEST_CR4", 0x2020).set("GUEST_RIP", guestCode)
      hypervisor.set("GUEST_CS_ACCESS_RIGHTS", 0xc09b).set("GUEST_CS_LIMIT", 0xffff_ffff).set("GUEST_CS_BASE", 0)
      hypervisor.set("GUEST_PDPTE_0", 0x3001).put64(0x3000, 0x87n)
      hypervisor.enter()
      assert.strictEqual(hypervisor.reason, ExitReason.APIC_ACCESS, hypervisor.board.machine.core.vmx.lastBroken)
      assert.strictEqual(hypervisor.number("EXIT_QUALIFICATION"), guestPhysical.instruction)
      assert.strictEqual(hypervisor.number("GUEST_RIP"), guestCode + 5)
    })

    it("is not left where the extended page tables refuse the access: that comes first", () => {
      const hypervisor = withSecond(guest(accesses, ...loadFrom(second), ...hlt)).ept(apicAt, 0n)
      hypervisor.enter()
      assert.strictEqual(hypervisor.reason, ExitReason.EPT_VIOLATION)
      assert.strictEqual(hypervisor.number("GUEST_PHYSICAL_ADDRESS"), apicAt)
    })
  })
})
