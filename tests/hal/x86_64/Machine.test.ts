import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Boot } from "../../../src/hal/Boot.ts"
import { Gates, Halt } from "../../../src/hal/Gates.ts"
import { Memory } from "../../../src/hal/Memory.ts"
import { Allow, Paging } from "../../../src/hal/Paging.ts"
import { Ports } from "../../../src/hal/Ports.ts"
import { Processor } from "../../../src/hal/Processor.ts"
import { Time } from "../../../src/hal/Time.ts"
import { gateRom } from "../../../src/hal/x86_64/gate.ts"
import type { Module } from "../../../src/hal/x86_64/Loader.ts"
import { Machine } from "../../../src/hal/x86_64/Machine.ts"
import { makePlain } from "../../../src/hal/x86_64/processor/plain.ts"
import { at } from "../../../src/hal/x86_64/processor/State.ts"
import { SystemRegister } from "../../../src/types/x86_64/SystemRegister.ts"
import { Board, bytes, code, hlt, jmpHere, loadRbx, MiB, P, RW, readings, stackTop, storeRbx } from "./board.ts"

const elfOf = (image: readonly number[], memoryBytes = image.length): Uint8Array => {
  const header = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, ...Array(9).fill(0), 2, 0, 62, 0, 1, 0, 0, 0]
  const rest = [
    ...bytes(code, 8),
    ...bytes(64, 8),
    ...bytes(0, 8),
    ...bytes(0, 4),
    64,
    0,
    56,
    0,
    1,
    0,
    0,
    0,
    0,
    0,
    0,
    0
  ]
  const load = [1, 0, 0, 0, 5, 0, 0, 0, ...bytes(120, 8), ...bytes(code, 8), ...bytes(code, 8)]
  return new Uint8Array([
    ...header,
    ...rest,
    ...load,
    ...bytes(image.length, 8),
    ...bytes(memoryBytes, 8),
    ...bytes(4096, 8),
    ...image
  ])
}

const aMachine = (memoryBytes = 4 * MiB) => {
  const out: number[] = []
  const machine = new Machine({ memoryBytes, reading: makePlain, console: { write: (byte) => out.push(byte) } })
  return { machine, out }
}
const kernel = (...image: number[]): Module => ({ name: "kernel", bytes: elfOf(image) })
const gate = (number: number) => [0x0f, 0x04, number]

describe("a machine", () => {
  describe("that loads a kernel", () => {
    const loaded = (modules: readonly Module[] = [], memoryBytes?: number) => {
      const { machine } = aMachine(memoryBytes)
      const boot = machine.load({ kernel: kernel(...hlt), modules, commandLine: "quiet" })
      if ("_tag" in boot) throw new Error(boot._tag)
      return { machine, boot }
    }

    it("starts it at its entry, in 64-bit mode, with interrupts off", () => {
      const { machine } = loaded()
      assert.strictEqual(machine.core.low(at.rip), code)
      assert.deepStrictEqual([machine.core.low(at.mode), machine.core.rflags()], [8, 2])
      assert.deepStrictEqual(machine.run(), { _tag: "Idle" })
      assert.strictEqual(machine.instructions, 1)
    })

    it("tells it what lies where, and nothing lies on anything else", () => {
      const modules = ["first", "second"].map((name) => ({ name, bytes: new TextEncoder().encode(name) }))
      const { machine, boot } = loaded(modules)
      assert.deepStrictEqual(boot.memory, [{ start: MiB, end: 4 * MiB }])
      assert.deepStrictEqual(boot.image, { start: code, end: code + 0x1000 })
      assert.deepStrictEqual([boot.commandLine, boot.gateRom], ["quiet", gateRom])
      const text = ({ start, end }: { start: number; end: number }) =>
        new TextDecoder().decode(machine.memory.ram(start, end - start))
      assert.deepStrictEqual(
        boot.modules.map((module) => [module.name, module.at.start % 0x1000, text(module.at)]),
        [
          ["first", 0, "first"],
          ["second", 0, "second"]
        ]
      )
      const taken = [boot.image, boot.loader, ...boot.modules.map((module) => module.at)].sort(
        (a, b) => a.start - b.start
      )
      for (const [n, { end }] of taken.slice(0, -1).entries()) assert.isAtMost(end, taken[n + 1]!.start)
    })

    it("shows physical memory at 0 and in the window", () => {
      const { machine } = loaded()
      machine.memory.store32(0x20_0000, 1234)
      for (const [lo, hi] of [
        [0x20_0000, 0],
        [0x20_0000, 0xffff_8000 | 0]
      ] as const) {
        const host = machine.core.mmu.read(lo, hi, 32)
        assert.strictEqual(machine.memory.view.getInt32(host, true), 1234)
      }
    })

    it("refuses what does not fit", () => {
      const { machine } = aMachine()
      const boot = machine.load({
        kernel: kernel(...hlt),
        modules: [{ name: "big", bytes: new Uint8Array(3 * MiB) }],
        commandLine: ""
      })
      assert.deepInclude(boot, { _tag: "OutsideMemory", name: "big" })
    })
  })

  it("offers its services to the kernel in it", () => {
    const { machine, out } = aMachine()
    const boot = machine.load({ kernel: kernel(...gate(3), ...hlt), modules: [], commandLine: "" })
    if ("_tag" in boot) throw new Error(boot._tag)
    const program = Effect.gen(function* () {
      const gates = yield* Gates
      const memory = yield* Memory
      const processor = yield* Processor
      const time = yield* Time
      const ports = yield* Ports
      const paging = yield* Paging
      const { loader } = yield* Boot
      gates.install((entry) => {
        ports.write(0x3f8, 8, 0x30 + entry)
        memory.store32(0x20_0000, 5)
        memory.copy(0x20_0000, 0x20_0ffe, 4)
        memory.zero(0x20_0000, 4)
        const words = new Int32Array(2)
        memory.loadWords(0x20_0ff8, words, 0, 2)
        processor.setSystem(SystemRegister.CR2, memory.load16(0x20_0ffe), 0)
        const entryLow = memory.load32(loader.start)
        assert.isTrue(paging.present(entryLow))
        assert.strictEqual(paging.address(0, entryLow, memory.load32(loader.start + 4)), loader.start + 0x1000)
        time.charge(10)
        assert.deepStrictEqual([time.now(), time.interruptPending()], [11, false])
        throw new Halt(`${processor.systemLow(SystemRegister.CR2)} ${words[1]} ${memory.load32(0x20_0000)}`)
      })
    })
    Effect.runSync(Effect.provide(program, machine.layer(boot)))

    assert.deepStrictEqual(machine.run(), { _tag: "Halt", report: `5 ${5 << 16} 0` })
    assert.deepStrictEqual(out, [0x33])
  })

  it("abandons a kernel that writes what its processor refuses: #GP in ring 0", () => {
    const { machine } = aMachine()
    const boot = machine.load({ kernel: kernel(...gate(0)), modules: [], commandLine: "" })
    if ("_tag" in boot) throw new Error(boot._tag)
    const program = Effect.gen(function* () {
      const [gates, processor] = [yield* Gates, yield* Processor]
      gates.install(() => processor.setSystem(SystemRegister.CR4, 0, 0))
    })
    Effect.runSync(Effect.provide(program, machine.layer(boot)))

    assert.deepStrictEqual(machine.run(), { _tag: "TripleFault" }, "there is no IDT")
    assert.match(machine.report(), /RIP 00000000_00100000/)
  })

  describe.each(Object.entries(readings))("read: %s", (_name, reading) => {
    it("stops at its limit exactly, and goes on from there", () => {
      const board = new Board(reading).identity(code, stackTop).start(0x48, 0xff, 0xc3, 0xeb, 0xfb) // INC RBX; JMP
      for (const limit of [1, 2, 7, 1000, 1001]) {
        assert.deepStrictEqual(board.machine.run(limit), { _tag: "Limit" })
        assert.deepStrictEqual([board.machine.instructions, board.get("rbx")], [limit, BigInt(Math.ceil(limit / 2))])
      }
    })

    it("has the same memory hash for the same memory alone", () => {
      const [one, other] = [new Board(reading), new Board(reading)]
      assert.strictEqual(one.machine.memoryHash(), other.machine.memoryHash())
      one.put(0x3f_ffff, 1)
      assert.notStrictEqual(one.machine.memoryHash(), other.machine.memoryHash())
    })

    it("reads ones and loses writes where no RAM is", () => {
      const board = new Board(reading).identity(code, stackTop).start(...storeRbx, ...loadRbx)
      board.map(0x1234_5000n, 0x8000_0000, P | RW)
      board.set("rbx", 0x1234_5ffcn).set("rax", 5n)
      board.map(0x1234_6000n, 0x20_0000, P | RW)
      board.run(2)
      assert.strictEqual(board.get("rax"), 0xffff_ffffn, "half of it is RAM")
    })

    it("runs code at the end of 3 GiB", () => {
      const top = 3 * 2 ** 30
      const board = new Board(reading, top).identity(code, stackTop).start()
      board.map(0x5000_0000n, top - 0x1000, P | RW)
      board.put(top - 0x10, ...loadRbx, ...storeRbx, ...jmpHere).put64(top - 0x1000, 77n)
      board.set("rbx", 0x5000_0000n)
      board.machine.core.set(at.rip, 0x5000_0ff0, 0)
      board.run(3)
      assert.strictEqual(board.get("rax"), 77n)
    })
  })
})

describe("entries of paging structures", () => {
  const { machine } = aMachine()
  const paging = Effect.runSync(
    Effect.provide(
      Paging.pipe(Effect.map((service) => service)),
      machine.layer({
        memory: [],
        image: { start: 0, end: 0 },
        loader: { start: 0, end: 0 },
        modules: [],
        commandLine: "",
        descriptionTables: undefined,
        gateRom
      })
    )
  )
  const PTE = 3
  const PDE = 2

  it("say what the page allows", () => {
    assert.strictEqual(paging.pageLow(PTE, 0x1000, 0, 0), 0x1001)
    assert.strictEqual(paging.pageLow(PTE, 0x1000, Allow.write | Allow.user | Allow.global, 0), 0x1107)
    assert.strictEqual(paging.pageHigh(PTE, 0x1_0000_1000, 0, 0), 0x8000_0001 | 0)
    assert.strictEqual(paging.pageHigh(PTE, 0x1_0000_1000, Allow.execute, 0), 1)
  })

  it("have the memory type's bits where the page's size puts them", () => {
    assert.strictEqual(paging.pageLow(PTE, 0, 0, 7), 0b1001_1001)
    assert.strictEqual(paging.pageLow(PDE, 0, 0, 7), 0b1_0000_1001_1001)
  })

  it("give back their address", () => {
    const page = 0x12_3440_0000
    assert.strictEqual(paging.address(PDE, paging.pageLow(PDE, page, 0, 4), paging.pageHigh(PDE, page, 0, 4)), page)
    assert.strictEqual(paging.address(0, paging.tableLow(0xf000, true), paging.tableHigh(0xf000, true)), 0xf000)
    assert.isTrue(paging.mapsPage(PDE, paging.pageLow(PDE, page, 0, 0)))
    assert.isFalse(paging.mapsPage(PDE, paging.tableLow(0xf000, false)))
  })
})
