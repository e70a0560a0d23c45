/**
 * Kept: what is known of the rules of VM entry from entries that kept them all.
 *
 * A rule is a function of what it looks at. Most look at fields that are the same at an entry as at one before, and need not be asked again:
 * the fields are compared, in the region itself, so that it does not matter who has changed one, and how.
 */
import { VmcsField, type VmcsFieldName } from "../../../types/x86_64/VmcsField.ts"
import { RFLAGS } from "../system/registers.ts"
import { isReadOnly, place, type Vmcs } from "./Vmcs.ts"

/** What is another thing at every entry. Of RFLAGS, all but `steadyFlags`. */
const moving: ReadonlySet<VmcsFieldName> = new Set<VmcsFieldName>([
  "GUEST_RIP",
  "GUEST_RSP",
  "GUEST_RFLAGS",
  "GUEST_CR3",
  "GUEST_INTERRUPT_STATUS",
  "PREEMPTION_TIMER_VALUE"
])
export const steadyFlags = RFLAGS.VM | RFLAGS.IF | RFLAGS.TF

const names = Object.keys(VmcsField) as readonly VmcsFieldName[]
export const moves = (name: VmcsFieldName): boolean => moving.has(name) || isReadOnly(VmcsField[name])

/** Places of words, one after another. */
const fixed = Int32Array.from(names.filter((name) => !moves(name)).flatMap((name) => [place[name], place[name] + 4]))

/** So many entries are known that differ in what does not move: of several guests, of a guest's kernel and its programs. */
const known = 4

interface Entry {
  pointer: number
  flags: number
  /** Those of `fixed`. */
  readonly words: Int32Array
}

export class Kept {
  /** Every rule is asked at every entry. Only the host's time depends on it. */
  asksAlways = false
  /** The one that was used last comes first. */
  private readonly entries: Entry[] = Array.from({ length: known }, () => ({
    pointer: -1,
    flags: 0,
    words: new Int32Array(fixed.length)
  }))

  /** Every rule is kept by the current VMCS. */
  remember(vmcs: Vmcs): void {
    const entry = this.entries.pop()!
    entry.pointer = vmcs.pointer
    entry.flags = vmcs.low(place.GUEST_RFLAGS) & steadyFlags
    for (let n = 0; n < fixed.length; n++) entry.words[n] = vmcs.low(fixed[n]!)
    this.entries.unshift(entry)
  }

  /** So is every rule that is not to be asked again. */
  isStill(vmcs: Vmcs): boolean {
    if (this.asksAlways) return false
    const { entries } = this
    for (let n = 0; n < known; n++) {
      const entry = entries[n]!
      if (!isSame(vmcs, entry)) continue
      for (let to = n; to > 0; to--) entries[to] = entries[to - 1]!
      entries[0] = entry
      return true
    }
    return false
  }
}

const isSame = (vmcs: Vmcs, { pointer, flags, words }: Entry): boolean => {
  if (vmcs.pointer !== pointer || (vmcs.low(place.GUEST_RFLAGS) & steadyFlags) !== flags) return false
  for (let n = 0; n < fixed.length; n++) if (vmcs.low(fixed[n]!) !== words[n]) return false
  return true
}
