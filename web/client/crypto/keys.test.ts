import { createHash } from "node:crypto"
import { beforeAll, describe, expect, test } from "vitest"
import { fromHex, protocolVectors, readBytes, readText } from "../testing/vectors"
import { toBase64 } from "./encoding"
import { Keys, newProfile, openBundle, type Profile, sealBundle } from "./keys"

/** The work factor of tests, which open many bundles. */
const cheap = 10

type BundleVector = { note: string; passphrase: string; content: string; bundle: string }
const bundles: BundleVector[] = JSON.parse(readText("seal/testdata/bundle.json"))

const clientID = "7CA0BAC6-36A7-EF92-9AC6-031D1265FA44"

let profile: Profile
beforeAll(async () => {
  profile = await newProfile("ada", clientID)
}, 30_000)

describe("a session key that OpenSSL wrapped", () => {
  const vectors = protocolVectors()
  const labels = ["rsa1024_e65537", "rsa1024_e17", "rsa3072_e65537"]

  test.each(labels)("is unwrapped with the key %s", async (label) => {
    const keys = await Keys.of({ ...profile, rsa_key: pkcs8(label) })
    for (const hash of ["sha256", "sha1"] as const) {
      const wrapped = vectors.oaep_wrapped_session_key[`${label}_${hash}`]
      expect(await keys.unwrap(toBase64(fromHex(wrapped ?? "")), hash)).toEqual(
        fromHex(vectors.session_key),
      )
    }
    const der = readBytes(`protocol/testdata/${label}.pub.der`)
    expect(keys.publicKey).toEqual(der)
    expect(keys.fingerprint).toBe(createHash("sha256").update(der).digest("hex"))
  })

  test("is not unwrapped with the other hash", async () => {
    const keys = await Keys.of({ ...profile, rsa_key: pkcs8("rsa3072_e65537") })
    const wrapped = fromHex(vectors.oaep_wrapped_session_key.rsa3072_e65537_sha256 ?? "")
    await expect(keys.unwrap(toBase64(wrapped), "sha1")).rejects.toThrow()
  })
})

test("a new profile is what the command line knows", async () => {
  expect(profile).toMatchObject({
    version: 1,
    server: "",
    username: "ada",
    client_id: "7ca0bac636a7ef929ac6031d1265fa44",
  })
  expect(profile.identity).toMatch(/^AGE-SECRET-KEY-PQ-1[0-9A-Z]+$/)
  const keys = await Keys.of(profile)
  // 3072 bits: 398 bytes of modulus and exponent, and what DER has around them.
  expect(keys.publicKey.length).toBe(422)
})

describe("bundles that other clients made", () => {
  test("are there", () => expect(bundles.length).toBeGreaterThan(2))

  test.each(bundles)("$note", async ({ passphrase, content, bundle }) => {
    const bytes = Buffer.from(bundle, "base64")
    const opened = await openBundle(bytes, passphrase)
    expect(opened).toEqual(JSON.parse(content))
    await Keys.of(opened)
    await expect(openBundle(bytes, `${passphrase} `)).rejects.toMatchObject({
      reason: "passphrase",
    })
  })
})

describe("a bundle", () => {
  const passphrase = "ﬁve café owls"
  let bundle: Uint8Array<ArrayBuffer>
  beforeAll(async () => {
    bundle = await sealBundle(profile, passphrase, cheap)
  })

  test("opens with its passphrase, however that was typed", async () => {
    expect(await openBundle(bundle, passphrase)).toEqual(profile)
    expect(await openBundle(bundle, "five cafe\u0301 owls")).toEqual(profile)
  })

  test("is never the same twice", async () => {
    expect(await sealBundle(profile, passphrase, cheap)).not.toEqual(bundle)
  })

  test("does not open with another passphrase", async () => {
    await expect(openBundle(bundle, "five cafe owl")).rejects.toMatchObject({
      reason: "passphrase",
    })
  })

  test("is damaged when any part behind the stanza was changed", async () => {
    const payload = Buffer.from(bundle).indexOf("\n---")
    for (const at of [payload + 8, payload + 60, bundle.length - 1]) {
      const changed = bundle.slice()
      changed[at] = (changed[at] ?? 0) ^ 1
      await expect(openBundle(changed, passphrase), `at ${at}`).rejects.toMatchObject({
        reason: "damaged",
      })
    }
  })

  test.each([
    ["no age file", "hello"],
    ["cut short", ""],
  ])("that is %s is damaged", async (_, text) => {
    await expect(openBundle(new TextEncoder().encode(text), passphrase)).rejects.toMatchObject({
      reason: "damaged",
    })
  })

  test.each([
    ["of another version", { version: 2 }],
    ["without a key", { rsa_key: undefined }],
    ["with an identity that is none", { identity: "age1abc" }],
  ])("%s is damaged", async (_, change) => {
    const other = await sealBundle({ ...profile, ...change } as Profile, passphrase, cheap)
    await expect(openBundle(other, passphrase)).rejects.toMatchObject({ reason: "damaged" })
  })

  test("with an RSA key that is none has no keys", async () => {
    await expect(Keys.of({ ...profile, rsa_key: "AAAA" })).rejects.toMatchObject({
      reason: "damaged",
    })
  })
})

/** A key of the vectors as a profile has it. */
function pkcs8(label: string): string {
  return readText(`protocol/testdata/${label}.key.pem`)
    .replaceAll(/-----[A-Z ]+-----/g, "")
    .replaceAll(/\s/g, "")
}
