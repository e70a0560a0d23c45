/** Files that were named, and what is wrong with them. */
import { readFileSync } from "node:fs"

/** The file cannot be used: the sentence that says why. */
export interface BadFile {
  readonly _tag: "BadFile"
  readonly why: string
}

export const badFile = (file: string, why: string): BadFile => ({ _tag: "BadFile", why: `${file}: ${why}` })

export const contentsOf = (file: string): Uint8Array | BadFile => {
  try {
    return readFileSync(file)
  } catch (cause) {
    return because(file, cause)
  }
}

/** What the system said of the file. */
export const because = (file: string, cause: unknown): BadFile => badFile(file, reasons[codeOf(cause)] ?? String(cause))

const codeOf = (cause: unknown): string =>
  typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : ""

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a folder",
  ENOTDIR: "it is in no folder",
  EACCES: "it may not be read"
}
