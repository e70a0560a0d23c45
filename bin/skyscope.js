#!/usr/bin/env node
// Starts the command line on the Node this package pins; runs itself on any Node from 20 on.

import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { constants } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const main = new URL("../src/cli/main.ts", import.meta.url)
const pinned = 26

if (Number.parseInt(process.versions.node, 10) >= pinned) {
  // The command line reads the program's arguments behind its own path, however it was started.
  process.argv[1] = fileURLToPath(main)
  await import(main.href)
} else {
  const node = pinnedNode()
  if (node === undefined) {
    process.stderr.write(
      `skyscope: needs Node ${pinned}, this is ${process.version}, and the pinned one is not installed.\n` +
        "It comes with the npm package `node`, whose install script must run: npm rebuild node --ignore-scripts=false\n"
    )
    process.exit(1)
  }
  run(node)
}

/** @returns {string | undefined} */
function pinnedNode() {
  try {
    const folder = dirname(createRequire(import.meta.url).resolve("node/package.json"))
    return ["node", "node.exe"].map((name) => join(folder, "bin", name)).find((path) => existsSync(path))
  } catch {
    return undefined
  }
}

/** @param {string} node */
function run(node) {
  const child = spawn(node, [fileURLToPath(main), ...process.argv.slice(2)], { stdio: "inherit" })
  /** @type {NodeJS.Signals[]} */
  const passedOn = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR2", "SIGWINCH"]
  for (const signal of passedOn) process.on(signal, () => child.kill(signal))
  child.on("error", (error) => {
    process.stderr.write(`skyscope: ${node} does not start: ${error.message}\n`)
    process.exitCode = 1
  })
  child.on("exit", (code, signal) => {
    process.exitCode = signal === null ? (code ?? 1) : 128 + constants.signals[signal]
  })
}
