/** get-linux: a kernel and file systems of Debian's packages, as files for `machine` and `vm`. */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Exit } from "effect"
import { type Given, type UsageError, usageError } from "./Command.ts"
import { exitCodes } from "./commands.ts"
import { complain } from "./ending.ts"
import { because } from "./files.ts"
import { sizeOf } from "./hardware.ts"
import { initramfs, kernel, rootFiles } from "./linux/debian.ts"
import { makeDisk } from "./linux/ext4.ts"
import { type Store, Unprepared } from "./linux/packages.ts"
import * as Output from "./Output.ts"

/** mkfs.ext4 makes none that is smaller, and leaves room for what is in it. */
const leastDisk = 8 * 2 ** 20

/** @returns the exit code, or what was wrong with what was typed. */
export const start = async ({ options }: Given): Promise<number | UsageError> => {
  const folder = typeof options.folder === "string" ? options.folder : "linux"
  const disk = typeof options.disk === "string" ? sizeOf(options.disk) : undefined
  if (typeof disk === "object") return disk
  if (disk !== undefined && disk < leastDisk) return usageError(`a disk has at least 8M, not ${options.disk}`)
  const exit = Effect.runSyncExit(prepare(folder, disk))
  if (Exit.isSuccess(exit)) return exitCodes.ok
  const [reason] = exit.cause.reasons
  return complain(reason?._tag === "Fail" ? reason.error.why : String(exit.cause), exitCodes.failed)
}

const prepare = Effect.fnUntraced(function* (folder: string, disk: number | undefined) {
  const store: Store = { folder: join(folder, "packages"), progress: Output.note }
  const [vmlinuz, initrd, root] = ["vmlinuz", "initrd", "root.ext4"].map((name) => join(folder, name))
  yield* write(() => mkdirSync(folder, { recursive: true }), folder)
  yield* put(vmlinuz!, yield* kernel(store))
  yield* put(initrd!, yield* initramfs(store))
  if (disk !== undefined) {
    yield* makeDisk(root!, disk, yield* rootFiles(store))
    Output.note(`${root}: a root disk`)
  }
  Output.note(
    disk === undefined
      ? `to start it: skyscope machine --kernel ${vmlinuz} --initrd ${initrd} --append console=ttyS0`
      : `to start it: skyscope machine --kernel ${vmlinuz} --initrd ${initrd} --disk ${root} --append 'console=ttyS0 root=/dev/vda rw'`
  )
})

const put = Effect.fnUntraced(function* (file: string, bytes: Uint8Array) {
  yield* write(() => writeFileSync(file, bytes), file)
  Output.note(`${file}: ${(bytes.length / 2 ** 20).toFixed(1)} MiB`)
})

const write = (action: () => unknown, file: string) =>
  Effect.try({ try: action, catch: (cause) => new Unprepared({ why: because(file, cause).why }) })
