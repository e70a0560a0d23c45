import { assert, describe, it } from "@effect/vitest"
import { ExitReason } from "../../../../src/types/x86_64/ExitReason.ts"
import { Secondary } from "../../../../src/types/x86_64/VmxControls.ts"
import { bytes, hex, hlt, movImm, nop, readings } from "../board.ts"
import { eptRoot, guestCode, guestMemory, Hypervisor, vmcall } from "./hypervisor.ts"

const page = 0x5_0000
/** RBX at `page` + 123H; MOV RAX, [RBX]; MOV [RBX], RAX; ADD [RBX], RAX. */
const at = movImm("rbx", page + 0x123)
const load = hex("48 8B 03")
const store = hex("48 89 03")
const add = hex("48 01 03")
/** JMP to the page. */
const jump = [0xe9, ...bytes(page - guestCode - 5, 4)]

const [R, W, X, WB] = [1n, 2n, 4n, 0x30n]
const [A, D] = [0x100n, 0x200n]
const own = BigInt(guestMemory + page)
const linear = 0x80
/** Of what the guest's own tables let a user write, and execute. */
const ofTheAccess = 0x100 | 0x200 | 0x400

describe.each(Object.entries(readings))("extended page tables, read: %s", (_name, reading) => {
  const guest = (...code: number[]) => new Hypervisor(reading).long(...code, ...hlt)
  const enter = (hypervisor: Hypervisor) => {
    hypervisor.enter()
    assert.isUndefined(hypervisor.board.machine.core.vmx.lastBroken)
    return hypervisor
  }

  it.each([
    ["a user's page that may be written", 0x7n, 0x600],
    ["a user's page that may be read", 0x5n, 0x200],
    ["a supervisor's page", 0x3n, 0x400],
    ["a page that may not be executed", (1n << 63n) | 0x7n, 0xe00]
  ] as const)("say of a violation that the guest itself has %s there", (_what, rights, said) => {
    // The guest's page directory has a table of pages of 4 KBytes for its first 2 MBytes.
    const hypervisor = guest(...at, ...load).ept(page, 0n)
    for (let n = 0; n < 512; n++) hypervisor.put64(0x4000 + n * 8, BigInt(n * 0x1000) | 7n)
    hypervisor.put64(0x3000, 0x4007n).put64(0x4000 + (page >> 12) * 8, BigInt(page) | rights)
    hypervisor.with("ENTRY_CONTROLS", 1 << 15).set("GUEST_IA32_EFER", 0xd00)
    assert.strictEqual(enter(hypervisor).number("EXIT_QUALIFICATION"), 1 | linear | 0x100 | said)
  })

  it.each([
    ["a read of what is not there", load, 0n, 1],
    ["a write to what is not there", store, 0n, 2],
    ["a write to what may be read", store, R | X | WB, 2 | (5 << 3)],
    ["an addition to what may be read", add, R | X | WB, 2 | (5 << 3)],
    ["a read of what may only be executed", load, X | WB, 1 | (4 << 3)]
  ] as const)("refuse %s", (_what, code, rights, qualification) => {
    const hypervisor = enter(guest(...at, ...code).ept(page, own | rights))
    assert.strictEqual(hypervisor.reason, ExitReason.EPT_VIOLATION)
    assert.strictEqual(hypervisor.number("EXIT_QUALIFICATION"), qualification | linear | ofTheAccess)
    assert.strictEqual(hypervisor.number("GUEST_PHYSICAL_ADDRESS"), page + 0x123)
    assert.strictEqual(hypervisor.number("GUEST_LINEAR_ADDRESS"), page + 0x123)
    assert.strictEqual(hypervisor.number("GUEST_RIP"), guestCode + at.length)
  })

  it("refuse to fetch what may not be executed, and let execute-only pages run", () => {
    const refused = enter(guest(...jump).ept(page, own | R | W | WB))
    assert.strictEqual(refused.number("EXIT_QUALIFICATION"), 4 | (3 << 3) | linear | ofTheAccess)
    assert.strictEqual(refused.number("GUEST_RIP"), page)
    const run = enter(
      guest(...jump)
        .put(page, ...vmcall)
        .ept(page, own | X | WB)
    )
    assert.strictEqual(run.reason, ExitReason.VMCALL)
  })

  it("refuse an access that crosses into a page that is not there, and name that", () => {
    const hypervisor = enter(guest(...movImm("rbx", page - 4), ...load).ept(page, 0n))
    assert.strictEqual(hypervisor.number("GUEST_PHYSICAL_ADDRESS"), page)
  })

  it.each([
    ["writable but not readable", W | WB],
    ["writable and executable, but not readable", W | X | WB],
    ["of a reserved memory type", R | (2n << 3n)],
    ["too high", R | WB | (1n << 45n)]
  ])("with an entry that is %s are misconfigured", (_what, entry) => {
    const hypervisor = enter(guest(...at, ...load).ept(page, own | entry))
    assert.strictEqual(hypervisor.reason, ExitReason.EPT_MISCONFIGURATION)
    assert.strictEqual(hypervisor.number("GUEST_PHYSICAL_ADDRESS"), page + 0x123)
  })

  it.each([
    ["a PML4E with bit 7", eptRoot, 0x87n],
    ["a PDPTE that leads to a table with bit 3", eptRoot + 0x1000, 0x0fn],
    ["a PDPTE of 1 GByte with bit 12", eptRoot + 0x1000, 0x1087n]
  ])("with %s are misconfigured", (_what, table, bits) => {
    const hypervisor = guest(...nop)
    hypervisor.board.entry(table, 0, (hypervisor.board.entryAt(table, 0) & ~0xfffn) | bits)
    assert.strictEqual(enter(hypervisor).reason, ExitReason.EPT_MISCONFIGURATION)
  })

  it("refuse the guest's own page tables like its data", () => {
    const hypervisor = enter(guest(...nop).ept(0x2000, 0n))
    assert.strictEqual(hypervisor.reason, ExitReason.EPT_VIOLATION)
    assert.strictEqual(hypervisor.number("EXIT_QUALIFICATION"), 1 | linear)
    assert.strictEqual(hypervisor.number("GUEST_PHYSICAL_ADDRESS"), 0x2000)
    assert.strictEqual(hypervisor.number("GUEST_LINEAR_ADDRESS"), guestCode)
  })

  it("refuse to let an accessed flag be set in a table that may not be written", () => {
    const hypervisor = enter(guest(...nop).ept(0x3000, BigInt(guestMemory + 0x3000) | R | WB))
    assert.strictEqual(hypervisor.reason, ExitReason.EPT_VIOLATION)
    assert.strictEqual(hypervisor.number("EXIT_QUALIFICATION"), 2 | (1 << 3) | linear)
  })

  it("with a #PF of the guest are not asked: that is the guest's", () => {
    const hypervisor = guest(...movImm("rbx", 0x4000_0000), ...load).set("EXCEPTION_BITMAP", 1 << 14)
    assert.strictEqual(enter(hypervisor).number("EXIT_INTERRUPTION_INFORMATION") & 0xff, 14)
  })

  it("have accessed and dirty flags, if that is asked for", () => {
    const hypervisor = guest(...at, ...load, ...movImm("rbx", 0x6_0000), ...store).set("EPT_POINTER", eptRoot | 0x5e)
    enter(hypervisor)
    assert.strictEqual(hypervisor.reason, ExitReason.HLT)
    assert.strictEqual(hypervisor.eptEntry(page) & (A | D), A)
    assert.strictEqual(hypervisor.eptEntry(0x6_0000) & (A | D), A | D)
    assert.strictEqual(hypervisor.eptEntry(0x7_0000) & (A | D), 0n)
    assert.strictEqual(hypervisor.board.entryAt(eptRoot, 0) & A, A)
    // "Processor accesses to guest paging-structure entries are treated as writes."
    assert.strictEqual(hypervisor.eptEntry(0x2000) & (A | D), A | D)
    const without = enter(guest(...at, ...store))
    assert.strictEqual(without.eptEntry(page) & (A | D), 0n)
  })

  it("may have pages of 2 MBytes and of 1 GByte", () => {
    const large = guest(...at, ...load)
    large.put64(page + 0x123, 0x77n).board.entry(eptRoot + 0x2000, 0, BigInt(guestMemory) | 0xb7n)
    enter(large)
    assert.strictEqual(large.board.get("rax"), 0x77n)
    // The whole machine is the guest's: its memory begins where the machine's does.
    const huge = guest(...nop)
      .set("GUEST_CR3", guestMemory + 0x1000)
      .set("GUEST_RIP", guestMemory + guestCode)
    huge.board.entry(eptRoot + 0x1000, 0, 0xb7n)
    huge.put64(0x1000, BigInt(guestMemory + 0x2000) | 7n).put64(0x2000, BigInt(guestMemory + 0x3000) | 7n)
    huge.put64(0x3008, BigInt(guestMemory) | 0x87n)
    assert.strictEqual(enter(huge).reason, ExitReason.HLT)
  })

  it("may have five levels", () => {
    const hypervisor = guest(...at, ...load).set("EPT_POINTER", 0x5_6000 | 0x26)
    hypervisor.board.entry(0x5_6000, 0, BigInt(eptRoot) | 7n)
    hypervisor.put64(page + 0x123, 0x77n)
    enter(hypervisor)
    assert.strictEqual(hypervisor.reason, ExitReason.HLT)
    assert.strictEqual(hypervisor.board.get("rax"), 0x77n)
  })

  it("have the PDPTEs of PAE paging in the VMCS, and those that MOV to CR3 loads in the guest's memory", () => {
    // MOV EAX, 4000H; MOV CR3, EAX, in code of 32 bits
    const hypervisor = new Hypervisor(reading).real(0xb8, ...bytes(0x4000, 4), 0x0f, 0x22, 0xd8, ...hlt)
    hypervisor.set("GUEST_CR0", 0x8000_0021).set("GUEST_CR4", 0x2020).set("GUEST_CR3", 0x5000)
    hypervisor.set("GUEST_CS_ACCESS_RIGHTS", 0xc09b).set("GUEST_CS_LIMIT", 0xffff_ffff).set("GUEST_CS_BASE", 0)
    hypervisor.set("GUEST_RIP", guestCode).set("GUEST_PDPTE_0", 0x3001).put64(0x3000, 0x87n)
    hypervisor.put64(0x4000, 0x3001n).put64(0x4008, 0x6001n)
    enter(hypervisor)
    assert.strictEqual(hypervisor.reason, ExitReason.HLT)
    assert.strictEqual(hypervisor.number("GUEST_PDPTE_1"), 0x6001)
    const refused = new Hypervisor(reading).real(0xb8, ...bytes(0x7_0000, 4), 0x0f, 0x22, 0xd8, ...hlt)
    refused.set("GUEST_CR0", 0x8000_0021).set("GUEST_CR4", 0x2020)
    refused.set("GUEST_CS_ACCESS_RIGHTS", 0xc09b).set("GUEST_CS_LIMIT", 0xffff_ffff).set("GUEST_CS_BASE", 0)
    refused.set("GUEST_RIP", guestCode).set("GUEST_PDPTE_0", 0x3001).put64(0x3000, 0x87n).ept(0x7_0000, 0n)
    enter(refused)
    assert.strictEqual(refused.reason, ExitReason.EPT_VIOLATION)
    assert.strictEqual(refused.number("EXIT_QUALIFICATION"), 1)
    assert.strictEqual(refused.number("GUEST_PHYSICAL_ADDRESS"), 0x7_0000)
  })

  describe("keep what was used", () => {
    /** The guest reads its page, leaves, reads again; meanwhile the entry leads to another page, with 2 in it. */
    const stale = (prepare: (hypervisor: Hypervisor) => void = () => {}) => {
      const hypervisor = guest(...at, ...load, ...vmcall, ...load)
      prepare(hypervisor)
      hypervisor.put64(page + 0x123, 1n).put64(0x6_0123, 2n)
      enter(hypervisor)
      assert.strictEqual(hypervisor.board.get("rax"), 1n)
      hypervisor.ept(page, BigInt(guestMemory + 0x6_0000) | R | W | X | WB)
      hypervisor.set("GUEST_RIP", hypervisor.number("GUEST_RIP") + 3)
      return hypervisor
    }
    const next = (hypervisor: Hypervisor) => enter(hypervisor).board.get("rax")

    it("over exits and entries of one VPID", () => {
      assert.strictEqual(next(stale()), 1n)
    })

    it("until INVEPT, of that EPT root or of all", () => {
      for (const which of ["one", "all"] as const) {
        const hypervisor = stale()
        hypervisor.vmx.invalidateGuestPhysical(which, eptRoot | 0x1e, 0)
        assert.strictEqual(next(hypervisor), 2n)
      }
    })

    it("though another root is invalidated", () => {
      const hypervisor = stale()
      hypervisor.vmx.invalidateGuestPhysical("one", 0x1e, 0)
      assert.strictEqual(next(hypervisor), 1n)
    })

    it("of linear addresses until INVVPID: then guest-physical translations are asked", () => {
      const hypervisor = guest(...at, ...load, ...vmcall, ...load)
      // By a page table of the guest's own.
      hypervisor.put64(0x3000, 0x4007n)
      for (let n = 0; n < 512; n++) hypervisor.put64(0x4000 + n * 8, BigInt(n * 0x1000) | 7n)
      hypervisor.put64(page + 0x123, 1n).put64(0x6_0123, 2n)
      enter(hypervisor)
      hypervisor.put64(0x4000 + (page >> 12) * 8, 0x6_0007n).set("GUEST_RIP", hypervisor.number("GUEST_RIP") + 3)
      const readAfter = (which: "page" | "one" | "all" | "oneButGlobals", tag: number, address = 0) => {
        hypervisor.vmx.invalidateGuest(which, tag, address, 0)
        hypervisor.set("GUEST_RIP", guestCode + at.length + load.length + vmcall.length)
        return next(hypervisor)
      }
      assert.strictEqual(readAfter("one", 2), 1n)
      assert.strictEqual(readAfter("page", 1, 0x7_0000), 1n)
      assert.strictEqual(readAfter("page", 1, page), 2n)
    })

    it("but not from one entry to the next without a VPID", () => {
      const hypervisor = guest(...at, ...load, ...vmcall, ...load).without("SECONDARY_CONTROLS", Secondary.ENABLE_VPID)
      hypervisor.put64(0x3000, 0x4007n)
      for (let n = 0; n < 512; n++) hypervisor.put64(0x4000 + n * 8, BigInt(n * 0x1000) | 7n)
      hypervisor.put64(page + 0x123, 1n).put64(0x6_0123, 2n)
      enter(hypervisor)
      hypervisor.put64(0x4000 + (page >> 12) * 8, 0x6_0007n).set("GUEST_RIP", hypervisor.number("GUEST_RIP") + 3)
      assert.strictEqual(next(hypervisor), 2n)
    })

    it("and the host its own: no entry and no exit drops them", () => {
      const hypervisor = guest(...vmcall)
      const { board } = hypervisor
      board.map(0x5000_0000n, 0x50_0000, 3n)
      board.put64(0x50_0000, 1n).put64(0x50_1000, 2n)
      board.put(0x10_0000, ...movImm("rdi", 0x5000_0000), ...hex("48 8B 07 0F 01 C2"))
      board.put(0x10_0101, ...hex("48 8B 0F F4"))
      hypervisor.enter()
      board.map(0x5000_0000n, 0x50_1000, 3n)
      hypervisor.enter(2)
      assert.strictEqual(board.get("rcx"), 1n)
    })
  })
})
