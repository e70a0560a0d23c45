/** The command as it is typed: what it prints where, and how it ends. */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "vitest"

import { slots } from "../../src/types/BootInfo.ts"
import { Suspend } from "../../src/types/methods/TCB.ts"
import { syscalls } from "../../src/types/Syscall.ts"
import { elfOf, writeTo } from "../examples/machine-code.ts"

const root = join(import.meta.dirname, "..", "..")

/** A folder outside the project, for files that a user could write. */
const folder = mkdtempSync(join(tmpdir(), "skyscope-"))
afterAll(() => rmSync(folder, { recursive: true }))

const skyscope = (...typed: ReadonlyArray<string>) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, "bin", "skyscope.js"), ...typed], {
    cwd: root,
    encoding: "utf8"
  })
  return { status, stdout, stderr }
}

/** Run a file of this content. */
const runFile = (name: string, content: string | Uint8Array, ...options: ReadonlyArray<string>) => {
  const file = join(folder, name)
  writeFileSync(file, content)
  return skyscope("run", file, ...options)
}

const program = (body: string) => `
  import { Effect } from "effect"
  import { print, rootTask, startConsole } from "skyscope"
  export default rootTask(Effect.gen(function* () { ${body} }))
`

describe("skyscope", () => {
  it("says what can be typed, when asked", () => {
    const { status, stdout, stderr } = skyscope("--help")
    assert.include(stdout, "Usage: skyscope COMMAND [options]")
    assert.match(stdout, /run +Start a machine/)
    assert.deepStrictEqual([status, stderr], [0, ""])
  })

  it("says the same on stderr when nothing was typed", () => {
    const { status, stdout, stderr } = skyscope()
    assert.include(stderr, "Usage: skyscope COMMAND [options]")
    assert.deepStrictEqual([status, stdout], [2, ""])
  })

  it("says its version", () => {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
    assert.deepStrictEqual(skyscope("--version"), { status: 0, stdout: `${version}\n`, stderr: "" })
  })

  it("says what there is to a command", () => {
    const byOption = skyscope("run", "--help")
    assert.include(byOption.stdout, "Usage: skyscope run FILE [options]")
    assert.include(byOption.stdout, "--max-instructions N")
    assert.include(byOption.stdout, "Exit codes:")
    assert.strictEqual(byOption.status, 0)
    assert.deepStrictEqual(skyscope("help", "run"), byOption)
  })

  it.each([
    [["walk"], "there is no command 'walk'"],
    [["--wings"], "there is no option '--wings'"],
    [["help", "walk"], "there is no command 'walk'"],
    [["run"], "'run' wants FILE"],
    [["run", "one.ts", "two.ts"], "'run' wants FILE and no more, got 'two.ts'"],
    [["run", "one.ts", "--domains", "257"], "there are 1 to 256 domains, not 257"],
    [["run", "--wings", "one.ts"], "unknown option '--wings'"],
    [["run", "one.ts", "--memory", "much"], "'much' is no size: 64M or 1G are"],
    [["run", "one.ts", "--memory", "1M"], "the memory of a machine is a multiple of 64K from 8M to 3G, not 1M"],
    [["run", "one.ts", "--reading", "aloud"], "there is no reading 'aloud'"],
    [["run", "one.ts", "--max-instructions", "few"], "'few' is no number of instructions"],
    [["inspect"], "'inspect' wants FILE"],
    [
      ["inspect", "examples/system.ts", "--system", "other"],
      "'examples/system.ts' has no system 'other': it has 'system'"
    ],
    [["export", "examples/system.ts"], "'export' wants a language: --capdl"]
  ])("refuses %j in a sentence, and says where help is", (typed, sentence) => {
    const { status, stdout, stderr } = skyscope(...typed)
    assert.include(stderr, `skyscope: ${sentence}`)
    assert.match(stderr, /See 'skyscope (\w+ )?--help'\.\n$/)
    assert.deepStrictEqual([status, stdout], [2, ""])
  })
})

describe("skyscope run", () => {
  const elf = readFileSync(join(root, "examples", "pingpong", "server.elf"))

  it.each([
    ["no such file", () => skyscope("run", join(folder, "nothing.ts")), "nothing.ts: there is no such file"],
    ["a folder", () => skyscope("run", folder), ": it is a folder"],
    ["an empty file", () => runFile("empty.elf", ""), "empty.elf: it is empty"],
    [
      "a text",
      () => runFile("letter.txt", "Dear reader"),
      "letter.txt: it is no program: neither an ELF file, nor TypeScript"
    ],
    [
      "an ELF of which the header is cut off",
      () => runFile("a.elf", elf.subarray(0, 40)),
      "a.elf: it is shorter than an ELF header"
    ],
    [
      "an ELF of which the table is cut off",
      () => runFile("b.elf", elf.subarray(0, 100)),
      "b.elf: its program headers are cut off"
    ],
    [
      "an ELF of which a segment is cut off",
      () => runFile("c.elf", elf.subarray(0, 200)),
      "c.elf: a segment is cut off"
    ],
    [
      "an ELF for another machine",
      () => runFile("d.elf", withByte(elf, 18, 0xb7)),
      "d.elf: it is for another machine than x86-64"
    ],
    ["TypeScript that does not parse", () => runFile("wrong.ts", "export default ("), "wrong.ts: it does not load"],
    [
      "a program that exports nothing",
      () => runFile("none.ts", "export const one = 1"),
      "none.ts: it exports no root task"
    ],
    [
      "a program that exports something else",
      () => runFile("other.ts", "export default 1"),
      "other.ts: what it exports by default is no root task"
    ],
    [
      "a program without a file that it wants",
      () =>
        runFile(
          "wants.ts",
          'import { rootTask } from "skyscope"\nimport { Effect } from "effect"\nexport default rootTask({ files: { a: "a.bin" } }, () => Effect.void)'
        ),
      "a.bin: there is no such file"
    ]
  ])("refuses %s", (_name, run, sentence) => {
    const { status, stdout, stderr } = run()
    assert.include(stderr, sentence)
    assert.match(stderr, /^skyscope: /)
    assert.deepStrictEqual([status, stdout], [2, ""])
  })

  it("runs a program from anywhere, and prints what its console does", () => {
    const { status, stdout, stderr } = runFile("hello.ts", program('yield* print(yield* startConsole, "Hello\\n")'))
    assert.deepStrictEqual({ status, stdout, stderr }, { status: 0, stdout: "Hello\n", stderr: "" })
  })

  it("runs machine code as the first task", () => {
    const moveToRdx = (value: number) => [0x48, 0xc7, 0xc2, value, 0xff, 0xff, 0xff]
    const moveToRdi = (value: number) => [0x48, 0xc7, 0xc7, value, 0, 0, 0]
    const syscall = [0x0f, 0x05]
    const print = [...moveToRdx(syscalls.DebugPutChar & 0xff), ...moveToRdi("!".charCodeAt(0)), ...syscall]
    const moveLabelToRsi = [0x48, 0xc7, 0xc6, 0, Suspend.label << 4, 0, 0]
    const stop = [...moveToRdx(syscalls.Call & 0xff), ...moveToRdi(slots.tcb), ...moveLabelToRsi, ...syscall]
    const { status, stdout, stderr } = runFile("code.elf", elfOf([...print, ...stop]))
    assert.deepStrictEqual({ status, stdout, stderr }, { status: 0, stdout: "!", stderr: "" })
  })

  it("says where machine code was that did what it may not", () => {
    const { status, stderr } = runFile("wild.elf", elfOf(writeTo(0x1234n)))
    assert.match(stderr, /^skyscope: root has no fault handler, and is stopped at 40000AH: .* 1234H/)
    assert.strictEqual(status, 1)
  })

  it("says what a program failed with, and ends with 1", () => {
    const { status, stderr } = runFile("fails.ts", program('yield* Effect.fail({ _tag: "Tired", hours: 20 })'))
    assert.deepStrictEqual([status, stderr], [1, "skyscope: task 'root' failed: Tired (hours 20)\n"])
  })

  it("says which call the kernel refused", () => {
    const { status, stderr } = runFile(
      "refused.ts",
      `import { Effect } from "effect"
       import { BootInfo, Untyped_Retype, rootTask } from "skyscope"
       export default rootTask(Effect.gen(function* () {
         const { untyped } = yield* BootInfo
         yield* Untyped_Retype(untyped[0].cap, "TCB")
       }))`
    )
    assert.strictEqual(status, 1)
    assert.match(stderr, /^skyscope: task 'root' failed: Untyped_Retype: \w+/)
  })

  it("says who waits for the host, and ends with 1", () => {
    const { status, stderr } = runFile("waits.ts", program("yield* Effect.promise(() => new Promise(() => {}))"))
    assert.strictEqual(status, 1)
    assert.include(stderr, "skyscope: task 'root' waits for what no machine can give it")
  })

  it("stops after as many instructions as are allowed, and ends with 4", () => {
    const { status, stderr } = runFile("ever.ts", program("yield* Effect.forever(Effect.void)"), "-n", "1_000_000")
    // What is charged at once is not split.
    assert.match(stderr, /^skyscope: stopped after 1000\d{3} instructions\n$/)
    assert.strictEqual(status, 4)
  })

  it("starts a kernel with several scheduling domains, when asked", () => {
    const { status, stdout } = skyscope("run", "examples/hello.ts", "--domains", "256")
    assert.deepStrictEqual([status, stdout], [0, "Hello from a task in TypeScript.\n"])
  })

  it("says on stderr what was retired and what memory held, when asked", () => {
    const { status, stdout, stderr } = skyscope("run", "examples/hello.ts", "--stats")
    assert.deepStrictEqual([status, stdout], [0, "Hello from a task in TypeScript.\n"])
    assert.match(stderr, /^skyscope: \d+ instructions in \d+ ms, [\d.]+ MIPS.*\nskyscope: memory [0-9a-f]{16}\n$/)
  })
})

describe("skyscope inspect", () => {
  it("prints a system's tasks, then who has which capability", () => {
    const { status, stdout, stderr } = skyscope("inspect", "examples/system.ts")
    const [tasks = [], capabilities = []] = stdout.split("\n\n").map((table) => table.split(/ *\n/))
    assert.include(tasks, "painter  150       2000 of 10000 µs  none")
    assert.include(tasks, "ringer   50        5000 of 5000 µs   none    hermit")
    assert.include(capabilities, "reader   4     console   Endpoint      screen          write+grantReply  badge 1")
    assert.deepStrictEqual([status, stderr], [0, ""])
  })

  it("prints the capabilities as JSON, when asked", () => {
    const entries: ReadonlyArray<object> = JSON.parse(skyscope("inspect", "examples/system.ts", "--json").stdout)
    const [name, object, kind, rights] = ["console", "screen", "Endpoint", ["write", "grantReply"]]
    assert.deepInclude(entries, { task: "reader", slot: 4, name, object, kind, rights, badge: "1" })
  })

  const two = `
    import { defineSystem } from "skyscope"
    export const one = defineSystem({ objects: {}, tasks: {} })
    export const other = defineSystem({ objects: {}, tasks: {} })
  `

  it("takes the system that was asked for by name, if there are several", () => {
    const file = join(folder, "two.ts")
    writeFileSync(file, two)
    assert.include(skyscope("inspect", file).stderr, "two.ts' has 'one', 'other': say which with --system")
    assert.strictEqual(skyscope("inspect", file, "--system", "other").status, 0)
  })

  it.each([
    ["no such file", "nothing.ts", "nothing.ts: there is no such file"],
    ["an ELF", "examples/pingpong/server.elf", "server.elf: it is no TypeScript by its name"],
    ["a file without a system", "examples/hello.ts", "hello.ts: it exports no system"]
  ])("refuses %s", (_name, file, sentence) => {
    for (const typed of [["inspect", file] as const, ["export", file, "--capdl"] as const]) {
      const { status, stdout, stderr } = skyscope(...typed)
      assert.include(stderr, sentence)
      assert.deepStrictEqual([status, stdout], [2, ""])
    }
  })
})

describe("skyscope export", () => {
  it("writes a system as CapDL, to stdout or to a file", () => {
    const { status, stdout } = skyscope("export", "examples/system.ts", "--capdl")
    assert.match(stdout, /^arch x86_64\n\nobjects \{\n {2}screen = ep\n/)
    const file = join(folder, "system.cdl")
    assert.deepStrictEqual(skyscope("export", "examples/system.ts", "--capdl", "-o", file), {
      status: 0,
      stdout: "",
      stderr: ""
    })
    assert.deepStrictEqual([status, readFileSync(file, "utf8")], [0, stdout])
  })

  it("says why a file cannot be written", () => {
    const { status, stderr } = skyscope("export", "examples/system.ts", "--capdl", "--output", folder)
    assert.deepStrictEqual([status, stderr], [2, `skyscope: ${folder}: it is a folder\n`])
  })
})

const withByte = (bytes: Uint8Array, at: number, value: number): Uint8Array => {
  const changed = Uint8Array.from(bytes)
  changed[at] = value
  return changed
}
