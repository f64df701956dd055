import { describe, expect, test } from "vitest"
import { readText } from "../testing/vectors"
import { deriveEarlierPassword, derivePassword, signInServer } from "./derive"

type Vector = {
  note: string
  server: string
  name: string
  passphrase: string
  password: string
}
type Vectors = { servers: { host: string; server: string }[]; passwords: Vector[] }
const vectors: Vectors = JSON.parse(readText("seal/testdata/signin2.json"))
const earlier: Omit<Vector, "server">[] = JSON.parse(readText("seal/testdata/signin.json"))

test("there are vectors", () => {
  expect(vectors.servers.length).toBeGreaterThan(10)
  expect(vectors.passwords.length).toBeGreaterThan(5)
  expect(earlier.length).toBeGreaterThan(5)
})

test.each(vectors.servers)("the server at $host", ({ host, server }) => {
  expect(signInServer(host)).toBe(server)
})

describe("bound to a server", () => {
  test.each(vectors.passwords)(
    "$note",
    async ({ server, name, passphrase, password }) => {
      expect(await derivePassword(server, name, passphrase)).toBe(password)
    },
    60_000,
  )
})

describe("as it was before", () => {
  test.each(earlier)(
    "$note",
    async ({ name, passphrase, password }) => {
      expect(await deriveEarlierPassword(name, passphrase)).toBe(password)
    },
    60_000,
  )
})
