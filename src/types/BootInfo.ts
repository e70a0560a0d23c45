/**
 * BootInfo: what the first task is told about the system, in a frame of its own and the frames after it.
 *
 * A range of slots is [start, end). Numbers of regions, cores and so on are as large as the memory they are about.
 */
import { layout, u8, u64 } from "./Layout.ts"

/** The bits of the address of the frame: one page. */
export const sizeBits = 12
/** Untyped memory is described in at most this many entries. */
export const maxUntyped = 230

// biome-ignore format: a field, a line
export const BootInfo = layout(2 ** sizeBits, {
  /** Bytes of the chunks that follow, in the frames after this one. */
  extraLength:            u64(0),
  nodeId:                 u64(8),
  numNodes:               u64(16),
  /** Levels of the page tables of an IO space; 0 if devices are not translated. */
  numIOPTLevels:          u64(24),
  /** The address of the first thread's IPC buffer. */
  ipcBuffer:              u64(32),
  /** Slots of the first task's CNode that hold nothing. */
  emptyStart:             u64(40),
  emptyEnd:               u64(48),
  sharedFramesStart:      u64(56),
  sharedFramesEnd:        u64(64),
  /** The frames of its image, in the order of their addresses. */
  userImageFramesStart:   u64(72),
  userImageFramesEnd:     u64(80),
  /** The page tables that map it. */
  userImagePagingStart:   u64(88),
  userImagePagingEnd:     u64(96),
  ioSpaceCapsStart:       u64(104),
  ioSpaceCapsEnd:         u64(112),
  /** The frames of the chunks. */
  extraBIPagesStart:      u64(120),
  extraBIPagesEnd:        u64(128),
  initThreadCNodeSizeBits: u64(136),
  initThreadDomain:       u64(144),
  /** A SchedControl for each core. */
  schedControlStart:      u64(152),
  schedControlEnd:        u64(160),
  /** Slot `untypedStart + n` holds what entry n of the list describes. */
  untypedStart:           u64(168),
  untypedEnd:             u64(176)
})

// biome-ignore format: a field, a line
export const UntypedEntry = layout(16, {
  address:  u64(0),
  sizeBits: u8(8),
  /** 1: memory of a device, which becomes frames and untyped memory only. */
  isDevice: u8(9)
})

/** The offset of entry `index` of the list of untyped memory. */
export const untypedEntry = (index: number): number => {
  if (index >= maxUntyped) throw new Error(`boot information describes ${maxUntyped} untyped regions: ${index}`)
  return 184 + 16 * index
}

/** Bytes of it all: the rest of the frame is 0. */
export const size = untypedEntry(maxUntyped - 1) + 16

/** A chunk begins with these; its length counts them. */
// biome-ignore format: a field, a line
export const ChunkHeader = layout(16, {
  id:     u64(0),
  length: u64(8)
})

// biome-ignore format: a chunk, a line
export const chunkIds = {
  /** The rest of the last frame. */
  padding:            0,
  vbe:                1,
  multibootMemoryMap: 2,
  acpiRsdp:           3,
  framebuffer:        4,
  /** 32 bits: the TSC's frequency in MHz. */
  tscFrequency:       5
} as const

/** The first task's CNode: 2^13 slots, and a guard of 0 for the other bits of an address. */
export const rootCNodeBits = 13

/** What its slots hold at the start. Slot 0 is empty for ever, so that 0 can mean no capability. */
// biome-ignore format: a slot, a line
export const slots = {
  null:          0,
  tcb:           1,
  cnode:         2,
  addressSpace:  3,
  irqControl:    4,
  asidControl:   5,
  asidPool:      6,
  ioPortControl: 7,
  ioSpace:       8,
  bootInfoFrame: 9,
  ipcBuffer:     10,
  domain:        11,
  schedContext:  14
} as const

/** The first slot that boot fills with what only this machine has. */
export const firstFreeSlot = 16
