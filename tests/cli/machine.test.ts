/** The command `machine` as it is typed, with kernels of a few instructions. */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "vitest"

const root = join(import.meta.dirname, "..", "..")
const folder = mkdtempSync(join(tmpdir(), "skyscope-"))
afterAll(() => rmSync(folder, { recursive: true }))

const machine = (...typed: ReadonlyArray<string>) => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, "bin", "skyscope.js"), "machine", ...typed],
    {
      cwd: folder,
      encoding: "utf8",
      input: ""
    }
  )
  return { status, stdout, stderr }
}

const file = (name: string, content: Uint8Array | string): string => {
  writeFileSync(join(folder, name), content)
  return name
}

/** A Multiboot kernel of these instructions, which begin at 100020H. */
const kernel = (name: string, code: ReadonlyArray<number>): string => {
  const bytes = new Uint8Array(0x20 + code.length)
  const view = new DataView(bytes.buffer)
  const [magic, flags, at] = [0x1bad_b002, 0x1_0000, 0x10_0000]
  const header = [magic, flags, -(magic + flags), at, at, 0, 0, at + 0x20]
  for (const [n, word] of header.entries()) view.setUint32(4 * n, word, true)
  bytes.set(code, 0x20)
  return file(name, bytes)
}

const word = (value: number) => [0, 8, 16, 24].map((by) => (value >>> by) & 0xff)
const out = (port: number, value: number) => [0xb0, value, 0xe6, port]
const say = (text: string) => [...text].flatMap((character) => out(0xe9, character.charCodeAt(0)))
const halt = [0xfa, 0xf4]
const loop = [0xfa, 0xeb, 0xfe]

describe("skyscope machine", () => {
  it("prints what the kernel prints, and ends as it says", () => {
    const { status, stdout, stderr } = machine("-k", kernel("greets", [...say("Hello\n"), ...out(0xf4, 20)]))
    assert.deepStrictEqual({ status, stdout, stderr }, { status: 41, stdout: "Hello\n", stderr: "" })
  })

  it("writes what is sent on COM2 to a file, and leaves what is sent on COM3 alone", () => {
    // MOV EDX, port; MOV AL, value; OUT DX, AL
    const send = (port: number, text: string) =>
      [...text].flatMap((character) => [0xba, port & 0xff, port >>> 8, 0, 0, 0xb0, character.charCodeAt(0), 0xee])
    const sends = kernel("sends", [...send(0x2f8, "two\n"), ...send(0x3e8, "three\n"), ...out(0xf4, 0)])
    const { status, stdout, stderr } = machine("-k", sends, "--serial", "2=com2")
    assert.deepStrictEqual({ status, stdout, stderr }, { status: 1, stdout: "", stderr: "" })
    assert.strictEqual(readFileSync(join(folder, "com2"), "utf8"), "two\n")
  })

  it("has no device that is switched off", () => {
    const greets = kernel("quiet", [...say("Hello\n"), ...out(0xf4, 20), ...halt])
    const { status, stdout } = machine("-k", greets, "--device", "isa-debugcon=off", "--device", "isa-debug-exit=off")
    assert.deepStrictEqual([status, stdout], [0, ""])
  })

  it("says where it was, and what was there, when no handler is reached", () => {
    // MOV ESP, 100000H; PUSH 12345678H; MOV EAX, [FFFFFFFFH]; UD2
    const code = [0xbc, 0, 0, 0x10, 0, 0x68, 0x78, 0x56, 0x34, 0x12, 0x0f, 0x0b]
    const { status, stderr } = machine("-k", kernel("falls", code))
    assert.strictEqual(status, 3)
    assert.match(stderr, /^skyscope: the processor stopped: no handler was reached \(triple fault\)\n/)
    assert.include(stderr, "RIP 00000000_0010002A")
    assert.include(stderr, "the instruction at RIP: 0F 0B ud2\n")
    assert.match(stderr, /the stack at RSP:\n {2}\w+_12345678/)
    assert.match(stderr, /CS {3}0008 {2}base 00000000_00000000/)
  })

  it("goes on where the kernel has told firmware, when it resets the processor for that", () => {
    const real = 0x8000
    // MOV AL, 2AH; OUT F4H, AL, in 16-bit code at 0800H:0000H.
    const copied = [0xb0, 0x2a, 0xe6, 0xf4].flatMap((byte, n) => [0xc6, 0x05, ...word(real + n), byte])
    // MOV DWORD [467H], 08000000H; CMOS 0FH = 0AH; an INIT for the processor that sends it.
    const pointer = [0xc7, 0x05, ...word(0x467), ...word(0x0800_0000)]
    const init = [0xc7, 0x05, ...word(0xfee0_0310), ...word(0), 0xc7, 0x05, ...word(0xfee0_0300), ...word(0x4500)]
    const resumes = kernel("resumes", [...copied, ...pointer, ...out(0x70, 0x0f), ...out(0x71, 0x0a), ...init, ...loop])
    assert.strictEqual(machine("-k", resumes, "-n", "1_000_000").status, 0x55)
    const byPort = kernel("byPort", [
      ...copied,
      ...pointer,
      ...out(0x70, 0x0f),
      ...out(0x71, 0x05),
      ...out(0x64, 0xfe),
      ...loop
    ])
    assert.strictEqual(machine("-k", byPort, "-n", "1_000_000").status, 0x55)
  })

  it("ends when the instructions that it may run are used up, whatever the kernel does", () => {
    const { status, stderr } = machine("-k", kernel("loops", loop), "-n", "1_000_000")
    assert.deepStrictEqual([status, stderr], [4, "skyscope: stopped after 1000000 instructions\n"])
  })

  it("goes on when a kernel writes to ROM, or to where nobody is", () => {
    // MOV DWORD [FEC10000H], EAX; MOV DWORD [BFFFFFF0H], EAX; MOV AL, [BFFFFFF0H]; OUT F4H
    const code = [0xa3, 0, 0, 0xc1, 0xfe, 0xa3, 0xf0, 0xff, 0xff, 0xbf, 0xa0, 0xf0, 0xff, 0xff, 0xbf, 0xe6, 0xf4]
    assert.strictEqual(machine("-k", kernel("writes", code)).status, 0xff)
  })

  it("traces instructions, ports and interrupts into a log", () => {
    const { stderr } = machine(
      "-k",
      kernel("traced", [...say("A"), 0x0f, 0x0b]),
      "--trace",
      "instructions,ports",
      "--trace",
      "interrupts",
      "--log",
      "log"
    )
    assert.match(stderr, /triple fault/)
    assert.strictEqual(
      readFileSync(join(folder, "log"), "utf8"),
      `0  00000000_00100020  mov al, 0x41
1  00000000_00100022  out 0xe9, al
2  out 00E9H <- 41H  debug console
2  00000000_00100024  ud2
2  exception #UD, error code 0H at CS:RIP 0008H:00000000_00100024, CPL 0
A`
    )
  })

  it("is told what a module is with it", () => {
    // MOV ECX, [EBX + 24] (mods_addr); MOV ECX, [ECX] (mod_start); MOV AL, [ECX]; OUT F4H
    const code = [0x8b, 0x4b, 0x18, 0x8b, 0x09, 0x8a, 0x01, 0xe6, 0xf4]
    const reads = kernel("reads", code)
    assert.strictEqual(machine("-k", reads, "--module", `${file("m", "A")} and arguments`).status, 2 * 65 + 1)
    assert.strictEqual(machine("-k", reads, "--initrd", `m one,m two`).status, 2 * 65 + 1)
  })

  it.each([
    ["nothing to start", [], "'machine' wants --kernel FILE"],
    ["what it cannot trace", ["--trace", "thoughts"], "nothing is called 'thoughts' that can be traced"],
    ["a device that nobody knows", ["--device", "sb16"], "there is no device 'sb16': there are isa-debug-exit"],
    ["a device that is neither on nor off", ["--device", "edu=dim"], "a device is on or off, not 'dim'"],
    [
      "a network that nobody knows",
      ["--net", "token-ring"],
      "there is no network 'token-ring': there are user, isolated"
    ],
    ["ports that are none", ["--net", "user", "--forward", "80"], "'80' is no pair of ports: 8080:80 is"],
    ["ports without a network", ["--forward", "8080:80"], "--forward wants --net user"],
    ["a clock that nobody knows", ["--clock", "sun"], "there is no clock 'sun': there are wall, instructions"],
    ["a console that nobody knows", ["--console", "vga"], "there is no console 'vga': there are serial, virtio"],
    ["too many processors", ["--cpus", "256"], "there are 1 to 255 processors, not 256"]
  ])("refuses %s in a sentence", (_what, typed, sentence) => {
    const { status, stderr } = machine(...typed)
    assert.include(stderr, `skyscope: ${sentence}`)
    assert.strictEqual(status, 2)
  })

  it.each([
    ["a kernel that is not there", () => ["-k", "nothing"], "nothing: there is no such file"],
    [
      "a kernel that is none",
      () => ["-k", file("letter", "Dear kernel")],
      "letter is no kernel that can be started here"
    ],
    ["a disk that is not there", () => ["-k", kernel("k", halt), "-d", "disk"], "disk: there is no such file"],
    ["a log that cannot be", () => ["-k", kernel("k", halt), "--log", "no/log"], "no/log: there is no such file"],
    [
      "a module that does not fit",
      () => ["-k", kernel("k", halt), "--module", file("large", new Uint8Array(2 ** 23)), "-m", "8M"],
      "large needs 8388608 bytes; the memory for it is 100022H to 800000H: give the machine more with --memory"
    ]
  ])("refuses %s in a sentence", (_what, typed, sentence) => {
    const { status, stderr } = machine(...typed())
    assert.include(stderr, `skyscope: ${sentence}`)
    assert.strictEqual(status, 2)
  })
})
