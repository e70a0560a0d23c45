import { assert, describe, it } from "@effect/vitest"
import { at } from "../../../../src/hal/x86_64/processor/State.ts"
import { ExitReason } from "../../../../src/types/x86_64/ExitReason.ts"
import { EntryControl, ExitControl, Primary, Secondary } from "../../../../src/types/x86_64/VmxControls.ts"
import { bytes, hex, hlt, movImm, nop, readings } from "../board.ts"
import { cpuid, guestCode, Hypervisor, hostEntry, ioBitmapA, msrBitmaps, vmcall } from "./hypervisor.ts"

type Prepare = (hypervisor: Hypervisor) => Hypervisor
interface Row {
  readonly code: readonly number[]
  readonly with?: Prepare
  readonly reason: number
  readonly qualification?: number
  readonly length?: number
  readonly information?: number
}

const primary =
  (bits: number): Prepare =>
  (hypervisor) =>
    hypervisor.with("PRIMARY_CONTROLS", bits)
const secondary =
  (bits: number): Prepare =>
  (hypervisor) =>
    hypervisor.with("SECONDARY_CONTROLS", bits)
const masks: Prepare = (hypervisor) =>
  hypervisor.set("CR0_GUEST_HOST_MASK", 0x8).set("CR0_READ_SHADOW", 0x8).set("CR4_GUEST_HOST_MASK", 0x2000)
const msrs: Prepare = (hypervisor) => {
  hypervisor.board.put(msrBitmaps + 0x400 + (0x81 >> 3), 1 << (0x81 & 7)) // reads of C0000081H
  hypervisor.board.put(msrBitmaps + 0x800 + (0x10 >> 3), 1 << (0x10 & 7)) // writes of 10H
  return hypervisor.with("PRIMARY_CONTROLS", Primary.USE_MSR_BITMAPS)
}
const ports: Prepare = (hypervisor) => {
  hypervisor.board.put(ioBitmapA + (0x60 >> 3), 1 << 4) // 64H
  return hypervisor.with("PRIMARY_CONTROLS", Primary.USE_IO_BITMAPS)
}
const everyPort = primary(Primary.UNCONDITIONAL_IO_EXITING)
const tables = secondary(Secondary.DESCRIPTOR_TABLE_EXITING)
const ecx = (value: number) => [0xb9, ...bytes(value, 4)]

/** Addressing by [RBX + RSI*4 + 8]: scaling 2, 64-bit addresses, DS, index RSI, base RBX. */
const sib = 2 | (2 << 7) | (3 << 15) | (6 << 18) | (3 << 23)
/** [RBX]: no index. */
const plain = (2 << 7) | (3 << 15) | (1 << 22) | (3 << 23)
const register = 1 << 10

// biome-ignore format: an instruction, a line
const rows: Readonly<Record<string, Row>> = {
  "CPUID": { code: cpuid, reason: ExitReason.CPUID },
  "VMCALL": { code: vmcall, reason: ExitReason.VMCALL },
  "HLT": { code: hlt, reason: ExitReason.HLT },
  "INVD": { code: hex("0F 08"), reason: ExitReason.INVD },
  "WBINVD": { code: hex("0F 09"), with: secondary(Secondary.WBINVD_EXITING), reason: ExitReason.WBINVD },
  "INVLPG [RBX]": { code: [...movImm("rbx", 0x1234), ...hex("0F 01 3B")], with: primary(Primary.INVLPG_EXITING), reason: ExitReason.INVLPG, qualification: 0x1234 },
  "INVPCID RCX, [RBX + RSI*4 + 8]": { code: hex("66 0F 38 82 4C B3 08"), with: (h) => primary(Primary.INVLPG_EXITING)(secondary(Secondary.ENABLE_INVPCID)(h)), reason: ExitReason.INVPCID, qualification: 8, information: (sib | (1 << 28)) >>> 0 },
  "RDTSC": { code: hex("0F 31"), with: primary(Primary.RDTSC_EXITING), reason: ExitReason.RDTSC },
  "RDTSCP": { code: hex("0F 01 F9"), with: (h) => primary(Primary.RDTSC_EXITING)(secondary(Secondary.ENABLE_RDTSCP)(h)), reason: ExitReason.RDTSCP },
  "RDPMC": { code: hex("0F 33"), with: primary(Primary.RDPMC_EXITING), reason: ExitReason.RDPMC },
  "PAUSE": { code: hex("F3 90"), with: primary(Primary.PAUSE_EXITING), reason: ExitReason.PAUSE },
  "MONITOR": { code: hex("0F 01 C8"), with: primary(Primary.MONITOR_EXITING), reason: ExitReason.MONITOR },
  "MWAIT": { code: hex("0F 01 C9"), with: primary(Primary.MWAIT_EXITING), reason: ExitReason.MWAIT },
  "RDRAND R9": { code: hex("49 0F C7 F1"), with: secondary(Secondary.RDRAND_EXITING), reason: ExitReason.RDRAND, information: (9 << 3) | (2 << 11) },
  "RDSEED CX": { code: hex("66 0F C7 F9"), with: secondary(Secondary.RDSEED_EXITING), reason: ExitReason.RDSEED, information: 1 << 3 },
  "MOV to CR0 of a bit of the host's": { code: hex("31 C0 0F 22 C0"), with: masks, reason: ExitReason.CONTROL_REGISTER_ACCESS, qualification: 0 },
  "MOV to CR4 of a bit of the host's, from RDX": { code: [...movImm("rdx", 0x2020), ...hex("0F 22 E2")], with: masks, reason: ExitReason.CONTROL_REGISTER_ACCESS, qualification: 4 | (2 << 8) },
  "MOV to CR3, from RDI": { code: hex("0F 22 DF"), with: primary(Primary.CR3_LOAD_EXITING), reason: ExitReason.CONTROL_REGISTER_ACCESS, qualification: 3 | (7 << 8) },
  "MOV from CR3, to R9": { code: hex("41 0F 20 D9"), with: primary(Primary.CR3_STORE_EXITING), reason: ExitReason.CONTROL_REGISTER_ACCESS, qualification: 3 | (1 << 4) | (9 << 8) },
  "MOV to CR8": { code: hex("44 0F 22 C0"), with: primary(Primary.CR8_LOAD_EXITING), reason: ExitReason.CONTROL_REGISTER_ACCESS, qualification: 8 },
  "MOV from CR8": { code: hex("44 0F 20 C0"), with: primary(Primary.CR8_STORE_EXITING), reason: ExitReason.CONTROL_REGISTER_ACCESS, qualification: 8 | (1 << 4) },
  "CLTS of the host's TS": { code: hex("0F 06"), with: masks, reason: ExitReason.CONTROL_REGISTER_ACCESS, qualification: 2 << 4 },
  "LMSW of the host's TS, from AX": { code: hex("31 C0 0F 01 F0"), with: masks, reason: ExitReason.CONTROL_REGISTER_ACCESS, qualification: 3 << 4 },
  "MOV to DR7, from RCX": { code: hex("0F 23 F9"), with: primary(Primary.MOV_DR_EXITING), reason: ExitReason.MOV_DR, qualification: 7 | (1 << 8) },
  "MOV from DR6, to RBX": { code: hex("0F 21 F3"), with: primary(Primary.MOV_DR_EXITING), reason: ExitReason.MOV_DR, qualification: 6 | (1 << 4) | (3 << 8) },
  "OUT 80H, AL": { code: hex("E6 80"), with: everyPort, reason: ExitReason.IO_INSTRUCTION, qualification: (1 << 6) | (0x80 << 16) },
  "IN EAX, DX": { code: [...movImm("rdx", 0x3f8), 0xed], with: everyPort, reason: ExitReason.IO_INSTRUCTION, qualification: 3 | (1 << 3) | (0x3f8 << 16) },
  "IN AX, DX over a port that the bitmap has": { code: [...movImm("rdx", 0x63), ...hex("66 ED")], with: ports, reason: ExitReason.IO_INSTRUCTION, qualification: 1 | (1 << 3) | (0x63 << 16) },
  "REP INSB": { code: [...movImm("rdx", 0x60), ...movImm("rcx", 5), ...movImm("rdi", 0x4_0000), ...hex("F3 6C")], with: everyPort, reason: ExitReason.IO_INSTRUCTION, qualification: (1 << 3) | (1 << 4) | (1 << 5) | (0x60 << 16), information: 2 << 7 },
  "OUTSD from FS, by ESI": { code: [...movImm("rdx", 0x60), ...hex("64 67 6F")], with: everyPort, reason: ExitReason.IO_INSTRUCTION, qualification: 3 | (1 << 4) | (0x60 << 16), information: (1 << 7) | (4 << 15) },
  "RDMSR that the bitmap has": { code: [...ecx(0xc000_0081), ...hex("0F 32")], with: msrs, reason: ExitReason.RDMSR },
  "WRMSR that the bitmap has": { code: [...ecx(0x10), ...hex("0F 30")], with: msrs, reason: ExitReason.WRMSR },
  "RDMSR of what the bitmap is not about": { code: [...ecx(0x4000_0000), ...hex("0F 32")], with: msrs, reason: ExitReason.RDMSR },
  "SGDT [RBX]": { code: hex("0F 01 03"), with: tables, reason: ExitReason.GDTR_OR_IDTR_ACCESS, qualification: 0, information: plain | (1 << 11) },
  "LIDT [RBX]": { code: hex("0F 01 1B"), with: tables, reason: ExitReason.GDTR_OR_IDTR_ACCESS, information: plain | (1 << 11) | (3 << 28) },
  "SLDT ECX": { code: hex("0F 00 C1"), with: tables, reason: ExitReason.LDTR_OR_TR_ACCESS, information: register | (1 << 3) },
  "STR [RIP + 10H]": { code: hex("0F 00 0D 10 00 00 00"), with: tables, reason: ExitReason.LDTR_OR_TR_ACCESS, qualification: guestCode + 7 + 0x10, information: (2 << 7) | (3 << 15) | (1 << 22) | (1 << 27) | (1 << 28) },
  "LTR DX": { code: hex("0F 00 DA"), with: tables, reason: ExitReason.LDTR_OR_TR_ACCESS, information: register | (2 << 3) | (3 << 28) },
  "VMREAD RCX, RAX": { code: hex("0F 78 C1"), reason: ExitReason.VMREAD, information: register | (1 << 3) },
  "VMWRITE RAX, RCX": { code: hex("0F 79 C1"), reason: ExitReason.VMWRITE, information: register | (1 << 3) },
  "VMREAD [RBX + RSI*4 + 8], RDX": { code: hex("0F 78 54 B3 08"), reason: ExitReason.VMREAD, qualification: 8, information: (sib | (2 << 28)) >>> 0 },
  "VMPTRLD [RBX]": { code: hex("0F C7 33"), reason: ExitReason.VMPTRLD, information: plain },
  "VMXON [RBX]": { code: hex("F3 0F C7 33"), reason: ExitReason.VMXON, information: plain },
  "VMLAUNCH": { code: hex("0F 01 C2"), reason: ExitReason.VMLAUNCH },
  "VMXOFF": { code: hex("0F 01 C4"), reason: ExitReason.VMXOFF },
  "INVEPT RCX, [RBX]": { code: hex("66 0F 38 80 0B"), reason: ExitReason.INVEPT, information: plain | (1 << 28) }
}

describe.each(Object.entries(readings))("a guest, read: %s", (_name, reading) => {
  const run = (code: readonly number[], prepare: Prepare = (hypervisor) => hypervisor) => {
    const hypervisor = prepare(new Hypervisor(reading).long(...code, ...hlt))
    hypervisor.enter()
    assert.isUndefined(hypervisor.board.machine.core.vmx.lastBroken)
    assert.strictEqual(hypervisor.board.get("rip"), BigInt(hostEntry + 1))
    return hypervisor
  }

  it("is entered, left, and goes on where it was after VMRESUME", () => {
    const hypervisor = new Hypervisor(reading).long(...nop, ...cpuid, ...nop, ...vmcall, ...hlt)
    hypervisor.enter()
    assert.strictEqual(hypervisor.reason, ExitReason.CPUID)
    assert.strictEqual(hypervisor.number("GUEST_RIP"), guestCode + 1)
    hypervisor.set("GUEST_RIP", guestCode + 3).enter()
    assert.strictEqual(hypervisor.reason, ExitReason.VMCALL)
    hypervisor.set("GUEST_RIP", guestCode + 7).enter()
    assert.strictEqual(hypervisor.reason, ExitReason.HLT)
  })

  it.each(Object.entries(rows))("is left by %s, which has done nothing", (_what, row) => {
    const hypervisor = run(row.code, row.with)
    assert.strictEqual(hypervisor.reason, row.reason)
    assert.strictEqual(hypervisor.number("EXIT_QUALIFICATION"), row.qualification ?? 0)
    assert.strictEqual(hypervisor.number("EXIT_INSTRUCTION_INFORMATION"), row.information ?? 0)
    const behind = guestCode + row.code.length
    assert.strictEqual(hypervisor.number("GUEST_RIP") + hypervisor.number("EXIT_INSTRUCTION_LENGTH"), behind)
    assert.strictEqual(hypervisor.number("EXIT_INTERRUPTION_INFORMATION"), 0)
    assert.strictEqual(hypervisor.number("IDT_VECTORING_INFORMATION"), 0)
  })

  it("may be in real-address mode", () => {
    const hypervisor = everyPort(new Hypervisor(reading).real(0xb8, 0x34, 0x12, 0xe7, 0x80)) // MOV AX, 1234H; OUT 80H, AX
    hypervisor.enter()
    assert.strictEqual(hypervisor.reason, ExitReason.IO_INSTRUCTION)
    assert.strictEqual(hypervisor.number("EXIT_QUALIFICATION"), 1 | (1 << 6) | (0x80 << 16))
    assert.strictEqual(hypervisor.board.get("rax") & 0xffffn, 0x1234n)
  })

  it("reads of CR0 and CR4 what the read shadows have of the host's bits, by SMSW too", () => {
    const code = hex("0F 20 C0 0F 20 E3 0F 01 E1") // MOV RAX, CR0; MOV RBX, CR4; SMSW ECX
    const hypervisor = run(code, masks)
    assert.strictEqual(hypervisor.board.get("rax") & 8n, 8n)
    assert.strictEqual(hypervisor.board.get("rbx") & 0x2000n, 0n)
    assert.strictEqual(hypervisor.board.get("rcx") & 8n, 8n)
  })

  it("writes its own bits of CR0 and CR4 without being left, and the host's stay", () => {
    // MOV EAX, 80000029H; MOV CR0, RAX: TS as the shadow has it, though it is 0
    const hypervisor = run([...movImm("rax", 0x8000_0029), ...hex("0F 22 C0")], masks)
    assert.strictEqual(hypervisor.reason, ExitReason.HLT)
    assert.strictEqual(hypervisor.number("GUEST_CR0") & 0x2a, 0x20)
  })

  it("is not left by a write to CR3 of a target value", () => {
    const hypervisor = run([...movImm("rax", 0x1000), ...hex("0F 22 D8")], (h) =>
      primary(Primary.CR3_LOAD_EXITING)(h).set("CR3_TARGET_COUNT", 2).set("CR3_TARGET_VALUE_1", 0x1000)
    )
    assert.strictEqual(hypervisor.reason, ExitReason.HLT)
  })

  it("uses ports and registers that the bitmaps leave to it", () => {
    const hypervisor = run([...hex("E6 80"), ...ecx(0x10), ...hex("0F 32")], (h) => msrs(ports(h)))
    assert.strictEqual(hypervisor.reason, ExitReason.HLT)
  })

  it("counts time with its offset, and by its multiplier", () => {
    const tsc = (hypervisor: Hypervisor) => (hypervisor.board.get("rdx") << 32n) | hypervisor.board.get("rax")
    const shifted = run(hex("0F 31"), (h) => primary(Primary.USE_TSC_OFFSETTING)(h).set("TSC_OFFSET", 0x1_0000_0000n))
    assert.strictEqual(tsc(shifted) >> 32n, 1n)
    const twice = (h: Hypervisor) =>
      secondary(Secondary.USE_TSC_SCALING)(primary(Primary.USE_TSC_OFFSETTING)(h)).set("TSC_MULTIPLIER", 2n << 48n)
    assert.strictEqual(tsc(run(hex("0F 31"), twice)), 2n * (tsc(shifted) & 0xffff_ffffn))
  })

  it("has no RDTSCP, no RDPID and no INVPCID unless they are enabled", () => {
    for (const code of [hex("0F 01 F9"), hex("66 0F 38 82 0B"), hex("F3 0F C7 F8")]) {
      const hypervisor = run(code, (h) => h.set("EXCEPTION_BITMAP", 1 << 6))
      assert.strictEqual(hypervisor.number("EXIT_INTERRUPTION_INFORMATION"), 0x8000_0306)
    }
  })

  it("has no gate into the host", () => {
    const hypervisor = run(hex("0F 04 00"), (h) => h.set("EXCEPTION_BITMAP", 1 << 6))
    assert.strictEqual(hypervisor.number("EXIT_INTERRUPTION_INFORMATION"), 0x8000_0306)
  })

  it("is left when a loop of PAUSE has spun for long", () => {
    const hypervisor = run([...hex("F3 90 EB FC")], (h) =>
      secondary(Secondary.PAUSE_LOOP_EXITING)(h).set("PLE_GAP", 100).set("PLE_WINDOW", 1000)
    )
    assert.strictEqual(hypervisor.reason, ExitReason.PAUSE)
  })

  it("cannot write what is fixed in VMX operation", () => {
    const code = [...movImm("rax", 0x8000_0001), ...hex("0F 22 C0")] // NE = 0
    const hypervisor = run(code, (h) => h.set("EXCEPTION_BITMAP", 1 << 13))
    assert.strictEqual(hypervisor.number("EXIT_INTERRUPTION_INFORMATION"), 0x8000_0b0d)
  })

  it("has MSRs loaded at the entry, stored and loaded at the exit, by lists", () => {
    const [entry, store, load] = [0x5_7000, 0x5_7100, 0x5_7200]
    const LSTAR = 0xc000_0082
    const hypervisor = run([...ecx(LSTAR), ...hex("0F 32")], (h) => {
      h.board.put64(entry, BigInt(LSTAR)).put64(entry + 8, 0x1111n)
      h.board.put64(store, BigInt(LSTAR)).put64(store + 8, 0n)
      h.board.put64(load, BigInt(LSTAR)).put64(load + 8, 0x2222n)
      h.with("PRIMARY_CONTROLS", Primary.USE_MSR_BITMAPS)
      h.set("ENTRY_MSR_LOAD_ADDRESS", entry).set("ENTRY_MSR_LOAD_COUNT", 1)
      h.set("EXIT_MSR_STORE_ADDRESS", store).set("EXIT_MSR_STORE_COUNT", 1)
      return h.set("EXIT_MSR_LOAD_ADDRESS", load).set("EXIT_MSR_LOAD_COUNT", 1)
    })
    assert.strictEqual(hypervisor.board.get("rax"), 0x1111n)
    assert.strictEqual(hypervisor.board.get64(store + 8), 0x1111n)
    hypervisor.board.put(hostEntry + 1, ...ecx(LSTAR), ...hex("0F 32"), ...hlt)
    hypervisor.enter()
    assert.strictEqual(hypervisor.board.get("rax"), 0x2222n)
  })

  it("has its debug controls loaded at the entry and saved at the exit, and the host has none of them", () => {
    const DEBUGCTL = 0x1d9
    const hypervisor = run([...ecx(DEBUGCTL), ...hex("0F 32")], (h) =>
      h
        .with("PRIMARY_CONTROLS", Primary.USE_MSR_BITMAPS)
        .with("ENTRY_CONTROLS", EntryControl.LOAD_DEBUG_CONTROLS)
        .with("EXIT_CONTROLS", ExitControl.SAVE_DEBUG_CONTROLS)
        .set("GUEST_IA32_DEBUGCTL", 2)
    )
    assert.strictEqual(hypervisor.board.get("rax"), 2n)
    assert.strictEqual(hypervisor.number("GUEST_IA32_DEBUGCTL"), 2)
    hypervisor.board.put(hostEntry + 1, ...ecx(DEBUGCTL), ...hex("0F 32"), ...hlt)
    hypervisor.enter()
    assert.strictEqual(hypervisor.board.get("rax"), 0n)
  })

  it("is not entered if an MSR of the list cannot be loaded: which one, says the qualification", () => {
    const entry = 0x5_7000
    const hypervisor = new Hypervisor(reading).long(...hlt)
    hypervisor.board.put64(entry, 0xc000_0082n).put64(entry + 16, 0xc000_0100n)
    hypervisor.set("ENTRY_MSR_LOAD_ADDRESS", entry).set("ENTRY_MSR_LOAD_COUNT", 2)
    hypervisor.enter()
    assert.strictEqual(hypervisor.number("EXIT_REASON"), 0x8000_0000 + ExitReason.MSR_LOADING)
    assert.strictEqual(hypervisor.number("EXIT_QUALIFICATION"), 2)
  })

  it("stops the machine with a VMX abort if a list of the exit cannot be loaded", () => {
    const load = 0x5_7200
    const hypervisor = new Hypervisor(reading).long(...hlt)
    hypervisor.board.put64(load, 0x9bn)
    hypervisor.set("EXIT_MSR_LOAD_ADDRESS", load).set("EXIT_MSR_LOAD_COUNT", 1)
    assert.deepStrictEqual(hypervisor.enter(), { _tag: "Halt", report: "VMX abort 4" })
  })

  it("keeps PAT and EFER apart from the host's", () => {
    const hypervisor = run(hlt, (h) => {
      h.with("ENTRY_CONTROLS", 1 << 14).set("GUEST_IA32_PAT", 0x0606_0606_0606_0606n)
      h.with("EXIT_CONTROLS", ExitControl.SAVE_IA32_PAT | ExitControl.LOAD_IA32_PAT)
      return h.set("HOST_IA32_PAT", 0x0007_0406_0007_0406n)
    })
    assert.strictEqual(hypervisor.get("GUEST_IA32_PAT"), 0x0606_0606_0606_0606n)
    hypervisor.board.put(hostEntry + 1, ...ecx(0x277), ...hex("0F 32"), ...hlt)
    hypervisor.enter()
    assert.strictEqual(hypervisor.board.get("rax"), 0x0007_0406n)
  })

  it("by LMSW of memory says where that is", () => {
    const code = [...movImm("rbx", 0x4_0000), ...movImm("rsi", 0x10), ...hex("65 0F 01 74 B3 08")]
    const hypervisor = run(code, (h) => masks(h).set("GUEST_GS_BASE", 0x1000))
    assert.strictEqual(hypervisor.reason, ExitReason.CONTROL_REGISTER_ACCESS)
    assert.strictEqual(hypervisor.number("EXIT_QUALIFICATION"), (3 << 4) | (1 << 6))
    assert.strictEqual(hypervisor.number("GUEST_LINEAR_ADDRESS"), 0x4_1000 + 0x40 + 8)
  })

  it("is #UD's for XSAVES and XRSTORS that are not enabled", () => {
    const osxsave = (h: Hypervisor) => h.set("GUEST_CR4", 0x4_2020).set("EXCEPTION_BITMAP", 1 << 6)
    for (const code of [hex("0F C7 2B"), hex("0F C7 1B")]) {
      const all = [...movImm("rbx", 0x4_0000), ...code, ...hlt]
      assert.strictEqual(run(all, osxsave).number("EXIT_INTERRUPTION_INFORMATION"), 0x8000_0306)
    }
    const enabled = (h: Hypervisor) => osxsave(h).with("SECONDARY_CONTROLS", Secondary.ENABLE_XSAVES)
    const all = [...movImm("rbx", 0x4_0000), ...hex("31 C0 31 D2 0F C7 2B"), ...hlt]
    assert.strictEqual(run(all, enabled).reason, ExitReason.HLT)
  })

  it("finds the host with its segments, flags and stack", () => {
    const hypervisor = run(hlt, (h) => h.set("GUEST_RFLAGS", 0x8d7 | (1 << 10)))
    const { core } = hypervisor.board.machine
    assert.strictEqual(core.rflags(), 2)
    assert.strictEqual(core.selector(1), 8)
    assert.strictEqual(core.segmentAccess(7), 0x8b)
    assert.strictEqual(core.low(at.cr0) & 1, 1)
    assert.strictEqual(hypervisor.number("GUEST_RFLAGS"), 0x8d7 | (1 << 10))
  })
})
