import { defineConfig } from "vitest/config"

/** The benchmark, which has the machine to itself and takes its time. */
export default defineConfig({
  test: {
    dir: import.meta.dirname,
    include: ["*.bench.ts"],
    fileParallelism: false,
    testTimeout: 1_200_000,
    hookTimeout: 120_000,
    disableConsoleIntercept: true,
  },
})
