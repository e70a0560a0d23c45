import { assert, describe, it } from "vitest"
import { deliveryMode, InterruptBus } from "../../src/devices/interruptMessages.ts"
import { ESR, external, LocalApic } from "../../src/devices/localApic.ts"
import { Time } from "./time.ts"

// Offsets of registers in memory.
// biome-ignore format: a table
const at = {
  ID: 0x20, VERSION: 0x30, TPR: 0x80, APR: 0x90, PPR: 0xa0, EOI: 0xb0, LDR: 0xd0, DFR: 0xe0, SVR: 0xf0, ISR: 0x100, TMR: 0x180, IRR: 0x200,
  ESR: 0x280, CMCI: 0x2f0, ICR: 0x300, ICR_HIGH: 0x310, TIMER: 0x320, PERFORMANCE: 0x340, LINT0: 0x350, LINT1: 0x360, ERROR: 0x370,
  INITIAL: 0x380, CURRENT: 0x390, DIVIDE: 0x3e0
} as const

const masked = 1 << 16
const level = 1 << 15
const periodic = 1 << 17
const deadline = 1 << 18
const [xApic, x2Apic] = [0x800, 0xc00]
const maxAddress = 2 ** 40

const aMachine = (processors = 1) => {
  const time = new Time()
  const bus = new InterruptBus()
  const events: string[] = []
  const mapped: (number | undefined)[] = []
  const ended: number[] = []
  let tscOffset = 0n
  bus.attachListener((vector) => ended.push(vector))
  const apics = Array.from(
    { length: processors },
    (_, id) =>
      new LocalApic(
        id,
        time,
        bus,
        {
          noticed: () => undefined,
          nmi: () => events.push(`NMI ${id}`),
          smi: () => events.push(`SMI ${id}`),
          init: () => events.push(`INIT ${id}`),
          startUp: (vector) => events.push(`SIPI ${id} ${vector}`),
          mapped: (address) => mapped.push(address),
          tscOffset: () => [Number(BigInt.asIntN(32, tscOffset)), Number(BigInt.asIntN(32, tscOffset >> 32n))]
        },
        () => 0x68
      )
  )
  for (const apic of apics) apic.write(at.SVR, 32, 0x1ff)
  const ahead = (offset: bigint) => {
    tscOffset = offset
  }
  return { time, bus, events, mapped, ended, ahead, apics, apic: apics[0]! }
}

const get = (apic: LocalApic, offset: number) => apic.read(offset, 32)
const put = (apic: LocalApic, offset: number, value: number) => apic.write(offset, 32, value)

/** The interrupts that are delivered now, one after the other, each ended. */
const delivered = (apic: LocalApic): number[] => {
  const vectors: number[] = []
  for (let vector = apic.pending(); vector >= 0; vector = apic.pending()) {
    vectors.push(apic.acknowledge())
    apic.endOfInterrupt()
  }
  return vectors
}

const toSelf = (vector: number) => (1 << 18) | vector

describe("at reset the local APIC", () => {
  it("is as the manual says", () => {
    const { apic } = aMachine()
    apic.reset()
    assert.strictEqual(get(apic, at.SVR), 0xff)
    assert.strictEqual(get(apic, at.DFR), 0xffff_ffff)
    for (const entry of [at.CMCI, at.TIMER, at.PERFORMANCE, at.LINT0, at.LINT1, at.ERROR])
      assert.strictEqual(get(apic, entry), masked)
    assert.strictEqual(get(apic, at.VERSION), 0x0106_0015)
    assert.deepStrictEqual(apic.readBase(), [0xfee0_0900, 0])
    assert.strictEqual(apic.window(), 0xfee0_0000)
  })

  it("of another processor is not the bootstrap processor's, and has its ID", () => {
    const { apics } = aMachine(2)
    assert.deepStrictEqual(apics[1]!.readBase(), [0xfee0_0800, 0])
    assert.strictEqual(get(apics[1]!, at.ID), 0x0100_0000)
  })
})

describe("fixed interrupts", () => {
  it("are delivered by priority, the highest vector first", () => {
    const { apic } = aMachine()
    for (const vector of [0x31, 0x80, 0x32]) put(apic, at.ICR, toSelf(vector))
    assert.strictEqual(get(apic, at.IRR + 0x10), 0x0006_0000)
    assert.deepStrictEqual(delivered(apic), [0x80, 0x32, 0x31])
  })

  it("wait while one of their class or above is served", () => {
    const { apic } = aMachine()
    put(apic, at.ICR, toSelf(0x45))
    assert.strictEqual(apic.acknowledge(), 0x45)
    assert.strictEqual(get(apic, at.ISR + 0x20), 0x20)
    assert.strictEqual(get(apic, at.PPR), 0x40)
    put(apic, at.ICR, toSelf(0x4f))
    assert.strictEqual(apic.pending(), -1)
    put(apic, at.ICR, toSelf(0x50))
    assert.strictEqual(apic.acknowledge(), 0x50)
    put(apic, at.EOI, 0)
    put(apic, at.EOI, 0)
    assert.strictEqual(apic.pending(), 0x4f)
  })

  it("wait while the task priority's class is theirs or above", () => {
    const { apic } = aMachine()
    put(apic, at.TPR, 0x3f)
    put(apic, at.ICR, toSelf(0x3f))
    assert.strictEqual(apic.pending(), -1)
    assert.strictEqual(get(apic, at.PPR), 0x3f)
    put(apic, at.TPR, 0x2f)
    assert.strictEqual(apic.pending(), 0x3f)
  })

  it("of which one is masked between request and acknowledgment become the spurious vector, which is not served", () => {
    const { apic } = aMachine()
    put(apic, at.ICR, toSelf(0x31))
    put(apic, at.TPR, 0xf0)
    assert.strictEqual(apic.acknowledge(), 0xff)
    assert.strictEqual(get(apic, at.ISR + 0x70), 0)
    put(apic, at.TPR, 0)
    assert.strictEqual(apic.acknowledge(), 0x31)
  })

  it("say in APR what an arbitration would see", () => {
    const { apic } = aMachine()
    put(apic, at.TPR, 0x25)
    assert.strictEqual(get(apic, at.APR), 0x25)
    put(apic, at.ICR, toSelf(0x71))
    assert.strictEqual(get(apic, at.APR), 0x70)
  })
})

describe("EOI", () => {
  const levelInterrupt = (bus: InterruptBus) => bus.message(0xfee0_0000, 0xc000 | 0x41)

  it("of a level-triggered interrupt is broadcast", () => {
    const { apic, bus, ended } = aMachine()
    levelInterrupt(bus)
    assert.strictEqual(get(apic, at.TMR + 0x20), 2)
    assert.deepStrictEqual(delivered(apic), [0x41])
    assert.deepStrictEqual(ended, [0x41])
  })

  it("of an edge-triggered one is not, and the edge clears its TMR bit", () => {
    const { apic, bus, ended } = aMachine()
    levelInterrupt(bus)
    bus.message(0xfee0_0000, 0x41)
    assert.strictEqual(get(apic, at.TMR + 0x20), 0)
    delivered(apic)
    assert.deepStrictEqual(ended, [])
  })

  it("is not broadcast if SVR suppresses it", () => {
    const { apic, bus, ended } = aMachine()
    put(apic, at.SVR, 0x11ff)
    assert.strictEqual(get(apic, at.SVR), 0x11ff)
    levelInterrupt(bus)
    assert.deepStrictEqual(delivered(apic), [0x41])
    assert.deepStrictEqual(ended, [])
  })

  it("with nothing served changes nothing", () => {
    const { apic } = aMachine()
    put(apic, at.EOI, 0)
    assert.strictEqual(apic.pending(), -1)
  })
})

describe("while software disabled, the local APIC", () => {
  it("keeps its LVT masked", () => {
    const { apic } = aMachine()
    put(apic, at.LINT1, 0x400)
    put(apic, at.SVR, 0xff)
    assert.strictEqual(get(apic, at.LINT1), masked | 0x400)
    put(apic, at.LINT1, 0x400)
    assert.strictEqual(get(apic, at.LINT1), masked | 0x400)
    put(apic, at.SVR, 0x1ff)
    assert.strictEqual(get(apic, at.LINT1), masked | 0x400)
  })

  it("accepts NMI, INIT and SIPI, but nothing with a vector", () => {
    const { apic, bus, events } = aMachine()
    put(apic, at.SVR, 0xff)
    assert.isFalse(bus.message(0xfee0_0000, 0x31))
    for (const mode of [deliveryMode.NMI, deliveryMode.INIT, deliveryMode.startUp, deliveryMode.SMI])
      bus.send({ mode, vector: 9, level: false, logical: false, destination: 0 })
    assert.deepStrictEqual(events, ["NMI 0", "INIT 0", "SIPI 0 9", "SMI 0"])
    assert.strictEqual(apic.pending(), -1)
  })

  it("holds what was pending", () => {
    const { apic } = aMachine()
    put(apic, at.ICR, toSelf(0x31))
    put(apic, at.SVR, 0xff)
    assert.strictEqual(apic.pending(), 0x31)
  })
})

describe("errors", () => {
  it("are seen in ESR after it was written", () => {
    const { apic } = aMachine()
    put(apic, at.ICR, toSelf(5))
    assert.strictEqual(get(apic, at.ESR), 0)
    put(apic, at.ESR, 0)
    assert.strictEqual(get(apic, at.ESR), ESR.sendIllegalVector)
    put(apic, at.ESR, 0)
    assert.strictEqual(get(apic, at.ESR), 0)
  })

  it("are a received vector below 16, and a register that is not there", () => {
    const { apic, bus } = aMachine()
    bus.message(0xfee0_0000, 15)
    get(apic, 0x40)
    put(apic, at.ESR, 0)
    assert.strictEqual(get(apic, at.ESR), ESR.receiveIllegalVector | ESR.illegalRegister)
    assert.strictEqual(apic.pending(), -1)
  })

  it("raise the error interrupt, once until ESR is written", () => {
    const { apic } = aMachine()
    put(apic, at.ERROR, 0x33)
    put(apic, at.ICR, toSelf(5))
    assert.deepStrictEqual(delivered(apic), [0x33])
    put(apic, at.ICR, toSelf(5))
    assert.deepStrictEqual(delivered(apic), [])
    put(apic, at.ESR, 0)
    put(apic, at.ICR, toSelf(5))
    assert.deepStrictEqual(delivered(apic), [0x33])
  })

  it("of an error vector that is itself illegal end there", () => {
    const { apic } = aMachine()
    put(apic, at.ERROR, 3)
    put(apic, at.ICR, toSelf(5))
    put(apic, at.ESR, 0)
    assert.strictEqual(get(apic, at.ESR), ESR.sendIllegalVector | ESR.receiveIllegalVector)
  })
})

describe("the timer", () => {
  it("in one-shot mode counts down at the divided rate, interrupts once and stays at 0", () => {
    const { apic, time } = aMachine()
    put(apic, at.TIMER, 0x40)
    put(apic, at.DIVIDE, 0b1) // by 4
    put(apic, at.INITIAL, 100)
    assert.strictEqual(get(apic, at.CURRENT), 100)
    time.pass(3)
    assert.strictEqual(get(apic, at.CURRENT), 100)
    time.pass(1)
    assert.strictEqual(get(apic, at.CURRENT), 99)
    time.pass(395)
    assert.strictEqual(get(apic, at.CURRENT), 1)
    assert.strictEqual(apic.pending(), -1)
    time.pass(1)
    assert.strictEqual(get(apic, at.CURRENT), 0)
    assert.deepStrictEqual(delivered(apic), [0x40])
    time.pass(10_000)
    assert.deepStrictEqual(delivered(apic), [])
    assert.strictEqual(get(apic, at.INITIAL), 100)
  })

  it.each([
    [0b0000, 2],
    [0b0001, 4],
    [0b0010, 8],
    [0b0011, 16],
    [0b1000, 32],
    [0b1001, 64],
    [0b1010, 128],
    [0b1011, 1]
  ])("with divide configuration %i divides by %i", (configuration, divisor) => {
    const { apic, time } = aMachine()
    put(apic, at.DIVIDE, configuration)
    put(apic, at.INITIAL, 1000)
    time.pass(divisor * 10)
    assert.strictEqual(get(apic, at.CURRENT), 990)
  })

  it("in periodic mode is reloaded when the count reaches 0", () => {
    const { apic, time } = aMachine()
    put(apic, at.TIMER, periodic | 0x40)
    put(apic, at.DIVIDE, 0b1011)
    put(apic, at.INITIAL, 10)
    time.pass(10)
    assert.deepStrictEqual(delivered(apic), [0x40])
    assert.strictEqual(get(apic, at.CURRENT), 10)
    time.pass(9)
    assert.strictEqual(get(apic, at.CURRENT), 1)
    assert.deepStrictEqual(delivered(apic), [])
    time.pass(1)
    assert.deepStrictEqual(delivered(apic), [0x40])
    assert.strictEqual(time.next(), 30)
  })

  it("made periodic while it counts goes on, and is reloaded at its end", () => {
    const { apic, time } = aMachine()
    put(apic, at.DIVIDE, 0b1011)
    put(apic, at.TIMER, 0x40)
    put(apic, at.INITIAL, 100)
    time.pass(60)
    put(apic, at.TIMER, periodic | 0x40)
    assert.strictEqual(get(apic, at.CURRENT), 40)
    time.pass(50)
    assert.strictEqual(get(apic, at.CURRENT), 90)
    assert.deepStrictEqual(delivered(apic), [0x40])
  })

  it("made one-shot while it counts goes on and ends at 0", () => {
    const { apic, time } = aMachine()
    put(apic, at.DIVIDE, 0b1011)
    put(apic, at.TIMER, periodic | 0x40)
    put(apic, at.INITIAL, 100)
    time.pass(150)
    put(apic, at.TIMER, 0x40)
    assert.strictEqual(get(apic, at.CURRENT), 50)
    assert.deepStrictEqual(delivered(apic), [0x40])
    time.pass(500)
    assert.strictEqual(get(apic, at.CURRENT), 0)
    assert.deepStrictEqual(delivered(apic), [0x40])
  })

  it("that has ended stays at 0 when it is made periodic", () => {
    const { apic, time } = aMachine()
    put(apic, at.TIMER, 0x40)
    put(apic, at.INITIAL, 100)
    time.pass(1000)
    put(apic, at.TIMER, periodic | 0x40)
    time.pass(1000)
    assert.strictEqual(get(apic, at.CURRENT), 0)
    assert.deepStrictEqual(delivered(apic), [0x40])
  })

  it("is stopped by an initial count of 0", () => {
    const { apic, time } = aMachine()
    put(apic, at.TIMER, 0x40)
    put(apic, at.INITIAL, 100)
    put(apic, at.INITIAL, 0)
    time.pass(1000)
    assert.deepStrictEqual(delivered(apic), [])
  })

  it("counts while masked, and asks for no time", () => {
    const { apic, time } = aMachine()
    put(apic, at.TIMER, masked | periodic | 0x40)
    put(apic, at.DIVIDE, 0b1011)
    put(apic, at.INITIAL, 100)
    assert.strictEqual(time.next(), Number.POSITIVE_INFINITY)
    time.pass(130)
    assert.strictEqual(get(apic, at.CURRENT), 70)
    put(apic, at.TIMER, periodic | 0x40)
    assert.strictEqual(time.next(), 200)
  })

  it("in TSC-deadline mode interrupts once at the deadline, and is then disarmed", () => {
    const { apic, time } = aMachine()
    put(apic, at.TIMER, deadline | 0x40)
    apic.writeDeadline(500, 0)
    assert.deepStrictEqual(apic.readDeadline(), [500, 0])
    time.pass(499)
    assert.strictEqual(apic.pending(), -1)
    time.pass(1)
    assert.deepStrictEqual(delivered(apic), [0x40])
    assert.deepStrictEqual(apic.readDeadline(), [0, 0])
    assert.strictEqual(get(apic, at.CURRENT), 0)
  })

  it("is disarmed by a deadline of 0, and by a change of mode", () => {
    const { apic, time } = aMachine()
    put(apic, at.TIMER, deadline | 0x40)
    apic.writeDeadline(500, 0)
    apic.writeDeadline(0, 0)
    assert.strictEqual(time.next(), Number.POSITIVE_INFINITY)
    apic.writeDeadline(500, 0)
    put(apic, at.TIMER, 0x40)
    assert.deepStrictEqual(apic.readDeadline(), [0, 0])
    assert.strictEqual(time.next(), Number.POSITIVE_INFINITY)
  })

  it("takes no deadline in another mode, and no count in TSC-deadline mode", () => {
    const { apic } = aMachine()
    apic.writeDeadline(500, 0)
    assert.deepStrictEqual(apic.readDeadline(), [0, 0])
    put(apic, at.TIMER, deadline | 0x40)
    put(apic, at.INITIAL, 10)
    assert.strictEqual(get(apic, at.INITIAL), 0)
  })

  it("in TSC-deadline mode goes by the time-stamp counter as it is: one that is set forward is there sooner", () => {
    const { apic, time, ahead } = aMachine()
    put(apic, at.TIMER, deadline | 0x40)
    apic.writeDeadline(5000, 0)
    ahead(4000n)
    apic.tscChanged()
    time.pass(999)
    assert.strictEqual(apic.pending(), -1)
    time.pass(1)
    assert.deepStrictEqual(delivered(apic), [0x40])
    // Of 64 bits, every one counts.
    ahead(0x7fff_ffff_ffff_0000n)
    apic.writeDeadline(0xffff_0000 + 1000 + 10, 0x7fff_ffff)
    time.pass(9)
    assert.strictEqual(apic.pending(), -1)
    time.pass(1)
    assert.deepStrictEqual(delivered(apic), [0x40])
  })

  it("with a deadline in the past interrupts at once", () => {
    const { apic, time } = aMachine()
    time.pass(1000)
    put(apic, at.TIMER, deadline | 0x40)
    apic.writeDeadline(1, 0)
    time.pass(0)
    assert.deepStrictEqual(delivered(apic), [0x40])
  })
})

describe("the pins", () => {
  it("LINT0 as ExtINT asks the 8259As for the vector", () => {
    const { apic } = aMachine()
    put(apic, at.LINT0, 0x700)
    apic.setPin(0, true)
    assert.strictEqual(apic.pending(), external)
    assert.strictEqual(apic.acknowledge(), 0x68)
    apic.setPin(0, false)
    assert.strictEqual(apic.pending(), -1)
  })

  it("LINT1 as NMI is an NMI at its rising edge", () => {
    const { apic, events } = aMachine()
    put(apic, at.LINT1, 0x400)
    apic.setPin(1, true)
    apic.setPin(1, true)
    assert.deepStrictEqual(events, ["NMI 0"])
  })

  it("LINT0 level-triggered has remote IRR until the EOI", () => {
    const { apic } = aMachine()
    put(apic, at.LINT0, level | 0x50)
    apic.setPin(0, true)
    assert.strictEqual(get(apic, at.LINT0), level | (1 << 14) | 0x50)
    assert.strictEqual(apic.acknowledge(), 0x50)
    assert.strictEqual(apic.pending(), -1)
    apic.endOfInterrupt()
    assert.strictEqual(apic.acknowledge(), 0x50)
    apic.setPin(0, false)
    apic.endOfInterrupt()
    assert.strictEqual(apic.pending(), -1)
    assert.strictEqual(get(apic, at.LINT0), level | 0x50)
  })

  it("are INTR and NMI of a processor whose local APIC is disabled", () => {
    const { apic, events } = aMachine()
    apic.writeBase(0xfee0_0100, 0, maxAddress)
    apic.setPin(0, true)
    apic.setPin(1, true)
    assert.strictEqual(apic.pending(), external)
    assert.deepStrictEqual(events, ["NMI 0"])
  })

  it("the performance counters' interrupt masks its entry", () => {
    const { apic } = aMachine()
    put(apic, at.PERFORMANCE, 0x60)
    apic.signal("LVT_PERFORMANCE")
    assert.deepStrictEqual(delivered(apic), [0x60])
    assert.strictEqual(get(apic, at.PERFORMANCE), masked | 0x60)
  })
})

describe("interprocessor interrupts", () => {
  const reached = (apics: readonly LocalApic[]) => apics.flatMap((apic, id) => (delivered(apic).length > 0 ? [id] : []))

  it("have physical destinations", () => {
    const { apics, apic } = aMachine(3)
    put(apic, at.ICR_HIGH, 2 << 24)
    put(apic, at.ICR, 0x40)
    assert.deepStrictEqual(reached(apics), [2])
    assert.strictEqual(get(apic, at.ICR), 0x40)
  })

  it("reach everybody with FFH", () => {
    const { apics, apic } = aMachine(3)
    put(apic, at.ICR_HIGH, 0xff << 24)
    put(apic, at.ICR, 0x40)
    assert.deepStrictEqual(reached(apics), [0, 1, 2])
  })

  it.each([
    { shorthand: 1, to: [1] },
    { shorthand: 2, to: [0, 1, 2] },
    { shorthand: 3, to: [0, 2] }
  ])("with shorthand $shorthand reach $to", ({ shorthand, to }) => {
    const { apics } = aMachine(3)
    put(apics[1]!, at.ICR, (shorthand << 18) | 0x40)
    assert.deepStrictEqual(reached(apics), to)
  })

  it("with a shorthand pass by who is disabled", () => {
    const { apics } = aMachine(3)
    put(apics[0]!, at.SVR, 0xff)
    apics[2]!.writeBase(0xfee0_0000, 0, 2 ** 40)
    put(apics[1]!, at.ICR, (2 << 18) | 0x40)
    assert.deepStrictEqual(apics.map(delivered), [[], [0x40], []])
    put(apics[0]!, at.ICR, (1 << 18) | 0x41)
    assert.deepStrictEqual(delivered(apics[0]!), [])
  })

  it("have logical destinations in the flat model: a bit for each", () => {
    const { apics, apic } = aMachine(3)
    for (const [id, apic] of apics.entries()) put(apic, at.LDR, (1 << id) << 24)
    put(apic, at.ICR_HIGH, 0b101 << 24)
    put(apic, at.ICR, 0x840)
    assert.deepStrictEqual(reached(apics), [0, 2])
  })

  it("have logical destinations in the cluster model: four bits of a cluster", () => {
    const { apics, apic } = aMachine(3)
    const logical = [0x11, 0x12, 0x22]
    for (const [id, apic] of apics.entries()) {
      put(apic, at.DFR, 0)
      put(apic, at.LDR, logical[id]! << 24)
    }
    put(apic, at.ICR_HIGH, 0x1f << 24)
    put(apic, at.ICR, 0x840)
    assert.deepStrictEqual(reached(apics), [0, 1])
    put(apic, at.ICR_HIGH, 0x22 << 24)
    put(apic, at.ICR, 0x840)
    assert.deepStrictEqual(reached(apics), [2])
  })

  it("of lowest priority go to one, whose processor priority is lowest", () => {
    const { apics, apic } = aMachine(3)
    put(apics[0]!, at.TPR, 0x20)
    put(apics[1]!, at.TPR, 0x10)
    put(apics[2]!, at.TPR, 0x30)
    put(apic, at.ICR_HIGH, 0xff << 24)
    put(apic, at.ICR, 0x140 | 0x800)
    assert.deepStrictEqual(reached(apics), [1])
  })

  it("start other processors: INIT, its de-assertion that does nothing, and SIPI", () => {
    const { apic, events } = aMachine(2)
    put(apic, at.ICR_HIGH, 1 << 24)
    put(apic, at.ICR, 0xc500)
    put(apic, at.ICR, 0x8500)
    put(apic, at.ICR, 0x608)
    assert.deepStrictEqual(events, ["INIT 1", "SIPI 1 8"])
  })

  it("are NMIs and SMIs too", () => {
    const { apic, events } = aMachine(2)
    put(apic, at.ICR, (3 << 18) | 0x400)
    put(apic, at.ICR, (3 << 18) | 0x200)
    assert.deepStrictEqual(events, ["NMI 1", "SMI 1"])
  })
})

describe("a device's message", () => {
  it("with the redirection hint goes to the processor of lowest priority among those addressed", () => {
    const { apics, bus } = aMachine(2)
    for (const [id, apic] of apics.entries()) put(apic, at.LDR, (1 << id) << 24)
    put(apics[0]!, at.TPR, 0x20)
    bus.message(0xfee0_0000 | (3 << 12) | 0xc, 0x40)
    assert.strictEqual(apics[0]!.pending(), -1)
    assert.strictEqual(apics[1]!.pending(), 0x40)
  })

  it("cannot start a processor up, or be of the reserved mode", () => {
    const { bus, events } = aMachine()
    assert.isFalse(bus.message(0xfee0_0000, 0x608))
    assert.isFalse(bus.message(0xfee0_0000, 0x308))
    assert.deepStrictEqual(events, [])
  })

  it("as ExtINT has its vector from the 8259As", () => {
    const { apic, bus } = aMachine()
    bus.message(0xfee0_0000, 0x700)
    assert.strictEqual(apic.acknowledge(), 0x68)
    assert.strictEqual(apic.pending(), -1)
  })
})

describe("IA32_APIC_BASE", () => {
  const inState = (state: "disabled" | "xAPIC" | "x2APIC") => {
    const machine = aMachine()
    if (state === "disabled") machine.apic.writeBase(0xfee0_0100, 0, maxAddress)
    if (state === "x2APIC") machine.apic.writeBase(0xfee0_0100 | x2Apic, 0, maxAddress)
    return machine
  }

  it.each([
    ["disabled", 0, true],
    ["disabled", xApic, true],
    ["disabled", 0x400, false],
    ["disabled", x2Apic, false],
    ["xAPIC", 0, true],
    ["xAPIC", xApic, true],
    ["xAPIC", 0x400, false],
    ["xAPIC", x2Apic, true],
    ["x2APIC", 0, true],
    ["x2APIC", xApic, false],
    ["x2APIC", 0x400, false],
    ["x2APIC", x2Apic, true]
  ] as const)("from %s: EN and EXTD %i allowed: %s", (state, bits, isAllowed) => {
    assert.strictEqual(inState(state).apic.writeBase(0xfee0_0100 + bits, 0, maxAddress), isAllowed)
  })

  it("has reserved bits, also above the physical address width", () => {
    const { apic } = aMachine()
    assert.isFalse(apic.writeBase(0xfee0_0901, 0, maxAddress))
    assert.isFalse(apic.writeBase(0xfee0_0b00, 0, maxAddress))
    assert.isFalse(apic.writeBase(0xfee0_0900, 0x100, maxAddress))
    assert.isTrue(apic.writeBase(0xfee0_0900, 0xff, maxAddress))
  })

  it("moves the registers, hides them, and shows them again as after reset", () => {
    const { apic, mapped } = aMachine()
    put(apic, at.TPR, 0x20)
    apic.writeBase(0xfed1_0900, 0, maxAddress)
    apic.writeBase(0xfed1_0100, 0, maxAddress)
    apic.writeBase(0xfee0_0900, 0, maxAddress)
    apic.writeBase(0xfee0_0d00, 0, maxAddress)
    assert.deepStrictEqual(mapped, [0xfed1_0000, undefined, 0xfee0_0000, undefined])
    assert.strictEqual(apic.taskPriority, 0)
  })
})

describe("in x2APIC mode the local APIC", () => {
  const anX2Apic = (processors = 1) => {
    const machine = aMachine(processors)
    for (const [id, apic] of machine.apics.entries())
      apic.writeBase(0xfee0_0c00 + (id === 0 ? 0x100 : 0), 0, maxAddress)
    return machine
  }

  it("has its registers at MSRs, and #GP in xAPIC mode", () => {
    const { apic } = anX2Apic()
    assert.deepStrictEqual(apic.readMsr(0x803), [0x0106_0015, 0])
    assert.isTrue(apic.writeMsr(0x808, 0x31, 0))
    assert.deepStrictEqual(apic.readMsr(0x808), [0x31, 0])
    assert.isUndefined(aMachine().apic.readMsr(0x803))
    assert.isFalse(aMachine().apic.writeMsr(0x808, 0, 0))
  })

  it("refuses what is read only, write only, reserved, or not there", () => {
    const { apic } = anX2Apic()
    assert.isUndefined(apic.readMsr(0x80b))
    for (const missing of [0x800, 0x809, 0x80c, 0x80e, 0x831, 0x83f, 0x8ff]) assert.isUndefined(apic.readMsr(missing))
    for (const readOnly of [0x802, 0x803, 0x80d, 0x810, 0x839]) assert.isFalse(apic.writeMsr(readOnly, 0, 0))
    assert.isFalse(apic.writeMsr(0x80b, 1, 0))
    assert.isFalse(apic.writeMsr(0x828, 1, 0))
    assert.isFalse(apic.writeMsr(0x808, 0x100, 0))
    assert.isFalse(apic.writeMsr(0x808, 0, 1))
    assert.isTrue(apic.writeMsr(0x80b, 0, 0))
  })

  it("has a 32-bit ID and a logical ID that follows from it", () => {
    const { apics } = anX2Apic(20)
    assert.deepStrictEqual(apics[18]!.readMsr(0x802), [18, 0])
    assert.deepStrictEqual(apics[18]!.readMsr(0x80d), [0x0001_0004, 0])
  })

  it("sends to clusters, to 32-bit IDs, to everybody, and by SELF IPI", () => {
    const { apics, apic } = anX2Apic(20)
    assert.isTrue(apic.writeMsr(0x830, 0x840, 0x0001_0006))
    assert.deepStrictEqual(
      apics.flatMap((apic, id) => (delivered(apic).length > 0 ? [id] : [])),
      [17, 18]
    )
    assert.deepStrictEqual(apic.readMsr(0x830), [0x840, 0x0001_0006])
    apic.writeMsr(0x830, 0x41, 19)
    assert.strictEqual(apics[19]!.pending(), 0x41)
    apic.writeMsr(0x830, 0x42, -1)
    assert.isTrue(apics.every((apic) => delivered(apic).includes(0x42)))
    apic.writeMsr(0x83f, 0x43, 0)
    assert.deepStrictEqual(delivered(apic), [0x43])
    assert.deepStrictEqual(apic.readMsr(0x830), [0x42, 0xffff_ffff])
  })

  it("lets an entry of the LVT be written back as it was read", () => {
    const { apic } = anX2Apic()
    apic.writeMsr(0x835, level | 0x50, 0)
    apic.setPin(0, true)
    const [entry] = apic.readMsr(0x835)!
    assert.strictEqual(entry, level | (1 << 14) | 0x50)
    assert.isTrue(apic.writeMsr(0x835, entry, 0))
    assert.deepStrictEqual(apic.readMsr(0x835), [entry, 0])
  })

  it("keeps what it was serving when it comes from xAPIC mode", () => {
    const { apic } = aMachine()
    put(apic, at.ICR, toSelf(0x45))
    apic.acknowledge()
    apic.writeBase(0xfee0_0d00, 0, maxAddress)
    assert.deepStrictEqual(apic.readMsr(0x812), [0x20, 0])
  })
})

describe("INIT", () => {
  it("resets the local APIC but for its ID and IA32_APIC_BASE", () => {
    const { apic } = aMachine()
    put(apic, at.ID, 5 << 24)
    put(apic, at.TPR, 0x30)
    put(apic, at.ICR, toSelf(0x31))
    apic.writeBase(0xfed1_0900, 0, maxAddress)
    apic.resetByInit()
    assert.strictEqual(get(apic, at.ID), 5 << 24)
    assert.strictEqual(apic.taskPriority, 0)
    assert.strictEqual(apic.pending(), -1)
    assert.strictEqual(apic.window(), 0xfed1_0000)
  })
})
