import react from "@vitejs/plugin-react"
import { defineConfig } from "vitest/config"

/** The tests of client, console and what they share. Those in a browser have a configuration of their own. */
export default defineConfig({
  plugins: [react()],
  test: {
    include: ["{client,console,shared}/**/*.test.{ts,tsx}"],
    setupFiles: ["shared/testing/setup.ts"],
    testTimeout: 300_000,
  },
})
