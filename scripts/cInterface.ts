/**
 * The kernel's whole interface as a C header, from the tables that kernel and programs read: for programs that are the
 * first task, or that hold capabilities to more than endpoints.
 *
 *     node scripts/cInterface.ts > interface.h
 */
import * as BootInfo from "../src/types/BootInfo.ts"
import * as Fault from "../src/types/Fault.ts"
import { capOrBadge, IpcBuffer, messageWord } from "../src/types/IpcBuffer.ts"
import { kinds, numberOf, rightsOf } from "../src/types/Kind.ts"
import { maxExtraCaps, maxLength } from "../src/types/MessageInfo.ts"
import type { Method } from "../src/types/Method.ts"
import { all } from "../src/types/Methods.ts"
import { objectTypes, type Row, retypeFanOut, slotBits } from "../src/types/ObjectType.ts"
import { syscalls } from "../src/types/Syscall.ts"
import * as SyscallError from "../src/types/SyscallError.ts"
import { ExitReason } from "../src/types/x86_64/ExitReason.ts"
import * as FaultMessage from "../src/types/x86_64/FaultMessage.ts"
import { syscall, userContext } from "../src/types/x86_64/Registers.ts"
import { VmcsField } from "../src/types/x86_64/VmcsField.ts"
import * as VmEnter from "../src/types/x86_64/VmEnter.ts"

const snake = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

const constants = (prefix: string, values: Iterable<readonly [name: string, value: number]>): string =>
  `enum {\n${Array.from(values, ([name, value]) => `  ${prefix}_${name} = ${value},`).join("\n")}\n};\n`

const fields = (names: ReadonlyArray<string>): string => names.map((name) => `  word ${snake(name)};`).join("\n")

/** The position of each word in a fault's message. */
const faultWords = Object.entries(FaultMessage.sent).map(([fault, registers]) => {
  const own = {
    CapFault: ["address", "inReceivePhase", "failure", "bitsLeft", "bitsFound"],
    UnknownSyscall: ["syscall"],
    UserException: ["number", "code"],
    VMFault: ["address", "fetch", "status"],
    Timeout: ["badge", "consumed"]
  }[fault as Fault.Fault["_tag"]]
  return constants(
    fault,
    [...registers, ...own].map((name, index) => [snake(name), index] as const)
  )
})

/** A method as a function: the capability invoked, the words, the capabilities, and the words that may follow. */
const stub = ({ name, label, words, caps, rest }: Method): string => {
  const [given, extra] = [Object.keys(words).map(snake), Object.keys(caps).map(snake)]
  const parameters = ["service", ...given, ...extra].map((parameter) => `word ${parameter}`)
  const length = rest.length === 0 ? `${given.length}` : `${given.length} + rest_length`
  return [
    `static inline word ${name}(${[...parameters, ...(rest.length === 0 ? [] : ["const word *rest", "word rest_length"])].join(", ")}) {`,
    ...given.map((parameter, index) => `  my_buffer->words[${index}] = ${parameter};`),
    ...(rest.length === 0
      ? []
      : [`  for (word n = 0; n < rest_length; n++) my_buffer->words[${given.length} + n] = rest[n];`]),
    ...extra.map((parameter, index) => `  my_buffer->caps_or_badges[${index}] = ${parameter};`),
    `  return invoke(service, ${label}, ${extra.length}, ${length});`,
    "}"
  ].join("\n")
}

/** A layout of words one after another, as C has it. */
const bootInfo = Object.keys(BootInfo.BootInfo)
  .filter((name) => name !== "size")
  .map((name) => snake(name).replace("_i_o_p_t_", "_iopt_").replace("_c_node_", "_cnode_").replace("_b_i_", "_bi_"))

/** Of each kind, by its number: how many methods it has, and their labels. */
const labels = kinds.map((kind) => {
  const own = all.filter((method) => method.kind === kind).map(({ label }) => label)
  return `  [${numberOf[kind]}] = {${[own.length, ...own].join(", ")}},`
})

const [r0, r1, r2, r3] = syscall.message

export const interfaceHeader =
  (): string => `/* The kernel's interface. Made by scripts/cInterface.ts from the tables in src/types. */
#pragma once

typedef unsigned long word;
typedef unsigned char byte;

${constants("syscall", Object.entries(syscalls))}
${constants("error", [["none", 0], ...Object.entries(SyscallError.labels)])}
${constants("failure", Object.entries({ invalid_root: 1, missing_capability: 2, depth_mismatch: 3, guard_mismatch: 4 }))}
${constants("fault", Object.entries(Fault.labels))}
${faultWords.join("\n")}
${constants(
  "object",
  Object.entries<Row>(objectTypes).map(([name, { number }]) => [name, number])
)}
${constants(
  "bits",
  Object.entries<Row>(objectTypes).flatMap(([name, row]) => ("bits" in row ? [[name, row.bits] as const] : []))
)}
${constants(
  "kind",
  kinds.map((kind) => [kind, numberOf[kind]])
)}
${kinds
  .filter((kind) => rightsOf[kind].length > 0)
  .map((kind) =>
    constants(
      `right_${kind}`,
      rightsOf[kind].map(([name, bit]) => [name, 2 ** bit])
    )
  )
  .join("\n")}
${constants(
  "slot",
  Object.entries(BootInfo.slots).map(([name, slot]) => [snake(name), slot])
)}
${constants(
  "chunk",
  Object.entries(BootInfo.chunkIds).map(([name, id]) => [snake(name), id])
)}
${constants("vmcs", Object.entries(VmcsField))}
${constants("exit", Object.entries(ExitReason))}
/* The words that VMEnter takes and comes back with, and the reason of an entry that the processor refused. */
${constants(
  "vm_exit",
  VmEnter.exit.map((name, index) => [snake(name), index])
)}
#define vm_refused ${VmEnter.refused}u
${constants("most", [
  ["words", maxLength],
  ["extra_caps", maxExtraCaps],
  ["retyped", retypeFanOut],
  ["untyped", BootInfo.maxUntyped]
])}
${constants(
  "label",
  all.map(({ name, label }) => [name, label])
)}
/* How many methods each kind has, and their labels. */
static const unsigned short labels_of[][32] = {
  [0] = {0},
${labels.join("\n")}
};

/* Every field of a virtual processor's control structure. */
static const unsigned short vmcs_fields[] = {${Object.values(VmcsField).join(", ")}};

enum { slot_bits = ${slotBits}, root_cnode_bits = ${BootInfo.rootCNodeBits} };

struct untyped_entry {
  word address;
  byte size_bits, is_device, padding[6];
};

struct boot_info {
${fields(bootInfo)}
  struct untyped_entry untyped[most_untyped];
};
_Static_assert(sizeof(struct boot_info) == ${BootInfo.size}, "boot information");

struct chunk_header {
  word id, length;
};

/* The registers of Read and WriteRegisters, in their order. */
struct user_context {
${fields(userContext)}
};

struct ipc_buffer {
  word tag;
  word words[most_words];
  word user_data;
  word caps_or_badges[most_extra_caps];
  word receive_cnode, receive_index, receive_depth;
};
_Static_assert(__builtin_offsetof(struct ipc_buffer, words) == ${messageWord(0)}, "words of a message");
_Static_assert(__builtin_offsetof(struct ipc_buffer, caps_or_badges) == ${capOrBadge(0)}, "capabilities of a message");
_Static_assert(__builtin_offsetof(struct ipc_buffer, receive_cnode) == ${IpcBuffer.receiveCNode.at}, "where capabilities go");

/* A thread finds the address of its IPC buffer where the base of FS points. */
static inline struct ipc_buffer *own_buffer(void) {
  struct ipc_buffer *buffer;
  __asm__("mov %%fs:0, %0" : "=r"(buffer));
  return buffer;
}
#define my_buffer own_buffer()

/* What a message says of itself, and the badge that came with it. Its words are in the IPC buffer. */
struct message {
  word label, unwrapped, extra_caps, length, badge;
};

/* A system call: of the message in the IPC buffer, four words travel in registers. */
static inline struct message system_call(long number, word capability, struct message message, word reply_object, word to) {
  register word number_ __asm__("${syscall.number}") = (word)number;
  register word capability_ __asm__("${syscall.capability}") = capability;
  register word info __asm__("${syscall.info}") = message.label << 12 | message.extra_caps << 7 | message.length;
  register word w0 __asm__("${r0}") = my_buffer->words[0];
  register word w1 __asm__("${r1}") = my_buffer->words[1];
  register word w2 __asm__("${r2}") = my_buffer->words[2];
  register word w3 __asm__("${r3}") = my_buffer->words[3];
  register word reply __asm__("${syscall.reply}") = reply_object;
  register word destination __asm__("${syscall.destination}") = to;
  __asm__ volatile("syscall"
                   : "+r"(capability_), "+r"(info), "+r"(w0), "+r"(w1), "+r"(w2), "+r"(w3)
                   : "r"(number_), "r"(reply), "r"(destination)
                   : "rcx", "r11", "memory");
  my_buffer->words[0] = w0;
  my_buffer->words[1] = w1;
  my_buffer->words[2] = w2;
  my_buffer->words[3] = w3;
  return (struct message){.label = info >> 12, .unwrapped = info >> 9 & 7, .extra_caps = info >> 7 & 3, .length = info & 127, .badge = capability_};
}

/* A method of the object behind a capability: the answer is the error. The words of the answer are in the IPC buffer. */
static inline word invoke(word service, word label, word extra_caps, word length) {
  return system_call(syscall_Call, service, (struct message){.label = label, .extra_caps = extra_caps, .length = length}, 0, 0).label;
}

${all.map(stub).join("\n\n")}
`

if (import.meta.main) console.log(interfaceHeader())
