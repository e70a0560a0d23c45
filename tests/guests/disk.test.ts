import { assert, describe, it } from "vitest"
import { Gateway } from "../../src/devices/net/Gateway.ts"
import { slot } from "../../src/devices/pciBus.ts"
import { BlockDevice, type BlockStore, sectorBytes } from "../../src/devices/virtio/block.ts"
import { EntropyDevice } from "../../src/devices/virtio/entropy.ts"
import { NetworkDevice } from "../../src/devices/virtio/network.ts"
import type { VirtioDevice } from "../../src/devices/virtio/VirtioDevice.ts"
import { VirtioPci } from "../../src/devices/virtio/VirtioPci.ts"
import type { Machine } from "../../src/hal/x86_64/Machine.ts"
import { makeInterpreter } from "../../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import { Boot } from "./boot.ts"
import { rootDisk } from "./debian.ts"

const minutes = 60_000
const prompt = "/ # "

const storeOf = (bytes: Uint8Array): BlockStore => ({
  sectors: bytes.length / sectorBytes,
  isReadOnly: false,
  read: (sector, into) => {
    into.set(bytes.subarray(sector * sectorBytes, sector * sectorBytes + into.length))
    return true
  },
  write: (sector, from) => {
    bytes.set(from, sector * sectorBytes)
    return true
  },
  flush: () => true
})

describe("Debian's unmodified cloud kernel with virtio devices", () => {
  it(
    "goes on to an ext4 root on a disk, keeps what it writes there, and has a network",
    () => {
      const disk = rootDisk()
      const attach = ({ pc, timers }: Machine) => {
        const add = (n: number, device: VirtioDevice) => pc.pci.attach(slot(n), new VirtioPci(device).fn)
        add(1, new EntropyDevice(1))
        add(2, new BlockDevice(storeOf(disk), "root"))
        const gateway: Gateway = new Gateway(timers, (frame) => card.receive(frame))
        const card = new NetworkDevice(Uint8Array.of(0x52, 0x54, 0, 0, 0, 1), (frame) => gateway.receive(frame))
        add(3, card)
      }
      const boot = new Boot(makeInterpreter, 1, "", { commandLine: "console=ttyS0 quiet root=/dev/vda rw", attach })
      const stop = boot.talk([
        [prompt, "grep ' / ' /proc/mounts"],
        [prompt, "head -c 1000 /dev/hwrng | wc -c"],
        [prompt, "ip addr show eth0 | grep -o 'inet 1.*/24'"],
        [prompt, "ping -c 1 10.0.2.2 | grep received; nslookup gateway 10.0.2.3 | grep Name"],
        [prompt, "echo kept $((40 + 2)) >/root/note; poweroff"]
      ])
      const { seen } = boot
      assert.include(seen, "/dev/vda / ext4 rw", seen)
      assert.include(seen, "\n1000\r", seen)
      assert.include(seen, "inet 10.0.2.15/24", seen)
      assert.include(seen, "1 packets received", seen)
      assert.match(seen, /Name:\s+gateway/, seen)
      assert.deepStrictEqual(stop, { _tag: "PowerOff" }, seen)
      assert.include(new TextDecoder("latin1").decode(disk), "kept 42\n")
    },
    30 * minutes
  )
})
