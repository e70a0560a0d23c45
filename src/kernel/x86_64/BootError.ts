/** BootError: why the kernel does not start. */
import { Halt } from "../../hal/Gates.ts"

export type BootError =
  /** Memory is used up: `bytes` more were needed for `what`. */
  | { readonly _tag: "NoMemory"; readonly what: string; readonly bytes: number }
  /** The command line says no number of domains that there can be. */
  | { readonly _tag: "BadDomains"; readonly most: number }
  /** There is no module that could be the root task's program, or none of the name that was `wanted`. */
  | { readonly _tag: "NoRootTask"; readonly wanted: string | undefined }
  /**
   * The module is no program that can be the root task: `reason` says what is wrong, `at` in which byte of the module.
   */
  | { readonly _tag: "BadProgram"; readonly module: string; readonly reason: string; readonly at: number }

export const badProgram = (module: string, reason: string, at: number): BootError => ({
  _tag: "BadProgram",
  module,
  reason,
  at
})

export const report = (error: BootError): string => {
  switch (error._tag) {
    case "NoMemory":
      return `boot: not enough memory: ${error.bytes} bytes more for ${error.what}`
    case "BadDomains":
      return `boot: \`domains=N\` is a number of domains, 1 to ${error.most}`
    case "NoRootTask":
      return error.wanted === undefined
        ? "boot: there is no root task: its program is a boot module, or the command line says `root=gate`"
        : `boot: there is no root task: no boot module is named ${error.wanted}`
    case "BadProgram":
      return `boot: ${error.module} is no program for the root task: ${error.reason} (at byte ${error.at})`
  }
}

/** The machine stops: there is nobody yet who could be told. */
export const stop = (error: BootError): never => {
  throw new Halt(report(error))
}
