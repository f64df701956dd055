import { expect, test } from "vitest"
import { content, pieces, protocolVectors } from "../testing/vectors"
import { Cksum } from "./cksum"

const vectors = protocolVectors()

test.each(vectors.cksum_of_content)("of $length bytes", ({ length, cksum }) => {
  expect(new Cksum().update(content(length)).digest()).toBe(cksum)
})

test.each(vectors.cksum_of_text)("of $text", ({ text, cksum }) => {
  expect(new Cksum().update(new TextEncoder().encode(text)).digest()).toBe(cksum)
})

test("in pieces of any size, asked for in between", () => {
  const bytes = content(70_000)
  const whole = new Cksum().update(bytes).digest()
  for (const sizes of [[1], [7, 16, 33], [4096, 1], [65_536]]) {
    const sum = new Cksum()
    for (const piece of pieces(bytes, ...sizes)) {
      sum.update(piece)
      sum.digest()
    }
    expect(sum.digest(), `in pieces of ${sizes}`).toBe(whole)
  }
})

test("of bytes that begin in the middle of their memory", () => {
  const bytes = content(1000)
  const sum = new Cksum().update(bytes.subarray(3, 997)).digest()
  expect(sum).toBe(new Cksum().update(bytes.slice(3, 997)).digest())
})
