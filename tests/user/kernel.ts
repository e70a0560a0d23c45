/** A kernel for tests: slots of one capability space, what was derived from what, and a record of every call. */
import { Context, Effect, type Exit } from "effect"
import { all } from "../../src/types/Methods.ts"
import { objectTypes } from "../../src/types/ObjectType.ts"
import * as SyscallError from "../../src/types/SyscallError.ts"
import * as Word from "../../src/types/Word.ts"
import * as Allocator from "../../src/user/Allocator.ts"
import { type Arrived, type MessageCall, Syscalls } from "../../src/user/Syscalls.ts"
import { noMemory } from "./machine.ts"

/** A call, by the name of its method and of its arguments. */
export type Called = Readonly<Record<string, unknown>> & { readonly method: string; readonly on: bigint }

export interface Held {
  readonly kind: string
  /** What it was derived from. */
  readonly from: bigint | undefined
}

/** What the kernel says to a call instead of doing it, if anything. */
export type Refuse = (called: Called) => SyscallError.SyscallError<never> | undefined

/** The program's own CNode, and its untyped memory. */
export const cnode = 2n
export const memory = 50n
/** Slots from here on are empty at the start. */
export const firstSlot = 100

const methods = new Map(all.map((method) => [method.label, method]))

const decode = (call: MessageCall): Called => {
  const method = methods.get(call.label)
  if (call.syscall !== "Call" || method === undefined) {
    const { capability: on, syscall: method, ...said } = call
    return { method, on, ...said }
  }
  const words = Object.entries(method.words).map(([name, field], index) => [
    name,
    field.decode(call.words[index] ?? 0n)
  ])
  const caps = Object.keys(method.caps).map((name, index) => [name, call.caps[index] ?? 0n])
  return { method: method.name, on: call.capability, ...Object.fromEntries([...words, ...caps]) }
}

export class Kernel {
  readonly slots = new Map<bigint, Held>([[memory, { kind: "Untyped", from: undefined }]])
  readonly called: Array<Called> = []
  readonly #refuse: Refuse
  #fibers = 0

  constructor(refuse: Refuse = () => undefined) {
    this.#refuse = refuse
  }

  /** The calls of one method. */
  calls(method: string): ReadonlyArray<Called> {
    return this.called.filter((called) => called.method === method)
  }

  /** What the program's own slots hold, beside what they held at the start. */
  kinds(): ReadonlyArray<string> {
    return [...this.slots.entries()].flatMap(([slot, { kind }]) => (slot === memory ? [] : [kind]))
  }

  readonly syscalls = Syscalls.of({
    call: (call, outcome) => Effect.suspend(() => outcome(this.#answer(decode(call)))),
    raw: () => Effect.die("no program makes raw calls"),
    read: (_, length) => Effect.succeed(new Uint8Array(length)),
    write: () => Effect.void,
    fork: () => Effect.sync(() => ++this.#fibers),
    memory: noMemory,
    transact: () => Effect.die("no program of these runs a guest"),
    setIpcBuffer: () => Effect.void
  })

  /** How a program ends that has this kernel, and an allocator of its own. */
  run<A, E>(program: Effect.Effect<A, E, Syscalls | Allocator.Allocator>): Exit.Exit<A, E> {
    const allocator = Allocator.make({ cnode, depth: 64, start: firstSlot, end: firstSlot + 1000 }, [
      { untyped: memory, address: 0, bits: 30, isDevice: false }
    ])
    const services = Context.make(Syscalls, this.syscalls).pipe(Context.add(Allocator.Allocator, allocator))
    return Effect.runSyncExit(Effect.provideContext(program, services))
  }

  #answer(called: Called): Arrived {
    this.called.push(called)
    const refused = this.#refuse(called) ?? this.#perform(called)
    const words = refused === undefined ? [] : SyscallError.toWords(refused).map(Word.toBigInt)
    const label = refused === undefined ? 0 : SyscallError.labels[refused._tag]
    return { badge: 0n, label, words, extraCaps: 0, unwrapped: 0, badges: [] }
  }

  #perform(called: Called): SyscallError.SyscallError<never> | undefined {
    switch (called.method) {
      case "Untyped_Retype":
        return this.#retype(called)
      case "CNode_Copy":
      case "CNode_Mint":
        return called.on === cnode ? this.#put(called.destIndex, { from: called.srcIndex }) : undefined
      case "CNode_Move": {
        const refused = this.#put(called.destIndex, { from: called.srcIndex, moved: true })
        if (refused === undefined) this.slots.delete(called.srcIndex as bigint)
        return refused
      }
      case "CNode_Delete":
        this.slots.delete(called.index as bigint)
        return undefined
      case "CNode_Revoke":
        this.#revoke(called.index as bigint)
        return undefined
      default:
        return undefined
    }
  }

  #retype({ on, type, nodeOffset, numObjects }: Called): SyscallError.SyscallError<never> | undefined {
    const [, row] = Object.entries(objectTypes).find(([, { number }]) => number === type)!
    for (let index = 0; index < Number(numObjects); index++) {
      const slot = BigInt(Number(nodeOffset) + index)
      if (this.slots.has(slot)) return SyscallError.deleteFirst
      this.slots.set(slot, { kind: row.makes, from: on })
    }
    return undefined
  }

  #put(to: unknown, { from, moved = false }: { readonly from: unknown; readonly moved?: boolean }) {
    const source = this.slots.get(from as bigint)
    if (this.slots.has(to as bigint)) return SyscallError.deleteFirst
    const kind = source?.kind ?? "of boot"
    this.slots.set(to as bigint, { kind, from: moved ? source?.from : (from as bigint) })
    return undefined
  }

  #revoke(from: bigint): void {
    for (const [slot, held] of this.slots) {
      if (held.from !== from) continue
      this.#revoke(slot)
      this.slots.delete(slot)
    }
  }
}
