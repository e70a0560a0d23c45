/**
 * The methods of a CNode: of the slots that can be reached from it.
 *
 * A slot is an index, of which as many bits are resolved as its depth says. What is copied or moved comes from
 * `srcRoot` and goes to the CNode invoked.
 */
import { byte, cap, method, rights, word } from "../Method.ts"

const slot = { index: word, depth: byte }
const destination = { destIndex: word, destDepth: byte }
const source = { srcIndex: word, srcDepth: byte }
const copied = cap({ CNode: ["take"] })
const moved = cap({ CNode: ["take", "delete"] })

/** Delete all capabilities that were derived from the one in the slot. */
export const Revoke = method({ name: "CNode_Revoke", label: 18, kind: "CNode", rights: ["delete"], words: slot })

/** Empty a slot. */
export const Delete = method({ name: "CNode_Delete", label: 19, kind: "CNode", rights: ["delete"], words: slot })

/** Let those who wait to send through the badged endpoint capability in the slot wait no longer. */
export const CancelBadgedSends = method({
  name: "CNode_CancelBadgedSends",
  label: 20,
  kind: "CNode",
  rights: ["delete"],
  words: slot
})

/** Copy a capability into an empty slot, with rights of its own. */
export const Copy = method({
  name: "CNode_Copy",
  label: 21,
  kind: "CNode",
  rights: ["put"],
  words: { ...destination, ...source, rights },
  caps: { srcRoot: copied }
})

/** Copy a capability into an empty slot, with rights and a badge or guard of its own. */
export const Mint = method({
  name: "CNode_Mint",
  label: 22,
  kind: "CNode",
  rights: ["put"],
  words: { ...destination, ...source, rights, badge: word },
  caps: { srcRoot: copied }
})

/** Move a capability to an empty slot. */
export const Move = method({
  name: "CNode_Move",
  label: 23,
  kind: "CNode",
  rights: ["put"],
  words: { ...destination, ...source },
  caps: { srcRoot: moved }
})

/** Move a capability to an empty slot, with a badge or guard of its own. */
export const Mutate = method({
  name: "CNode_Mutate",
  label: 24,
  kind: "CNode",
  rights: ["put"],
  words: { ...destination, ...source, badge: word },
  caps: { srcRoot: moved }
})

/** Move the pivot's capability to the destination and the source's to the pivot, each with a badge or guard of its own. */
export const Rotate = method({
  name: "CNode_Rotate",
  label: 25,
  kind: "CNode",
  rights: ["put"],
  words: { ...destination, destBadge: word, pivotIndex: word, pivotDepth: byte, pivotBadge: word, ...source },
  caps: { pivotRoot: cap({ CNode: ["take", "put", "delete"] }), srcRoot: moved }
})
