import react from "@vitejs/plugin-react"
import { defineConfig } from "vite"
import { firstPage } from "../firstPage"

/** The pages of the web client, which the gateway serves. */
export default defineConfig({
  root: import.meta.dirname,
  publicDir: "../shared/public",
  plugins: [react(), firstPage({ most: 400_000 })],
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    // The word lists of the strength meter, which come only when a passphrase is chosen.
    chunkSizeWarningLimit: 1_800,
  },
  worker: { format: "es" },
  server: {
    // `npm run dev` beside a gateway on this machine.
    proxy: { "/api": "http://127.0.0.1:5000" },
  },
})
