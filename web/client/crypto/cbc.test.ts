import { createCipheriv } from "node:crypto"
import { expect, test } from "vitest"
import { content, fromHex, pieces, protocolVectors, sha256 } from "../testing/vectors"
import { CbcDecrypter, CbcEncrypter, importSessionKey } from "./cbc"
import { concat } from "./seal"

const vectors = protocolVectors()
const raw = fromHex(vectors.session_key)

test.each(vectors.aes_256_cbc_zero_iv_of_content)(
  "$length bytes at once and in pieces",
  async ({ length, ciphertext_sha256 }) => {
    const plain = content(length)
    for (const blocks of length > 100_000 ? [4095, 32_768] : [1, 3, 4096]) {
      const cipher = await encrypted(plain, 16 * blocks)
      expect(sha256(cipher), `in pieces of ${blocks} blocks`).toBe(ciphertext_sha256)
      expect(sha256(await decrypted(cipher, 16 * blocks))).toBe(sha256(plain))
    }
  },
  30_000,
)

test("the memory that it was given may be used again at once", async () => {
  const encrypter = new CbcEncrypter(await importSessionKey(raw))
  const memory = content(4096)
  const first = encrypter.update(memory)
  memory.fill(0)
  expect(sha256(await first)).toBe(sha256((await encrypted(content(4096), 4096)).slice(0, 4096)))
})

test("pieces that are not whole blocks are refused", async () => {
  const key = await importSessionKey(raw)
  await expect(new CbcEncrypter(key).update(content(15))).rejects.toThrow("whole blocks")
  await expect(new CbcDecrypter(key).update(content(17))).rejects.toThrow("whole blocks")
})

test.each([
  ["nothing", new Uint8Array(0)],
  ["no whole block", content(31)],
  ["a padding of zero", unpadded(0)],
  ["a padding of seventeen", unpadded(17)],
])("at the end, %s is refused", async (_, cipher) => {
  const decrypter = new CbcDecrypter(await importSessionKey(raw))
  await expect(decrypter.end(cipher as Uint8Array<ArrayBuffer>)).rejects.toThrow()
})

/** A block that ends with that byte and was not padded, encrypted. */
function unpadded(lastByte: number): Uint8Array {
  const cipher = createCipheriv("aes-256-cbc", raw, new Uint8Array(16)).setAutoPadding(false)
  return new Uint8Array(cipher.update(new Uint8Array(16).fill(lastByte)))
}

/** Encrypts in pieces; the end gets what is no whole piece. */
async function encrypted(plain: Uint8Array<ArrayBuffer>, size: number) {
  const encrypter = new CbcEncrypter(await importSessionKey(raw))
  const whole = plain.length - (plain.length % size)
  const out: Uint8Array[] = []
  for (const piece of pieces(plain.slice(0, whole), size)) out.push(await encrypter.update(piece))
  out.push(await encrypter.end(plain.slice(whole)))
  return concat(out)
}

async function decrypted(cipher: Uint8Array<ArrayBuffer>, size: number) {
  const decrypter = new CbcDecrypter(await importSessionKey(raw))
  const before = cipher.length - 1 - ((cipher.length - 1) % size)
  const out: Uint8Array[] = []
  for (const piece of pieces(cipher.slice(0, before), size)) out.push(await decrypter.update(piece))
  out.push(await decrypter.end(cipher.slice(before)))
  return concat(out)
}
