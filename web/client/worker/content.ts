/**
 * What is sent of a file: its bytes, or its seal. It is made in segments, each of
 * which is known again by a digest of the file's own bytes.
 */
import { Cksum } from "../crypto/cksum"
import { concat, Sealer, type SealSeed } from "../crypto/seal"
import { chunkSize, sealedSize } from "../crypto/sizes"
import { Source } from "./source"

/** Bytes of the file in a segment. */
export const segmentSize = 64 * chunkSize

/**
 * Sealed, digested or encrypted at a time. For larger pieces the browser asks the
 * system for fresh memory each time, which costs more than all the ciphers.
 */
export const pieceSize = 8 * chunkSize

/** Segments but for the last end where a block of the cipher does, so that each is encrypted as it is. */
const cipherBlock = 16

export type Segment = {
  number: number
  bytes: Uint8Array<ArrayBuffer>
  /** SHA-256 of the SHA-256 of each piece of the file in it. */
  digest: ArrayBuffer
  /** The checksum of the content up to here. */
  cksum: number
  last: boolean
}

/** The content of one file, from its beginning to its end. */
export interface Content {
  /** The next segment. It rejects as reading the file does. */
  next(): Promise<Segment>
  /** Takes back the memory of a segment that is not needed any more. */
  done(memory: ArrayBuffer): void
  close(): Promise<void>
}

/** Makes the content in this thread. */
export class ContentHere implements Content {
  private readonly cksum = new Cksum()
  private readonly source: Source
  private readonly segments: number
  private number = 0
  /** The next segment of the file, which is read while the one before is sealed. */
  private reading: Promise<Uint8Array<ArrayBuffer>>
  /** What came before the first chunk, and then what was less than a block. */
  private carried: Uint8Array
  /** Memory to read into, and memory for what is made of it. */
  private readonly toRead: ArrayBuffer[] = []
  private readonly toFill: ArrayBuffer[] = []

  private constructor(
    private readonly file: Blob,
    private readonly sealer: Sealer | undefined,
  ) {
    this.segments = Math.max(1, Math.ceil(file.size / segmentSize))
    this.carried = sealer?.prologue() ?? new Uint8Array(0)
    this.source = Source.of(file.stream())
    this.reading = this.read(0)
  }

  static async open(file: Blob, seed: SealSeed | undefined): Promise<ContentHere> {
    return new ContentHere(file, seed && (await Sealer.start(seed)))
  }

  private read(segment: number): Promise<Uint8Array<ArrayBuffer>> {
    const size = Math.min(segmentSize, this.file.size - segment * segmentSize)
    const memory = this.toRead.pop() ?? new ArrayBuffer(Math.min(segmentSize, this.file.size))
    const reading = this.source.fill(new Uint8Array(memory, 0, size)).then((plain) => {
      if (plain.length === size) return plain
      throw new DOMException("the file became shorter", "NotReadableError")
    })
    // It is asked for later, or never if something else fails before.
    reading.catch(() => {})
    return reading
  }

  async next(): Promise<Segment> {
    const number = this.number++
    const plain = await this.reading
    const last = number === this.segments - 1
    if (!last) this.reading = this.read(number + 1)

    const digesting: Promise<ArrayBuffer>[] = []
    const sealing: Promise<Uint8Array[]>[] = []
    let at = 0
    do {
      const piece = plain.subarray(at, at + pieceSize)
      at += piece.length
      digesting.push(crypto.subtle.digest("SHA-256", piece))
      if (this.sealer) sealing.push(this.sealer.seal(piece, last && at === plain.length))
    } while (at < plain.length)
    const digests = (await Promise.all(digesting)).map((digest) => new Uint8Array(digest))
    const digest = await crypto.subtle.digest("SHA-256", concat(digests))

    const bytes = this.sealer ? await this.gather(sealing, last) : plain
    if (this.sealer) this.toRead.push(plain.buffer)
    else this.cksum.update(bytes)
    return { number, bytes, digest, cksum: this.cksum.digest(), last }
  }

  /** Puts what was sealed one behind the other, up to the end of a block. */
  private async gather(sealing: Promise<Uint8Array[]>[], last: boolean) {
    const size = this.carried.length + sealedSize(0, Math.min(segmentSize, this.file.size))
    let memory = this.toFill.pop()
    if (!memory || memory.byteLength < size) memory = new ArrayBuffer(size)
    const bytes = new Uint8Array(memory)
    bytes.set(this.carried)
    let filled = this.carried.length
    if (this.number === 1) this.cksum.update(this.carried)
    for (const parts of sealing) {
      for (const part of await parts) {
        this.cksum.update(part)
        bytes.set(part, filled)
        filled += part.length
      }
    }
    const whole = last ? filled : filled - (filled % cipherBlock)
    this.carried = bytes.slice(whole, filled)
    return bytes.subarray(0, whole)
  }

  done(memory: ArrayBuffer) {
    ;(this.sealer ? this.toFill : this.toRead).push(memory)
  }

  async close(): Promise<void> {
    await this.source.close()
  }
}
