import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { program } from "../../src/cli/linux/files.ts"
import { Machine } from "../../src/hal/x86_64/Machine.ts"
import { makeTranslator } from "../../src/hal/x86_64/processor/translator/Translator.ts"
import { initrd, kernel } from "./debian.ts"

const minutes = 60_000

/** kvm.c, static. */
const monitor = (): Uint8Array => {
  const folder = mkdtempSync(join(tmpdir(), "skyscope-kvm-"))
  try {
    const [source, binary] = [join(import.meta.dirname, "kvm.c"), join(folder, "kvm")]
    const { status, stderr } = spawnSync("gcc", ["-static", "-O1", "-Wall", "-Werror", "-o", binary, source], {
      encoding: "utf8"
    })
    if (status !== 0) throw new Error(`gcc builds kvm.c:\n${stderr}`)
    return readFileSync(binary)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const init = `
modprobe kvm_intel && echo modules: loaded
for name in ept unrestricted_guest vpid enable_apicv preemption_timer flexpriority; do
  echo "$name: $(cat /sys/module/kvm_intel/parameters/$name)"
done
kvm; echo "kvm: $?"
dmesg | grep -E 'unchecked MSR|VMX|vmwrite|vmread|WARNING' | sed 's/^/dmesg: /'
poweroff -f
`

/** An outside judge of VT-x: what Linux's KVM asks of a processor, and what comes of its guests. */
describe("Debian's unmodified KVM on this machine", () => {
  it(
    "finds all that it can use, and runs guests in real-address mode and 64-bit mode, with interrupts, exceptions, single steps and a dirty log",
    () => {
      let seen = ""
      const machine = new Machine({
        memoryBytes: 256 * 2 ** 20,
        reading: makeTranslator,
        console: {
          write: (byte) => {
            seen += String.fromCharCode(byte)
          }
        }
      })
      const error = machine.loadKernel({
        kernel: { name: "vmlinuz", bytes: kernel() },
        initrd: {
          name: "initrd",
          bytes: initrd(init, { modules: ["kvm_intel"], files: [program("bin/kvm", monitor())] })
        },
        commandLine: "console=ttyS0"
      })
      assert.isUndefined(error)
      assert.deepStrictEqual(machine.run(6e9), { _tag: "PowerOff" })
      const lines = seen.split("\n").map((line) => line.trim())
      for (const line of [
        "modules: loaded",
        ...["ept", "unrestricted_guest", "vpid", "enable_apicv", "preemption_timer", "flexpriority"].map(
          (name) => `${name}: Y`
        ),
        "01234 real mode: status 42",
        "[50000000]=12345678 64-bit mode: status 7, sum 5000050000, CPUID 1234, MMIO abcd, CR8 5",
        "interrupts: 4",
        "exceptions: 3",
        "single steps: 5, status 3",
        "[50000000]=12345678 dirty: 1 0",
        "kvm: 0"
      ])
        assert.include(lines, line)
      assert.deepStrictEqual(
        lines.filter((line) => line.startsWith("dmesg: ")),
        []
      )
    },
    10 * minutes
  )
})
