/**
 * Kept: what is known of the rules of VM entry from an entry that kept them all.
 *
 * A rule is a function of what it looks at. Most look at fields that are the same from one entry to the next, and need not be asked again:
 * the fields are compared, in the region itself, so that it does not matter who has changed one, and how.
 */
import { VmcsField, type VmcsFieldName } from "../../../types/x86_64/VmcsField.ts"
import { RFLAGS } from "../system/registers.ts"
import { isReadOnly, place, type Vmcs } from "./Vmcs.ts"

/** What a guest's turn, and what its monitor does about its end, changes in the ordinary case. Of RFLAGS, all but VM. */
const moving: ReadonlySet<VmcsFieldName> = new Set<VmcsFieldName>([
  "GUEST_RIP",
  "GUEST_RSP",
  "GUEST_RFLAGS",
  "GUEST_CR3",
  "GUEST_INTERRUPTIBILITY_STATE",
  "GUEST_ACTIVITY_STATE",
  "GUEST_PENDING_DEBUG_EXCEPTIONS",
  "ENTRY_INTERRUPTION_INFORMATION",
  "ENTRY_EXCEPTION_ERROR_CODE",
  "ENTRY_INSTRUCTION_LENGTH",
  "PREEMPTION_TIMER_VALUE"
])

const names = Object.keys(VmcsField) as readonly VmcsFieldName[]
export const moves = (name: VmcsFieldName): boolean => moving.has(name) || isReadOnly(VmcsField[name])

const fixed = names.filter((name) => !moves(name)).map((name) => place[name])
const first = Math.min(...fixed)
const last = Math.max(...fixed)
const isFixed = Uint8Array.from({ length: (last - first) / 8 + 1 }, (_, n) => (fixed.includes(first + n * 8) ? 1 : 0))

export class Kept {
  /** Every rule is asked at every entry. Only the host's time depends on it. */
  asksAlways = false
  private pointer = -1
  private readonly words = new Int32Array(2 * isFixed.length)
  private isVirtual8086 = false

  /** Every rule is kept by the current VMCS. */
  remember(vmcs: Vmcs): void {
    this.pointer = vmcs.pointer
    this.isVirtual8086 = vmcs.has(place.GUEST_RFLAGS, RFLAGS.VM)
    for (let n = 0; n < isFixed.length; n++) {
      this.words[2 * n] = vmcs.low(first + 8 * n)
      this.words[2 * n + 1] = vmcs.high(first + 8 * n)
    }
  }

  /** So is every rule that is not to be asked again. */
  isStill(vmcs: Vmcs): boolean {
    if (
      this.asksAlways ||
      vmcs.pointer !== this.pointer ||
      vmcs.has(place.GUEST_RFLAGS, RFLAGS.VM) !== this.isVirtual8086
    )
      return false
    for (let n = 0; n < isFixed.length; n++) {
      if (isFixed[n] === 0) continue
      const at = first + 8 * n
      if (vmcs.low(at) !== this.words[2 * n] || vmcs.high(at) !== this.words[2 * n + 1]) return false
    }
    return true
  }
}
