import { afterEach, assert, beforeEach, describe, it } from "vitest"
import * as Capability from "../../src/kernel/Capability.ts"
import * as Derivation from "../../src/kernel/Derivation.ts"
import * as Interrupt from "../../src/kernel/Interrupt.ts"
import { check } from "../../src/kernel/invariants.ts"
import { interruptSlot } from "../../src/kernel/KernelData.ts"
import * as CNode from "../../src/types/methods/CNode.ts"
import * as IRQHandler from "../../src/types/methods/IRQHandler.ts"
import { type Actor, labelOf, World } from "./fixture.ts"

let world: World
let driver: Actor
let handler: number
let notification: number

beforeEach(() => {
  world = new World()
  driver = world.actor("driver")
  handler = world.give(Interrupt.handler(2))
  notification = world.object("Notification").slot
  world.start()
})

afterEach(() => {
  assert.deepStrictEqual(check(world.state, [world.at(world.root)]), [])
})

const set = (slot: number) => world.invoke(driver, handler, { label: IRQHandler.SetNotification.label, caps: [slot] })

describe("an interrupt", () => {
  it("signals the notification that its handler was given", () => {
    set(world.minted(notification, 8))
    world.syscall(driver, "Wait", { capability: notification })
    world.kernel.handleInterrupt(2)

    assert.strictEqual(world.found(driver).badge, 8)
    assert.strictEqual(world.running, "driver")
  })

  it("does not come again until it was served", () => {
    world.kernel.handleInterrupt(2)
    assert.deepStrictEqual([...world.masked], [2])
    world.invoke(driver, handler, { label: IRQHandler.Ack.label })

    assert.deepStrictEqual([...world.masked], [])
  })

  it("that nobody handles is heard of by nobody, and does not come again", () => {
    world.kernel.handleInterrupt(3)

    assert.deepStrictEqual([...world.masked], [3])
  })

  it("signals none when that was taken from it, or was deleted", () => {
    set(notification)
    world.invoke(driver, handler, { label: IRQHandler.Clear.label })
    assert.isTrue(Capability.isEmpty(world.state, interruptSlot(world.state.data, 2)))
    set(notification)
    world.invoke(driver, world.root, { label: CNode.Revoke.label, words: [notification, 64] })

    assert.isTrue(Capability.isEmpty(world.state, interruptSlot(world.state.data, 2)))
  })

  it("is not another: deleting the one's handler leaves the other's", () => {
    const other = world.emptySlot()
    Derivation.insert(world.state, world.at(handler), world.at(other), Interrupt.handler(3))
    set(notification)
    world.invoke(driver, world.root, { label: CNode.Delete.label, words: [other, 64] })

    assert.isFalse(Capability.isEmpty(world.state, interruptSlot(world.state.data, 2)))
    assert.deepStrictEqual([...world.masked], [3])
  })

  it("is nobody's when the last capability to it is deleted", () => {
    set(notification)
    world.invoke(driver, world.root, { label: CNode.Delete.label, words: [handler, 64] })

    assert.isTrue(Capability.isEmpty(world.state, interruptSlot(world.state.data, 2)))
    assert.deepStrictEqual([...world.masked], [2])
  })
})

describe("SetNotification", () => {
  it("takes a notification that can be signalled, and nothing else", () => {
    assert.deepInclude(set(world.root), { label: labelOf.InvalidCapability, words: [0] })
    assert.deepInclude(set(world.diminished(notification, 0b10)), { label: labelOf.InvalidCapability, words: [0] })
  })
})
