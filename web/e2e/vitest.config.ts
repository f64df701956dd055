import { defineConfig } from "vitest/config"

/** The end-to-end tests: real programs and a real browser, one test file after another. */
export default defineConfig({
  test: {
    dir: import.meta.dirname,
    include: ["*.test.ts"],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
})
