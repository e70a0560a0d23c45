#!/usr/bin/env node
/** Starts the command line on the Node that this package pins; runs itself on any Node from 20 on. */

import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import * as module from "node:module"
import { constants } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"

const root = join(dirname(fileURLToPath(import.meta.url)), "..")
/** In the sources, or in the package, which has JavaScript: a Node strips no types in node_modules. */
const main = [join(root, "src", "cli", "main.ts"), join(root, "lib", "cli", "main.js")].find(existsSync)
/** How our modules are loaded: beside it. */
const hooks = pathToFileURL(main.replace(/main(?=\.[jt]s$)/, "hooks")).href
/** Stripped and compiled sources: a start reads them instead of doing that again. */
const cache = join(root, ".cache", "node")
const pinned = 26

if (Number.parseInt(process.versions.node, 10) >= pinned) {
  module.enableCompileCache(cache)
  process.argv[1] = main
  await import(hooks)
  await import(pathToFileURL(main).href)
} else {
  const node = pinnedNode()
  if (node === undefined) {
    process.stderr.write(
      `skyscope: needs Node ${pinned}, this is ${process.version}, and the pinned one is not installed.\n` +
        "It comes with the npm package `node`, whose install script must run: npm rebuild node --ignore-scripts=false\n"
    )
    process.exitCode = 1
  } else {
    run(node)
  }
}

function pinnedNode() {
  try {
    const folder = dirname(module.createRequire(import.meta.url).resolve("node/package.json"))
    return ["node", "node.exe"].map((name) => join(folder, "bin", name)).find(existsSync)
  } catch {
    return undefined
  }
}

/** @param {string} node */
function run(node) {
  const child = spawn(node, ["--import", hooks, main, ...process.argv.slice(2)], {
    stdio: "inherit",
    env: { NODE_COMPILE_CACHE: cache, ...process.env }
  })
  for (const signal of ["SIGTERM", "SIGHUP", "SIGUSR2"]) process.on(signal, () => child.kill(signal))
  // A terminal tells both of us; anybody else tells only this process.
  for (const signal of ["SIGINT", "SIGQUIT"]) process.on(signal, () => process.stdin.isTTY || child.kill(signal))
  child.on("error", (error) => {
    process.stderr.write(`skyscope: ${node} does not start: ${error.message}\n`)
    process.exitCode = 1
  })
  child.on("exit", (code, signal) => {
    process.exitCode = signal === null ? code : 128 + constants.signals[signal]
  })
}
