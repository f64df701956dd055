import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { Watched } from "../../shared/watched"
import { fakeFile } from "../testing/fakeEngine"
import { FakeRemote } from "../testing/fakeRemote"
import { Failed } from "../worker/failures"
import { problemOf } from "./problems"
import { LiveRestores } from "./restores"
import type { Download, FileEntry, Session, SessionState } from "./types"

class FakeSession extends Watched<SessionState> {
  show(state: SessionState) {
    this.replace(state)
  }
}

const file = fakeFile("letter.txt", { original_size: 1_000 })
const failed = new Failed({ code: "other-key" })
const problem = problemOf(failed)

let remote: FakeRemote
let session: FakeSession
let restores: LiveRestores
let handedOut: [Blob, FileEntry][]
let accepted: FileEntry[]
beforeEach(() => {
  vi.useFakeTimers()
  remote = new FakeRemote()
  session = new FakeSession({ state: "signed-in", username: "ada", expires: new Date() })
  handedOut = []
  accepted = []
  restores = new LiveRestores(
    remote.remote,
    (content, entry) => handedOut.push([content, entry]),
    session as unknown as Session,
    async (entry) => void accepted.push(entry),
  )
})
afterEach(() => {
  vi.useRealTimers()
})

function shown(id: string): Download {
  const found = restores.getSnapshot().find((download) => download.id === id)
  if (!found) throw new Error("it is not shown")
  return found
}

function received(id: string, bytes: number) {
  remote.emit({ event: "restore", id, progress: { received: bytes } })
}

test("progress is shown a few times a second, whatever comes", async () => {
  const id = restores.start(file)
  let changes = 0
  restores.subscribe(() => changes++)
  for (let i = 1; i <= 100; i++) {
    received(id, i)
    await vi.advanceTimersByTimeAsync(10)
  }
  expect(changes).toBeGreaterThanOrEqual(5)
  expect(changes).toBeLessThanOrEqual(10)
  await vi.advanceTimersByTimeAsync(200)
  expect(shown(id)).toMatchObject({ state: "receiving", received: 100 })
  expect(shown(id).rate).toBeGreaterThan(0)
  expect(shown(id).secondsLeft).toBeGreaterThan(0)
})

test("what was said between two pictures is not lost", async () => {
  const id = restores.start(file)
  received(id, 900)
  remote.emit({ event: "restore", id, progress: { state: "checking" } })
  await vi.advanceTimersByTimeAsync(200)
  expect(shown(id)).toMatchObject({ state: "checking", received: 900 })
})

test("a file is handed out once it is whole, and progress that comes late changes nothing", async () => {
  const id = restores.start(file)
  received(id, 500)
  const content = new Blob(["x"])
  remote.last("restore").resolve({ cksum: 7, content })
  await vi.advanceTimersByTimeAsync(0)
  const done = shown(id)
  expect(done).toMatchObject({ state: "done", cksum: 7, received: 1_000, rate: 0 })
  expect(done.secondsLeft).toBeUndefined()
  expect(handedOut).toEqual([[content, expect.objectContaining({ filename: "letter.txt" })]])

  received(id, 600)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(shown(id)).toBe(done)
})

test("one that failed says why, hands out nothing and stays failed", async () => {
  const id = restores.start(file)
  received(id, 500)
  remote.last("restore").reject(failed)
  await vi.advanceTimersByTimeAsync(0)
  received(id, 600)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(shown(id)).toMatchObject({ state: "failed", problem, received: 0, rate: 0 })
  expect(handedOut).toEqual([])
})

test("one that is cancelled stays so, though it arrives", async () => {
  const id = restores.start(file)
  received(id, 500)
  restores.cancel(id)
  expect(remote.ids("stopRestore")).toEqual([id])
  received(id, 600)
  remote.last("restore").resolve({ cksum: 7, content: new Blob(["x"]) })
  await vi.advanceTimersByTimeAsync(1_000)
  expect(shown(id)).toMatchObject({ state: "cancelled", rate: 0 })
  expect(handedOut).toEqual([])
})

test("what is done is not cancelled", async () => {
  const id = restores.start(file)
  remote.last("restore").resolve({ cksum: 7, content: undefined })
  await vi.advanceTimersByTimeAsync(0)
  restores.cancel(id)
  expect(shown(id).state).toBe("done")
  expect(remote.ids("stopRestore")).toEqual([])
})

test("several at once, the last one first, and each by itself", async () => {
  const first = restores.start(file)
  const second = restores.start({ ...file, version: 3 })
  expect(restores.getSnapshot().map(({ id }) => id)).toEqual([second, first])
  expect(remote.last("restore", second).args).toMatchObject([{ file: { version: 3 } }])
  received(first, 10)
  received(second, 20)
  remote.last("restore", first).resolve({ cksum: 1, content: undefined })
  await vi.advanceTimersByTimeAsync(200)
  expect(shown(first).state).toBe("done")
  expect(shown(second)).toMatchObject({ state: "receiving", received: 20 })
  restores.dismiss(first)
  expect(restores.getSnapshot().map(({ id }) => id)).toEqual([second])
})

test("what is in doubt is not even asked for, unless it is trusted", async () => {
  const doubtful: FileEntry = { ...file, doubt: { kind: "older", seen: 7 } }
  const id = restores.start(doubtful)
  await vi.advanceTimersByTimeAsync(0)
  expect(shown(id)).toMatchObject({ state: "failed", problem: { kind: "doubt" } })
  expect(remote.ids("restore")).toEqual([])
  const trusted = restores.start(doubtful, { trusted: true })
  expect(remote.last("restore", trusted).args).toMatchObject([{ unsealed: true }])
  expect(accepted).toEqual([])
  remote.last("restore", trusted).resolve({ cksum: 7, content: undefined })
  await vi.advanceTimersByTimeAsync(0)
  expect(accepted).toEqual([doubtful])
})

test("only what is trusted may be without a seal", () => {
  restores.start(file)
  expect(remote.last("restore").args).toMatchObject([{ unsealed: false }])
})

test("who signs out leaves nothing on the page", async () => {
  const id = restores.start(file)
  received(id, 500)
  session.show({ state: "signed-out" })
  remote.last("restore").reject(failed)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(restores.getSnapshot()).toEqual([])
  expect(handedOut).toEqual([])
})
