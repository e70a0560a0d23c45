/** Disk: a file as the sectors of a disk. */
import { closeSync, fstatSync, fsyncSync, openSync, readSync, writeSync } from "node:fs"
import { type BlockStore, sectorBytes } from "../devices/virtio/block.ts"
import { type BadFile, badFile, because } from "./files.ts"

/** A disk that answers at once. */
interface Disk extends BlockStore {
  readonly read: (sector: number, bytes: Uint8Array) => boolean
  readonly write: (sector: number, bytes: Uint8Array) => boolean
  readonly flush: () => boolean
}

/** The file's whole sectors; it can be written if the system lets it. */
export const open = (file: string): Disk | BadFile => {
  try {
    return store(file, openSync(file, "r+"), false)
  } catch {
    try {
      return store(file, openSync(file, "r"), true)
    } catch (cause) {
      return because(file, cause)
    }
  }
}

const store = (file: string, descriptor: number, isReadOnly: boolean): Disk | BadFile => {
  const status = fstatSync(descriptor)
  const sectors = Math.floor(status.size / sectorBytes)
  if (!status.isFile() || sectors === 0) {
    closeSync(descriptor)
    return badFile(file, status.isFile() ? "it is too small for a disk: a sector has 512 bytes" : "it is no file")
  }
  return {
    sectors,
    isReadOnly,
    read: (sector, bytes) => done(() => readSync(descriptor, bytes, 0, bytes.length, sector * sectorBytes)),
    write: (sector, bytes) => done(() => writeSync(descriptor, bytes, 0, bytes.length, sector * sectorBytes)),
    flush: () => done(() => fsyncSync(descriptor))
  }
}

/** An error of the host's disk is one of the guest's. */
const done = (access: () => unknown): boolean => {
  try {
    access()
    return true
  } catch {
    return false
  }
}

/** The same disk, but that what is written to it stays here, and is forgotten with it. */
export const snapshot = (of: Disk): Disk => {
  const written = new Map<number, Uint8Array>()
  return {
    sectors: of.sectors,
    isReadOnly: false,
    read: (sector, bytes) => {
      if (!of.read(sector, bytes)) return false
      for (let n = 0; n < bytes.length / sectorBytes; n++) {
        const own = written.get(sector + n)
        if (own !== undefined) bytes.set(own, n * sectorBytes)
      }
      return true
    },
    write: (sector, bytes) => {
      for (let n = 0; n < bytes.length / sectorBytes; n++)
        written.set(sector + n, bytes.slice(n * sectorBytes, (n + 1) * sectorBytes))
      return true
    },
    flush: () => true
  }
}
