/**
 * Own names: a module of ours as it is loaded, with every name that it imports or exports made a constant of its own.
 *
 * What a module imports or exports is a variable that may change, so that V8 looks it up, and asks what it is, at each use; a
 * `const` of the module's own it knows by its value, and `at.rip >> 2` is a number in the code that it makes. That takes a third
 * off a system call. Browsers get it from their bundlers.
 *
 * Right for modules none of which imports another in a circle, whose imports stand first, and whose exports do not change: ours are so.
 * The lines of a module stay where they are.
 */

const blank = /\s+|\/\/.*|\/\*[\s\S]*?\*\//y
const anImport = /import ([^"]*?)from ("[^"]*");?|import "[^"]*";?/y
const anExport = /^export ((?:const|class|abstract class|function\*?) (\w+))/gm

/** The same module. `source` is TypeScript or JavaScript as the formatter and the compiler write it. */
export const withOwnNames = (source: string): string => {
  const end = endOfImports(source)
  const exported = new Set<string>()
  const body = source.slice(end).replace(anExport, (_, declaration: string, name: string) => {
    exported.add(name)
    return declaration
  })
  const exports = [...exported].map((name) => `const ${name}$ = ${name}; export { ${name}$ as ${name} };`)
  return [source.slice(0, end).replace(/^import [^"]*?from "\.[^"]*";?$/gm, ownImport), body, "\n", ...exports].join("")
}

const endOfImports = (source: string): number => {
  const skip = (what: RegExp, from: number): number => {
    what.lastIndex = from
    return what.test(source) ? what.lastIndex : from
  }
  for (let end = 0; ; ) {
    const start = skip(blank, end)
    const next = start === end ? skip(anImport, end) : start
    if (next === end) return end
    end = next
  }
}

/** `import { a, type B } from "./c.ts"` is `import { a as $a, type B } from "./c.ts"; const a = $a`. */
const ownImport = (statement: string): string => {
  const namespace = /^import \* as (\w+) from (".*");?$/.exec(statement)
  if (namespace !== null) {
    const [, name, from] = namespace
    return `import * as $${name} from ${from}; const ${name} = { ...$${name} };`
  }
  const named = /^import \{([^}]*)\} from (".*");?$/.exec(statement)
  if (named === null) return statement
  const [, list = "", from] = named
  const items = list.split(",").map((item) => item.trim())
  const values = items.filter((item) => item !== "" && !item.startsWith("type "))
  if (values.length === 0) return statement
  const names = values.map((item) => {
    const [name, as = name] = item.split(" as ")
    return { name, as }
  })
  const imports = names.map(({ name, as }) => `${name} as $${as}`).join(", ")
  const constants = names.map(({ as }) => `${as} = $${as}`).join(", ")
  return `import { ${imports} } from ${from}; const ${constants};${"\n".repeat(list.split("\n").length - 1)}`
}
