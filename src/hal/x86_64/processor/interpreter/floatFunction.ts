/** Functions of vectors as the generated code calls them: native arithmetic where that is the definition's, else the definition. */
import type { Code } from "../../wasm/Code.ts"
import type { ValueType } from "../../wasm/instructions.ts"
import type { FunctionType } from "../../wasm/Module.ts"
import { Emitter } from "../emit.ts"
import type { Vector } from "../Graph.ts"
import { inexactIn, isNativeMode, nativeFloat, nativeInputs } from "../nativeFloat.ts"
import { stateWords } from "../State.ts"
import { VectorGraph } from "../VectorGraph.ts"
import { inputAt, resultAt, type VectorFunction, vectorFunctionNames } from "../vectorFunctions.ts"

/** The inputs of each part. 1: the results are in the state block; 0: it raises the exception there. */
export const floatFunctionType = (name: VectorFunction, parts: number): FunctionType => ({
  parameters: new Array<"v128">(nativeInputs(name) * parts).fill("v128"),
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
  const inputs = nativeInputs(name)
  const emitter = new Emitter(inputs * parts)
  const { code } = emitter
  const { offset } = stateWords.mxcsr
  const mxcsr = graph.loadValue("i64.load", graph.truth(false), offset)
  const inexact = inexactIn(graph, mxcsr)
  const answers = Array.from({ length: parts }, (_, part) => {
    const [a, b, c] = [0, 1, inputs - 1].map((input) => graph.localVector(inputs * part + input))
    return native(graph, a!, b!, inexact, c!)
  })
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
  for (let input = 0; input < inputs * parts; input++) {
    const place = inputAt(Math.floor(input / inputs), input % inputs)
    code.i32(0).get(input).storeVector(place)
  }
  code.i32(vectorFunctionNames.indexOf(name)).i32(parts).call(definition)
  return { code, locals: emitter.locals }
}

/** Native arithmetic has the inputs that it wants, and no constant. */
export const isNative = (name: VectorFunction, inputs: number): boolean =>
  nativeFloat(name) !== undefined && inputs === nativeInputs(name)
