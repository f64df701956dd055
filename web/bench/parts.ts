/** Runs in the browser: how fast the parts of a backup are, each for itself. */
import { generateHybridIdentity } from "age-encryption"
import { CbcEncrypter, importSessionKey } from "../client/crypto/cbc"
import { type ChaCha, importNative, importPortable } from "../client/crypto/chacha"
import { Cksum } from "../client/crypto/cksum"
import { newSealSeed, Sealer } from "../client/crypto/seal"
import { chunkSize } from "../client/crypto/sizes"

const rounds = 9
const pieceSize = 8 * chunkSize
const size = 64 * chunkSize

/** In megabytes a second, by part. */
export async function measure(): Promise<Record<string, number>> {
  const data = new Uint8Array(size)
  for (let i = 0; i < size; i += chunkSize) {
    crypto.getRandomValues(data.subarray(i, i + chunkSize))
  }
  const raw = crypto.getRandomValues(new Uint8Array(32))
  const cbc = new CbcEncrypter(await importSessionKey(raw))
  const sealer = await Sealer.start(await newSealSeed(await generateHybridIdentity()))
  const native = await importNative(raw)
  const file = new File([data], "data")
  return {
    "read a file": await best(() => file.slice(0, size).arrayBuffer()),
    "SHA-256": await best(() => crypto.subtle.digest("SHA-256", data)),
    seal: await best(() => sealer.seal(data, false)),
    ...(native && { "ChaCha20-Poly1305, the browser's": await best(() => chunks(native, data)) }),
    "ChaCha20-Poly1305, libsodium's": await best(async () => chunks(await portable(raw), data)),
    cksum: await best(() => new Cksum().update(data)),
    "AES-256-CBC": await best(async () => {
      for (let i = 0; i < size; i += pieceSize) await cbc.update(data.subarray(i, i + pieceSize))
    }),
  }
}

let kept: Promise<ChaCha> | undefined
const portable = (raw: Uint8Array<ArrayBuffer>) => (kept ??= importPortable(raw))

async function chunks(key: ChaCha, data: Uint8Array<ArrayBuffer>) {
  const nonce = new Uint8Array(12)
  const sealed: Promise<unknown>[] = []
  for (let i = 0; i < size; i += chunkSize) {
    sealed.push(key.seal(nonce, data.subarray(i, i + chunkSize)))
  }
  await Promise.all(sealed)
}

async function best(work: () => unknown): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < rounds; i++) {
    const began = performance.now()
    await work()
    least = Math.min(least, performance.now() - began)
  }
  return size / 1e6 / (least / 1000)
}
