/**
 * fw_cfg: named and numbered data from the host, for firmware and small kernels.
 *
 * QEMU Firmware Configuration (fw_cfg) Device, "Hardware Interface": ports 510H to 51BH. All numbers of the DMA interface and of the
 * directory are big-endian, all others little-endian.
 */
import { type Dma, ones, type Target } from "./Wires.ts"

/** Keys that are numbers. */
// biome-ignore format: a table
export const fwCfgKey = {
  signature: 0x00, id: 0x01, ramSize: 0x03, processors: 0x05, kernelAddress: 0x07, kernelSize: 0x08, initrdAddress: 0x0a, initrdSize: 0x0b,
  bootDevice: 0x0c, maxProcessors: 0x0f, kernelEntry: 0x10, kernelData: 0x11, initrdData: 0x12, commandLineAddress: 0x13,
  commandLineSize: 0x14, commandLineData: 0x15, setupAddress: 0x16, setupSize: 0x17, setupData: 0x18, directory: 0x19
} as const

/** Files have keys from here, in the order of the directory. */
const firstFile = 0x20

/** "Revision / feature bitmap": the traditional interface, and DMA. */
const features = 3

/** struct fw_cfg_file: size, key, reserved, and a name of 56 bytes. */
const fileBytes = 64
const nameBytes = 56

/** Offsets from port 510H. */
const selector = 0
const data = 1
const dmaHigh = 4
const dmaLow = 8

/** What reading the DMA address register gives. */
const dmaSignature = { high: 0x5145_4d55, low: 0x2043_4647 } as const // "QEMU CFG"

/** struct FWCfgDmaAccess: control, length, address. */
const control = { error: 1, read: 2, skip: 4, select: 8, write: 16 } as const
const accessBytes = 16

const chunk = 4096

export interface FwCfgFile {
  readonly name: string
  readonly bytes: Uint8Array
}

const word = (value: number, bytes: number): Uint8Array =>
  Uint8Array.from({ length: bytes }, (_, n) => Math.floor(value / 2 ** (8 * n)) % 256)

/** What every machine says. */
export const fwCfgItems = (ramBytes: number, processors: number): ReadonlyMap<number, Uint8Array> =>
  new Map([
    [fwCfgKey.signature, Uint8Array.from("QEMU", (character) => character.charCodeAt(0))],
    [fwCfgKey.id, word(features, 4)],
    [fwCfgKey.ramSize, word(ramBytes, 8)],
    [fwCfgKey.processors, word(processors, 2)],
    [fwCfgKey.maxProcessors, word(processors, 2)]
  ])

const directoryOf = (files: readonly FwCfgFile[]): Uint8Array => {
  const bytes = new Uint8Array(4 + files.length * fileBytes)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, files.length)
  for (const [n, { name, bytes: content }] of files.entries()) {
    const at = 4 + n * fileBytes
    if (name.length >= nameBytes)
      throw new Error(`a fw_cfg file's name has at most ${nameBytes - 1} characters: ${name}`)
    view.setUint32(at, content.length)
    view.setUint16(at + 4, firstFile + n)
    for (const [n, character] of [...name].entries()) view.setUint8(at + 8 + n, character.charCodeAt(0))
  }
  return bytes
}

const nothing = new Uint8Array(0)

export class FwCfg implements Target {
  private readonly items = new Map<number, Uint8Array>()
  private readonly dma: Dma
  private key = 0
  private offset = 0
  private addressHigh = 0

  constructor(items: ReadonlyMap<number, Uint8Array>, files: readonly FwCfgFile[], dma: Dma) {
    for (const [key, bytes] of items) this.items.set(key, bytes)
    this.items.set(fwCfgKey.directory, directoryOf(files))
    for (const [n, { bytes }] of files.entries()) this.items.set(firstFile + n, bytes)
    this.dma = dma
  }

  /** From now on an item has these bytes. */
  provide(key: number, bytes: Uint8Array): void {
    this.items.set(key, bytes)
  }

  /** Data is a stream of bytes, whatever the width; behind its end are zeros. */
  read(offset: number, width: number): number {
    if (offset === data && width === 8) return this.nextByte()
    if (width !== 32) return ones(width)
    return offset === dmaHigh ? swapped(dmaSignature.high) : offset === dmaLow ? swapped(dmaSignature.low) : ones(width)
  }

  /** Data cannot be written. */
  write(offset: number, width: number, value: number): void {
    if (offset === selector && width === 16) this.select(value)
    else if (offset === dmaHigh && width === 32) this.addressHigh = swapped(value)
    else if (offset === dmaLow && width === 32) {
      this.transfer(this.addressHigh * 2 ** 32 + swapped(value))
      this.addressHigh = 0
    }
  }

  private select(key: number): void {
    this.key = key
    this.offset = 0
  }

  private get item(): Uint8Array {
    return this.items.get(this.key) ?? nothing
  }

  private nextByte(): number {
    return this.item[this.offset++] ?? 0
  }

  /** "Guest-side DMA Interface": the control word is 0 when it is done, or has its error bit. */
  private transfer(at: number): void {
    const access = new Uint8Array(accessBytes)
    if (!this.dma.read(at, access)) return
    const view = new DataView(access.buffer)
    const word = view.getUint32(0)
    if (word & control.select) this.select(word >>> 16)
    const length = view.getUint32(4)
    const address = view.getUint32(8) * 2 ** 32 + view.getUint32(12)
    const isDone = this.move(word, address, length)
    view.setUint32(0, isDone ? 0 : control.error)
    this.dma.write(at, access.subarray(0, 4))
  }

  private move(word: number, address: number, length: number): boolean {
    if (word & control.read) return this.copy(address, length)
    if (word & control.write) return false
    if (word & control.skip) this.offset += length
    return true
  }

  private copy(address: number, length: number): boolean {
    const bytes = new Uint8Array(Math.min(length, chunk))
    for (let done = 0; done < length; done += chunk) {
      const part = bytes.subarray(0, Math.min(chunk, length - done)).fill(0)
      part.set(this.item.subarray(this.offset, this.offset + part.length))
      if (!this.dma.write(address + done, part)) return false
      this.offset += part.length
    }
    return true
  }
}

const swapped = (value: number): number =>
  ((value >>> 24) | ((value >>> 8) & 0xff00) | ((value << 8) & 0xff_0000) | (value << 24)) >>> 0
