/**
 * TimerServer: a task that has the machine's HPET, and signals others when the time that they wrote has come.
 *
 * A client has a page that it shares with this task alone, and a notification. IA-PC HPET Specification 1.0a, "Register Model".
 */
import { Clock, Effect } from "effect"
import type { Cap } from "../types/Capability.ts"
import type { ThreadMemory } from "../types/Gate.ts"
import { IRQHandler_Ack, IRQHandler_SetNotification } from "./Interrupts.ts"
import { Signal, Wait } from "./Ipc.ts"
import { Shared_Address } from "./Shared.ts"
import { Syscalls } from "./Syscalls.ts"

/** In a client's page: nanoseconds since the machine started when it wants to be signalled, in 64 bits; 0 for never. */
const alarmAt = 0

/** Registers, by offset. */
const register = { GEN_CONF: 0x10, MAIN_CNT: 0xf0, CONF0: 0x100, COMPARATOR0: 0x108, FSB0: 0x110 } as const
const ENABLE = 1
const conf = { INT_ENB: 1 << 2, FSB_EN: 1 << 14 } as const

/** A tick of the counter. */
const nanosecondsPerTick = 10

/** Where the machine's HPET is, and the message that its timer 0 sends. On the wire a vector is 30H more than the kernel's. */
export const hpetAddress = 0xfed0_0000
const vector = 1
export const hpetInterrupt = { bus: 0xff, device: 1, function: 0, handle: 0, vector } as const
const message = { address: 0xfee0_0000, data: 0x30 + vector } as const

export interface Client<F, W> {
  readonly page: Cap<"Frame", "read" | "write", F>
  readonly wake: Cap<"Notification", "write", W>
}

export interface Held<M, I, B, R> {
  readonly registers: Cap<"Frame", "read" | "write", M>
  readonly interrupt: Cap<"IRQHandler", "configure" | "acknowledge", I>
  /** Signalled by the interrupt and by clients. */
  readonly bell: Cap<"Notification", "read", B>
  /** The same with the badge of the interrupt. */
  readonly ring: Cap<"Notification", "write", R>
}

export const interruptBadge = 1n << 63n

class Registers {
  private readonly memory: ThreadMemory
  private readonly base: number
  constructor(memory: ThreadMemory, base: number) {
    this.memory = memory
    this.base = base
  }
  read64(offset: number): bigint {
    const bytes = new Uint8Array(8)
    this.memory.read(this.base + offset, bytes)
    return new DataView(bytes.buffer).getBigUint64(0, true)
  }
  write32(offset: number, value: number): void {
    const bytes = new Uint8Array(4)
    new DataView(bytes.buffer).setUint32(0, value >>> 0, true)
    this.memory.write(this.base + offset, bytes)
  }
  write64(offset: number, value: bigint): void {
    const bytes = new Uint8Array(8)
    new DataView(bytes.buffer).setBigUint64(0, value, true)
    this.memory.write(this.base + offset, bytes)
  }
}

export const serveTime = <M, I, B, R, F, W>(
  { registers, interrupt, bell, ring }: Held<M, I, B, R>,
  clients: ReadonlyArray<Client<F, W>>
) =>
  Effect.gen(function* () {
    const { memory } = yield* Syscalls
    const clock = yield* Clock.Clock
    const hpet = new Registers(memory, yield* Shared_Address(registers))
    yield* IRQHandler_SetNotification(interrupt, ring)
    hpet.write32(register.GEN_CONF, ENABLE)
    hpet.write32(register.FSB0, message.data)
    hpet.write32(register.FSB0 + 4, message.address)
    const now = () => Number(clock.currentTimeNanosUnsafe())
    /** What the counter is behind the time, in ticks. */
    const behind = Math.floor(now() / nanosecondsPerTick) - Number(hpet.read64(register.MAIN_CNT))

    const alarms = yield* Effect.forEach(clients, ({ page, wake }) =>
      Effect.map(Shared_Address(page), (at) => ({ at: at + alarmAt, wake }))
    )
    const word = new Uint8Array(8)
    const view = new DataView(word.buffer)
    const never = Number.POSITIVE_INFINITY
    for (;;) {
      const badge = yield* Wait(bell)
      if (badge & interruptBadge) yield* IRQHandler_Ack(interrupt)
      let first = never
      for (const { at, wake } of alarms) {
        if (!memory.read(at, word)) continue
        const due = Number(view.getBigUint64(0, true))
        if (due === 0) continue
        if (due > now()) first = Math.min(first, due)
        else {
          view.setBigUint64(0, 0n, true)
          memory.write(at, word)
          yield* Signal(wake)
        }
      }
      hpet.write32(register.CONF0, conf.FSB_EN)
      if (first === never) continue
      // A comparator that the counter has passed does not match: by the time that it is written, it must be ahead.
      const ticks = Math.max(Math.ceil(first / nanosecondsPerTick), Math.floor(now() / nanosecondsPerTick) + least)
      hpet.write64(register.COMPARATOR0, BigInt(ticks - behind))
      hpet.write32(register.CONF0, conf.FSB_EN | conf.INT_ENB)
    }
  })

/** Ticks that setting the comparator takes at most. */
const least = 50

/** What a client does, whose page is at an address: it is signalled when the time is `due`, once. */
export const setAlarm = (memory: ThreadMemory, page: number, due: number): void => {
  const word = new Uint8Array(8)
  if (Number.isFinite(due)) new DataView(word.buffer).setBigUint64(0, BigInt(Math.ceil(due)), true)
  memory.write(page + alarmAt, word)
}
