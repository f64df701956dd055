import { beforeEach, expect, test, vi } from "vitest"
import { type Api, ApiError } from "../api/client"
import type { Remote } from "./remote"
import { LiveSession } from "./session"

const bundle = new Uint8Array([1, 2, 3])
const made = new Uint8Array([4, 5, 6])
const login = { session_token: "token", expires_in: 3_600, client_id: "id" }

/** A server with one account, ada's, whose password is as a test has it. */
class FakeServer {
  password = "v2 backup.example.org ada secret"
  bundle: Uint8Array | undefined = bundle
  publicKey = ""
  /** Whether the last sign-in was less than five minutes ago. */
  recent = false
  calls: string[] = []

  register = async (_name: string, password: string) => {
    this.calls.push(`register ${password}`)
    this.password = password
    this.bundle = undefined
  }
  login = vi.fn(async (_name: string, password: string) => {
    this.calls.push(`login ${password}`)
    if (password !== this.password) throw new ApiError(401, "", undefined)
    this.recent = true
    return login
  })
  account = async () => ({ wire_id: "id on the wire" })
  putKeyBundle = async (given: Uint8Array) => {
    if (!this.recent) throw new ApiError(403, "the sign-in is older than 5 minutes", undefined)
    this.bundle = given
  }
  sendPublicKey = async (given: string) => {
    if (!this.recent) throw new ApiError(403, "another public key is on record", undefined)
    this.publicKey = given
  }
  keyBundle = async () => this.bundle
  setPassphrase = async (change: { current_password: string; password: string }) => {
    if (change.current_password !== this.password) throw new ApiError(403, "", undefined)
    this.password = change.password
    return { ...login, session_token: "after" }
  }
}

let server: FakeServer
let opened: boolean
let token: string | undefined
/** What making keys is asked for, and what else happens while it lasts. */
let making: { ids: string[]; meanwhile: () => void }
let session: LiveSession
beforeEach(() => {
  server = new FakeServer()
  opened = true
  token = undefined
  making = { ids: [], meanwhile: () => {} }
  const tasks = {
    derivePassword: (server: string, name: string, words: string) =>
      `v2 ${server} ${name} ${words}`,
    deriveEarlierPassword: (name: string, words: string) => `v1 ${name} ${words}`,
    makeKeys: (_name: string, id: string) => {
      making.ids.push(id)
      making.meanwhile()
      return { sealHeader: 100, bundle: made, publicKey: "new key" }
    },
    openKeys: () => ({ sealHeader: 100, publicKey: "old key" }),
    rewrap: (_bundle: Uint8Array, _from: string, to: string) => [to],
    wasOpened: () => opened,
    setToken: (given: string) => {
      token = given
    },
  }
  const remote = {
    onEvent: () => {},
    ask: async (task: keyof typeof tasks, ...args: string[]) =>
      (tasks[task] as (...args: string[]) => unknown)(...args),
  }
  session = new LiveSession(
    server as unknown as Api,
    remote as unknown as Remote,
    { token: undefined },
    "backup.example.org",
  )
})

test("the password is bound to the server", async () => {
  await session.signIn("ada", "secret")
  expect(server.calls).toEqual(["login v2 backup.example.org ada secret"])
  expect(session.getSnapshot()).toMatchObject({ state: "signed-in", username: "ada" })
})

test("an account with a password of before is moved by signing in, once", async () => {
  server.password = "v1 ada secret"
  await session.signIn("ada", "secret")
  expect(server.password).toBe("v2 backup.example.org ada secret")
  expect(token).toBe("after")
  server.calls = []
  await session.renew("secret")
  expect(server.calls).toHaveLength(1)
})

test("a wrong passphrase is one in either way", async () => {
  await expect(session.signIn("ada", "wrong")).rejects.toMatchObject({ kind: "passphrase" })
  expect(session.getSnapshot()).toEqual({ state: "signed-out" })
})

test("a recovery file is what was opened here, not whatever the server answers", async () => {
  await session.signIn("ada", "secret")
  expect(await session.recoveryFile()).toBeInstanceOf(Blob)
  opened = false
  await expect(session.recoveryFile()).rejects.toMatchObject({ kind: "tampered" })
  server.bundle = undefined
  await expect(session.recoveryFile()).rejects.toMatchObject({ kind: "server" })
})

test("keys are made for the account as it is called on the wire", async () => {
  await session.register("ada", "secret", () => {})
  expect(making.ids).toEqual(["id on the wire"])
  expect(server).toMatchObject({ bundle: made, publicKey: "new key" })
  expect(server.calls).toEqual([
    "register v2 backup.example.org ada secret",
    "login v2 backup.example.org ada secret",
  ])
})

test("a computer that slept while keys were made signs in again by itself", async () => {
  making.meanwhile = () => {
    server.recent = false
  }
  await session.register("ada", "secret", () => {})
  expect(server).toMatchObject({ bundle: made, publicKey: "new key" })
  expect(server.login).toHaveBeenCalledTimes(2)
  expect(session.getSnapshot()).toMatchObject({ state: "signed-in" })
})

test("who looked for a recovery file, or thought about new keys, signs in again by that", async () => {
  server.bundle = undefined
  await session.signIn("ada", "secret")
  server.recent = false
  await session.importRecoveryFile(new File(["keys"], "coffer-ada.age"), "an earlier one")
  expect(server).toMatchObject({ bundle: ["secret"], publicKey: "old key" })
  expect(session.getSnapshot()).toMatchObject({ state: "signed-in" })

  server.bundle = undefined
  await session.signIn("ada", "secret")
  server.recent = false
  await session.makeKeys("secret")
  expect(server).toMatchObject({ bundle: made, publicKey: "new key" })
  expect(session.getSnapshot()).toMatchObject({ state: "signed-in" })
})

test("a server that takes no keys even so is asked no further", async () => {
  server.bundle = undefined
  await session.signIn("ada", "secret")
  server.putKeyBundle = async () => {
    throw new ApiError(403, "not for you", undefined)
  }
  await expect(session.makeKeys("secret")).rejects.toMatchObject({
    title: "The server does not allow this",
  })
  expect(server.login).toHaveBeenCalledTimes(2)
  expect(server.publicKey).toBe("")
})

test("an account of before whose password was changed elsewhere is refused, not moved", async () => {
  server.password = "v1 ada another"
  await expect(session.signIn("ada", "secret")).rejects.toMatchObject({ kind: "passphrase" })
  expect(server.password).toBe("v1 ada another")
  expect(server.calls).toEqual(["login v2 backup.example.org ada secret", "login v1 ada secret"])
})
