/**
 * Shape: what of an instruction decides which code its handler has. Instructions of one shape differ in registers, constants, displacements and
 * branch targets alone, which are fields of their micro-operations.
 */
import type { Form } from "../Form.ts"
import type { Node } from "../Graph.ts"
import type { Decoded, Instruction, Memory } from "../Instruction.ts"
import { hasBase, isAbsent } from "../lower.ts"
import type { Mode } from "../Meaning.ts"
import { at, modeNumber, modeNumbers, segments } from "../State.ts"
import { Handler, isWide, type KnownFlags, noFunctions } from "./Handler.ts"
import { field } from "./MicroOperation.ts"

/** What predecoding wants to know of an instruction. */
export interface Facts {
  /** It may stop before it is complete: an access to memory, an exception of its own. The state must be exact there. */
  readonly mayStop: boolean
  readonly asksFlags: boolean
  /** It sets all flags, by this rule; not if it may leave them. */
  readonly sets: KnownFlags | undefined
  readonly changesFlags: boolean
  /** It ends its block. */
  readonly ends: boolean
  /** Where it jumps, if that is a place in the code: as its operand says, or to itself again. */
  readonly jumps: "relative" | "again" | undefined
  /** It looks at the flags and jumps, or does not, and nothing else. */
  readonly onlyBranches: boolean
  /** If it jumps, it may also not. */
  readonly isConditional: boolean
  /** The translator takes it: no operation of the machine, nothing left out, no function of values, no register of the x87 FPU, one store at most. */
  readonly isTranslated: boolean
}

export interface Shape {
  readonly number: number
  readonly form: Form
  readonly mode: Mode
  /** Of the first instruction of this shape that was met: for what is implied, and for kinds and widths. */
  readonly operands: ReadonlyArray<Decoded>
  readonly facts: Facts
  /** If the facts depend on the instruction's constant: what they are at each that was met. */
  readonly byConstant: Map<number, Facts> | undefined
}

export class Shapes {
  /** By the kind of code. */
  private readonly ofForms = Array.from({ length: codeKinds }, () => new Map<Form, Map<number, Shape>>())
  private count = 0

  of(instruction: Instruction, mode: Mode): Shape {
    const { form, operands } = instruction
    const ofForms = this.ofForms[codeKindOf(mode)]!
    const shapes = ofForms.get(form) ?? new Map<number, Shape>()
    ofForms.set(form, shapes)
    const kinds = operands.reduce((key, operand) => key * kindRoom + kindOf(operand, mode), 1) * privilegeRoom
    // Most meanings do not ask for the privilege: that is the first of the room.
    const known = shapes.get(kinds) ?? shapes.get(kinds + 1 + mode.privilege)
    if (known !== undefined) return known
    const handler = new Handler(operands, mode, undefined, noFunctions)
    handler.run(form.meaning)
    const shape: Shape = {
      number: this.count++,
      form,
      mode,
      operands,
      facts: factsOf(handler),
      byConstant: dependsOnConstants(handler) ? new Map() : undefined
    }
    shapes.set(handler.usesMode ? kinds + 1 + mode.privilege : kinds, shape)
    return shape
  }

  facts(shape: Shape, instruction: Instruction): Facts {
    if (shape.byConstant === undefined) return shape.facts
    const constant = instruction.operands.find((operand) => operand.kind === "imm")
    if (constant?.kind !== "imm") return shape.facts
    let facts = shape.byConstant.get(constant.lo)
    if (facts === undefined) {
      const operands = instruction.operands.map((operand) =>
        operand.kind === "imm" ? { ...operand, implied: true } : operand
      )
      const handler = new Handler(operands, shape.mode, undefined, noFunctions)
      handler.run(shape.form.meaning)
      facts = factsOf(handler)
      shape.byConstant.set(constant.lo, facts)
    }
    return facts
  }
}

const factsOf = (handler: Handler): Facts => {
  const {
    steps,
    stores,
    writes,
    words,
    newFlags,
    target,
    operation,
    asksFlags,
    appliesFunctions,
    usesUnit,
    asksMxcsr
  } = handler
  const to = target?.to
  const writesNothing =
    stores.length + writes.length + words.length === 0 && newFlags === undefined && operation === undefined
  return {
    mayStop: steps.length + stores.length > 0,
    asksFlags,
    sets: newFlags?.unless === undefined ? newFlags && { rule: newFlags.rule, width: newFlags.width } : undefined,
    changesFlags: newFlags !== undefined,
    ends: target !== undefined || operation !== undefined,
    jumps:
      to === undefined
        ? undefined
        : to === handler.relativeTarget
          ? "relative"
          : to === handler.here()
            ? "again"
            : undefined,
    isConditional: target?.when !== undefined,
    isTranslated:
      operation === undefined &&
      words.length === 0 &&
      stores.length <= 1 &&
      !appliesFunctions &&
      !usesUnit &&
      !asksMxcsr &&
      writes.every(({ register, value }) => register.offset < at.vectors || value.type === "v128") &&
      (target?.when === undefined || to === handler.relativeTarget) &&
      steps.every((step) => step.kind !== "skip"),
    onlyBranches: asksFlags && to === handler.relativeTarget && writesNothing && steps.length === 0
  }
}

/** Whether the flags change is a matter of constants alone. */
const dependsOnConstants = ({ newFlags, pc }: Handler): boolean => {
  const isOfConstants = (node: Node): boolean =>
    node.arguments[0] === pc
      ? node.immediate >= field.constants
      : node.operation === "const" || (node.arguments.length > 0 && node.arguments.every(isOfConstants))
  return newFlags?.unless !== undefined && isOfConstants(newFlags.unless)
}

// ---- the key of a shape: what kind each operand is of, and the mode

const kindRoom = 4096
const privilegeRoom = 5
/** Modes that differ by their privilege alone are one kind. */
const codeKindOf = (mode: Mode): number => modeNumber({ ...mode, privilege: 0 }) >> 2
const codeKinds = modeNumbers >> 2

/** 0 for 8 bits, 1 for 16, and so on. */
const sizeOf = (width: number): number => 28 - Math.clz32(width)

/** A literal decides the code: each value is a kind. */
const kindOf = (operand: Decoded, mode: Mode): number => {
  switch (operand.kind) {
    case "reg":
      return sizeOf(operand.width)
    case "imm":
      return operand.literal ? operand.lo : 8 + sizeOf(operand.width)
    case "rel":
      return 16 + sizeOf(operand.width)
    case "mem":
      return 24 + memoryKind(operand, mode)
  }
}

/** Which parts of the address there are: an absent one costs nothing. */
const memoryKind = (operand: Memory, mode: Mode): number => {
  const displacement = isWide(operand) ? 2 : operand.disp === 0 ? 0 : 1
  let kind = sizeOf(operand.width)
  kind = kind * 2 + Number(isAbsent(operand.base))
  kind = kind * 2 + Number(isAbsent(operand.index))
  kind = kind * 2 + Number(operand.ripRelative)
  kind = kind * 3 + displacement
  kind = kind * 3 + sizeOf(operand.addressWidth) - 1
  return kind * 7 + (matters(operand, mode) ? operand.segment + 1 : 0)
}

/** Which segment it is makes other code. */
const matters = (operand: Memory, mode: Mode): boolean =>
  hasBase(operand) || (mode.bits !== 64 && (!mode.isFlat || operand.segment === segments.cs))
