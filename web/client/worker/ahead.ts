/**
 * Content that is made by a worker of its own, some segments ahead: browsers do
 * their ciphers in the thread that asks for them, so one thread for reading and
 * sealing and one for encrypting and sending use two processors.
 */
import type { SealSeed } from "../crypto/seal"
import { type Content, ContentHere, type Segment, segmentSize } from "./content"

/** What the worker is told: the file, and then the memory of segments that are sent. */
export type Order = { file: Blob; seed: SealSeed | undefined } | { memory: ArrayBuffer }

/** What it answers: that it has begun, segments, or why there are no more. */
export type Product = "begun" | Segment | { failure: { name: string; message: string } }

/** Opens the content of a file: in another thread if that is worth its while, and can be had. */
export async function openContent(file: Blob, seed: SealSeed | undefined): Promise<Content> {
  const ahead = file.size > segmentSize && (await ContentAhead.open(file, seed))
  return ahead || ContentHere.open(file, seed)
}

class ContentAhead implements Content {
  private readonly ready: Segment[] = []
  private failure: Error | undefined
  private wake = () => {}

  private constructor(private readonly worker: Worker) {}

  /** Undefined if the browser, or a server that is gone by now, gives no worker. */
  static open(file: Blob, seed: SealSeed | undefined): Promise<ContentAhead | undefined> {
    if (typeof Worker === "undefined") return Promise.resolve(undefined)
    const worker = new Worker(new URL("./aheadWorker.ts", import.meta.url), {
      type: "module",
      name: "coffer-content",
    })
    const content = new ContentAhead(worker)
    return new Promise((resolve) => {
      worker.addEventListener("message", ({ data }: MessageEvent<Product>) => {
        if (data === "begun") resolve(content)
        else content.take(data)
      })
      worker.addEventListener("error", (event) => {
        event.preventDefault()
        content.take({ failure: { name: "Error", message: event.message } })
        resolve(undefined)
      })
      worker.postMessage({ file, seed } satisfies Order)
    })
  }

  private take(product: Exclude<Product, "begun">) {
    if ("failure" in product) {
      const { name, message } = product.failure
      this.failure = new DOMException(message, name)
    } else {
      this.ready.push(product)
    }
    this.wake()
  }

  async next(): Promise<Segment> {
    for (;;) {
      const segment = this.ready.shift()
      if (segment) return segment
      if (this.failure) throw this.failure
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
  }

  done(memory: ArrayBuffer) {
    this.worker.postMessage({ memory } satisfies Order, [memory])
  }

  async close(): Promise<void> {
    this.worker.terminate()
    // Who still waits for a segment waits for nothing.
    this.take({ failure: { name: "AbortError", message: "closed" } })
  }
}
