/**
 * A file that is read once, from its beginning, into memory that is used again:
 * for the browser it costs more to get fresh memory than to read into it.
 */
export class Source {
  private rest: Uint8Array<ArrayBuffer> = new Uint8Array(0)

  private constructor(
    private readonly reader:
      | ReadableStreamBYOBReader
      | ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>,
  ) {}

  static of(file: Blob): Source {
    const stream = file.stream()
    try {
      return new Source(stream.getReader({ mode: "byob" }))
    } catch {
      // Not every browser's blobs read into memory that is given.
      return new Source(stream.getReader())
    }
  }

  /** Fills the memory, unless the file ends before. The answer is the same memory, but another array. */
  async fill(memory: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    // What is read into is handed over, and comes back as another array.
    let { buffer } = memory
    const size = memory.length
    let filled = 0
    while (filled < size) {
      if (this.reader instanceof ReadableStreamBYOBReader) {
        const { value, done } = await this.reader.read(
          new Uint8Array(buffer, filled, size - filled),
        )
        if (value) {
          buffer = value.buffer
          filled += value.length
        }
        if (done) break
      } else {
        if (this.rest.length === 0) {
          const { value, done } = await this.reader.read()
          if (done) break
          this.rest = value
        }
        const piece = this.rest.subarray(0, size - filled)
        memory.set(piece, filled)
        filled += piece.length
        this.rest = this.rest.subarray(piece.length)
      }
    }
    return new Uint8Array(buffer, 0, filled)
  }

  async close(): Promise<void> {
    await this.reader.cancel().catch(() => {})
  }
}
