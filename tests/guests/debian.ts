/**
 * Debian's kernel and a first file system of busybox: packages fetched by name, kept under .cache.
 */
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { archive, characterDevice, executable, folder } from "./cpio.ts"

const cache = join(import.meta.dirname, "..", "..", ".cache", "guests")

/** The files of a package; of one that has none, those of what it depends on. */
const unpacked = (name: string): string => {
  const to = join(cache, name)
  if (existsSync(to)) return to
  mkdirSync(join(cache, "packages"), { recursive: true })
  const apt = (...typed: ReadonlyArray<string>) =>
    execFileSync("apt-get", typed, { cwd: join(cache, "packages"), stdio: ["ignore", "ignore", "inherit"] })
  try {
    apt("download", name)
  } catch {
    apt("update", "-qq")
    apt("download", name)
  }
  const file = readdirSync(join(cache, "packages")).find((one) => one.startsWith(`${name}_`))!
  execFileSync("dpkg-deb", ["-x", join(cache, "packages", file), to])
  return to
}

/** The package that a package without files stands for. */
const dependency = (name: string, pattern: RegExp): string => {
  const said = execFileSync("apt-cache", ["depends", name], { encoding: "utf8" })
  const found = pattern.exec(said)
  if (found === null) throw new Error(`${name} depends on nothing like ${pattern}`)
  return found[0]
}

/** Debian's unmodified cloud kernel: a bzImage. */
export const kernel = (): Uint8Array => {
  const files = unpacked(dependency("linux-image-cloud-amd64", /linux-image-[\d.-]+-cloud-amd64/))
  const boot = join(files, "boot")
  return readFileSync(join(boot, readdirSync(boot).find((name) => name.startsWith("vmlinuz"))!))
}

/** A first file system: busybox, and `init` as the first program. */
export const initrd = (init: string): Uint8Array => {
  const busybox = readFileSync(join(unpacked("busybox-static"), "bin", "busybox"))
  const script = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
${init}
`
  return archive([
    ...["bin", "dev", "proc", "sys", "tmp"].map(folder),
    characterDevice("dev/console", 5, 1),
    executable("bin/busybox", busybox),
    executable("init", new TextEncoder().encode(script))
  ])
}

/** Both as files, for whoever starts them by hand. @returns their names. */
export const files = (init: string): { readonly kernel: string; readonly initrd: string } => {
  mkdirSync(cache, { recursive: true })
  const [vmlinuz, disk] = [join(cache, "vmlinuz"), join(cache, "initrd")]
  writeFileSync(vmlinuz, kernel())
  writeFileSync(disk, initrd(init))
  return { kernel: vmlinuz, initrd: disk }
}
