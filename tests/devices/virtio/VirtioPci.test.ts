import { assert, describe, it } from "vitest"
import { ConsoleDevice } from "../../../src/devices/virtio/console.ts"
import { aDriver, at, F, range, ringEvents, ringIndirect, version1 } from "./driver.ts"

/** A console, of which queue 1 takes what the driver says. */
const aConsole = () => {
  const said: string[] = []
  const device = new ConsoleDevice((bytes) => said.push(String.fromCharCode(...bytes)))
  const driver = aDriver(device)
  const text = (address: number, words: string) => {
    driver.memory.set(
      [...words].map((character) => character.charCodeAt(0)),
      address
    )
    return { address, length: words.length }
  }
  const queue = driver.queues[1]!
  const say = (...words: string[]) => {
    queue.chain(
      0,
      words.map((each, n) => text(0x8000 + 0x100 * n, each)),
      []
    )
    queue.offer(0)
    driver.notify(1)
  }
  return { ...driver, device, said, text, say, queue }
}

describe("discovery", () => {
  it("is by PCI identity and capabilities of five types", () => {
    const { fn } = aConsole()
    assert.strictEqual(fn.readConfig(0, 32), 0x1043_1af4)
    assert.strictEqual(fn.readConfig(8, 8), 1)
    const types: number[] = []
    for (let at = fn.readConfig(0x34, 8); at !== 0; at = fn.readConfig(at + 1, 8)) {
      if (fn.readConfig(at, 8) === 9) types.push(fn.readConfig(at + 3, 8))
    }
    assert.deepStrictEqual(types, [1, 3, 4, 2, 5])
  })

  it("works without the range too, through configuration space", () => {
    const { fn } = aConsole()
    let window = 0
    for (let at = fn.readConfig(0x34, 8); at !== 0; at = fn.readConfig(at + 1, 8)) {
      if (fn.readConfig(at, 8) === 9 && fn.readConfig(at + 3, 8) === 5) window = at
    }
    fn.writeConfig(window + 8, 32, at.queues)
    fn.writeConfig(window + 12, 32, 2)
    assert.strictEqual(fn.readConfig(window + 16, 16), 4)
    fn.writeConfig(window + 8, 32, at.queueSelect)
    fn.writeConfig(window + 16, 16, 1)
    assert.strictEqual(fn.readConfig(window + 16, 16), 1)
    fn.writeConfig(window + 12, 32, 3)
    assert.strictEqual(fn.readConfig(window + 16, 16), 0xffff)
  })
})

describe("features", () => {
  it("offered are the device's own and those of every device", () => {
    assert.deepStrictEqual(aConsole().features(), [0, 1, 2, 28, 29, 32, 33])
  })

  it("must have VERSION_1, and nothing that is not offered", () => {
    const { put, get, accept } = aConsole()
    const status = (bits: readonly number[]) => {
      put(at.status, 8, 0)
      put(at.status, 8, 3)
      accept(bits)
      put(at.status, 8, 11)
      return get(at.status, 8)
    }
    assert.strictEqual(status([version1]), 11)
    assert.strictEqual(status([]), 3)
    assert.strictEqual(status([version1, 5]), 3)
  })

  it("are settled with FEATURES_OK", () => {
    const { put, get, accept } = aConsole()
    put(at.status, 8, 3)
    accept([version1])
    put(at.status, 8, 11)
    accept([version1, ringEvents])
    put(at.driverFeatureSelect, 32, 0)
    assert.strictEqual(get(at.driverFeature), 0)
  })
})

describe("a queue", () => {
  it("that is not there has no size", () => {
    const { put, get } = aConsole()
    put(at.queueSelect, 16, 4)
    assert.strictEqual(get(at.queueSize, 16), 0)
    put(at.queueSelect, 16, 1)
    assert.strictEqual(get(at.queueSize, 16), 256)
    assert.strictEqual(get(at.queueNotifyOff, 16), 1)
  })

  it("keeps its addresses once enabled", () => {
    const { start, put, get } = aConsole()
    start()
    put(at.queueSelect, 16, 0)
    put(at.queueDescriptors, 32, 0x7000)
    put(at.queueDescriptors + 4, 32, 1)
    assert.strictEqual(get(at.queueDescriptors), 0x1000)
    assert.strictEqual(get(at.queueDescriptors + 4), 0)
  })

  it("of a size that is no power of two needs a reset", () => {
    const { put, needsReset } = aConsole()
    put(at.queueSelect, 16, 0)
    put(at.queueSize, 16, 3)
    put(at.queueEnable, 16, 1)
    assert.isTrue(needsReset())
  })

  it("is served in order when the device is notified", () => {
    const { start, said, say, queue } = aConsole()
    start()
    say("hello, ", "world")
    assert.deepStrictEqual(said, ["hello, world"])
    assert.deepStrictEqual(queue.taken(), [{ id: 0, length: 0 }])
  })

  it("goes around", () => {
    const { start, said, say, queue } = aConsole()
    start()
    for (let n = 0; n < 20; n++) say(`${n}`)
    assert.strictEqual(said.length, 20)
    assert.strictEqual(queue.taken().length, 20)
  })

  it("is not served before DRIVER_OK, or without bus mastering", () => {
    const { start, fn, said, say, put, needsReset } = aConsole()
    say("too early")
    start()
    put(at.status, 8, 0)
    assert.deepStrictEqual(said, [])
    start()
    fn.writeConfig(4, 16, 2)
    say("no DMA")
    assert.deepStrictEqual(said, [])
    assert.isTrue(needsReset())
  })

  it("may have a chain in a table of its own", () => {
    const { start, said, text, queue, notify } = aConsole()
    start([ringIndirect])
    queue.put(0, { ...text(0x8000, "indi"), flags: F.NEXT, next: 2 }, 0x9000)
    queue.put(2, text(0x8100, "rect"), 0x9000)
    queue.put(5, { address: 0x9000, length: 48, flags: F.INDIRECT })
    queue.offer(5)
    notify(1)
    assert.deepStrictEqual(said, ["indirect"])
    assert.deepStrictEqual(queue.taken(), [{ id: 5, length: 0 }])
  })
})

describe("interrupts", () => {
  it("are by the pin, until the ISR is read", () => {
    const { start, say, state, get } = aConsole()
    start()
    say("a")
    assert.isTrue(state.interrupt)
    assert.strictEqual(get(at.isr, 8), 1)
    assert.isFalse(state.interrupt)
    assert.strictEqual(get(at.isr, 8), 0)
  })

  it("are by message, with the queue's vector", () => {
    const { start, say, state, useMessages } = aConsole()
    start()
    useMessages()
    say("a")
    assert.deepStrictEqual(state.messages, [0x41])
    assert.isFalse(state.interrupt)
  })

  it("have no vector that is not there", () => {
    const { put, get } = aConsole()
    put(at.configVector, 16, 5)
    assert.strictEqual(get(at.configVector, 16), 0xffff)
    put(at.configVector, 16, 4)
    assert.strictEqual(get(at.configVector, 16), 4)
  })

  it("are not sent to a driver that wants none", () => {
    const { start, say, state, view, queue } = aConsole()
    start()
    view.setUint16(queue.available, 1, true)
    say("a")
    assert.isFalse(state.interrupt)
  })

  it("with event indices are sent when the event is passed", () => {
    const { start, text, queue, notify, state, view, get } = aConsole()
    start([ringEvents])
    const usedEvent = queue.available + 4 + 2 * queue.size
    const availableEvent = queue.used + 4 + 8 * queue.size
    view.setUint16(usedEvent, 1, true)
    queue.put(0, text(0x8000, "a"))
    queue.offer(0)
    notify(1)
    assert.isFalse(state.interrupt)
    assert.strictEqual(view.getUint16(availableEvent, true), 1)
    queue.offer(0)
    queue.offer(0)
    notify(1)
    assert.isTrue(state.interrupt)
    assert.strictEqual(view.getUint16(availableEvent, true), 3)
    get(at.isr, 8)
    queue.offer(0)
    notify(1)
    assert.isFalse(state.interrupt)
  })
})

describe("a driver that breaks a rule", () => {
  const breaks = (
    what: (machine: ReturnType<typeof aConsole>) => void,
    features: readonly number[] = [ringIndirect]
  ) => {
    const machine = aConsole()
    machine.start(features)
    what(machine)
    machine.notify(1)
    assert.isTrue(machine.needsReset())
    assert.strictEqual(machine.get(at.isr, 8) & 2, 2)
    assert.strictEqual(machine.queue.taken().length, 0)
    return machine
  }

  it("by a loop of descriptors", () => {
    breaks(({ queue }) => {
      queue.put(0, { address: 0x8000, length: 1, flags: F.NEXT, next: 1 })
      queue.put(1, { address: 0x8000, length: 1, flags: F.NEXT, next: 0 })
      queue.offer(0)
    })
  })

  it("by a head or a next beyond the table", () => {
    breaks(({ queue }) => queue.offer(8))
    breaks(({ queue }) => {
      queue.put(0, { address: 0x8000, length: 1, flags: F.NEXT, next: 0xffff })
      queue.offer(0)
    })
  })

  it("by something to read after something to write", () => {
    breaks(({ queue }) => {
      queue.put(0, { address: 0x8000, length: 1, flags: F.WRITE | F.NEXT, next: 1 })
      queue.put(1, { address: 0x8000, length: 1 })
      queue.offer(0)
    })
  })

  it("by an indirect table within one, of a broken length, with a next, or without the feature", () => {
    breaks(({ queue }) => {
      queue.put(0, { address: 0x9000, length: 16, flags: F.INDIRECT })
      queue.put(0, { address: 0x9000, length: 16, flags: F.INDIRECT }, 0x9000)
      queue.offer(0)
    })
    breaks(({ queue }) => {
      queue.put(0, { address: 0x9000, length: 17, flags: F.INDIRECT })
      queue.offer(0)
    })
    breaks(({ queue }) => {
      queue.put(0, { address: 0x9000, length: 16, flags: F.INDIRECT | F.NEXT })
      queue.offer(0)
    })
    breaks(({ queue, text }) => {
      queue.put(0, text(0x8000, "a"), 0x9000)
      queue.put(0, { address: 0x9000, length: 16, flags: F.INDIRECT })
      queue.offer(0)
    }, [])
  })

  it("by an available index that is further on than the queue is long", () => {
    breaks(({ queue, view }) => view.setUint16(queue.available + 2, 9, true))
  })

  it("by addresses where no memory is", () => {
    breaks(({ queue }) => {
      queue.put(0, { address: 2 ** 62, length: 1 })
      queue.offer(0)
    })
    breaks(({ queue }) => {
      queue.put(0, { address: 0x3_fff0, length: 0xffff_ffff })
      queue.offer(0)
    })
  })

  it("is served again after a reset", () => {
    const { start, queue, said, put, view } = breaks(({ queue }) => queue.offer(8))
    put(at.status, 8, 0)
    view.setUint16(queue.available + 2, 0, true)
    start()
    queue.put(0, { address: 0x8000, length: 1 })
    view.setUint16(queue.available + 4, 0, true)
    view.setUint16(queue.available + 2, 1, true)
    put(at.notify + 4, 16, 1)
    assert.strictEqual(said.length, 1)
  })
})

describe("the range", () => {
  it("reads zeros where no register is", () => {
    const { bus } = aConsole()
    assert.strictEqual(bus.memory.read(range + 0x800, 32), 0)
    bus.memory.write(range + 0x3ffc, 32, 0xffff_ffff)
  })
})
