/** Cpio: files as an archive in the "newc" format, which Linux unpacks into its first file system. */

export interface Entry {
  readonly name: string
  /** File type and permissions, as in `st_mode`. */
  readonly mode: number
  readonly bytes?: Uint8Array
  /** Of a device file: major and minor number. */
  readonly device?: readonly [major: number, minor: number]
}

export const folder = (name: string): Entry => ({ name, mode: 0o040755 })
export const executable = (name: string, bytes: Uint8Array): Entry => ({ name, mode: 0o100755, bytes })
export const characterDevice = (name: string, major: number, minor: number): Entry => ({
  name,
  mode: 0o020600,
  device: [major, minor]
})

const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const padded = (bytes: Uint8Array): Uint8Array => {
  const all = new Uint8Array(Math.ceil(bytes.length / 4) * 4)
  all.set(bytes)
  return all
}

/** Thirteen fields of eight hexadecimal digits, then the name; name and contents end at multiples of 4. */
const encode = ({ name, mode, bytes = new Uint8Array(), device = [0, 0] }: Entry, inode: number): Uint8Array => {
  const fields = [inode, mode, 0, 0, 1, 0, bytes.length, 0, 0, ...device, name.length + 1, 0]
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

export const archive = (entries: ReadonlyArray<Entry>): Uint8Array =>
  join([...entries, { name: "TRAILER!!!", mode: 0 }].map((entry, index) => encode(entry, index + 1)))
