/** Ext4: files as a disk, made by `mkfs.ext4` of the package e2fsprogs. The same files make the same disk. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { type File, modeOf } from "./files.ts"
import { hasProgram, output, Unprepared } from "./packages.ts"

/** What is otherwise by chance: the identity of the file system, and the seed of its hashes. */
const identity = "5b79c0de-0000-4000-8000-000000000001"

/** A disk of so many bytes in the file `to`, which it takes the place of. Device files are left out: the kernel makes them. */
export const makeDisk = Effect.fnUntraced(function* (to: string, bytes: number, files: ReadonlyArray<File>) {
  if (!hasProgram("mkfs.ext4"))
    return yield* new Unprepared({
      why: "a disk is made with mkfs.ext4, which is not here: it comes with the package e2fsprogs"
    })
  const tree = mkdtempSync(join(tmpdir(), "skyscope-disk-"))
  try {
    for (const file of files) put(tree, file)
    rmSync(to, { force: true })
    const options = ["-q", "-U", identity, "-E", `hash_seed=${identity},root_owner=0:0`, "-d", tree]
    yield* output("env", [
      "E2FSPROGS_FAKE_TIME=1",
      "PATH=/usr/sbin:/sbin:/usr/bin:/bin",
      "mkfs.ext4",
      ...options,
      to,
      `${Math.floor(bytes / 1024)}k`
    ])
  } finally {
    rmSync(tree, { recursive: true, force: true })
  }
})

const put = (tree: string, file: File): void => {
  const path = join(tree, file.name)
  switch (file._tag) {
    case "Folder":
      mkdirSync(path, { recursive: true })
      break
    case "Regular":
      writeFileSync(path, file.bytes)
      chmodSync(path, modeOf(file) & 0o777)
      break
    case "Link":
      symlinkSync(file.to, path)
      break
    case "CharacterDevice":
      break
  }
}
