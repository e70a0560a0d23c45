import { assert, describe, it } from "@effect/vitest"
import { ExitReason } from "../../../../src/types/x86_64/ExitReason.ts"
import { hlt, nop, readings } from "../board.ts"
import { cpuid, guestCode, Hypervisor, hostEntry, vmcall } from "./hypervisor.ts"

describe.each(Object.entries(readings))("a guest, read: %s", (_name, reading) => {
  it("is entered, and left by HLT", () => {
    const hypervisor = new Hypervisor(reading).long(...nop, ...nop, ...hlt)
    assert.strictEqual(hypervisor.enter()._tag, "Idle", hypervisor.board.machine.core.vmx.lastBroken)
    assert.strictEqual(hypervisor.board.get("rip"), BigInt(hostEntry + 1), hypervisor.board.machine.core.vmx.lastBroken)
    assert.strictEqual(hypervisor.reason, ExitReason.HLT)
    assert.strictEqual(hypervisor.number("GUEST_RIP"), guestCode + 2)
    assert.strictEqual(hypervisor.number("EXIT_INSTRUCTION_LENGTH"), 1)
  })

  it("goes on where it was after VMRESUME", () => {
    const hypervisor = new Hypervisor(reading).long(...cpuid, ...nop, ...vmcall, ...hlt)
    hypervisor.enter()
    assert.strictEqual(hypervisor.reason, ExitReason.CPUID)
    hypervisor.set("GUEST_RIP", guestCode + 2)
    hypervisor.enter()
    assert.strictEqual(hypervisor.reason, ExitReason.VMCALL)
    hypervisor.set("GUEST_RIP", guestCode + 6)
    hypervisor.enter()
    assert.strictEqual(hypervisor.reason, ExitReason.HLT)
  })

  it("may be in real-address mode", () => {
    const hypervisor = new Hypervisor(reading).real(0xb8, 0x34, 0x12, 0xe7, 0x80) // MOV AX, 1234H; OUT 80H, AX
    hypervisor.with("PRIMARY_CONTROLS", 1 << 24)
    hypervisor.enter()
    assert.strictEqual(hypervisor.reason, ExitReason.IO_INSTRUCTION, hypervisor.board.machine.core.vmx.lastBroken)
    assert.strictEqual(hypervisor.number("EXIT_QUALIFICATION"), 1 | (1 << 6) | (0x80 << 16))
    assert.strictEqual(hypervisor.board.get("rax") & 0xffffn, 0x1234n)
  })

  it("is left by an access that EPT does not allow, with where and how", () => {
    // MOV [50123H], RAX
    const hypervisor = new Hypervisor(reading).long(0x48, 0x89, 0x04, 0x25, 0x23, 0x01, 0x05, 0x00)
    hypervisor.ept(0x5_0000, hypervisor.eptEntry(0x5_0000) & ~2n)
    hypervisor.enter()
    assert.strictEqual(hypervisor.reason, ExitReason.EPT_VIOLATION)
    assert.strictEqual(hypervisor.number("EXIT_QUALIFICATION"), 0x1aa)
    assert.strictEqual(hypervisor.number("GUEST_PHYSICAL_ADDRESS"), 0x5_0123)
    assert.strictEqual(hypervisor.number("GUEST_LINEAR_ADDRESS"), 0x5_0123)
  })
})
