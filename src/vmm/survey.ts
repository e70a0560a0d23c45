/**
 * What the processor says of itself: a thread of a few instructions executes CPUID for who asks, as any program can.
 *
 * It calls an endpoint with what CPUID answered, and takes the next leaf and subleaf from the reply.
 */
import { Effect } from "effect"
import { rootCNodeBits } from "../types/BootInfo.ts"
import { consume } from "../types/Capability.ts"
import { syscalls } from "../types/Syscall.ts"
import { BootInfo } from "../user/BootInfo.ts"
import { Cap_Delete } from "../user/Capabilities.ts"
import { pointer } from "../user/Invocation.ts"
import { Receive, ReplyReceive } from "../user/Ipc.ts"
import { AddressSpace_Map, create, Frame_Unmap, Memory_Write } from "../user/Memory.ts"
import { Spawner } from "../user/Spawn.ts"
import { createThread, SchedControl_Configure, TCB_Configure, TCB_Resume, TCB_WriteRegisters } from "../user/Threads.ts"
import { learn } from "./Cpuid.ts"

/** The system call convention: R10, R8, R9 and R15 are the message, RDI is the endpoint, RSI the message's length. */
// biome-ignore format: an instruction, a line
const code = Uint8Array.of(
  0x44, 0x89, 0xd0,                         // mov eax, r10d
  0x44, 0x89, 0xc1,                         // mov ecx, r8d
  0x0f, 0xa2,                               // cpuid
  0x41, 0x89, 0xc2,                         // mov r10d, eax
  0x41, 0x89, 0xd8,                         // mov r8d, ebx
  0x41, 0x89, 0xc9,                         // mov r9d, ecx
  0x41, 0x89, 0xd7,                         // mov r15d, edx
  0x48, 0xc7, 0xc2, syscalls.Call & 0xff, 0xff, 0xff, 0xff, // mov rdx, Call
  0x4c, 0x89, 0xf7,                         // mov rdi, r14
  0xbe, 4, 0, 0, 0,                         // mov esi, 4
  0x0f, 0x05,                               // syscall
  0xeb, 0xd9                                // jmp to the beginning
)

/** Where its page is while it runs, in the address space of who asks. */
const at = 0x5000_0000_0000

/** All that CPUID says, of the processor that this runs on. It begins with leaf 0. */
export const survey = Effect.gen(function* () {
  const { cnode, schedControl } = yield* BootInfo
  const { addressSpace, authority } = yield* Spawner
  const full = yield* BootInfo
  const frame = yield* create("Page4K")
  yield* AddressSpace_Map(addressSpace, at, frame, ["read", "write"])
  yield* Memory_Write(at, code)
  yield* Frame_Unmap(frame)
  yield* AddressSpace_Map(addressSpace, at, frame, ["read", "execute"])

  const endpoint = yield* create("Endpoint")
  const reply = yield* create("Reply")
  const tcb = yield* createThread(full.addressSpace, undefined)
  const schedContext = yield* create("SchedContext", 7)
  yield* TCB_Configure(tcb, {
    vspaceRoot: full.addressSpace,
    cspaceRoot: cnode,
    cspaceBits: rootCNodeBits,
    priority: 254,
    authority
  })
  yield* TCB_WriteRegisters(tcb, { rip: BigInt(at), rflags: 0x202n, r14: pointer(endpoint), r10: 0n })
  yield* SchedControl_Configure(schedControl[0]!, schedContext, tcb, { budget: 5000, period: 5000 })
  yield* TCB_Resume(tcb)

  let isFirst = true
  const host = yield* learn((leaf, subleaf) =>
    Effect.gen(function* () {
      const words = [BigInt(leaf), BigInt(subleaf)]
      const arrived = yield* isFirst ? Receive(endpoint, reply) : ReplyReceive(endpoint, reply, { words })
      isFirst = false
      const [eax, ebx, ecx, edx] = arrived.words.map((word) => Number(BigInt.asIntN(32, word)))
      return [eax!, ebx!, ecx!, edx!] as const
    })
  )
  consume(tcb)
  yield* Cap_Delete(tcb)
  yield* Frame_Unmap(frame)
  return host
})
