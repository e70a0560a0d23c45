/** Syscall: the numbers of the system calls. Any other number is an UnknownSyscall fault. */

// biome-ignore format: a call, a line
export const syscalls = {
  /** Send, then wait for the answer. */
  Call:               -1,
  /** Answer, then receive. */
  ReplyRecv:          -2,
  /** Send if somebody is waiting, then receive. */
  NBSendRecv:         -3,
  /** Send if somebody is waiting, then wait without a reply object. */
  NBSendWait:         -4,
  /** Send, and wait until somebody receives. */
  Send:               -5,
  /** Send if somebody is waiting. */
  NBSend:             -6,
  Recv:               -7,
  NBRecv:             -8,
  /** Receive without a reply object. */
  Wait:               -9,
  NBWait:             -10,
  /** Give up the rest of this turn. */
  Yield:              -11,
  DebugPutChar:       -12,
  DebugDumpScheduler: -13,
  DebugHalt:          -14,
  DebugCapIdentify:   -15,
  DebugSnapshot:      -16,
  DebugNameThread:    -17,
  /** Run the virtual processor bound to the thread. */
  VMEnter:            -32
} as const

export type Syscall = keyof typeof syscalls

const names = new Map(Object.entries(syscalls).map(([name, number]) => [number as number, name as Syscall]))

export const ofNumber = (number: number): Syscall | undefined => names.get(number)
