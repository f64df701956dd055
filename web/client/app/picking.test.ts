// @vitest-environment jsdom
import { expect, test } from "vitest"
import { pickedFromDrop, pickedFromList } from "./picking"

/** What a browser hands out for a dropped folder: a reader that gives some entries at a time. */
function folder(path: string, batches: object[][]) {
  return {
    isFile: false,
    isDirectory: true,
    fullPath: path,
    createReader: () => {
      const left = [...batches, []]
      return { readEntries: (done: (entries: object[]) => void) => done(left.shift() ?? []) }
    },
  }
}

function file(path: string) {
  return {
    isFile: true,
    isDirectory: false,
    fullPath: path,
    file: (done: (file: File) => void) => done(new File(["x"], path.split("/").pop() ?? "")),
  }
}

function drop(...entries: object[]): DataTransfer {
  return {
    items: entries.map((entry) => ({
      kind: "file",
      webkitGetAsEntry: () => entry,
      getAsFile: () => null,
    })),
  } as unknown as DataTransfer
}

test("a dropped folder gives all files at any depth, named by their path", async () => {
  const picked = await pickedFromDrop(
    drop(
      folder("/photos", [
        [file("/photos/a.jpg"), folder("/photos/2026", [[file("/photos/2026/b.jpg")]])],
        // What came after the first hundred.
        [file("/photos/c.jpg")],
      ]),
      file("/notes.txt"),
    ),
  )
  expect(picked.map((p) => p.name)).toEqual([
    "photos/a.jpg",
    "photos/2026/b.jpg",
    "photos/c.jpg",
    "notes.txt",
  ])
})

test("a name with separate accents is composed", async () => {
  const picked = await pickedFromDrop(
    drop(folder("/U\u0308bung", [[file("/U\u0308bung/cafe\u0301.txt")]])),
  )
  expect(picked.map((p) => p.name)).toEqual(["\u00dcbung/caf\u00e9.txt"])
  const list = [new File(["x"], "re\u0301sume\u0301.pdf")] as unknown as FileList
  expect(pickedFromList(list).map((p) => p.name)).toEqual(["r\u00e9sum\u00e9.pdf"])
})
