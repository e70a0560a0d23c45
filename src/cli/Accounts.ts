/** Accounts: what the threads of a system did: how long they ran, and which system calls they made. */
import { syscalls } from "../types/Syscall.ts"
import type { Called } from "../user/Task.ts"
import type { Consumed } from "../vmm/virtualMachines.ts"

const names = new Map<number, string>(Object.entries(syscalls).map(([name, number]) => [number, name]))

export class Accounts {
  private readonly microseconds = new Map<string, number>()
  private readonly calls = new Map<string, Map<number, number>>()

  readonly consumed: Consumed = (thread, microseconds) => {
    this.microseconds.set(thread, (this.microseconds.get(thread) ?? 0) + microseconds)
  }

  readonly called: Called = (thread, number) => {
    const calls = this.calls.get(thread) ?? new Map<number, number>()
    calls.set(number, (calls.get(number) ?? 0) + 1)
    this.calls.set(thread, calls)
  }

  /** A line for each thread. `instructions`: those of the machine's time at which it worked. */
  lines(instructions: number): ReadonlyArray<string> {
    const threads = [...new Set([...this.microseconds.keys(), ...this.calls.keys()])]
    const widest = Math.max(0, ...threads.map((thread) => thread.length))
    const timeOf = (thread: string): string => {
      const time = this.microseconds.get(thread)
      if (time === undefined) return "".padStart(22)
      return `${time} µs`.padStart(13) + `${((time * 1e5) / instructions).toFixed(1)} %`.padStart(9)
    }
    const callsOf = (thread: string): string =>
      [...(this.calls.get(thread) ?? [])]
        .sort(([, a], [, b]) => b - a)
        .map(([number, count]) => `${names.get(number) ?? number} ${count}`)
        .join(", ")
    return [
      "time and system calls of threads:",
      ...threads.map((thread) => `  ${thread.padEnd(widest)}${timeOf(thread)}  ${callsOf(thread)}`.trimEnd())
    ]
  }
}
