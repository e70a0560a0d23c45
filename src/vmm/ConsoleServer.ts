/**
 * ConsoleServer: a task that has the machine's serial port, and lets several guests have it for theirs.
 *
 * What guests say goes out as it comes; where there are several, a line at a time, with the guest's name before it. What is typed goes to
 * one of them: Control-A and a digit say to which.
 */
import { Effect } from "effect"
import type { Cap } from "../types/Capability.ts"
import { Com1_Listen, Com1_Receive, Com1_Send } from "../user/Console.ts"
import { IRQHandler_Ack, IRQHandler_SetNotification } from "../user/Interrupts.ts"
import { Signal, Wait } from "../user/Ipc.ts"
import { Ring } from "../user/Ring.ts"
import { Shared_Address } from "../user/Shared.ts"
import { Syscalls } from "../user/Syscalls.ts"
import { serverTask } from "../user/System.ts"
import { consolePage } from "./channels.ts"

/** Where the serial port's interrupt comes in. */
export const com1Interrupt = { ioapic: 0, pin: 4, trigger: "edge", polarity: "high", vector: 0 } as const

const own = { port: "IOPort", interrupt: "IRQHandler", bell: "Notification", ring: "Notification" } as const
const each = { page: "Frame", wake: "Notification" } as const

/** The task, for guests by these names; `shown`: what they are called on the screen, if that is something else. */
export const consolesTask = <const N extends string>(
  names: ReadonlyArray<N>,
  shown: (name: N) => string = (name) => name
) =>
  serverTask(names, own, each, (has, clients) =>
    serveConsoles(
      has,
      clients.map((client) => ({ ...client, name: shown(client.name) }))
    )
  )

interface Client<F, W> {
  readonly name: string
  readonly page: Cap<"Frame", "read" | "write", F>
  readonly wake: Cap<"Notification", "write", W>
}

interface Held<P, I, B, R> {
  readonly port: Cap<"IOPort", "in" | "out", P>
  readonly interrupt: Cap<"IRQHandler", "configure" | "acknowledge", I>
  /** Signalled by the interrupt and by clients. */
  readonly bell: Cap<"Notification", "read", B>
  /** The same with the badge of the interrupt. */
  readonly ring: Cap<"Notification", "write", R>
}

export const interruptBadge = 1n << 63n

const escapeKey = 0x01
const [zero, lineFeed, carriageReturn] = ["0".charCodeAt(0), 0x0a, 0x0d]

const serveConsoles = <P, I, B, R, F, W>(
  { port, interrupt, bell, ring }: Held<P, I, B, R>,
  clients: ReadonlyArray<Client<F, W>>
) =>
  Effect.gen(function* () {
    const { memory } = yield* Syscalls
    const screens = yield* Effect.forEach(clients, ({ name, page, wake }) =>
      Effect.map(Shared_Address(page), (at) => ({
        wake,
        name: new TextEncoder().encode(`${name} | `),
        output: new Ring(memory, at + consolePage.output.at, consolePage.output.bytes),
        input: new Ring(memory, at + consolePage.input.at, consolePage.input.bytes),
        /** Of a line that has not ended. */
        line: [] as number[]
      }))
    )
    const isShared = screens.length > 1
    /** Whose line stands on the screen without an end. */
    let open: (typeof screens)[number] | undefined
    let [focus, isEscaped] = [0, false]

    const shown = (screen: (typeof screens)[number], bytes: Uint8Array): Uint8Array => {
      if (!isShared) return bytes
      const out: Array<number> = []
      for (const byte of bytes) {
        if (open !== screen) {
          if (open !== undefined) out.push(carriageReturn, lineFeed)
          out.push(...screen.name, ...screen.line)
          open = screen
        }
        out.push(byte)
        screen.line.push(byte)
        if (byte !== lineFeed) continue
        screen.line.length = 0
        open = undefined
      }
      return Uint8Array.from(out)
    }

    /** What is typed, as the guest that it is for gets it. */
    const typed = (byte: number): { readonly screen: (typeof screens)[number]; readonly byte: number } | undefined => {
      if (byte === escapeKey && !isEscaped && isShared) {
        isEscaped = true
        return undefined
      }
      if (isEscaped) {
        isEscaped = false
        const chosen = byte - zero - 1
        if (chosen >= 0 && chosen < screens.length) {
          focus = chosen
          return undefined
        }
      }
      return { screen: screens[focus]!, byte }
    }

    yield* IRQHandler_SetNotification(interrupt, ring)
    yield* Com1_Listen(port)
    for (;;) {
      const badge = yield* Wait(bell)
      if (badge & interruptBadge) {
        // What arrives from here on interrupts again: an edge that nobody waits for would be the last.
        yield* IRQHandler_Ack(interrupt)
        for (const byte of yield* Com1_Receive(port)) {
          const key = typed(byte)
          if (key === undefined) continue
          key.screen.input.put(Uint8Array.of(key.byte))
          yield* Signal(key.screen.wake)
        }
      }
      for (const screen of screens) {
        const bytes = screen.output.take()
        if (bytes.length > 0) yield* Com1_Send(port, shown(screen, bytes))
      }
    }
  })
