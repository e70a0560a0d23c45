/**
 * Ipc: messages from thread to thread, and signals.
 *
 * A message is a label, up to 120 words, and up to 3 capabilities. The kernel gives it no meaning; typed messages are `Client`
 * and `Server`.
 */
import { Effect, Exit } from "effect"
import type { AnyCap, Using } from "../types/Capability.ts"
import type { Need, NeedToCall } from "../types/Need.ts"
import type { Syscall } from "../types/Syscall.ts"
import { isRefusal, pointer, type Refusal, refusal } from "./Invocation.ts"
import { type Arrived, done, type Outcome, type SlotAddress, type Syscalls, whole, withSyscalls } from "./Syscalls.ts"

export interface Message {
  /** 0 if left out. */
  readonly label?: number
  /** 64 bits each. */
  readonly words?: ReadonlyArray<bigint>
  /** Capabilities to give. They go only with the right to grant, and arrive only where a slot was named for them. */
  readonly caps?: ReadonlyArray<AnyCap>
}

const none: ReadonlyArray<never> = []

const transfer = <A, E>(
  syscall: Syscall,
  outcome: Outcome<A, E>,
  capability: bigint,
  message: Message,
  reply = 0n,
  receiveInto?: SlotAddress,
  destination = 0n
): Effect.Effect<A, E, Syscalls> =>
  withSyscalls((syscalls) =>
    syscalls.call(
      {
        syscall,
        capability,
        label: message.label ?? 0,
        words: message.words ?? none,
        caps: message.caps === undefined ? none : message.caps.map(pointer),
        reply,
        destination,
        receiveInto
      },
      outcome
    )
  )

const badgeOf: Outcome<bigint, never> = ({ badge }) => Exit.succeed(badge)
const answerOf: Outcome<Arrived, Refusal> = (arrived) =>
  isRefusal(arrived.label) ? Exit.fail(refusal("Call", arrived)) : Exit.succeed(arrived)

/** Send to an endpoint if somebody waits there to receive. Otherwise nothing happens. */
export const Send = <C extends AnyCap>(
  endpoint: Need<C, "Send", "Endpoint", "write">,
  message: Message
): Effect.Effect<void, never, Syscalls | Using<C, "write">> => transfer("NBSend", done, pointer(endpoint), message)

/** Send to an endpoint, and wait until somebody receives. */
export const SendBlocking = <C extends AnyCap>(
  endpoint: Need<C, "SendBlocking", "Endpoint", "write">,
  message: Message
): Effect.Effect<void, never, Syscalls | Using<C, "write">> => transfer("Send", done, pointer(endpoint), message)

/**
 * Send to an endpoint, and wait for the answer, which comes only to who has the right to it: 'grantReply', or 'grant'.
 *
 * An answer with the label of a kernel's refusal (1 to 10) is taken for one: a server's own labels begin above. What comes
 * back is refused too if the capability is gone, revoked by whom it came from.
 */
export const Call = <C extends AnyCap>(
  endpoint: NeedToCall<C, "Call">,
  message: Message,
  receiveInto?: SlotAddress
): Effect.Effect<Arrived, Refusal, Syscalls | Using<C, "write" | "grantReply">> =>
  transfer("Call", answerOf, pointer(endpoint), message, 0n, receiveInto)

/**
 * Wait for a message at an endpoint. With a reply object, whoever called can be answered through it, and lends its time if
 * this thread has none of its own; without, messages of callers cannot be answered.
 */
export const Receive = <C extends AnyCap, P extends AnyCap | undefined = undefined>(
  endpoint: Need<C, "Receive", "Endpoint", "read">,
  reply?: P extends AnyCap ? Need<P, "Receive", "Reply", "receive"> : undefined,
  receiveInto?: SlotAddress
): Effect.Effect<Arrived, never, Syscalls | Using<C, "read"> | Using<P, "receive">> =>
  reply === undefined
    ? transfer("Wait", whole, pointer(endpoint), {}, 0n, receiveInto)
    : transfer("Recv", whole, pointer(endpoint), {}, pointer(reply), receiveInto)

/** Answer the call that was received with this reply object. */
export const Reply = <P extends AnyCap>(
  reply: Need<P, "Reply", "Reply", "send">,
  message: Message
): Effect.Effect<void, never, Syscalls | Using<P, "send">> => transfer("Send", done, pointer(reply), message)

/** Answer a call, and wait for the next in the same system call. */
export const ReplyReceive = <C extends AnyCap, P extends AnyCap>(
  endpoint: Need<C, "ReplyReceive", "Endpoint", "read">,
  reply: Need<P, "ReplyReceive", "Reply", "send" | "receive">,
  message: Message,
  receiveInto?: SlotAddress
): Effect.Effect<Arrived, never, Syscalls | Using<C, "read"> | Using<P, "send" | "receive">> =>
  transfer("ReplyRecv", whole, pointer(endpoint), message, pointer(reply), receiveInto)

/**
 * Take the message of somebody who waits at an endpoint to send, waiting for nobody. The badge of what came is 0 if nobody waits: so
 * senders have badges where this is used.
 */
export const ReceivePoll = <C extends AnyCap, P extends AnyCap | undefined = undefined>(
  endpoint: Need<C, "ReceivePoll", "Endpoint", "read">,
  reply?: P extends AnyCap ? Need<P, "ReceivePoll", "Reply", "receive"> : undefined,
  receiveInto?: SlotAddress
): Effect.Effect<Arrived, never, Syscalls | Using<C, "read"> | Using<P, "receive">> =>
  reply === undefined
    ? transfer("NBWait", whole, pointer(endpoint), {}, 0n, receiveInto)
    : transfer("NBRecv", whole, pointer(endpoint), {}, pointer(reply), receiveInto)

/**
 * Send to one endpoint, if somebody waits there to receive, and wait for a message at another, in one system call: as `Send`, then
 * `Receive`. Nothing runs between the two, so that a thread without time of its own can say that it is ready.
 */
export const SendReceive = <D extends AnyCap, C extends AnyCap, P extends AnyCap | undefined = undefined>(
  destination: Need<D, "SendReceive", "Endpoint", "write">,
  message: Message,
  endpoint: Need<C, "SendReceive", "Endpoint", "read">,
  reply?: P extends AnyCap ? Need<P, "SendReceive", "Reply", "receive"> : undefined,
  receiveInto?: SlotAddress
): Effect.Effect<Arrived, never, Syscalls | Using<D, "write"> | Using<C, "read"> | Using<P, "receive">> =>
  reply === undefined
    ? transfer("NBSendWait", whole, pointer(endpoint), message, 0n, receiveInto, pointer(destination))
    : transfer("NBSendRecv", whole, pointer(endpoint), message, pointer(reply), receiveInto, pointer(destination))

/** Set the bits of the capability's badge in a notification. Whoever waits for it hears of them. */
export const Signal = <C extends AnyCap>(
  notification: Need<C, "Signal", "Notification", "write">
): Effect.Effect<void, never, Syscalls | Using<C, "write">> => transfer("Send", done, pointer(notification), {})

/** The capability pointer of a notification, for who signals it in a transaction of its own. */
export const Signal_Pointer = <C extends AnyCap>(
  notification: Need<C, "Signal_Pointer", "Notification", "write">
): Effect.Effect<bigint, never, Using<C, "write">> => Effect.sync(() => pointer(notification))

/** Wait until a notification has bits set. @returns them; none are set any more. */
export const Wait = <C extends AnyCap>(
  notification: Need<C, "Wait", "Notification", "read">
): Effect.Effect<bigint, never, Syscalls | Using<C, "read">> => transfer("Wait", badgeOf, pointer(notification), {})

/** Take the bits that are set in a notification, waiting for none. 0 if there are none. */
export const Poll = <C extends AnyCap>(
  notification: Need<C, "Poll", "Notification", "read">
): Effect.Effect<bigint, never, Syscalls | Using<C, "read">> => transfer("NBWait", badgeOf, pointer(notification), {})

/** Let the other threads of this priority run. */
export const Yield: Effect.Effect<void, never, Syscalls> = transfer("Yield", done, 0n, {})
