import { expect, test } from "vitest"
import { readText } from "../testing/vectors"
import { derivePassword } from "./derive"

type Vector = { note: string; name: string; passphrase: string; password: string }
const vectors: Vector[] = JSON.parse(readText("seal/testdata/signin.json"))

test("there are vectors", () => {
  expect(vectors.length).toBeGreaterThan(5)
})

test.each(vectors)(
  "$note",
  async ({ name, passphrase, password }) => {
    expect(await derivePassword(name, passphrase)).toBe(password)
  },
  60_000,
)
