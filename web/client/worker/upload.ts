/**
 * Sends one file: read in segments, sealed, summed, encrypted and cut into
 * packets, as one stream. Never more of it is in memory than a few segments and
 * the packets that are on their way.
 */
import { type Api, ApiError } from "../api/client"
import { CbcEncrypter, importSessionKey } from "../crypto/cbc"
import type { Keys } from "../crypto/keys"
import { newSealSeed, type SealSeed } from "../crypto/seal"
import { sealedSize } from "../crypto/sizes"
import { openContent } from "./ahead"
import { type Content, pieceSize, type Segment } from "./content"
import { Failed } from "./failures"
import { isPassing, type PersistOptions, persist } from "./persist"
import type { Note, UploadJob, UploadProgress, UploadResult } from "./protocol"
import { lockSeed, type Records, type UploadRecord, unlockSeed } from "./records"

const cipherBlock = 16

/** How often the server is given the file before its checksum has to match. */
const maxAttempts = 4

const maxStartOvers = 5

/** How far an upload is, is written down no more often than this, in milliseconds. */
const keepEvery = 1_000

export type UploadContext = Omit<PersistOptions, "waiting"> & {
  api: Api
  keys: Keys
  records: Records
  report: (progress: UploadProgress) => void
}

/** What was sent until now is of no use. */
class StartOver extends Error {
  constructor(readonly reason: Note) {
    super(reason)
  }
}

export async function upload(job: UploadJob, context: UploadContext): Promise<UploadResult> {
  const { records } = context
  let record = await recordOf(job, context)
  for (let startOvers = 0; ; startOvers++) {
    try {
      const result = await new Sending(job, record, context).run()
      await records.remove(job.id)
      return result
    } catch (error) {
      if (!(error instanceof StartOver) || startOvers === maxStartOvers) throw error
      context.report({ sent: 0, note: error.reason })
      record = await startOver(record, job, context)
    }
  }
}

/** What is known of the upload: from before a reload, or nothing yet. */
async function recordOf(job: UploadJob, context: UploadContext): Promise<UploadRecord> {
  const { records, keys } = context
  const known = await records.get(job.id)
  const record: UploadRecord = known ?? {
    id: job.id,
    account: keys.profile.username,
    owner: job.owner,
    name: job.name,
    size: job.file.size,
    lastModified: job.file.lastModified,
    sealed: job.seal,
    packetSize: job.packetSize,
    started: Date.now(),
    sent: 0,
  }
  record.owner = job.owner
  await records.put(record)
  if (known && known.size !== job.file.size) {
    context.report({ sent: 0, note: "changed" })
    return startOver(record, job, context)
  }
  return record
}

/** Forgets what was sent: another upload, another seed, other digests. */
async function startOver(
  record: UploadRecord,
  job: UploadJob,
  context: UploadContext,
): Promise<UploadRecord> {
  const { upload, seed: _, ...rest } = record
  const fresh = {
    ...rest,
    size: job.file.size,
    lastModified: job.file.lastModified,
    packetSize: job.packetSize,
    sent: 0,
  }
  await context.records.forgetDigests(record.id)
  await context.records.put(fresh)
  // The server drops it by itself in a while; there is no need to wait for that.
  if (upload) await context.api.cancelUpload(upload.id).catch(() => {})
  return fresh
}

class Sending {
  private readonly abort = new AbortController()
  private readonly persistence: PersistOptions
  private readonly inFlight = new Set<Promise<void>>()
  /** The segment that is made ready. */
  private preparing: Promise<unknown> | undefined
  private failure: unknown
  private uploadID = ""
  private cipherSize = 0
  private packets = 0
  /** Bytes of ciphertext that the server has. */
  private acknowledged = 0
  /** When that was last written down. */
  private kept = Number.NEGATIVE_INFINITY
  /** Packets that the server lacks; undefined means all. */
  private missing: Set<number> | undefined

  constructor(
    private readonly job: UploadJob,
    private readonly record: UploadRecord,
    private readonly context: UploadContext,
  ) {
    // The page stops it, or one packet that fails stops the others.
    context.signal.addEventListener("abort", () => this.abort.abort(context.signal.reason), {
      signal: this.abort.signal,
    })
    this.persistence = {
      signal: this.abort.signal,
      renewed: context.renewed,
      waiting: (what) => context.report({ note: what === "network" ? "waiting" : "none" }),
    }
  }

  async run(): Promise<UploadResult> {
    this.context.signal.throwIfAborted()
    this.context.report({ state: "sealing", sent: this.record.sent })
    try {
      const seed = this.record.sealed ? await this.seed() : undefined
      const sessionKey = await this.begin(seed)
      for (let attempt = 1; ; attempt++) {
        if (attempt > 1) this.context.report({ attempt, sent: 0, state: "sealing" })
        const cksum = await this.send(seed, sessionKey)
        this.context.report({ state: "verifying" })
        const verified = await this.verify(cksum)
        if (verified) return { cksum, version: verified.version }
        if (attempt === maxAttempts) throw new Failed({ code: "mismatch" })
        this.missing = undefined
        this.acknowledged = 0
      }
    } finally {
      // What is still on its way is called back.
      this.abort.abort(new DOMException("stopped", "AbortError"))
      await Promise.allSettled([...this.inFlight, this.preparing])
      await this.context.records.put(this.record).catch(() => {})
    }
  }

  /** The seed of the seal: kept from before, or made now and kept. */
  private async seed(): Promise<SealSeed> {
    const { keys, records } = this.context
    if (this.record.seed) return unlockSeed(this.record.seed, keys.storageKey)
    const seed = await newSealSeed(keys.identity)
    this.record.seed = await lockSeed(seed, keys.storageKey)
    await records.put(this.record)
    return seed
  }

  /** Begins the upload at the server, or asks how far it is; returns its session key. */
  private async begin(seed: SealSeed | undefined): Promise<CryptoKey> {
    const { api, keys, records } = this.context
    const { record } = this
    const contentSize = seed ? sealedSize(seed.header.length, record.size) : record.size
    this.cipherSize = contentSize - (contentSize % cipherBlock) + cipherBlock
    if (record.upload) {
      this.uploadID = record.upload.id
      this.packets = Math.ceil(this.cipherSize / record.packetSize)
      await this.ask()
    } else {
      const begun = await persist(async () => {
        const { max_packet } = await api.limits(this.abort.signal)
        record.packetSize = Math.min(record.packetSize, max_packet)
        return api.beginUpload({
          filename: record.name,
          original_size: contentSize,
          total_packets: Math.ceil(this.cipherSize / record.packetSize),
          format: record.sealed ? "sealed_file" : "file",
        })
      }, this.persistence)
      this.packets = Math.ceil(this.cipherSize / record.packetSize)
      this.uploadID = begun.upload_id
      record.upload = {
        id: begun.upload_id,
        wrappedKey: begun.aes_key_encrypted,
        oaepHash: begun.oaep_hash ?? "sha256",
      }
      await records.put(record)
    }
    if (!record.upload) throw new Error("upload: not begun")
    return importSessionKey(await keys.unwrap(record.upload.wrappedKey, record.upload.oaepHash))
  }

  /** Asks the server which packets it lacks. */
  private async ask(): Promise<void> {
    const { api } = this.context
    const state = await this.persistent(() => api.upload(this.uploadID, this.abort.signal))
    this.missing = undefined
    const listed = state.awaiting_packets ?? []
    if (state.complete) this.missing = new Set()
    else if (listed.length === state.awaiting_count) this.missing = new Set(listed)
    else if (listed.length > 0) {
      // The list is cut off: what lies beyond it may be missing as well, and is sent.
      this.missing = new Set(listed)
      for (let n = Math.max(...listed) + 1; n <= this.packets; n++) this.missing.add(n)
    }
  }

  /** Sends the packets that are missing, and returns the checksum of everything. */
  private async send(seed: SealSeed | undefined, sessionKey: CryptoKey): Promise<number> {
    const cipher = new CbcEncrypter(sessionKey)
    const cutter = new Cutter(this.record.packetSize)
    const content = await openContent(this.job.file, seed)
    // What guards a segment is written while the one before it is sent.
    const prepare = () => {
      const segment = this.prepare(content)
      this.preparing = segment
      // It is asked for later, or never if something else fails before.
      segment.catch(() => {})
      return segment
    }
    try {
      for (let next = prepare(); ; ) {
        const { bytes, cksum, last } = await next
        if (!last) next = prepare()
        let at = 0
        do {
          const piece = bytes.subarray(at, at + pieceSize)
          at += piece.length
          const end = last && at === bytes.length
          const encrypted = await (end ? cipher.end(piece) : cipher.update(piece))
          for (const packet of cutter.push(encrypted, end)) await this.hand(packet, cutter)
        } while (at < bytes.length)
        content.done(bytes.buffer)
        if (!last) continue
        await Promise.all(this.inFlight)
        if (this.failure) throw this.failure
        return cksum
      }
    } finally {
      await content.close()
    }
  }

  /** The next segment, when it may be sent. */
  private async prepare(content: Content): Promise<Segment> {
    const segment = await content.next()
    await this.guard(segment.number, segment.digest)
    return segment
  }

  /**
   * The same key and nonce must never meet two plaintexts. Each segment's digest
   * is written down before anything made of it is sent; one that differs from what
   * was written has everything start over under new keys.
   */
  private async guard(segment: number, digest: ArrayBuffer) {
    const { records } = this.context
    const before = await records.digest(this.record.id, segment)
    if (!before) await records.putDigest(this.record.id, segment, digest)
    else if (!same(before, digest)) throw new StartOver("changed")
  }

  /** Sends a packet as soon as there is room on the way. */
  private async hand({ number, bytes }: Packet, cutter: Cutter) {
    this.abort.signal.throwIfAborted()
    if (this.missing && !this.missing.has(number)) {
      this.acknowledge(bytes.length)
      cutter.done(bytes)
      return
    }
    while (this.inFlight.size >= this.job.parallel && !this.failure) {
      await Promise.race(this.inFlight)
    }
    if (this.failure) throw this.failure
    const sending: Promise<void> = this.put(number, bytes)
      .then(() => {
        this.acknowledge(bytes.length)
        cutter.done(bytes)
      })
      .catch((error) => {
        this.failure ??= error
      })
      .finally(() => this.inFlight.delete(sending))
    this.inFlight.add(sending)
  }

  private async put(n: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const { api } = this.context
    let doubtful = false
    await this.persistent(async () => {
      if (doubtful) {
        // It may have arrived though the answer did not: the server knows.
        const state = await api.upload(this.uploadID, this.abort.signal)
        const listed = state.awaiting_packets ?? []
        if (state.complete) return
        if (listed.length === state.awaiting_count && !listed.includes(n)) return
      }
      try {
        const last = n === this.packets
        await api.putPacket(this.uploadID, n, last, bytes, this.abort.signal)
      } catch (error) {
        doubtful = isPassing(error)
        throw error
      }
    })
  }

  private acknowledge(bytes: number) {
    this.acknowledged += bytes
    const { size } = this.record
    const sent = Math.min(size, Math.floor((size * this.acknowledged) / this.cipherSize))
    this.record.sent = sent
    this.context.report({ state: "sending", sent })
    const now = performance.now()
    if (now - this.kept < keepEvery) return
    this.kept = now
    this.context.records.put(this.record).catch(() => {})
  }

  /** Compares checksums with the server; undefined if they differ. */
  private async verify(cksum: number): Promise<{ version: number | undefined } | undefined> {
    const { api } = this.context
    let doubtful = false
    try {
      const answer = await this.persistent(async () => {
        try {
          return await api.verifyUpload(this.uploadID, cksum, this.abort.signal)
        } catch (error) {
          doubtful ||= isPassing(error)
          throw error
        }
      })
      return answer.verified ? { version: answer.version } : undefined
    } catch (error) {
      // The answer to an earlier try may have been lost, and the upload be a file by now.
      if (!(doubtful && error instanceof StartOver)) throw error
      const { file } = await this.persistent(() =>
        api.file(this.record.name, undefined, this.abort.signal),
      )
      const committed = Number(file.crc) === cksum && file.size === this.cipherSize
      if (!committed) throw error
      return { version: file.version }
    }
  }

  /** As persist; an upload that the server does not know has to start over. */
  private async persistent<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await persist(call, this.persistence)
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) {
        throw new StartOver("dropped")
      }
      throw error
    }
  }
}

type Packet = { number: number; bytes: Uint8Array<ArrayBuffer> }

/** Cuts a stream into packets of one size; the last may be shorter. */
class Cutter {
  private packet: Uint8Array<ArrayBuffer> | undefined
  private filled = 0
  private number = 0
  /** The memory of packets that arrived. */
  private readonly free: ArrayBuffer[] = []

  constructor(private readonly size: number) {}

  *push(bytes: Uint8Array, last: boolean): Generator<Packet> {
    for (let at = 0; at < bytes.length; ) {
      this.packet ??= new Uint8Array(this.free.pop() ?? new ArrayBuffer(this.size))
      const piece = bytes.subarray(at, at + this.size - this.filled)
      this.packet.set(piece, this.filled)
      this.filled += piece.length
      at += piece.length
      if (this.filled === this.size) yield this.cut()
    }
    if (last && this.filled > 0) yield this.cut()
  }

  private cut(): Packet {
    const bytes = (this.packet as Uint8Array<ArrayBuffer>).subarray(0, this.filled)
    this.packet = undefined
    this.filled = 0
    return { number: ++this.number, bytes }
  }

  /** Takes the memory of a packet back. */
  done({ buffer }: Uint8Array<ArrayBuffer>) {
    this.free.push(buffer)
  }
}

function same(a: ArrayBuffer, b: ArrayBuffer): boolean {
  const other = new Uint8Array(b)
  return new Uint8Array(a).every((byte, i) => byte === other[i])
}
