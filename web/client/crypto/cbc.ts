/**
 * AES-CBC as a stream, on WebCrypto, which has no streams: each call of it ends
 * a message and pads it. Between calls the last block of ciphertext is the next
 * IV, and the padding of all calls but the last is dropped.
 */

const block = 16
const empty = new Uint8Array(0)

/** The key of one session or upload. */
export function importSessionKey(raw: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", raw, "AES-CBC", false, ["encrypt", "decrypt"])
}

/** Encrypts. What it is given is copied before the call returns, so its memory may be used again. */
export class CbcEncrypter {
  // The protocol begins with a zero IV. A key is of one upload alone.
  private iv = new Uint8Array(block)

  constructor(private readonly key: CryptoKey) {}

  /** Encrypts whole blocks. */
  async update(plain: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    const size = plain.length
    if (size % block !== 0) throw new Error("cbc: not whole blocks")
    if (size === 0) return empty
    const padded = await this.encrypt(plain)
    const cipher = padded.subarray(0, size)
    this.iv = cipher.slice(-block)
    return cipher
  }

  /** Encrypts what is left and the padding. */
  async end(plain: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    return this.encrypt(plain)
  }

  private async encrypt(plain: Uint8Array<ArrayBuffer>) {
    const params = { name: "AES-CBC", iv: this.iv }
    return new Uint8Array(await crypto.subtle.encrypt(params, this.key, plain))
  }
}

export class CbcDecrypter {
  private iv = new Uint8Array(block)
  /** What is decrypted next; the same memory each time. */
  private padded: Uint8Array<ArrayBuffer> = empty

  constructor(private readonly key: CryptoKey) {}

  /** Decrypts whole blocks that are not the last. */
  async update(cipher: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    if (cipher.length % block !== 0) throw new Error("cbc: not whole blocks")
    if (cipher.length === 0) return empty
    const last = cipher.slice(-block)
    // WebCrypto wants a padding to take off: a block of nothing but padding, encrypted as the next one.
    const padding = await crypto.subtle.encrypt({ name: "AES-CBC", iv: last }, this.key, empty)
    const size = cipher.length + block
    if (this.padded.length < size) this.padded = new Uint8Array(size)
    this.padded.set(cipher)
    this.padded.set(new Uint8Array(padding), cipher.length)
    const plain = await this.decrypt(this.padded.subarray(0, size))
    this.iv = last
    return plain
  }

  /** Decrypts the last blocks and takes the padding off. It fails if there is none. */
  async end(cipher: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    return this.decrypt(cipher)
  }

  private async decrypt(cipher: Uint8Array<ArrayBuffer>) {
    const params = { name: "AES-CBC", iv: this.iv }
    return new Uint8Array(await crypto.subtle.decrypt(params, this.key, cipher))
  }
}
