/** Board: the devices that a machine has beside the chips of every PC: those that were asked for. */
import type { Server } from "node:net"
import { type HelperName, helperNames, usualHelpers } from "../devices/helperNames.ts"
import { Gateway } from "../devices/net/Gateway.ts"
import { slot } from "../devices/pciBus.ts"
import { BlockDevice } from "../devices/virtio/block.ts"
import { ConsoleDevice } from "../devices/virtio/console.ts"
import { EntropyDevice } from "../devices/virtio/entropy.ts"
import { NetworkDevice } from "../devices/virtio/network.ts"
import type { VirtioDevice } from "../devices/virtio/VirtioDevice.ts"
import { VirtioPci } from "../devices/virtio/VirtioPci.ts"
import type { Machine } from "../hal/x86_64/Machine.ts"
import { type Given, type UsageError, usageError } from "./Command.ts"
import * as Disk from "./Disk.ts"
import { type BadFile, badFile } from "./files.ts"
import * as HostNetwork from "./HostNetwork.ts"
import { consoles, oneOf } from "./hardware.ts"
import type { Terminal } from "./Terminal.ts"

/** PCI devices of a board, by slot; 0 is the host bridge. Disks follow one another. */
const slots = { entropy: 1, network: 2, console: 3, disks: 4 } as const
const mostDisks = 12
/** What the entropy device begins with: the same in every run. */
const seed = 1
const mac = Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56)

const networks = ["user", "isolated"] as const

export interface Devices {
  readonly helpers: ReadonlySet<HelperName>
  readonly disks: ReadonlyArray<string>
  /** What is written to disks is forgotten. */
  readonly isSnapshot: boolean
  readonly network: (typeof networks)[number] | undefined
  readonly forwarded: ReadonlyArray<HostNetwork.Forwarded>
  readonly isConsoleVirtual: boolean
}

export const devicesOf = ({ options, lists }: Given): Devices | UsageError => {
  const asked = new Set<HelperName>(usualHelpers)
  for (const one of lists.device ?? []) {
    const [name, value = "on"] = one.split("=")
    if (name === undefined || !isHelper(name))
      return usageError(`there is no device '${name}': there are ${Object.keys(helperNames).join(", ")}`)
    if (value === "off") asked.delete(name)
    else if (value === "on") asked.add(name)
    else return usageError(`a device is on or off, not '${value}'`)
  }
  const network = oneOf("network", networks, options.net)
  if (typeof network === "object") return network
  const forwarded = forwardedOf(lists.forward ?? [], network === "user")
  if ("_tag" in forwarded) return forwarded
  const disks = disksOf(lists.disk)
  if ("_tag" in disks) return disks
  const console = oneOf("console", consoles, options.console)
  if (typeof console === "object") return console
  return {
    helpers: asked,
    disks,
    isSnapshot: options.snapshot === true,
    network,
    forwarded,
    isConsoleVirtual: console === "virtio"
  }
}

/** The files of a machine's disks. */
export const disksOf = (files: ReadonlyArray<string> = []): ReadonlyArray<string> | UsageError =>
  files.length > mostDisks ? usageError(`a machine has at most ${mostDisks} disks, not ${files.length}`) : files

/** Pairs of ports, for a network that this computer's reaches. */
export const forwardedOf = (
  pairs: ReadonlyArray<string>,
  isReached: boolean
): ReadonlyArray<HostNetwork.Forwarded> | UsageError => {
  const forwarded: HostNetwork.Forwarded[] = []
  for (const one of pairs) {
    const [, hostPort, port] = /^(\d{1,5}):(\d{1,5})$/.exec(one) ?? []
    if (port === undefined) return usageError(`'${one}' is no pair of ports: 8080:80 is`)
    forwarded.push({ hostPort: Number(hostPort), port: Number(port) })
  }
  return forwarded.length > 0 && !isReached ? usageError("--forward wants --net user") : forwarded
}

const isHelper = (name: string): name is HelperName => Object.hasOwn(helperNames, name)

/** What the world outside has to do with the devices. */
export interface Attached {
  /** Something may come from outside that the machine waits for: time should not run ahead of it. */
  readonly isBusy: () => boolean
  /** What has come for the machine is given to it. */
  readonly look: () => void
  readonly close: () => void
}

/** The devices are on the machine's bus; or a file, or a port, cannot be used. */
export const attach = async (
  { pc, timers }: Machine,
  { disks, isSnapshot, network, forwarded, isConsoleVirtual }: Devices,
  print: (byte: number) => void,
  terminal: Terminal
): Promise<Attached | BadFile> => {
  const add = (number: number, device: VirtioDevice) => pc.pci.attach(slot(number), new VirtioPci(device).fn)
  add(slots.entropy, new EntropyDevice(seed))

  for (const [n, file] of disks.entries()) {
    const store = Disk.open(file)
    if ("_tag" in store) return store
    add(slots.disks + n, new BlockDevice(isSnapshot ? Disk.snapshot(store) : store, `disk${n}`))
  }

  let virtual: ConsoleDevice | undefined
  if (isConsoleVirtual) {
    virtual = new ConsoleDevice((bytes) => bytes.forEach(print))
    add(slots.console, virtual)
  }

  const wire = network && (await attachNetwork({ pc, timers }, slots.network, { network, forwarded }, terminal.wake))
  if (wire !== undefined && "_tag" in wire) return wire

  return {
    isBusy: () => wire?.isBusy() ?? false,
    look: () => {
      if (virtual === undefined) return
      for (let byte = terminal.read(); byte !== undefined; byte = terminal.read()) virtual.input(Uint8Array.of(byte))
    },
    close: () => wire?.close()
  }
}

/** A network card whose wire leads to a gateway, and on from there if the network is this computer's; or a port cannot be used. */
export const attachNetwork = async (
  { pc, timers }: Pick<Machine, "pc" | "timers">,
  place: number,
  { network, forwarded }: Pick<Devices, "forwarded"> & { readonly network: NonNullable<Devices["network"]> },
  wake: () => void
): Promise<Omit<Attached, "look"> | BadFile> => {
  const servers: Server[] = []
  const late: { device?: NetworkDevice } = {}
  const receive = (frame: Uint8Array) => late.device?.receive(frame)
  const host = network === "user" ? HostNetwork.make(wake) : undefined
  const gateway = new Gateway(timers, receive, host)
  late.device = new NetworkDevice(mac, (frame) => gateway.receive(frame))
  pc.pci.attach(slot(place), new VirtioPci(late.device).fn)
  for (const one of forwarded) {
    try {
      servers.push(await HostNetwork.forward(gateway, one, wake))
    } catch (cause) {
      for (const server of servers) server.close()
      return badFile(`port ${one.hostPort}`, cause instanceof Error ? cause.message : String(cause))
    }
  }
  return {
    isBusy: () => servers.length > 0 || gateway.isBusy,
    close: () => {
      for (const server of servers) server.close()
    }
  }
}
