/**
 * Debian: its unmodified cloud kernel, and file systems for it made of busybox and of the kernel's own modules.
 *
 * The first file system (initramfs) loads the drivers of the devices that are there. With `root=` on the command line it goes on to
 * that disk; without, a shell of its own is at the console.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { archive } from "./cpio.ts"
import { characterDevice, type File, folder, link, program, regular } from "./files.ts"
import { modulesOf } from "./modules.ts"
import { meant, output, type Store, Unprepared, unpacked } from "./packages.ts"

/** The folder of the kernel's package. */
const kernelFiles = Effect.fnUntraced(function* (store: Store) {
  return yield* unpacked(store, yield* meant(store, "linux-image-cloud-amd64", /linux-image-[\d.-]+-cloud-amd64/))
})

/** A bzImage. */
export const kernel = Effect.fnUntraced(function* (store: Store) {
  const boot = join(yield* kernelFiles(store), "boot")
  const name = readdirSync(boot).find((one) => one.startsWith("vmlinuz"))
  if (name === undefined) return yield* new Unprepared({ why: `${boot}: the kernel's package has no kernel` })
  return new Uint8Array(readFileSync(join(boot, name)))
})

/** Of the package memtest86+, its image for x86-64: it boots as a Linux kernel does. */
export const memtest = Effect.fnUntraced(function* (store: Store) {
  const boot = join(yield* unpacked(store, "memtest86+"), "boot")
  const name = readdirSync(boot).find((one) => /x64.*\.bin$/.test(one))
  if (name === undefined) return yield* new Unprepared({ why: `${boot}: memtest86+ has no image for x86-64` })
  return new Uint8Array(readFileSync(join(boot, name)))
})

/** busybox, and its programs by their names. */
const busybox = Effect.fnUntraced(function* (store: Store) {
  const files = yield* unpacked(store, "busybox-static")
  const path = ["bin/busybox", "usr/bin/busybox"].map((one) => join(files, one)).find(isFile)
  if (path === undefined) return yield* new Unprepared({ why: `${files}: the package has no busybox` })
  const names = (yield* output(path, ["--list"])).trim().split("\n")
  const sbin = new Set(["init", "modprobe"])
  return [
    program("bin/busybox", readFileSync(path)),
    ...names
      .filter((name) => name !== "busybox")
      .map((name) => link(`${sbin.has(name) ? "sbin" : "bin"}/${name}`, "/bin/busybox"))
  ] satisfies ReadonlyArray<File>
})

const isFile = (path: string): boolean => {
  try {
    return readFileSync(path).length > 0
  } catch {
    return false
  }
}

const folders = ["bin", "dev", "etc", "lib", "lib/modules", "mnt", "proc", "root", "run", "sbin", "sys", "tmp"]

/** What busybox's init reads: what it starts, and what it does before it turns the machine off. */
const inittab = `::sysinit:/etc/rc
::respawn:/bin/cttyhack /bin/sh -l
::ctrlaltdel:/bin/reboot
::shutdown:/bin/umount -a -r 2>/dev/null
`

const rc = `#!/bin/sh
[ -e /proc/uptime ] || mount -t proc proc /proc
[ -d /sys/bus ] || mount -t sysfs sysfs /sys
[ -c /dev/null ] || mount -t devtmpfs devtmpfs /dev
hostname skyscope
ip link set lo up
if [ -d /sys/class/net/eth0 ]; then
  ip link set eth0 up
  udhcpc -i eth0 -q -n -t 3 -T 1 -s /etc/udhcpc.script >/dev/null 2>&1 || echo "eth0: no answer from a DHCP server"
fi
echo "$(uname -sr): a shell of busybox. 'poweroff' turns the machine off."
`

const udhcpc = `#!/bin/sh
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip addr flush dev $interface
ip addr add $ip/\${mask:-24} dev $interface
[ -n "$router" ] && ip route replace default via $router
for server in $dns; do echo "nameserver $server"; done >/etc/resolv.conf
`

const init = (then: string): string => `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
${then}
`

/** Drivers by what the devices say that they are: first those of buses, then of what they have found behind them. */
const drivers = `
for bus in pci acpi virtio; do
  cat /sys/bus/$bus/devices/*/modalias 2>/dev/null | sort -u | xargs -r modprobe -a 2>/dev/null
done
for word in $(cat /proc/cmdline); do
  case $word in
    root=*) root=\${word#root=} ;;
    rw) mode=rw ;;
  esac
done
if [ -n "$root" ]; then
  modprobe ext4 2>/dev/null
  for n in 1 2 3 4 5 6 7 8 9 10; do [ -b "$root" ] && break; sleep 0.1; done
  if mount -o \${mode:-ro} "$root" /mnt; then
    umount /proc /sys
    mount --move /dev /mnt/dev
    exec switch_root /mnt /sbin/init
  fi
  echo "There is no file system on $root: this is the first file system."
fi
exec /sbin/init
`

/** What both file systems have. */
const common = Effect.fnUntraced(function* (store: Store) {
  return [
    ...folders.map(folder),
    ...(yield* busybox(store)),
    regular("etc/inittab", inittab),
    program("etc/rc", rc),
    program("etc/udhcpc.script", udhcpc)
  ] satisfies ReadonlyArray<File>
})

/**
 * The first file system, as an archive.
 *
 * @param then what `/init` does when /proc, /sys and /dev are there, as lines of a shell script: if not said, it loads drivers and goes
 * on to the root disk or to a shell.
 * @param more modules by their names, and files, that are in it as well.
 */
export const initramfs = Effect.fnUntraced(function* (
  store: Store,
  then: string = drivers,
  more: { readonly modules: ReadonlyArray<string>; readonly files: ReadonlyArray<File> } = { modules: [], files: [] }
) {
  const modules = yield* modulesOf(join(yield* kernelFiles(store), "lib", "modules"), more.modules)
  const parents = new Set(modules.flatMap(({ name }) => parentsOf(name)).filter((name) => !folders.includes(name)))
  return archive([
    ...(yield* common(store)),
    characterDevice("dev/console", 5, 1),
    ...[...parents].map(folder),
    ...modules,
    ...more.files,
    program("init", init(then))
  ])
})

/** The folders that a file is in, the outermost first. */
const parentsOf = (name: string): ReadonlyArray<string> =>
  name
    .split("/")
    .slice(0, -1)
    .map((_, n, all) => all.slice(0, n + 1).join("/"))

/** The files of a root disk. */
export const rootFiles = common
