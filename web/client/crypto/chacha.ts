/**
 * ChaCha20-Poly1305, the cipher of age's payload: by the browser itself where it
 * knows it, several times as fast and off this thread, and by libsodium where not.
 */

/**
 * A key. Sealing and opening answer in their own time; many may be asked for at
 * once, and what they are given is copied before the call returns.
 */
export interface ChaCha {
  seal(nonce: Bytes, plain: Bytes): Promise<Uint8Array>
  /** Rejects if it does not authenticate. */
  open(nonce: Bytes, sealed: Bytes): Promise<Uint8Array>
}

type Bytes = Uint8Array<ArrayBuffer>

export async function importChaCha(raw: Bytes): Promise<ChaCha> {
  return (await importNative(raw)) ?? importPortable(raw)
}

/** By WebCrypto; undefined if this browser's does not have it. */
export async function importNative(raw: Bytes): Promise<ChaCha | undefined> {
  const name = "ChaCha20-Poly1305"
  let key: CryptoKey
  try {
    // Younger than the types of TypeScript.
    const format = "raw-secret" as "raw"
    key = await crypto.subtle.importKey(format, raw, name, false, ["encrypt", "decrypt"])
  } catch {
    return undefined
  }
  return {
    seal: async (iv, plain) =>
      new Uint8Array(await crypto.subtle.encrypt({ name, iv } as AesGcmParams, key, plain)),
    open: async (iv, sealed) =>
      new Uint8Array(await crypto.subtle.decrypt({ name, iv } as AesGcmParams, key, sealed)),
  }
}

/** By libsodium, which is loaded when it is needed. */
export async function importPortable(raw: Bytes): Promise<ChaCha> {
  const { default: sodium } = await import("libsodium-wrappers")
  await sodium.ready
  return {
    seal: async (nonce, plain) =>
      sodium.crypto_aead_chacha20poly1305_ietf_encrypt(plain, null, null, nonce, raw),
    open: async (nonce, sealed) =>
      sodium.crypto_aead_chacha20poly1305_ietf_decrypt(null, sealed, null, nonce, raw),
  }
}
