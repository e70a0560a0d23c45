/** Cpio: files as an archive in the "newc" format, which Linux unpacks into its first file system. */
import { type File, modeOf } from "./files.ts"

const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const padded = (bytes: Uint8Array): Uint8Array => {
  const all = new Uint8Array(Math.ceil(bytes.length / 4) * 4)
  all.set(bytes)
  return all
}

/** Thirteen fields of eight hexadecimal digits, then the name; name and contents end at multiples of 4. */
const encode = (
  name: string,
  mode: number,
  bytes: Uint8Array,
  device: readonly number[],
  inode: number
): Uint8Array => {
  const fields = [inode, mode, 0, 0, 1, 0, bytes.length, 0, 0, ...device, text(name).length + 1, 0]
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`
  return join([padded(text(`${header}${name}\0`)), padded(bytes)])
}

const join = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

const nothing = new Uint8Array(0)
const noDevice = [0, 0] as const

export const archive = (files: ReadonlyArray<File>): Uint8Array =>
  join([
    ...files.map((file, n) => {
      const bytes = file._tag === "Regular" ? file.bytes : file._tag === "Link" ? text(file.to) : nothing
      const device = file._tag === "CharacterDevice" ? [file.major, file.minor] : noDevice
      return encode(file.name, modeOf(file), bytes, device, n + 1)
    }),
    encode("TRAILER!!!", 0, nothing, noDevice, 0)
  ])
