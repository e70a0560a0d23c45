/**
 * A machine whose kernel has booted through its first gate, and the little of a processor that its ways in and out
 * need: SYSCALL and interrupts to enter, SYSRET, IRET and the idle loop to leave.
 */
import { assert } from "@effect/vitest"
import type { BootService } from "../../../src/hal/Boot.ts"
import { paging } from "../../../src/hal/x86_64/entries.ts"
import { gate } from "../../../src/kernel/x86_64/Boot.ts"
import { Selector } from "../../../src/kernel/x86_64/Descriptors.ts"
import { Entry, loadAddress, Offset, sections } from "../../../src/kernel/x86_64/Image.ts"
import { processorWords } from "../../../src/types/x86_64/Registers.ts"
import { SystemRegister } from "../../../src/types/x86_64/SystemRegister.ts"
import { lines, memoryOf, offerGuests, pcMemory, ports, processor, time, virtualization } from "./machine.ts"

export const linked = 0xffff_ffff_8000_0000n

export type RegisterName = keyof typeof processorWords

export interface Options {
  readonly modules?: readonly { readonly name: string; readonly bytes: Uint8Array }[]
  readonly commandLine?: string
}

const MiB = 2 ** 20

/** A machine with 16 MiB at the kernel's first gate. */
export const machine = ({ modules = [], commandLine = "root=gate" }: Options = {}) => {
  const bytes = new Uint8Array(16 * MiB)
  const memory = memoryOf(bytes)
  const printed: string[] = []
  const image = { start: loadAddress, end: loadAddress + (sections.at(-1)?.end ?? Number.NaN) }
  let place = 8 * MiB
  const placed = modules.map(({ name, bytes: contents }) => {
    const at = { start: place, end: place + contents.length }
    bytes.set(contents, place)
    place += Math.ceil(contents.length / 0x1000) * 0x1000
    return { name, at }
  })
  const boot: BootService = {
    memory: pcMemory(bytes.length),
    image,
    loader: { start: 0x1000, end: 0x7000 },
    modules: placed,
    commandLine,
    descriptionTables: undefined,
    gateRom: 0xfec8_0000
  }
  const cpu = processor()
  const clock = time()
  const guests = virtualization(memory)
  offerGuests(cpu)
  const hal = {
    boot,
    memory,
    paging,
    processor: cpu,
    ports: ports(),
    lines: lines(),
    time: clock,
    virtualization: guests,
    debug: { putChar: () => {}, print: (line: string) => void printed.push(line), snapshot: () => {} }
  }
  const enter = gate(hal)

  const get = (name: RegisterName) => {
    const word = 2 * processorWords[name]
    return (BigInt((cpu.registers[word + 1] ?? 0) >>> 0) << 32n) | BigInt((cpu.registers[word] ?? 0) >>> 0)
  }
  const set = (name: RegisterName, value: bigint) => {
    const word = 2 * processorWords[name]
    cpu.registers[word] = Number(BigInt.asIntN(32, value))
    cpu.registers[word + 1] = Number(BigInt.asIntN(32, value >> 32n))
  }
  const word64 = (address: bigint) => {
    const at = Number(address - linked) + image.start
    return (BigInt(memory.load32(at + 4) >>> 0) << 32n) | BigInt(memory.load32(at) >>> 0)
  }
  const store64 = (address: bigint, value: bigint) => {
    const at = Number(address - linked) + image.start
    memory.store32(at, Number(BigInt.asIntN(32, value)))
    memory.store32(at + 4, Number(BigInt.asIntN(32, value >> 32n)))
  }

  /** Leave the kernel as its last instruction does. The answer: by which way, and the flags of the program. */
  const leave = (): { readonly by: "sysret" | "iret" | "idle"; readonly rflags: bigint } => {
    switch (get("rip") - linked) {
      case BigInt(Offset.sysret):
        set("rip", get("rcx"))
        return { by: "sysret", rflags: get("r11") }
      case BigInt(Offset.iret): {
        const [rip, cs, rflags, rsp, ss] = [0n, 8n, 16n, 24n, 32n].map((offset) => word64(get("rsp") + offset))
        assert.strictEqual(cs, BigInt(Selector.userCode))
        assert.strictEqual(ss, BigInt(Selector.userData))
        set("rip", rip ?? 0n)
        set("rsp", rsp ?? 0n)
        return { by: "iret", rflags: rflags ?? 0n }
      }
      case BigInt(Offset.idle):
        return { by: "idle", rflags: 0x202n }
      default:
        throw new Error(`the kernel is left at ${get("rip").toString(16)}`)
    }
  }

  return {
    bytes,
    memory,
    image,
    printed,
    processor: cpu,
    time: clock,
    get,
    set,
    boot: () => {
      enter(Entry.boot)
      return leave()
    },
    /** A program's SYSCALL, behind which it goes on at RIP. */
    syscall: (rflags = 0x202n) => {
      set("rcx", get("rip"))
      set("r11", rflags)
      enter(Entry.syscall)
      return leave()
    },
    /** An interrupt or exception, as the stubs hand it on. */
    interrupt: (vector: number, { code = 0n, rflags = 0x202n, cs = BigInt(Selector.userCode), cr2 = 0n } = {}) => {
      cpu.system.set(SystemRegister.CR2, cr2)
      const frame = [BigInt(vector), code, get("rip"), cs, rflags, get("rsp"), BigInt(Selector.userData)]
      const rsp = linked + BigInt(Offset.stackTop - 8 * frame.length)
      frame.forEach((value, index) => {
        store64(rsp + BigInt(8 * index), value)
      })
      set("rsp", rsp)
      enter(Entry.vector)
      return leave()
    }
  }
}
