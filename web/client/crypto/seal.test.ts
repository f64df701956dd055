import {
  Decrypter,
  Encrypter,
  generateHybridIdentity,
  generateX25519Identity,
  identityToRecipient,
} from "age-encryption"
import { beforeAll, describe, expect, test } from "vitest"
import { content, pieces, readText, sha256 } from "../testing/vectors"
import { concat, maySeal, newSealSeed, Opener, Sealer, type SealSeed } from "./seal"
import { chunkSize, openedSize, sealedChunkSize, sealedSize } from "./sizes"

const sizes = [0, 1, chunkSize - 1, chunkSize, chunkSize + 1, 3 * chunkSize, 3 * chunkSize + 100]

type SealedVector = { note: string; identity: string; length: number; sealed: string }
const vectors: SealedVector[] = JSON.parse(readText("seal/testdata/sealed.json"))

let identity: string
beforeAll(async () => {
  identity = await generateHybridIdentity()
})

describe("what was sealed by the command line and by browsers before", () => {
  test("is there", () => expect(vectors.length).toBeGreaterThan(3))

  test.each(vectors)("$note, $length bytes, opens", async ({ identity, length, sealed }) => {
    const opened = await open(new Uint8Array(Buffer.from(sealed, "base64")), identity, 10_000)
    expect(sha256(opened)).toBe(sha256(content(length)))
  })
})

test.each(sizes)("%i bytes: age opens what is sealed", async (size) => {
  const sealed = await seal(await newSealSeed(identity), content(size))
  const decrypter = new Decrypter()
  decrypter.addIdentity(identity)
  expect(sha256(await decrypter.decrypt(sealed))).toBe(sha256(content(size)))
})

test.each(sizes)("%i bytes: what age sealed opens, in pieces of any size", async (size) => {
  const sealed = await sealByAge(content(size), identity)
  for (const piece of [sealed.length, 1000, sealedChunkSize, 16]) {
    expect(sha256(await open(sealed, identity, piece)), `by ${piece}`).toBe(sha256(content(size)))
  }
})

test("an identity of the older kind opens and seals as well", async () => {
  const older = await generateX25519Identity()
  const sealed = await seal(await newSealSeed(older), content(70_000))
  expect(sha256(await open(sealed, older, 4096))).toBe(sha256(content(70_000)))
})

test("the same seed makes the same bytes, another seed others", async () => {
  const seed = await newSealSeed(identity)
  const first = await seal(seed, content(100_000))
  expect(sha256(await seal(seed, content(100_000), 2 * chunkSize))).toBe(sha256(first))
  const other = await newSealSeed(identity)
  expect(other.fileKey).not.toEqual(seed.fileKey)
  expect(other.nonce).not.toEqual(seed.nonce)
  expect(seed.fileKey.length).toBe(16)
})

test.each(sizes)("the size of %i bytes is known before and after", async (size) => {
  const seed = await newSealSeed(identity)
  const sealed = await seal(seed, content(size))
  expect(sealedSize(seed.header.length, size)).toBe(sealed.length)
  expect(openedSize(seed.header.length, sealed.length)).toBe(size)
})

test("a size that no sealed file has is of none", () => {
  expect(openedSize(200, 200)).toBeUndefined()
  // A chunk cannot be its tag alone, unless it is the only one.
  expect(openedSize(200, 200 + 16 + sealedChunkSize + 16)).toBeUndefined()
})

test("only whole chunks are sealed before the end", async () => {
  const sealer = await Sealer.start(await newSealSeed(identity))
  expect(() => sealer.seal(content(100), false)).toThrow("whole chunks")
})

describe("a sealed file that was changed does not open:", () => {
  const size = 2 * chunkSize + 1000
  let seed: SealSeed
  let sealed: Uint8Array<ArrayBuffer>
  let payload: number
  beforeAll(async () => {
    seed = await newSealSeed(identity)
    sealed = await seal(seed, content(size))
    payload = seed.header.length + 16
  })

  test("a byte of its header, nonce or any chunk", async () => {
    const places = [
      30, // a stanza
      seed.header.length - 5, // the MAC
      seed.header.length + 3, // the nonce
      payload,
      payload + sealedChunkSize - 1,
      payload + sealedChunkSize,
      sealed.length - 1,
    ]
    for (const at of places) {
      const changed = sealed.slice()
      changed[at] = (changed[at] ?? 0) ^ 1
      await expect(open(changed, identity, 5000), `at ${at}`).rejects.toThrow()
    }
  })

  test("cut short anywhere, even between chunks", async () => {
    for (const end of [
      0,
      10,
      seed.header.length,
      payload,
      payload + sealedChunkSize,
      sealed.length - 1,
    ]) {
      await expect(open(sealed.slice(0, end), identity, 5000), `at ${end}`).rejects.toThrow()
    }
  })

  test("made longer", async () => {
    await expect(open(concat([sealed, content(16)]), identity, 5000)).rejects.toThrow()
  })

  test("chunks that changed places", async () => {
    const first = sealed.slice(payload, payload + sealedChunkSize)
    const changed = sealed.slice()
    changed.copyWithin(payload, payload + sealedChunkSize, payload + 2 * sealedChunkSize)
    changed.set(first, payload + sealedChunkSize)
    await expect(open(changed, identity, 5000)).rejects.toThrow()
  })

  test("an empty chunk at the end of whole ones", async () => {
    const sealer = await Sealer.start(seed)
    const parts = [sealer.prologue(), ...(await sealer.seal(content(chunkSize), false))]
    parts.push(...(await sealer.seal(new Uint8Array(0), true)))
    await expect(open(concat(parts), identity, 5000)).rejects.toThrow("empty chunk")
  })

  test("sealed for a different identity", async () => {
    const other = await generateHybridIdentity()
    await expect(open(sealed, other, 5000)).rejects.toThrow("another key")
  })

  test("no sealed file at all", async () => {
    await expect(open(content(200_000), identity, 5000)).rejects.toThrow("no sealed file")
  })
})

test("what may be sealed is told by its beginning", async () => {
  expect(maySeal(await sealByAge(content(1), identity))).toBe(true)
  expect(maySeal(new TextEncoder().encode("age-encryption.org/v2\n"))).toBe(false)
})

async function seal(seed: SealSeed, plain: Uint8Array<ArrayBuffer>, piece = chunkSize) {
  const sealer = await Sealer.start(seed)
  const parts: Uint8Array[] = [sealer.prologue()]
  const last = Math.max(0, Math.ceil(plain.length / piece) - 1) * piece
  for (let at = 0; at < last; at += piece) {
    parts.push(...(await sealer.seal(plain.slice(at, at + piece), false)))
  }
  parts.push(...(await sealer.seal(plain.slice(last), true)))
  return concat(parts)
}

async function sealByAge(plain: Uint8Array, identity: string) {
  const encrypter = new Encrypter()
  encrypter.addRecipient(await identityToRecipient(identity))
  return new Uint8Array(await encrypter.encrypt(plain))
}

async function open(sealed: Uint8Array<ArrayBuffer>, identity: string, size: number) {
  const opener = new Opener(identity)
  const parts: Uint8Array[] = []
  for (const piece of pieces(sealed, size)) parts.push(...(await opener.update(piece)))
  parts.push(await opener.end())
  return concat(parts)
}
