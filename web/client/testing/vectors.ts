/** What the Go code and other programs made, for tests: the vectors of the protocol and of the seal. */
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { resolve } from "node:path"

const root = resolve(import.meta.dirname, "../../..")

export type ProtocolVectors = {
  session_key: string
  oaep_wrapped_session_key: Record<string, string>
  cksum_of_content: { length: number; cksum: number }[]
  cksum_of_text: { text: string; cksum: number }[]
  aes_256_cbc_zero_iv_of_content: { length: number; ciphertext_sha256: string }[]
}

export function protocolVectors(): ProtocolVectors {
  return JSON.parse(readText("protocol/testdata/vectors.json"))
}

export function readText(path: string): string {
  return readFileSync(resolve(root, path), "utf8")
}

export function readBytes(path: string): Uint8Array {
  return new Uint8Array(readFileSync(resolve(root, path)))
}

/** The content of the vectors: the first bytes of SHA-256(0), SHA-256(1) and so on, numbers in 64 bits, little-endian. */
export function content(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length)
  const number = new DataView(new ArrayBuffer(8))
  for (let at = 0; at < length; at += 32) {
    number.setBigUint64(0, BigInt(at / 32), true)
    const hash = createHash("sha256").update(new Uint8Array(number.buffer)).digest()
    bytes.set(hash.subarray(0, length - at), at)
  }
  return bytes
}

export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16))
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex")
}

/** Cuts bytes into pieces of these sizes, over and over. */
export function* pieces(
  bytes: Uint8Array<ArrayBuffer>,
  ...sizes: number[]
): Generator<Uint8Array<ArrayBuffer>> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] as number
    yield bytes.slice(at, at + size)
    at += size
  }
}
