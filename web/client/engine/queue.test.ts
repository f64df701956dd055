import "fake-indexeddb/auto"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { Watched } from "../../shared/watched"
import { FakeRemote } from "../testing/fakeRemote"
import { Failed } from "../worker/failures"
import type { Unfinished, UploadProgress } from "../worker/protocol"
import { forgetHistory, readHistory } from "./history"
import { problemOf, sentenceOf } from "./problems"
import { LiveQueue } from "./queue"
import type { Session, SessionState, Settings, SettingsStore, Transfer } from "./types"

class Shown<T> extends Watched<T> {
  show(value: T) {
    this.replace(value)
  }
}

const signedIn: SessionState = { state: "signed-in", username: "ada", expires: new Date(0) }
const failed = new Failed({ code: "mismatch" })
const problem = problemOf(failed)
const stopped = new Failed({ code: "stopped" })

let remote: FakeRemote
let session: Shown<SessionState>
let settings: Shown<Settings>
let queue: LiveQueue
/** The locks of the tabs that are open. */
let tabs: string[]

beforeEach(async () => {
  // Not all of them: the database in memory needs its own.
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] })
  tabs = ["this tab"]
  vi.stubGlobal("navigator", {
    locks: { query: async () => ({ held: tabs.map((name) => ({ name })) }) },
  })
  settings = new Shown<Settings>({ seal: true, packetSize: 1 << 20, parallel: 3 })
  opensPage()
  await signsIn()
})

afterEach(async () => {
  await forgetHistory((await readHistory("ada")).map(({ id }) => id))
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

/** A page that was just loaded. */
function opensPage() {
  remote = new FakeRemote()
  session = new Shown<SessionState>({ state: "signed-out" })
  queue = new LiveQueue(
    remote.remote,
    session as unknown as Session,
    settings as unknown as SettingsStore,
    "this tab",
  )
}

/** Signs in, in a browser that remembers these. */
async function signsIn(unfinished: Unfinished[] = []) {
  session.show(signedIn)
  remote.last("unfinished").resolve(unfinished)
  let taken = false
  const unsubscribe = queue.subscribe(() => {
    taken = true
  })
  await vi.waitFor(() => expect(taken).toBe(true))
  unsubscribe()
}

const files = (...names: string[]) =>
  names.map((name) => ({ name, file: new File([new Uint8Array(1_000)], name) }))

function shown(name: string): Transfer {
  const found = queue.getSnapshot().transfers.find((transfer) => transfer.name === name)
  if (!found) throw new Error(`${name} is not shown`)
  return found
}

function states(): Record<string, string> {
  return Object.fromEntries(queue.getSnapshot().transfers.map((t) => [t.name, t.state]))
}

/** The names of what the worker was given, in order. */
function begun(): string[] {
  const names = new Map(queue.getSnapshot().transfers.map(({ id, name }) => [id, name]))
  return remote.ids("upload").map((id) => names.get(id) ?? "")
}

function progress(name: string, progress: UploadProgress) {
  remote.emit({ event: "upload", id: shown(name).id, progress })
}

async function arrives(name: string) {
  remote.last("upload", shown(name).id).resolve({ cksum: 7, version: 2 })
  await settled()
}

async function fails(name: string, error: Error = failed) {
  remote.last("upload", shown(name).id).reject(error)
  await settled()
}

/** Lets what was answered have its effect. */
async function settled() {
  for (let i = 0; i < 10; i++) await Promise.resolve()
}

test("two at once, in the order in which they came", async () => {
  queue.add(files("a", "b", "c", "d"))
  await settled()
  expect(begun()).toEqual(["a", "b"])
  expect(states()).toEqual({ a: "sealing", b: "sealing", c: "waiting", d: "waiting" })
  await arrives("b")
  expect(begun()).toEqual(["a", "b", "c"])
  await arrives("a")
  await arrives("c")
  expect(begun()).toEqual(["a", "b", "c", "d"])
  await arrives("d")
  expect(new Set(Object.values(states()))).toEqual(new Set(["verified"]))
  expect(shown("a")).toMatchObject({ cksum: 7, version: 2, sent: 1_000, rate: 0 })
})

test("a file is sent as the settings were when it was added, and may differ from the next", async () => {
  queue.add(files("a"))
  settings.show({ seal: false, packetSize: 1 << 22, parallel: 4 })
  queue.add(files("b"))
  await settled()
  expect(remote.last("upload", shown("a").id).args).toMatchObject([{ seal: true, name: "a" }])
  expect(remote.last("upload", shown("b").id).args).toMatchObject([
    { seal: false, packetSize: 1 << 22, parallel: 4, owner: "this tab" },
  ])
})

test("a file that is paused makes room, and goes on when it is resumed", async () => {
  queue.add(files("a", "b", "c"))
  await settled()
  progress("a", { state: "sending", sent: 400 })
  queue.pause(shown("a").id)
  expect(shown("a").state).toBe("paused")
  expect(remote.ids("pause")).toEqual([shown("a").id])
  // Until the worker has stopped, it still has its place.
  expect(begun()).toEqual(["a", "b"])
  progress("a", { state: "sending", sent: 500 })
  expect(shown("a")).toMatchObject({ state: "paused", sent: 400 })
  await fails("a", stopped)
  expect(states()).toEqual({ a: "paused", b: "sealing", c: "sealing" })

  queue.resume(shown("a").id)
  expect(shown("a").state).toBe("waiting")
  await arrives("b")
  expect(begun()).toEqual(["a", "b", "c", "a"])
  expect(shown("a")).toMatchObject({ state: "sealing", sent: 400 })
})

test("one that is resumed before it has stopped begins when it has", async () => {
  queue.add(files("a"))
  await settled()
  const { id } = shown("a")
  queue.pause(id)
  queue.resume(id)
  expect(remote.ids("upload")).toEqual([id])
  await fails("a", stopped)
  expect(remote.ids("upload")).toEqual([id, id])
  expect(shown("a").state).toBe("sealing")
})

test("all are paused and resumed together", async () => {
  queue.add(files("a", "b", "c"))
  await settled()
  queue.pauseAll()
  await fails("a", stopped)
  await fails("b", stopped)
  expect(new Set(Object.values(states()))).toEqual(new Set(["paused"]))
  expect(begun()).toEqual(["a", "b"])
  queue.resumeAll()
  await settled()
  expect(states()).toEqual({ a: "sealing", b: "sealing", c: "waiting" })
})

test("a cancelled file is forgotten here and at the server, and tried again only after that", async () => {
  queue.add(files("a"))
  await settled()
  const { id } = shown("a")
  progress("a", { state: "sending", sent: 400 })
  queue.cancel(id)
  expect(shown("a")).toMatchObject({ state: "cancelled", sent: 0, rate: 0 })
  progress("a", { state: "sending", sent: 500 })
  await fails("a", stopped)
  expect(shown("a")).toMatchObject({ state: "cancelled", sent: 0 })
  expect(shown("a").problem).toBeUndefined()

  queue.retry(id)
  await settled()
  expect(remote.ids("upload")).toEqual([id])
  remote.last("discard", id).resolve()
  await settled()
  expect(remote.ids("upload")).toEqual([id, id])
})

test("one that is paused while another try of it waits is not begun", async () => {
  queue.add(files("a"))
  await settled()
  const { id } = shown("a")
  queue.cancel(id)
  await fails("a", stopped)
  queue.retry(id)
  await settled()
  queue.pause(id)
  remote.last("discard", id).resolve()
  await settled()
  expect(remote.ids("upload")).toEqual([id])
  expect(shown("a").state).toBe("paused")
})

test("what had arrived before it could be cancelled is there, and the page says so", async () => {
  queue.add(files("a"))
  await settled()
  queue.cancel(shown("a").id)
  await arrives("a")
  expect(shown("a").state).toBe("verified")
  expect(shown("a").note).toContain("before it could be cancelled")
})

test("one that waits is cancelled without having been begun", async () => {
  queue.add(files("a", "b", "c"))
  await settled()
  queue.cancel(shown("c").id)
  await arrives("a")
  await arrives("b")
  expect(begun()).toEqual(["a", "b"])
  expect(shown("c").state).toBe("cancelled")
})

test("a failure says why, keeps nobody waiting, and may be tried again", async () => {
  queue.add(files("a", "b", "c"))
  await settled()
  await fails("a")
  expect(shown("a")).toMatchObject({ state: "failed", problem, rate: 0 })
  expect(begun()).toEqual(["a", "b", "c"])
  await arrives("b")
  queue.retry(shown("a").id)
  await settled()
  expect(shown("a")).toMatchObject({ state: "sealing", attempt: 1 })
  expect(shown("a").problem).toBeUndefined()
  await arrives("a")
  expect(shown("a").state).toBe("verified")
})

test("what is heard of a file after its end changes nothing", async () => {
  queue.add(files("a", "b"))
  await settled()
  await arrives("a")
  await fails("b")
  progress("a", { state: "sending", sent: 10 })
  progress("b", { state: "sending", sent: 10, note: "waiting" })
  await vi.advanceTimersByTimeAsync(2_000)
  expect(shown("a")).toMatchObject({ state: "verified", sent: 1_000 })
  expect(shown("b").state).toBe("failed")
  expect(shown("b").note).toBeUndefined()
})

test("a note comes and goes; the attempt is shown", async () => {
  queue.add(files("a"))
  await settled()
  progress("a", { note: "waiting", attempt: 2 })
  await vi.advanceTimersByTimeAsync(200)
  expect(shown("a")).toMatchObject({ note: sentenceOf("waiting"), attempt: 2 })
  progress("a", { note: "none" })
  await vi.advanceTimersByTimeAsync(200)
  expect(shown("a").note).toBeUndefined()
})

test("a state is shown at once, figures a few times a second", async () => {
  queue.add(files("a"))
  await settled()
  let changes = 0
  queue.subscribe(() => changes++)
  progress("a", { state: "sending", sent: 1 })
  expect(changes).toBe(1)
  for (let i = 2; i <= 100; i++) {
    progress("a", { state: "sending", sent: i })
    await vi.advanceTimersByTimeAsync(10)
  }
  expect(changes).toBeGreaterThanOrEqual(6)
  expect(changes).toBeLessThanOrEqual(12)
})

test("the whole is the sum of what is not finished", async () => {
  queue.add(files("a", "b", "c"))
  await settled()
  progress("a", { state: "sending", sent: 400 })
  progress("b", { state: "sending", sent: 100 })
  await vi.advanceTimersByTimeAsync(200)
  expect(queue.getSnapshot().overall).toMatchObject({ size: 3_000, sent: 500, active: 3 })
  await arrives("a")
  expect(queue.getSnapshot().overall).toMatchObject({ size: 2_000, sent: 100, active: 2 })
})

test("what is finished is cleared away, and does not come back", async () => {
  queue.add(files("a", "b", "c"))
  await settled()
  await arrives("a")
  await fails("b")
  queue.clearFinished()
  expect(Object.keys(states())).toEqual(["b", "c"])
  await vi.waitFor(async () => expect(await readHistory("ada")).toEqual([]))
})

test("after a reload the history is there, and what was not finished waits for its file", async () => {
  queue.add(files("a"))
  await settled()
  await arrives("a")
  await vi.waitFor(async () => expect(await readHistory("ada")).toHaveLength(1))

  opensPage()
  await signsIn([unfinished("old", { sent: 300 })])
  expect(states()).toEqual({ a: "verified", old: "unfinished" })
  expect(shown("old")).toMatchObject({ needsFile: true, sent: 300, size: 1_000, sealed: true })
  expect(remote.ids("upload")).toEqual([])

  queue.giveFile("old", new File([new Uint8Array(1_000)], "old"))
  await settled()
  expect(remote.ids("upload")).toEqual(["old"])
  expect(shown("old").needsFile).toBeUndefined()
  await arrives("old")
  expect(shown("old").state).toBe("verified")
})

test("what another tab has in hand is its own; what a closed one left is anybody's", async () => {
  opensPage()
  tabs.push("other tab")
  await signsIn([
    unfinished("theirs", { owner: "other tab" }),
    unfinished("left", { owner: "closed tab" }),
  ])
  expect(Object.keys(states())).toEqual(["left"])
})

test("an unfinished one can be cancelled without its file", async () => {
  opensPage()
  await signsIn([unfinished("old")])
  queue.cancel("old")
  expect(remote.ids("discard")).toEqual(["old"])
  expect(shown("old")).toMatchObject({ state: "cancelled" })
  expect(shown("old").needsFile).toBeUndefined()
})

test("who signs out leaves nothing on the page", async () => {
  queue.add(files("a"))
  await settled()
  session.show({ state: "signed-out" })
  expect(queue.getSnapshot()).toMatchObject({ transfers: [], overall: { size: 0, active: 0 } })
})

test("the history keeps no content and no file", async () => {
  queue.add(files("a"))
  await settled()
  await arrives("a")
  await vi.waitFor(async () => expect(await readHistory("ada")).toHaveLength(1))
  const [entry] = await readHistory("ada")
  for (const value of Object.values(entry ?? {})) {
    expect(value instanceof Blob || ArrayBuffer.isView(value)).toBe(false)
  }
})

function unfinished(id: string, over: Partial<Unfinished> = {}): Unfinished {
  return {
    id,
    owner: "closed tab",
    name: id,
    size: 1_000,
    sealed: true,
    sent: 0,
    started: 0,
    ...over,
  }
}
