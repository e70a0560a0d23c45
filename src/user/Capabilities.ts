/**
 * Capabilities: copies with fewer rights, and their end.
 *
 * A copy made here is derived from its source: to revoke the source deletes it, and all that was derived from it in turn.
 * Copies lie in slots that the `Allocator` gives, or in another thread's capability space, where only that thread can use them.
 */
import { Effect } from "effect"
import {
  type AnyCap,
  type Badged,
  type Cap,
  capUnsafe,
  cptrOf,
  type Derived,
  derivedUnsafe,
  type Endpoint,
  elsewhereUnsafe,
  end,
  isCap,
  isGone,
  type KindOf,
  kindOf,
  type Lent,
  type Marked,
  protocolOf,
  type Region,
  type RightsOf,
  type Using,
  vouchedUnsafe
} from "../types/Capability.ts"
import * as CNodeData from "../types/CNodeData.ts"
import type { Kind, RightOf } from "../types/Kind.ts"
import * as CNode from "../types/methods/CNode.ts"
import type { Keep, Need, NeedSpent, NoCopy, Unless } from "../types/Need.ts"
import { badgeOf, type ClientOf, type Protocol } from "../types/Protocol.ts"
import * as Rights from "../types/Rights.ts"
import { Allocator, type AllocatorService, type NotMade, type OutOfSlots } from "./Allocator.ts"
import { held, invoke, pointer, type Refusal } from "./Invocation.ts"
import type { Syscalls } from "./Syscalls.ts"

/** A slot of a CNode: `depth` bits of `index` are resolved from there. */
export interface Place {
  readonly cnode: Cap<"CNode", "put">
  readonly index: number
  readonly depth: number
}

/** A copy with the rights named, of those that the source has. */
export const Cap_Copy = <C extends AnyCap, const L extends ReadonlyArray<string>>(
  source: C,
  rights: Keep<C, "Cap_Copy", L>
): Effect.Effect<Derived<C, L[number]>, Refusal | OutOfSlots, Syscalls | Allocator | Using<C>> =>
  Effect.flatMap(Allocator, (allocator) =>
    inSlot(allocator, source, (slot) => copy(allocator, source, rights, ownSlot(allocator, slot)))
  )

/** A copy in another capability space: whoever has that uses it by its index there. */
export const Cap_CopyInto = <C extends AnyCap, const L extends ReadonlyArray<string>>(
  place: Place,
  source: C,
  rights: Keep<C, "Cap_CopyInto", L>
): Effect.Effect<void, Refusal, Syscalls | Allocator | Using<C, L[number]>> =>
  Effect.flatMap(Allocator, (allocator) => copy(allocator, source, rights, there(place)))

/** A marked copy in another capability space: whoever has that uses it by its index there. */
export const Cap_MintInto = <C extends AnyCap, const L extends ReadonlyArray<string>, const M>(
  place: Place,
  source: C,
  rights: Keep<C, "Cap_MintInto", L>,
  mark: Mark<C, "Cap_MintInto", M>
): Effect.Effect<void, Refusal, Syscalls | Allocator | Using<C, L[number]>> =>
  Effect.flatMap(Allocator, (allocator) => {
    const { root, index, depth } = there(place)
    return Effect.asVoid(
      invoke(CNode.Mint, root, {
        ...{ destIndex: index, destDepth: depth, srcIndex: pointer(source), srcDepth: allocator.depth },
        ...{ rights: keeping(source, rights), badge: markWord(mark, source), srcRoot: allocator.cnode }
      })
    )
  })

/** A copy with all rights of the source, in another capability space. */
export const give = <C extends AnyCap>(
  place: Place,
  source: Unless<NoCopy<C, "give">, C>
): Effect.Effect<void, Refusal, Syscalls | Allocator | Using<C, RightsOf<C>>> =>
  Effect.flatMap(Allocator, (allocator) =>
    copyTo(allocator, held(source), { ...Rights.wordKeepingAll, derive: true }, there(place))
  )

/**
 * A copy with the rights named, and a mark that the source does not have: a badge by which its receiver tells who sends or
 * signals, a guard that addresses in a CNode must have.
 */
export const Cap_Mint = <C extends AnyCap, const L extends ReadonlyArray<string>, const M>(
  source: C,
  rights: Keep<C, "Cap_Mint", L>,
  mark: Mark<C, "Cap_Mint", M>
): Effect.Effect<Marked<C, L[number]>, Refusal | OutOfSlots, Syscalls | Allocator | Using<C>> =>
  Effect.flatMap(Allocator, (allocator) =>
    Effect.map(
      inSlot(allocator, source, (slot) =>
        invoke(CNode.Mint, allocator.cnode, {
          destIndex: slot,
          destDepth: allocator.depth,
          srcIndex: pointer(source),
          srcDepth: allocator.depth,
          rights: keeping(source, rights),
          badge: markWord(mark, source),
          srcRoot: allocator.cnode
        })
      ),
      (minted) => vouchedUnsafe<Marked<C, L[number]>>(minted)
    )
  )

/** What a copy can be marked with. */
export type Mark<C, Call extends string, M> =
  KindOf<C> extends "Endpoint" | "Notification"
    ? C extends Badged
      ? `⛔ ${Call}: this ${KindOf<C>} capability has a badge, and gets no other`
      : C extends Endpoint<infer P, infer _R, infer _Q>
        ? [ClientOf<P>] extends [never]
          ? { readonly badge: bigint }
          : Client<P, Call, M>
        : { readonly badge: bigint }
    : KindOf<C> extends "CNode"
      ? { readonly guard: bigint; readonly guardBits: number }
      : `⛔ ${Call} marks an Endpoint, a Notification or a CNode capability, got ${KindOf<C>}`

/** A client that the protocol knows. */
type Client<P extends Protocol, Call extends string, M> = M extends { readonly badge: infer N extends string }
  ? N extends ClientOf<P>
    ? M
    : `⛔ ${Call}: '${P["name"]}' has no client '${N}'`
  : { readonly badge: ClientOf<P> }

/** Delete a capability that was given up. If it was the last to its object, the object is no more. */
export const Cap_Delete = <C extends AnyCap>(
  cap: NeedSpent<C, "Cap_Delete">
): Effect.Effect<void, Refusal, Syscalls | Allocator | Using<C>> =>
  Effect.flatMap(Allocator, (allocator) => {
    const given = inPlace(cap)
    return Effect.tap(remove(allocator, cptrOf(given)), () => Effect.sync(() => end(given)))
  })

/** Move a capability that was given up to another capability space: whoever has that uses it by its index there. */
export const Cap_Move = <C extends AnyCap>(
  place: Place,
  cap: NeedSpent<C, "Cap_Move">
): Effect.Effect<void, Refusal, Syscalls | Allocator | Using<C, RightsOf<C>>> =>
  Effect.flatMap(Allocator, (allocator) => {
    const given = inPlace(cap)
    const { root, index, depth } = there(place)
    return Effect.map(
      invoke(CNode.Move, root, {
        destIndex: index,
        destDepth: depth,
        srcIndex: cptrOf(given),
        srcDepth: allocator.depth,
        srcRoot: allocator.cnode
      }),
      () => {
        end(given)
        allocator.release(cptrOf(given))
      }
    )
  })

/** Mark a capability that was given up, in its place. It holds what it held. */
export const Cap_Mutate = <C extends AnyCap, const M>(
  cap: NeedSpent<C, "Cap_Mutate">,
  mark: Mark<C, "Cap_Mutate", M>
): Effect.Effect<Marked<C, RightsOf<C>>, Refusal | OutOfSlots, Syscalls | Allocator | Using<C>> =>
  Effect.flatMap(Allocator, (allocator) =>
    Effect.flatMap(allocator.slots(1), (slot) => {
      const given = inPlace(cap)
      return invoke(CNode.Mutate, allocator.cnode, {
        ...{ destIndex: slot, destDepth: allocator.depth, srcIndex: cptrOf(given), srcDepth: allocator.depth },
        ...{ badge: markWord(mark, given), srcRoot: allocator.cnode }
      }).pipe(
        Effect.map(() => {
          end(given)
          allocator.release(cptrOf(given))
          return vouchedUnsafe<Marked<C, RightsOf<C>>>(elsewhereUnsafe(given, slot))
        }),
        Effect.onError(() => Effect.sync(() => allocator.release(slot)))
      )
    })
  )

/**
 * Move a capability that was given up to another capability space, and another one to its place, in one step: whoever looks there
 * finds the one or the other. @returns the other, where the first was.
 */
export const Cap_Rotate = <P extends AnyCap, C extends AnyCap>(
  place: Place,
  pivot: NeedSpent<P, "Cap_Rotate">,
  cap: NeedSpent<C, "Cap_Rotate">
): Effect.Effect<Derived<C, RightsOf<C>>, Refusal, Syscalls | Allocator | Using<P, RightsOf<P>> | Using<C>> =>
  Effect.flatMap(Allocator, (allocator) => {
    const [left, given] = [inPlace(pivot), inPlace(cap)]
    const { root, index, depth } = there(place)
    const here = { root: allocator.cnode, depth: allocator.depth }
    return Effect.map(
      invoke(CNode.Rotate, root, {
        ...{ destIndex: index, destDepth: depth, destBadge: 0n },
        ...{ pivotIndex: cptrOf(left), pivotDepth: here.depth, pivotBadge: 0n, pivotRoot: here.root },
        ...{ srcIndex: cptrOf(given), srcDepth: here.depth, srcRoot: here.root }
      }),
      () => {
        end(left)
        end(given)
        allocator.release(cptrOf(given))
        return vouchedUnsafe<Derived<C, RightsOf<C>>>(elsewhereUnsafe(given, cptrOf(left)))
      }
    )
  })

/** Let those wait no longer who wait to send through copies of an endpoint capability with its badge: their sends come to nothing. */
export const Cap_CancelBadgedSends = <C extends AnyCap>(
  endpoint: Need<C, "Cap_CancelBadgedSends", "Endpoint", RightOf<"Endpoint">>
): Effect.Effect<void, Refusal, Syscalls | Allocator | Using<C, RightOf<"Endpoint">>> =>
  Effect.flatMap(Allocator, (allocator) =>
    Effect.asVoid(
      invoke(CNode.CancelBadgedSends, allocator.cnode, { index: pointer(endpoint), depth: allocator.depth })
    )
  )

/** A slot of another capability space, by the right to delete there. */
export interface Holder<C, Call extends string> {
  readonly cnode: Need<C, Call, "CNode", "delete">
  readonly index: number
  readonly depth: number
}

/** Delete what another capability space has in a slot. */
export const Cap_DeleteFrom = <C extends AnyCap>({
  cnode,
  index,
  depth
}: Holder<C, "Cap_DeleteFrom">): Effect.Effect<void, Refusal, Syscalls | Using<C, "delete">> =>
  Effect.asVoid(invoke(CNode.Delete, pointer(cnode), { index: BigInt(index), depth }))

/** Delete all that was derived from what another capability space has in a slot. */
export const Cap_RevokeFrom = <C extends AnyCap>({
  cnode,
  index,
  depth
}: Holder<C, "Cap_RevokeFrom">): Effect.Effect<void, Refusal, Syscalls | Using<C, "delete">> =>
  Effect.asVoid(invoke(CNode.Revoke, pointer(cnode), { index: BigInt(index), depth }))

/** Delete all that was derived from a capability, wherever it is. */
export const Cap_Revoke = <C extends AnyCap>(
  cap: Need<C, "Cap_Revoke", Kind>
): Effect.Effect<void, Refusal, Syscalls | Allocator | Using<C>> =>
  Effect.flatMap(Allocator, (allocator) => revoke(allocator, pointer(cap)))

/**
 * Lend a copy to `body`. When that is over, however it ends, the copy and all that was derived from it are gone, wherever they are.
 * What uses the copy requires its region, which only `body` has: so nothing that uses it can be carried out of there.
 */
export const withRevocable = <C extends AnyCap, const L extends ReadonlyArray<string>, A, E, R>(
  source: C,
  rights: Keep<C, "withRevocable", L>,
  body: <Loan>(lent: Derived<C, L[number], Region<Loan>> & Lent) => Effect.Effect<A, E, R | Region<Loan>>
): Effect.Effect<
  A,
  E | Refusal | OutOfSlots,
  Exclude<R, Region<unknown>> | Syscalls | Allocator | Using<C, L[number]>
> =>
  Effect.flatMap(Allocator, (allocator) =>
    Effect.acquireUseRelease(
      inSlot<C, L[number], Region<unknown>, Refusal, Syscalls>(allocator, source, (slot) =>
        copy(allocator, source, rights, ownSlot(allocator, slot))
      ),
      // Nothing else can tell one loan from another.
      (copy) => body<unknown>(vouchedUnsafe(copy)) as Effect.Effect<A, E, Exclude<R, Region<unknown>>>,
      (copy) => {
        const given = inPlace(copy)
        const slot = cptrOf(given)
        // A fiber that was left behind may still have it, when something else is in its slot.
        end(given)
        // The copy is this function's alone: what the kernel refused here would be a promise broken.
        return Effect.orDie(Effect.andThen(revoke(allocator, slot), remove(allocator, slot)))
      }
    )
  )

/** A new table of 2^bits capabilities, all empty. */
export const CNode_Create = (
  bits: number
): Effect.Effect<Cap<"CNode", RightOf<"CNode">>, NotMade, Syscalls | Allocator> =>
  Effect.flatMap(Allocator, (allocator) =>
    Effect.map(allocator.make("CapTable", bits, 1), (slot) => capUnsafe<"CNode", RightOf<"CNode">>("CNode", slot))
  )

/**
 * A capability that is still in its slot, given up or not.
 *
 * @throws if it is not: something else may be there by now.
 */
const inPlace = (cap: unknown): AnyCap => {
  if (!isCap(cap)) throw new Error("a typed call was given something that is no capability")
  if (isGone(cap)) throw new Error("a capability was deleted or moved twice")
  return cap
}

interface SlotOf {
  readonly root: bigint
  readonly index: bigint
  readonly depth: number
}

const there = ({ cnode, index, depth }: Place): SlotOf => ({ root: pointer(cnode), index: BigInt(index), depth })

const ownSlot = ({ cnode, depth }: AllocatorService, index: bigint): SlotOf => ({ root: cnode, index, depth })

/** Put what is derived from `source` into a slot of the program's own, which is given back if nothing comes of it. */
const inSlot = <C extends AnyCap, R, Q, E, Env>(
  allocator: AllocatorService,
  source: C,
  put: (slot: bigint) => Effect.Effect<unknown, E, Env>
): Effect.Effect<Derived<C, R, Q>, E | OutOfSlots, Env> =>
  Effect.flatMap(allocator.slots(1), (slot) =>
    put(slot).pipe(
      Effect.map(() => derivedUnsafe<C, R, Q>(source, slot)),
      Effect.onError(() => Effect.sync(() => allocator.release(slot)))
    )
  )

const copy = (allocator: AllocatorService, source: unknown, rights: unknown, to: SlotOf) =>
  copyTo(allocator, held(source), keeping(held(source), rights), to)

const copyTo = (allocator: AllocatorService, source: AnyCap, rights: Rights.RightsWord, to: SlotOf) =>
  Effect.asVoid(
    invoke(CNode.Copy, to.root, {
      destIndex: to.index,
      destDepth: to.depth,
      srcIndex: pointer(source),
      srcDepth: allocator.depth,
      rights,
      srcRoot: allocator.cnode
    })
  )

const revoke = (allocator: AllocatorService, slot: bigint) =>
  Effect.asVoid(invoke(CNode.Revoke, allocator.cnode, { index: slot, depth: allocator.depth }))

/** Empty a slot of the program's own and give it back. */
const remove = (allocator: AllocatorService, slot: bigint) =>
  Effect.andThen(
    invoke(CNode.Delete, allocator.cnode, { index: slot, depth: allocator.depth }),
    Effect.sync(() => allocator.release(slot))
  )

/** As `Cap_Copy` and `Cap_Mint`, of what the compiler knows only as a capability: the rights are some that the source has. */
export const derive = (
  source: AnyCap,
  rights: ReadonlyArray<string>,
  mark?: bigint
): Effect.Effect<AnyCap, Refusal | OutOfSlots, Syscalls | Allocator> =>
  Effect.flatMap(Allocator, (allocator) =>
    Effect.flatMap(allocator.slots(1), (slot) => {
      const given = {
        destIndex: slot,
        destDepth: allocator.depth,
        srcIndex: pointer(source),
        srcDepth: allocator.depth,
        rights: keeping(source, rights),
        srcRoot: allocator.cnode
      }
      const put =
        mark === undefined
          ? invoke(CNode.Copy, allocator.cnode, given)
          : invoke(CNode.Mint, allocator.cnode, { ...given, badge: mark })
      return put.pipe(
        Effect.map(() => elsewhereUnsafe(source, slot)),
        Effect.onError(() => Effect.sync(() => allocator.release(slot)))
      )
    })
  )

/** As `Cap_Delete`, of what `derive` made. */
export const discard = (cap: AnyCap): Effect.Effect<void, Refusal, Syscalls | Allocator> =>
  Effect.flatMap(Allocator, (allocator) => {
    const slot = cptrOf(inPlace(cap))
    return Effect.map(remove(allocator, slot), () => end(cap))
  })

/** The rights word that keeps the rights named. What is made by it is a parent of its own, for revoke. */
const keeping = (source: AnyCap, rights: unknown): Rights.RightsWord => {
  if (!Array.isArray(rights)) throw new Error("a typed call was given rights that its source does not have")
  const kind = kindOf(source)
  return Rights.wordKeeping(kind, Rights.fromNames(kind, rights), true)
}

/** A badge: a client's, by its name in the protocol that is spoken at the endpoint, or the program's own. */
export const badgeWord = (badge: bigint | string, source: AnyCap): bigint => {
  if (typeof badge === "bigint") return badge
  const protocol = protocolOf(source)
  if (protocol === undefined) throw new Error(`nobody knows a client '${badge}' where no protocol is spoken`)
  return badgeOf(protocol, badge)
}

/** The word that marks a copy. */
export const markWord = (mark: unknown, source?: AnyCap): bigint => {
  if (typeof mark !== "object" || mark === null) throw new Error("a copy was marked that takes no mark")
  if ("badge" in mark && typeof mark.badge === "bigint") return mark.badge
  if ("badge" in mark && typeof mark.badge === "string" && source !== undefined) return badgeWord(mark.badge, source)
  if ("guard" in mark && "guardBits" in mark && typeof mark.guard === "bigint" && typeof mark.guardBits === "number") {
    return CNodeData.toBigInt(mark.guard, mark.guardBits)
  }
  throw new Error("a mark is a badge, or a guard and its bits")
}
