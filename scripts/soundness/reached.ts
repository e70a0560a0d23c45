/** How far the tasks of a program have come: the number of each one's last statement that was begun. */
import { Effect } from "effect"

export const reached = new Map<string, number>()

export const at = (task: string, statement: number): Effect.Effect<void> =>
  Effect.sync(() => {
    reached.set(task, statement)
  })
