import { assert, describe, it } from "vitest"
import { twoLinuxes } from "./twoLinuxes.ts"

const minutes = 60_000

describe("two guests with Debian's unmodified cloud kernel", () => {
  it(
    "reach each other and the gateway over a network, and one has a disk that keeps what is written",
    () => {
      const { seen, reports, notes, disk } = twoLinuxes()
      assert.deepStrictEqual(notes, [])
      assert.include(seen, "g1 | cb73508b7cc9600ca4c6f3b3aaf32496  -")
      assert.match(seen, /g1 \| 64 bytes from 10\.0\.2\.2: seq=1 /)
      assert.match(seen, /g2 \| 64 bytes from 10\.0\.2\.31: seq=2 /)
      assert.strictEqual(new TextDecoder().decode(disk.bytes.subarray(512_000, 512_008)), "SKYSCOPE")
      assert.isAbove(disk.counts.flushes, 0)
      assert.deepStrictEqual(
        reports.map(({ name, ending }) => [name, ending._tag]),
        [
          ["g2", "PowerOff"],
          ["g1", "PowerOff"]
        ]
      )
    },
    10 * minutes
  )
})
