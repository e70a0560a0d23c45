import { assert, describe, it } from "vitest"
import { FwCfg, fwCfgItems, fwCfgKey } from "../../src/devices/fwCfg.ts"
import { debugConsole, debugExit, testLatch, testLines, testMemory } from "../../src/devices/qemuPorts.ts"

describe("the debug exit", () => {
  it("ends with twice what is written, plus one", () => {
    const statuses: number[] = []
    const port = debugExit((status) => statuses.push(status))
    port.write(0, 32, 0)
    port.write(0, 8, 0x10)
    assert.deepStrictEqual(statuses, [1, 0x21])
  })
})

describe("the debug console", () => {
  it("prints bytes, and reads as E9H", () => {
    const printed: number[] = []
    const port = debugConsole((byte) => printed.push(byte))
    port.write(0, 8, 0x41)
    assert.deepStrictEqual(printed, [0x41])
    assert.strictEqual(port.read(0, 8), 0xe9)
  })
})

describe("the test device", () => {
  it("has a latch that is read in any width", () => {
    const latch = testLatch()
    latch.write(0, 32, 0x1234_5678)
    latch.write(1, 8, 0xff)
    latch.write(4, 32, 7)
    assert.strictEqual(latch.read(0, 32), 0x1234_ff78)
    assert.strictEqual(latch.read(2, 16), 0x1234)
  })

  it("raises and lowers interrupt lines", () => {
    const changes: [number, boolean][] = []
    const lines = testLines((line, level) => changes.push([line, level]))
    lines.write(5, 8, 1)
    lines.write(5, 8, 0)
    assert.deepStrictEqual(changes, [
      [5, true],
      [5, false]
    ])
  })

  it("has memory", () => {
    const memory = testMemory()
    memory.write(0xfffc, 32, 0xdead_beef)
    assert.strictEqual(memory.read(0xfffe, 16), 0xdead)
  })
})

describe("fw_cfg", () => {
  const file = { name: "opt/greeting", bytes: Uint8Array.from("hello", (character) => character.charCodeAt(0)) }
  const aDevice = () => {
    const memory = new Uint8Array(0x1_0000)
    const view = new DataView(memory.buffer)
    const isMemory = (address: number, bytes: Uint8Array) => address + bytes.length <= memory.length
    const device = new FwCfg(fwCfgItems(64 * 2 ** 20, 3), [file], {
      read: (address, bytes) => {
        if (!isMemory(address, bytes)) return false
        bytes.set(memory.subarray(address, address + bytes.length))
        return true
      },
      write: (address, bytes) => {
        if (!isMemory(address, bytes)) return false
        memory.set(bytes, address)
        return true
      }
    })
    const read = (key: number, bytes: number) => {
      device.write(0, 16, key)
      return Array.from({ length: bytes }, () => device.read(1, 8))
    }
    const swap = (value: number) => {
      const bytes = new DataView(new ArrayBuffer(4))
      bytes.setUint32(0, value)
      return bytes.getUint32(0, true)
    }
    /** A DMA access by a structure at 100H; answers its control word afterwards. */
    const access = (control: number, length: number, address: number) => {
      view.setUint32(0x100, control)
      view.setUint32(0x104, length)
      view.setUint32(0x108, 0)
      view.setUint32(0x10c, address)
      device.write(8, 32, swap(0x100))
      return view.getUint32(0x100)
    }
    return { device, memory, read, access, swap }
  }

  it("has a signature, the size of RAM, and how many processors there are", () => {
    const { read } = aDevice()
    assert.deepStrictEqual(read(fwCfgKey.signature, 6), [0x51, 0x45, 0x4d, 0x55, 0, 0])
    assert.deepStrictEqual(read(fwCfgKey.ramSize, 8), [0, 0, 0, 4, 0, 0, 0, 0])
    assert.deepStrictEqual(read(fwCfgKey.processors, 2), [3, 0])
    assert.deepStrictEqual(read(0x7777, 2), [0, 0])
  })

  it("lists its files, big-endian", () => {
    const { read } = aDevice()
    const directory = read(fwCfgKey.directory, 4 + 64)
    assert.deepStrictEqual(directory.slice(0, 12), [0, 0, 0, 1, 0, 0, 0, 5, 0, 0x20, 0, 0])
    assert.strictEqual(String.fromCharCode(...directory.slice(12, 25)), "opt/greeting\0")
    assert.strictEqual(String.fromCharCode(...read(0x20, 5)), "hello")
  })

  it("says that it has DMA", () => {
    const { device, swap } = aDevice()
    assert.strictEqual(swap(device.read(4, 32)), 0x5145_4d55)
    assert.strictEqual(swap(device.read(8, 32)), 0x2043_4647)
  })

  it("selects, skips and reads by DMA", () => {
    const { memory, access } = aDevice()
    assert.strictEqual(access((0x20 << 16) | 8 | 4, 1, 0), 0)
    assert.strictEqual(access(2, 6, 0x1000), 0)
    assert.deepStrictEqual([...memory.subarray(0x1000, 0x1006)], [0x65, 0x6c, 0x6c, 0x6f, 0, 0])
  })

  it("says that a transfer has failed: a write, or one to where no memory is", () => {
    const { access, device, swap } = aDevice()
    assert.strictEqual(access(16, 1, 0x1000), 1)
    assert.strictEqual(access(2, 0xffff_ffff, 0x1000), 1)
    device.write(8, 32, swap(0xffff_fff0))
  })
})
