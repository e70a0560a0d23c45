/**
 * HostGlobals: the host's clocks, timers and chance, which no program may use.
 *
 * A program that used them would not be a function of the machine's answers. While a task runs, calling one is a defect that
 * names both. This is a discipline, no boundary: programs share the host's realm.
 */

/** What is guarded: an object of the host, and its functions. */
const guarded: ReadonlyArray<readonly [owner: string | undefined, names: ReadonlyArray<string>, instead: string]> = [
  ["Date", ["now"], "Effect's Clock"],
  ["performance", ["now"], "Effect's Clock"],
  ["Math", ["random"], "Effect's Random"],
  ["crypto", ["getRandomValues", "randomUUID"], "Effect's Random"],
  [undefined, ["setTimeout", "setInterval"], "Effect.sleep"],
  [undefined, ["setImmediate", "queueMicrotask"], "Effect.fork"],
  [undefined, ["fetch"], "a device of the machine"]
]

interface Guard {
  /** The task that runs, if one does. */
  running: string | undefined
  installed: boolean
}

const guard: Guard = { running: undefined, installed: false }

/** From here to `leave`, the task runs. */
export const enter = (task: string): void => {
  if (!guard.installed) install()
  guard.running = task
}

export const leave = (): void => {
  guard.running = undefined
}

/** The task that runs, if one does. */
export const running = (): string | undefined => guard.running

const install = (): void => {
  guard.installed = true
  guardDate()
  for (const [owner, names, instead] of guarded) {
    const object: unknown = owner === undefined ? globalThis : Reflect.get(globalThis, owner)
    if (typeof object !== "object" && typeof object !== "function") continue
    if (object === null) continue
    for (const name of names) wrap(object, name, owner === undefined ? name : `${owner}.${name}`, instead)
  }
}

/** Without arguments, Date is a clock; with them it is a calculator. */
const guardDate = (): void => {
  const original: unknown = Reflect.get(globalThis, "Date")
  if (typeof original !== "function") return
  const guarded = new Proxy(original, {
    construct: (target, args, newTarget) => {
      if (args.length === 0) refuse("new Date", "Effect's Clock")
      return Reflect.construct(target, args, newTarget)
    },
    apply: (target, self, args) => {
      refuse("Date", "Effect's Clock")
      return Reflect.apply(target, self, args)
    }
  })
  Reflect.set(globalThis, "Date", guarded)
}

/** @throws while a task runs. */
const refuse = (called: string, instead: string): void => {
  if (guard.running !== undefined) {
    throw new Error(`task '${guard.running}' used the host's ${called}: take ${instead}`)
  }
}

const wrap = (object: object, name: string, called: string, instead: string): void => {
  const original: unknown = Reflect.get(object, name)
  if (typeof original !== "function") return
  Reflect.set(object, name, function (this: unknown, ...args: ReadonlyArray<unknown>): unknown {
    refuse(called, instead)
    return Reflect.apply(original, this, args)
  })
}
