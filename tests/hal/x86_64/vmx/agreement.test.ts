import { assert, describe, it } from "@effect/vitest"
import { makePlain } from "../../../../src/hal/x86_64/processor/plain.ts"
import type { MakeReading } from "../../../../src/hal/x86_64/processor/Reading.ts"
import { at, registerNames } from "../../../../src/hal/x86_64/processor/State.ts"
import { ExitReason } from "../../../../src/types/x86_64/ExitReason.ts"
import { VmcsField, type VmcsFieldName } from "../../../../src/types/x86_64/VmcsField.ts"
import { EntryControl, ExitControl, PinBased, Primary, Secondary } from "../../../../src/types/x86_64/VmxControls.ts"
import { bytes, hex, hlt, readings } from "../board.ts"
import { eptRoot, guestCode, Hypervisor, hostEntry } from "./hypervisor.ts"

/** The same numbers for the same seed. */
const chance = (seed: number) => {
  let state = seed * 2_654_435_761
  const below = (n: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    return Math.floor(((state >>> 0) / 2 ** 32) * n)
  }
  return { below, of: <A>(list: readonly A[]): A => list[below(list.length)]! }
}
type Chance = ReturnType<typeof chance>

const slots = 64
const slotBytes = 16
/** In the guest's memory, linear addresses like physical ones: data that comes and goes by EPT and by the guest's own page table. */
const data = 0x4_0000
const dataPages = 4
const pageTable = 0x4000
const [gdt, idt, handlers] = [0x6000, 0x7000, 0x9000] as const

/** An instruction fills a slot of 16 bytes; a fault goes on at the next slot. */
const instructions: readonly ((c: Chance) => number[])[] = [
  (c) => [0x48, c.of([0x01, 0x29, 0x31, 0x11]), 0xc0 | c.below(4) | (c.below(4) << 3)],
  () => [0x48, 0x0f, 0xaf, 0xc1],
  // MOV EDI, somewhere in the data pages or just outside
  (c) => [0xbf, ...bytes(data + c.below(5 * 0x1000) - c.below(8), 4)],
  (c) => [0xbf, ...bytes(data + c.below(4) * 0x1000 + 0xffc, 4)],
  () => [0x48, 0x89, 0x07],
  () => [0x48, 0x8b, 0x07],
  () => [0x01, 0x0f],
  () => [0x86, 0x17],
  // A page of data gets other rights, or leads elsewhere: MOV DWORD [pte], imm32
  (c) => {
    const page = (data + c.below(dataPages) * 0x1000) | c.of([0, 1, 3, 3, 3, 7])
    return [0xc7, 0x04, 0x25, ...bytes(pageTable + ((data >> 12) + c.below(4)) * 8, 4), ...bytes(page, 4)]
  },
  // INVLPG [RDI]; MOV CR3, R8
  () => [0x0f, 0x01, 0x3f],
  () => [0x41, 0x0f, 0x22, 0xd8],
  // Code: the constant of a MOV EBX, imm32 changes, in this slot's neighbourhood
  (c) => [0xbb, ...bytes(c.below(1000), 4)],
  (c) => [0xc6, 0x04, 0x25, ...bytes(guestCode + c.below(slots) * slotBytes + 14, 4), c.of([0x90, 0x40, 0x66])],
  // CLI; STI; PUSHF, POPF; PUSH RAX, POP RBX; JE, JB over the rest and one more; a short loop; REP STOSB
  () => [0xfa],
  () => [0xfb],
  () => [0x9c, 0x9d],
  () => [0x50, 0x5b],
  (c) => [c.of([0x74, 0x72, 0x7f, 0x78]), 30],
  () => [0xb1, 5, 0xff, 0xc9, 0x75, 0xfc],
  (c) => [0xb9, ...bytes(c.below(20), 4), 0xf3, 0xaa],
  // What leaves the guest: CPUID; VMCALL; RDTSC; OUT 80H, AL; MOV RAX, CR0; MOV RBX, CR4
  () => [0x0f, 0xa2],
  () => [0x0f, 0x01, 0xc1],
  () => [0x0f, 0x31],
  () => [0xe6, 0x80],
  () => [0x0f, 0x20, 0xc0],
  () => [0x0f, 0x20, 0xe3],
  // UD2; INT3; INT 50H
  () => [0x0f, 0x0b],
  () => [0xcc],
  () => [0xcd, 0x50]
]

/** `e` bytes of an error code and the RIP behind it: go on at the next slot. */
const skip = (e: number): number[] => {
  const byte = e.toString(16).padStart(2, "0")
  return hex(`48 83 64 24 ${byte} F0 48 83 44 24 ${byte} 10 48 83 C4 ${byte} 48 CF`)
}
const jmp = (from: number, to: number): number[] => [0xe9, ...bytes(to - from - 5, 4)]

// ---- the host's code: RAX, RCX and RDX are saved on its stack

/** MOV EAX, encoding; VMREAD RCX, RAX */
const vmread = (field: VmcsFieldName): number[] => [0xb8, ...bytes(VmcsField[field], 4), 0x0f, 0x78, 0xc1]
/** MOV EAX, encoding; VMWRITE RAX, RCX */
const vmwrite = (field: VmcsFieldName): number[] => [0xb8, ...bytes(VmcsField[field], 4), 0x0f, 0x79, 0xc1]
const movEcx = (value: number): number[] => [0xb9, ...bytes(value, 4)]
const resume = [...hex("5A 59 58 0F 01 C3"), ...hlt]
const epts = 0x5_b000

/** CMP ECX, reason; JNE over: the code for one reason, which ends in VMRESUME. */
const onReason = (reason: number, code: readonly number[]): number[] => [
  0x83,
  0xf9,
  reason,
  0x0f,
  0x85,
  ...bytes(code.length + resume.length, 4),
  ...code,
  ...resume
]

const hostLoop = (c: Chance, again: number): number[] => [
  ...hex("50 51 52"),
  ...vmread("EXIT_REASON"),
  // The page that was refused is allowed: SHR RCX, 12; OR DWORD [RCX*8 + epts], 37H
  ...onReason(ExitReason.EPT_VIOLATION, [
    ...vmread("GUEST_PHYSICAL_ADDRESS"),
    ...hex("48 C1 E9 0C 83 0C CD"),
    ...bytes(epts, 4),
    0x37
  ]),
  ...onReason(ExitReason.PREEMPTION_TIMER, [...movEcx(again), ...vmwrite("PREEMPTION_TIMER_VALUE")]),
  // An external interrupt is injected by the timer of the host: EOI, another deadline, vector 50H when the window opens.
  ...onReason(ExitReason.EXTERNAL_INTERRUPT, [
    ...movEcx(0x80b),
    ...hex("31 C0 31 D2 0F 30 0F 31 05"),
    ...bytes(150 + again * 7, 4),
    ...movEcx(0x6e0),
    ...hex("0F 30"),
    ...vmread("PRIMARY_CONTROLS"),
    ...hex("83 C9 04"),
    ...vmwrite("PRIMARY_CONTROLS")
  ]),
  ...onReason(ExitReason.INTERRUPT_WINDOW, [
    ...vmread("PRIMARY_CONTROLS"),
    ...hex("83 E1 FB"),
    ...vmwrite("PRIMARY_CONTROLS"),
    ...movEcx(0x8000_0050 | 0),
    ...vmwrite("ENTRY_INTERRUPTION_INFORMATION")
  ]),
  // An exception is passed over: ADD ECX, 2
  ...onReason(ExitReason.EXCEPTION_OR_NMI, [...vmread("GUEST_RIP"), ...hex("83 C1 02"), ...vmwrite("GUEST_RIP")]),
  // CPUID takes rights from a page of data: MOV DWORD [entry], page | rights; INVEPT
  ...onReason(ExitReason.CPUID, [
    ...hex("C7 04 25"),
    ...bytes(epts + ((data >> 12) + c.below(dataPages)) * 8, 4),
    ...bytes(0x20_0000 + data + c.below(dataPages) * 0x1000 + c.of([0x30, 0x31, 0x34, 0x35]), 4),
    ...hex("6A 00 68"),
    ...bytes(eptRoot | 0x1e, 4),
    ...hex("B8 01 00 00 00 66 0F 38 80 04 24 48 83 C4 10"),
    ...next
  ]),
  ...next,
  ...resume
]
/** RIP behind the instruction: VMREAD of both, ADD, VMWRITE. */
const next = [
  ...vmread("EXIT_INSTRUCTION_LENGTH"),
  ...hex("89 CA"),
  ...vmread("GUEST_RIP"),
  ...hex("48 01 D1"),
  ...vmwrite("GUEST_RIP")
]

const aSystem = (seed: number, reading: MakeReading): Hypervisor => {
  const c = chance(seed)
  const hypervisor = new Hypervisor(reading).long()
  // 2 MiB by a page table of the guest's own, so that it can change it.
  hypervisor.put64(0x3000, BigInt(pageTable) | 7n)
  for (let page = 0; page < 512; page++) hypervisor.put64(pageTable + page * 8, BigInt(page * 0x1000) | 7n)
  for (let n = 0; n < slots; n++) {
    const made = n === slots - 1 ? jmp(n * slotBytes, 0) : c.of(instructions)(c)
    hypervisor.put(guestCode + n * slotBytes, ...Array(slotBytes).fill(0x90)).put(guestCode + n * slotBytes, ...made)
  }
  hypervisor.put64(gdt + 8, 0x00af_9b00_0000_ffffn).put64(gdt + 16, 0x00cf_9300_0000_ffffn)
  for (let vector = 0; vector < 256; vector++) {
    const handler = handlers + vector * 32
    hypervisor.put(idt + vector * 16, ...bytes((handler & 0xffff) | (8 << 16), 4), ...bytes(0x8e00, 4))
    const code = vector === 3 || vector === 0x50 ? [0x48, 0xcf] : skip(vector === 13 || vector === 14 ? 8 : 0)
    hypervisor.put(handler, ...code)
  }
  hypervisor.set("GUEST_GDTR_BASE", gdt).set("GUEST_IDTR_BASE", idt)
  hypervisor.with("PIN_BASED_CONTROLS", PinBased.EXTERNAL_INTERRUPT_EXITING | PinBased.PREEMPTION_TIMER)
  hypervisor.with("EXIT_CONTROLS", ExitControl.ACKNOWLEDGE_INTERRUPT | ExitControl.SAVE_PREEMPTION_TIMER)
  hypervisor.with("PRIMARY_CONTROLS", Primary.UNCONDITIONAL_IO_EXITING | Primary.USE_TSC_OFFSETTING)
  if (seed % 3 === 0) hypervisor.with("PRIMARY_CONTROLS", Primary.INVLPG_EXITING | Primary.CR3_LOAD_EXITING)
  if (seed % 4 === 0) hypervisor.set("EXCEPTION_BITMAP", (1 << 6) | (1 << 3))
  if (seed % 5 === 0) hypervisor.without("SECONDARY_CONTROLS", Secondary.ENABLE_VPID)
  hypervisor
    .with("SECONDARY_CONTROLS", Secondary.ENABLE_RDTSCP)
    .with("ENTRY_CONTROLS", EntryControl.LOAD_DEBUG_CONTROLS)
  hypervisor.set("TSC_OFFSET", -1000n).set("PREEMPTION_TIMER_VALUE", 3 + c.below(30))
  hypervisor.board.put(hostEntry, ...hostLoop(c, 5 + c.below(40)))
  const { core } = hypervisor.board.machine
  core.apic.writeBase(0xfee0_0d00, 0, 2 ** 40)
  core.apic.writeMsr(0x80f, 0x1ff, 0)
  core.apic.writeMsr(0x832, (2 << 17) | 0x41, 0)
  core.apic.writeDeadline(300 + c.below(100), 0)
  hypervisor.board.set("r8", 0x1000n).set("rdi", BigInt(data))
  return hypervisor
}

const registersOf = ({ board }: Hypervisor) => ({
  count: board.machine.instructions,
  registers: [...registerNames, "rip" as const].map((name) => board.get(name).toString(16)),
  flags: board.machine.core.rflags(),
  cr2: board.word(at.cr2),
  isGuest: board.machine.core.vmx.isGuest,
  mode: board.machine.core.low(at.mode)
})

const { READINGS_CAMPAIGN = "8" } = process.env
const others = Object.entries(readings).filter(([name]) => name !== "plain")

describe("with a guest that leaves by all ways, the readings agree after any number of instructions", () => {
  it.each(others)(
    "plain and %s",
    (_name, reading) => {
      const reasons = new Set<number>()
      for (let seed = 1; seed <= Number(READINGS_CAMPAIGN); seed++) compare(seed, reading, reasons)
      for (const reason of [
        ExitReason.EXTERNAL_INTERRUPT,
        ExitReason.INTERRUPT_WINDOW,
        ExitReason.CPUID,
        ExitReason.EPT_VIOLATION,
        ExitReason.PREEMPTION_TIMER,
        ExitReason.VMCALL
      ])
        assert.isTrue(reasons.has(reason), `reason ${reason}`)
    },
    600_000
  )
})

const compare = (seed: number, reading: MakeReading, reasons: Set<number>): void => {
  const [expected, found] = [aSystem(seed, makePlain), aSystem(seed, reading)]
  const c = chance(seed + 1000)
  for (let count = 0; count < 2500; ) {
    count += 1 + c.below(c.of([3, 30, 200]))
    const where = `seed ${seed}, ${count} instructions`
    const stops = [expected, found].map(({ board }) => board.machine.run(count))
    assert.deepStrictEqual(stops[1], stops[0], where)
    assert.deepStrictEqual(registersOf(found), registersOf(expected), where)
    reasons.add(expected.reason)
    if (stops[0]!._tag !== "Limit") break
  }
  assert.strictEqual(found.board.machine.memoryHash(), expected.board.machine.memoryHash(), `memory, seed ${seed}`)
}
