/** skyscope vm, as it is typed. */
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { assert, describe, it } from "vitest"

const root = join(import.meta.dirname, "..", "..")

const skyscope = (...typed: ReadonlyArray<string>) =>
  spawnSync(process.execPath, [join(root, "bin", "skyscope.js"), ...typed], { cwd: root, encoding: "utf8", input: "" })

describe("skyscope vm", { timeout: 60_000 }, () => {
  it("needs no files: a guest says hello, powers off, and what is next is said", () => {
    const { status, stdout, stderr } = skyscope("vm")
    assert.include(stdout, "Hello from a guest of Skyscope")
    assert.include(stdout, "It powers off.")
    assert.include(stderr, "skyscope get-linux")
    assert.strictEqual(status, 0)
  })

  it("says why guests were left and how often, when asked", () => {
    const { status, stderr } = skyscope("vm", "--memory", "16M", "--stats")
    assert.match(stderr, /guest1 was left \d+ times:/)
    assert.match(stderr, / 101 {2}CPUID/)
    assert.match(stderr, / 330 {4}port 3F8H/)
    assert.match(stderr, /guest1 +\d+ µs +\d+\.\d %.*VMEnter 560/)
    assert.match(stderr, /timer +\d+ µs +\d+\.\d %.*Wait/)
    assert.strictEqual(status, 0)
  })

  it("says how long each processor of a guest ran and what it asked of the kernel by one name, when asked", () => {
    const { status, stderr } = skyscope("vm", "--memory", "16M", "--cpus", "2", "--stats")
    const further = stderr.split("\n").filter((line) => line.startsWith("skyscope:   guest1"))
    assert.strictEqual(further.length, 2, stderr)
    assert.match(further[0]!, /guest1 +\d+ µs +\d+\.\d % .*VMEnter/)
    assert.match(further[1]!, /guest1, processor 1 +\d+ µs +\d+\.\d % .*Wait/)
    assert.strictEqual(status, 0)
  })

  it.each([
    [["--initrd", "x"], /--initrd, --module and --append are for a kernel/],
    [["--net", "other"], /there is no network 'other': there are switch, user/],
    [["--forward", "8080:80", "--net", "switch"], /--forward wants --net user/],
    [["--console", "glass"], /there is no console 'glass': there are serial, virtio/],
    [["--weights", "2,1"], /--weights is a number for each guest/],
    [["--guests", "2", "--weights", "1,x"], /'x' is no weight/],
    [["--disk", "2=package.json"], /there is no guest 2 for the disk 'package.json'/],
    [["--disk", "package.json", "--disk", "1=README.md"], /guest 1 has a disk: it cannot have 'README.md' as well/],
    [["--guests", "2", "--disk", "package.json", "--disk", "2=package.json"], /'package.json' is the disk of guest 1/],
    [["--disk", "no such file"], /no such file/],
    [["--guests", "0"], /there are 1 to 9 guests, not '0'/],
    [["--guests", "9", "--memory", "1G"], /the guests' memory is at most \d+M together/],
    [["--kernel", "no such file"], /no such file/],
    [["--kernel", "package.json"], /package\.json/]
  ])("refuses %j", (typed, why) => {
    const { status, stderr } = skyscope("vm", ...typed)
    assert.match(stderr, why)
    assert.oneOf(status, [1, 2])
  })
})
