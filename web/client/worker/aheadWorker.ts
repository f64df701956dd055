/** The worker that makes content ahead; ahead.ts is its other side. */
import type { Order, Product } from "./ahead"
import { type Content, ContentHere } from "./content"

/** Segments that are made and not yet given back. */
const mostAhead = 2

const thread = self
let content: Content | undefined
let ahead = 0
let making = false

thread.addEventListener("message", async ({ data }: MessageEvent<Order>) => {
  try {
    if ("file" in data) {
      content = await ContentHere.open(data.file, data.seed)
      give("begun")
    } else {
      content?.done(data.memory)
      ahead--
    }
    await make()
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error))
    give({ failure: { name, message } })
  }
})

async function make() {
  if (making) return
  making = true
  try {
    while (content && ahead < mostAhead) {
      ahead++
      const segment = await content.next()
      if (segment.last) content = undefined
      give(segment, [segment.bytes.buffer])
    }
  } finally {
    making = false
  }
}

function give(product: Product, transfer: Transferable[] = []) {
  thread.postMessage(product, { transfer })
}
