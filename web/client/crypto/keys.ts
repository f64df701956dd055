/**
 * The keys of an account, and the key bundle that holds them: an age file that
 * only the passphrase opens, with the profile that the command line knows.
 */
import { Decrypter, Encrypter, generateHybridIdentity } from "age-encryption"
import { normalise } from "./derive"
import { fromBase64, toBase64, toHex } from "./encoding"
import { BundleError } from "./errors"

const rsaBits = 3072

/** Of scrypt, as powers of two: what a new bundle costs to open, and the most that is put up with. */
const workFactor = 18

export type OaepHash = "sha256" | "sha1"

/** What stands in a bundle. */
export type Profile = {
  version: 1
  server: string
  username: string
  client_id: string
  rsa_key: string
  identity: string
}

/** Makes the keys of a new account. */
export async function newProfile(username: string, clientID: string): Promise<Profile> {
  const pair = await crypto.subtle.generateKey(
    {
      name: "RSA-OAEP",
      modulusLength: rsaBits,
      publicExponent: new Uint8Array([1, 0, 1]),
      hash: "SHA-256",
    },
    true,
    ["encrypt", "decrypt"],
  )
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", pair.privateKey)
  return {
    version: 1,
    server: "",
    username,
    client_id: clientID.replaceAll("-", "").toLowerCase(),
    rsa_key: toBase64(new Uint8Array(pkcs8)),
    identity: await generateHybridIdentity(),
  }
}

export async function sealBundle(
  profile: Profile,
  passphrase: string,
  cost = workFactor,
): Promise<Uint8Array<ArrayBuffer>> {
  const encrypter = new Encrypter()
  encrypter.setPassphrase(normalise(passphrase))
  encrypter.setScryptWorkFactor(cost)
  const bundle = await encrypter.encrypt(`${JSON.stringify(profile, null, 2)}\n`)
  return bundle as Uint8Array<ArrayBuffer>
}

export async function openBundle(bundle: Uint8Array, passphrase: string): Promise<Profile> {
  const decrypter = new Decrypter()
  decrypter.addPassphrase(normalise(passphrase))
  let text: string
  try {
    text = await decrypter.decrypt(bundle, "text")
  } catch (cause) {
    // A wrong passphrase opens no stanza; whatever else fails, the file is at fault.
    const wrong = cause instanceof Error && cause.message.startsWith("no identity matched")
    throw new BundleError(wrong ? "passphrase" : "damaged", { cause })
  }
  const profile: unknown = parse(text)
  if (!isProfile(profile)) throw new BundleError("damaged")
  return profile
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new BundleError("damaged", { cause })
  }
}

function isProfile(value: unknown): value is Profile {
  const profile = value as Profile | null
  return (
    typeof profile === "object" &&
    profile !== null &&
    profile.version === 1 &&
    typeof profile.username === "string" &&
    typeof profile.client_id === "string" &&
    typeof profile.rsa_key === "string" &&
    typeof profile.identity === "string" &&
    profile.identity.startsWith("AGE-SECRET-KEY-")
  )
}

/** The keys of a profile, ready to be used. The RSA key cannot be read back out of them. */
export class Keys {
  private constructor(
    readonly profile: Pick<Profile, "username" | "client_id">,
    readonly identity: string,
    /** DER SubjectPublicKeyInfo. */
    readonly publicKey: Uint8Array<ArrayBuffer>,
    /** SHA-256 of the public key, hex, as the server names it. */
    readonly fingerprint: string,
    /** For what this browser keeps of unfinished uploads. */
    readonly storageKey: CryptoKey,
    private readonly rsa: Record<OaepHash, CryptoKey>,
  ) {}

  static async of(profile: Profile): Promise<Keys> {
    let pkcs8: Uint8Array<ArrayBuffer>
    let readable: CryptoKey
    try {
      pkcs8 = fromBase64(profile.rsa_key)
      readable = await importRSA(pkcs8, "sha256", true)
    } catch (cause) {
      throw new BundleError("damaged", { cause })
    }
    const { kty, n, e } = await crypto.subtle.exportKey("jwk", readable)
    const publicHalf = await crypto.subtle.importKey(
      "jwk",
      { kty, n, e, alg: "RSA-OAEP-256", ext: true },
      { name: "RSA-OAEP", hash: "SHA-256" },
      true,
      ["encrypt"],
    )
    const publicKey = new Uint8Array(await crypto.subtle.exportKey("spki", publicHalf))
    const digest = await crypto.subtle.digest("SHA-256", publicKey)
    return new Keys(
      { username: profile.username, client_id: profile.client_id },
      profile.identity,
      publicKey,
      toHex(new Uint8Array(digest)),
      await storageKey(profile.identity),
      {
        sha256: await importRSA(pkcs8, "sha256", false),
        sha1: await importRSA(pkcs8, "sha1", false),
      },
    )
  }

  /** Unwraps a session key. */
  async unwrap(wrapped: string, hash: OaepHash = "sha256"): Promise<Uint8Array<ArrayBuffer>> {
    const key = await crypto.subtle.decrypt("RSA-OAEP", this.rsa[hash], fromBase64(wrapped))
    return new Uint8Array(key)
  }
}

function importRSA(pkcs8: Uint8Array<ArrayBuffer>, hash: OaepHash, readable: boolean) {
  const params = { name: "RSA-OAEP", hash: hash === "sha1" ? "SHA-1" : "SHA-256" }
  return crypto.subtle.importKey("pkcs8", pkcs8, params, readable, ["decrypt"])
}

async function storageKey(identity: string): Promise<CryptoKey> {
  const secret = new TextEncoder().encode(identity)
  const base = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveKey"])
  return crypto.subtle.deriveKey(
    {
      name: "HKDF",
      hash: "SHA-256",
      salt: new Uint8Array(0),
      info: new TextEncoder().encode("coffer browser storage v1"),
    },
    base,
    { name: "AES-GCM", length: 256 },
    false,
    ["encrypt", "decrypt"],
  )
}
