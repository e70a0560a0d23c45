import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { forms } from "../../../../src/hal/x86_64/processor/instructions/index.ts"
import { campaign, type Options, type Report } from "./campaign.ts"
import { missingFor } from "./host.ts"
import { linesOf } from "./kinds.ts"
import { type Entry, Ledger } from "./ledger.ts"
import { leftOut } from "./left.ts"
import { meaningOf } from "./meaningOf.ts"
import { isNative } from "./native.ts"
import { Random } from "./Random.ts"
import { writtenIn } from "./written.ts"

const about = { commit: "none", date: "2026-01-01", processor: "some" }
const few = (): Options => ({
  seed: 1,
  cases: [250],
  plainEvery: 5,
  ledger: new Ledger(),
  about,
  progress: () => {}
})
const only =
  /^(?:01 \/r add|66 0F FC \/r paddb|NP 0F FC \/r paddb|VEX\.256\.0F\.WIG 58 \/r vaddps|F3 A4 rep movsb|D8 \/0 fadd|74 cb je|F7 \/6 div|C8 iw ib enter)/

const sum = (report: Report, of: (entry: Entry) => number): number =>
  [...report.compared.values()].flat().reduce((total, entry) => total + of(entry), 0)

describe.runIf(isNative)("a campaign against the processor of this machine", { timeout: 120_000 }, () => {
  it("runs so many cases of each line that it is asked for, and none differs", () => {
    const told: Array<string> = []
    const report = campaign({ ...few(), only, progress: ({ line }) => told.push(line.name) })
    const tried = lines.filter(({ name }) => only.test(name))
    assert.deepEqual(
      [...report.compared.values()].flatMap((entries) => entries.flatMap(({ different }) => different)),
      []
    )
    assert.equal(report.compared.size + report.missing.size, tried.length)
    assert.isAbove(tried.length, 10)
    assert.equal(
      sum(report, ({ from, to }) => to - from),
      250 * report.compared.size
    )
    assert.isAbove(
      sum(report, ({ exceptions }) => exceptions),
      0
    )
    assert.deepEqual(
      told,
      [...report.compared.keys()].map(({ name }) => name)
    )
  })

  it("has the same cases of a line whichever others are tried", () => {
    const alone = campaign({ ...few(), only: /^66 0F FC \/r paddb/ })
    const again = campaign({ ...few(), only: /^66 0F F[CD] \/r padd[bw]/, isOver: endsAfter(1) })
    assert.equal(
      sum(again, ({ exceptions }) => exceptions),
      sum(alone, ({ exceptions }) => exceptions)
    )
    assert.deepEqual(
      [...again.compared].map(([{ name }, { length }]) => [name, length]),
      [
        ["66 0F FC /r paddb x,x128", 1],
        ["66 0F FD /r paddw x,x128", 0]
      ]
    )
  })

  it("goes on where another ended, by the ledger", () => {
    const folder = mkdtempSync(join(tmpdir(), "skyscope-"))
    const path = join(folder, "ledger.jsonl")
    const paddb = /^66 0F FC \/r paddb/
    const whole = campaign({ ...few(), cases: [2000], only: paddb })
    campaign({ ...few(), cases: [1000], only: paddb, ledger: new Ledger(path) })
    const rest = campaign({ ...few(), cases: [1000, 2000], only: paddb, ledger: new Ledger(path) })
    assert.deepEqual(
      [...rest.compared.values()].flat().map(({ from, to }) => [from, to]),
      [
        [0, 1000],
        [1000, 2000]
      ]
    )
    assert.equal(
      sum(rest, ({ exceptions }) => exceptions),
      sum(whole, ({ exceptions }) => exceptions)
    )
    writeFileSync(path, "{}\n{ no")
    assert.throws(() => new Ledger(path), `${path}, line 2 is no entry of a ledger`)
    rmSync(folder, { recursive: true })
  })

  it("is done by several processes together, each with lines of its own", () => {
    const ledger = new Ledger()
    const options = { ...few(), ledger, only: /^66 0F F[CD] \/r padd[bw]|^01 \/r add/ }
    const namesOf = (number: number) =>
      [...campaign({ ...options, part: { number, of: 2 } }).compared.keys()].map(({ name }) => name)
    const parts = [namesOf(1), namesOf(2)]
    assert.deepEqual(
      parts.flat().sort(),
      [...campaign({ ...options, isOver: () => true }).compared.keys()].map(({ name }) => name).sort()
    )
    assert.isAbove(Math.min(...parts.map(({ length }) => length)), 0)
  })

  it("names what a processor lacks", () => {
    const { form } = lineNamed("VEX.256.0F.WIG 58 /r vaddps y,yv,y256")
    assert.deepEqual(missingFor(form, new Set(["sse"])), ["avx"])
    assert.deepEqual(missingFor(form, new Set(["avx"])), [])
  })
})

const lines = linesOf(new Random(1))
const lineNamed = (name: string) => lines.find((line) => line.name === name)!

describe("the lines of a campaign", () => {
  it("are all of 64-bit mode, but for those that are left out for a reason", () => {
    const left = [...leftOut().values()].flat()
    const compared = new Set(lines.map(({ form }) => form))
    assert.deepEqual(
      left.filter((form) => compared.has(form)),
      []
    )
    assert.equal(compared.size + left.length, forms.filter(({ long }) => long).length)
  })
})

describe("the ledger of a campaign", { timeout: 30_000 }, () => {
  const entry: Entry = {
    line: "one",
    group: "none",
    meaning: "a",
    seed: 1,
    from: 0,
    to: 1000,
    plain: 100,
    exceptions: 1,
    covered: {},
    differing: 0,
    different: [],
    ...about
  }
  const next = { ...entry, from: 1000, to: 5000 }
  const with_ = (...entries: ReadonlyArray<Entry>) => {
    const ledger = new Ledger()
    for (const each of entries) ledger.add(each)
    return ledger
  }

  it("has the cases of a line that hold as it is now, one after the other", () => {
    assert.deepEqual(with_(entry, next).of("one", "a", 1), [entry, next])
    assert.deepEqual(with_(entry, { ...next, from: 2000 }).of("one", "a", 1), [entry])
    assert.deepEqual(with_(entry, next).of("one", "b", 1), [])
    assert.deepEqual(with_(entry, next).of("one", "a", 2), [])
    assert.deepEqual(with_(entry, next).of("other", "a", 1), [])
  })

  it("has a line done again from where it differed on", () => {
    const bad = { ...entry, differing: 3 }
    assert.deepEqual(with_(bad, next).of("one", "a", 1), [])
    assert.deepEqual(with_(bad, next).of("one", "a", 1, true), [bad, next])
    assert.deepEqual(with_(bad, next, entry).of("one", "a", 1), [entry])
  })

  it("knows lines by names of their own, and that one means something else if it says something else", () => {
    assert.equal(new Set(lines.map(({ name }) => name)).size, lines.length)
    const add = lineNamed("REX.W + 01 /r add rm64,r64 o64")
    const sub = lineNamed("REX.W + 29 /r sub rm64,r64 o64")
    assert.equal(meaningOf(add), meaningOf(add))
    const changed = { ...add, form: { ...add.form, meaning: sub.form.meaning } }
    const kind = { ...add.kind, make: (_: unknown, random: Random) => add.kind.make(add.form, random) }
    assert.notEqual(meaningOf({ ...changed, kind }), meaningOf(add))
  })

  it("knows what is written of the operation in which a line ends and of the functions that it computes with, and of no others", () => {
    const fadd = lineNamed("D8 /0 fadd m32")
    const enter = lineNamed("C8 iw ib enter imm16,imm8")
    const addps = lineNamed("NP 0F 58 /r addps x,x128")
    const aesenc = lineNamed("66 0F 38 DC /r aesenc x,x128")
    const pdep = lineNamed("VEX.LZ.F2.0F38.W1 F5 /r pdep r64,r64b,rm64 o64")
    const add = lineNamed("REX.W + 01 /r add rm64,r64 o64")
    const changedBy = (file: string, text = "const", to = "/** Otherwise. */ const") => {
      const written = writtenIn((path) => {
        const source = readFileSync(path, "utf8")
        if (!path.endsWith(file)) return source
        assert.include(source, text)
        return source.replace(text, to)
      })
      return [fadd, enter, addps, aesenc, pdep, add].filter((line) => meaningOf(line, written) !== meaningOf(line))
    }
    assert.deepEqual(changedBy("system/x87/round.ts"), [fadd])
    assert.deepEqual(changedBy("system/far.ts"), [enter])
    assert.deepEqual(changedBy("system/taskSwitch.ts"), [enter])
    assert.deepEqual(changedBy("system/operations.ts", "far.enter(core,", "far.enter( core,"), [enter])
    assert.deepEqual(changedBy("system/operations.ts", "const pauseTime = 64", "const pauseTime = 65"), [])
    assert.deepEqual(changedBy("processor/float.ts"), [addps])
    assert.deepEqual(changedBy("processor/vectorCrypto.ts"), [aesenc])
    assert.deepEqual(changedBy("processor/functions.ts"), [pdep])
  })
})

/** True from the question after so many on. */
const endsAfter = (questions: number): (() => boolean) => {
  let asked = 0
  return () => asked++ >= questions
}
