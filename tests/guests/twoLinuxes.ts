/** Two guests with Debian's unmodified cloud kernel, on one network, one of them with a disk; and what is typed to them. */

import { sectorBytes } from "../../src/devices/virtio/block.ts"
import type { MakeReading } from "../../src/hal/x86_64/processor/Reading.ts"
import { run } from "../vmm/machine.ts"
import { initrd, kernel } from "./debian.ts"

/** A disk whose bytes count. */
const aDisk = (size: number) => {
  const bytes = Uint8Array.from({ length: size }, (_, n) => (n * 7) & 0xff)
  const counts = { flushes: 0 }
  return {
    bytes,
    counts,
    store: {
      sectors: size / sectorBytes,
      isReadOnly: false,
      read: (sector: number, into: Uint8Array) => {
        into.set(bytes.subarray(sectorBytes * sector, sectorBytes * sector + into.length))
        return true
      },
      write: (sector: number, from: Uint8Array) => {
        bytes.set(from, sectorBytes * sector)
        return true
      },
      flush: () => {
        counts.flushes++
        return true
      }
    }
  }
}

/** From power-on until both have turned themselves off. */
export const twoLinuxes = (reading?: MakeReading, progress?: (instructions: number) => void) => {
  const disk = aDisk(4 * 2 ** 20)
  const files = {
    kernel: { name: "vmlinuz", bytes: kernel() },
    initrd: { name: "initrd", bytes: initrd() },
    commandLine: "console=ttyS0 quiet"
  }
  const guest = (n: number) => ({
    name: `g${n}`,
    memoryBytes: 128 * 2 ** 20,
    mac: Uint8Array.of(0x52, 0x54, 0, 0, 0, n),
    payload: { _tag: "Kernel", ...files } as const
  })
  const ran = run({
    ...(reading && { reading }),
    ...(progress && { prompted: ({ instructions }) => progress(instructions) }),
    guests: [guest(1), guest(2)],
    disks: { 0: disk.store },
    dialogue: [
      ["g2 | / # ", "dd if=/dev/vda bs=4k count=256 | md5sum"],
      ["  -", "echo SKYSCOPE | dd of=/dev/vda bs=512 seek=1000 conv=fsync; echo wr''itten"],
      ["written", "ip addr add 10.0.2.31/24 dev eth0; ip link set eth0 up; ping -c 2 10.0.2.2"],
      ["2 packets received", "\x012ip addr add 10.0.2.32/24 dev eth0; ip link set eth0 up; ping -c 3 10.0.2.31"],
      ["3 packets received", "\x012poweroff -f"],
      ["Power down", "\x011poweroff -f"]
    ],
    limit: 14e9
  })
  return { ...ran, disk }
}
