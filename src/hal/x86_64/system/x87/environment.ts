/**
 * The FPU's state in memory. SDM vol. 1, "Saving the x87 FPU's Environment with FSTENV/FNSTENV and FSAVE/FNSAVE"; vol. 2A, "FXSAVE", table "Non-64-Bit-Mode
 * Layout of FXSAVE and FXRSTOR Memory Region".
 */
import { fault, raised } from "../../memory/Access.ts"
import { at } from "../../processor/State.ts"
import { x87 } from "../../processor/x87.ts"
import { type Core, highOf, lowOf } from "../Core.ts"
import { CR0, RFLAGS } from "../registers.ts"
import { type Extended, kindOf } from "./Extended.ts"
import { status, type Unit } from "./Unit.ts"

// ---- tags

/** The tag word: of each register, in the order of their numbers, valid, zero, special or empty. */
const tagWord = (unit: Unit): number => {
  let word = 0
  for (let n = 0; n < 8; n++) word |= ((unit.valid >> n) & 1 ? tagOf(unit.register(n)) : tag.empty) << (2 * n)
  return word
}
const tag = { valid: 0, zero: 1, special: 2, empty: 3 } as const

const tagOf = (value: Extended): number => {
  const kind = kindOf(value)
  return kind === "normal" ? tag.valid : kind === "zero" ? tag.zero : tag.special
}

/** "FXRSTOR and FLDENV: only empty or not empty counts." */
const validOf = (word: number): number => {
  let valid = 0
  for (let n = 0; n < 8; n++) if (((word >> (2 * n)) & 3) !== tag.empty) valid |= 1 << n
  return valid
}

// ---- the environment: 14 bytes with an operand size of 16, else 28

const bytesOf = (width: 16 | 32): number => (width === 16 ? 14 : 28)

/** Real-address and virtual-8086 mode have linear addresses where protected mode has selectors. */
const isReal = (core: Core): boolean => (core.low(at.cr0) & CR0.PE) === 0 || (core.low(at.rflags) & RFLAGS.VM) !== 0

/** "FCS and FDS deprecated": the selectors are 0. */
const environment = (unit: Unit, width: 16 | 32): DataView => {
  const { core } = unit
  const view = new DataView(new ArrayBuffer(bytesOf(width)))
  const [instruction, data, opcode] = [
    core.low(x87.instruction),
    core.low(x87.data),
    core.view.getUint16(x87.opcode, true)
  ]
  const each = width / 8
  const put = (n: number, value: number) => {
    if (width === 16) view.setUint16(n * each, value, true)
    else view.setUint32(n * each, value, true)
  }
  const reserved = width === 16 ? 0 : 0xffff_0000
  put(0, unit.control | reserved)
  put(1, unit.status | reserved)
  put(2, tagWord(unit) | reserved)
  if (!isReal(core)) {
    put(3, instruction)
    put(4, width === 16 ? 0 : opcode << 16)
    put(5, data)
    put(6, reserved)
  } else if (width === 16) {
    put(3, instruction)
    put(4, ((instruction >>> 16) << 12) | opcode)
    put(5, data)
    put(6, (data >>> 16) << 12)
  } else {
    put(3, (instruction & 0xffff) | reserved)
    put(4, ((instruction >>> 16) << 12) | opcode)
    put(5, (data & 0xffff) | reserved)
    put(6, (data >>> 16) << 12)
  }
  return view
}

const setEnvironment = (unit: Unit, view: DataView, width: 16 | 32): void => {
  const { core } = unit
  const each = width / 8
  const word = (n: number) => (width === 16 ? view.getUint16(n * each, true) : view.getUint32(n * each, true))
  unit.valid = validOf(word(2))
  unit.control = word(0)
  unit.status = word(1) & 0xffff
  const real = isReal(core)
  const upper = (n: number) => (real ? ((word(n) >>> 12) & (width === 16 ? 15 : 0xffff)) << 16 : 0)
  const lower = (n: number) => (real && width === 32 ? word(n) & 0xffff : word(n))
  core.set(x87.instruction, lower(3) | upper(4), 0)
  core.set(x87.data, lower(5) | upper(6), 0)
  const opcode = real ? word(4) : width === 32 ? word(4) >>> 16 : 0
  core.view.setUint16(x87.opcode, opcode & 0x7ff, true)
}

export const storeEnvironment = (unit: Unit, lo: number, hi: number, width: 16 | 32): void => {
  writeAll(unit.core, lo, hi, environment(unit, width))
  unit.control |= status.exceptions
}

export const loadEnvironment = (unit: Unit, lo: number, hi: number, width: 16 | 32): void =>
  setEnvironment(unit, readAll(unit.core, lo, hi, bytesOf(width)), width)

/** FNSAVE: the environment, ST(0) to ST(7), 10 bytes each; then as FNINIT does. */
export const save = (unit: Unit, lo: number, hi: number, width: 16 | 32): void => {
  const first = bytesOf(width)
  const image = new DataView(new ArrayBuffer(first + 80))
  new Uint8Array(image.buffer).set(new Uint8Array(environment(unit, width).buffer))
  for (let i = 0; i < 8; i++) putRegister(image, first + 10 * i, unit.get(i))
  writeAll(unit.core, lo, hi, image)
  unit.initialize()
}

export const restore = (unit: Unit, lo: number, hi: number, width: 16 | 32): void => {
  const first = bytesOf(width)
  const image = readAll(unit.core, lo, hi, first + 80)
  setEnvironment(unit, image, width)
  const { valid } = unit
  for (let i = 0; i < 8; i++) unit.set(i, registerIn(image, first + 10 * i))
  unit.valid = valid
}

const putRegister = (view: DataView, offset: number, { sign, exponent, significand }: Extended): void => {
  view.setBigUint64(offset, significand, true)
  view.setUint16(offset + 8, (sign << 15) | exponent, true)
}

const registerIn = (view: DataView, offset: number): Extended => {
  const upper = view.getUint16(offset + 8, true)
  return {
    sign: upper & 0x8000 ? 1 : 0,
    exponent: upper & 0x7fff,
    significand: view.getBigUint64(offset, true)
  }
}

// ---- the FPU's part of the FXSAVE image

/** Bytes 0 to 23, and the registers from byte 32 on, 16 bytes each. `isWide`: pointers of 64 bits (REX.W). */
export const putImage = (unit: Unit, image: DataView, isWide: boolean): void => {
  const { core } = unit
  image.setUint16(0, unit.control, true)
  image.setUint16(2, unit.status, true)
  image.setUint8(4, unit.valid)
  image.setUint8(5, 0)
  image.setUint16(6, core.view.getUint16(x87.opcode, true), true)
  image.setInt32(8, core.low(x87.instruction), true)
  image.setInt32(12, isWide ? core.high(x87.instruction) : 0, true)
  image.setInt32(16, core.low(x87.data), true)
  image.setInt32(20, isWide ? core.high(x87.data) : 0, true)
  for (let i = 0; i < 8; i++) {
    putRegister(image, 32 + 16 * i, unit.get(i))
    image.setUint16(32 + 16 * i + 10, 0, true)
    image.setUint32(32 + 16 * i + 12, 0, true)
  }
}

export const takeImage = (unit: Unit, image: DataView, isWide: boolean): void => {
  const { core } = unit
  unit.control = image.getUint16(0, true)
  unit.status = image.getUint16(2, true)
  for (let i = 0; i < 8; i++) unit.set(i, registerIn(image, 32 + 16 * i))
  unit.valid = image.getUint8(4)
  core.view.setUint16(x87.opcode, image.getUint16(6, true) & 0x7ff, true)
  core.set(x87.instruction, image.getInt32(8, true), isWide ? image.getInt32(12, true) : 0)
  core.set(x87.data, image.getInt32(16, true), isWide ? image.getInt32(20, true) : 0)
}

// ---- memory

/** Some bytes of memory, in parts. @throws `raised` */
export const readAll = (core: Core, lo: number, hi: number, bytes: number): DataView => {
  const all = new DataView(new ArrayBuffer(bytes))
  forParts(lo, hi, bytes, (offset, low, high, length) => {
    const host = core.read(low, high, length * 8)
    for (let i = 0; i < length; i++) all.setUint8(offset + i, core.view.getUint8(host + i))
  })
  return all
}

/** All of them, or none; `extent` bytes must be there. @throws `raised` */
export const writeAll = (core: Core, lo: number, hi: number, all: DataView, extent = all.byteLength): void => {
  const last = extent - 1
  for (const by of [0, last]) if (core.mmu.modify(lowOf(lo, by), highOf(lo, hi, by), 8) === fault) throw raised
  forParts(lo, hi, all.byteLength, (offset, low, high, length) => {
    for (let i = 0; i < length; i++) core.view.setUint8(at.bounce + i, all.getUint8(offset + i))
    core.write(low, high, length * 8)
  })
}

const forParts = (
  lo: number,
  hi: number,
  bytes: number,
  each: (offset: number, lo: number, hi: number, length: number) => void
): void => {
  for (let offset = 0; offset < bytes; ) {
    const length = [8, 4, 2, 1].find((size) => size <= bytes - offset)!
    each(offset, lowOf(lo, offset), highOf(lo, hi, offset), length)
    offset += length
  }
}
