import react from "@vitejs/plugin-react"
import { defineConfig } from "vite"
import { firstPage } from "../firstPage"

/** The pages of the operator's console, which the core serves. */
export default defineConfig({
  root: import.meta.dirname,
  publicDir: "../shared/public",
  plugins: [react(), firstPage({ most: 300_000 })],
  build: { outDir: "../dist-console", emptyOutDir: true },
  server: {
    // `npm run dev:console` beside a core on this machine. It is asked by the page's own name, or it would refuse.
    port: 5174,
    proxy: { "/api": { target: "http://127.0.0.1:8090", changeOrigin: false } },
  },
})
