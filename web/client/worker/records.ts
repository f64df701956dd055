/**
 * What this browser remembers of uploads that are not finished, so that they can
 * go on after a reload. What would help to open a sealed file is encrypted under
 * a key that only the account's own keys give.
 */
import { type DBSchema, type IDBPDatabase, openDB } from "idb"
import { concat, type SealSeed } from "../crypto/seal"

export type UploadRecord = {
  id: string
  account: string
  owner: string
  name: string
  size: number
  lastModified: number
  sealed: boolean
  packetSize: number
  started: number
  /** Bytes of the file that the server had, when last heard of. */
  sent: number
  /** Where the server collects it, and the session key that it gave, still wrapped. */
  upload?: { id: string; wrappedKey: string; oaepHash: "sha256" | "sha1" }
  /** The seed of its seal. */
  seed?: { header: Uint8Array<ArrayBuffer>; iv: Uint8Array<ArrayBuffer>; secret: ArrayBuffer }
}

interface Schema extends DBSchema {
  uploads: { key: string; value: UploadRecord; indexes: { account: string } }
  /** SHA-256 of each segment of plaintext, written before anything of the segment is sent. */
  digests: { key: [string, number]; value: ArrayBuffer }
}

export class Records {
  private constructor(private readonly db: IDBPDatabase<Schema>) {}

  static async open(): Promise<Records> {
    const db = await openDB<Schema>("coffer-uploads", 1, {
      upgrade(db) {
        db.createObjectStore("uploads", { keyPath: "id" }).createIndex("account", "account")
        db.createObjectStore("digests")
      },
    })
    return new Records(db)
  }

  all(account: string): Promise<UploadRecord[]> {
    return this.db.getAllFromIndex("uploads", "account", account)
  }

  get(id: string): Promise<UploadRecord | undefined> {
    return this.db.get("uploads", id)
  }

  async put(record: UploadRecord): Promise<void> {
    await this.db.put("uploads", record)
  }

  async remove(id: string): Promise<void> {
    const change = this.db.transaction(["uploads", "digests"], "readwrite")
    await change.objectStore("uploads").delete(id)
    await change.objectStore("digests").delete(digestsOf(id))
    await change.done
  }

  async forgetDigests(id: string): Promise<void> {
    await this.db.delete("digests", digestsOf(id))
  }

  digest(id: string, segment: number): Promise<ArrayBuffer | undefined> {
    return this.db.get("digests", [id, segment])
  }

  /** Writes a digest to the disk itself: it has to outlast whatever is sent after it, also a power cut. */
  async putDigest(id: string, segment: number, digest: ArrayBuffer): Promise<void> {
    const change = this.db.transaction("digests", "readwrite", { durability: "strict" })
    await change.store.put(digest, [id, segment])
    await change.done
  }
}

function digestsOf(id: string): IDBKeyRange {
  return IDBKeyRange.bound([id, 0], [id, Number.MAX_SAFE_INTEGER])
}

export async function lockSeed(
  seed: SealSeed,
  key: CryptoKey,
): Promise<NonNullable<UploadRecord["seed"]>> {
  const iv = crypto.getRandomValues(new Uint8Array(12))
  const secret = await crypto.subtle.encrypt(
    { name: "AES-GCM", iv, additionalData: seed.header },
    key,
    concat([seed.fileKey, seed.nonce]),
  )
  return { header: seed.header, iv, secret }
}

export async function unlockSeed(
  locked: NonNullable<UploadRecord["seed"]>,
  key: CryptoKey,
): Promise<SealSeed> {
  const secret = new Uint8Array(
    await crypto.subtle.decrypt(
      { name: "AES-GCM", iv: locked.iv, additionalData: locked.header },
      key,
      locked.secret,
    ),
  )
  return { header: locked.header, fileKey: secret.slice(0, 16), nonce: secret.slice(16) }
}
