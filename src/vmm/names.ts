/** Names of a guest's processors, and of the threads of its monitor that run them. */

/** Processors of a guest beyond the first: as many as there can be. */
// biome-ignore format: one list
export const furtherProcessors = ["processor1", "processor2", "processor3", "processor4", "processor5", "processor6", "processor7"] as const
export type Further = (typeof furtherProcessors)[number]

/** What the thread is called that runs a guest's processor. The first is the one that the guest's task began with. */
export const threadOf = (guest: string, processor: number): string =>
  processor === 0 ? guest : `${guest}, processor ${processor}`
