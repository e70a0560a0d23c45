import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "vitest"

const folder = mkdtempSync(join(tmpdir(), "skyscope-"))
afterAll(() => rmSync(folder, { recursive: true }))

const getLinux = (env: NodeJS.ProcessEnv, ...typed: ReadonlyArray<string>) => {
  const main = join(import.meta.dirname, "..", "..", "bin", "skyscope.js")
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, "get-linux", ...typed], {
    encoding: "utf8",
    env: { ...process.env, ...env }
  })
  return { status, stdout, stderr }
}

describe("skyscope get-linux", () => {
  it("says what it needs, where that is not", () => {
    const { status, stderr } = getLinux({ PATH: folder }, "--folder", join(folder, "linux"))
    assert.match(
      stderr,
      /^skyscope: linux-image-cloud-amd64 is a package of Debian's, and apt-get and dpkg-deb, .* are not here\n$/
    )
    assert.strictEqual(status, 1)
  })

  it("says what is in the way of its files", () => {
    writeFileSync(join(folder, "file"), "")
    const { status, stderr } = getLinux({}, "--folder", join(folder, "file", "linux"))
    assert.match(stderr, /^skyscope: .*file\/linux: it is in no folder\n$/)
    assert.strictEqual(status, 1)
  })

  it.each([
    [["--disk", "large"], "'large' is no size: 64M or 1G are"],
    [["--disk", "1M"], "a disk has at least 8M, not 1M"],
    [["vmlinuz"], "'get-linux' wants no arguments"]
  ])("refuses %j in a sentence", (typed, sentence) => {
    const { status, stderr } = getLinux({}, ...typed)
    assert.include(stderr, `skyscope: ${sentence}`)
    assert.strictEqual(status, 2)
  })
})
