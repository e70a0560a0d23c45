/**
 * What an instruction means, said once.
 *
 * A meaning is a function of a `Machine`. It cannot tell how it is read: executed plainly (a value is a bigint), made into a
 * handler of the interpreter or translated in place (a value is a piece of WebAssembly), or only watched, to learn what it touches.
 *
 * Five rules make that possible:
 *
 * 1. Reads see the state before the instruction; writes take effect together, after the last read: stores first, in order, then
 *    registers in order (of two writes to one register the later wins, and a part is written into what the earlier left), flags and RIP.
 *    So whatever faults leaves the registers as they were, and the instruction can be restarted.
 *    Of two stores, the second may fault after the first has happened.
 * 2. Widths, operand kinds, conditions and the processor's mode are ordinary TypeScript values, known when the meaning runs: a meaning may
 *    use `if` on them. It may not on a `V` or a `B`; for those there is `choose`, and `raise`, `skip` and `jump` with a condition.
 * 3. A value of width n is held zero-extended in 64 bits. Arithmetic is modulo 2^64: whoever needs n bits says `low(v, n)`.
 *    `write` and `store` keep the low bits themselves.
 * 4. A memory operand that is both read and written is looked up for writing when it is read: what forbids the write is a fault there.
 * 5. `raise` and `skip` come before what depends on their not happening: what is computed after them is computed only then.
 */

import type { Vectors } from "./Vectors.ts"
import type { VectorFunction } from "./vectorFunctions.ts"

export type Width = 8 | 16 | 32 | 64

/** What values are made of values: `V` stands for 64 bits, `B` for a truth. */
export interface Values<V, B> {
  constant(value: bigint): V
  add(a: V, b: V): V
  sub(a: V, b: V): V
  mul(a: V, b: V): V
  /** The upper half of the 128-bit product. */
  mulHighUnsigned(a: V, b: V): V
  mulHighSigned(a: V, b: V): V
  /** Of 64 bits. The divisor is not 0, and the quotient of signed division fits. */
  divUnsigned(a: V, b: V): V
  remUnsigned(a: V, b: V): V
  divSigned(a: V, b: V): V
  remSigned(a: V, b: V): V
  and(a: V, b: V): V
  or(a: V, b: V): V
  xor(a: V, b: V): V
  /** Shifts and rotations by the count modulo 64. */
  shl(a: V, count: V): V
  shr(a: V, count: V): V
  sar(a: V, count: V): V
  rotl(a: V, count: V): V
  rotr(a: V, count: V): V
  /** Zeros above the highest one, below the lowest one (64 of 0), and the number of ones. */
  leadingZeros(a: V): V
  trailingZeros(a: V): V
  ones(a: V): V
  /** The low `width` bits, zero-extended. */
  low(a: V, width: Width): V
  /** The low `width` bits, sign-extended to 64. */
  signed(a: V, width: Width): V
  choose(when: B, then: V, otherwise: V): V
  /** A pure function that no reading unfolds: its name is in `functions`. */
  apply(name: FunctionName, ...inputs: readonly V[]): V

  // ---- truths
  truth(value: boolean): B
  equal(a: V, b: V): B
  /** Unsigned and signed `<`, of 64 bits. */
  below(a: V, b: V): B
  less(a: V, b: V): B
  bit(a: V, n: number): B
  /** An even number of ones in the low byte. */
  evenParity(a: V): B
  not(a: B): B
  both(a: B, b: B): B
  either(a: B, b: B): B
  differ(a: B, b: B): B
  /** 0 or 1. */
  number(a: B): V
}

export interface Machine<V, B, X = unknown> extends Values<V, B>, Vectors<V, B, X> {
  readonly mode: Mode
  /** How wide linear addresses are in this mode. */
  readonly linearBits: 32 | 48 | 57

  // ---- state
  read(operand: Operand): V
  /** With `when`, which is for registers: only if it is true; else all 64 bits stay. */
  write(operand: Operand, value: V, when?: B): void
  /** The offset of a memory operand in its segment, before the segment's base: what LEA gives. */
  address(operand: Operand): V
  /** The linear address `by` bytes after a memory operand: its offset plus `by`, cut to the address size, plus its segment's base. */
  linear(operand: Operand, by?: V): V
  /**
   * Where an operation of the machine will access so many bytes: the exception, #GP(0) or #SS(0), if their segment does not allow it. `load`
   * and `store` ask by themselves. In 64-bit mode segments allow everything.
   */
  reach(memory: Operand, bytes: number, writes: boolean): void
  /** Memory `by` bytes after a memory operand, of another width than the operand's if need be. `read` and `write` are this for 0 bytes. */
  load(memory: Operand, width: Width, by?: V): V
  store(memory: Operand, value: V, width: Width, by?: V): void
  /** All of a vector register, or 128 bits of memory; and these written. Of a vector register, `read` and `write` are the low half. */
  vector(operand: Operand): X
  setVector(operand: Operand, value: X): void
  /** 256 bits of memory, the lower half first; and these written. */
  vectors(memory: Operand): readonly [X, X]
  setVectors(memory: Operand, lower: X, upper: X): void
  /** What a constant is that decides what the instruction does: "lit8" in Form.ts. */
  literal(constant: Operand): number
  /**
   * The function of this name, of the inputs of each part (128 bits, or the two halves of 256): vectorFunctions.ts. What it raises of all of
   * them, as MXCSR says, the instruction raises; flags of MXCSR are set. After all reads.
   */
  compute(name: VectorFunction, parts: ReadonlyArray<readonly X[]>): readonly X[]
  /** A named word of the state block: the flags that are no status, a segment's base, a control register. */
  get(word: StateWord): V
  set(word: "rflags" | "fsBase" | "gsBase" | "mxcsr" | "random", value: V): void
  /** Is the condition true of the flags as they were before this instruction? */
  condition(c: Condition): B
  /** The status flags as they were, at their places in RFLAGS; every other bit is 0. */
  status(): V
  /** The status flags become what `rule` says of `inputs`; `unless` leaves them all as they were. */
  flags(rule: FlagRule, width: Width, inputs: readonly V[], unless?: B): void

  // ---- control
  /** RIP of this instruction, and of the next. */
  here(): V
  next(): V
  /** Where execution goes on; with `when`, only if it is true. */
  jump(target: V, when?: B): void
  /** If `when`, the instruction ends here: it did nothing, and the next one follows. */
  skip(when: B): void
  /** If `when`, the instruction does nothing but raise this exception. */
  raise(exception: Exception, when: B): void
  /**
   * The instruction ends in an operation of the whole machine: CPUID, WRMSR, IRET. Plain TypeScript does it on the state block, after everything
   * written above is in place; RIP is the next instruction's, the count includes this one. What it refuses is raised at this instruction: so what
   * must not have happened then is not written, but handed over.
   */
  system(name: SystemName, ...inputs: readonly V[]): void
}

/**
 * What of the processor's state decides what bytes mean. Part of the key of everything decoded.
 */
export type Mode = LongMode | LegacyMode

/** 64-bit mode. */
export interface LongMode {
  readonly bits: 64
  readonly privilege: Privilege
  /** CR4.LA57 = 1: linear addresses have 57 bits, else 48. */
  readonly isWide?: true
}

/** How wide linear addresses are. */
export const linearBits = (mode: Mode): 32 | 48 | 57 => (mode.bits !== 64 ? 32 : mode.isWide ? 57 : 48)

/** Every other mode: compatibility mode, protected mode, real-address mode (privilege 0) and virtual-8086 mode (privilege 3). */
export interface LegacyMode {
  /** The size of code: CS.D. */
  readonly bits: 16 | 32
  readonly privilege: Privilege
  /** The size of the stack pointer: SS.B. */
  readonly stack: 16 | 32
  /** Selectors lead to descriptors: neither real-address nor virtual-8086 mode. */
  readonly isProtected: boolean
  /** ES, CS, SS and DS are the whole 4 GiB, for every access that they are for: what they say of an address need not be asked. */
  readonly isFlat: boolean
}

export type Privilege = 0 | 1 | 2 | 3

export const isVirtual8086 = (mode: Mode): boolean => mode.bits !== 64 && !mode.isProtected && mode.privilege === 3

/** All that a meaning knows of an operand. What else is in it belongs to the decoder and the readings: `Decoded` in Instruction.ts. */
export interface Operand {
  readonly kind: "reg" | "imm" | "mem" | "rel"
  readonly width: Width
}

export type Flag = "CF" | "PF" | "AF" | "ZF" | "SF" | "OF"

/** Where each is in RFLAGS. */
export const flagPositions = { CF: 0, PF: 2, AF: 4, ZF: 6, SF: 7, OF: 11 } as const satisfies Record<Flag, number>

/** The eight conditions of the opcode's upper three bits; the lowest bit negates. SDM vol. 1, "EFLAGS Condition Codes". */
export const conditions = ["O", "B", "E", "BE", "S", "P", "L", "LE"] as const
export type Condition = (typeof conditions)[number]

/** The exceptions that a meaning raises by itself; those of memory accesses and of `system` operations raise themselves. */
export type Exception =
  | "#DE"
  | "#BR"
  | "#UD"
  | "#GP(0)"
  | "#SS(0)"
  | "#NM"
  | "#OF"
  | "#BP"
  | "#DB"
  | "#MF"
  | "#XM"
  | "VM exit"

/** Words of the state block that a meaning may look at: `stateWords` in State.ts says where each is. */
export type StateWord =
  | "rflags"
  | "fsBase"
  | "gsBase"
  | "ldtr"
  | "tr"
  | "cr0"
  | "cr0Mask"
  | "cr0Shadow"
  | "intercepts"
  | "cr4"
  | "xcr0"
  | "mxcsr"
  | "tscAux"
  | "random"
  | "es"
  | "cs"
  | "ss"
  | "ds"
  | "fs"
  | "gs"

/**
 * How the flags follow from at most three values. The lazy form of the flags is a rule and its inputs;
 * each flag is worked out when somebody asks.
 */
export interface FlagRule {
  readonly name: string
  readonly inputs: 1 | 2 | 3
  readonly flag: <V, B>(x: Values<V, B>, flag: Flag, width: Width, inputs: readonly V[]) => B
  /** Conditions that are simpler than their flags: after a comparison, BE is `a <= b`. */
  readonly shortcut?: <V, B>(x: Values<V, B>, c: Condition, width: Width, inputs: readonly V[]) => B | undefined
}

export type Meaning = <V, B, X>(x: Machine<V, B, X>, ...operands: Operand[]) => void

/** The names of pure functions: `functions` in functions.ts. */
export type FunctionName =
  | "divide128Unsigned"
  | "remainder128Unsigned"
  | "divide128Signed"
  | "remainder128Signed"
  | "quotient128SignedFits"
  | "depositBits"
  | "extractBits"
  | "crc32"

/**
 * The operations of the whole machine, and what a meaning hands to each; numbered in this order. What each does: `system/operations`.
 *
 * A `register` is a general register's number, a `segment` the number of ES CS SS DS FS GS; an `address` is linear; a `width` is in bits.
 * An operation that answers does so in registers: those the manual names, or the `register` it was given, at its `width`. One that writes to
 * memory is given its address; of a destination that may be either, the meaning makes two cases by its operand.
 */
// biome-ignore format: an operation, a line
export const systemInputs = {
  gate:            ["number"],
  cpuid:           [],
  rdtsc:           [],
  rdtscp:          [],
  rdmsr:           [],
  wrmsr:           [],
  syscall:         [],
  /** To code of this size: 32 or 64. */
  sysret:          ["width"],
  iret:            ["width"],
  int:             ["vector"],
  int3:            [],
  int1:            [],
  /** INT 4 if the flag is 1. */
  into:            ["flag"],
  sysenter:        [],
  /** To code of this size: 32 or 64. */
  sysexit:         ["width"],
  hlt:             [],
  cli:             [],
  sti:             [],
  /** The value popped. */
  popf:            ["value", "width"],
  /** All of ENTER: the stack frame as well. */
  enter:           ["size", "level", "width"],
  /** #UD if CPL is not 0. */
  clac:            [],
  stac:            [],
  swapgs:          [],
  movFromControl:  ["register", "control"],
  movToControl:    ["control", "value"],
  movFromDebug:    ["register", "debug"],
  movToDebug:      ["debug", "value"],
  invlpg:          ["address"],
  invpcid:         ["type", "address"],
  lgdt:            ["address", "width"],
  lidt:            ["address", "width"],
  sgdt:            ["address", "width"],
  sidt:            ["address", "width"],
  lldt:            ["selector"],
  ltr:             ["selector"],
  lmsw:            ["value"],
  clts:            [],
  movToSegment:    ["segment", "selector"],
  /** RSP gets its new value only if the selector is accepted. */
  popToSegment:    ["segment", "selector", "rsp"],
  /** LSS, LFS, LGS: a selector and an offset of this width, from memory at this address: the offset first. */
  loadFarPointer:  ["segment", "register", "address", "width"],
  farJump:         ["selector", "offset", "width"],
  farCall:         ["selector", "offset", "width"],
  /** `release` bytes of parameters are taken off the stack. */
  farReturn:       ["width", "release"],
  lar:             ["selector", "register", "width"],
  lsl:             ["selector", "register", "width"],
  verr:            ["selector"],
  verw:            ["selector"],
  in:              ["port", "width"],
  out:             ["port", "width"],
  /** One iteration, port in DX: RDI (RSI) and, if `repeat` is 1, RCX change by `addressWidth`; if RCX is not 0 then, RIP stays at the instruction. */
  ins:             ["address", "width", "addressWidth", "repeat"],
  outs:            ["address", "width", "addressWidth", "repeat"],
  wbinvd:          [],
  invd:            [],
  pause:           [],
  rdpmc:           [],
  xgetbv:          [],
  xsetbv:          [],
  /** The number of an `X87Action`; a register ST(i), or an address and the offset that it came of; of FCMOVcc the condition. */
  x87:             ["action", "place", "offset"],
  fxsave:          ["address", "width"],
  fxrstor:         ["address", "width"],
  vmxon:           ["address"],
  vmxoff:          [],
  vmcall:          [],
  vmlaunch:        [],
  vmresume:        [],
  vmclear:         ["address"],
  vmptrld:         ["address"],
  vmptrst:         ["address"],
  vmread:          ["encoding", "register"],
  vmreadToMemory:  ["encoding", "address"],
  vmwrite:         ["encoding", "value"],
  vmwriteFromMemory: ["encoding", "address"],
  invept:          ["type", "address"],
  invvpid:         ["type", "address"],
  xsave:           ["address", "width"],
  xsaveopt:        ["address", "width"],
  xsavec:          ["address", "width"],
  xsaves:          ["address", "width"],
  xrstor:          ["address", "width"],
  xrstors:         ["address", "width"],
  /** VMASKMOV: lanes of `width` bits, of vectors of `length` bits, where memory is and which offset that is. */
  maskedLoad:      ["address", "offset", "width", "length"],
  maskedStore:     ["address", "offset", "width", "length"],
  /** VGATHER: elements and indices of so many bits; the wider of them fill vectors of `length` bits. */
  gather:          ["width", "indexWidth", "length"],
  rdpkru:          [],
  wrpkru:          [],
  /** The address of the line that is monitored. */
  monitor:         ["address"],
  mwait:           []
} as const
export type SystemName = keyof typeof systemInputs
export const systemNames = Object.keys(systemInputs) as readonly SystemName[]
