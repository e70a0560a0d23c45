/**
 * Extended page tables: from a guest's physical address to the machine's.
 *
 * SDM vol. 3C, "The Extended Page Table Mechanism (EPT)": "EPT Translation Mechanism", "EPT Misconfigurations", "EPT Violations".
 */
import { ExitReason } from "../../../types/x86_64/ExitReason.ts"
import { EptEntry, EptPointer } from "../../../types/x86_64/VmxControls.ts"
import { guestPhysical, pageBits, remembered } from "../memory/layout.ts"
import { type PhysicalMemory, physicalBits } from "../memory/PhysicalMemory.ts"
import { access as linearAccess, type SecondLevel } from "../memory/paging.ts"

/** What an access is, in the bits of the exit qualification that say so. Table "Exit Qualification for EPT Violations". */
const { dirty: isDirty, ...eptAccess } = remembered
/** Bits 5:3: what all entries on the way allow. */
const allowed = 3

interface Level {
  readonly shift: number
  /** Bits of the lower half that are reserved in an entry that leads to a table. */
  readonly reserved: number
  /** Bits of the lower half of an entry that maps a page of this size that are reserved; none maps one without it. */
  readonly reservedInPage?: number
}

// biome-ignore format: a table
const levels: readonly Level[] = [
  { shift: 48, reserved: 0xf8 },
  { shift: 39, reserved: 0xf8 },
  { shift: 30, reserved: 0x78, reservedInPage: 0x3fff_f000 },
  { shift: 21, reserved: 0x78, reservedInPage: 0x001f_f000 },
  { shift: 12, reserved: 0,    reservedInPage: 0 }
]

const addressHigh = 0xf_ffff // bits 51:32
const reservedHigh = addressHigh & ~(2 ** (physicalBits - 32) - 1)
const permissions = EptEntry.READ | EptEntry.WRITE | EptEntry.EXECUTE

/** Why there is no access. Reused: what it says is good until the next walk. */
export interface EptRefusal {
  /** The basic exit reason: an EPT violation, an EPT misconfiguration or an APIC access. */
  reason: number
  /** Of a violation: bits 5:0 of the exit qualification. */
  qualification: number
  /** The guest-physical address. */
  address: number
}

export const isEptPointer = (lo: number, hi: number): boolean => {
  const type = lo & 7
  const length = lo & (7 << 3)
  return (
    (type === 0 || type === EptPointer.WRITE_BACK) &&
    (length === EptPointer.WALK_LENGTH_4 || length === EptPointer.WALK_LENGTH_5) &&
    (lo & 0xf80) === 0 &&
    (hi & ~(2 ** (physicalBits - 32) - 1)) === 0
  )
}

/**
 * The tables that one EPT pointer names, and the guest-physical translations that were used: "guest-physical mappings" of SDM vol. 3C,
 * "Information That May Be Cached". They stay until INVEPT, or until they refuse an access.
 */
export class Ept implements SecondLevel {
  readonly pointerLow: number
  readonly pointerHigh: number
  readonly refusal: EptRefusal = { reason: 0, qualification: 0, address: 0 }
  private readonly memory: PhysicalMemory
  private readonly root: number
  private readonly first: number
  private readonly setsFlags: boolean
  /** Which of the memories of layout.ts, `guestPhysical`, it has for what it remembers. */
  readonly slot: number
  readonly remembers: NonNullable<SecondLevel["remembers"]>
  private readonly pages: Int32Array
  private readonly frames: Int32Array
  private readonly rights: Int32Array
  /** The number of the APIC-access page, or -1. */
  private guarded = -1
  private readonly path = new Float64Array(levels.length)

  /** The pointer is one (`isEptPointer`). `room`: the host address of `guestPhysical`. */
  constructor(memory: PhysicalMemory, pointerLow: number, pointerHigh: number, room: number, slot: number) {
    this.memory = memory
    this.slot = slot
    this.pointerLow = pointerLow
    this.pointerHigh = pointerHigh
    this.root = physical(pointerLow, pointerHigh)
    this.first = (pointerLow & (7 << 3)) === EptPointer.WALK_LENGTH_5 ? 0 : 1
    this.setsFlags = (pointerLow & EptPointer.ACCESSED_DIRTY) !== 0
    const at = room + slot * guestPhysical.bytes
    const words = (from: number) => memory.i32.subarray((at + from) >>> 2, ((at + from) >>> 2) + guestPhysical.entries)
    this.pages = words(guestPhysical.pages)
    this.frames = words(guestPhysical.frames)
    this.rights = words(guestPhysical.rights)
    this.remembers = {
      at,
      entryRights: this.setsFlags ? eptAccess.read | eptAccess.write | isDirty : eptAccess.read
    }
    this.forget()
  }

  /**
   * The machine's address of a paging-structure entry of the guest's, which the processor reads, and writes if it is to set a flag in it; or
   * -1. "If accessed and dirty flags for EPT are enabled, processor accesses to guest paging-structure entries are treated as writes".
   *
   * "Guest-Physical Accesses to the APIC-Access Page": each of them leaves the guest, unless it is an EPT violation.
   */
  entryAt(address: number, isWritten: boolean): number {
    const access = this.setsFlags ? eptAccess.read | eptAccess.write : isWritten ? eptAccess.write : eptAccess.read
    const frame = this.frame(Math.floor(address / 2 ** pageBits), address, access)
    if (frame < 0) return -1
    if (frame === this.guarded) return this.refuse(ExitReason.APIC_ACCESS, address)
    return frame * 2 ** pageBits + (address % 2 ** pageBits)
  }

  pageOf(page: number, address: number, kind: number): number {
    const isFetch = (kind & linearAccess.fetch) !== 0
    const isWrite = (kind & linearAccess.write) !== 0
    return this.frame(page, address, isFetch ? eptAccess.fetch : isWrite ? eptAccess.write : eptAccess.read)
  }

  guard(page: number): void {
    this.guarded = page
  }

  private frame(page: number, address: number, access: number): number {
    const slot = page & (guestPhysical.entries - 1)
    if (this.pages[slot] === page) {
      const rights = this.rights[slot]!
      if ((access & ~rights) === 0 && (!(access & eptAccess.write) || rights & isDirty)) return this.frames[slot]!
    }
    return this.walk(page, address, access)
  }

  /** INVEPT. */
  forget(): void {
    this.pages.fill(-1)
  }

  private walk(page: number, address: number, access: number): number {
    const { memory, path } = this
    let rights: number = permissions
    let table = this.root
    for (let n = this.first; n < levels.length; n++) {
      const level = levels[n]!
      const at = table + (Math.floor(page / 2 ** (level.shift - pageBits)) % 512) * 8
      path[n] = at
      const [low, high] = [memory.load32(at), memory.load32(at + 4)]
      if (!(low & permissions)) return this.violated(page, address, access, 0)
      const isPage = level.shift === pageBits || (level.reservedInPage !== undefined && (low & EptEntry.PAGE) !== 0)
      if (isMisconfigured(level, low, high, isPage)) return this.refuse(ExitReason.EPT_MISCONFIGURATION, address)
      rights &= low
      if (isPage) {
        if (access & ~rights) return this.violated(page, address, access, rights)
        const within = page % 2 ** (level.shift - pageBits)
        const frame = Math.floor(physical(low & ~(level.reservedInPage ?? 0), high) / 2 ** pageBits) + within
        this.remember(page, frame, rights, this.mark(n, (access & eptAccess.write) !== 0))
        return frame
      }
      table = physical(low, high)
    }
    throw new Error("the last level maps pages")
  }

  /** "Accessed and Dirty Flags for EPT". Whether nothing is left for a later write to set. */
  private mark(last: number, isWrite: boolean): boolean {
    if (!this.setsFlags) return true
    for (let n = this.first; n <= last; n++) {
      const flags = n === last && isWrite ? EptEntry.ACCESSED | EptEntry.DIRTY : EptEntry.ACCESSED
      const low = this.memory.load32(this.path[n]!)
      if ((low & flags) !== flags) this.memory.store32(this.path[n]!, low | flags)
    }
    return (this.memory.load32(this.path[last]!) & EptEntry.DIRTY) !== 0
  }

  private remember(page: number, frame: number, rights: number, dirty: boolean): void {
    const slot = page & (guestPhysical.entries - 1)
    this.pages[slot] = page
    this.frames[slot] = frame
    this.rights[slot] = rights | (dirty ? isDirty : 0)
  }

  /** "An EPT violation ... invalidates any guest-physical mappings ... that would be used to translate the guest-physical address". */
  private violated(page: number, address: number, access: number, rights: number): -1 {
    const slot = page & (guestPhysical.entries - 1)
    if (this.pages[slot] === page) this.pages[slot] = -1
    return this.refuse(ExitReason.EPT_VIOLATION, address, access | (rights << allowed))
  }

  private refuse(reason: number, address: number, qualification = 0): -1 {
    this.refusal.reason = reason
    this.refusal.qualification = qualification
    this.refusal.address = address
    return -1
  }
}

const physical = (low: number, high: number): number => (high & addressHigh) * 2 ** 32 + ((low & ~0xfff) >>> 0)

/** "EPT Misconfigurations": writable but not readable, a reserved bit, a memory type that is none. Execute-only pages are supported. */
const isMisconfigured = (level: Level, low: number, high: number, isPage: boolean): boolean => {
  if ((low & (EptEntry.READ | EptEntry.WRITE)) === EptEntry.WRITE || high & reservedHigh) return true
  if (!isPage) return (low & level.reserved) !== 0
  const type = (low & EptEntry.MEMORY_TYPE) >>> 3
  return (low & level.reservedInPage!) !== 0 || type === 2 || type === 3 || type === 7
}
