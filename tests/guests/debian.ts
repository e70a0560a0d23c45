/** Debian's kernel and file systems for it, as `skyscope get-linux` makes them: packages fetched by name, kept under .cache. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { Effect } from "effect"
import * as debian from "../../src/cli/linux/debian.ts"
import { makeDisk } from "../../src/cli/linux/ext4.ts"
import { meant, unpacked } from "../../src/cli/linux/packages.ts"

const cache = join(import.meta.dirname, "..", "..", ".cache", "guests")
const store = { folder: cache, progress: () => undefined }

/** Debian's unmodified cloud kernel: a bzImage. */
export const kernel = (): Uint8Array => Effect.runSync(debian.kernel(store))

/** A first file system: busybox, and lines that `/init` runs; if none are given, drivers and a shell, or the root disk. */
export const initrd = (init?: string, more?: Parameters<typeof debian.initramfs>[2]): Uint8Array =>
  Effect.runSync(debian.initramfs(store, init, more))

/** memtest86+, which is started as a Linux kernel is. */
export const memtest = (): Uint8Array => Effect.runSync(debian.memtest(store))

/** The hypervisor Xen: an image for Multiboot loaders. */
export const xen = (): Uint8Array => {
  const name = meant(store, "xen-system-amd64", /xen-hypervisor-[\d.]+-amd64/)
  const boot = join(Effect.runSync(Effect.flatMap(name, (one) => unpacked(store, one))), "boot")
  const image = readdirSync(boot).find((file) => file.endsWith(".gz"))!
  return new Uint8Array(gunzipSync(readFileSync(join(boot, image))))
}

/** An ext4 file system with a shell. */
export const rootDisk = (): Uint8Array => {
  const folder = mkdtempSync(join(tmpdir(), "skyscope-root-"))
  try {
    const file = join(folder, "root.ext4")
    const make = Effect.flatMap(debian.rootFiles(store), (files) => makeDisk(file, 16 * 2 ** 20, files))
    Effect.runSync(make)
    return new Uint8Array(readFileSync(file))
  } finally {
    rmSync(folder, { recursive: true })
  }
}
