/**
 * Packages: Debian's packages by name, fetched with `apt-get` and unpacked into a folder, where they stay. Nothing is installed.
 */
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from "node:fs"
import { delimiter, join } from "node:path"
import { Data, Effect } from "effect"

/** What was asked for cannot be prepared: the sentence that says why. */
export class Unprepared extends Data.TaggedError("Unprepared")<{ readonly why: string }> {}

/** Where packages are kept, and who hears of what takes long. */
export interface Store {
  readonly folder: string
  readonly progress: (line: string) => void
}

/** What a program of the host prints. It fails with a sentence: which program it was, and what it said last. */
export const output = (
  program: string,
  typed: ReadonlyArray<string>,
  cwd?: string
): Effect.Effect<string, Unprepared> =>
  Effect.try({
    try: () =>
      execFileSync(program, typed, {
        ...(cwd !== undefined && { cwd }),
        encoding: "utf8",
        env: { ...process.env, LC_ALL: "C" },
        stdio: ["ignore", "pipe", "pipe"],
        maxBuffer: 2 ** 28
      }),
    catch: (cause) => new Unprepared({ why: `${[program, ...typed].join(" ")}: ${lastWords(cause)}` })
  })

const lastWords = (cause: unknown): string => {
  if (typeof cause !== "object" || cause === null) return String(cause)
  if ("code" in cause && cause.code === "ENOENT") return "there is no such program here"
  const said = "stderr" in cause ? String(cause.stderr).trim() : ""
  return said === "" ? String(cause) : said.split("\n").at(-1)!
}

/** Is there a program of this name? */
export const hasProgram = (name: string): boolean =>
  [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"].some((folder) => existsSync(join(folder, name)))

const notDebian = (name: string): string =>
  `${name} is a package of Debian's, and apt-get and dpkg-deb, which fetch and unpack it, are not here`

/** The folder with the files of a package. It is fetched if it is not there. */
export const unpacked = Effect.fnUntraced(function* ({ folder, progress }: Store, name: string) {
  const to = join(folder, name)
  if (existsSync(to)) return to
  if (!hasProgram("apt-get") || !hasProgram("dpkg-deb")) return yield* new Unprepared({ why: notDebian(name) })
  mkdirSync(folder, { recursive: true })
  const beside = mkdtempSync(join(folder, "fetching-"))
  try {
    progress(`fetching ${name}`)
    yield* download(name, beside, progress)
    const file = readdirSync(beside).find((one) => one.endsWith(".deb"))
    if (file === undefined) return yield* new Unprepared({ why: `apt-get download ${name} brought no package` })
    progress(`unpacking ${name}, ${(statSync(join(beside, file)).size / 2 ** 20).toFixed(1)} MiB`)
    yield* output("dpkg-deb", ["-x", file, "files"], beside)
    // Others may fetch the same: a folder of this name is always whole, and the first one stays.
    if (!existsSync(to)) renameSync(join(beside, "files"), to)
  } finally {
    rmSync(beside, { recursive: true, force: true })
  }
  return to
})

/** From the lists of packages that the host has, and, if it is not in them, from new ones. */
const download = (name: string, to: string, progress: Store["progress"]) =>
  output("apt-get", ["download", "-qq", name], to).pipe(
    Effect.catch((first) => {
      progress("bringing the lists of packages up to date")
      return output("apt-get", ["update", "-qq"]).pipe(
        Effect.catch(() => Effect.fail(first)),
        Effect.andThen(output("apt-get", ["download", "-qq", name], to))
      )
    })
  )

/** Of a package that stands for another: the name of the other, which matches `pattern`. */
export const meant = Effect.fnUntraced(function* ({ folder, progress }: Store, name: string, pattern: RegExp) {
  const kept = existsSync(folder) ? readdirSync(folder).filter((one) => pattern.exec(one)?.[0] === one) : []
  if (kept[0] !== undefined) return kept[0]
  if (!hasProgram("apt-get")) return yield* new Unprepared({ why: notDebian(name) })
  const ask = output("apt-cache", ["depends", name])
  const said = yield* ask.pipe(
    Effect.catch(() => {
      progress("bringing the lists of packages up to date")
      return output("apt-get", ["update", "-qq"]).pipe(Effect.andThen(ask))
    })
  )
  const [found] = pattern.exec(said) ?? []
  return found ?? (yield* new Unprepared({ why: `the package ${name} depends on nothing like ${pattern.source}` }))
})
