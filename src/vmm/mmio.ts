/** Accesses to what is no memory of a guest: devices' registers in memory, and strings to and from ports. */
import { VmcsField } from "../types/x86_64/VmcsField.ts"
import { Interruption } from "../types/x86_64/VmxControls.ts"
import type { Step } from "../user/VirtualProcessor.ts"
import { type PagingMode, translate } from "./GuestRam.ts"
import { bit, EFER } from "./initialState.ts"
import { compute, decode, type MmioInstruction, mostBytes, type Operand } from "./MmioInstruction.ts"
import type { VirtualCpu } from "./VirtualCpu.ts"

/** What of a processor says how its addresses are translated, and its instructions read. */
interface Mode {
  readonly paging: PagingMode
  readonly is64Bit: boolean
  readonly codeBase: bigint
}

/** An address as sentences have it. */
export const hex = (address: number | bigint): string => `${address.toString(16).toUpperCase()}H`

/** In the upper half of addresses only 64-bit mode executes. */
const upperHalf = 1n << 63n
const longMode: Mode = { paging: "4-level", is64Bit: true, codeBase: 0n }

const CR4_PAE = 1n << 5n
const CR4_LA57 = 1n << 12n
/** "Format of Access Rights": bit 13 is L. */
const L = 1n << 13n

const fieldsOfMode = [
  VmcsField.GUEST_CR0,
  VmcsField.GUEST_CR4,
  VmcsField.GUEST_IA32_EFER,
  VmcsField.GUEST_CS_ACCESS_RIGHTS,
  VmcsField.GUEST_CS_BASE
] as const

const modeOf = (cr0: bigint, cr4: bigint, efer: bigint, rights: bigint, base: bigint): Mode => {
  const isLong = (efer & EFER.LMA) !== 0n
  const paging =
    (cr0 & bit.CR0.PG) === 0n
      ? "none"
      : isLong
        ? cr4 & CR4_LA57
          ? "5-level"
          : "4-level"
        : cr4 & CR4_PAE
          ? "PAE"
          : "32-bit"
  const is64Bit = isLong && (rights & L) !== 0n
  return { paging, is64Bit, codeBase: is64Bit ? 0n : base }
}

const withMode = (cpu: VirtualCpu, goOn: (mode: Mode) => Step): Step =>
  cpu.stopped.rip & upperHalf
    ? goOn(longMode)
    : {
        read: fieldsOfMode,
        goOn: (...[cr0, cr4, efer, rights, base]) => goOn(modeOf(cr0!, cr4!, efer!, rights!, base!))
      }

const bytesAt = (
  cpu: VirtualCpu,
  linear: bigint,
  { paging }: Mode,
  bytes: Uint8Array,
  way: "read" | "write"
): number => {
  const { ram } = cpu.connected
  for (let done = 0; done < bytes.length; ) {
    const at = linear + BigInt(done)
    const part = bytes.subarray(done, done + Math.min(bytes.length - done, 0x1000 - Number(at & 0xfffn)))
    const physical = translate(ram, at, { cr3: BigInt(cpu.stopped.cr3), mode: paging })
    if (physical === undefined || !(way === "read" ? ram.read(physical, part) : ram.write(physical, part))) return done
    done += part.length
  }
  return bytes.length
}

/**
 * "Exit Qualification for EPT Violations": what the access was, and (bits 7 and 8) that it was to what a linear address leads to, not to a
 * paging-structure entry.
 */
export const eptViolation = { read: 1 << 0, write: 1 << 1, fetch: 1 << 2, ofPage: 3 << 7 } as const

/** An access that EPT did not translate. */
const memory = (cpu: VirtualCpu): Step => {
  const { guestPhysical, qualification } = cpu.stopped
  const at = hex(guestPhysical)
  if (guestPhysical < cpu.connected.ram.ramBytes) return cpu.stop(`its memory at ${at} was taken from it`)
  if ((qualification & eptViolation.ofPage) !== eptViolation.ofPage)
    return cpu.stop(`it keeps paging structures at ${at}, where no memory is`)
  if (qualification & eptViolation.fetch) return cpu.stop(`it executes at ${at}, where no memory is`)
  return {
    read: [VmcsField.IDT_VECTORING_INFORMATION],
    goOn: (vectoring) =>
      Number(vectoring) & Interruption.VALID
        ? cpu.stop(`it keeps a stack or descriptors at ${at}, where no memory is`)
        : withMode(cpu, (mode) => emulate(cpu, mode))
  }
}

const emulate = (cpu: VirtualCpu, mode: Mode): Step => {
  const code = new Uint8Array(mostBytes)
  const linear = cpu.stopped.rip + mode.codeBase
  const length = bytesAt(cpu, linear, mode, code, "read")
  const instruction = decode(code.subarray(0, length), mode.is64Bit)
  if (instruction === undefined) {
    const shown = [...code.subarray(0, length)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ")
    const { guestPhysical, rip } = cpu.stopped
    return cpu.stop(`the instruction ${shown} at ${hex(rip)} accesses ${hex(guestPhysical)}, where no memory is`)
  }
  return perform(cpu, mode, instruction)
}

const read = (cpu: VirtualCpu, address: number, bytes: number): bigint => {
  const { bus } = cpu.connected.board
  if (bytes < 8) return BigInt(bus.read(address, (8 * bytes) as 8 | 16 | 32) >>> 0)
  return BigInt(bus.read(address, 32) >>> 0) | (BigInt(bus.read(address + 4, 32) >>> 0) << 32n)
}

const write = (cpu: VirtualCpu, address: number, bytes: number, value: bigint): void => {
  const { bus } = cpu.connected.board
  if (bytes < 8) bus.write(address, (8 * bytes) as 8 | 16 | 32, Number(BigInt.asUintN(8 * bytes, value)))
  else {
    bus.write(address, 32, Number(BigInt.asUintN(32, value)))
    bus.write(address + 4, 32, Number(BigInt.asUintN(32, value >> 32n)))
  }
}

const operandOf = (cpu: VirtualCpu, operand: Operand): bigint => {
  if (operand._tag === "Immediate") return operand.value
  const value = cpu.byNumber(operand.number)
  return operand.high ? (value >> 8n) & 0xffn : value
}

/** Of 32 bits the upper half becomes 0; of fewer the others stay. */
const setRegister = (
  cpu: VirtualCpu,
  { number, high }: Operand & { readonly _tag: "Register" },
  bytes: number,
  value: bigint
): void => {
  const old = cpu.byNumber(number)
  const shift = high ? 8n : 0n
  const mask = ((1n << BigInt(8 * bytes)) - 1n) << shift
  const narrow = BigInt.asUintN(8 * bytes, value) << shift
  cpu.setByNumber(number, bytes >= 4 ? narrow : (old & ~mask) | narrow)
}

const setFlags = (cpu: VirtualCpu, rflags: number): void => {
  cpu.stopped.rflags = rflags
  cpu.stopped.fields.push([VmcsField.GUEST_RFLAGS, BigInt(rflags >>> 0)])
}

const perform = (cpu: VirtualCpu, mode: Mode, instruction: MmioInstruction): Step => {
  const { bytes, length } = instruction
  const address = cpu.stopped.guestPhysical
  switch (instruction._tag) {
    case "Load": {
      const value = read(cpu, address, bytes)
      setRegister(
        cpu,
        instruction.to,
        instruction.toBytes,
        instruction.isSigned ? BigInt.asIntN(8 * bytes, value) : value
      )
      break
    }
    case "Store":
      write(cpu, address, bytes, operandOf(cpu, instruction.from))
      break
    case "Modify": {
      const { operation } = instruction
      const by = operandOf(cpu, instruction.by)
      const { value, rflags } = compute(operation, read(cpu, address, bytes), by, bytes, cpu.stopped.rflags)
      if (operation !== "cmp" && operation !== "test") write(cpu, address, bytes, value)
      setFlags(cpu, rflags)
      break
    }
    case "Accumulate": {
      const { operation, to } = instruction
      const { value, rflags } = compute(
        operation,
        operandOf(cpu, to),
        read(cpu, address, bytes),
        bytes,
        cpu.stopped.rflags
      )
      if (operation !== "cmp") setRegister(cpu, to, bytes, value)
      setFlags(cpu, rflags)
      break
    }
    case "Exchange": {
      const old = read(cpu, address, bytes)
      write(cpu, address, bytes, operandOf(cpu, instruction.with))
      setRegister(cpu, instruction.with, bytes, old)
      break
    }
    case "String":
      return element(cpu, mode, instruction)
  }
  return cpu.skip(length)
}

const DF = 1 << 10

/** An element of a string, between memory or AL, AX, EAX, RAX, and a device. The other side of MOVS is memory by a flat segment. */
const element = (
  cpu: VirtualCpu,
  mode: Mode,
  { kind, bytes, repeats, length }: MmioInstruction & { readonly _tag: "String" }
): Step => {
  const wide = mode.is64Bit ? 64 : 32
  const count = BigInt.asUintN(wide, cpu.register("rcx"))
  if (repeats && count === 0n) return cpu.skip(length)
  const address = cpu.stopped.guestPhysical
  const isWrite = (cpu.stopped.qualification & eptViolation.write) !== 0
  const other = new Uint8Array(8)
  const view = new DataView(other.buffer)
  if (kind === "movs") {
    const side = BigInt.asUintN(wide, cpu.register(isWrite ? "rsi" : "rdi"))
    if (!isWrite) view.setBigUint64(0, read(cpu, address, bytes), true)
    if (bytesAt(cpu, side, mode, other.subarray(0, bytes), isWrite ? "read" : "write") !== bytes)
      return cpu.stop("it moves a string between a device and what is no memory")
    if (isWrite) write(cpu, address, bytes, view.getBigUint64(0, true))
  } else if (kind === "stos") write(cpu, address, bytes, cpu.register("rax"))
  else setRegister(cpu, { _tag: "Register", number: 0, high: false }, bytes, read(cpu, address, bytes))
  const step = BigInt(cpu.stopped.rflags & DF ? -bytes : bytes)
  if (kind !== "stos") cpu.setRegister("rsi", BigInt.asUintN(wide, cpu.register("rsi") + step))
  if (kind !== "lods") cpu.setRegister("rdi", BigInt.asUintN(wide, cpu.register("rdi") + step))
  return repeated(cpu, repeats, wide, count, length)
}

const repeated = (cpu: VirtualCpu, repeats: boolean, wide: number, count: bigint, length: number): Step => {
  if (!repeats) return cpu.skip(length)
  cpu.setRegister("rcx", BigInt.asUintN(wide, count - 1n))
  return count === 1n ? cpu.skip(length) : "enter"
}

interface PortString {
  readonly port: number
  readonly bytes: number
  readonly isIn: boolean
  readonly repeats: boolean
  readonly linear: bigint
}

const ports = (cpu: VirtualCpu, { port, bytes, isIn, repeats, linear }: PortString): Step =>
  withMode(cpu, (mode) => {
    const wide = mode.is64Bit ? 64 : 32
    const count = BigInt.asUintN(wide, cpu.register("rcx"))
    if (repeats && count === 0n) return cpu.skip()
    const { bus } = cpu.connected.board
    const width = (8 * bytes) as 8 | 16 | 32
    const other = new Uint8Array(4)
    const view = new DataView(other.buffer)
    if (isIn) view.setUint32(0, bus.readPort(port, width), true)
    if (bytesAt(cpu, linear, mode, other.subarray(0, bytes), isIn ? "write" : "read") !== bytes)
      return cpu.stop("it moves a string between a port and what is no memory")
    if (!isIn) bus.writePort(port, width, view.getUint32(0, true))
    const index = isIn ? "rdi" : "rsi"
    const step = BigInt(cpu.stopped.rflags & DF ? -bytes : bytes)
    cpu.setRegister(index, BigInt.asUintN(wide, cpu.register(index) + step))
    return repeated(cpu, repeats, wide, count, cpu.stopped.instructionLength)
  })

export const access = { memory, ports } as const
