import { defineConfig } from "vitest/config"

/** The end-to-end tests: real programs and a real browser, one test file after another. */
export default defineConfig({
  test: {
    dir: import.meta.dirname,
    include: ["*.test.ts"],
    fileParallelism: false,
    // A machine that has much else to do is slow, not wrong.
    testTimeout: 900_000,
    hookTimeout: 300_000,
  },
})
