import { generateIdentity } from "age-encryption"
import { afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest"
import { Cksum } from "../crypto/cksum"
import { concat, newSealSeed, Opener, type SealSeed } from "../crypto/seal"
import { sha256 } from "../testing/vectors"
import { openContent } from "./ahead"
import { type Content, ContentHere, type Segment, segmentSize } from "./content"

let identity: string
let seed: SealSeed
let file: Blob
beforeAll(async () => {
  identity = await generateIdentity()
  seed = await newSealSeed(identity)
  const bytes = new Uint8Array(5 * segmentSize + 12_345)
  for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 2_654_435_761) >>> 24
  file = new Blob([bytes])
})

/** Whether workers can be had here. */
let kind: "whole" | "not loaded"
beforeEach(() => {
  kind = "whole"
  vi.stubGlobal("Worker", ThreadHere)
})
afterEach(() => {
  vi.unstubAllGlobals()
  vi.resetModules()
  ThreadHere.last = undefined
})

test.each([true, false])(
  "the content is the same as that made here, sealed: %s",
  async (sealed) => {
    const here = await all(await ContentHere.open(file, sealed ? seed : undefined))
    const ahead = await all(await openContent(file, sealed ? seed : undefined))
    expect(ThreadHere.last).toBeDefined()
    expect(ahead.map(digests)).toEqual(here.map(digests))

    const content = concat(ahead.map(({ bytes }) => bytes))
    expect(ahead.at(-1)?.cksum).toBe(new Cksum().update(content).digest())
    const plain = sealed ? await opened(content) : content
    expect(same(plain, new Uint8Array(await file.arrayBuffer()))).toBe(true)
    // Each can be encrypted as it is, and is known by the file's own bytes.
    expect(ahead.slice(0, -1).every(({ bytes }) => bytes.length % 16 === 0)).toBe(true)
    expect(new Set(ahead.map(({ digest }) => Buffer.from(digest).toString("hex"))).size).toBe(6)
  },
)

test("it is never more than two segments ahead", async () => {
  const content = await openContent(file, seed)
  const taken: Segment[] = []
  for (let i = 0; i < 4; i++) {
    await vi.waitFor(() => expect(ThreadHere.last?.segments).toBe(i + 2))
    const segment = await content.next()
    taken.push(segment)
    content.done(segment.bytes.buffer)
  }
  expect(taken.map(({ number }) => number)).toEqual([0, 1, 2, 3])
  // What was given back is not ours any more.
  expect(taken.every(({ bytes }) => bytes.length === 0)).toBe(true)
  await content.close()
})

test("a small file is worth no thread", async () => {
  const [segment] = await all(await openContent(file.slice(0, segmentSize), undefined))
  expect(segment).toMatchObject({ number: 0, last: true })
  expect(ThreadHere.last).toBeUndefined()
})

test("where no thread can be had, it is made here", async () => {
  kind = "not loaded"
  expect(await all(await openContent(file, seed))).toHaveLength(6)
})

test("a file that cannot be read says so in the end", async () => {
  const content = await openContent(new Shrinking(file), undefined)
  await expect(all(content)).rejects.toMatchObject({ name: "NotReadableError" })
  await content.close()
})

test("who waits for a segment when it is closed waits no longer", async () => {
  const content = await openContent(new Silent(file), undefined)
  const next = expect(content.next()).rejects.toThrow()
  await content.close()
  await next
})

async function all(content: Content): Promise<Segment[]> {
  const segments: Segment[] = []
  for (;;) {
    const segment = await content.next()
    segments.push({ ...segment, bytes: segment.bytes.slice() })
    content.done(segment.bytes.buffer)
    if (!segment.last) continue
    await content.close()
    return segments
  }
}

/** Short enough to be compared. */
function digests({ bytes, digest, ...rest }: Segment) {
  return { ...rest, bytes: sha256(bytes), digest: sha256(new Uint8Array(digest)) }
}

async function opened(sealed: Uint8Array): Promise<Uint8Array> {
  const opener = new Opener(identity)
  return concat([...(await opener.update(sealed)), await opener.end()])
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

/** A file that is shorter than it says. */
class Shrinking extends Blob {
  constructor(whole: Blob) {
    super([whole])
  }
  override stream() {
    return super.slice(0, 2 * segmentSize).stream()
  }
}

/** A file that never comes. */
class Silent extends Blob {
  constructor(whole: Blob) {
    super([whole])
  }
  override stream() {
    return new ReadableStream({ type: "bytes" }) as ReturnType<Blob["stream"]>
  }
}

/** Runs the worker's script in this thread. What is handed over is gone for who gave it, as between threads. */
class ThreadHere extends EventTarget {
  static last: ThreadHere | undefined
  segments = 0
  private readonly inside = new EventTarget() as EventTarget & { postMessage: unknown }
  private readonly begun: Promise<unknown>
  private ended = false

  constructor() {
    super()
    if (kind === "not loaded") {
      this.begun = Promise.resolve()
      queueMicrotask(() => this.dispatchEvent(new Event("error")))
      return
    }
    ThreadHere.last = this
    this.inside.postMessage = (data: object, options: StructuredSerializeOptions) => {
      if (typeof data === "object" && "number" in data) this.segments++
      const message = new MessageEvent("message", { data: structuredClone(data, options) })
      queueMicrotask(() => this.ended || this.dispatchEvent(message))
    }
    vi.stubGlobal("self", this.inside)
    this.begun = import("./aheadWorker")
  }

  postMessage(data: object, transfer: Transferable[] = []) {
    // A file is the same on both sides.
    const given = "memory" in data ? structuredClone(data, { transfer }) : data
    void this.begun.then(() =>
      this.inside.dispatchEvent(new MessageEvent("message", { data: given })),
    )
  }

  terminate() {
    this.ended = true
  }
}
