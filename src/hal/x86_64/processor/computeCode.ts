/** A function of vectors, called by made code: in native arithmetic where there is a function for that, else by its definition. */
import type { Emitter } from "./emit.ts"
import type { Compute } from "./lower.ts"
import { inputAt, resultAt, type VectorFunction, vectorFunctionNames } from "./vectorFunctions.ts"

/** The index of the function that does a function of vectors in native arithmetic, of so many parts and inputs of each, if there is one. */
export type Natives = (name: VectorFunction, parts: number, inputs: number) => number | undefined

/** Leaves 0 on the stack if it raises the exception in the state block; else `takeResults` gives what it gave. */
export const computeCode = (emitter: Emitter, { name, parts }: Compute, natives: Natives, definition: number) => {
  const { code } = emitter
  const native = natives(name, parts.length, parts[0]!.inputs.length)
  if (native !== undefined) {
    for (const { inputs } of parts) for (const input of inputs) emitter.value(input)
    code.call(native)
    return
  }
  for (const [part, { inputs }] of parts.entries())
    for (const [index, input] of inputs.entries()) {
      code.i32(0)
      emitter.value(input)
      code.storeVector(inputAt(part, index))
    }
  code.i32(vectorFunctionNames.indexOf(name)).i32(parts.length).call(definition)
}

export const takeResults = (emitter: Emitter, { parts }: Compute) => {
  for (const [part, { result }] of parts.entries()) {
    emitter.code.i32(0).loadVector(resultAt(part))
    emitter.take(result)
  }
}
