/**
 * The package, as who installs it gets it: JavaScript and declarations, for a Node strips no types in node_modules.
 *
 *     node scripts/package.ts [FOLDER]
 *
 * `npm pack` or `npm publish` in the folder (dist/skyscope, if none is named) does the rest.
 */
import { spawnSync } from "node:child_process"
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"

const root = join(import.meta.dirname, "..")
const folder = resolve(process.argv[2] ?? join(root, "dist", "skyscope"))

rmSync(folder, { recursive: true, force: true })

const tsc = join(root, "node_modules", "typescript", "bin", "tsc")
const options = ["-p", join(root, "tsconfig.package.json"), "--outDir", join(folder, "lib"), "--pretty", "false"]
const { status } = spawnSync(process.execPath, [tsc, ...options], { stdio: "inherit" })
if (status !== 0) process.exit(1)

const { name, version, description, license, type, bin, engines, dependencies } = JSON.parse(
  readFileSync(join(root, "package.json"), "utf8")
)
const manifest = {
  ...{ name, version, description, license, type, bin, engines },
  exports: {
    ".": { types: "./lib/user/index.d.ts", default: "./lib/user/index.js" },
    "./vmm": { types: "./lib/vmm/index.d.ts", default: "./lib/vmm/index.js" },
    "./package.json": "./package.json"
  },
  dependencies
}
writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`)
for (const file of ["README.md", "LICENSE", "bin"]) {
  cpSync(join(root, file), join(folder, file), { recursive: true })
}
