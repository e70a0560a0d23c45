import { assert, describe, it } from "@effect/vitest"
import type { MemoryService } from "../../../src/hal/Memory.ts"
import * as Capability from "../../../src/kernel/Capability.ts"
import * as Derivation from "../../../src/kernel/Derivation.ts"
import type { State } from "../../../src/kernel/State.ts"
import { slotOf, Tcb, ThreadState, tcbSlot } from "../../../src/kernel/Tcb.ts"
import { ArchData } from "../../../src/kernel/x86_64/ArchData.ts"
import { Entry, loadAddress, Offset, sections } from "../../../src/kernel/x86_64/Image.ts"
import * as Fault from "../../../src/types/Fault.ts"
import { window } from "../../../src/types/x86_64/KernelSpace.ts"
import { run } from "./real.ts"

const yieldCall = [0x48, 0xc7, 0xc2, 0xf5, 0xff, 0xff, 0xff, 0x0f, 0x05] // mov rdx, -11; syscall
const thread = (memory: MemoryService) => ArchData.running.load(memory, loadAddress + Offset.archData)

describe("the kernel's own writes", () => {
  const writeTo = (address: number) =>
    run(yieldCall, (entry, memory) => {
      if (entry === Entry.syscall) memory.store32(address, 0)
    }).stop

  it("to its text and to its tables stop the machine, which names the address", () => {
    const [text, rodata] = sections
    for (const section of [text, rodata]) {
      assert.isDefined(section)
      const address = loadAddress + section.start + 0x40
      const stop = writeTo(address)
      assert(stop._tag === "Halt")
      assert.match(stop.report, /#PF \(error code 3\)/)
      assert.include(stop.report, `address ${(window + BigInt(address)).toString(16).toUpperCase()}H`)
    }
  })

  it("to its data go through", () => {
    assert.notStrictEqual(writeTo(loadAddress + Offset.archData + 0x1000)._tag, "Halt")
  })
})

describe("a program's access to the kernel's half", () => {
  const endpoint = 5 * 2 ** 20

  /** What its fault handler will hear of a program that runs this code. */
  const faultOf = (code: readonly number[]) => {
    let root = 0
    const { machine, stop } = run([...yieldCall, ...code], (entry, memory, time) => {
      if (entry !== Entry.syscall) return
      root = thread(memory)
      const state = { memory, time, charge: time.charge } as State
      const slot = slotOf(root, tcbSlot.faultHandler)
      if (Capability.isEmpty(state, slot))
        Derivation.insertFirst(state, slot, Capability.original("Endpoint", endpoint))
    })
    assert.strictEqual(stop._tag, "Idle")
    const memory = machine.window
    assert.strictEqual(Tcb.state.load(memory, root), ThreadState.blockedOnSend)
    return {
      label: Tcb.fault.load(memory, root),
      address:
        (BigInt(Tcb.faultWord0.loadHi(memory, root) >>> 0) << 32n) | BigInt(Tcb.faultWord0.loadLo(memory, root) >>> 0),
      isFetch: Tcb.faultWord1.loadLo(memory, root) !== 0,
      status: Tcb.faultWord2.loadLo(memory, root)
    }
  }
  const movabs = (address: bigint) => [0x48, 0xb8, ...new Uint8Array(new BigUint64Array([address]).buffer)]
  const address = window + BigInt(loadAddress)

  it("is a fault for its handler: a write", () => {
    assert.deepStrictEqual(faultOf([...movabs(address), 0x48, 0x89, 0x00]), {
      label: Fault.labels.VMFault,
      address,
      isFetch: false,
      status: 0b111
    })
  })

  it("is a fault for its handler: a read", () => {
    assert.deepStrictEqual(faultOf([...movabs(address), 0x48, 0x8b, 0x00]), {
      label: Fault.labels.VMFault,
      address,
      isFetch: false,
      status: 0b101
    })
  })

  it("is a fault for its handler: a jump to the kernel's text", () => {
    const syscallStub = 0xffff_ffff_8000_0000n + BigInt(Offset.syscall)
    assert.deepStrictEqual(faultOf([...movabs(syscallStub), 0xff, 0xe0]), {
      label: Fault.labels.VMFault,
      address: syscallStub,
      isFetch: true,
      status: 0b1_0101
    })
  })
})
