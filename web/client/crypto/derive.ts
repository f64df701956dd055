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

/**
 * The password that the server gets in place of the passphrase: from it the
 * passphrase cannot be had, and at another server it is of no use.
 */
export function derivePassword(
  server: string,
  username: string,
  passphrase: string,
): Promise<string> {
  return derive("v2", `${server}\0${username}`, passphrase)
}

/** What it was before it knew servers: an account that still has it is moved at its next sign-in. */
export function deriveEarlierPassword(username: string, passphrase: string): Promise<string> {
  return derive("v1", username, passphrase)
}

async function derive(scheme: string, salted: string, passphrase: string): Promise<string> {
  const label = utf8.encode(`coffer sign-in ${scheme}\0${salted}`)
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
  const info = `coffer sign-in password ${scheme}`
  return toHex(await hkdf(new Uint8Array(slow), new Uint8Array(0), info))
}

/**
 * What a server is called in a password: its host as a browser writes it. Every
 * name and address of the machine itself is localhost.
 */
export function signInServer(host: string): string {
  const bare = host.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "")
  const written = new URL(`http://${bare.includes(":") ? `[${bare}]` : bare}/`).hostname
  const name = written.replace(/^\[(.*)\]$/, "$1")
  const local = /^127(\.\d+){3}$/.test(name) || name === "::1" || /(^|\.)localhost$/.test(name)
  return local ? "localhost" : name
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
