/**
 * The rules of the interface that a kernel gets wrong most easily, a test each. Programs in C, which are the first task,
 * judge the kernel from ring 3: each says by number which rule it checks, and what it found below.
 */
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import pingpong from "../../../examples/pingpong.ts"
import * as CNode from "../../../src/types/methods/CNode.ts"
import { type Ran, runElf, runRootTask } from "../../examples/system.ts"
import { depth, World } from "../fixture.ts"
import { build } from "../programs/programs.ts"

const sentences: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  capabilities: {
    1: "badge 0 is none, a badge is for ever, and what has one is the parent of its copies alone",
    2: "cancelling badged sends takes out the senders of that badge, and does nothing for others",
    5: "untyped memory with children has no copies and is not reset; revoked, it is all there again, and zero",
    6: "the capability that makes handlers has no copies, and a table of pages has some only while it is mapped",
    7: "a CNode or a thread that dies is a zombie: others run meanwhile, cycles end, and no memory is lost",
    8: "the last capability takes along what hangs on its object, and one that is not the last takes nothing"
  },
  messages: {
    3: "capabilities travel with the right to grant, one into the slot; the endpoint's own arrive as their badges",
    4: "a receive slot that is not there matters only to a capability that needs it, and to no message",
    9: "a reply object has one caller, gives time back only to who has none, and breaks the chain that it leaves",
    10: "time is lent by calls, by faults and by a send that goes before a receive, to who can give it back",
    11: "a notification's time is for whoever it wakes without any, until that waits again",
    17: "a server that was begun with time and lost it waits on, in its place in the queue",
    18: "a bound notification reaches its thread at an endpoint, and the badge says which of the two it was"
  },
  faults: {
    21: "each fault is a message with words of its own, and its answer says how the thread goes on",
    22: "a fault that nobody can be told stops its thread, and a handler must be able to answer"
  },
  time: {
    12: "a timeout is a fault only to who has a handler for it, with badge and time; else the thread waits",
    13: "a sporadic budget is exceeded in no window of its period, however it is split, merged and overrun",
    14: "a budget of the whole period is a turn, and behind the others it is there again",
    15: "the authority's maximum is the ceiling of priorities when they are given, and not after",
    16: "where there is one domain, every thread is in it, and no other is taken"
  },
  guests: {
    19: "an exit has 25 words, interrupts always cause one, and fields that there are not are illegal",
    20: "a frame is mapped in one kind of space by one capability, and in a device's by none without an IOMMU",
    24: "a control structure that is malformed, however, comes back to its monitor",
    25: "several guests run by turns, each with what is its own, and the end of one is nobody else's"
  }
}

/** A compiler, a machine and some ten million instructions take their time where others work as well. */
const seconds = 60_000

const folder = import.meta.dirname
const run = (name: string): Ran => runElf(build(name, { folder }), { memoryBytes: 32 * 2 ** 20, limit: 1e9 })

/** What a program printed below the number of each rule. */
const judge = (name: string): ReadonlyMap<number, ReadonlyArray<string>> => {
  const { output, stop } = run(name)
  assert.deepStrictEqual(stop, { _tag: "Idle" }, output)
  assert.isTrue(output.endsWith("\ndone\n"), output)
  const [, ...parts] = output.slice(0, -"done\n".length).split(/^- /m)
  return new Map(
    parts.map((part) => {
      const [number, ...failed] = part.trimEnd().split("\n")
      return [Number(number), failed]
    })
  )
}

describe("the rules that a clone gets wrong", () => {
  for (const [name, rules] of Object.entries(sentences)) {
    let judged: ReturnType<typeof judge> | undefined
    for (const [number, sentence] of Object.entries(rules))
      it(
        `${number}. ${sentence}`,
        () => {
          judged ??= judge(name)
          assert.deepStrictEqual(judged.get(Number(number)), [])
        },
        seconds
      )
  }

  it(
    "16. a thread runs only in the turns of its domain; the schedule has a number of them, and programs set them",
    () => {
      const options = { memoryBytes: 32 * 2 ** 20, limit: 1e9, domains: 3 }
      const { output, stop } = runElf(build("domains", { folder: join(folder, "../programs") }), options)
      assert.deepStrictEqual(stop, { _tag: "Idle" }, output)
      assert.isTrue(output.endsWith("\ndone\n"), output)
      assert.notInclude(output, "FAILED")
    },
    seconds
  )

  it("2. cancelling badged sends lets an interrupt in, and goes on when it is made again", () => {
    const world = new World()
    const [admin, one, two] = [world.actor("admin"), world.actor("one"), world.actor("two")]
    const badged = world.minted(world.object("Endpoint").slot, 7)
    world.start()
    for (const actor of [one, two]) world.syscall(actor, "Send", { capability: badged })
    const waiting = () => [one, two].filter((actor) => world.stateOf(actor) === "blockedOnSend").length
    const cancel = { label: CNode.CancelBadgedSends.label, words: [badged, depth] }
    world.time.interruptAfter(1)
    world.invoke(admin, world.root, cancel)
    assert.strictEqual(waiting(), 1)
    assert.strictEqual(world.invoke(admin, world.root, cancel).label, 0)
    assert.strictEqual(waiting(), 0)
  })

  it(
    "23. the fast path cannot be told from the slow one: not by a program, nor by what is left in memory, nor by time",
    () => {
      const elf = build("operations", {
        folder: `${folder}/../../../bench/kernel`,
        defines: ["OPERATION=call", "TIMES=300"]
      })
      const programs = [elf, build("messages", { folder })]
      const figures = (fastPath?: "off") => {
        const options = { memoryBytes: 32 * 2 ** 20, limit: 1e9, ...(fastPath && { fastPath }) }
        return [
          ...programs.map((bytes) => runElf(bytes, options)),
          // Tasks in address spaces of their own.
          runRootTask(pingpong, join(folder, "../../../examples/pingpong.ts"), options)
        ].map(({ output, system: { machine } }) => ({
          output,
          instructions: machine.instructions,
          memory: machine.memoryHash()
        }))
      }
      assert.deepStrictEqual(figures(), figures("off"))
    },
    seconds
  )
})
