/** Cases run on the real processor, by native.c. */
import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setVectorAt, vectorAt } from "../../../../src/hal/x86_64/processor/vectorFunctions.ts"
import { type Case, gsBase, place } from "./cases.ts"
import { comparedFlags, type Outcome } from "./outcome.ts"
import { imageBytes } from "./x87.ts"

/** There is a processor to compare with. */
export const isNative = process.platform === "linux" && process.arch === "x64"

/** XMM0 to XMM15, then the upper halves of YMM0 to YMM15. */
const vectorBytes = 2 * 16 * 16
const x87At = 16 + 16 * 8 + 8 + 8 + vectorBytes
const caseBytes = x87At + imageBytes
const outcomeX87At = 16 * 8 + 6 * 8 + vectorBytes
const outcomeBytes = outcomeX87At + imageBytes + 8
const [BP, GP, PF] = [3, 13, 14]

export interface Native {
  readonly selectors: ReadonlyArray<number>
  readonly outcomes: ReadonlyArray<Outcome>
}

let program: string | undefined

/** @throws if there is no C compiler, or the program ends badly. */
export const runNative = (cases: ReadonlyArray<Case>, data: Uint8Array): Native => {
  program ??= compile()
  const { status, signal, stdout } = spawnSync(program, { input: inputOf(cases, data), maxBuffer: 2 ** 30 })
  if (status !== 0) throw new Error(`the native program ended with ${status ?? signal}`)
  const view = new DataView(stdout.buffer, stdout.byteOffset, stdout.byteLength)
  const selectors = Array.from({ length: 6 }, (_, i) => view.getUint16(2 * i, true))
  const outcomes: Array<Outcome> = []
  for (let offset = 12; offset < stdout.length; ) {
    const { outcome, bytes } = outcomeAt(view, offset)
    outcomes.push(outcome)
    offset += bytes
  }
  if (outcomes.length !== cases.length) throw new Error(`${cases.length} cases had ${outcomes.length} outcomes`)
  return { selectors, outcomes }
}

const compile = (): string => {
  const path = join(mkdtempSync(join(tmpdir(), "skyscope-")), "native")
  execFileSync("gcc", ["-O2", "-o", path, join(import.meta.dirname, "native.c")])
  return path
}

const inputOf = (cases: ReadonlyArray<Case>, data: Uint8Array): Uint8Array => {
  const header = 8 + data.length
  const bytes = new Uint8Array(header + cases.length * caseBytes)
  const view = new DataView(bytes.buffer)
  view.setBigUint64(0, gsBase, true)
  bytes.set(data, 8)
  cases.forEach(({ code, registers, rflags, mxcsr, vectors, x87 }, n) => {
    const start = header + n * caseBytes
    bytes.fill(0xcc, start, start + 16)
    bytes.set(code, start)
    registers.forEach((value, i) => {
      view.setBigUint64(start + 16 + 8 * i, value, true)
    })
    view.setBigUint64(start + 16 + 128, rflags, true)
    view.setBigUint64(start + 16 + 128 + 8, BigInt(mxcsr), true)
    vectors.forEach((value, i) => {
      setVectorAt(view, start + 16 + 128 + 16 + 16 * i, BigInt.asUintN(128, value))
      setVectorAt(view, start + 16 + 128 + 16 + 256 + 16 * i, value >> 128n)
    })
    bytes.set(x87, start + x87At)
  })
  return bytes
}

const outcomeAt = (view: DataView, start: number): { readonly outcome: Outcome; readonly bytes: number } => {
  const word = (i: number) => view.getBigUint64(start + 8 * i, true)
  const [rflags, rip, vector, error, address, mxcsr, runs] = [
    16,
    17,
    18,
    19,
    20,
    21,
    (outcomeX87At + imageBytes) / 8
  ].map(word) as [bigint, bigint, bigint, bigint, bigint, bigint, bigint]
  const changes = new Map<number, number>()
  let offset = start + outcomeBytes
  for (let run = 0n; run < runs; run++) {
    const [first, length] = [view.getUint16(offset, true), view.getUint16(offset + 2, true)]
    for (let i = 0; i < length; i++) changes.set(first + i, view.getUint8(offset + 4 + i))
    offset += 4 + length
  }
  const registers = Array.from({ length: 16 }, (_, i) => word(i))
  const outcome: Outcome = {
    registers,
    vectors: Array.from(
      { length: 16 },
      (_, i) => (vectorAt(view, start + 22 * 8 + 256 + 16 * i) << 128n) | vectorAt(view, start + 22 * 8 + 16 * i)
    ),
    mxcsr: Number(mxcsr),
    x87: new Uint8Array(view.buffer, view.byteOffset + start + outcomeX87At, imageBytes),
    rflags: rflags & comparedFlags,
    changes,
    ...endOf(rip, Number(vector), Number(error), address)
  }
  return { outcome, bytes: offset - start }
}

/** INT3 stands wherever an instruction can end; elsewhere the next fetch faults, which is no matter of this instruction. */
const endOf = (rip: bigint, vector: number, errorCode: number, address: bigint): Pick<Outcome, "rip" | "exception"> => {
  if (vector === BP) return { rip: rip - 1n, exception: undefined }
  const elsewhere = rip !== BigInt(place.start)
  if (elsewhere && (vector === PF || vector === GP)) return { rip, exception: undefined }
  return { rip, exception: { vector, errorCode, address } }
}
