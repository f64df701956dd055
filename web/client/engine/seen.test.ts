import "fake-indexeddb/auto"
import { IDBFactory } from "fake-indexeddb"
import { beforeEach, expect, test } from "vitest"
import { fakeFile } from "../testing/fakeEngine"
import { Seen } from "./seen"
import type { FileEntry } from "./types"

beforeEach(() => {
  globalThis.indexedDB = new IDBFactory()
})

const third = fakeFile("letter.txt", { version: 3, sha256: "3".repeat(64) })
const second = fakeFile("letter.txt", { version: 2, sha256: "2".repeat(64) })
const fourth = fakeFile("letter.txt", { version: 4, sha256: "4".repeat(64) })
const other = fakeFile("letter.txt", { version: 3, sha256: "0".repeat(64) })

async function doubt(seen: Seen, file: FileEntry, account = "ada") {
  return (await seen.judge(account, [file]))[0]?.doubt
}

test("what is seen for the first time, again, and newer, is taken", async () => {
  const seen = await Seen.open()
  for (const file of [third, third, fourth, fakeFile("other.txt")]) {
    expect(await doubt(seen, file)).toBeUndefined()
  }
})

test("an earlier version, and another one under the same number, are in doubt until a person takes them", async () => {
  const seen = await Seen.open()
  await seen.judge("ada", [third])
  // Another page of the same browser remembers the same.
  const later = await Seen.open()
  expect(await doubt(later, second)).toEqual({ kind: "older", seen: 3 })
  expect(await doubt(later, second)).toEqual({ kind: "older", seen: 3 })
  expect(await doubt(later, other)).toEqual({ kind: "replaced" })
  await later.accept("ada", second)
  expect(await doubt(later, second)).toBeUndefined()
  expect(await doubt(later, third)).toBeUndefined()
})

test("what its owner removed is forgotten, and nothing else", async () => {
  const seen = await Seen.open()
  const note = fakeFile("note.txt", { version: 5 })
  await seen.judge("ada", [third, note])
  await seen.forget("ada", "letter.txt")
  expect(await doubt(seen, fakeFile("letter.txt"))).toBeUndefined()
  expect(await doubt(seen, { ...note, version: 4 })).toBeDefined()
})

test("accounts are kept apart", async () => {
  const seen = await Seen.open()
  await seen.judge("ada", [third])
  await seen.judge("ida", [third])
  expect(await doubt(seen, second, "bob")).toBeUndefined()
  await seen.forgetAll("ada")
  expect(await doubt(seen, second, "ada")).toBeUndefined()
  expect(await doubt(seen, second, "ida")).toBeDefined()
})
