/**
 * Brings one file back: received, decrypted, summed and unsealed as one stream.
 * What was not checked whole is not handed out as good.
 */
import { type Api, ApiError, NetworkError } from "../api/client"
import { CbcDecrypter, importSessionKey } from "../crypto/cbc"
import { Cksum } from "../crypto/cksum"
import type { Keys } from "../crypto/keys"
import { concat, Opener } from "../crypto/seal"
import { isAbort, ProblemError, tampered } from "../engine/problems"
import { type PersistOptions, persist } from "./persist"
import type { RestoreJob, RestoreProgress, RestoreResult } from "./protocol"

const cipherBlock = 16

/** Worked on at a time. */
const pieceSize = 1024 * 1024

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
  const details = await persist(() => api.file(job.file.filename, job.file.version), persistence)
  const { file } = details
  if (details.key_fingerprint !== keys.fingerprint) throw otherKey()

  const sessionKey = await importSessionKey(
    await keys.unwrap(details.aes_key_encrypted, details.oaep_hash),
  ).catch(() => {
    throw new ProblemError(tampered)
  })
  const sink = job.sink ? await FileSink.open(job.sink) : new BlobSink()
  try {
    const cipher = new CbcDecrypter(sessionKey)
    const cksum = new Cksum()
    const sealed = file.format === "sealed_file" || file.format === "sealed_folder"
    const opener = sealed ? new Opener(keys.identity) : undefined
    let contentSize = 0

    const pass = async (content: Uint8Array<ArrayBuffer>) => {
      cksum.update(content)
      contentSize += content.length
      const plain = opener ? await opener.update(content) : content
      if (plain.length > 0) await sink.write(plain)
    }

    context.report({ state: "receiving", received: 0 })
    let held: Uint8Array<ArrayBuffer> = new Uint8Array(0)
    let received = 0
    for await (const piece of receive(api, job, file.version, file.size, persistence)) {
      signal.throwIfAborted()
      received += piece.length
      const all = concat([held, piece])
      // The last block carries the padding, so it is kept until the end is known.
      const whole = Math.max(0, all.length - 1 - ((all.length - 1) % cipherBlock))
      await pass(await cipher.update(all.subarray(0, whole)))
      held = all.slice(whole)
      context.report({
        received: Math.floor((job.file.original_size * received) / Math.max(1, file.size)),
      })
    }
    context.report({ state: "checking" })
    await pass(
      await cipher.end(held).catch(() => {
        throw new ProblemError(tampered)
      }),
    )
    if (cksum.digest() !== Number(file.crc) || contentSize !== file.original_size) {
      throw new ProblemError(tampered)
    }
    if (opener) await sink.write(await opener.end())
    signal.throwIfAborted()
    return { cksum: cksum.digest(), content: await sink.close() }
  } catch (error) {
    await sink.abort()
    throw error
  }
}

/** The ciphertext in pieces. After a cut it goes on from where it was. */
async function* receive(
  api: Api,
  job: RestoreJob,
  version: number,
  size: number,
  persistence: PersistOptions,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const gathered: Uint8Array[] = []
  let gatheredSize = 0
  let received = 0
  while (received < size) {
    const from = received
    const stream = await persist(
      () => api.content(job.file.filename, version, from, persistence.signal),
      persistence,
    )
    const reader = stream.getReader()
    try {
      for (;;) {
        const { done, value } = await reader.read()
        if (done) break
        received += value.length
        if (received > size) throw new ProblemError(tampered)
        gathered.push(value)
        gatheredSize += value.length
        if (gatheredSize >= pieceSize) {
          yield concat(gathered.splice(0))
          gatheredSize = 0
        }
      }
      // An answer that ends too early and brings nothing would be asked for for ever.
      if (received < size && received === from) throw new ProblemError(tampered)
    } catch (error) {
      if (isAbort(error) || error instanceof ProblemError || error instanceof ApiError) throw error
      // The connection was cut: nothing new may have come, but the next try asks from here.
      persistence.signal.throwIfAborted()
      if (received === from) {
        await persist(() => api.status(), persistence).catch((cause) => {
          throw new NetworkError("the connection was cut", { cause })
        })
      }
    } finally {
      await reader.cancel().catch(() => {})
    }
  }
  if (gatheredSize > 0) yield concat(gathered)
}

/** Where the content goes. */
interface Sink {
  write(bytes: Uint8Array): Promise<void>
  close(): Promise<Blob | undefined>
  abort(): Promise<void>
}

/** A file on disk. The browser writes beside it and puts it in place when it is closed. */
class FileSink implements Sink {
  private constructor(private readonly stream: FileSystemWritableFileStream) {}

  static async open(handle: FileSystemFileHandle): Promise<FileSink> {
    return new FileSink(await handle.createWritable())
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.stream.write(bytes as Uint8Array<ArrayBuffer>)
  }

  async close(): Promise<undefined> {
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

function otherKey(): ProblemError {
  return new ProblemError({
    title: "This file is locked with another key",
    message: "It was backed up with keys that this browser does not have.",
    advice: "Open it with the client that made it, or bring the recovery file of those keys.",
    kind: "tampered",
  })
}
