/**
 * What a passphrase becomes before it may leave the browser. docs/security.md
 * specifies it, with vectors; the command line does the same.
 */
import { argon2id } from "hash-wasm"
import { toHex } from "./encoding"

const utf8 = new TextEncoder()

/** Passphrases that look the same are the same, whatever keyboard typed them. */
export function normalise(passphrase: string): string {
  return passphrase.normalize("NFKC")
}

/** The password that the server gets in place of the passphrase: from it the passphrase cannot be had. */
export async function derivePassword(username: string, passphrase: string): Promise<string> {
  const label = utf8.encode(`coffer sign-in v1\0${username}`)
  const salt = new Uint8Array(await crypto.subtle.digest("SHA-256", label))
  const slow = await argon2id({
    password: utf8.encode(normalise(passphrase)),
    salt,
    iterations: 3,
    memorySize: 65_536,
    parallelism: 1,
    hashLength: 32,
    outputType: "binary",
  })
  return toHex(await hkdf(new Uint8Array(slow), new Uint8Array(0), "coffer sign-in password v1"))
}

/** 32 bytes by HKDF-SHA256. */
export async function hkdf(
  secret: Uint8Array<ArrayBuffer>,
  salt: Uint8Array<ArrayBuffer>,
  info: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const key = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"])
  const params = { name: "HKDF", hash: "SHA-256", salt, info: utf8.encode(info) }
  return new Uint8Array(await crypto.subtle.deriveBits(params, key, 256))
}
