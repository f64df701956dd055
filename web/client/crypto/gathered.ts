/**
 * Bytes of a stream that wait until there are enough of them, in memory that is
 * used again: for the browser it costs more to get fresh memory than to encrypt.
 */
export class Gathered {
  private memory: Uint8Array<ArrayBuffer>
  private from = 0
  private to = 0

  constructor(size = 0) {
    this.memory = new Uint8Array(size)
  }

  get length(): number {
    return this.to - this.from
  }

  add(bytes: Uint8Array) {
    const needed = this.length + bytes.length
    if (needed > this.memory.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * this.memory.length))
      larger.set(this.memory.subarray(this.from, this.to))
      this.memory = larger
    } else {
      this.memory.copyWithin(0, this.from, this.to)
    }
    this.to -= this.from
    this.from = 0
    this.memory.set(bytes, this.to)
    this.to += bytes.length
  }

  /** Looks at what is there. Like what is taken, it holds until more is added. */
  peek(): Uint8Array<ArrayBuffer> {
    return this.memory.subarray(this.from, this.to)
  }

  take(size = this.length): Uint8Array<ArrayBuffer> {
    const bytes = this.memory.subarray(this.from, this.from + Math.min(size, this.length))
    this.from += bytes.length
    return bytes
  }
}
