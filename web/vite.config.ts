import react from "@vitejs/plugin-react"
import { defineConfig } from "vitest/config"
import { firstPage } from "./firstPage"

export default defineConfig({
  plugins: [react(), firstPage({ most: 400_000 })],
  build: {
    // The word lists of the strength meter, which come only when a passphrase is chosen.
    chunkSizeWarningLimit: 1_800,
  },
  worker: { format: "es" },
  server: {
    // `npm run dev` beside a gateway on this machine.
    proxy: { "/api": "http://127.0.0.1:5000" },
  },
  test: {
    include: ["{src,console}/**/*.test.{ts,tsx}"],
    setupFiles: ["src/testing/setup.ts"],
    testTimeout: 300_000,
  },
})
