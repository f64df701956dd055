import "fake-indexeddb/auto"
import { createDecipheriv, randomBytes } from "node:crypto"
import { serialize } from "node:v8"
import { generateHybridIdentity } from "age-encryption"
import { openDB } from "idb"
import { beforeAll, beforeEach, describe, expect, test, vi } from "vitest"
import { type Api, ApiError } from "../api/client"
import { Cksum } from "../crypto/cksum"
import type { Keys } from "../crypto/keys"
import { concat, Opener } from "../crypto/seal"
import { content, sha256 } from "../testing/vectors"
import type { UploadJob, UploadProgress } from "./protocol"
import { Records, type UploadRecord, unlockSeed } from "./records"
import { type UploadContext, upload } from "./upload"

const MiB = 1024 * 1024
const segment = 4 * MiB
const packetSize = MiB

let identity: string
let storageKey: CryptoKey
beforeAll(async () => {
  identity = await generateHybridIdentity()
  const algorithm = { name: "AES-GCM", length: 256 }
  storageKey = await crypto.subtle.generateKey(algorithm, false, ["encrypt", "decrypt"])
  // What a worker's persistence listens to.
  vi.stubGlobal("self", new EventTarget())
})

let server: FakeServer
let records: FakeRecords
beforeEach(() => {
  server = new FakeServer()
  records = new FakeRecords()
})

describe.each([true, false])("sealed: %s", (seal) => {
  test.each([0, 1, segment, 2 * segment + 12_345])("%i bytes arrive", async (size) => {
    const { cksum, version } = await send(content(size), { seal })
    const arrived = server.only()
    expect(version).toBe(1)
    expect(cksum).toBe(new Cksum().update(arrived.plain()).digest())
    expect(sha256(await opened(arrived, seal))).toBe(sha256(content(size)))
    // Nothing is remembered of what is finished.
    expect(records.uploads.size + records.digests.size).toBe(0)
  })

  test("one that was stopped goes on with the packets that are missing", async () => {
    await stopAfter(4, content(2 * segment), seal)
    const before = [...server.only().packets.keys()]
    server.puts = []
    await send(content(2 * segment), { seal })
    expect(server.puts.filter((n) => before.includes(n))).toEqual([])
    expect(sha256(await opened(server.only(), seal))).toBe(sha256(content(2 * segment)))
  })

  test("a file that is another one by now never meets the old keys", async () => {
    const original = content(3 * segment)
    await stopAfter(4, original, seal)
    const interrupted = server.only()

    const changed = original.slice()
    changed[segment + 5] = 255 - (changed[segment + 5] ?? 0)
    const notes: (string | undefined)[] = []
    await send(changed, { seal, report: ({ note }) => notes.push(note) })

    expect(notes.join()).toContain("changed")
    expect(server.uploads.size).toBe(1)
    expect(server.cancelled).toEqual([interrupted])
    const replacement = server.only()
    expect(replacement.key).not.toEqual(interrupted.key)
    expect(sha256(await opened(replacement, seal))).toBe(sha256(changed))
    // What went out under the old key is the old file alone, so far as it goes.
    const sent = interrupted.plainOfBeginning()
    const plain = seal ? concat(await new Opener(identity).update(sent)) : sent
    expect(plain.length).toBeGreaterThan(segment / 2)
    expect(sha256(plain)).toBe(sha256(original.slice(0, plain.length)))
  })

  test("the checksum is compared four times, and then it has failed", async () => {
    server.damage = 4
    const attempts: number[] = []
    const report = ({ attempt }: UploadProgress) => attempt && attempts.push(attempt)
    await expect(send(content(1000), { seal, report })).rejects.toMatchObject({
      failure: { code: "mismatch" },
    })
    expect(attempts).toEqual([2, 3, 4])
    expect(server.puts).toEqual([1, 1, 1, 1])
  })

  test("a checksum that is right in the end is as good as any", async () => {
    server.damage = 3
    await send(content(1000), { seal })
    expect(sha256(await opened(server.only(), seal))).toBe(sha256(content(1000)))
  })
})

test.each([true, false])(
  "what the browser keeps of an unfinished one opens nothing, sealed: %s",
  async (seal) => {
    const kept = await Records.open()
    await stopAfter(2, content(2 * segment), seal, kept)

    const db = await openDB("coffer-uploads")
    const all = serialize(await Promise.all([db.getAll("uploads"), db.getAll("digests")]))
    db.close()
    const record = await kept.get("upload")
    expect(record?.upload?.wrappedKey).toBe(wrap(server.only().key))
    expect(await kept.digest("upload", 0)).toBeDefined()
    const secrets: Uint8Array[] = [server.only().key, content(64).slice(0, 32)]
    expect(record?.seed !== undefined).toBe(seal)
    if (record?.seed) {
      const { fileKey, nonce } = await unlockSeed(record.seed, storageKey)
      secrets.push(fileKey, nonce, new TextEncoder().encode(identity))
    }
    for (const secret of secrets) {
      for (const form of ["latin1", "base64", "hex"] as const) {
        expect(all.includes(Buffer.from(secret).toString(form), 0, "latin1")).toBe(false)
      }
    }

    // After a reload it goes on from there.
    const before = [...server.only().packets.keys()]
    server.puts = []
    await send(content(2 * segment), { seal, kept: await Records.open() })
    expect(server.puts.filter((n) => before.includes(n))).toEqual([])
    expect(sha256(await opened(server.only(), seal))).toBe(sha256(content(2 * segment)))
    expect(await kept.get("upload")).toBeUndefined()
    expect(await kept.digest("upload", 0)).toBeUndefined()
  },
)

test("an upload that the server dropped starts over, under other keys, and says so", async () => {
  await stopAfter(2, content(segment), true)
  const dropped = server.only()
  server.uploads.clear()
  const notes: (string | undefined)[] = []
  await send(content(segment), { report: ({ note }) => notes.push(note) })
  expect(notes.join()).toContain("dropped")
  expect(server.only().key).not.toEqual(dropped.key)
  expect(sha256(await opened(server.only(), true))).toBe(sha256(content(segment)))
})

test("a packet of which the answer was lost is not sent again", async () => {
  server.loseAnswer = 2
  await send(content(segment))
  expect(server.puts.filter((n) => n === 2)).toEqual([2])
})

test("what goes wrong for good is not tried for ever", async () => {
  server.refusal = new ApiError(507, "no space", undefined)
  await expect(send(content(segment))).rejects.toBe(server.refusal)
})

type Options = {
  seal?: boolean
  signal?: AbortSignal
  report?: (p: UploadProgress) => unknown
  /** In place of the records in memory. */
  kept?: Records
}

function send(bytes: Uint8Array<ArrayBuffer>, options: Options = {}) {
  const { seal = true, signal, report, kept } = options
  const lastSegment = Math.max(0, Math.ceil(bytes.length / segment) - 1)
  server.beforePacket = async (n) => {
    // What a packet is made of was written down before. (The seal's header and
    // tags only delay it; behind the last segment there is padding alone.)
    const from = Math.min(lastSegment, Math.floor(((n - 1) * packetSize) / segment))
    const digest = await (kept ?? records).digest("upload", from)
    if (!digest) throw new Error(`packet ${n} before its segment's digest`)
  }
  const job: UploadJob = {
    id: "upload",
    owner: "tab",
    file: new File([bytes], "file"),
    name: "file",
    seal,
    packetSize,
    parallel: 3,
  }
  const context: UploadContext = {
    api: server as unknown as Api,
    records: kept ?? (records as unknown as Records),
    keys: {
      profile: { username: "ada", client_id: "" },
      identity,
      storageKey,
      unwrap: async (wrapped: string) => unwrap(wrapped),
    } as unknown as Keys,
    signal: signal ?? new AbortController().signal,
    renewed: () => Promise.reject(new Error("the session ended")),
    report: (progress) => report?.(progress),
  }
  return upload(job, context)
}

/** Sends until so many packets have arrived. */
async function stopAfter(
  packets: number,
  bytes: Uint8Array<ArrayBuffer>,
  seal: boolean,
  kept?: Records,
) {
  const controller = new AbortController()
  server.afterPacket = () => {
    if (server.puts.length === packets) controller.abort()
  }
  await expect(send(bytes, { seal, signal: controller.signal, kept })).rejects.toThrow()
  server.afterPacket = () => {}
}

async function opened(arrived: FakeUpload, sealed: boolean): Promise<Uint8Array> {
  if (!sealed) return arrived.plain()
  const opener = new Opener(identity)
  return concat([...(await opener.update(arrived.plain())), await opener.end()])
}

/** Stands for RSA: what is wrapped does not look like what is in it. */
function wrap(key: Uint8Array): string {
  return Buffer.from(key.map((byte) => byte ^ 0xa5)).toString("base64")
}

function unwrap(wrapped: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(wrapped, "base64")).map((byte) => byte ^ 0xa5)
}

/** An upload as the server has it. */
class FakeUpload {
  readonly packets = new Map<number, Uint8Array>()

  constructor(
    readonly key: Buffer,
    readonly total: number,
  ) {}

  plain(): Uint8Array {
    const cipher = createDecipheriv("aes-256-cbc", this.key, new Uint8Array(16))
    const parts = Array.from({ length: this.total }, (_, i) => this.packets.get(i + 1))
    if (parts.includes(undefined)) throw new Error("packets are missing")
    return concat([cipher.update(concat(parts as Uint8Array[])), cipher.final()])
  }

  /** What the packets from the first to the first that is missing decrypt to. */
  plainOfBeginning(): Uint8Array {
    const cipher = createDecipheriv("aes-256-cbc", this.key, new Uint8Array(16))
    const parts: Uint8Array[] = []
    for (let n = 1; this.packets.has(n); n++) {
      parts.push(cipher.setAutoPadding(false).update(this.packets.get(n) as Uint8Array))
    }
    return concat(parts)
  }

  missing(): number[] {
    return Array.from({ length: this.total }, (_, i) => i + 1).filter((n) => !this.packets.has(n))
  }
}

/** The calls of the API that uploads make, with a server behind them. */
class FakeServer {
  readonly uploads = new Map<string, FakeUpload>()
  readonly cancelled: FakeUpload[] = []
  puts: number[] = []
  /** So many times the server claims another checksum than it has. */
  damage = 0
  loseAnswer = 0
  refusal: Error | undefined
  beforePacket: (n: number) => Promise<void> = async () => {}
  afterPacket: () => void = () => {}

  only(): FakeUpload {
    expect(this.uploads.size).toBe(1)
    return [...this.uploads.values()][0] as FakeUpload
  }

  limits = async () => ({ max_packet: 4 * MiB })

  beginUpload = async ({ total_packets }: { total_packets: number }) => {
    const begun = new FakeUpload(randomBytes(32), total_packets)
    const upload_id = randomBytes(16).toString("hex")
    this.uploads.set(upload_id, begun)
    return { upload_id, aes_key_encrypted: wrap(begun.key), oaep_hash: "sha256" }
  }

  upload = async (id: string) => {
    const missing = this.find(id).missing()
    const complete = missing.length === 0
    // As the real one, it names no more than some.
    return { complete, awaiting_packets: missing.slice(0, 100), awaiting_count: missing.length }
  }

  putPacket = async (
    id: string,
    n: number,
    last: boolean,
    bytes: Uint8Array,
    signal: AbortSignal,
  ) => {
    if (this.refusal) throw this.refusal
    const found = this.find(id)
    const copy = bytes.slice()
    await this.beforePacket(n)
    expect(last).toBe(n === found.total)
    // The others go on meanwhile, and the memory of packets is used again.
    await new Promise((done) => setTimeout(done, 1))
    signal.throwIfAborted()
    found.packets.set(n, copy)
    this.puts.push(n)
    this.afterPacket()
    if (this.loseAnswer === n) {
      this.loseAnswer = 0
      throw new ApiError(503, "", 0.01)
    }
  }

  verifyUpload = async (id: string, cksum: number) => {
    const found = this.find(id)
    const right = new Cksum().update(found.plain()).digest() === cksum
    if (!right) throw new Error("the client's own checksum is wrong")
    if (this.damage === 0) return { verified: true, version: 1 }
    this.damage--
    found.packets.clear()
    return { verified: false }
  }

  cancelUpload = async (id: string) => {
    const found = this.uploads.get(id)
    if (found) this.cancelled.push(found)
    this.uploads.delete(id)
  }

  private find(id: string): FakeUpload {
    const found = this.uploads.get(id)
    if (!found) throw new ApiError(404, "", undefined)
    return found
  }
}

/** Records in memory, copied in and out as a database does. */
class FakeRecords {
  readonly uploads = new Map<string, UploadRecord>()
  readonly digests = new Map<number, ArrayBuffer>()

  get = async (id: string) => structuredClone(this.uploads.get(id))
  put = async (record: UploadRecord) => void this.uploads.set(record.id, structuredClone(record))
  digest = async (_: string, segment: number) => this.digests.get(segment)
  putDigest = async (_: string, segment: number, digest: ArrayBuffer) =>
    void this.digests.set(segment, digest)
  forgetDigests = async () => this.digests.clear()
  remove = async (id: string) => {
    this.uploads.delete(id)
    this.digests.clear()
  }
}
