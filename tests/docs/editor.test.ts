/** What an editor shows of a refusal: asked as editors ask, of the compiler's own language server. */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { afterAll, assert, describe, it } from "vitest"

const root = join(import.meta.dirname, "../..")
mkdirSync(join(root, "dist"), { recursive: true })
const folder = mkdtempSync(join(root, "dist", "editor-"))
afterAll(() => rmSync(folder, { recursive: true }))

const text = `import { Effect } from "effect"
import { Cap_Copy, create, rootTask, Signal } from "skyscope"
export default rootTask(
  Effect.gen(function* () {
    const bell = yield* create("Notification")
    const hears = yield* Cap_Copy(bell, ["read"])
    yield* Signal(hears)
  })
)
`

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: { readonly items?: ReadonlyArray<unknown> }
  readonly result?: unknown
}

/** A language server, which is asked one thing after the other. "Language Server Protocol Specification". */
class Server {
  readonly #process: ChildProcess
  readonly #waiting = new Map<number, (result: unknown) => void>()
  #received = Buffer.alloc(0)
  #last = 0

  constructor() {
    const tsc = join(root, "node_modules/typescript/bin/tsc")
    this.#process = spawn(process.execPath, [tsc, "--lsp", "--stdio"], { cwd: root, stdio: ["pipe", "pipe", "ignore"] })
    this.#process.stdout!.on("data", (bytes: Buffer) => {
      this.#received = Buffer.concat([this.#received, bytes])
      for (let message = this.#next(); message !== undefined; message = this.#next()) this.#hear(message)
    })
  }

  #next(): Message | undefined {
    const header = this.#received.indexOf("\r\n\r\n")
    const length = Number(/Content-Length: (\d+)/.exec(this.#received.subarray(0, Math.max(0, header)).toString())?.[1])
    if (header < 0 || this.#received.length < header + 4 + length) return undefined
    const message: Message = JSON.parse(this.#received.subarray(header + 4, header + 4 + length).toString())
    this.#received = this.#received.subarray(header + 4 + length)
    return message
  }

  #hear({ id, method, params, result }: Message): void {
    if (id === undefined) return
    // It asks too, for settings that we have not.
    if (method !== undefined) this.#send({ id, result: params?.items?.map(() => null) ?? null })
    else this.#waiting.get(id)?.(result)
  }

  #send(message: object): void {
    const said = JSON.stringify({ jsonrpc: "2.0", ...message })
    this.#process.stdin!.write(`Content-Length: ${Buffer.byteLength(said)}\r\n\r\n${said}`)
  }

  tell(method: string, params: object): void {
    this.#send({ method, params })
  }

  ask(method: string, params: object): Promise<unknown> {
    const id = ++this.#last
    this.#send({ id, method, params })
    return new Promise((resolve) => this.#waiting.set(id, resolve))
  }

  end(): void {
    this.#process.kill()
  }
}

describe("an editor", () => {
  it("shows the sentence at what is wrong, and over the call that wants something else", {
    timeout: 120_000
  }, async () => {
    const file = join(folder, "program.ts")
    writeFileSync(file, text)
    const uri = pathToFileURL(file).href
    const server = new Server()
    try {
      await server.ask("initialize", { processId: process.pid, rootUri: pathToFileURL(root).href, capabilities: {} })
      server.tell("initialized", {})
      const textDocument = { uri, languageId: "typescript", version: 1, text }
      server.tell("textDocument/didOpen", { textDocument })
      const diagnostics = JSON.stringify(await server.ask("textDocument/diagnostic", { textDocument: { uri } }))
      const position = { line: 6, character: text.split("\n")[6]!.indexOf("Signal") }
      const hover = JSON.stringify(await server.ask("textDocument/hover", { textDocument: { uri }, position }))

      const sentence = "⛔ Signal needs right 'write'; this Notification capability holds 'read'"
      assert.include(diagnostics, sentence)
      assert.include(diagnostics, '"code":2345')
      assert.include(hover, sentence)
      // The guide draws it.
      const guide = readFileSync(join(root, "docs/guide.md"), "utf8")
      assert.include(guide, `notification: "${sentence}"`)
      assert.include(hover, "Whoever waits for it hears of")
    } finally {
      server.end()
    }
  })
})
