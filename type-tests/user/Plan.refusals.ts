/** What a plan says to a step that could not be done. */
import { Effect } from "effect"
import { Send } from "../../src/user/Ipc.ts"
import { perform, plan } from "../../src/user/Plan.ts"

const start = plan(20)
  .retype("memory", "Endpoint", "service")
  .retype("memory", "Notification", "bell")
  .retype("memory", "PML4", "space")
  .retype("memory", "Page4K", "buffer")
  .retype("memory", "Page4K", "spare")
  .copy("service", ["write"], "client")
  .map("buffer", "space", "0x0040_0000", ["read", "write"])

// Names: of what is there, and of what is not yet.
export const names = [
  start.copy("service", [], "again"),
  start.copy("servant", [], "again"), //! TS2345 ⛔ there is no 'servant'
  start.copy("service", [], "client"), //! TS2345 ⛔ 'client' is taken: it is an Endpoint capability
  start.retype("memory", "Endpoint", "other"),
  start.retype("memory", "Endpoint", "service"), //! TS2345 ⛔ 'service' is taken: it is an Endpoint capability
  start.retype("buffer", "Endpoint", "other"), //! TS2345 ⛔ 'buffer' is a Frame capability, no untyped memory
  start.retype("memories", "Endpoint", "other"), //! TS2345 ⛔ there is no 'memories'
  start.move("service", "moved"),
  start.move("service", "bell"), //! TS2345 ⛔ 'bell' is taken: it is a Notification capability
  start.move("nothing", "moved"), //! TS2345 ⛔ there is no 'nothing'
  start.delete("service"),
  start.delete("serviced"), //! TS2345 ⛔ there is no 'serviced'
  start.revoke("service"),
  start.revoke("serviced"), //! TS2345 ⛔ there is no 'serviced'
  start.mint("service", ["write"], { badge: 1n }, "badged"),
  start.mint("service", ["write"], { badge: 1n }, "client"), //! TS2345 ⛔ 'client' is taken: it is an Endpoint capability
  start.mint("serviced", ["write"], { badge: 1n }, "badged") //! TS2345 ⛔ there is no 'serviced'
]

const deep = start.copy("client", ["write"], "grandchild").mint("grandchild", [], { badge: 7n }, "badged")

// Rights: of those that the source has.
export const rights = [
  start.copy("client", ["write"], "again"),
  start.copy("client", ["read"], "again"), //! TS2345 ⛔ copy of 'client' cannot keep right 'read'; this Endpoint capability holds 'write'
  start.copy("service", ["read", "write"], "again"),
  start.copy("client", ["read", "write"], "again"), //! TS2345 ⛔ copy of 'client' cannot keep right 'read'; this Endpoint capability holds 'write'
  start.copy("bell", ["read"], "again"),
  start.copy("bell", ["grant"], "again"), //! TS2345 ⛔ copy of 'bell': there is no right 'grant' to a Notification
  start.mint("client", ["write"], { badge: 1n }, "badged"),
  start.mint("client", ["grant"], { badge: 1n }, "badged"), //! TS2345 ⛔ mint of 'client' cannot keep right 'grant'; this Endpoint capability holds 'write'
  deep.mint("client", [], { badge: 2n }, "again"),
  deep.mint("badged", [], { badge: 2n }, "again"), //! TS2345 ⛔ mint of 'badged': this Endpoint capability has a badge, and gets no other
  start.mint("bell", [], { badge: 1n }, "badged"),
  start.mint("buffer", [], { badge: 1n }, "badged"), //! TS2345 ⛔ mint of 'buffer' marks an Endpoint, a Notification or a CNode capability, got Frame
  start.copy("bell", [], "again"),
  start.copy("memory", [], "again") //! TS2345 ⛔ copy of 'memory' does not count this memory: take from it with Untyped_Carve, or let Untyped_Uncount give up the count
]

// What was deleted, moved or revoked, also with what it was derived from, is there no more. Its name is free again.
const gone = start.delete("bell").move("spare", "kept").revoke("service")
export const lifetimes = [
  gone.copy("service", [], "again"),
  gone.copy("bell", [], "again"), //! TS2345 ⛔ 'bell' was deleted
  gone.copy("spare", [], "again"), //! TS2345 ⛔ 'spare' was moved to 'kept'
  gone.copy("client", [], "again"), //! TS2345 ⛔ 'client' was deleted when 'service' was revoked
  gone.copy("kept", [], "again"),
  gone.copy("kept", [], "client"),
  gone.copy("kept", [], "bell"),
  gone.copy("kept", [], "buffer"), //! TS2345 ⛔ 'buffer' is taken: it is a Frame capability
  gone.delete("service"),
  gone.delete("bell"), //! TS2345 ⛔ 'bell' was deleted
  gone.move("service", "moved"),
  gone.move("spare", "moved"), //! TS2345 ⛔ 'spare' was moved to 'kept'
  gone.revoke("service"),
  gone.revoke("client"), //! TS2345 ⛔ 'client' was deleted when 'service' was revoked
  deep.delete("client").copy("badged", [], "again"),
  deep.revoke("client").copy("badged", [], "again"), //! TS2345 ⛔ 'badged' was deleted when 'client' was revoked
  deep.revoke("bell").delete("badged"),
  deep.revoke("service").delete("badged"), //! TS2345 ⛔ 'badged' was deleted when 'service' was revoked
  // Who lost its parent is its grandparent's; who moved takes its children along.
  deep.delete("client").delete("grandchild"),
  deep.delete("client").revoke("service").delete("service"),
  deep.delete("client").revoke("service").delete("grandchild"), //! TS2345 ⛔ 'grandchild' was deleted when 'service' was revoked
  deep.move("client", "elsewhere").revoke("elsewhere").delete("elsewhere"),
  deep.move("client", "elsewhere").revoke("elsewhere").delete("grandchild"), //! TS2345 ⛔ 'grandchild' was deleted when 'elsewhere' was revoked
  // A new capability under an old name is not its old self's heir.
  deep.delete("client").copy("bell", [], "client").revoke("client").delete("grandchild"),
  deep.delete("client").copy("bell", [], "client").revoke("service").delete("grandchild"), //! TS2345 ⛔ 'grandchild' was deleted when 'service' was revoked
  // All that was made of memory goes with it.
  start.revoke("memory").delete("memory"),
  start.revoke("memory").delete("buffer"), //! TS2345 ⛔ 'buffer' was deleted when 'memory' was revoked
  start.revoke("memory").delete("client") //! TS2345 ⛔ 'client' was deleted when 'memory' was revoked
]

// Memory: what is left of it.
const full = plan(13).retype("memory", "Page4K", "one").retype("memory", "Page4K", "two")
export const memories = [
  full.revoke("memory").retype("memory", "Endpoint", "three"),
  full.revoke("two").retype("memory", "Endpoint", "three"), //! TS2345 ⛔ retype: this Untyped of 2^13 bytes is exhausted: 1 × Endpoint of 2^4 bytes do not fit after 0x2000
  start.retype("memory", ["Untyped", 12], "part").retype("part", "Page4K", "page"),
  start.retype("memory", ["Untyped", 11], "part").retype("part", "Page4K", "page"), //! TS2345 ⛔ retype: this Untyped of 2^11 bytes is exhausted: 1 × Page4K of 2^12 bytes do not fit after 0x0
  start.retype("memory", ["CapTable", 8], "table"),
  start.retype("memory", ["CapTable", 0], "table"), //! TS2345 ⛔ retype: the size of a CapTable is at least 2^1, not 2^0
  start.retype("memory", ["CapTable", 20], "table") //! TS2345 ⛔ retype: this Untyped of 2^20 bytes is exhausted: 1 × CapTable of 2^25 bytes do not fit after 0x4000
]

// Mappings: of a frame that is not mapped, where nothing is.
const large = plan(24)
  .retype("memory", "PML4", "space")
  .retype("memory", "LargePage", "large")
  .retype("memory", "Page4K", "small")
  .map("large", "space", "0x40_0000", ["read"])
export const mappings = [
  start.map("spare", "space", "0x0040_1000", ["read"]),
  start.map("buffer", "space", "0x0040_1000", ["read"]), //! TS2345 ⛔ 'buffer' is mapped already, at 0x0040_0000 of 'space': unmap it, or map a copy of it
  start.map("spare", "space", "0x0040_0000", ["read"]), //! TS2345 ⛔ 0x0040_0000 of 'space' is taken: 'buffer' is mapped there
  start.map("spare", "space", "0x40_0000", ["read"]), //! TS2345 ⛔ 0x40_0000 of 'space' is taken: 'buffer' is mapped there
  start.map("spare", "space", "0x0040_1800", ["read"]), //! TS2345 ⛔ map: 0x0040_1800 is no multiple of 0x1000, the size of a Page4K
  start.map("spare", "space", "0x8000_0000_0000", ["read"]), //! TS2345 ⛔ map: 0x8000_0000_0000 is no address of a program: they end before 0x8000_0000_0000
  start.map("spare", "space", "0x0040_1000", ["write"]), //! TS2345 ⛔ map of 'spare': a mapping without 'read' is one that nobody can touch
  start.map("spare", "space", "0x0040_1000", ["read", "write"]),
  start.map("spare", "space", "0x0040_1000", ["read", "write", "execute"]), //! TS2345 ⛔ map of 'spare': a mapping is for writing or for executing, not for both
  start.map("bell", "space", "0x0040_1000", ["read", "write"]), //! TS2345 ⛔ map of 'bell' needs a Frame capability, got Notification
  start.map("spare", "bell", "0x0040_1000", ["read", "write"]), //! TS2345 ⛔ map in 'bell' needs an AddressSpace capability, got Notification
  start.map("spare", "spice", "0x0040_1000", ["read", "write"]), //! TS2345 ⛔ there is no 'spice'
  start.copy("spare", ["read"], "shared").map("shared", "space", "0x0040_1000", ["read"]),
  start.copy("spare", ["read"], "shared").map("shared", "space", "0x0040_1000", ["read", "write"]), //! TS2345 ⛔ map of 'shared' cannot keep right 'write'; this Frame capability holds 'read'
  start.copy("space", ["map"], "alias").map("spare", "alias", "0x0040_1000", ["read"]),
  start.copy("space", ["map"], "alias").map("spare", "alias", "0x0040_0000", ["read"]), //! TS2345 ⛔ 0x0040_0000 of 'space' is taken: 'buffer' is mapped there
  start.copy("space", [], "alias").map("spare", "alias", "0x0040_1000", ["read"]), //! TS2345 ⛔ map in 'alias' needs right 'map'; this AddressSpace capability holds no rights
  start.unmap("buffer").map("spare", "space", "0x0040_0000", ["read"]),
  start.delete("buffer").map("spare", "space", "0x0040_0000", ["read"]),
  start.delete("buffer").map("buffer", "space", "0x0040_0000", ["read"]), //! TS2345 ⛔ 'buffer' was deleted
  start.unmap("buffer"),
  start.unmap("spare"), //! TS2345 ⛔ 'spare' is not mapped
  large.map("small", "space", "0x60_0000", ["read"]),
  large.map("small", "space", "0x5f_f000", ["read"]), //! TS2345 ⛔ 0x5f_f000 of 'space' is taken: 'large' is mapped there
  large.map("small", "space", "0x3f_f000", ["read"])
]

// What is there at the end has names, kinds and rights.
export const ends = Effect.gen(function* () {
  const { service, client } = yield* perform(start)
  yield* Send(service, {})
  const { spare } = yield* perform(start)
  const { sparse } = yield* perform(start) //! TS2339 Property 'sparse' does not exist on type
  const { kept } = yield* perform(gone)
  const { bell } = yield* perform(gone) //! TS2339 Property 'bell' does not exist on type
  yield* Send(client, {})
  yield* Send(spare, {}) //! TS2345 ⛔ Send needs an Endpoint capability, got Frame
  return { sparse, bell, kept }
})
