import { assert, describe, it } from "@effect/vitest"
import { system } from "../../../../src/hal/x86_64/system/registers.ts"
import { ExitReason } from "../../../../src/types/x86_64/ExitReason.ts"
import { ExitControl, PinBased, Primary } from "../../../../src/types/x86_64/VmxControls.ts"
import { bytes, hex, hlt, movImm, nop, readings, sti, ud2 } from "../board.ts"
import { guestCode, guestStack, Hypervisor, vmcall } from "./hypervisor.ts"

const [gdt, idt, handlers] = [0x6000, 0x7000, 0x9000]
const handlerOf = (vector: number) => handlers + vector * 4
const VALID = 0x8000_0000
/** Types of interruptions, as bits. */
const [external, nmi, hardware, software, privileged, softwareException, other] = [0, 2, 3, 4, 5, 6, 7].map(
  (n) => n << 8
) as [number, number, number, number, number, number, number]
const withCode = 1 << 11
const timerVector = 0x41

describe.each(Object.entries(readings))("an event of a guest, read: %s", (_name, reading) => {
  /** Every vector leads to a VMCALL, and then to IRETQ. */
  const guest = (...code: number[]) => {
    const hypervisor = new Hypervisor(reading).long(...code)
    hypervisor.put64(gdt + 8, 0x00af_9b00_0000_ffffn).put64(gdt + 16, 0x00cf_9300_0000_ffffn)
    for (let vector = 0; vector < 256; vector++) {
      hypervisor.put(idt + vector * 16, ...bytes(handlerOf(vector) + (8 << 16), 4), ...bytes(0x8e00, 4))
      hypervisor.put(handlerOf(vector), ...vmcall)
    }
    return hypervisor.set("GUEST_GDTR_BASE", gdt).set("GUEST_IDTR_BASE", idt)
  }
  const enter = (hypervisor: Hypervisor, most = 10_000) => {
    hypervisor.enter(most)
    assert.isUndefined(hypervisor.board.machine.core.vmx.lastBroken)
    return hypervisor
  }
  const isHandled = (hypervisor: Hypervisor, vector: number) => {
    assert.strictEqual(hypervisor.reason, ExitReason.VMCALL)
    assert.strictEqual(hypervisor.number("GUEST_RIP"), handlerOf(vector))
  }
  const interruption = (hypervisor: Hypervisor) => hypervisor.number("EXIT_INTERRUPTION_INFORMATION")
  const vectoring = (hypervisor: Hypervisor) => hypervisor.number("IDT_VECTORING_INFORMATION")
  /** The frame on the guest's stack that the handler finds: RIP, CS, RFLAGS, from so many words above the top. */
  const pushed = (hypervisor: Hypervisor, word: number) => hypervisor.get64(hypervisor.number("GUEST_RSP") + word * 8)
  const withTimer = (hypervisor: Hypervisor, deadline: number) => {
    const { core } = hypervisor.board.machine
    core.apic.writeBase(0xfee0_0d00, 0, 2 ** 40)
    core.apic.writeMsr(0x80f, 0x1ff, 0)
    core.apic.writeMsr(0x832, (2 << 17) | timerVector, 0)
    core.apic.writeDeadline(hypervisor.board.machine.instructions + deadline, 0)
    return hypervisor
  }

  describe("injected", () => {
    it.each([
      ["an external interrupt", external | 0x50, 0x202, 0, false],
      ["an NMI", nmi | 2, 2, 0, false],
      ["an exception", hardware | 6, 2, 0, false],
      ["an exception with an error code", hardware | withCode | 13, 2, 0, true],
      ["INT n", software | 0x33, 2, 2, false],
      ["INT1", privileged | 1, 2, 1, false],
      ["INT3", softwareException | 3, 2, 1, false]
    ] as const)("%s goes to its handler, as if it had happened", (_what, information, flags, length, hasCode) => {
      const hypervisor = guest(...nop, ...hlt).set("GUEST_RFLAGS", flags)
      hypervisor.set("ENTRY_INTERRUPTION_INFORMATION", VALID + information)
      hypervisor.set("ENTRY_EXCEPTION_ERROR_CODE", 0x1234).set("ENTRY_INSTRUCTION_LENGTH", length)
      isHandled(enter(hypervisor), information & 255)
      if (hasCode) assert.strictEqual(pushed(hypervisor, 0), 0x1234n)
      assert.strictEqual(pushed(hypervisor, hasCode ? 1 : 0), BigInt(guestCode + length))
      assert.strictEqual(pushed(hypervisor, hasCode ? 3 : 2), BigInt(flags))
      assert.strictEqual(hypervisor.number("ENTRY_INTERRUPTION_INFORMATION") >>> 31, 0)
    })

    it("is not the hypervisor's, though the exception bitmap has it", () => {
      const hypervisor = guest(...hlt).set("EXCEPTION_BITMAP", 1 << 6)
      isHandled(enter(hypervisor.set("ENTRY_INTERRUPTION_INFORMATION", VALID + hardware + 6)), 6)
    })

    it("leaves the guest again, and is told, if the way to its handler is not there", () => {
      const hypervisor = guest(...hlt).set("GUEST_RFLAGS", 0x202)
      hypervisor.ept(guestStack - 0x1000, 0n).set("ENTRY_INTERRUPTION_INFORMATION", VALID + 0x50)
      enter(hypervisor)
      assert.strictEqual(hypervisor.reason, ExitReason.EPT_VIOLATION)
      assert.strictEqual(vectoring(hypervisor), VALID + 0x50)
      assert.strictEqual(hypervisor.number("GUEST_RIP"), guestCode)
    })

    it("as the monitor trap flag leaves the guest before it has done anything", () => {
      const hypervisor = guest(...nop, ...hlt).set("ENTRY_INTERRUPTION_INFORMATION", VALID + other)
      enter(hypervisor)
      assert.strictEqual(hypervisor.reason, ExitReason.MONITOR_TRAP_FLAG)
      assert.strictEqual(hypervisor.number("GUEST_RIP"), guestCode)
    })
  })

  describe("an exception", () => {
    it("goes to the guest's handler if the bitmap does not have it", () => {
      isHandled(enter(guest(...ud2)), 6)
    })

    it("leaves the guest at the instruction, with what it is", () => {
      const hypervisor = enter(guest(...nop, ...ud2).set("EXCEPTION_BITMAP", 1 << 6))
      assert.strictEqual(hypervisor.reason, ExitReason.EXCEPTION_OR_NMI)
      assert.strictEqual(interruption(hypervisor), VALID + hardware + 6)
      assert.strictEqual(hypervisor.number("GUEST_RIP"), guestCode + 1)
      assert.strictEqual(hypervisor.number("GUEST_RFLAGS") & 0x1_0000, 0x1_0000)
    })

    it.each([
      ["INT3", [0xcc], softwareException | 3, 1],
      ["INT1", [0xf1], privileged | 1, 1]
    ] as const)("of %s leaves the guest at the instruction, with its length", (_what, code, information, length) => {
      const hypervisor = enter(guest(...code).set("EXCEPTION_BITMAP", 0xffff_ffff))
      assert.strictEqual(interruption(hypervisor), VALID + information)
      assert.strictEqual(hypervisor.number("GUEST_RIP"), guestCode)
      assert.strictEqual(hypervisor.number("EXIT_INSTRUCTION_LENGTH"), length)
    })

    it("of INT n is none", () => {
      isHandled(enter(guest(...hex("CD 06")).set("EXCEPTION_BITMAP", 0xffff_ffff)), 6)
    })

    /** MOV RAX, [80000000H]: #PF with error code 0. */
    const fault = [...movImm("rbx", 0x8000_0000), ...hex("48 8B 03")]
    it.each([
      [0, 0, true],
      [1, 0, true],
      [1, 1, false],
      [2, 2, false]
    ] as const)("#PF with mask %i and match %i leaves the guest: %s", (mask, match, leaves) => {
      const hypervisor = guest(...fault).set("EXCEPTION_BITMAP", 1 << 14)
      enter(hypervisor.set("PAGE_FAULT_MASK", mask).set("PAGE_FAULT_MATCH", match))
      if (!leaves) {
        isHandled(hypervisor, 14)
        return
      }
      assert.strictEqual(interruption(hypervisor), VALID + hardware + withCode + 14)
      assert.strictEqual(hypervisor.number("EXIT_QUALIFICATION"), 0x8000_0000)
    })

    it("#PF that the bitmap does not have leaves the guest if it does not match", () => {
      const hypervisor = guest(...fault)
        .set("PAGE_FAULT_MASK", 1)
        .set("PAGE_FAULT_MATCH", 1)
      assert.strictEqual(interruption(enter(hypervisor)), VALID + hardware + withCode + 14)
    })

    it("on the way to another's handler says which that was", () => {
      const hypervisor = guest(...ud2).set("EXCEPTION_BITMAP", 1 << 11)
      hypervisor.put(idt + 6 * 16 + 5, 0x0e) // not present: #NP
      enter(hypervisor)
      assert.strictEqual(interruption(hypervisor), VALID + hardware + withCode + 11)
      assert.strictEqual(vectoring(hypervisor), VALID + hardware + 6)
      assert.strictEqual(hypervisor.number("EXIT_INTERRUPTION_ERROR_CODE"), 6 * 8 + 3)
    })

    it("that became a double fault says only that", () => {
      const hypervisor = guest(...fault)
        .set("EXCEPTION_BITMAP", 1 << 8)
        .set("GUEST_IDTR_LIMIT", 14 * 16 - 1)
      enter(hypervisor)
      assert.strictEqual(interruption(hypervisor), VALID + hardware + withCode + 8)
      assert.strictEqual(vectoring(hypervisor), 0)
    })

    it("that no handler is reached for is a triple fault, and leaves the guest", () => {
      const hypervisor = enter(guest(...ud2).set("GUEST_IDTR_LIMIT", 0))
      assert.strictEqual(hypervisor.reason, ExitReason.TRIPLE_FAULT)
      assert.strictEqual(hypervisor.number("GUEST_RIP"), guestCode)
    })
  })

  describe("an interrupt", () => {
    const loop = [...sti, ...nop, 0xeb, 0xfe]
    it("goes to the guest's handler, if it does not leave the guest", () => {
      isHandled(enter(withTimer(guest(...loop), 1000)), timerVector)
    })

    it("leaves the guest, whatever RFLAGS.IF says, and waits for the host", () => {
      const hypervisor = withTimer(guest(0xeb, 0xfe), 1000)
      enter(hypervisor.with("PIN_BASED_CONTROLS", PinBased.EXTERNAL_INTERRUPT_EXITING))
      assert.strictEqual(hypervisor.reason, ExitReason.EXTERNAL_INTERRUPT)
      assert.strictEqual(interruption(hypervisor), 0)
      assert.strictEqual(hypervisor.board.machine.core.apic.pending(), timerVector)
    })

    it("is acknowledged by the exit, if that is asked for", () => {
      const hypervisor = withTimer(guest(0xeb, 0xfe), 1000).with("EXIT_CONTROLS", ExitControl.ACKNOWLEDGE_INTERRUPT)
      enter(hypervisor.with("PIN_BASED_CONTROLS", PinBased.EXTERNAL_INTERRUPT_EXITING))
      assert.strictEqual(interruption(hypervisor), VALID + timerVector)
      assert.strictEqual(hypervisor.board.machine.core.apic.pending(), -1)
    })

    it("wakes a guest that has halted, which is told", () => {
      const hypervisor = withTimer(guest(...hlt), 1000).without("PRIMARY_CONTROLS", Primary.HLT_EXITING)
      enter(hypervisor.with("PIN_BASED_CONTROLS", PinBased.EXTERNAL_INTERRUPT_EXITING))
      assert.strictEqual(hypervisor.reason, ExitReason.EXTERNAL_INTERRUPT)
      assert.strictEqual(hypervisor.number("GUEST_ACTIVITY_STATE"), 1)
      assert.strictEqual(hypervisor.number("GUEST_RIP"), guestCode + 1)
    })

    it("has a window behind the instruction after STI", () => {
      const hypervisor = guest(...nop, ...sti, ...nop, ...nop).with(
        "PRIMARY_CONTROLS",
        Primary.INTERRUPT_WINDOW_EXITING
      )
      enter(hypervisor)
      assert.strictEqual(hypervisor.reason, ExitReason.INTERRUPT_WINDOW)
      assert.strictEqual(hypervisor.number("GUEST_RIP"), guestCode + 3)
      assert.strictEqual(hypervisor.number("GUEST_INTERRUPTIBILITY_STATE"), 0)
    })

    it("has none in the shadow of MOV to SS that the entry brings", () => {
      const hypervisor = guest(...nop, ...nop)
        .set("GUEST_RFLAGS", 0x202)
        .set("GUEST_INTERRUPTIBILITY_STATE", 2)
      enter(hypervisor.with("PRIMARY_CONTROLS", Primary.INTERRUPT_WINDOW_EXITING))
      assert.strictEqual(hypervisor.number("GUEST_RIP"), guestCode + 1)
    })
  })

  describe("an NMI", () => {
    /** To the processor with ID 0, by the x2APIC's ICR. */
    const sendNmi = [0xb9, ...bytes(0x830, 4), 0xb8, ...bytes((4 << 8) | (1 << 14), 4), ...hex("31 D2 0F 30")]
    const withApic = (hypervisor: Hypervisor) => {
      const { core } = hypervisor.board.machine
      core.apic.writeBase(0xfee0_0d00, 0, 2 ** 40)
      core.apic.writeMsr(0x80f, 0x1ff, 0)
      return hypervisor.with("PRIMARY_CONTROLS", Primary.USE_MSR_BITMAPS)
    }
    it("goes to the guest's handler, if it does not leave the guest", () => {
      const hypervisor = enter(withApic(guest(...sendNmi, ...nop, ...hlt)))
      isHandled(hypervisor, 2)
      assert.strictEqual(hypervisor.number("GUEST_INTERRUPTIBILITY_STATE"), 8)
    })

    it("leaves the guest, and is blocked in the host", () => {
      const hypervisor = withApic(guest(...sendNmi, ...nop, ...hlt)).with("PIN_BASED_CONTROLS", PinBased.NMI_EXITING)
      enter(hypervisor)
      assert.strictEqual(hypervisor.reason, ExitReason.EXCEPTION_OR_NMI)
      assert.strictEqual(interruption(hypervisor), VALID + nmi + 2)
      assert.strictEqual(hypervisor.number("GUEST_RIP"), guestCode + sendNmi.length)
      assert.strictEqual(hypervisor.board.machine.core.low(system.nmiBlocked), 1)
    })

    it("of the guest's own is blocked from its delivery to IRET, and has a window behind that", () => {
      const hypervisor = guest(...nop, ...nop, ...hlt)
      hypervisor.put(handlerOf(2), 0x48, 0xcf) // IRETQ
      hypervisor.with("PIN_BASED_CONTROLS", PinBased.NMI_EXITING | PinBased.VIRTUAL_NMIS)
      hypervisor.with("PRIMARY_CONTROLS", Primary.NMI_WINDOW_EXITING)
      enter(hypervisor.set("ENTRY_INTERRUPTION_INFORMATION", VALID + nmi + 2))
      assert.strictEqual(hypervisor.reason, ExitReason.NMI_WINDOW)
      assert.strictEqual(hypervisor.number("GUEST_RIP"), guestCode)
    })

    it.each([
      ["a fault", (h: Hypervisor) => h.set("EXCEPTION_BITMAP", 1 << 13), ExitReason.EXCEPTION_OR_NMI],
      ["an EPT violation", (h: Hypervisor) => h.ept(guestStack - 0x1000, 0n), ExitReason.EPT_VIOLATION]
    ] as const)("is blocked no more after an IRET that ended with %s, which says so", (_what, prepare, reason) => {
      // A stack of zeroes has a null selector for CS.
      const hypervisor = prepare(guest(...movImm("rsp", guestStack - 0x100), ...hex("48 CF"), ...hlt))
      hypervisor.with("PIN_BASED_CONTROLS", PinBased.NMI_EXITING | PinBased.VIRTUAL_NMIS)
      enter(hypervisor.set("GUEST_INTERRUPTIBILITY_STATE", 8))
      assert.strictEqual(hypervisor.reason, reason)
      assert.strictEqual(hypervisor.number("GUEST_INTERRUPTIBILITY_STATE"), 0)
      const said =
        reason === ExitReason.EPT_VIOLATION ? hypervisor.number("EXIT_QUALIFICATION") : interruption(hypervisor)
      assert.strictEqual(said & (1 << 12), 1 << 12)
      // Of an IRET that finds none blocked, it is 0.
      enter(hypervisor)
      assert.strictEqual(hypervisor.reason, reason)
      const again =
        reason === ExitReason.EPT_VIOLATION ? hypervisor.number("EXIT_QUALIFICATION") : interruption(hypervisor)
      assert.strictEqual(again & (1 << 12), 0)
    })

    it("that is blocked is told by the exit", () => {
      const hypervisor = guest(...hlt).with("PIN_BASED_CONTROLS", PinBased.NMI_EXITING | PinBased.VIRTUAL_NMIS)
      isHandled(enter(hypervisor.set("ENTRY_INTERRUPTION_INFORMATION", VALID + nmi + 2)), 2)
      assert.strictEqual(hypervisor.number("GUEST_INTERRUPTIBILITY_STATE"), 8)
    })
  })

  describe("time", () => {
    it("is up when the preemption timer has counted down, and what is left is saved", () => {
      const hypervisor = guest(0xeb, 0xfe).with("PIN_BASED_CONTROLS", PinBased.PREEMPTION_TIMER)
      hypervisor.set("PREEMPTION_TIMER_VALUE", 10).with("EXIT_CONTROLS", ExitControl.SAVE_PREEMPTION_TIMER)
      const before = hypervisor.board.machine.instructions
      enter(hypervisor)
      assert.strictEqual(hypervisor.reason, ExitReason.PREEMPTION_TIMER)
      assert.strictEqual(hypervisor.number("PREEMPTION_TIMER_VALUE"), 0)
      assert.closeTo(hypervisor.board.machine.instructions - before, 10 * 32, 40)
      const left = guest(...hlt).with("PIN_BASED_CONTROLS", PinBased.PREEMPTION_TIMER)
      enter(left.set("PREEMPTION_TIMER_VALUE", 10).with("EXIT_CONTROLS", ExitControl.SAVE_PREEMPTION_TIMER))
      assert.strictEqual(left.number("PREEMPTION_TIMER_VALUE"), 10)
    })

    it("is up at once with a timer of 0, before the first instruction, and while the guest has halted", () => {
      const hypervisor = guest(...hlt).with("PIN_BASED_CONTROLS", PinBased.PREEMPTION_TIMER)
      enter(hypervisor.set("PREEMPTION_TIMER_VALUE", 0))
      assert.strictEqual(hypervisor.reason, ExitReason.PREEMPTION_TIMER)
      assert.strictEqual(hypervisor.number("GUEST_RIP"), guestCode)
      hypervisor.set("PREEMPTION_TIMER_VALUE", 100).set("GUEST_ACTIVITY_STATE", 1)
      enter(hypervisor)
      assert.strictEqual(hypervisor.reason, ExitReason.PREEMPTION_TIMER)
      assert.strictEqual(hypervisor.number("GUEST_ACTIVITY_STATE"), 1)
    })

    it("goes by the instruction with the monitor trap flag", () => {
      const hypervisor = guest(...nop, ...movImm("rax", 5), ...hlt).with("PRIMARY_CONTROLS", Primary.MONITOR_TRAP_FLAG)
      enter(hypervisor)
      assert.strictEqual(hypervisor.reason, ExitReason.MONITOR_TRAP_FLAG)
      assert.strictEqual(hypervisor.number("GUEST_RIP"), guestCode + 1)
      enter(hypervisor)
      assert.strictEqual(hypervisor.number("GUEST_RIP"), guestCode + 11)
    })
  })

  describe("a debug exception", () => {
    it("that is pending comes before the first instruction", () => {
      const hypervisor = guest(...nop, ...hlt).set("GUEST_PENDING_DEBUG_EXCEPTIONS", 1 << 14)
      isHandled(enter(hypervisor), 1)
      assert.strictEqual(pushed(hypervisor, 0), BigInt(guestCode))
    })

    it("that is pending waits behind blocking by MOV SS", () => {
      const hypervisor = guest(...nop, ...nop, ...hlt).set("GUEST_INTERRUPTIBILITY_STATE", 2)
      isHandled(enter(hypervisor.set("GUEST_PENDING_DEBUG_EXCEPTIONS", (1 << 12) | 1)), 1)
      assert.strictEqual(pushed(hypervisor, 0), BigInt(guestCode + 1))
    })

    it("says in the qualification what DR6 would, and DR6 stays", () => {
      const hypervisor = guest(...nop, ...nop)
        .set("GUEST_RFLAGS", 0x102)
        .set("EXCEPTION_BITMAP", 2)
      enter(hypervisor)
      assert.strictEqual(interruption(hypervisor), VALID + hardware + 1)
      assert.strictEqual(hypervisor.number("EXIT_QUALIFICATION"), 1 << 14)
      assert.strictEqual(hypervisor.number("GUEST_RIP"), guestCode + 1)
    })

    it("waits for the monitor trap flag, and is saved as pending", () => {
      const hypervisor = guest(...nop, ...nop).set("GUEST_RFLAGS", 0x102)
      enter(hypervisor.with("PRIMARY_CONTROLS", Primary.MONITOR_TRAP_FLAG))
      assert.strictEqual(hypervisor.reason, ExitReason.MONITOR_TRAP_FLAG)
      assert.strictEqual(hypervisor.number("GUEST_PENDING_DEBUG_EXCEPTIONS"), 1 << 14)
    })
  })
})
