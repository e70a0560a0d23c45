/** Debian's kernel and file systems for it, as `skyscope get-linux` makes them: packages fetched by name, kept under .cache. */
import { join } from "node:path"
import { Effect } from "effect"
import * as debian from "../../src/cli/linux/debian.ts"

const cache = join(import.meta.dirname, "..", "..", ".cache", "guests")
const store = { folder: cache, progress: () => undefined }

/** Debian's unmodified cloud kernel: a bzImage. */
export const kernel = (): Uint8Array => Effect.runSync(debian.kernel(store))

/** A first file system: busybox, and lines that `/init` runs; if none are given, drivers and a shell, or the root disk. */
export const initrd = (init?: string): Uint8Array => Effect.runSync(debian.initramfs(store, init))
