/** The commands, and how they end. */
import { helperNames, usualHelpers } from "../devices/helperNames.ts"
import type { Command } from "./Command.ts"

/** What a run ends with. */
export const exitCodes = {
  ok: 0,
  /** A program failed: its error is on stderr. */
  failed: 1,
  /** What was typed, or the file that it names, is nothing that can be run. */
  usage: 2,
  /** The machine stopped with a report: the kernel gave up, or the processor did. */
  stopped: 3,
  /** The instructions that were allowed are used up. */
  limit: 4
} as const

export const readings = ["plain", "interpret", "translate"] as const
export type ReadingName = (typeof readings)[number]
export const usualReading: ReadingName = "translate"

/** What can be traced. */
export const traced = {
  instructions: "each instruction",
  interrupts: "interrupts and exceptions",
  ports: "accesses to IO ports",
  devices: "accesses to devices' memory",
  stale: "uses of translations that the page tables do not give any more"
} as const
export type Kind = keyof typeof traced

const reading = {
  value: "NAME",
  short: "r",
  is: `how instructions are run: ${readings.join(", ")} (default: ${usualReading})`
}

/** What every command that starts a machine can be told of it. */
const hardware = (memory: string): Command["options"] => ({
  memory: { value: "SIZE", short: "m", is: `RAM of the machine, such as 64M or 1G (default: ${memory})` },
  reading,
  "max-instructions": { value: "N", short: "n", is: "stop after so many instructions" },
  stats: { is: "say on stderr what was retired, how long it took, and what memory then held" },
  help: { short: "h", is: "print this help" }
})

export const machine: Command = {
  name: "machine",
  is: "Start a bare machine with a kernel of your own: Linux, or any for x86-64.",
  arguments: [],
  options: {
    kernel: {
      value: "FILE",
      short: "k",
      is: "a kernel for x86-64: a bzImage, a Multiboot (1 or 2) or PVH image, an ELF file"
    },
    initrd: { value: "FILE", short: "i", is: "its initial RAM disk; of other kernels than Linux the first module" },
    append: { value: "TEXT", short: "a", is: "its command line, such as 'console=ttyS0'" },
    module: { value: "'FILE ARGS'", isList: true, is: "a module for a kernel that takes modules (again for more)" },
    disk: {
      value: "FILE",
      short: "d",
      isList: true,
      is: "a file as a disk, a virtio block device: vda (again for vdb and so on)"
    },
    snapshot: { is: "what is written to disks is forgotten at the end" },
    net: {
      value: "KIND",
      is: "a network card, eth0: 'user' reaches what this computer reaches, 'isolated' only a gateway (default: none)"
    },
    forward: {
      value: "PORT:PORT",
      isList: true,
      is: "with --net user: a port of this computer that leads to one of the guest's"
    },
    console: { value: "KIND", is: "what the terminal is: 'serial' is ttyS0, 'virtio' is hvc0 (default: serial)" },
    serial: {
      value: "N=FILE",
      isList: true,
      is: "what is sent on COM2, COM3 or COM4 (ttyS1 to ttyS3) goes to this file (default: nowhere; COM1 is the terminal)"
    },
    device: {
      value: "NAME[=off]",
      isList: true,
      is: "a device that is not there, or not to be there, otherwise: see below"
    },
    "no-reboot": { is: "end where the guest asks for a reset, in place of starting it again" },
    "triple-fault": {
      value: "WHAT",
      is: "where no handler is reached for an exception: stop, with a report, or reset (default: stop)"
    },
    cpus: { value: "N", short: "c", is: "so many processors, which take turns (default: 1)" },
    clock: {
      value: "NAME",
      is: "'wall': time passes no faster than on the wall; 'instructions': as the machine counts"
    },
    trace: { value: "WHAT", isList: true, is: `say what happens: ${Object.keys(traced).join(", ")}` },
    log: { value: "FILE", is: "what the console prints, and what is traced, goes to this file" },
    ...hardware("256M")
  },
  notes: `At a terminal every key goes to the machine: Control-A X leaves, Control-A R prints registers, Control-A twice is one for the machine.
Time passes as the machine counts it, an instruction a nanosecond; at a terminal the clock is the wall's if nothing else is said.

Devices:
${Object.entries(helperNames)
  .map(([name, is]) => `  ${name.padEnd(16)}${is}`)
  .join("\n")}
Of these, ${[...usualHelpers].join(", ")} are there if nothing is said.

Exit codes:
  0  the machine was turned off, has nothing more to do, or with --no-reboot asked for a reset
  2  the command or a file was nothing that can be started
  3  the processor stopped: no handler was reached for an exception
  4  the instructions that were allowed were used up
  other: what the guest wrote to the debug exit port F4H, times 2, plus 1`
}

export const vm: Command = {
  name: "vm",
  is: "Start a guest under the virtual machine monitor, on the kernel, on the machine. Without a kernel: a small guest that says hello.",
  arguments: [],
  options: {
    kernel: {
      value: "FILE",
      short: "k",
      is: "a kernel for x86-64: Linux's bzImage, or what has a PVH or Multiboot header"
    },
    initrd: { value: "FILE", short: "i", is: "its initial RAM disk; of other kernels than Linux the first module" },
    module: { value: "'FILE ARGS'", isList: true, is: "a module for a kernel that takes modules (again for more)" },
    append: { value: "TEXT", short: "a", is: "its command line, such as 'console=ttyS0'" },
    memory: { value: "SIZE", short: "m", is: "the memory of each guest, such as 64M or 1G (default: 256M)" },
    disk: {
      value: "[N=]FILE",
      short: "d",
      isList: true,
      is: "a file as the disk, vda, of guest N, or of the first (again for others); what is written is in the file at once"
    },
    net: {
      value: "KIND",
      is: "a network card, eth0: 'switch' joins the guests and a gateway, 10.0.2.2, that answers DHCP, DNS and ping; 'user' reaches what this computer reaches, too (default: none)"
    },
    forward: {
      value: "PORT:PORT",
      isList: true,
      is: "with --net user: a port of this computer that leads to one of the first guest's that asks for an address"
    },
    console: {
      value: "KIND",
      is: "what the console is to guests: 'serial' is ttyS0, 'virtio' is hvc0 (default: serial)"
    },
    virtio: {
      value: "KIND",
      is: "where virtio devices are: 'pci', or 'mmio', in memory without a bus (default: pci)"
    },
    cpus: { value: "N", short: "c", is: "so many processors in each guest, at most 8 (default: 1)" },
    "no-reboot": { is: "end a guest where it asks for a reset, in place of starting it again" },
    "triple-fault": {
      value: "WHAT",
      is: "where a guest reaches no handler for an exception: stop it, and say so, or reset it (default: stop)"
    },
    guests: { value: "N", short: "g", is: "so many guests of this kind, each with a monitor of its own (default: 1)" },
    weights: {
      value: "W,W...",
      is: "a number for each guest: of the time that guests want, it has the part that this is of the numbers of those who do (default: equal)"
    },
    reading,
    "max-instructions": { value: "N", short: "n", is: "stop after so many instructions" },
    stats: { is: "say on stderr what guests were left for, and what each task did: see below" },
    help: { short: "h", is: "print this help" }
  },
  notes: `At a terminal every key goes to the guest: Control-A X leaves. Where there are several guests, Control-A and a digit say which one
hears; Control-A twice is one for the guest. Time passes for somebody at a terminal no faster than on the wall.

With --stats, of each guest: how often it was left for its monitor, by VT-x's basic exit reasons, and the ports and pages that were accessed.
Of each thread, a monitor's being named as its guest's place, guest1 to guest9: the time on its scheduling context, the guest's included, as
the kernel said it when a guest last ended, and its part of the time at which the machine worked (the rest is the first task's, and the
kernel's where no thread pays); the system calls that it made: Call is a message, to another task or to an object of the kernel, ReplyRecv
an answer, Send a signal, Wait the waiting for one, VMEnter an entry of the guest. Of the machine: instructions retired, the host's time, its
time at rest, a hash of its memory.

Exit codes:
  0  every guest was turned off, or with --no-reboot asked for a reset
  1  a guest stopped for what it did, or a task failed
  2  the command or a file was nothing that can be started
  3  the machine stopped with a report
  4  the instructions that were allowed were used up
  other: what a guest wrote to the debug exit port F4H, times 2, plus 1`
}

export const getLinux: Command = {
  name: "get-linux",
  is: "Prepare Debian's cloud kernel, and a first file system of busybox for it, from Debian's packages.",
  arguments: [],
  options: {
    folder: { value: "DIR", short: "o", is: "where the files go (default: linux)" },
    disk: { value: "SIZE", short: "d", is: "make a root disk of this size as well, such as 64M: an ext4 file system" },
    help: { short: "h", is: "print this help" }
  },
  notes: `Needs apt-get and dpkg-deb, so a Debian or a system made from it; for a disk, mkfs.ext4 (package e2fsprogs). Nothing is installed.

Into the folder go:
  vmlinuz    the kernel, as Debian built it
  initrd     a first file system: it loads the drivers that the machine needs, and starts a shell, or goes on to root=/dev/vda
  root.ext4  with --disk: a disk to start from, with 'root=/dev/vda rw' on the command line
  packages   the packages, unpacked: with them, another call needs no network

Exit codes:
  0  the files are there
  1  they cannot be made here: stderr says why
  2  the command was nothing that can be done`
}

export const run: Command = {
  name: "run",
  is: "Start a machine and its kernel, and run a program as the first task.",
  arguments: [["FILE", "a TypeScript file that exports a root task by default, or a static ELF program for x86-64"]],
  options: {
    disk: {
      value: "FILE",
      short: "d",
      isList: true,
      is: "a file as a disk of the machine, a virtio block device in PCI slot 2 (again for slot 3 and so on)"
    },
    domains: {
      value: "N",
      is: "scheduling domains of the kernel, whose turns DomainSet_ScheduleConfigure sets (default: 1)"
    },
    ...hardware("64M")
  },
  notes: `The console's output goes to stdout, all else to stderr.

Exit codes:
  0  every program that ended ended well, and the machine had nothing more to do
  1  a program failed, or was stopped for what it did
  2  the command or its file was nothing that can be run
  3  the machine stopped with a report
  4  the instructions that were allowed were used up`
}

const systemOption = { value: "NAME", short: "s", is: "which of several systems that the file exports" } as const

const systemFile: Command["arguments"] = [["FILE", "a TypeScript file that exports a system made with defineSystem"]]

export const inspect: Command = {
  name: "inspect",
  is: "Print the tasks of a system, and who has which capability, as the kernel starts it.",
  arguments: systemFile,
  options: {
    system: systemOption,
    json: { is: "print the capabilities as JSON" },
    help: { short: "h", is: "print this help" }
  },
  notes: `Nothing of the system runs. Rights are named as a program names them; a badge is what a receiver is told of a sender.

Exit codes:
  0  it was printed
  2  the command or its file was nothing that can be inspected`
}

export const exportSystem: Command = {
  name: "export",
  is: "Write a system in a language that other tools read.",
  arguments: systemFile,
  options: {
    capdl: { is: "as a CapDL specification: objects, capabilities, mappings" },
    output: { value: "FILE", short: "o", is: "write to this file (default: stdout)" },
    system: systemOption,
    help: { short: "h", is: "print this help" }
  },
  notes: `Exit codes:
  0  it was written
  2  the command or a file was nothing that can be exported`
}
