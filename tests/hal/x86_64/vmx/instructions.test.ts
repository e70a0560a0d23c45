import { assert, describe, it } from "@effect/vitest"
import { at } from "../../../../src/hal/x86_64/processor/State.ts"
import { capabilityMsrs } from "../../../../src/hal/x86_64/vmx/capabilities.ts"
import { VmInstructionError } from "../../../../src/types/x86_64/ExitReason.ts"
import { VmcsField } from "../../../../src/types/x86_64/VmcsField.ts"
import { type Board, bytes, hex, hlt, movImm, readings } from "../board.ts"
import { Hypervisor, hostEntry, vmcall, vmcsRegion, vmlaunch, vmresume, vmxonRegion } from "./hypervisor.ts"

const [CF, ZF] = [1, 0x40]
const status = 0x8d5
const operand = 0x5_7000
const [spare, other] = [0x5_a000, 0x5_7800]

/** Of memory at RBX. */
const vmclear = hex("66 0F C7 33")
const vmptrld = hex("0F C7 33")
const vmptrst = hex("0F C7 3B")
const vmxon = hex("F3 0F C7 33")
const vmxoff = hex("0F 01 C4")
/** VMREAD RCX, RAX; VMREAD [RBX], RAX; VMWRITE RAX, RCX; VMWRITE RAX, [RBX]. */
const vmread = hex("0F 78 C1")
const vmreadToMemory = hex("0F 78 03")
const vmwrite = hex("0F 79 C1")
const vmwriteFromMemory = hex("0F 79 03")
/** INVEPT RCX, [RBX]; INVVPID RCX, [RBX]. */
const invept = hex("66 0F 38 80 0B")
const invvpid = hex("66 0F 38 81 0B")

describe.each(Object.entries(readings))("VMX instructions, read: %s", (_name, reading) => {
  /** The host runs these instructions, with RBX at `operand`, and halts. */
  const run = (code: readonly number[], prepare: (hypervisor: Hypervisor) => void = () => {}) => {
    const hypervisor = new Hypervisor(reading)
    const { board } = hypervisor
    board.put(0x10_0000, ...code, ...hlt)
    board.set("rbx", BigInt(operand))
    prepare(hypervisor)
    board.run(50)
    return hypervisor
  }
  const flagsOf = (board: Board) => board.machine.core.rflags() & status
  const succeeds = (hypervisor: Hypervisor) => assert.strictEqual(flagsOf(hypervisor.board), 0)
  const fails = (hypervisor: Hypervisor, error: number) => {
    assert.strictEqual(flagsOf(hypervisor.board), ZF)
    assert.strictEqual(hypervisor.number("VM_INSTRUCTION_ERROR"), error)
  }
  const failsInvalid = (hypervisor: Hypervisor) => assert.strictEqual(flagsOf(hypervisor.board), CF)
  const at64 = (value: number) => (hypervisor: Hypervisor) => void hypervisor.board.put64(operand, BigInt(value))

  it("VMPTRST stores the current VMCS, which VMCLEAR of it takes away", () => {
    const stored = run(vmptrst)
    succeeds(stored)
    assert.strictEqual(stored.board.get64(operand), BigInt(vmcsRegion))
    const cleared = run([...vmclear, ...movImm("rbx", other), ...vmptrst], at64(vmcsRegion))
    assert.strictEqual(cleared.board.get64(other), 2n ** 64n - 1n)
  })

  it.each([
    [
      "VMCLEAR of an address that is no multiple of 4 KiB",
      vmclear,
      spare + 8,
      VmInstructionError.VMCLEAR_INVALID_ADDRESS
    ],
    ["VMCLEAR of an address that is too high", vmclear, 2 ** 45, VmInstructionError.VMCLEAR_INVALID_ADDRESS],
    ["VMCLEAR of the VMXON region", vmclear, vmxonRegion, VmInstructionError.VMCLEAR_VMXON_POINTER],
    [
      "VMPTRLD of an address that is no multiple of 4 KiB",
      vmptrld,
      spare + 8,
      VmInstructionError.VMPTRLD_INVALID_ADDRESS
    ],
    ["VMPTRLD of the VMXON region", vmptrld, vmxonRegion, VmInstructionError.VMPTRLD_VMXON_POINTER],
    ["VMPTRLD of a region with another revision", vmptrld, spare, VmInstructionError.VMPTRLD_WRONG_REVISION],
    ["VMXON in VMX root operation", vmxon, vmxonRegion, VmInstructionError.VMXON_IN_VMX_ROOT]
  ] as const)("%s fails, with its number", (_what, code, address, error) => {
    fails(run(code, at64(address)), error)
  })

  it("without a current VMCS they fail, and have no place to say why", () => {
    const without = (hypervisor: Hypervisor) => void hypervisor.vmx.clear(vmcsRegion)
    failsInvalid(run([...movImm("rax", VmcsField.GUEST_RIP), ...vmread], without))
    failsInvalid(run(vmlaunch, without))
    failsInvalid(
      run(vmclear, (hypervisor) => {
        without(hypervisor)
        at64(spare + 8)(hypervisor)
      })
    )
  })

  it("VMWRITE and VMREAD reach a field, from and to registers and memory", () => {
    const written = run([
      ...movImm("rax", VmcsField.GUEST_RIP),
      ...movImm("rcx", 0x1234_5678_9abc_def0n),
      ...vmwrite,
      ...vmreadToMemory
    ])
    succeeds(written)
    assert.strictEqual(written.board.get64(operand), 0x1234_5678_9abc_def0n)
    const read = run([...movImm("rax", VmcsField.GUEST_RSP), ...vmwriteFromMemory, ...vmread], at64(0x777))
    assert.strictEqual(read.board.get("rcx"), 0x777n)
  })

  it("a field has its width: the rest is cut off, and reads as 0", () => {
    const half = run([
      ...movImm("rcx", 0xffff_ffff_ffff_ffffn),
      ...movImm("rax", VmcsField.GUEST_CS_SELECTOR),
      ...vmwrite,
      ...movImm("rcx", 0),
      ...vmread
    ])
    assert.strictEqual(half.board.get("rcx"), 0xffffn)
  })

  it("the upper half of a field of 64 bits is reached by an access of its own", () => {
    const upper = run([
      ...movImm("rcx", 0x89ab_cdefn),
      ...movImm("rax", VmcsField.TSC_OFFSET + 1),
      ...vmwrite,
      ...movImm("rax", VmcsField.TSC_OFFSET),
      ...vmread
    ])
    assert.strictEqual(upper.board.get("rcx"), 0x89ab_cdef_0000_0000n)
  })

  it("what is no field, or is only to be read, is not written", () => {
    fails(run([...movImm("rax", 0x6fff), ...vmread]), VmInstructionError.UNSUPPORTED_COMPONENT)
    fails(run([...movImm("rax", VmcsField.GUEST_RIP | 1), ...vmread]), VmInstructionError.UNSUPPORTED_COMPONENT)
    fails(run([...movImm("rax", VmcsField.EXIT_REASON), ...vmwrite]), VmInstructionError.VMWRITE_READ_ONLY)
  })

  it("VMRESUME is for what was launched, and VMLAUNCH for what was not", () => {
    fails(run(vmresume), VmInstructionError.VMRESUME_NOT_LAUNCHED)
    const hypervisor = new Hypervisor(reading).long(...hlt)
    hypervisor.enter()
    hypervisor.board.put(hostEntry + 1, ...vmlaunch, ...hlt)
    hypervisor.enter()
    fails(hypervisor, VmInstructionError.VMLAUNCH_NOT_CLEAR)
  })

  it("VMLAUNCH behind MOV to SS fails", () => {
    fails(run([...hex("66 8C D0 66 8E D0"), ...vmlaunch]), VmInstructionError.ENTRY_BLOCKED_BY_MOV_SS)
  })

  it("VMCALL in VMX root operation fails", () => {
    fails(run(vmcall), VmInstructionError.VMCALL_IN_VMX_ROOT)
  })

  it.each([
    ["INVEPT of a type that is none", invept, 3],
    ["INVEPT of one context that is no EPT pointer", invept, 1],
    ["INVVPID of a type that is none", invvpid, 4],
    ["INVVPID of VPID 0", invvpid, 1]
  ] as const)("%s fails", (_what, code, type) => {
    fails(run([...movImm("rcx", type), ...code]), VmInstructionError.INVALID_OPERAND_TO_INVEPT_INVVPID)
  })

  it("INVVPID of an address that is not canonical, or with reserved bits, fails", () => {
    const error = VmInstructionError.INVALID_OPERAND_TO_INVEPT_INVVPID
    const far = (hypervisor: Hypervisor) => void hypervisor.board.put64(operand, 1n).put64(operand + 8, 1n << 60n)
    fails(run([...movImm("rcx", 0), ...invvpid], far), error)
    fails(run([...movImm("rcx", 1), ...invvpid], at64(0x1_0001)), error)
    succeeds(run([...movImm("rcx", 1), ...invvpid], at64(1)))
  })

  it("outside of VMX operation they are #UD, and VMXON is without CR4.VMXE", () => {
    const isUndefined = (hypervisor: Hypervisor) => assert.strictEqual(hypervisor.board.machine.core.low(at.vector), 6)
    isUndefined(run([...vmxoff, ...vmptrst]))
    // MOV RAX, CR4; BTR EAX, 13; MOV CR4, RAX
    isUndefined(run([...vmxoff, ...hex("0F 20 E0 0F BA F0 0D 0F 22 E0"), ...vmxon], at64(vmxonRegion)))
  })

  it("VMXON begins VMX operation again, with a region that has the revision", () => {
    succeeds(run([...vmxoff, ...vmxon], at64(vmxonRegion)))
    failsInvalid(run([...vmxoff, ...vmxon], at64(spare)))
    failsInvalid(run([...vmxoff, ...vmxon], at64(vmxonRegion + 1)))
  })

  it("in VMX operation CR4.VMXE, CR0.NE, CR0.PE and CR0.PG stay", () => {
    const faults = (code: readonly number[]) => assert.strictEqual(run(code).board.machine.core.low(at.vector), 13)
    faults(hex("0F 20 E0 0F BA F0 0D 0F 22 E0"))
    faults(hex("0F 20 C0 0F BA F0 05 0F 22 C0"))
  })
})

describe("capability MSRs", () => {
  const msrs = capabilityMsrs(0)
  it("allow what their TRUE twins allow, and ask for no less", () => {
    for (const [plain, exact] of [
      [0x481, 0x48d],
      [0x482, 0x48e],
      [0x483, 0x48f],
      [0x484, 0x490]
    ] as const) {
      const [[ones, allowed], [trueOnes, trueAllowed]] = [msrs.get(plain)!, msrs.get(exact)!]
      assert.strictEqual(ones & ~allowed, 0)
      assert.strictEqual(trueOnes & ~ones, 0)
      assert.strictEqual(trueAllowed & ~allowed, 0)
      assert.strictEqual(trueOnes & ~trueAllowed, 0)
    }
  })

  it("say how a region is laid out", () => {
    const [, high] = msrs.get(0x480)!
    assert.strictEqual(high & 0x1fff, 4096)
    assert.strictEqual((high >>> 18) & 15, 6)
  })

  it("name the highest field", () => {
    const highest = Math.max(...Object.values(VmcsField).map((field) => field & 0x3fe))
    assert.strictEqual(msrs.get(0x48a)![0], highest)
  })

  it("are for everybody to read and nobody to write", () => {
    const hypervisor = new Hypervisor()
    hypervisor.board.put(0x10_0000, ...hex("B9 80 04 00 00 0F 32 0F 30"), ...bytes(0xf4, 1))
    hypervisor.board.run(10)
    assert.strictEqual(hypervisor.board.machine.core.low(at.vector), 13)
  })
})
