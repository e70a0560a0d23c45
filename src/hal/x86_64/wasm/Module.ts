import { Bytes, type Code } from "./Code.ts"
import { control, type ValueType, valueTypes } from "./instructions.ts"

export interface FunctionType {
  readonly parameters: ReadonlyArray<ValueType>
  readonly results: ReadonlyArray<ValueType>
}

/** How the addresses of a memory are held: `i64` from the memory64 feature on. */
export type AddressType = "i32" | "i64"

/** WebAssembly Core Specification, "Modules" of the binary format: the sections used here, in the order they must have. */
const section = { type: 1, import: 2, function: 3, export: 7, code: 10 } as const
const external = { function: 0, table: 1, memory: 2 } as const
const functionForm = 0x60
const functionReference = 0x70
const limits = { i32: 0, i64: 4 } as const satisfies Record<AddressType, number>

/** A module as it is put together: first all imports, then functions, whose indices count on from the imported ones. */
export class Module {
  private readonly types: Array<FunctionType> = []
  private readonly typeIndices = new Map<string, number>()
  private readonly imports: Array<(bytes: Bytes) => void> = []
  private readonly exports: Array<{ readonly name: string; readonly index: number }> = []
  private readonly bodies: Array<{
    readonly type: number
    readonly locals: ReadonlyArray<ValueType>
    readonly code: Code
  }> = []
  private imported = 0

  importMemory(module: string, name: string, address: AddressType = "i32") {
    this.imports.push((bytes) =>
      nameOf(nameOf(bytes, module), name).byte(external.memory).byte(limits[address]).unsigned(0)
    )
  }

  /** A table of functions. There is one. */
  importTable(module: string, name: string) {
    this.imports.push((bytes) =>
      nameOf(nameOf(bytes, module), name).byte(external.table).byte(functionReference).byte(limits.i32).unsigned(0)
    )
  }

  /** The function's index. */
  importFunction(module: string, name: string, type: FunctionType): number {
    const index = this.typeIndex(type)
    this.imports.push((bytes) => nameOf(nameOf(bytes, module), name).byte(external.function).unsigned(index))
    return this.imported++
  }

  /** The function's index. `locals` come after the parameters; `code` is without the final `end`. */
  addFunction(type: FunctionType, locals: ReadonlyArray<ValueType>, code: Code): number {
    this.bodies.push({ type: this.typeIndex(type), locals, code })
    return this.imported + this.bodies.length - 1
  }

  exportFunction(name: string, index: number) {
    this.exports.push({ name, index })
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const out = new Bytes(0x4000)
    for (const byte of [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]) out.byte(byte)
    vector(out, section.type, this.types, (bytes, { parameters, results }) => {
      typesOf(typesOf(bytes.byte(functionForm), parameters), results)
    })
    vector(out, section.import, this.imports, (bytes, write) => write(bytes))
    vector(out, section.function, this.bodies, (bytes, { type }) => bytes.unsigned(type))
    vector(out, section.export, this.exports, (bytes, { name, index }) =>
      nameOf(bytes, name).byte(external.function).unsigned(index)
    )
    vector(out, section.code, this.bodies, (bytes, { locals, code }) => {
      const declared = localsOf(locals)
      bytes
        .unsigned(declared.length + code.length + 1)
        .append(declared)
        .append(code)
        .byte(control.end)
    })
    return out.written
  }

  /** The number of a type, for calls through the table. */
  typeIndex(type: FunctionType): number {
    const key = `${type.parameters} ${type.results}`
    const known = this.typeIndices.get(key)
    if (known !== undefined) return known
    this.typeIndices.set(key, this.types.length)
    return this.types.push(type) - 1
  }
}

const vector = <A>(out: Bytes, id: number, items: ReadonlyArray<A>, write: (bytes: Bytes, item: A) => void) => {
  const bytes = new Bytes(0x400).unsigned(items.length)
  for (const item of items) write(bytes, item)
  out.byte(id).unsigned(bytes.length).append(bytes)
}

const typesOf = (bytes: Bytes, types: ReadonlyArray<ValueType>): Bytes => {
  bytes.unsigned(types.length)
  for (const type of types) bytes.byte(valueTypes[type])
  return bytes
}

const nameOf = (bytes: Bytes, name: string): Bytes => {
  const text = new TextEncoder().encode(name)
  bytes.unsigned(text.length)
  for (const byte of text) bytes.byte(byte)
  return bytes
}

/** Runs of one type are said once. */
const localsOf = (locals: ReadonlyArray<ValueType>): Bytes => {
  const runs: Array<{ type: ValueType; count: number }> = []
  for (const type of locals) {
    const last = runs.at(-1)
    if (last?.type === type) last.count++
    else runs.push({ type, count: 1 })
  }
  const bytes = new Bytes(16).unsigned(runs.length)
  for (const { type, count } of runs) bytes.unsigned(count).byte(valueTypes[type])
  return bytes
}
