/**
 * Addresses, once checked. Each kind is its own type; at run time all are plain numbers.
 *
 * An address that a program wrote and nobody has checked yet is a `Word`.
 */
import type { Brand } from "effect"

/**
 * An address on the memory bus.
 *
 * Having one tells you: it is a whole number of bytes and fits the 52 bits that a page-table entry can hold.
 * It does not tell you: that memory answers there.
 */
export type PhysAddr = number & Brand.Brand<"PhysAddr">

/**
 * An address that a program may use.
 *
 * Having one tells you: it is a whole number of bytes and lies in the user half, below 2^47.
 * It does not tell you: that anything is mapped there.
 */
export type VirtAddr = number & Brand.Brand<"VirtAddr">

export const physAddrLimit = 2 ** 52
export const virtAddrLimit = 2 ** 47

export const isPhysAddr = (address: number): address is PhysAddr =>
  address >= 0 && address < physAddrLimit && Number.isInteger(address)

export const isVirtAddr = (address: number): address is VirtAddr =>
  address >= 0 && address < virtAddrLimit && Number.isInteger(address)

/** @throws if `address` is none: whoever calls it has promised that it is. */
export const PhysAddr = (address: number): PhysAddr => {
  if (!isPhysAddr(address)) throw new Error(`a physical address is below 2^52: ${address}`)
  return address
}

/** @throws if `address` is none: whoever calls it has promised that it is. */
export const VirtAddr = (address: number): VirtAddr => {
  if (!isVirtAddr(address)) throw new Error(`a user address is below 2^47: ${address}`)
  return address
}
