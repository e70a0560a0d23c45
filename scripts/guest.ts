/**
 * guest: builds the embedded guest from its source, as the module that has its bytes.
 *
 *     node scripts/guest.ts > src/vmm/guest/greeting.ts
 */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const source = join(import.meta.dirname, "..", "src", "vmm", "guest", "greeting.S")

/** The bytes of the guest, as gcc and ld make them. */
export const build = (): Uint8Array => {
  const folder = mkdtempSync(join(tmpdir(), "skyscope-"))
  try {
    const [object, binary] = [join(folder, "guest.o"), join(folder, "guest")]
    execFileSync("gcc", ["-c", source, "-o", object])
    execFileSync("ld", ["-Ttext=0x100000", "--oformat=binary", "-o", binary, object])
    return new Uint8Array(readFileSync(binary))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

export const module = (bytes: Uint8Array): string => {
  const text = Buffer.from(bytes).toString("base64")
  const lines = text.match(/.{1,112}/g) ?? []
  return `/** The guest of greeting.S, ${bytes.length} bytes: built by scripts/guest.ts, and compared with its source by a test. */
export const greeting: Uint8Array = Uint8Array.from(
  atob(
    [
${lines.map((line) => `      "${line}"`).join(",\n")}
    ].join("")
  ),
  (character) => character.charCodeAt(0)
)
`
}

if (import.meta.filename === process.argv[1]) process.stdout.write(module(build()))
