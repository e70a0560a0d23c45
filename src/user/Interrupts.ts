/** Interrupts: handlers, each by a capability, and the notification that one signals. */
import { Effect } from "effect"
import { type AnyCap, type Cap, capUnsafe, type LifetimeOf, type Using } from "../types/Capability.ts"
import type { RightOf } from "../types/Kind.ts"
import * as IRQHandler from "../types/methods/IRQHandler.ts"
import type { Need } from "../types/Need.ts"
import type { IoapicPin, MsiSource } from "../types/x86_64/InterruptSource.ts"
import * as IRQControl from "../types/x86_64/methods/IRQControl.ts"
import { Allocator, type OutOfSlots } from "./Allocator.ts"
import { invoke, pointer, type Refusal } from "./Invocation.ts"
import type { Syscalls } from "./Syscalls.ts"

type Handler<C> = Cap<"IRQHandler", RightOf<"IRQHandler">, LifetimeOf<C>>

/** The handler of a pin. Each can be had once. */
export const IRQControl_GetIOAPIC = <C extends AnyCap>(
  control: Need<C, "IRQControl_GetIOAPIC", "IRQControl", "issue">,
  { ioapic, pin, trigger, polarity, vector }: IoapicPin
): Effect.Effect<Handler<C>, Refusal | OutOfSlots, Syscalls | Allocator | Using<C, "issue">> =>
  issued((place) =>
    invoke(IRQControl.GetIOAPIC, pointer(control), {
      ...{ ...place, ioapic, pin, vector },
      level: Number(trigger === "level"),
      polarity: Number(polarity === "low")
    })
  )

/** The handler of a message-signalled interrupt. */
export const IRQControl_GetMSI = <C extends AnyCap>(
  control: Need<C, "IRQControl_GetMSI", "IRQControl", "issue">,
  { bus, device, function: of, handle, vector }: MsiSource
): Effect.Effect<Handler<C>, Refusal | OutOfSlots, Syscalls | Allocator | Using<C, "issue">> =>
  issued((place) =>
    invoke(IRQControl.GetMSI, pointer(control), {
      ...{ ...place, pciBus: bus, pciDev: device, pciFunc: of, handle, vector }
    })
  )

/** A slot, and what put a handler into it. */
const issued = <C>(
  issue: (place: {
    readonly index: bigint
    readonly depth: number
    readonly root: bigint
  }) => Effect.Effect<unknown, Refusal, Syscalls>
): Effect.Effect<Handler<C>, Refusal | OutOfSlots, Syscalls | Allocator> =>
  Effect.flatMap(Allocator, (allocator) =>
    Effect.flatMap(allocator.slots(1), (index) =>
      issue({ index, depth: allocator.depth, root: allocator.cnode }).pipe(
        Effect.map(() => capUnsafe<"IRQHandler", RightOf<"IRQHandler">, LifetimeOf<C>>("IRQHandler", index)),
        Effect.onError(() => Effect.sync(() => allocator.release(index)))
      )
    )
  )

/** Say which notification an interrupt signals. */
export const IRQHandler_SetNotification = <C extends AnyCap, N extends AnyCap>(
  handler: Need<C, "IRQHandler_SetNotification", "IRQHandler", "configure">,
  notification: Need<N, "IRQHandler_SetNotification", "Notification", "write">
): Effect.Effect<void, Refusal, Syscalls | Using<C, "configure"> | Using<N, "write">> =>
  Effect.asVoid(invoke(IRQHandler.SetNotification, pointer(handler), { notification: pointer(notification) }))

/** The interrupt was served: the next may come. */
export const IRQHandler_Ack = <C extends AnyCap>(
  handler: Need<C, "IRQHandler_Ack", "IRQHandler", "acknowledge">
): Effect.Effect<void, Refusal, Syscalls | Using<C, "acknowledge">> =>
  Effect.asVoid(invoke(IRQHandler.Ack, pointer(handler), {}))

/** Let an interrupt signal nothing. */
export const IRQHandler_Clear = <C extends AnyCap>(
  handler: Need<C, "IRQHandler_Clear", "IRQHandler", "configure">
): Effect.Effect<void, Refusal, Syscalls | Using<C, "configure">> =>
  Effect.asVoid(invoke(IRQHandler.Clear, pointer(handler), {}))
