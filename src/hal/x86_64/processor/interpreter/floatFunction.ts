/** Functions of vectors as the generated code calls them: native arithmetic where that is the definition's, else the definition. */
import type { Code } from "../../wasm/Code.ts"
import type { ValueType } from "../../wasm/instructions.ts"
import type { FunctionType } from "../../wasm/Module.ts"
import { Emitter } from "../emit.ts"
import type { Vector } from "../Graph.ts"
import { inexactIn, isNativeMode, nativeFloat } from "../nativeFloat.ts"
import { stateWords } from "../State.ts"
import { VectorGraph } from "../VectorGraph.ts"
import { inputAt, resultAt, type VectorFunction, vectorFunctionNames } from "../vectorFunctions.ts"

/** Two inputs of each part. 1: the results are in the state block; 0: it raises the exception there. */
export const floatFunctionType = (parts: number): FunctionType => ({
  parameters: new Array<"v128">(2 * parts).fill("v128"),
  results: ["i32"]
})

export interface FloatFunction {
  readonly code: Code
  readonly locals: ReadonlyArray<ValueType>
}

/** @param definition the index of the function that calls the definition: (number of the function, number of parts) */
export const floatFunction = (name: VectorFunction, parts: number, definition: number): FloatFunction => {
  const native = nativeFloat(name)
  if (native === undefined) throw new Error(`${name} has no native arithmetic`)
  const graph = new VectorGraph()
  const emitter = new Emitter(2 * parts)
  const { code } = emitter
  const { offset } = stateWords.mxcsr
  const mxcsr = graph.loadValue("i64.load", graph.truth(false), offset)
  const inexact = inexactIn(graph, mxcsr)
  const answers = Array.from({ length: parts }, (_, part) =>
    native(graph, graph.localVector(2 * part), graph.localVector(2 * part + 1), inexact)
  )
  const counts = answers.map(({ counts }) => counts).reduce((a, b) => graph.lanes("v128.and", a, b))
  const isOurs = graph.isZero(graph.lanes("v128.not", counts))
  const results: ReadonlyArray<Vector> = answers.map(({ result }) => result)
  emitter.begin([isNativeMode(graph, mxcsr), isOurs, ...results])
  emitter.value(isNativeMode(graph, mxcsr))
  code.if()
  emitter.value(isOurs)
  code.if()
  for (const [part, result] of results.entries()) {
    code.i32(0)
    emitter.value(result)
    code.storeVector(resultAt(part))
  }
  code.i32(1).return().end().end()
  for (let input = 0; input < 2 * parts; input++)
    code
      .i32(0)
      .get(input)
      .storeVector(inputAt(input >> 1, input & 1))
  code.i32(vectorFunctionNames.indexOf(name)).i32(parts).call(definition)
  return { code, locals: emitter.locals }
}

/** Native arithmetic has the inputs that it wants, and no constant. */
export const isNative = (name: VectorFunction, inputs: number): boolean =>
  inputs === 2 && nativeFloat(name) !== undefined
