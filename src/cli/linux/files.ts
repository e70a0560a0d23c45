/** Files of a guest's file system, before it is known in which form they come to it. */

/** `name` is its path from the root, without a slash at the beginning. */
export type File = { readonly name: string } & (
  | { readonly _tag: "Folder" }
  | { readonly _tag: "Regular"; readonly permissions: number; readonly bytes: Uint8Array }
  | { readonly _tag: "Link"; readonly to: string }
  | { readonly _tag: "CharacterDevice"; readonly major: number; readonly minor: number }
)

const encoded = (contents: string | Uint8Array): Uint8Array =>
  typeof contents === "string" ? new TextEncoder().encode(contents) : contents

export const folder = (name: string): File => ({ _tag: "Folder", name })
export const regular = (name: string, contents: string | Uint8Array): File => ({
  _tag: "Regular",
  name,
  permissions: 0o644,
  bytes: encoded(contents)
})
export const program = (name: string, contents: string | Uint8Array): File => ({
  _tag: "Regular",
  name,
  permissions: 0o755,
  bytes: encoded(contents)
})
export const link = (name: string, to: string): File => ({ _tag: "Link", name, to })
export const characterDevice = (name: string, major: number, minor: number): File => ({
  _tag: "CharacterDevice",
  name,
  major,
  minor
})

/** `st_mode`: the type of the file, and its permissions. */
export const modeOf = (file: File): number => {
  switch (file._tag) {
    case "Folder":
      return 0o040755
    case "Regular":
      return 0o100000 | file.permissions
    case "Link":
      return 0o120777
    case "CharacterDevice":
      return 0o020600
  }
}
