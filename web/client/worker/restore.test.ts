import { generateIdentity } from "age-encryption"
import { beforeAll, beforeEach, describe, expect, test, vi } from "vitest"
import type { Api } from "../api/client"
import { CbcEncrypter, importSessionKey } from "../crypto/cbc"
import { Cksum } from "../crypto/cksum"
import { toBase64 } from "../crypto/encoding"
import type { Keys } from "../crypto/keys"
import { concat, newSealSeed, Sealer } from "../crypto/seal"
import type { FileEntry } from "../engine/types"
import { fakeFile } from "../testing/fakeEngine"
import { content, sha256 } from "../testing/vectors"
import { restore } from "./restore"

const sizes = [0, 1, 15, 16, 65_536, 1_300_000]

let identity: string
beforeAll(async () => {
  identity = await generateIdentity()
})

let server: FakeServer
beforeEach(() => {
  vi.stubGlobal("self", new AlwaysOnline())
  server = new FakeServer()
})

describe.each([true, false])("sealed: %s", (sealed) => {
  test.each(sizes)("%i bytes come back", async (size) => {
    await server.store(content(size), sealed)
    expect(sha256(await restored())).toBe(sha256(content(size)))
  })

  test("after a cut it goes on from where it was", async () => {
    await server.store(content(1_300_000), sealed)
    server.cuts = [700_001, 0, 400_000]
    expect(sha256(await restored())).toBe(sha256(content(1_300_000)))
    expect(server.asked[0]).toBe(0)
    expect(server.asked).toHaveLength(4)
    // What had come is not fetched twice.
    expect(server.asked[1]).toBeGreaterThan(0)
    expect(server.asked).toEqual([...server.asked].sort((a, b) => a - b))
  })

  test("a browser that does not read into memory that it is given reads as well", async () => {
    await server.store(content(1_300_000), sealed)
    server.bytes = false
    server.cuts = [700_001]
    expect(sha256(await restored())).toBe(sha256(content(1_300_000)))
  })

  test("a byte that was changed anywhere, and nothing is handed out", async () => {
    await server.store(content(200_000), sealed)
    for (const at of [0, 5_000, server.cipherText.length - 1]) {
      const whole = server.cipherText
      server.cipherText = whole.slice()
      server.cipherText[at] = 255 - (whole[at] ?? 0)
      await expect(restored(), `at ${at}`).rejects.toThrow()
      server.cipherText = whole
    }
  })

  test("more than was announced is refused", async () => {
    await server.store(content(200_000), sealed)
    server.cipherText = concat([server.cipherText, new Uint8Array(16)])
    await expect(restored()).rejects.toThrow()
  })
})

test("a server that is cut again and again is given up", async () => {
  await server.store(content(200_000), true)
  server.cuts = Array.from({ length: 20 }, () => 0)
  await expect(restored()).rejects.toThrow("again and again")
})

describe("what the server could have made", () => {
  test("is refused unless a person takes it", async () => {
    for (const format of ["file", "folder", "unknown"] as const) {
      await server.store(content(70_000), false)
      server.entry = { ...server.entry, format }
      await expect(restored(false), format).rejects.toMatchObject({
        failure: { code: "not-sealed" },
      })
      expect(sha256(await restored(true)), format).toBe(sha256(content(70_000)))
    }
  })

  test("is refused when it is shorter than a seal, and empty", async () => {
    for (const size of [0, 3]) {
      await server.store(content(size), false)
      server.entry = { ...server.entry, format: "unknown" }
      await expect(restored(false), `${size}`).rejects.toMatchObject({
        failure: { code: "not-sealed" },
      })
    }
  })

  test("sealed content needs no question, whatever the server calls it", async () => {
    await server.store(content(70_000), true)
    server.entry = { ...server.entry, format: "unknown" }
    expect(sha256(await restored(false))).toBe(sha256(content(70_000)))
  })

  test("does not pass for sealed because the list says so", async () => {
    await server.store(content(70_000), false)
    server.listed = { ...server.entry, format: "sealed_file" }
    await expect(restored(false)).rejects.toThrow("other-file")
    server.entry = { ...server.entry, format: "sealed_file" }
    await expect(restored(true)).rejects.toThrow()
  })

  test("another file than was asked for", async () => {
    await server.store(content(70_000), true)
    const right = server.entry
    server.listed = right
    for (const other of [
      { filename: "other" },
      { version: 2 },
      { sha256: "0".repeat(64) },
      { format: "sealed_folder" },
    ] as const) {
      server.entry = { ...right, ...other }
      await expect(restored(true), JSON.stringify(other)).rejects.toThrow("other-file")
    }
  })

  test("another ciphertext than the digest says", async () => {
    await server.store(content(70_000), true)
    server.entry = { ...server.entry, sha256: "0".repeat(64) }
    await expect(restored(true)).rejects.toMatchObject({ failure: { code: "tampered" } })
  })
})

async function restored(unsealed = true): Promise<Uint8Array> {
  const progress: number[] = []
  const { content } = await restore(
    { id: "restore", file: server.listed ?? server.entry, sink: undefined, unsealed },
    {
      api: server as unknown as Api,
      keys: {
        identity,
        fingerprint: "ours",
        unwrap: async (wrapped: string) => new Uint8Array(Buffer.from(wrapped, "base64")),
      } as unknown as Keys,
      signal: new AbortController().signal,
      renewed: () => Promise.reject(new Error("the session ended")),
      report: ({ received }) => received !== undefined && progress.push(received),
    },
  )
  expect(progress).toEqual([...progress].sort((a, b) => a - b))
  return new Uint8Array(await (content as Blob).arrayBuffer())
}

/** What a worker's persistence listens to: nobody waits for the network here. */
class AlwaysOnline extends EventTarget {
  override addEventListener(type: string, listener: () => void) {
    super.addEventListener(type, listener)
    if (type === "online") queueMicrotask(listener)
  }
}

/** The calls of the API that a restore makes, with one file behind them. */
class FakeServer {
  cipherText = new Uint8Array(0)
  entry = fakeFile("file")
  /** What the list said, if it was something else. */
  listed: FileEntry | undefined
  /** After so many bytes each connection is cut; those behind the last are whole. */
  cuts: number[] = []
  /** From where each connection was asked for. */
  asked: number[] = []
  /** Whether its streams are of bytes, as a browser's are. */
  bytes = true
  private key = ""

  async store(plain: Uint8Array<ArrayBuffer>, sealed: boolean) {
    const raw = crypto.getRandomValues(new Uint8Array(32))
    this.key = toBase64(raw)
    const whole = sealed ? await this.seal(plain) : plain
    this.cipherText = await new CbcEncrypter(await importSessionKey(raw)).end(whole)
    this.entry = fakeFile("file", {
      size: this.cipherText.length,
      original_size: whole.length,
      sha256: sha256(this.cipherText),
      crc: String(new Cksum().update(whole).digest()),
      format: sealed ? "sealed_file" : "file",
    })
  }

  private async seal(plain: Uint8Array<ArrayBuffer>) {
    const sealer = await Sealer.start(await newSealSeed(identity))
    return concat([sealer.prologue(), ...(await sealer.seal(plain, true))])
  }

  file = async () => ({
    file: this.entry,
    aes_key_encrypted: this.key,
    oaep_hash: "sha256",
    key_fingerprint: "ours",
  })

  content = async (_name: string, _version: number, from: number) => {
    this.asked.push(from)
    const whole = this.cipherText.subarray(from)
    const cut = this.cuts.shift()
    const left = [...parts(whole.subarray(0, cut ?? whole.length))]
    const pull = (controller: ReadableStreamController<Uint8Array<ArrayBuffer>>) => {
      const part = left.shift()
      if (part) controller.enqueue(part)
      else if (cut !== undefined) controller.error(new TypeError("network error"))
      else {
        controller.close()
        // Who waits with memory of his own is told by its return.
        if ("byobRequest" in controller) controller.byobRequest?.respond(0)
      }
    }
    return this.bytes ? new ReadableStream({ type: "bytes", pull }) : new ReadableStream({ pull })
  }
}

function* parts(bytes: Uint8Array): Generator<Uint8Array<ArrayBuffer>> {
  for (let at = 0; at < bytes.length; at += 100_003) yield bytes.slice(at, at + 100_003)
}
