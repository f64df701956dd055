/**
 * Sealing: an ordinary age file, to the account's own identity. The header is
 * made and opened by the age library. The payload is age's STREAM, here chunk by
 * chunk, because an upload that goes on after a reload must make the same bytes
 * again, and because the browser's own cipher is faster.
 */
import { Decrypter, Encrypter, identityToRecipient } from "age-encryption"
import { type ChaCha, importChaCha } from "./chacha"
import { hkdf } from "./derive"
import { SealError } from "./errors"
import { Gathered } from "./gathered"
import { chunkSize, nonceSize, sealedChunkSize, tagSize } from "./sizes"

/** More than any header of ours: a hybrid one has some two thousand bytes. */
const maxHeader = 64 * 1024

/**
 * What makes the sealed form of a file. With the same seed the same plaintext
 * becomes the same bytes. A seed must never meet two plaintexts.
 */
export type SealSeed = {
  header: Uint8Array<ArrayBuffer>
  fileKey: Uint8Array<ArrayBuffer>
  nonce: Uint8Array<ArrayBuffer>
}

/** Makes a seed for one file, to be opened with the identity. */
export async function newSealSeed(identity: string): Promise<SealSeed> {
  let fileKey = new Uint8Array(0)
  const encrypter = new Encrypter()
  encrypter.addRecipient(await identityToRecipient(identity))
  // Sees the file key and adds nothing to the header.
  encrypter.addRecipient({
    wrapFileKey(key) {
      fileKey = key.slice() as Uint8Array<ArrayBuffer>
      return []
    },
  })
  const nothing = await encrypter.encrypt(new Uint8Array(0))
  return {
    header: nothing.slice(0, nothing.length - nonceSize - tagSize) as Uint8Array<ArrayBuffer>,
    fileKey,
    nonce: crypto.getRandomValues(new Uint8Array(nonceSize)),
  }
}

/** The nonce of a chunk: its number, and whether it is the last. */
function chunkNonce(number: number, last: boolean): Uint8Array<ArrayBuffer> {
  const nonce = new Uint8Array(12)
  new DataView(nonce.buffer).setUint32(7, number)
  nonce[11] = last ? 1 : 0
  return nonce
}

export class Sealer {
  private chunk = 0

  private constructor(
    private readonly seed: SealSeed,
    private readonly key: ChaCha,
  ) {}

  static async start(seed: SealSeed): Promise<Sealer> {
    return new Sealer(seed, await payloadKey(seed.fileKey, seed.nonce))
  }

  /** What stands before the chunks. */
  prologue(): Uint8Array<ArrayBuffer> {
    return concat([this.seed.header, this.seed.nonce])
  }

  /**
   * Seals more of the file: whole chunks, but for the end, which may be shorter,
   * and empty only if all is. The answer is in parts, one a chunk. More may be
   * given before it is there.
   */
  seal(plain: Uint8Array<ArrayBuffer>, last: boolean): Promise<Uint8Array[]> {
    if (!last && plain.length % chunkSize !== 0) throw new Error("seal: not whole chunks")
    const chunks = Math.max(last ? 1 : 0, Math.ceil(plain.length / chunkSize))
    const first = this.chunk
    this.chunk += chunks
    return eachChunk(chunks, (i) => {
      const nonce = chunkNonce(first + i, last && i === chunks - 1)
      return this.key.seal(nonce, plain.subarray(i * chunkSize, (i + 1) * chunkSize))
    })
  }
}

/** Opens a sealed file that comes in pieces of any size. */
export class Opener {
  private readonly sealed = new Gathered()
  private key: ChaCha | undefined
  private chunk = 0

  constructor(private readonly identity: string) {}

  /** Whether the header was read, and is to this identity. */
  get begun(): boolean {
    return this.key !== undefined
  }

  /**
   * Takes in more and returns what could be opened, in parts, one a chunk. It is
   * authentic, though more may be missing.
   */
  async update(sealed: Uint8Array): Promise<Uint8Array[]> {
    this.sealed.add(sealed)
    if (!this.key && !(await this.begin())) return []
    // A chunk is opened when a byte of the next is there: only then is it not the last.
    const chunks = Math.max(0, Math.ceil(this.sealed.length / sealedChunkSize) - 1)
    const first = this.chunk
    this.chunk += chunks
    return eachChunk(chunks, (i) => this.open(this.sealed.take(sealedChunkSize), first + i, false))
  }

  /** Returns what is left, once all has been taken in. */
  async end(): Promise<Uint8Array> {
    if (!this.key) throw new SealError("the header of the seal is cut short")
    const plain = await this.open(this.sealed.take(), this.chunk, true)
    if (this.chunk > 0 && plain.length === 0) {
      throw new SealError("the seal ends with an empty chunk")
    }
    return plain
  }

  private async open(piece: Uint8Array<ArrayBuffer>, number: number, last: boolean) {
    try {
      return await (this.key as ChaCha).open(chunkNonce(number, last), piece)
    } catch {
      throw new SealError("a chunk of the seal was changed")
    }
  }

  /** Reads header and nonce, when they are there. */
  private async begin(): Promise<boolean> {
    const end = headerEnd(this.sealed.peek())
    if (end < 0) {
      if (this.sealed.length > maxHeader) throw new SealError("this is no sealed file")
      return false
    }
    if (this.sealed.length < end + nonceSize) return false
    const header = this.sealed.take(end).slice()
    const nonce = this.sealed.take(nonceSize).slice()
    const decrypter = new Decrypter()
    decrypter.addIdentity(this.identity)
    let fileKey: Uint8Array
    try {
      fileKey = await decrypter.decryptHeader(header)
    } catch (cause) {
      throw new SealError("the seal is of another key, or its header was changed", { cause })
    }
    this.key = await payloadKey(fileKey.slice() as Uint8Array<ArrayBuffer>, nonce)
    return true
  }
}

async function payloadKey(fileKey: Uint8Array<ArrayBuffer>, nonce: Uint8Array<ArrayBuffer>) {
  return importChaCha(await hkdf(fileKey, nonce, "payload"))
}

/** Chunks do not depend on each other, so the cipher may take them all at once. */
function eachChunk<T>(chunks: number, work: (i: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: chunks }, (_, i) => work(i)))
}

const intro = new TextEncoder().encode("age-encryption.org/v1\n")

/** Whether what begins so may be sealed. */
export function maySeal(beginning: Uint8Array): boolean {
  return beginning.subarray(0, intro.length).every((byte, i) => byte === intro[i])
}

/** Where the header of an age file ends: after the line that begins with three dashes. */
function headerEnd(bytes: Uint8Array): number {
  const text = new TextDecoder("latin1").decode(bytes.subarray(0, maxHeader))
  const mac = text.indexOf("\n--- ")
  if (mac < 0) return -1
  return text.indexOf("\n", mac + 1) + 1 || -1
}

export function concat(parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
