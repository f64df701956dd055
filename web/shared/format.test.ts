import { describe, expect, test } from "vitest"
import { count, formatAge, formatBytes, formatChecksum, formatDuration } from "./format"

describe("formatBytes", () => {
  test.each([
    [0, "0 bytes"],
    [1, "1 byte"],
    [999, "999 bytes"],
    [1000, "1.00 kB"],
    [999_499, "999 kB"],
    // Never "1000 kB".
    [999_500, "1.00 MB"],
    [12_345_678, "12.3 MB"],
    [200 * 1024 * 1024, "210 MB"],
    [3.2e15, "3.20 PB"],
  ])("%d is %s", (bytes, text) => expect(formatBytes(bytes, "en-GB")).toBe(text))

  test("is written in the language chosen", () => expect(formatBytes(12_345, "de")).toBe("12,3 kB"))
})

test.each([
  [0, "less than a second"],
  [0.2, "1 second"],
  [59, "59 seconds"],
  [60, "1 min"],
  [125, "2 min 5 s"],
  [3_600, "1 h"],
  [4_320, "1 h 12 min"],
  [400_000, "5 days"],
])("a duration of %d seconds is %s", (seconds, text) => expect(formatDuration(seconds)).toBe(text))

test("an age is in words for a week, then a date", () => {
  const now = new Date("2026-11-24T12:00:00Z")
  const age = (date: string) => formatAge(new Date(date), now, "en-GB")
  expect(age("2026-11-24T11:57:00Z")).toBe("3 minutes ago")
  expect(age("2026-11-23T11:00:00Z")).toBe("yesterday")
  expect(age("2026-10-01T12:00:00Z")).toBe("1 Oct 2026")
})

test.each([
  [0x1a2b, "6699 (0x00001a2b)"],
  [1510679601, "1510679601 (0x5a0b2431)"],
  [-1, "4294967295 (0xffffffff)"],
])("a checksum is written as cksum prints it, with hex beside it", (sum, text) =>
  expect(formatChecksum(sum)).toBe(text),
)

test("one is singular", () => {
  expect(count(1, "file", "files")).toBe("1 file")
  expect(count(0, "file", "files")).toBe("0 files")
})
