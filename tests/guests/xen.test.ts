import { assert, describe, it } from "vitest"
import { Machine } from "../../src/hal/x86_64/Machine.ts"
import { makeInterpreter } from "../../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import { initrd, kernel, xen } from "./debian.ts"

const minutes = 60_000

/** Without the console that only the first of Xen's domains has, for which Debian's cloud kernel is not made: what it logs, Xen prints. */
const init = [
  "exec > /dev/kmsg 2>&1",
  "echo this is $(cat /sys/hypervisor/type) on $(nproc) processors",
  "dd if=/dev/zero bs=64k count=16 | md5sum",
  "poweroff -f"
].join("\n")

describe("Debian's unmodified Xen on two processors", () => {
  it(
    "runs Debian's unmodified cloud kernel in a domain, until that halts",
    () => {
      let seen = ""
      const machine = new Machine({
        memoryBytes: 512 * 2 ** 20,
        reading: makeInterpreter,
        processors: 2,
        console: {
          write: (byte) => {
            seen += String.fromCharCode(byte)
          },
          read: () => undefined
        }
      })
      const modules = [
        { name: "vmlinuz", bytes: kernel(), commandLine: "console=hvc0 earlyprintk=xen" },
        { name: "initrd", bytes: initrd(init), commandLine: "" }
      ]
      const commandLine = "console=com1 com1=115200,8n1 loglvl=all dom0_mem=256M noreboot"
      assert.isUndefined(machine.loadKernel({ kernel: { name: "xen", bytes: xen() }, modules, commandLine }))
      while (!seen.includes("halting machine") && machine.instructions < 20e9)
        if (machine.run(machine.instructions + 5_000_000)._tag !== "Limit") break
      assert.include(seen, "(XEN) VMX: Supported advanced features:")
      assert.include(seen, "(XEN) HVM: Hardware Assisted Paging (HAP) detected")
      assert.include(seen, "(XEN) Brought up 2 CPUs")
      assert.notInclude(seen, "GENERAL PROTECTION FAULT")
      assert.include(seen, "Hypervisor detected: Xen PV")
      assert.include(seen, "this is xen on 2 processors")
      assert.include(seen, "b6d81b360a5672d80c27430f39153e2c  -")
      assert.include(seen, "(XEN) Hardware Dom0 halted: halting machine")
    },
    20 * minutes
  )
})
