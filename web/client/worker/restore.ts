/**
 * Brings one file back: received, decrypted, summed and unsealed as one stream.
 * What was not checked whole is not handed out as good.
 */
import { createSHA256 } from "hash-wasm"
import { type Api, NetworkError } from "../api/client"
import { CbcDecrypter, importSessionKey } from "../crypto/cbc"
import { Cksum } from "../crypto/cksum"
import { SealError } from "../crypto/errors"
import { Gathered } from "../crypto/gathered"
import type { Keys } from "../crypto/keys"
import { concat, maySeal, Opener } from "../crypto/seal"
import { chunkSize, sealedChunkSize } from "../crypto/sizes"
import { Failed } from "./failures"
import { backOff, type PersistOptions, persist } from "./persist"
import type { RestoreJob, RestoreProgress, RestoreResult } from "./protocol"
import { Source } from "./source"

/** So many times in a row the connection may be cut before anything came. */
const maxFruitless = 6

/**
 * Received, decrypted and unsealed at a time. For larger pieces the browser asks
 * the system for fresh memory each time.
 */
const pieceSize = 8 * sealedChunkSize

/** Written at a time. Each write is a journey through several processes of the browser. */
const writeSize = 64 * chunkSize

/** Parts of a download that are gathered before they go to a blob, which the browser may keep on disk. */
const blobPart = 8 * 1024 * 1024

export type RestoreContext = Omit<PersistOptions, "waiting"> & {
  api: Api
  keys: Keys
  report: (progress: RestoreProgress) => void
}

export async function restore(job: RestoreJob, context: RestoreContext): Promise<RestoreResult> {
  const { api, keys, signal } = context
  const persistence = { ...context, waiting: () => {} }
  const details = await persist(
    () => api.file(job.file.filename, job.file.version, signal),
    persistence,
  )
  const { file } = details
  const asked = job.file
  if (file.filename !== asked.filename || file.version !== asked.version)
    throw new Failed({ code: "other-file" })
  // Between the list and now, too, a version stays what it is.
  if (file.sha256 !== asked.sha256 || file.format !== asked.format)
    throw new Failed({ code: "other-file" })
  if (details.key_fingerprint !== keys.fingerprint) throw new Failed({ code: "other-key" })

  const sessionKey = await importSessionKey(
    await keys.unwrap(details.aes_key_encrypted, details.oaep_hash),
  ).catch(() => {
    throw new Failed({ code: "tampered" })
  })
  const sink = job.sink ? await FileSink.open(job.sink) : new BlobSink()
  try {
    const cipher = new CbcDecrypter(sessionKey)
    const cksum = new Cksum()
    const sha256 = await createSHA256()
    const unsealer = new Unsealer(keys.identity, file.format, job.unsealed)
    let contentSize = 0

    const pass = async (content: Uint8Array<ArrayBuffer>) => {
      contentSize += content.length
      const opening = unsealer.update(content)
      cksum.update(content)
      for (const plain of await opening) await sink.write(plain)
    }

    context.report({ state: "receiving", received: 0 })
    const cipherText = new Gathered(2 * pieceSize)
    let decrypted = 0
    for await (const bytes of receive(api, job, file.version, file.size, persistence)) {
      sha256.update(bytes)
      cipherText.add(bytes)
      // The last block carries the padding, so a byte is kept until the end is known.
      if (cipherText.length <= pieceSize) continue
      signal.throwIfAborted()
      await pass(await cipher.update(cipherText.take(pieceSize)))
      decrypted += pieceSize
      context.report({ received: Math.floor((file.original_size * decrypted) / file.size) })
    }
    context.report({ state: "checking" })
    if (sha256.digest("hex") !== file.sha256) throw new Failed({ code: "tampered" })
    await pass(
      await cipher.end(cipherText.take()).catch(() => {
        throw new Failed({ code: "tampered" })
      }),
    )
    if (cksum.digest() !== Number(file.crc) || contentSize !== file.original_size) {
      throw new Failed({ code: "tampered" })
    }
    await sink.write(await unsealer.end())
    signal.throwIfAborted()
    return { cksum: cksum.digest(), content: await sink.close() }
  } catch (error) {
    await sink.abort()
    throw error
  }
}

/**
 * The ciphertext as it comes, each piece to be used before the next is asked for.
 * After a cut it goes on from where it was.
 */
async function* receive(
  api: Api,
  job: RestoreJob,
  version: number,
  size: number,
  persistence: PersistOptions,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const { signal } = persistence
  let received = 0
  let fruitless = 0
  while (received < size) {
    const from = received
    const stream = await persist(
      () => api.content(job.file.filename, version, from, signal),
      persistence,
    )
    const source = Source.of(stream)
    // Fresh each time: what a connection was cut with is lost.
    let memory = new ArrayBuffer(pieceSize)
    try {
      for (;;) {
        const { bytes, done } = await source.read(new Uint8Array(memory, 0, pieceSize))
        memory = bytes.buffer
        if (done) break
        received += bytes.length
        if (received > size) throw new Failed({ code: "tampered" })
        yield bytes
      }
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof Failed) throw error
      // Else the connection was cut, and the next try asks from here.
    } finally {
      await source.close()
    }
    if (received === size) return
    fruitless = received > from ? 0 : fruitless + 1
    if (fruitless === maxFruitless) throw new NetworkError("the connection is cut again and again")
    await backOff(fruitless, signal)
  }
}

/** Takes the seal off. What has none is taken only from who says that it may. */
class Unsealer {
  private readonly opener: Opener
  private kind: "sealed" | "plain" | "unknown"
  /** While the kind is unknown: what came until now. */
  private held: Uint8Array<ArrayBuffer> = new Uint8Array(0)

  constructor(
    identity: string,
    format: RestoreJob["file"]["format"],
    private readonly unsealed: boolean,
  ) {
    this.opener = new Opener(identity)
    if (format === "unknown") this.kind = "unknown"
    else if (format === "sealed_file" || format === "sealed_folder") this.kind = "sealed"
    else this.kind = this.plain()
  }

  private plain(): "plain" {
    if (!this.unsealed) throw new Failed({ code: "not-sealed" })
    return "plain"
  }

  async update(content: Uint8Array<ArrayBuffer>): Promise<Uint8Array[]> {
    if (this.kind === "sealed") return this.opener.update(content)
    if (this.kind === "plain") return [content]
    this.held = concat([this.held, content])
    if (maySeal(this.held)) {
      // A client that tells nobody what it sends may have sealed it, to these keys or to others.
      try {
        const opened = await this.opener.update(content)
        if (this.opener.begun) {
          this.kind = "sealed"
          this.held = new Uint8Array(0)
        }
        return opened
      } catch (error) {
        if (this.opener.begun || !(error instanceof SealError)) throw error
      }
    }
    this.kind = this.plain()
    return [this.held]
  }

  async end(): Promise<Uint8Array> {
    if (this.kind === "sealed") return this.opener.end()
    if (this.kind === "plain") return new Uint8Array(0)
    this.plain()
    return this.held
  }
}

/** Where the content goes. */
interface Sink {
  write(bytes: Uint8Array): Promise<void>
  close(): Promise<Blob | undefined>
  abort(): Promise<void>
}

/** A file on disk. The browser writes beside it and puts it in place when it is closed. */
class FileSink implements Sink {
  private filling = new Uint8Array(writeSize)
  private other = new Uint8Array(writeSize)
  private filled = 0
  private writing: Promise<void> = Promise.resolve()

  private constructor(private readonly stream: FileSystemWritableFileStream) {}

  static async open(handle: FileSystemFileHandle): Promise<FileSink> {
    return new FileSink(await handle.createWritable())
  }

  /** One memory is filled while the other is written. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const piece = bytes.subarray(at, at + writeSize - this.filled)
      this.filling.set(piece, this.filled)
      this.filled += piece.length
      at += piece.length
      if (this.filled === writeSize) await this.flush()
    }
  }

  private async flush() {
    await this.writing
    this.writing = this.stream.write(this.filling.subarray(0, this.filled))
    // It is waited for later; until then nobody hears of its failure.
    this.writing.catch(() => {})
    ;[this.filling, this.other] = [this.other, this.filling]
    this.filled = 0
  }

  async close(): Promise<undefined> {
    await this.flush()
    await this.writing
    await this.stream.close()
  }

  abort(): Promise<void> {
    return this.stream.abort().catch(() => {})
  }
}

/** A blob, to be handed to the browser as a download. */
class BlobSink implements Sink {
  private blobs: Blob[] = []
  private parts: Uint8Array<ArrayBuffer>[] = []
  private size = 0

  async write(bytes: Uint8Array): Promise<void> {
    this.parts.push(bytes as Uint8Array<ArrayBuffer>)
    this.size += bytes.length
    if (this.size >= blobPart) this.gather()
  }

  private gather() {
    this.blobs.push(new Blob(this.parts))
    this.parts = []
    this.size = 0
  }

  async close(): Promise<Blob> {
    this.gather()
    return new Blob(this.blobs, { type: "application/octet-stream" })
  }

  async abort(): Promise<void> {
    this.blobs = []
    this.parts = []
  }
}
