/** The ledger of the campaign: which cases of which lines have been compared, so that several runs add up. */
import { appendFileSync, existsSync, readFileSync } from "node:fs"

/** Cases of one line, from one number up to another, which were compared in one go. */
export interface Entry {
  readonly line: string
  readonly group: string
  /** What the line meant then: meaningOf.ts. */
  readonly meaning: string
  readonly seed: number
  readonly from: number
  readonly to: number
  /** Of these cases, those that ran plainly as well, and that ended in an exception. */
  readonly plain: number
  readonly exceptions: number
  /** How often each liberty covered a difference. */
  readonly covered: Readonly<Record<string, number>>
  readonly differing: number
  /** Some of those that differ. */
  readonly different: ReadonlyArray<string>
  readonly commit: string
  readonly date: string
  readonly processor: string
}

export class Ledger {
  private readonly entries = new Map<string, Array<Entry>>()
  private readonly path: string | undefined

  /** What the file at `path` says, if there is one, and what is added will be there; without a path, nothing stays. */
  constructor(path?: string) {
    this.path = path
    if (path === undefined || !existsSync(path)) return
    for (const [n, text] of readFileSync(path, "utf8").split("\n").entries()) {
      if (text === "") continue
      try {
        this.keep(JSON.parse(text) as Entry)
      } catch {
        throw new Error(`${path}, line ${n + 1} is no entry of a ledger`)
      }
    }
  }

  /** Goes to the end of the file in one piece, so several processes may add to it. */
  add(entry: Entry): void {
    this.keep(entry)
    if (this.path !== undefined) appendFileSync(this.path, `${JSON.stringify(entry)}\n`)
  }

  /**
   * The entries that hold of a line as it is now, one beginning where the last ends. Where something differed, what comes after is to be done
   * again, unless `withDiffering`.
   */
  of(line: string, meaning: string, seed: number, withDiffering = false): ReadonlyArray<Entry> {
    const held: Array<Entry> = []
    for (const entry of this.entries.get(line) ?? []) {
      if (entry.meaning !== meaning || entry.seed !== seed) continue
      const place = held.findIndex(({ from }) => from >= entry.from)
      if (place >= 0) held.splice(place)
      if ((held.at(-1)?.to ?? 0) === entry.from) held.push(entry)
    }
    if (withDiffering) return held
    const bad = held.findIndex(({ differing }) => differing > 0)
    return bad < 0 ? held : held.slice(0, bad)
  }

  private keep(entry: Entry): void {
    const kept = this.entries.get(entry.line)
    if (kept === undefined) this.entries.set(entry.line, [entry])
    else kept.push(entry)
  }
}
