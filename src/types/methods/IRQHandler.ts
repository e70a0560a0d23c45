/** The methods of an interrupt. */
import { cap, method } from "../Method.ts"

/** It was served: the next may come. */
export const Ack = method({ name: "IRQHandler_Ack", label: 27, kind: "IRQHandler", rights: ["acknowledge"] })

/** Say which notification it signals. */
export const SetNotification = method({
  name: "IRQHandler_SetNotification",
  label: 28,
  kind: "IRQHandler",
  rights: ["configure"],
  caps: { notification: cap({ Notification: ["write"] }) }
})

/** Let it signal none. */
export const Clear = method({ name: "IRQHandler_Clear", label: 29, kind: "IRQHandler", rights: ["configure"] })
