import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    // By itself the runner leaves one processor to whoever watches: with two, that is half.
    maxWorkers: "100%",
    // Node reads the sources, as it does for the command line. The runner's own reader makes each imported name a property of an
    // object, which the engine looks up at every use: the machine runs at two thirds of its speed, and some of it at a third.
    experimental: { viteModuleRunner: false, nodeLoader: false }
  }
})
