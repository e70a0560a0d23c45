/** AES, PCLMULQDQ and SHA. SDM vol. 2, the instructions' pages. */
import type { Form } from "../../Form.ts"
import { binary, computing, computingWith, source, sse, sseBinary, unary } from "./vector.ts"

const only128 = { lengths: [128] } as const
const with128 = { constant: true, lengths: [128] } as const

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  ...unary("66 0F 38 DB", "aesimc", computing("aes.inverseMix"), only128),
  ...binary("66 0F 38 DC", "aesenc", computing("aes.encrypt"), only128),
  ...binary("66 0F 38 DD", "aesenclast", computing("aes.encryptLast"), only128),
  ...binary("66 0F 38 DE", "aesdec", computing("aes.decrypt"), only128),
  ...binary("66 0F 38 DF", "aesdeclast", computing("aes.decryptLast"), only128),
  ...unary("66 0F 3A DF", "aeskeygenassist", computingWith("aes.keyAssist"), with128),
  ...binary("66 0F 3A 44", "pclmulqdq", computingWith("carryless"), with128),

  sseBinary("NP 0F 3A CC", "sha1rnds4", computingWith("sha1.rounds"), { constant: true }),
  sseBinary("NP 0F 38 C8", "sha1nexte", computing("sha1.nextE")),
  sseBinary("NP 0F 38 C9", "sha1msg1", computing("sha1.message1")),
  sseBinary("NP 0F 38 CA", "sha1msg2", computing("sha1.message2")),
  sse("NP 0F 38 CB /r", "sha256rnds2", ["x", "x128", "xmm0"], (x, dest, src, third) => {
    const value = source(x, src)
    x.setVector(dest, x.compute("sha256.rounds", [[x.vector(dest), value, x.vector(third)]])[0]!)
  }),
  sseBinary("NP 0F 38 CC", "sha256msg1", computing("sha256.message1")),
  sseBinary("NP 0F 38 CD", "sha256msg2", computing("sha256.message2"))
]
