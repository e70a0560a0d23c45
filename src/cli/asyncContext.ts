/**
 * Asynchronous context: what Node carries along with callbacks, for whoever asks for it by `node:async_hooks`.
 *
 * Effect keeps it across each suspension of a fiber, and a task's fiber is suspended at every system call: that would cost
 * a tenth of the call. Nobody here asks for it, so Effect is not to find it. To be imported before Effect is.
 */
import process from "node:process"

const { getBuiltinModule } = process

Object.defineProperty(process, "getBuiltinModule", {
  value: (name: string): unknown => (name === "node:async_hooks" ? undefined : getBuiltinModule(name))
})
