import { assert, describe, it } from "vitest"
import { BlockDevice, type BlockStore, blockStatus } from "../../../src/devices/virtio/block.ts"
import { ConsoleDevice } from "../../../src/devices/virtio/console.ts"
import { EntropyDevice, Generator } from "../../../src/devices/virtio/entropy.ts"
import { NetworkDevice } from "../../../src/devices/virtio/network.ts"
import { aDriver, at } from "./driver.ts"

const bytesOf = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0))

describe("the block device", () => {
  const aDisk = (options: Partial<BlockStore> = {}) => {
    const sectors = 16
    const disk = Uint8Array.from({ length: sectors * 512 }, (_, n) => n >>> 9)
    const flushed = { count: 0 }
    const store: BlockStore = {
      sectors,
      isReadOnly: false,
      read: (sector, bytes) => {
        bytes.set(disk.subarray(sector * 512, sector * 512 + bytes.length))
        return true
      },
      write: (sector, bytes) => {
        disk.set(bytes, sector * 512)
        return true
      },
      flush: () => ++flushed.count > 0,
      ...options
    }
    const driver = aDriver(new BlockDevice(store, "skyscope disk"))
    driver.start()
    const queue = driver.queues[0]!
    /** A request with its data at A000H; answers the status. */
    const ask = (type: number, sector: number, { out = 0, into = 0 }) => {
      driver.view.setUint32(0x8000, type, true)
      driver.view.setBigUint64(0x8008, BigInt(sector), true)
      driver.memory[0x9000] = 0xee
      const readable = [{ address: 0x8000, length: 16 }]
      const writable = [{ address: 0x9000, length: 1 }]
      if (out > 0) readable.push({ address: 0xa000, length: out })
      if (into > 0) writable.unshift({ address: 0xa000, length: into })
      queue.chain(0, readable, writable)
      queue.offer(0)
      driver.notify(0)
      return driver.memory[0x9000]
    }
    return { ...driver, disk, flushed, ask, queue }
  }

  it("says how many sectors it has, and what it can", () => {
    const { get, features } = aDisk()
    assert.strictEqual(get(at.device), 16)
    assert.strictEqual(get(at.device + 20), 512)
    assert.includeMembers(features(), [2, 6, 9, 13, 14])
  })

  it("reads sectors", () => {
    const { ask, memory, queue } = aDisk()
    assert.strictEqual(ask(0, 3, { into: 1024 }), blockStatus.OK)
    assert.deepStrictEqual([memory[0xa000], memory[0xa1ff], memory[0xa200], memory[0xa3ff]], [3, 3, 4, 4])
    assert.deepStrictEqual(queue.taken(), [{ id: 0, length: 1025 }])
  })

  it("writes sectors", () => {
    const { ask, memory, disk } = aDisk()
    memory.fill(0x77, 0xa000, 0xa200)
    assert.strictEqual(ask(1, 2, { out: 512 }), blockStatus.OK)
    assert.deepStrictEqual([disk[1023], disk[1024], disk[1535], disk[1536]], [1, 0x77, 0x77, 3])
  })

  it("waits for a store that answers later, in parts, with what comes meanwhile behind; and not after a reset", () => {
    const waiting: Array<(isDone: boolean) => void> = []
    const later = (_sector: number, bytes: Uint8Array, done: (isDone: boolean) => void) => {
      waiting.push((isDone) => {
        bytes.fill(0x5a)
        done(isDone)
      })
      return "later" as const
    }
    const { ask, memory, queue, notify, start } = aDisk({ sectors: 1024, read: later })
    assert.strictEqual(ask(0, 0, { into: 0x1_2000 }), 0xee)
    notify(0)
    assert.strictEqual(waiting.length, 1)
    waiting.shift()!(true)
    assert.strictEqual(memory[0x9000], 0xee)
    waiting.shift()!(true)
    assert.strictEqual(memory[0x9000], blockStatus.OK)
    assert.deepStrictEqual([memory[0xa000], memory[0x1_bfff]], [0x5a, 0x5a])
    assert.strictEqual(queue.taken().length, 1)

    assert.strictEqual(ask(0, 0, { into: 512 }), 0xee)
    waiting.shift()!(false)
    assert.strictEqual(memory[0x9000], blockStatus.IOERR)

    assert.strictEqual(ask(0, 0, { into: 512 }), 0xee)
    start()
    waiting.shift()!(true)
    assert.strictEqual(memory[0x9000], 0xee)
  })

  it("flushes, and says its name", () => {
    const { ask, memory, flushed } = aDisk()
    assert.strictEqual(ask(4, 0, {}), blockStatus.OK)
    assert.strictEqual(flushed.count, 1)
    assert.strictEqual(ask(8, 0, { into: 20 }), blockStatus.OK)
    assert.strictEqual(String.fromCharCode(...memory.subarray(0xa000, 0xa00e)), "skyscope disk\0")
  })

  it("writes zeros, and takes discards", () => {
    const { ask, view, disk } = aDisk()
    view.setBigUint64(0xa000, 4n, true)
    view.setUint32(0xa008, 2, true)
    view.setUint32(0xa00c, 1, true)
    assert.strictEqual(ask(13, 0, { out: 16 }), blockStatus.OK)
    assert.deepStrictEqual([disk[4 * 512 - 1], disk[4 * 512], disk[6 * 512 - 1], disk[6 * 512]], [3, 0, 0, 6])
    assert.strictEqual(ask(11, 0, { out: 16 }), blockStatus.UNSUPP)
    view.setUint32(0xa00c, 0, true)
    assert.strictEqual(ask(11, 0, { out: 16 }), blockStatus.OK)
  })

  it("refuses what lies beyond its end, parts of sectors, and requests that it does not know", () => {
    const { ask, disk } = aDisk()
    const before = disk.slice()
    assert.strictEqual(ask(0, 16, { into: 512 }), blockStatus.IOERR)
    assert.strictEqual(ask(0, 2 ** 53, { into: 512 }), blockStatus.IOERR)
    assert.strictEqual(ask(1, 15, { out: 1024 }), blockStatus.IOERR)
    assert.strictEqual(ask(0, 0, { into: 100 }), blockStatus.IOERR)
    assert.strictEqual(ask(99, 0, {}), blockStatus.UNSUPP)
    assert.deepStrictEqual(disk, before)
  })

  it("that is read only says so, and does not write", () => {
    const { ask, features } = aDisk({ isReadOnly: true })
    assert.include(features(), 5)
    assert.strictEqual(ask(1, 0, { out: 512 }), blockStatus.IOERR)
  })

  it("passes on that its store has failed", () => {
    const { ask } = aDisk({ read: () => false, flush: () => false })
    assert.strictEqual(ask(0, 0, { into: 512 }), blockStatus.IOERR)
    assert.strictEqual(ask(4, 0, {}), blockStatus.IOERR)
  })

  it("needs a reset after a request without a header or a status", () => {
    for (const [readable, writable] of [
      [8, 1],
      [16, 0]
    ] as const) {
      const { queue, notify, needsReset } = aDisk()
      queue.chain(0, [{ address: 0x8000, length: readable }], writable ? [{ address: 0x9000, length: writable }] : [])
      queue.offer(0)
      notify(0)
      assert.isTrue(needsReset())
    }
  })
})

describe("the console", () => {
  it("keeps what comes in until there is a buffer for it", () => {
    const device = new ConsoleDevice(() => undefined)
    const { start, queues, notify, memory } = aDriver(device)
    device.input(bytesOf("hello"))
    start()
    const queue = queues[0]!
    queue.chain(0, [], [{ address: 0x8000, length: 3 }])
    queue.chain(1, [], [{ address: 0x8100, length: 3 }])
    queue.offer(0)
    notify(0)
    assert.deepStrictEqual(queue.taken(), [{ id: 0, length: 3 }])
    queue.offer(1)
    notify(0)
    assert.deepStrictEqual(queue.taken(), [{ id: 1, length: 2 }])
    assert.deepStrictEqual(
      [...memory.subarray(0x8000, 0x8003), ...memory.subarray(0x8100, 0x8102)],
      [...bytesOf("hello")]
    )
  })

  it("keeps what comes in until the driver has opened the port, if it opens ports", () => {
    const device = new ConsoleDevice(() => undefined)
    const { start, queues, notify, memory, view } = aDriver(device)
    start([1])
    const [receive, , controlReceive, controlTransmit] = queues
    device.input(bytesOf("hello"))
    receive!.chain(0, [], [{ address: 0x8000, length: 16 }])
    receive!.offer(0)
    notify(0)
    assert.deepStrictEqual(receive!.taken(), [])
    for (let n = 0; n < 4; n++) {
      controlReceive!.chain(n, [], [{ address: 0x9000 + 16 * n, length: 8 }])
      controlReceive!.offer(n)
    }
    const say = (event: number, value: number) => {
      view.setUint32(0xa000, 0, true)
      view.setUint16(0xa004, event, true)
      view.setUint16(0xa006, value, true)
      controlTransmit!.chain(0, [{ address: 0xa000, length: 8 }], [])
      controlTransmit!.offer(0)
      notify(3)
      return controlReceive!.taken().map(({ id }) => [4, 6].map((by) => view.getUint16(0x9000 + 16 * id + by, true)))
    }
    const [deviceReady, deviceAdd, portReady, consolePort, portOpen] = [0, 1, 3, 4, 6]
    assert.deepStrictEqual(say(deviceReady, 1), [[deviceAdd, 1]])
    assert.deepStrictEqual(say(portReady, 1), [
      [consolePort, 1],
      [portOpen, 1]
    ])
    assert.deepStrictEqual(receive!.taken(), [])
    say(portOpen, 1)
    assert.deepStrictEqual(receive!.taken(), [{ id: 0, length: 5 }])
    assert.deepStrictEqual([...memory.subarray(0x8000, 0x8005)], [...bytesOf("hello")])
  })

  it("takes a character without a queue", () => {
    const said: number[] = []
    const { put } = aDriver(new ConsoleDevice((bytes) => said.push(...bytes)))
    put(at.device + 8, 32, 0x41)
    assert.deepStrictEqual(said, [0x41])
  })

  it("says its size", () => {
    const { get } = aDriver(new ConsoleDevice(() => undefined, { columns: 132, rows: 43 }))
    assert.strictEqual(get(at.device), (43 << 16) | 132)
  })
})

describe("the entropy device", () => {
  const random = (seed: number) => {
    const { start, queues, notify, memory } = aDriver(new EntropyDevice(seed))
    start()
    queues[0]!.chain(
      0,
      [],
      [
        { address: 0x8000, length: 5 },
        { address: 0x8100, length: 59 }
      ]
    )
    queues[0]!.offer(0)
    notify(0)
    assert.deepStrictEqual(queues[0]!.taken(), [{ id: 0, length: 64 }])
    return [...memory.subarray(0x8000, 0x8005), ...memory.subarray(0x8100, 0x813b)]
  }

  it("fills buffers from its seed: the same again, another with another", () => {
    assert.deepStrictEqual(random(1), random(1))
    assert.notDeepEqual(random(1), random(2))
  })

  it("has bits that are ones as often as zeros", () => {
    const bytes = new Generator(7).fill(new Uint8Array(4096))
    const ones = bytes.reduce((sum, byte) => sum + byte.toString(2).replaceAll("0", "").length, 0)
    assert.closeTo(ones, 4096 * 4, 500)
  })
})

describe("the network device", () => {
  const mac = Uint8Array.of(2, 0, 0, 0, 0, 1)
  const aCard = () => {
    const sent: number[][] = []
    const device = new NetworkDevice(mac, (frame) => sent.push([...frame]))
    const driver = aDriver(device)
    driver.start()
    return { ...driver, device, sent }
  }

  it("has its address and a link", () => {
    const { get } = aCard()
    assert.deepStrictEqual(
      [0, 1, 2, 3, 4, 5].map((n) => get(at.device + n, 8)),
      [...mac]
    )
    assert.strictEqual(get(at.device + 6, 16), 1)
  })

  it("sends frames without their headers", () => {
    const { memory, queues, notify, sent } = aCard()
    memory.set([1, 2, 3], 0x8100)
    queues[1]!.chain(
      0,
      [
        { address: 0x8000, length: 12 },
        { address: 0x8100, length: 3 }
      ],
      []
    )
    queues[1]!.offer(0)
    notify(1)
    assert.deepStrictEqual(sent, [[1, 2, 3]])
  })

  it("gives frames behind a header that says one buffer", () => {
    const { device, memory, queues, notify } = aCard()
    device.receive(Uint8Array.of(7, 8, 9))
    queues[0]!.chain(0, [], [{ address: 0x8000, length: 64 }])
    queues[0]!.offer(0)
    notify(0)
    assert.deepStrictEqual(queues[0]!.taken(), [{ id: 0, length: 15 }])
    assert.deepStrictEqual([...memory.subarray(0x8000, 0x800f)], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 7, 8, 9])
  })

  it("loses frames that nobody takes", () => {
    const { device, queues, notify } = aCard()
    for (let n = 0; n < 1000; n++) device.receive(Uint8Array.of(n))
    for (let n = 0; n < 300; n++) {
      queues[0]!.chain(n % 8, [], [{ address: 0x8000, length: 64 }])
      queues[0]!.offer(n % 8)
      notify(0)
    }
    assert.strictEqual(queues[0]!.taken().length, 256)
  })

  it("needs a reset after a frame that is no frame, or a buffer too small for one", () => {
    const one = aCard()
    one.queues[1]!.chain(0, [{ address: 0x8000, length: 4 }], [])
    one.queues[1]!.offer(0)
    one.notify(1)
    assert.isTrue(one.needsReset())
    const two = aCard()
    two.queues[0]!.chain(0, [], [{ address: 0x8000, length: 13 }])
    two.queues[0]!.offer(0)
    two.device.receive(Uint8Array.of(1, 2))
    assert.isTrue(two.needsReset())
  })
})
