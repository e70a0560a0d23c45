/** AES, PCLMULQDQ and SHA. SDM vol. 2, the instructions' pages. */
import type { Form } from "../../Form.ts"
import type { Meaning } from "../../Meaning.ts"
import type { VectorFunction } from "../../vectorFunctions.ts"
import { source, sse } from "./vector.ts"

const computed =
  (name: VectorFunction): Meaning =>
  (x, dest, src) =>
    x.setVector(dest, x.compute(name, x.vector(dest), source(x, src)))

const withConstant =
  (name: VectorFunction): Meaning =>
  (x, dest, src, constant) => {
    const value = source(x, src)
    x.setVector(dest, x.compute(name, x.vector(dest), value, x.vectorConstant(BigInt(x.literal(constant)))))
  }

const withXmm0 =
  (name: VectorFunction): Meaning =>
  (x, dest, src, third) => {
    const value = source(x, src)
    x.setVector(dest, x.compute(name, x.vector(dest), value, x.vector(third)))
  }

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  sse("66 0F 38 DB /r", "aesimc", ["x", "x128"], computed("aes.inverseMix")),
  sse("66 0F 38 DC /r", "aesenc", ["x", "x128"], computed("aes.encrypt")),
  sse("66 0F 38 DD /r", "aesenclast", ["x", "x128"], computed("aes.encryptLast")),
  sse("66 0F 38 DE /r", "aesdec", ["x", "x128"], computed("aes.decrypt")),
  sse("66 0F 38 DF /r", "aesdeclast", ["x", "x128"], computed("aes.decryptLast")),
  sse("66 0F 3A DF /r ib", "aeskeygenassist", ["x", "x128", "lit8"], withConstant("aes.keyAssist")),
  sse("66 0F 3A 44 /r ib", "pclmulqdq", ["x", "x128", "lit8"], withConstant("carryless")),

  sse("NP 0F 3A CC /r ib", "sha1rnds4", ["x", "x128", "lit8"], withConstant("sha1.rounds")),
  sse("NP 0F 38 C8 /r", "sha1nexte", ["x", "x128"], computed("sha1.nextE")),
  sse("NP 0F 38 C9 /r", "sha1msg1", ["x", "x128"], computed("sha1.message1")),
  sse("NP 0F 38 CA /r", "sha1msg2", ["x", "x128"], computed("sha1.message2")),
  sse("NP 0F 38 CB /r", "sha256rnds2", ["x", "x128", "xmm0"], withXmm0("sha256.rounds")),
  sse("NP 0F 38 CC /r", "sha256msg1", ["x", "x128"], computed("sha256.message1")),
  sse("NP 0F 38 CD /r", "sha256msg2", ["x", "x128"], computed("sha256.message2"))
]
