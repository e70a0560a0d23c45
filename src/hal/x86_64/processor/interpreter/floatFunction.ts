/** Functions of vectors as the generated code calls them: native arithmetic where that is the definition's, else the definition. */
import type { Code } from "../../wasm/Code.ts"
import type { ValueType } from "../../wasm/instructions.ts"
import type { FunctionType } from "../../wasm/Module.ts"
import { Emitter } from "../emit.ts"
import type { Truth, Vector } from "../Graph.ts"
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
  const graph = new VectorGraph()
  const inputs = nativeInputs(name)
  const emitter = new Emitter(inputs * parts)
  const { code } = emitter
  const all = Array.from({ length: parts }, (_, part) =>
    Array.from({ length: inputs }, (_, input) => graph.localVector(inputs * part + input))
  )
  const { isNative, counts, results } = nativeAnswers(graph, name, all)
  emitter.begin([isNative, counts, ...results])
  emitter.value(isNative)
  code.if()
  emitter.value(counts)
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

/** What native arithmetic gives of each part's inputs; and whether it may be asked, and counts: it is what the definition gives, and MXCSR stays. */
export interface NativeAnswers {
  readonly isNative: Truth
  readonly counts: Truth
  readonly results: ReadonlyArray<Vector>
}

export const nativeAnswers = (
  graph: VectorGraph,
  name: VectorFunction,
  parts: ReadonlyArray<ReadonlyArray<Vector>>
): NativeAnswers => {
  const native = nativeFloat(name)
  if (native === undefined) throw new Error(`${name} has no native arithmetic`)
  const mxcsr = graph.loadValue("i64.load", graph.truth(false), stateWords.mxcsr.offset)
  const inexact = inexactIn(graph, mxcsr)
  const answers = parts.map((inputs) => native(graph, inputs[0]!, inputs[1]!, inexact, inputs.at(-1)!))
  const counts = answers.map(({ counts }) => counts).reduce((a, b) => graph.lanes("v128.and", a, b))
  return {
    isNative: isNativeMode(graph, mxcsr),
    counts: graph.isZero(graph.lanes("v128.not", counts)),
    results: answers.map(({ result }) => result)
  }
}

/** Native arithmetic has the inputs that it wants, and no constant. */
export const isNative = (name: VectorFunction, inputs: number): boolean =>
  nativeFloat(name) !== undefined && inputs === nativeInputs(name)
