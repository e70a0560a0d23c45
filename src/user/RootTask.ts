/**
 * RootTask: the first program of a system, which gets all there is.
 *
 *     export default rootTask(Effect.gen(function* () {
 *       const console = yield* startConsole
 *       yield* print(console, "Hello\n")
 *     }))
 */
import { Effect } from "effect"
import { slots } from "../types/BootInfo.ts"
import { cptrOf } from "../types/Capability.ts"
import type { Fiber } from "../types/Gate.ts"
import * as Allocator from "./Allocator.ts"
import * as BootInfo from "./BootInfo.ts"
import { Spawner, suspendSelf } from "./Spawn.ts"
import { Syscalls } from "./Syscalls.ts"
import * as Task from "./Task.ts"

/** What a first program may use. */
export type RootServices = Syscalls | BootInfo.BootInfo | Allocator.Allocator | Spawner

const typeId = "~skyscope/RootTask"

/** Whoever runs the system gives the files, and gets the fiber of the first thread. */
export interface RootTask {
  readonly [typeId]: typeof typeId
  /** The files that the program wants: by their names in the program, where they are, relative to the program's own file. */
  readonly files: Readonly<Record<string, string>>
  readonly fiber: (options: Task.Options, files: Readonly<Record<string, Uint8Array>>) => Fiber
}

export const isRootTask = (value: unknown): value is RootTask =>
  typeof value === "object" && value !== null && typeId in value

/** The first program of a system. When it ends, the others go on. */
export function rootTask<A, E>(program: Effect.Effect<A, E, RootServices>): RootTask
/** The same with files: what the program is given is what was in them when the system started. */
export function rootTask<A, E, const F extends Readonly<Record<string, string>>>(
  options: { readonly files: F },
  program: (files: { readonly [N in keyof F]: Uint8Array }) => Effect.Effect<A, E, RootServices>
): RootTask
export function rootTask(
  ...args:
    | [program: Effect.Effect<unknown, unknown, RootServices>]
    | [options: { readonly files: Readonly<Record<string, string>> }, program: Program]
): RootTask {
  const [files, program]: readonly [Readonly<Record<string, string>>, Program] =
    args.length === 1 ? [{}, () => args[0]] : [args[0].files, args[1]]
  return {
    [typeId]: typeId,
    files,
    fiber: (options, contents) =>
      Task.make({ last: suspendSelf(slots.tcb), ...options }, (bootInfo) => provided(bootInfo, program(contents)))
  }
}

type Program = (files: Readonly<Record<string, Uint8Array>>) => Effect.Effect<unknown, unknown, RootServices>

/** The program with all that the boot information at an address says that there is. */
const provided = (
  address: bigint,
  program: Effect.Effect<unknown, unknown, RootServices>
): Effect.Effect<unknown, unknown, Syscalls> =>
  Effect.gen(function* () {
    const bootInfo = yield* BootInfo.read(address)
    const syscalls = yield* Syscalls
    yield* syscalls.setIpcBuffer(bootInfo.ipcBuffer)
    return yield* program.pipe(
      Effect.provideService(Spawner, spawner(bootInfo)),
      Effect.provideService(Allocator.Allocator, allocator(bootInfo)),
      Effect.provideService(BootInfo.BootInfo, bootInfo)
    )
  })

/** All untyped memory, and all empty slots. */
const allocator = ({ cnode, empty, untyped }: BootInfo.BootInfoService): Allocator.AllocatorService =>
  Allocator.make(
    { cnode: cptrOf(cnode), depth: 64, ...empty },
    untyped.map(({ cap, address, bits, isDevice }) => ({ untyped: cptrOf(cap), address, bits, isDevice }))
  )

const spawner = ({ asidPool, schedControl, tcb, addressSpace, imageFrames }: BootInfo.BootInfoService) => {
  const [[firstCore], [gate]] = [schedControl, imageFrames]
  if (firstCore === undefined) throw new Error("the first task has the time of at least one core")
  if (gate === undefined)
    throw new Error("a first task written in TypeScript runs at the gate, which is all of its image")
  return Spawner.of({ asidPool, schedControl: firstCore, authority: tcb, addressSpace, gate })
}
