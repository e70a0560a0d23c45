import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { Effect } from "effect"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { modulesOf } from "../../../src/cli/linux/modules.ts"

const wanted = ["virtio_pci", "virtio_mmio", "virtio_blk", "virtio_net", "virtio_console", "virtio_rng", "ext4"]

let tree: string
beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), "skyscope-modules-"))
})
afterEach(() => rmSync(tree, { recursive: true }))

const put = (path: string, content: string) => {
  const file = join(tree, "6.1", path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, content)
}
const module = (name: string, depends = "", alias = "") =>
  put(`kernel/${name}.ko`, `ELF\0license=GPL\0${alias === "" ? "" : `alias=${alias}\0`}depends=${depends}\0`)

describe("the modules of a kernel that a guest may need", () => {
  it("come with what they need, and lists that say so in the order of loading", () => {
    put("modules.builtin", "kernel/ext4.ko\nkernel/virtio_mmio.ko\n")
    for (const name of ["virtio_net", "virtio_console", "virtio_pci"]) module(name)
    module("virtio-rng", "virtio", "virtio:d00000004v*")
    module("virtio_blk", "virtio,virtio_ring", "virtio:d00000002v*")
    module("virtio", "virtio_ring")
    module("virtio_ring")
    module("nvme")

    const files = new Map(Effect.runSync(modulesOf(tree)).map((file) => [file.name, file]))
    const text = (name: string) => {
      const file = files.get(`lib/modules/6.1/${name}`)
      return file?._tag === "Regular" ? new TextDecoder().decode(file.bytes) : undefined
    }
    assert.isDefined(text("kernel/virtio_ring.ko"))
    assert.isUndefined(text("kernel/nvme.ko"))
    // The first is loaded last.
    assert.include(text("modules.dep"), "kernel/virtio_blk.ko: kernel/virtio.ko kernel/virtio_ring.ko\n")
    assert.include(text("modules.dep"), "kernel/virtio-rng.ko: kernel/virtio.ko kernel/virtio_ring.ko\n")
    assert.strictEqual(
      text("modules.alias"),
      "alias virtio:d00000002v* virtio_blk\nalias virtio:d00000004v* virtio_rng\n"
    )
  })

  it("are none if the kernel has them all in itself", () => {
    put("modules.builtin", wanted.map((name) => `kernel/${name}.ko\n`).join(""))
    assert.deepStrictEqual(
      Effect.runSync(modulesOf(tree)).map(({ name }) => name),
      ["lib/modules/6.1/modules.dep", "lib/modules/6.1/modules.alias"]
    )
  })

  it("are missed by name", () => {
    put("modules.builtin", "")
    const { why } = Effect.runSync(Effect.flip(modulesOf(tree)))
    assert.match(why, /: there is no module virtio_pci$/)
  })
})
