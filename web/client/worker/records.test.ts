import "fake-indexeddb/auto"
import { serialize } from "node:v8"
import { generateHybridIdentity } from "age-encryption"
import { openDB } from "idb"
import { beforeAll, beforeEach, expect, test } from "vitest"
import { newSealSeed, type SealSeed } from "../crypto/seal"
import { lockSeed, Records, type UploadRecord, unlockSeed } from "./records"

let seed: SealSeed
let key: CryptoKey
beforeAll(async () => {
  seed = await newSealSeed(await generateHybridIdentity())
  key = await newKey()
})

let records: Records
beforeEach(async () => {
  records = await Records.open()
  for (const id of ["a", "b"]) await records.remove(id)
})

test("what is kept is there after a reload, for the account whose it is", async () => {
  await records.put(record("a", { sent: 7 }))
  await records.put(record("b", { account: "grace" }))
  const reloaded = await Records.open()
  expect(await reloaded.get("a")).toEqual(record("a", { sent: 7 }))
  expect((await reloaded.all("ada")).map(({ id }) => id)).toEqual(["a"])
  expect(await reloaded.get("c")).toBeUndefined()
})

test("what is removed takes its digests along, and no others", async () => {
  for (const id of ["a", "b"]) {
    await records.put(record(id))
    for (const segment of [0, 1, 300]) await records.putDigest(id, segment, digest(segment))
  }
  expect(hex(await (await Records.open()).digest("a", 300))).toBe(hex(digest(300)))
  await records.remove("a")
  expect(await records.get("a")).toBeUndefined()
  for (const segment of [0, 1, 300]) {
    expect(await records.digest("a", segment)).toBeUndefined()
    expect(hex(await records.digest("b", segment))).toBe(hex(digest(segment)))
  }
  await records.forgetDigests("b")
  expect(await records.digest("b", 0)).toBeUndefined()
  expect(await records.get("b")).toEqual(record("b"))
})

test("a seed comes back under the key that it was locked with", async () => {
  await records.put(record("a", { seed: await lockSeed(seed, key) }))
  const kept = (await (await Records.open()).get("a"))?.seed
  if (!kept) throw new Error("no seed was kept")
  expect(await unlockSeed(kept, key)).toEqual(seed)
  await expect(unlockSeed(kept, await newKey())).rejects.toThrow()
})

test("a locked seed that was changed does not open", async () => {
  const locked = await lockSeed(seed, key)
  const changes = [
    { ...locked, header: changed(locked.header) },
    { ...locked, iv: changed(locked.iv) },
    { ...locked, secret: changed(new Uint8Array(locked.secret)).buffer },
  ]
  for (const change of changes) await expect(unlockSeed(change, key)).rejects.toThrow()
})

test("no two locks are alike", async () => {
  const [one, other] = [await lockSeed(seed, key), await lockSeed(seed, key)]
  expect(one.iv).not.toEqual(other.iv)
  expect(hex(one.secret)).not.toBe(hex(other.secret))
})

test("on the disk a seed is not in the clear", async () => {
  await records.put(record("a", { seed: await lockSeed(seed, key) }))
  const db = await openDB("coffer-uploads")
  const kept = serialize(await db.getAll("uploads"))
  db.close()
  // It is there, with the header that the server has as well.
  expect(kept.includes(Buffer.from(seed.header))).toBe(true)
  expect(kept.includes(Buffer.from(seed.fileKey))).toBe(false)
  expect(kept.includes(Buffer.from(seed.nonce))).toBe(false)
})

function newKey(): Promise<CryptoKey> {
  const algorithm = { name: "AES-GCM", length: 256 }
  return crypto.subtle.generateKey(algorithm, false, ["encrypt", "decrypt"])
}

function changed(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const other = bytes.slice()
  other[0] = 255 - (other[0] ?? 0)
  return other
}

/** Buffers are all alike to toEqual. */
function hex(bytes: ArrayBuffer | undefined): string | undefined {
  return bytes && Buffer.from(bytes).toString("hex")
}

function digest(segment: number): ArrayBuffer {
  return new Uint8Array(32).fill(segment % 256).buffer
}

function record(id: string, over: Partial<UploadRecord> = {}): UploadRecord {
  return {
    id,
    account: "ada",
    owner: "tab",
    name: "file",
    size: 1_000,
    lastModified: 0,
    sealed: true,
    packetSize: 1 << 20,
    started: 0,
    sent: 0,
    ...over,
  }
}
