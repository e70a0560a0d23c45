/** Loads modules of ours with own names (ownNames.ts). To be imported before any of them is: `node --import`. */
import { registerHooks } from "node:module"
import { withOwnNames } from "./ownNames.ts"

const ours = new URL("..", import.meta.url).href

registerHooks({
  load: (url, context, nextLoad) => {
    const loaded = nextLoad(url, context)
    const { source } = loaded
    if (!url.startsWith(ours) || source === undefined || source === null) return loaded
    const text = typeof source === "string" ? source : new TextDecoder().decode(source)
    return { ...loaded, source: withOwnNames(text) }
  }
})
