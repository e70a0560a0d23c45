/** What mapping memory says of addresses, rights and frames that do not do. */
import type { Cap, Frame } from "../../src/types/Capability.ts"
import { AddressSpace_Map, AddressSpace_Unmap } from "../../src/user/Memory.ts"

declare const space: Cap<"AddressSpace", "map" | "unmap">
declare const spaceBind: Cap<"AddressSpace", "bind">
declare const rwx: Frame<"Page4K", "read" | "write" | "execute">
declare const rw: Frame<"Page4K", "read" | "write">
declare const r: Frame<"Page4K", "read">
declare const large: Frame<"LargePage", "read" | "write">
declare const huge: Frame<"HugePage", "read" | "write">
declare const unsized: Cap<"Frame", "read" | "write">
declare const endpoint: Cap<"Endpoint", "read" | "write">
declare const calculated: number
declare const text: string

// Addresses: in hexadecimal digits, in the user half, at a multiple of the frame's size.
export const addresses = [
  AddressSpace_Map(space, "0x0040_0000", rw, ["read"]),
  AddressSpace_Map(space, 0x40_0000, rw, ["read"]),
  AddressSpace_Map(space, calculated, rw, ["read"]),
  AddressSpace_Map(space, text, rw, ["read"]), //! TS2345 ⛔ AddressSpace_Map: this address is not in the text of the program: give it as a number, and the kernel judges it
  AddressSpace_Map(space, "0x0", rw, ["read"]),
  AddressSpace_Map(space, "0x", rw, ["read"]), //! TS2345 ⛔ AddressSpace_Map: '0x' is no address: write it in hexadecimal digits, as in 0x0040_0000
  AddressSpace_Map(space, "0x004O_0000", rw, ["read"]), //! TS2345 ⛔ AddressSpace_Map: '0x004O_0000' is no address: write it in hexadecimal digits, as in 0x0040_0000
  AddressSpace_Map(space, "4194304", rw, ["read"]), //! TS2345 ⛔ AddressSpace_Map: '4194304' is no address: write it in hexadecimal digits, as in 0x0040_0000
  AddressSpace_Map(space, "0x40_1000", rw, ["read"]),
  AddressSpace_Map(space, "0x40_1010", rw, ["read"]), //! TS2345 ⛔ AddressSpace_Map: 0x40_1010 is no multiple of 0x1000, the size of a Page4K
  AddressSpace_Map(space, "0x40_1800", rw, ["read"]), //! TS2345 ⛔ AddressSpace_Map: 0x40_1800 is no multiple of 0x1000, the size of a Page4K
  AddressSpace_Map(space, "0x40_0000", large, ["read"]),
  AddressSpace_Map(space, "0x60_0000", large, ["read"]),
  AddressSpace_Map(space, "0x50_0000", large, ["read"]), //! TS2345 ⛔ AddressSpace_Map: 0x50_0000 is no multiple of 0x200000, the size of a LargePage
  AddressSpace_Map(space, "0x4000_0000", huge, ["read"]),
  AddressSpace_Map(space, "0x2000_0000", huge, ["read"]), //! TS2345 ⛔ AddressSpace_Map: 0x2000_0000 is no multiple of 0x40000000, the size of a HugePage
  AddressSpace_Map(space, "0x40_1000", unsized, ["read"]),
  AddressSpace_Map(space, "0x40_1001", unsized, ["read"]), //! TS2345 ⛔ AddressSpace_Map: 0x40_1001 is no multiple of 0x1000, the size of a Page4K
  AddressSpace_Map(space, "0x7fff_ffff_e000", rw, ["read"]),
  AddressSpace_Map(space, "0x7FFF_FFFF_E000", rw, ["read"]),
  AddressSpace_Map(space, "0x7fff_ffff_f000", rw, ["read"]), //! TS2345 ⛔ AddressSpace_Map: 0x7fff_ffff_f000 is the last Page4K of the addresses of programs, which stays empty
  AddressSpace_Map(space, "0x8000_0000_0000", rw, ["read"]), //! TS2345 ⛔ AddressSpace_Map: 0x8000_0000_0000 is no address of a program: they end before 0x8000_0000_0000
  AddressSpace_Map(space, "0xffff_8000_0000_0000", rw, ["read"]), //! TS2345 ⛔ AddressSpace_Map: 0xffff_8000_0000_0000 is no address of a program: they end before 0x8000_0000_0000
  AddressSpace_Map(space, "0x7fff_ffc0_0000", large, ["read"]),
  AddressSpace_Map(space, "0x7fff_ffe0_0000", large, ["read"]), //! TS2345 ⛔ AddressSpace_Map: 0x7fff_ffe0_0000 is the last LargePage of the addresses of programs, which stays empty
  AddressSpace_Unmap(space, "0x40_1000"),
  AddressSpace_Unmap(space, "0x40_1010"), //! TS2345 ⛔ AddressSpace_Unmap: 0x40_1010 is no multiple of 0x1000, the size of a Page4K
  AddressSpace_Unmap(space, "0x8000_0000_0000") //! TS2345 ⛔ AddressSpace_Unmap: 0x8000_0000_0000 is no address of a program: they end before 0x8000_0000_0000
]

// Rights: of those that the frame's capability has, to write or to execute, and to read in any case.
declare const computed: ReadonlyArray<"read" | "write" | "execute">
export const rights = [
  AddressSpace_Map(space, "0x1000", rwx, ["read", "write"]),
  AddressSpace_Map(space, "0x1000", rwx, ["read", "execute"]),
  AddressSpace_Map(space, "0x1000", rwx, ["read"]),
  AddressSpace_Map(space, "0x1000", rwx, computed),
  AddressSpace_Map(space, "0x1000", rw, computed), //! TS2345 ⛔ AddressSpace_Map cannot keep right 'execute'; this Frame capability holds 'write+read'
  AddressSpace_Map(space, "0x1000", rwx, ["read", "write"]),
  AddressSpace_Map(space, "0x1000", rwx, ["read", "write", "execute"]), //! TS2345 ⛔ AddressSpace_Map: a mapping is for writing or for executing, not for both
  AddressSpace_Map(space, "0x1000", rwx, ["write"]), //! TS2345 ⛔ AddressSpace_Map: a mapping without 'read' is one that nobody can touch
  AddressSpace_Map(space, "0x1000", rwx, []), //! TS2345 ⛔ AddressSpace_Map: a mapping without 'read' is one that nobody can touch
  AddressSpace_Map(space, "0x1000", rw, ["read", "write"]),
  AddressSpace_Map(space, "0x1000", r, ["read", "write"]), //! TS2345 ⛔ AddressSpace_Map cannot keep right 'write'; this Frame capability holds 'read'
  AddressSpace_Map(space, "0x1000", rwx, ["read", "execute"]),
  AddressSpace_Map(space, "0x1000", rw, ["read", "execute"]), //! TS2345 ⛔ AddressSpace_Map cannot keep right 'execute'; this Frame capability holds 'write+read'
  AddressSpace_Map(space, "0x1000", rw, ["read"]),
  AddressSpace_Map(space, "0x1000", rw, ["red"]) //! TS2345 ⛔ AddressSpace_Map: there is no right 'red' to a Frame
]

// What is mapped where, and how it is cached.
export const objects = [
  AddressSpace_Map(space, "0x1000", rw, ["read"]),
  AddressSpace_Map(spaceBind, "0x1000", rw, ["read"]), //! TS2345 ⛔ AddressSpace_Map needs right 'map'; this AddressSpace capability holds 'bind'
  AddressSpace_Map(rw, "0x1000", rw, ["read"]), //! TS2345 ⛔ AddressSpace_Map needs an AddressSpace capability, got Frame
  AddressSpace_Map(space, "0x1000", endpoint, ["read"]), //! TS2345 ⛔ AddressSpace_Map needs a Frame capability, got Endpoint
  AddressSpace_Map(space, "0x1000", rw, ["read"], "uncacheable"),
  AddressSpace_Map(space, "0x1000", rw, ["read"], "uncached"), //! TS2345 '"uncached"' is not assignable to parameter of type
  AddressSpace_Unmap(space, "0x1000"),
  AddressSpace_Unmap(spaceBind, "0x1000") //! TS2345 ⛔ AddressSpace_Unmap needs right 'unmap'; this AddressSpace capability holds 'bind'
]
