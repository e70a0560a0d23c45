import { assert, describe, it } from "vitest"
import { run } from "../vmm/machine.ts"
import { initrd, kernel } from "./debian.ts"

const minutes = 60_000

describe("Debian's unmodified cloud kernel as a guest", () => {
  it(
    "boots to a shell that works, with both of its processors, and turns itself off",
    () => {
      const { seen, reports, notes, stop } = run({
        guests: [
          {
            memoryBytes: 256 * 2 ** 20,
            processors: 2,
            virtio: "mmio",
            payload: {
              _tag: "Kernel",
              kernel: { name: "vmlinuz", bytes: kernel() },
              initrd: { name: "initrd", bytes: initrd("exec setsid cttyhack sh") },
              commandLine: "console=ttyS0"
            }
          }
        ],
        dialogue: [
          ["/ # ", "uname -srm"],
          ["/ # ", "echo $(nproc) processors; taskset 2 true && echo the second runs"],
          ["/ # ", "grep -c 'flags.* hypervisor' /proc/cpuinfo; grep -c -w 'avx\\|vmx\\|xsave' /proc/cpuinfo"],
          ["/ # ", "modprobe -a virtio_mmio virtio_rng; head -c 8 /dev/hwrng | wc -c; ls /sys/bus/virtio/devices"],
          ["/ # ", "dd if=/dev/zero bs=64k count=16 | md5sum"],
          ["/ # ", "sleep 1; echo slept"],
          ["slept\r", "poweroff -f"]
        ],
        limit: 8e9
      })
      assert.deepStrictEqual(notes, [])
      assert.match(seen, /\nLinux 6\.\d+\.\S*cloud-amd64 x86_64\r/)
      assert.include(seen, "\n2 processors\r")
      assert.match(seen, /\n2\r\n0\r\n/)
      assert.match(seen, /\n8\r\nvirtio0\r/)
      assert.include(seen, "b6d81b360a5672d80c27430f39153e2c  -")
      assert.deepStrictEqual(
        reports.map(({ ending }) => ending),
        [{ _tag: "PowerOff" }]
      )
      assert.strictEqual(stop._tag, "Idle")
    },
    10 * minutes
  )
})
