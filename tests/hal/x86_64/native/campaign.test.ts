import { assert, describe, it } from "vitest"
import { forms } from "../../../../src/hal/x86_64/processor/instructions/index.ts"
import { campaign, nameOf, type Options } from "./campaign.ts"
import { missingFor } from "./host.ts"
import { isNative } from "./native.ts"

const few: Options = { seed: 1, cases: 250, plainEvery: 5, progress: () => {} }
const only =
  /^(?:01 \/r add|66 0F FC \/r paddb|NP 0F FC \/r paddb|VEX\.256\.0F\.WIG 58 \/r vaddps|F3 A4 rep movsb|D8 \/0 fadd)$/

describe.runIf(isNative)("a campaign against the processor of this machine", { timeout: 120_000 }, () => {
  it("runs so many cases of each line that it is asked for, and none differs", () => {
    const told: Array<string> = []
    const report = campaign({ ...few, only, progress: ({ form }) => told.push(nameOf(form)) })
    assert.deepEqual(report.different, [])
    assert.equal(
      report.lines + report.missing.size,
      new Set(forms.map(nameOf).filter((name) => only.test(name))).size + 3
    )
    assert.equal(report.cases, 250 * report.lines)
    assert.isAbove(report.exceptions, 0)
    assert.equal(told.length, report.lines)
  })

  it("has the same cases of a line whichever others are tried", () => {
    const alone = campaign({ ...few, only: /^66 0F FC \/r paddb$/ })
    const again = campaign({ ...few, only: /^66 0F F[CD] \/r padd[bw]$/, isOver: endsAfter(1) })
    assert.deepEqual([again.exceptions, again.untried], [alone.exceptions, ["66 0F FD /r paddw"]])
  })

  it("names what a processor lacks", () => {
    const vaddps = forms.find((form) => nameOf(form) === "VEX.256.0F.WIG 58 /r vaddps")!
    assert.deepEqual(missingFor(vaddps, new Set(["sse"])), ["avx"])
    assert.deepEqual(missingFor(vaddps, new Set(["avx"])), [])
  })
})

/** True from the question after so many on. */
const endsAfter = (questions: number): (() => boolean) => {
  let asked = 0
  return () => asked++ >= questions
}
