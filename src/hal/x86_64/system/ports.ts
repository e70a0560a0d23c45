/**
 * IN, OUT, INS, OUTS: who may use which IO port. SDM vol. 1, "I/O Privilege Level", "I/O Permission Bit Map".
 */
import { isVirtual8086 } from "../processor/Meaning.ts"
import { at, segments } from "../processor/State.ts"
import { touchPorts } from "./breakpoints.ts"
import { type Core, highOf, lowOf } from "./Core.ts"
import { RFLAGS, vector } from "./registers.ts"

type PortWidth = 8 | 16 | 32

/**
 * With CPL > IOPL, each port of the access needs a 0 in the bit map of the TSS: "two bytes are read, to span a
 * boundary".
 */
export const checkPorts = (core: Core, port: number, width: number): void => {
  // "In virtual-8086 mode, the I/O permission bit map alone decides."
  if (!isVirtual8086(core.mode) && core.privilege <= (core.low(at.rflags) & RFLAGS.IOPL) >>> 12) return
  const limit = core.segmentLimit(segments.tr)
  // A TSS of 16 bits has no bit map: bit 3 of its type is 0.
  if (!(core.segmentAccess(segments.tr) & 8) || limit < mapBaseOffset + 1) core.raise(vector.GP)
  const start = core.view.getUint16(inTask(core, mapBaseOffset, 16), true)
  const byte = start + (port >>> 3)
  if (byte + 1 > limit) core.raise(vector.GP)
  const map = core.view.getUint16(inTask(core, byte, 16), true)
  if ((map >>> (port & 7)) & ((1 << (width / 8)) - 1)) core.raise(vector.GP)
}

const mapBaseOffset = 102

const inTask = (core: Core, offset: number, width: number): number =>
  core.readTable(core.segmentBase(segments.tr), offset, width)

export const input = (core: Core, port: number, width: number): void => {
  checkPorts(core, port, width)
  touchPorts(core, port, width / 8)
  core.setRegister(0, width, core.bus.readPort(port & 0xffff, width as PortWidth), 0)
}

export const output = (core: Core, port: number, width: number): void => {
  checkPorts(core, port, width)
  touchPorts(core, port, width / 8)
  const mask = width === 32 ? -1 : (1 << width) - 1
  core.bus.writePort(port & 0xffff, width as PortWidth, (core.low(at.general) & mask) >>> 0)
}

const [rcx, rdx, rsi, rdi] = [1, 2, 6, 7] as const

/**
 * One iteration of INS. With `repeat` it is repeated until RCX is 0: a count of 0 to begin with is the meaning's
 * business.
 */
export const inputString = (
  core: Core,
  lo: number,
  hi: number,
  width: number,
  addressWidth: number,
  repeat: number
): void => {
  const port = core.low(at.general + rdx * 8) & 0xffff
  checkPorts(core, port, width)
  // What forbids the write is a fault before the port is read.
  if (core.mmu.modify(lo, hi, width) === -1) core.write(lo, hi, width)
  core.set(at.bounce, core.bus.readPort(port, width as PortWidth), 0)
  core.write(lo, hi, width)
  touchPorts(core, port, width / 8)
  advance(core, rdi, width, addressWidth, repeat)
}

export const outputString = (
  core: Core,
  lo: number,
  hi: number,
  width: number,
  addressWidth: number,
  repeat: number
): void => {
  const port = core.low(at.general + rdx * 8) & 0xffff
  checkPorts(core, port, width)
  const host = core.read(lo, hi, width)
  const value =
    width === 32
      ? core.view.getUint32(host, true)
      : width === 16
        ? core.view.getUint16(host, true)
        : core.view.getUint8(host)
  core.bus.writePort(port, width as PortWidth, value)
  touchPorts(core, port, width / 8)
  advance(core, rsi, width, addressWidth, repeat)
}

const advance = (core: Core, register: number, width: number, addressWidth: number, repeat: number): void => {
  const step = core.low(at.rflags) & RFLAGS.DF ? -width / 8 : width / 8
  addTo(core, register, addressWidth, step)
  if (repeat === 0) return
  addTo(core, rcx, addressWidth, -1)
  const [lo, hi] = [core.low(at.general + rcx * 8), core.high(at.general + rcx * 8)]
  const isDone = addressWidth === 64 ? lo === 0 && hi === 0 : addressWidth === 32 ? lo === 0 : (lo & 0xffff) === 0
  if (!isDone) core.copy(at.stoppedAt, at.rip)
}

const addTo = (core: Core, register: number, addressWidth: number, by: number): void => {
  const [lo, hi] = [core.low(at.general + register * 8), core.high(at.general + register * 8)]
  core.setRegister(register, addressWidth, lowOf(lo, by), highOf(lo, hi, by))
}
