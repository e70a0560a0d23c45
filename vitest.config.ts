import { defineConfig } from "vitest/config"

export default defineConfig({
  // By itself the runner leaves one processor to whoever watches: with two, that is half.
  test: { include: ["tests/**/*.test.ts"], maxWorkers: "100%" }
})
