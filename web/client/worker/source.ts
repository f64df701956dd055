/**
 * A stream that is read into memory that is used again: for the browser it costs
 * more to get fresh memory than to read into it.
 */

type Bytes = Uint8Array<ArrayBuffer>

export class Source {
  /** What a browser that chooses the memory itself gave beyond what was wanted. */
  private rest: Bytes = new Uint8Array(0)

  private constructor(
    private readonly reader: ReadableStreamBYOBReader | ReadableStreamDefaultReader<Bytes>,
  ) {}

  static of(stream: ReadableStream<Bytes>): Source {
    try {
      return new Source(stream.getReader({ mode: "byob" }))
    } catch {
      // Not every browser's streams read into memory that is given.
      return new Source(stream.getReader())
    }
  }

  /**
   * Reads what is there, but no more than fits into the memory. What is read into is
   * handed over: the answer has the same memory, or other, and is what to use from then on.
   */
  async read(memory: Bytes): Promise<{ bytes: Bytes; done: boolean }> {
    if (this.reader instanceof ReadableStreamBYOBReader) {
      const { value, done } = await this.reader.read(memory)
      return { bytes: value ?? new Uint8Array(0), done }
    }
    if (this.rest.length === 0) {
      const { value, done } = await this.reader.read()
      if (done) return { bytes: memory.subarray(0, 0), done }
      this.rest = value
    }
    const piece = this.rest.subarray(0, memory.length)
    this.rest = this.rest.subarray(piece.length)
    memory.set(piece)
    return { bytes: memory.subarray(0, piece.length), done: false }
  }

  /** Fills the memory, unless the stream ends before. */
  async fill(memory: Bytes): Promise<Bytes> {
    let { buffer } = memory
    const { byteOffset: from, length: size } = memory
    let filled = 0
    while (filled < size) {
      const { bytes, done } = await this.read(new Uint8Array(buffer, from + filled, size - filled))
      buffer = bytes.buffer
      if (done) break
      filled += bytes.length
    }
    return new Uint8Array(buffer, from, filled)
  }

  async close(): Promise<void> {
    await this.reader.cancel().catch(() => {})
  }
}
