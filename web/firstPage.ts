import { gzipSync } from "node:zlib"
import type { Plugin, Rolldown } from "vite"

/** Fails the build when what the first page needs (script and style, gzipped) grows over a limit. */
export function firstPage(limit: { most: number }): Plugin {
  return {
    name: "first-page",
    apply: "build",
    generateBundle(_options, bundle) {
      const chunks = Object.values(bundle)
      const needed = new Set<string>()
      const visit = (name: string) => {
        const chunk = bundle[name]
        if (needed.has(name) || chunk?.type !== "chunk") return
        needed.add(name)
        for (const css of chunk.viteMetadata?.importedCss ?? []) needed.add(css)
        for (const imported of chunk.imports) visit(imported)
      }
      for (const chunk of chunks) {
        if (chunk.type === "chunk" && chunk.isEntry) visit(chunk.fileName)
      }
      let bytes = 0
      for (const name of needed) bytes += gzipSync(content(bundle[name])).length
      const size = `The first page is ${Math.round(bytes / 1000)} kB gzipped`
      if (bytes > limit.most) {
        this.error(`${size}, more than ${limit.most / 1000} kB. Load something lazily.`)
      }
      this.info(`${size}.`)
    },
  }
}

function content(file: Rolldown.OutputAsset | Rolldown.OutputChunk | undefined) {
  if (!file) return ""
  return file.type === "chunk" ? file.code : file.source
}
